"""Decisions in two stages: a plan up to an observation, and one continuation for each outcome.

Enter: an ensemble, and what is observed on which day. The plan before that day is common to all
members; which continuation a member gets depends on what the judge computes for it. Uniform courses
and the mean over members only.
"""
