"""What is not known: members of an ensemble, and what an answer is worth in each of them.

Enter: a case and its `[ensemble]` (or one of the library), schedules, and what `solve` answers for
a member alone. A member is a case like any other: judge and search know nothing of ensembles here.
"""
