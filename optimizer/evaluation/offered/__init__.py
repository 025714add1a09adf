"""Whether a schedule is one that the case offers, and keeps its rules: menus, phases, infusions.

Enter: a case and a schedule. Part of the judge; nothing here computes what a schedule does.
"""
