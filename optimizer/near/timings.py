"""Between which days the courses and drugs of one plan may begin, the margin kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.by_rows import values_of_rows
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, PlanIds
from abscopt.optimizer.near.aspects import classes_of, first_days
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.join import joined
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.timings.shapes import Shapes
from abscopt.optimizer.search.uniform.leaves.leaf import BOUND_SAFETY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.near import Near

MOST_TIMINGS = 30_000
"""Schedules of one plan that are valued, some tenths of a second; beyond, ranges may be wider."""

Range = tuple[int, int]


@dataclass(frozen=True)
class Reach:
    """First days of courses and drugs.

    Attributes
    ----------
    lesions, drugs : by name the earliest and the latest first day of any schedule of the plan
        within the margin; the other days are then as suits it
    timings : number of these schedules that were seen
    complete : whether these are all; else ranges may be wider
    """

    lesions: dict[str, Range]
    drugs: dict[str, Range]
    timings: int
    complete: bool


def reach(candidates: Candidates, plan_near: Near, floor: float, clock: Clock) -> Reach:
    """Ranges of the first days of a plan's lesions, fractions, doses, techniques and regimens.

    Parameters
    ----------
    floor : schedules that are worth less do not count
    """
    with clock.answering():
        timings = _Timings(candidates, plan_near, floor)
        timings.one_moved()
    complete = timings.every()
    return _ranges(candidates, sorted(timings.seen), complete)


class _Timings:
    """Schedules that have a plan's lesions, fractions, doses, techniques and regimens.

    Attributes
    ----------
    alone : candidates of nothing else, but for 'no course'
    offered : per lesion the courses among these that belong to the plan
    plans : systemic plans that do, the best for the plan's timing first
    seen : (plan, courses of the case) of what keeps every limit and is worth `floor`
    """

    def __init__(self, candidates: Candidates, plan_near: Near, floor: float):
        classes = classes_of(candidates, None)
        key = classes.key(plan_near.plan, plan_near.row)
        courses = [np.flatnonzero(c == k) for c, k in zip(classes.lesions, key[1:], strict=True)]
        self.alone = candidates.narrowed([CourseIds(np.union1d([0], ids)) for ids in courses])
        self.offered = [CourseIds(np.arange(len(ids)) + int(ids[0] > 0)) for ids in courses]
        row = self.alone.of_case(plan_near.row)
        assert row is not None
        self.row, self.plan, self.floor = row, plan_near.plan, floor
        plans = PlanIds(np.flatnonzero(classes.plan == key[0]))
        values = values_of_rows(self.alone, plans, row[None])[:, 0]
        self.plans = PlanIds(plans[np.argsort(-values, kind="stable")])
        self.seen = {(int(plan_near.plan), *plan_near.row.tolist())}

    def one_moved(self) -> None:
        """See the schedule with one course, or the start of the drugs, moved alone."""
        tabulated = Tabulated(self.alone, self.plan)
        for s, courses in enumerate(self.offered):
            rows = CourseRows(np.repeat(self.row[None], len(courses), axis=0))
            rows[:, s] = courses
            self._see(tabulated, rows)
        for k in self.plans.tolist():
            self._see(Tabulated(self.alone, k), self.row[None])

    def every(self) -> bool:
        """See all of them; False if they are too many, or time is over."""
        valued = 0
        with suppress(Stopped):
            for k in self.plans.tolist():
                tabulated = Tabulated(self.alone, k)
                for rows in self._above(tabulated):
                    valued += len(rows)
                    if valued > MOST_TIMINGS:
                        return False
                    self._see(tabulated, rows)
            return True
        return False

    def _above(self, tabulated: Tabulated) -> Iterator[CourseRows]:
        """Lots that hold every timing under one plan that may be worth the floor."""
        floor = self.floor - BOUND_SAFETY
        allowed = [c[tabulated.begun[s][c]] for s, c in enumerate(self.offered)]
        if not all(map(len, allowed)):
            return
        low, high = _effects(tabulated, allowed)
        free = [np.zeros(len(courses)) for courses in allowed]
        shapes = Shapes(tabulated, allowed, free, low, high)
        right = np.where(self.alone.hard, CAP - self.alone.prior, np.inf)
        chunk = settings.CURRENT.join_chunk
        for combinations in joined(shapes.loss, shapes.loads, right, 0.0, chunk):
            above = shapes.ceiling(combinations) + BOUND_SAFETY > floor
            for combination in combinations[above]:
                yield from shapes.timings(combination, lambda: floor)

    def _see(self, tabulated: Tabulated, rows: CourseRows) -> None:
        """Keep those of some rows that are worth the floor and keep every limit."""
        rows = CourseRows(rows[tabulated.value(rows) >= self.floor])
        if len(rows):
            rows = CourseRows(rows[tabulated.feasible(rows)])
            in_case = self.alone.in_case(rows)
            self.seen.update((int(tabulated.plan), *row) for row in in_case.tolist())


def _effects(tabulated: Tabulated, courses: list[CourseIds]) -> tuple[FloatArray, FloatArray]:
    """(horizons,) least and greatest systemic effect before saturation of some courses.

        sum_s min_c v_s(c) e^-(A - a_s) ... sum_s max_c v_s(c) e^-chemo,   A = chemo + sum_s max a_s

    They set the levels of ceilings, which hold for any.
    """
    effects = [tabulated.effects[s].effect[c] for s, c in enumerate(courses)]
    losses = sum(float(tabulated.effects[s].loss[c].max()) for s, c in enumerate(courses))
    low = sum(effect.min(axis=0) for effect in effects) * np.exp(-tabulated.chemo - losses)
    high = sum(effect.max(axis=0) for effect in effects) * np.exp(-tabulated.chemo)
    return np.asarray(low), np.asarray(high)


def _ranges(candidates: Candidates, seen: list[tuple[int, ...]], complete: bool) -> Reach:
    """Least and greatest first day in schedules of plan and courses."""
    table = np.array(seen)
    lesions: dict[str, Range] = {}
    for s, lesion_table in enumerate(candidates.lesions):
        menu = lesion_table.menu
        first = menu.patterns.first[menu.pattern[table[:, 1 + s]]]
        if (first >= 0).all():
            name = candidates.lesion_of(lesion_table).name
            lesions[name] = (int(first.min()), int(first.max()))
    drugs: dict[str, Range] = {}
    for k in np.unique(table[:, 0]).tolist():
        for drug, day in first_days(candidates.plans[PlanId(k)]).items():
            low, high = drugs.get(drug, (day, day))
            drugs[drug] = (min(low, day), max(high, day))
    return Reach(lesions, drugs, len(seen), complete)
