"""Exact search, of uniform courses and of free ones; the tree under both, the join they end in.

Enter: candidates of a case, a clock, schedules in hand. Both searches are branch and bound over
sets of systemic plans, domains of each lesion's course and cells of systemic effect; bounds are
Lagrangian. Nothing here knows the judge's code, the programme or how results are written.
"""
