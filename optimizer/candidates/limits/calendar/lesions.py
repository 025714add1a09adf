"""Number of lesions treated, at most and at least."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.added import AddedLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.tabulated import Tabulated


class LesionsTreated(AddedLoad):
    """1 for each course, whatever its days.

    The floor is no part of `kept`: courses still to come may reach it (`Tabulated.sites_reached`).
    """

    measure = "lesions"
    dated = False
    on_calendar = False

    @property
    def covered_by_free_search(self) -> bool:
        """A cap without a floor."""
        return self.counts_freely

    @property
    def most_lesions(self) -> int | None:
        """The cap, where it is hard."""
        return self.limit.cap if self.hard else None

    def kept(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) within the cap."""
        if self.limit.cap is None:
            return np.ones(len(rows), dtype=bool)
        within: BoolArray = self.number(tabulated, rows) <= self.limit.cap
        return within

    def added(self, patterns: Patterns) -> FloatArray:
        """(patterns,) 1 with fractions, 0 without."""
        return (patterns.count > 0).astype(float)

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) lesions with a fraction on any day."""
        number: IntArray = dosed.any(axis=2).sum(axis=0)
        return number
