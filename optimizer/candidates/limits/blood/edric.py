"""Estimated dose to circulating immune cells (EDRIC): linear in doses but for sqrt(fractions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import EdricLimit
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.models.immunity import lymphocytes
from abscopt.optimizer.candidates.limits.protocol import CAP, CourseLoad
from abscopt.optimizer.candidates.menus.loads import by_technique
from abscopt.optimizer.ids import CourseRows, PlanId
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated


def edric_alone(instance: Instance, menu: Menu) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(courses,) mean lung dose, mean heart dose and integral dose of each course."""
    tick()
    lesion = instance.lesions[menu.lesion]
    total = menu.total if menu.patterns.way is None else menu.doses
    lung, heart, integral = (
        by_technique(lesion, menu, value)
        for value in (
            lambda way: lesion.sparing_factor("lungs", "mean", 0, way),
            lambda way: lesion.sparing_factor("heart", "mean", 0, way),
            lesion.integral_dose,
        )
    )
    doses = lung * total, heart * total, integral * total
    if menu.patterns.way is None:
        return doses
    lungs, hearts, integrals = (of_fractions.sum(axis=1) for of_fractions in doses)
    return lungs, hearts, integrals


class DoseToImmuneCells(CourseLoad[EdricLimit]):
    """Of the whole schedule: more fractions raise the weight of every integral dose."""

    measure = "edric"
    dated = False
    of_doses = True
    effort = 3

    def use(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) EDRIC over the cap."""
        return self._dose(tabulated, rows) / self.limit.cap_gy

    def kept(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) EDRIC at most the cap."""
        within: BoolArray = self._dose(tabulated, rows) <= self.limit.cap_gy * CAP
        return within

    def _dose(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) Gy, from the summed lung, heart and integral doses and fractions."""
        tables = zip(tabulated.candidates.edric_parts, rows.T, strict=True)
        total: FloatArray = np.sum([table[:, chosen] for table, chosen in tables], axis=0)
        return lymphocytes.edric(*total)

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """One row: each course with its own number of fractions, which bounds from below."""
        return [CAP]

    def of_kinds(self, candidates: Candidates, s: int, plan: PlanId) -> FloatArray:
        """(kinds, 1) part of the cap that each kind takes by itself."""
        menu = candidates.shared(plan)[s].kinds.menu
        dose = lymphocytes.edric(*edric_alone(candidates.instance, menu), menu.fractions)
        return (np.asarray(dose) / self.limit.cap_gy)[:, None]
