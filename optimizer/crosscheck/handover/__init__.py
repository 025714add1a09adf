"""The programme in files for other solvers, and their solutions read back by name.

Enter: a case to state, or a solution to read. Nothing here runs a solver.
"""
