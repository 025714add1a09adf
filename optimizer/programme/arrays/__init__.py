"""A Pyomo programme as arrays for a solver: linear sums, sparse parts, the matrix.

Enter: a model with variables and constraints. Nothing here knows what they mean.
"""
