"""What may be chosen for one lesion: uniform courses, phases, free courses, prescriptions.

Enter: the tables of a course. Doses and days are counted here, what they do is not known.
"""
