"""Bounds of the risk over members: multipliers, mixtures of courses, lattices of values.

Enter: a plan in every member and the courses left. Nothing here splits nodes or keeps schedules.
"""
