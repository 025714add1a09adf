"""Treatment days of all lesions together: a visit for two lesions is two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.calendar.added import AddedLoad

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.courses import Patterns


class MachineDays(AddedLoad):
    """The treatment days of each course within the window."""

    measure = "machine_days"

    @property
    def tied_to_days(self) -> bool:
        """Where only some days count."""
        return self.limit.windowed

    @property
    def covered_by_free_search(self) -> bool:
        """A cap on all days."""
        return self.counts_freely

    @property
    def most_fractions(self) -> int | None:
        """The cap."""
        return self.limit.cap

    def added(self, patterns: Patterns) -> FloatArray:
        """(patterns,) treatment days."""
        window = self.limit.days(patterns.incidence.shape[1])
        total: FloatArray = patterns.incidence[:, window.start : window.stop].sum(axis=1)
        return total

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) days of all lesions."""
        number: IntArray = dosed.sum(axis=0).sum(axis=1)
        return number
