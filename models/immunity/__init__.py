"""T cells: release, priming, effectors, checkpoint drugs in the blood, circulating lymphocytes.

Enter: what fractions release and kill, and infusions by day. Nothing here knows limits or menus.
"""
