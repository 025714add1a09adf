"""Differences of values and bounds that may not be there."""

from __future__ import annotations


def excess(greater: float | None, value: float | None) -> float | None:
    """By how much one number exceeds another, at least 0; None without both."""
    if greater is None or value is None:
        return None
    return max(0.0, greater - value)
