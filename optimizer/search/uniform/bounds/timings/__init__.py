"""Ceilings of combinations of kinds over all their timings, by level of systemic effect.

Enter: kinds of every lesion under one plan. Nothing here knows prices or trees.
"""
