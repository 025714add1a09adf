"""Numbers that add over courses: `sum_s added(pattern of s)`, one row for each side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.limits.calendar.counted import CalendarLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated


class AddedLoad(CalendarLoad):
    """Rows: sum added / scale <= cap / scale and -sum added <= -floor; the scale of a soft limit
    is its cap, so that excess is in parts of it.
    """

    def added(self, patterns: Patterns) -> FloatArray:
        """(patterns,) what a course adds."""
        raise NotImplementedError

    def number(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) the sum."""
        tables = tabulated.candidates.lesions
        by_pattern = [self.added(table.menu.patterns) for table in tables]
        chosen = [each[tabulated.patterns_of(rows, s)] for s, each in enumerate(by_pattern)]
        total: FloatArray = np.sum(chosen, axis=0)
        return total

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """cap / scale, then -floor."""
        cap, floor = self.limit.cap, self.limit.floor
        sides = [] if cap is None else [float(cap) if self.hard else 1.0]
        return sides if floor is None else [*sides, -float(floor)]

    def of_days(self, candidates: Candidates, s: int) -> FloatArray:
        """(techniques, patterns, rows) added / scale, then -added."""
        table = candidates.lesions[s]
        count = self.added(table.menu.patterns)
        scale = 1.0 if self.hard or not self.limit.cap else float(self.limit.cap)
        sides = [] if self.limit.cap is None else [count / scale]
        sides += [] if self.limit.floor is None else [-count]
        load = np.stack(sides, axis=1)
        return np.repeat(load[None], len(candidates.lesion_of(table).ways), axis=0)
