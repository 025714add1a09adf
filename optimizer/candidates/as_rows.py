"""Schedules as a plan and a row of courses of a case's menus, and back."""

from __future__ import annotations

import math
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
            greatest, menu = max(f.dose_gy for f in course), table.menu
            first, last = min(f.day for f in course), max(f.day for f in course)
            alike = np.flatnonzero(
                np.isclose(menu.dose, greatest, 1e-9, 0.0)
                & (menu.fractions == len(course))
                & (menu.patterns.first == first)[menu.pattern]
                & (menu.patterns.last == last)[menu.pattern]
            )
            offered = (int(c) for c in alike if _same(table.menu.course(int(c), lesion), course))
            row[s] = next(offered, 0)
    return PlanId(int(np.argmin(apart))), row


def _same(offered: Sequence[Fraction], asked: Sequence[Fraction]) -> bool:
    """Whether two courses have the same fractions."""
    first, second = (
        sorted(fractions, key=lambda f: (f.day, f.slot)) for fractions in (offered, asked)
    )
    return len(first) == len(second) and all(
        (f.day, f.slot, f.technique) == (g.day, g.slot, g.technique)
        and math.isclose(f.dose_gy, g.dose_gy, rel_tol=1e-9)
        for f, g in zip(first, second, strict=True)
    )
