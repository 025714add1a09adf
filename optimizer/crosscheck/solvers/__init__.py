"""Other solvers, each behind one function that maximizes a matrix.

Enter: a `Matrix`, a gap, a time limit, threads, a seed. A room for what one foreign solver needs:
how it is found, called, and what its endings mean. It knows neither cases nor schedules, and
imports no foreign library before it is asked to solve.
"""
