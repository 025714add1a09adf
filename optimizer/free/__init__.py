"""Free courses at length: dynamic programming over days, with the calendar kept exactly."""
