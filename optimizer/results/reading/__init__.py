"""Results, schedules and logs read back from files: checked against the case, judged again.

Enter: paths and texts of users. What a file claims is believed only after the judge agrees.
"""
