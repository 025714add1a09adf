"""Loads that are a function of the dose of the day: `sum_t f(sum_s R_t D_st)`.

Each course counts as if alone; each shared day then adds `f(sum of doses) - sum of f(dose)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.protocol import CAP, OnOrgan, OrganLoad
from abscopt.optimizer.ids import CourseIds, CourseRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam
    from abscopt.optimizer.candidates.table import LesionTable
    from abscopt.optimizer.candidates.tabulated import Tabulated

CHUNK = 20_000
"""Schedules whose days are laid out at once: some MB."""


class DailyDoseLoad(OrganLoad[OnOrgan]):
    """f in `use_of_daily_dose`; it must be at least the sum of f of the parts."""

    of_daily_dose = True

    def shared_at_most(self, lesions: int) -> float:
        """f has no bound by its parts."""
        return np.inf

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) f(R m D)."""
        dose = self.dose_at(instance, beam, dose_gy, day)
        return self.use_of_daily_dose(self.enhancement(instance, sensitized) * beam[2] * dose)

    def of_shared_day(
        self, instance: Instance, beams: Sequence[Beam], gy: Sequence[FloatArray]
    ) -> FloatArray:
        """(n,) f(sum D) - sum f(D), infinite beyond a table; nothing where days may be enhanced."""
        if self.enhancement(instance, True) != 1.0:
            return np.zeros(len(gy[0]))
        doses = [
            beam[2] * self.dose_at(instance, beam, each, 0)
            for beam, each in zip(beams, gy, strict=True)
        ]
        together = self.use_of_daily_dose(np.sum(doses, axis=0))
        alone = sum(np.where(together < np.inf, self.use_of_daily_dose(dose), 0) for dose in doses)
        return np.asarray(together - alone)

    def add_shared_days(
        self, tabulated: Tabulated, rows: CourseRows, column: int, loads: FloatArray
    ) -> None:
        """Correct schedules with shared days, unless they break the limit already."""
        limit, tables = self.limit, tabulated.candidates.lesions
        daily = [
            np.array(
                [
                    number * lesion.sparing_factor(limit.organ, limit.evaluation_point, 0, way)
                    for lesion, way, number in table.beams
                ]
            )
            for table in tables
        ]
        touching = [s for s, t in enumerate(tables) if daily[s].any() and len(t.menu) > 1]
        crowded = np.zeros(len(rows), dtype=bool)
        for a, i in enumerate(touching):
            for j in touching[:a]:
                crowded |= tabulated.shared_days(rows, i, j) > 0
        undecided: BoolArray = (loads[:, column] <= CAP) | (not self.hard)
        busy = np.flatnonzero(crowded & undecided)
        if not len(busy):
            return
        heights = [(s, daily[s]) for s in touching]
        for chunk in np.array_split(busy, max(1, len(busy) // CHUNK)):
            loads[chunk, column] += self._change(tabulated, rows[chunk], heights)

    def _change(
        self, tabulated: Tabulated, rows: CourseRows, touching: list[tuple[int, FloatArray]]
    ) -> FloatArray:
        """(n,) sum over shared days of f(sum_s R_t D_st) - sum_s f(R_t D_st).

        Parameters
        ----------
        touching : lesions that reach the organ, with Gy there per Gy prescribed (beams,)
        """
        tables, treated = tabulated.candidates.lesions, tabulated.candidates.treated
        on_days = [treated[s][tables[s].menu.pattern[rows[:, s]]] for s, _ in touching]
        row, day = np.nonzero(np.sum(on_days, axis=0, dtype=np.int8) > 1)
        enhanced = self.enhancement(tabulated.instance, True)
        raised = np.where(tabulated.sensitized[day], enhanced, 1.0)
        doses = []
        for (s, height), days in zip(touching, on_days, strict=True):
            chosen = rows[row, s]
            if tables[s].menu.each is None:
                dose = height[tables[s].variant[chosen]] * tables[s].menu.dose[chosen]
            else:
                dose = self._listed(tables[s], height, chosen, day)
            doses.append(np.where(days[row, day], dose, 0.0) * raised)
        used = self.use_of_daily_dose(np.array([np.sum(doses, axis=0), *doses]))
        excess = used[0] - used[1:].sum(axis=0)
        change = np.bincount(row, weights=excess, minlength=len(rows))
        return np.asarray(change, dtype=np.float64)

    def _listed(
        self, table: LesionTable, height: FloatArray, courses: CourseIds, day: IntArray
    ) -> FloatArray:
        """(n,) Gy at the point from listed courses on days: height / number x number of the day."""
        menu = table.menu
        if menu.patterns.way_by_day is not None:
            return self._of_several_ways(table, courses, day)
        most = np.array([number for _, _, number in table.beams])[table.variant[courses]]
        number = menu.patterns.number[menu.pattern[courses], day]
        each = height[table.variant[courses]] / most
        return np.asarray(each * number * menu.gy_by_day[courses, day])

    def _of_several_ways(self, table: LesionTable, courses: CourseIds, day: IntArray) -> FloatArray:
        """(n,) the same: sparing of the day's technique x number of the day x Gy of each."""
        menu, lesion = table.menu, table.beams[0][0]
        point = self.limit.organ, self.limit.evaluation_point
        sparing = np.array([lesion.sparing_factor(*point, 0, way) for way in lesion.ways])
        pattern, patterns = menu.pattern[courses], menu.patterns
        assert patterns.way_by_day is not None
        number = patterns.number[pattern, day]
        gy = menu.gy_by_day[courses, day]
        return np.asarray(sparing[patterns.way_by_day[pattern, day]] * number * gy)
