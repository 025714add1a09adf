"""Prescriptions as people write them: `50/5`, `50 Gy in 5 fractions`, `5 x 10 Gy`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_NUMBER = r"(\d+(?:\.\d+)?)"
_FRACTIONS = r"(?:\s*(?:fx|fr|fractions?))?"
TOTAL = re.compile(rf"\s*{_NUMBER}\s*(?:gy)?\s*(?:/|in)\s*(\d+){_FRACTIONS}\s*", re.IGNORECASE)
EACH = re.compile(rf"\s*(\d+)\s*[x×*]\s*{_NUMBER}\s*gy\s*", re.IGNORECASE)
EACH_BEFORE = re.compile(rf"\s*{_NUMBER}\s*gy\s*[x×*]\s*(\d+){_FRACTIONS}\s*", re.IGNORECASE)
MOST_FRACTIONS = 200
MOST_GY = 100
RULE = (
    "must be a total dose in Gy and a number of fractions, such as 50/5 or 50 Gy in 5; doses of "
    "each fraction need their unit: 5 x 10 Gy"
)
DIGITS = 9
"""Of a dose per fraction: as doses of a grid are rounded."""


@dataclass(frozen=True)
class Prescription:
    """Total dose in a number of equal fractions."""

    total_gy: float
    fractions: int

    @property
    def dose_gy(self) -> float:
        """Dose of each fraction."""
        return round(self.total_gy / self.fractions, DIGITS)

    def __str__(self) -> str:
        """`50/5`."""
        return f"{self.total_gy:.9g}/{self.fractions}"


def parsed(text: object) -> Prescription | None:
    """A prescription; None if the text is none, or beyond 200 fractions and 100 Gy each."""
    if not isinstance(text, str):
        return None
    if match := TOTAL.fullmatch(text):
        total, fractions = float(match[1]), int(match[2])
    elif match := EACH.fullmatch(text):
        total, fractions = int(match[1]) * float(match[2]), int(match[1])
    elif match := EACH_BEFORE.fullmatch(text):
        total, fractions = int(match[2]) * float(match[1]), int(match[2])
    else:
        return None
    valid = 1 <= fractions <= MOST_FRACTIONS and 0 < total <= MOST_GY * fractions
    return Prescription(round(total, DIGITS), fractions) if valid else None


def written(fractions: int, dose_gy: float) -> str:
    """`50/5` of 5 fractions of 10 Gy: the total dose is rounded as fractions of it were."""
    return str(Prescription(round(fractions * dose_gy, DIGITS - 3), fractions))


def blocks(menu: Iterable[Prescription], shared: dict[str, Any]) -> list[dict[str, Any]]:
    """Blocks of a uniform menu: one for each number of fractions, in their first order.

    Parameters
    ----------
    shared : keys of every block, such as its intervals
    """
    doses: dict[int, list[float]] = {}
    for entry in menu:
        doses.setdefault(entry.fractions, []).append(entry.dose_gy)
    return [
        {"fractions": [count], "doses_gy": sorted(set(levels)), **shared}
        for count, levels in doses.items()
    ]
