"""Limits on organ doses: each is one column of loads, as parts of the cap, that adds over courses.

What shared days add beside that is a product of two doses (`quadratic`) or a function of the dose
of the day (`daily_dose`). Nothing here knows lymphocytes, calendars or drugs.
"""
