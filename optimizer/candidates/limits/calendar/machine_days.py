"""Treatment days of all lesions together: a visit for two lesions is two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.added import AddedLoad
from abscopt.optimizer.candidates.limits.calendar.counted import CappedDays

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns


class MachineDays(CappedDays, AddedLoad):
    """The treatment days of each course within the window."""

    measure = "machine_days"

    def added(self, patterns: Patterns) -> FloatArray:
        """(patterns,) treatment days."""
        window = self.limit.days(patterns.incidence.shape[1])
        total: FloatArray = patterns.incidence[:, window.start : window.stop].sum(axis=1)
        return total

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) days of all lesions."""
        number: IntArray = dosed.sum(axis=0).sum(axis=1)
        return number
