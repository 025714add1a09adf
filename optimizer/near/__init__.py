"""Which other plans are nearly as good: classes of schedules within a margin of the best.

Enter: a case, solved; the search of uniform courses looks once more, with a lowered threshold
(`search/uniform/near.py`). What counts as another plan is in `aspects`; the judge values each.
"""
