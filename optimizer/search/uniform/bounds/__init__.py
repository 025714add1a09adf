"""Lagrangian bounds of uniform courses: values per lesion, linear rows, prices from an LP.

Enter: a set of plans, which courses are alive, cells of systemic effect. Returned: upper bounds,
the prices that prove them, and what they rest on. Knows no tree, no incumbent and no clock's end.
"""
