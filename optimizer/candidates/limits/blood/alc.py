"""Lymphocyte count on fraction days: `ln(ALC0 / floor)` is the log loss that just keeps the floor.

loss_t = sum_{t' <= t} kappa n_t' recovery(t - t') + chemotherapy <= ln(ALC0 / floor)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import AlcLimit
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import lymphocytes
from abscopt.optimizer.candidates.limits.protocol import CAP, CourseLoad
from abscopt.optimizer.ids import CourseIds, CourseRows

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated

CHUNK = 20_000
"""Schedules whose days are laid out at once: some MB."""
MOST_ROWS = 48
"""Days on which lymphocytes are counted in rows: every fraction day of about ten weeks; of longer
cases every second, third ..., where the loss of a day is at most some percent above its neighbors'.
"""


def alc_unit(instance: Instance, menu: Menu) -> FloatArray:
    """(patterns, days) log loss of lymphocytes on each day at a loss of 1 per fraction.

    Where fractions have techniques of their own, it is the loss itself.
    """
    lesion, patterns = instance.lesions[menu.lesion], menu.patterns
    losses = [lesion.lymphocyte_loss(way) for way in lesion.ways]
    by_day = patterns.number if patterns.way is None else patterns.weighted(losses)
    days = np.arange(instance.days)
    half = instance.lymphocytes.recovery_half_time_days
    remaining = lymphocytes.recovery(days[:, None] - days[None, :], half)
    remaining = np.where(days[:, None] >= days[None, :], remaining, 0.0)
    unit: FloatArray = by_day @ remaining.T
    return unit


def kappa_of(lesion: Lesion, menu: Menu) -> FloatArray:
    """(techniques,) what `alc_unit` has to be multiplied by: 1 where that is the loss itself."""
    losses = np.array([lesion.lymphocyte_loss(way) for way in lesion.ways])
    return losses if menu.patterns.way is None else np.ones_like(losses)


class LymphocyteFloor(CourseLoad[AlcLimit]):
    """The greatest loss of any fraction day, over the allowance."""

    measure = "alc"
    effort = 2

    @property
    def covered_by_free_search(self) -> bool:
        """Where it is hard."""
        return self.hard

    @property
    def feels_chemotherapy(self) -> bool:
        """Drugs lower the count."""
        return True

    def log_loss_allowance(self, instance: Instance) -> float:
        """ln(ALC0 / floor)."""
        return math.log(instance.lymphocytes.initial_1e9_per_l / self.limit.floor_1e9_per_l)

    def use(
        self, tabulated: Tabulated, rows: CourseRows, further: FloatArray | float = 0.0
    ) -> FloatArray:
        """(schedules,) max_t loss_t over the allowance.

        Parameters
        ----------
        further : (days,) loss beside that of the rows
        """
        worst = np.empty(len(rows))
        tables, start = tabulated.candidates.lesions, 0
        for chunk in np.array_split(rows, max(1, len(rows) // CHUNK)):
            loss = sum(table.alc_loss(CourseIds(chunk[:, s])) for s, table in enumerate(tables))
            greatest = (np.asarray(loss) + further).max(axis=1) + tabulated.chemo
            worst[start : start + len(chunk)] = greatest
            start += len(chunk)
        return worst / self.log_loss_allowance(tabulated.instance)

    def extendable(self, tabulated: Tabulated, rows: CourseRows, log_loss: FloatArray) -> BoolArray:
        """(schedules,) use with the further loss at most 1."""
        within: BoolArray = self.use(tabulated, rows, log_loss) <= CAP
        return within

    def days_matter(self, candidates: Candidates) -> bool:
        """Whether the floor could be reached if every lesion lost most on every day."""
        chemo = float(candidates.plan_effects.chemotherapy_log_loss.max())
        loss = np.zeros(candidates.instance.days)
        for table in candidates.lesions:
            loss += float(table.kappa.max()) * table.alc_unit.max(axis=0)
        worst = float(loss.max()) + chemo
        return worst > self.log_loss_allowance(candidates.instance) * CAP

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """1 - chemotherapy / allowance on each day with a row."""
        right = CAP - chemo / self.log_loss_allowance(candidates.instance)
        return [right] * len(_days_with_rows(candidates))

    def of_days(self, candidates: Candidates, s: int) -> FloatArray:
        """(techniques, patterns, rows) kappa_w unit[p, t] / allowance."""
        table = candidates.lesions[s]
        lesion = candidates.lesion_of(table)
        kappa = kappa_of(lesion, table.menu)
        unit = table.alc_unit[:, _days_with_rows(candidates)]
        return kappa[:, None, None] * (unit / self.log_loss_allowance(candidates.instance))


def _days_with_rows(candidates: Candidates) -> IntArray:
    """Days on which some course has a fraction, the last one always among them.

    The loss of a day without a fraction is below that of the day before.
    """
    has_fraction = np.any([p.incidence.any(axis=0) for p in candidates.own_patterns], axis=0)
    days = np.flatnonzero(has_fraction)
    step = max(1, math.ceil(len(days) / MOST_ROWS))
    chosen: IntArray = days[::-1][::step]
    return chosen
