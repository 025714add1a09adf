"""What may be chosen, as arrays: courses, systemic plans, and their coefficients."""
