"""Lesions treated on one day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.counted import over_days
from abscopt.optimizer.candidates.limits.calendar.dated import DatedLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.tabulated import Tabulated


class LesionsPerDay(DatedLoad):
    """The most of any day of the window."""

    measure = "lesions_per_day"

    @property
    def covered_by_free_search(self) -> bool:
        """A cap on all days."""
        return self.counts_freely

    def number(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) most lesions of a day."""
        days = self.limit.days(tabulated.instance.days)
        return over_days(tabulated, rows, days, lambda per_day: per_day.max(axis=1))

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) most lesions of a day."""
        number: IntArray = dosed.sum(axis=0).max(axis=1)
        return number

    def occupied(self, patterns: Patterns) -> BoolArray:
        """(patterns, days) fraction days within the window."""
        days = np.arange(patterns.incidence.shape[1])
        window = self.limit.days(len(days))
        inside = (days >= window.start) & (days < window.stop)
        return (patterns.incidence > 0) & inside
