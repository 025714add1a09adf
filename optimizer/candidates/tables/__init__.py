"""Frozen parts of the candidates of a case, each with the stores of what it computes.

Enter: an instance and other parts. A part is never changed: fewer courses, fewer plans or other
limits make new parts, and what depends on them is computed anew, so that no store outlives what it
was computed from. Nothing here knows a search or a programme.
"""
