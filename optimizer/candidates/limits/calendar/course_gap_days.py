"""Least days from the last fraction of one lesion to the first of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.limits.calendar.dated import DatedLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.tabulated import Tabulated


class CourseGap(DatedLoad):
    """A floor only. Each course takes the days from its first fraction to g - 1 days after its
    last: courses keep the gap g if no day is taken twice.
    """

    measure = "course_gap_days"

    def number(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) least gap over pairs of treated lesions; infinite without a pair."""
        least = np.full(len(rows), np.inf)
        tables = tabulated.candidates.lesions
        active = [s for s, table in enumerate(tables) if len(table.menu) > 1]
        for a, i in enumerate(active):
            begin, end, treated = tabulated.ends(rows, i)
            for j in active[:a]:
                start, stop, also = tabulated.ends(rows, j)
                gap = np.maximum(begin - stop, start - end)
                least = np.where(treated & also, np.minimum(least, gap), least)
        return least

    def extendable(self, tabulated: Tabulated, rows: CourseRows, log_loss: FloatArray) -> BoolArray:
        """(schedules,) whether the gap is kept: more courses only make it smaller."""
        return self.kept(tabulated, rows)

    def occupied(self, patterns: Patterns) -> BoolArray:
        """(patterns, days) from the first fraction to g - 1 days after the last."""
        assert self.limit.floor is not None
        days = np.arange(patterns.incidence.shape[1])
        first, last = patterns.first[:, None], patterns.last[:, None]
        treats = patterns.count[:, None] > 0
        taken: BoolArray = treats & (days >= first) & (days <= last + self.limit.floor - 1)
        return taken
