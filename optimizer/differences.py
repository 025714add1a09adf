"""Differences of values and bounds that may not be there."""

from __future__ import annotations


def excess(greater: float | None, value: float | None) -> float | None:
    """By how much one number exceeds another, at least 0; None without both."""
    if greater is None or value is None:
        return None
    return max(0.0, greater - value)


ROUNDING = 1e-9
"""Part of a gap, and 1e-14 of the numbers themselves, that adding it to a value may lose."""


def closes(bound: float | None, value: float | None, gap: float) -> bool:
    """Whether a bound lies within a gap of a value, rounding of a bound that is value plus gap."""
    apart = excess(bound, value)
    if apart is None or bound is None:
        return False
    return apart <= gap * (1.0 + ROUNDING) + 1e-14 * max(1.0, abs(bound))
