"""Systemic plans as arrays, and what they make of release day by day: propagators and flows.

Enter: drugs and regimens of a case, days of courses. Nothing here knows limits of organs.
"""
