"""The constraints of the programme, one module per family, one function per named constraint.

Enter: the data of a programme and its variables. A docstring states the constraint as a formula;
the golden files hold what each one writes. Nothing here solves, refines or judges.
"""
