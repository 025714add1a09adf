"""Expected new sites that lesions seed before their first fraction: `sum_s M_s(first day of s)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import NewSitesLimit
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.tumor import dissemination
from abscopt.optimizer.candidates.limits.protocol import CAP, CourseLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated


MOST_SEEDED = 1e6
"""Caps that a row counts of one lesion: more breaks the limit as well, and HiGHS refuses 1e15.

Where the limit is soft the cost is bounded from below by it."""


class NewSites(CourseLoad[NewSitesLimit]):
    """Falls where a lesion is irradiated, and rises with its first day."""

    measure = "new_sites"

    @property
    def grows(self) -> bool:
        """Irradiation takes from it."""
        return False

    def seeded(self, lesion: Lesion, until: IntArray) -> FloatArray:
        """(n,) part of the cap that a lesion seeds before some days."""
        if lesion.volume_cm3 is None:
            return np.zeros(len(until))
        number = dissemination.expected_new_sites(
            lesion.volume_cm3,
            lesion.growth_doubling_time_days,
            until,
            rate_per_day=self.limit.rate_per_day,
            reference_cm3=self.limit.reference_cm3,
            exponent=self.limit.exponent,
        )
        return number / self.limit.cap

    def use(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) the sum over lesions."""
        candidates, total = tabulated.candidates, np.zeros(len(rows))
        for s, table in enumerate(candidates.lesions):
            until = self._until(table.menu.patterns.first, candidates)
            by_pattern = self.seeded(candidates.lesion_of(table), until)
            total += by_pattern[tabulated.patterns_of(rows, s)]
        return total

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """One row: the sum is at most the cap."""
        return [CAP if self.hard else 1.0]

    def of_days(self, candidates: Candidates, s: int) -> FloatArray:
        """(techniques, patterns, 1) what a lesion seeds."""
        table = candidates.lesions[s]
        lesion = candidates.lesion_of(table)
        until = self._until(table.menu.patterns.first, candidates)
        load = np.minimum(self.seeded(lesion, until), MOST_SEEDED)
        return np.repeat(load[None, :, None], len(lesion.ways), axis=0)

    def of_columns(self, candidates: Candidates, columns: Columns) -> FloatArray:
        """(J,) the same of the columns of a programme."""
        until, load = columns.first, np.zeros(len(columns))
        for s in np.unique(columns.lesion):
            members = columns.lesion == s
            load[members] = self.seeded(candidates.instance.lesions[s], until[members])
        return np.minimum(load, MOST_SEEDED)

    def _until(self, first: IntArray, candidates: Candidates) -> IntArray:
        """First day, or the last horizon where there is none."""
        until: IntArray = np.where(first >= 0, first, candidates.instance.days)
        return until
