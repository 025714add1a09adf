"""Courses of one lesion as arrays: doses and days, kinds, what fractions kill, loads of organs.

Enter: a lesion's menu. Nothing here knows plans of drugs or other lesions.
"""
