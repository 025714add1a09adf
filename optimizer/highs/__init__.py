"""The one door to HiGHS: programs as arrays go in; status, numbers and what must hold come out.

Nothing here knows cases, courses or schedules' worth; only `solver` imports highspy.
"""
