"""What a dose or a drug does: pure functions of numbers and arrays, numpy only.

`simulators` holds published models, which may integrate with SciPy.
"""
