"""Limits on the calendar: one module per quantity, by the day patterns of courses alone.

`counted` is what they have in common; `added` and `dated` those whose rows add over courses, in all
or day by day. Doses do not matter here.
"""
