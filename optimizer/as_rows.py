"""Schedules as a plan and a row of courses of a case's menus, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


def schedule_of_row(candidates: Candidates, plan: PlanId, row: CourseIds) -> Schedule:
    """The schedule of a plan and a row with one course index per lesion table."""
    instance = candidates.instance
    fractions = [
        fraction
        for table, index in zip(candidates.lesions, row, strict=True)
        for fraction in table.menu.course(int(index), instance.lesions[table.menu.lesion])
    ]
    doses = [Infusion(day, drug, mg) for drug, day, mg in candidates.plans[plan].doses]
    return Schedule.of(fractions, doses)


def closest_row(candidates: Candidates, schedule: Schedule) -> tuple[PlanId, CourseIds]:
    """Plan and course indices of a schedule; 'no course' where the case does not offer its own.

    The plan is the one that has most infusions in common with it, and fewest others.
    """
    infusions = {(i.drug, i.day, i.dose_mg) for i in schedule.infusions}
    apart = [len(infusions.symmetric_difference(option.doses)) for option in candidates.plans]
    row = CourseIds(np.zeros(len(candidates.lesions), dtype=np.int64))
    for s, table in enumerate(candidates.lesions):
        lesion = candidates.instance.lesions[table.menu.lesion]
        course = tuple(f for f in schedule.fractions if f.lesion == lesion.name)
        if course:
            alike = np.flatnonzero(np.isclose(table.menu.dose, course[0].dose_gy, 1e-9, 0.0))
            offered = (int(c) for c in alike if _same(table.menu.course(int(c), lesion), course))
            row[s] = next(offered, 0)
    return PlanId(int(np.argmin(apart))), row


def _same(offered: Sequence[Fraction], asked: Sequence[Fraction]) -> bool:
    """Whether two courses have the same fractions (doses compared elsewhere)."""
    offered_days, asked_days = (
        sorted((f.day, f.slot, f.technique) for f in fractions) for fractions in (offered, asked)
    )
    return offered_days == asked_days
