"""Limits with one row for each day: `sum_s [course of s occupies the day] <= 1 or cap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.counted import CalendarLoad

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.table import Candidates


class DatedLoad(CalendarLoad):
    """Rows on days where more could meet than may; of a soft limit in parts of its cap."""

    @property
    def tied_to_days(self) -> bool:
        """Always."""
        return True

    def occupied(self, patterns: Patterns) -> BoolArray:
        """(patterns, days) days that each pattern takes."""
        raise NotImplementedError

    def _crowded(self, candidates: Candidates) -> IntArray:
        """Days on which so many lesions can meet that the limit may be broken."""
        able = sum(
            self.occupied(patterns).any(axis=0).astype(np.int64)
            for patterns in candidates.own_patterns
        )
        cap = 1 if self.limit.cap is None else self.limit.cap
        days: IntArray = np.flatnonzero(np.asarray(able) > cap)
        return days

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """The cap of each crowded day; 1 where there is none, or a soft one."""
        right = 1.0 if self.limit.cap is None or not self.hard else float(self.limit.cap)
        return [right] * len(self._crowded(candidates))

    def of_days(self, candidates: Candidates, s: int) -> FloatArray:
        """(techniques, patterns, rows) [pattern takes the day] / scale."""
        table = candidates.lesions[s]
        scale = 1.0 if self.hard or not self.limit.cap else float(self.limit.cap)
        load = self.occupied(table.menu.patterns)[:, self._crowded(candidates)] / scale
        return np.repeat(load[None], len(candidates.lesion_of(table).ways), axis=0)
