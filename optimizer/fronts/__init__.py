"""What a limit costs: answers at several caps, and points that no schedule dominates.

Enter: a case and a measure or caps. Each point is a `solve`; nothing here searches by itself.
"""
