"""Numbers of a case against plausible and usual ranges.

Enter: a case that the schema accepts. What lies outside a plausible range is refused unless it is
meant; outside a usual one it is noted. Nothing here compares tables with each other.
"""
