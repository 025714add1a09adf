"""Limits on what the blood suffers: lymphocytes left on fraction days, dose to immune cells."""
