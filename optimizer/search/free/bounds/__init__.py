"""Lagrangian bounds of a node of free courses: oracles of lesions, master, multipliers, ranges.

Enter: a plan as `problem` reads it, and a node. A bound holds at whatever multipliers; nothing here
decides where a node is split.
"""
