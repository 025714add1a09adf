"""Schedules near the best: every class of them within a margin, or the best of a part of a case.

The threshold of the search is lowered to best - within, so that nothing above it is closed unseen
(P21 of docs/reference/proofs.md): bounds, splits and leaves are those of the search for the best,
and a leaf hands over all of its schedules. Of each class (by codes of plan and courses) the best
one is kept. Timings of a combination of kinds that are no better than the best known of their class
are not looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, PlanIds
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.uniform.bounds.plan_set import families
from abscopt.optimizer.search.uniform.branches import Node, Trees
from abscopt.optimizer.search.uniform.explore import Search
from abscopt.optimizer.search.uniform.leaves.leaf import DECIDED_AT_ONCE, SearchState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated
    from abscopt.optimizer.progress import Clock

ROUNDING = 1e-9
"""Added to the margin: schedules at its very edge count, whatever their sums are rounded to."""
MOST_NODES = 400
"""Of the tree, some minutes; a number, so that the answer does not depend on the machine."""
MOST_ROWS = 5_000_000
"""Schedules whose limits are checked, some minutes; else the same."""

Key = tuple[int, ...]
Ending = Literal["complete", "many", "stopped"]


class Exhausted(Stopped):
    """More classes, schedules or nodes than are looked at."""


@dataclass(frozen=True)
class Classes:
    """Which schedules are one class: those with equal codes.

    Attributes
    ----------
    plan : (plans,) code of each systemic plan
    lesions : per lesion (courses,) code of each course of the case's menu
    by_days : whether courses that differ in their days only may have different codes
    """

    plan: IntArray
    lesions: tuple[IntArray, ...]
    by_days: bool = False

    def of(self, plan: PlanId, rows: CourseRows) -> IntArray:
        """(schedules, 1 + lesions) codes of rows of the case's courses under a plan."""
        codes = [np.full(len(rows), self.plan[plan])]
        codes += [code[rows[:, s]] for s, code in enumerate(self.lesions)]
        return np.stack(codes, axis=1)

    def key(self, plan: PlanId, row: CourseIds) -> Key:
        """Codes of one row."""
        return tuple(self.of(plan, CourseRows(row[None, :]))[0].tolist())


@dataclass(frozen=True)
class Near:
    """A schedule of the case's courses with its objective by the tables."""

    value: float
    plan: PlanId
    row: CourseIds


@dataclass(frozen=True)
class Part:
    """The schedules of some plans with some courses of each lesion.

    Attributes
    ----------
    plans : (plans,) which count
    courses : per lesion (courses,) which count, of the case's menu, 'no course' among them or not
    """

    plans: BoolArray
    courses: tuple[BoolArray, ...]

    def holds(self, plan: PlanId, rows: CourseRows) -> BoolArray:
        """(schedules,) whether rows of the case's courses under a plan are of the part."""
        inside = np.full(len(rows), bool(self.plans[plan]))
        for s, mask in enumerate(self.courses):
            inside &= mask[rows[:, s]]
        return inside


class Gathered(SearchState):
    """State of a search for everything within `margin` of the best: keeps the best of each class.

    Attributes
    ----------
    best : by class
    most : classes at most
    rows_left : schedules that may still be looked at
    """

    def __init__(self, classes: Classes, margin: float, limit: int, most_rows: int = MOST_ROWS):
        super().__init__()
        self.grounds.whole = False
        self.classes, self.margin, self.most, self.rows_left = classes, margin, limit, most_rows
        self.best: dict[Key, Near] = {}

    @property
    def every(self) -> bool:
        """Everything above the threshold is asked for."""
        return True

    def enough_of(self, tabulated: Tabulated, row: CourseIds) -> float:
        """The best known of their class: other timings of it are not asked for."""
        if self.classes.by_days:
            return -math.inf
        row = CourseIds(tabulated.candidates.in_case(row))
        recorded = self.best.get(self.classes.key(tabulated.plan, row))
        return -math.inf if recorded is None else recorded.value

    def offer(self, plan: PlanId, row: CourseIds, value: float) -> None:
        """Take a feasible row: it may be the best of its class."""
        super().offer(plan, row, value)
        if math.isfinite(value):
            self._keep(self.classes.key(plan, row), Near(value, plan, row.copy()))

    def decide(self, tabulated: Tabulated, rows: CourseRows, value: FloatArray, gap: float) -> None:
        """Best feasible row of each class among rows (n, lesions) of some exact value (n,)."""
        order = np.flatnonzero(value > self.value + gap)
        order = order[np.argsort(-value[order], kind="stable")]
        case_rows = CourseRows(tabulated.candidates.in_case(rows[order]))
        codes = self.classes.of(tabulated.plan, case_rows)
        keys, of = np.unique(codes, axis=0, return_inverse=True)
        recorded = [self.best.get(tuple(key)) for key in keys.tolist()]
        floors = np.array(
            [-math.inf if candidate is None else candidate.value for candidate in recorded]
        )
        better = np.flatnonzero(value[order] > floors[of.reshape(-1)]) if len(order) else order
        for lot in np.array_split(better, max(1, len(better) // DECIDED_AT_ONCE)):
            lot = lot[value[order[lot]] > floors[of.reshape(-1)[lot]]]
            self.rows_left -= len(lot)
            if self.rows_left < 0:
                raise Exhausted
            keeping = lot[tabulated.feasible(rows[order[lot]])] if len(lot) else lot
            numbers, first = np.unique(of.reshape(-1)[keeping], return_index=True)
            for number, i in zip(numbers.tolist(), keeping[first].tolist(), strict=True):
                worth = float(value[order[i]])
                floors[number] = worth
                self.offer(tabulated.plan, CourseIds(case_rows[i]), worth)

    def _keep(self, key: Key, candidate: Near) -> None:
        if key in self.best and self.best[key].value >= candidate.value:
            return
        self.best[key] = candidate
        if len(self.best) > self.most:
            self.best = {k: n for k, n in self.best.items() if n.value >= self.value - self.margin}
            if len(self.best) > self.most:
                raise Exhausted

    def ranked(self) -> list[tuple[Key, Near]]:
        """Classes within the margin of the best, best first."""
        within = [(k, n) for k, n in self.best.items() if n.value >= self.value - self.margin]
        return sorted(within, key=lambda pair: (-pair[1].value, pair[0]))


class BestOfPart(SearchState):
    """The best schedule of a part, above a floor."""

    def __init__(self, subset: Part, floor: float):
        super().__init__(value=floor)
        self.part = subset
        self.grounds.whole = False

    def offer(self, plan: PlanId, row: CourseIds, value: float) -> None:
        """Take a better feasible row, if it is of the part."""
        if self.part.holds(plan, CourseRows(row[None, :]))[0]:
            super().offer(plan, row, value)

    def decide(self, tabulated: Tabulated, rows: CourseRows, value: FloatArray, gap: float) -> None:
        """Offer the best feasible row of the part."""
        case_rows = CourseRows(tabulated.candidates.in_case(rows))
        inside = self.part.holds(tabulated.plan, case_rows)
        super().decide(tabulated, CourseRows(rows[inside]), value[inside], gap)


class NearSearch(Search):
    """A search of a part of a case.

    Parameters
    ----------
    gap : negative where everything within so much of the best is asked for
    """

    def __init__(
        self,
        candidates: Candidates,
        gap: float,
        seed: int,
        clock: Clock,
        state: SearchState,
        trees: Trees | None = None,
        subset: Part | None = None,
        most_nodes: float = MOST_NODES,
    ):
        super().__init__(candidates, gap, seed, clock, state, trees or Trees(), math.inf)
        self.part, self.most_nodes = subset, most_nodes
        if gap < 0:
            self.most = gap
        if subset is not None:
            self.pending = families(candidates, PlanIds(np.flatnonzero(subset.plans)))

    def _root(self, plans: tuple[PlanId, ...]) -> Node:
        root = super()._root(plans)
        if self.part is None:
            return root
        alive = []
        for mask, courses, shared in zip(
            root.alive, self.part.courses, self.candidates.shared(plans[0]), strict=True
        ):
            of_part = np.zeros_like(mask)
            of_part[shared.kinds.of[courses]] = True
            alive.append(mask & of_part)
        return replace(root, alive=tuple(alive))

    def _next(self) -> bool:
        if self.state.nodes > self.most_nodes:
            raise Exhausted
        return super()._next()


def ended(search: NearSearch, starts: Sequence[tuple[PlanId, CourseIds]]) -> Ending:
    """Run a search: `complete`, `many` (more than is looked at) or `stopped` by the clock."""
    try:
        search.begin_with(starts)
        search.run()
    except Exhausted:
        return "many"
    except Stopped:
        return "stopped"
    search.state.complete = True
    return "complete"
