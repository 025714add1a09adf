"""The date of day 0 of cases that state none; apart, since it is read before any checking."""

import datetime

START_DATE = datetime.date(2026, 1, 5)
"""A Monday."""
