"""What measurements say about a patient: members of an ensemble weighed by their likelihood.

Enter: a case, the schedule that is given, what was measured, and an ensemble. The judge says what
each member predicts; observation models say how far a measurement may be off. Nothing here decides
on a schedule: the posterior is an ensemble like any other.
"""
