"""Branch and bound over free courses: plans, ranges of effect and kill, shared days.

Enter: a case whose free courses `scope` accepts, as candidates, and a clock. A lesion's own
courses are found day by day in `days`; menus of uniform courses beside them are lists.
"""
