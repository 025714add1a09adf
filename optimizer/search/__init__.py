"""Exact search over uniform courses: Lagrangian bounds, local search, filtered joins."""
