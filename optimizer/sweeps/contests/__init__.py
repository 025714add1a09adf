"""Stores of sweeps held against each other: releases, machines, solvers, run by run.

Enter: stores that are read only. What differs is counted and timed, as Dolan and More's performance
profiles do; nothing here solves or writes a store.
"""
