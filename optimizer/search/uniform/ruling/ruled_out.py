"""Courses and plans that a schedule in hand rules out before the tables of a search are built.

A treatment that has begun offers thousands of rests, and its plan resumed is a good schedule. By
bounds that need no pattern of days, most rests can be seen to be worse; the best by these bounds
make a better schedule, which rules out more. No schedule worth the threshold or more is lost (P23
of docs/reference/proofs.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.coefficients import relieves
from abscopt.optimizer.ids import CourseIds, PlanId, PlanIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.leaves.few import evaluate
from abscopt.optimizer.search.uniform.leaves.leaf import SearchState
from abscopt.optimizer.search.uniform.ruling.alone import greatest_worths
from abscopt.optimizer.search.uniform.ruling.group_bounds import GroupBounds

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

SAFETY = 1e-9
"""Relative: far above the rounding of sums, far below any gap."""

Row = tuple[PlanId, CourseIds]
"""A schedule: a plan, and one course of each lesion."""


@dataclass(frozen=True)
class Ruled:
    """What schedules in hand leave of a case.

    Attributes
    ----------
    candidates : of the courses and plans that are left
    starts : the schedules in hand by their numbers there, and a better one where some was found
    least : no schedule that is worth as much is lost
    """

    candidates: Candidates
    starts: list[Row]
    least: float


def not_ruled_out(
    candidates: Candidates, schedules: Sequence[Row], value: float, gap: float, clock: Clock
) -> Ruled:
    """Courses and plans that a schedule as good as the one in hand may have.

    Parameters
    ----------
    schedules : whose courses and plans are kept in any case
    value : of the best of them
    gap : by which schedules may be worse than a better one that is found, and are not lost
    """
    if candidates.instance.objective.of_dose_alone:
        return Ruled(candidates, list(schedules), value)
    effects, floor, in_hand = candidates.plan_effects, value, list(schedules)
    groups = [PlanIds(np.flatnonzero(effects.group == g)) for g in np.unique(effects.group)]
    if len(groups) > 1:
        candidates, in_hand = _for_some_plan(candidates, in_hand, _below(floor))
    strong = [_Lot.of(candidates, plans) for plans in groups]
    better = _better([lot for lot in strong if lot.are_few(_below(floor))], clock)
    if better is not None:
        in_hand.append(better[0])
        floor = max(floor, better[1] - gap)
    threshold, closer = _below(floor), better is not None
    lots = [smaller for lot in strong if (smaller := lot.above(threshold, closer))]
    masks = [np.zeros(len(table.menu), dtype=bool) for table in candidates.lesions]
    for s, mask in enumerate(masks):
        mask[[0, *(row[s] for _, row in in_hand)]] = True
        for lot in lots:
            mask[lot.courses[s]] = True
    plans = {PlanId(k) for lot in lots for k in lot.plans.tolist()} | {k for k, _ in in_hand}
    return Ruled(*_with(candidates, masks, sorted(plans), in_hand), floor)


def _for_some_plan(
    candidates: Candidates, schedules: list[Row], threshold: float
) -> tuple[Candidates, list[Row]]:
    """Without courses that are too weak whatever the chemotherapy, and the schedules' numbers."""
    plans = list(candidates.plan_ids)
    masks = [
        bounds >= threshold for bounds in greatest_worths(candidates, PlanIds(np.array(plans)))
    ]
    for s, mask in enumerate(masks):
        mask[[0, *(row[s] for _, row in schedules)]] = True
    return _with(candidates, masks, plans, schedules)


def _below(value: float) -> float:
    """A threshold that rounding does not put above a value."""
    return value - SAFETY * max(1.0, abs(value))


def _with(
    candidates: Candidates, masks: list[BoolArray], plans: list[PlanId], schedules: list[Row]
) -> tuple[Candidates, list[Row]]:
    """Candidates of some courses and plans, and schedules of these by their new numbers."""
    numbers = [CourseIds(np.flatnonzero(mask)) for mask in masks]
    starts = [
        (
            PlanId(plans.index(plan)),
            CourseIds(np.array([np.searchsorted(k, c) for k, c in zip(numbers, row, strict=True)])),
        )
        for plan, row in schedules
    ]
    if len(plans) == len(candidates.plans) and all(mask.all() for mask in masks):
        return candidates, starts
    return candidates.as_case(numbers, plans), starts


@dataclass(frozen=True)
class _Lot:
    """Plans of one chemotherapy, and courses.

    Attributes
    ----------
    candidates : of the case
    plans, courses : their numbers there
    bounds : per lesion (courses,) what schedules with a course are worth at most by its own kill
    """

    candidates: Candidates
    plans: PlanIds
    courses: list[CourseIds]
    bounds: list[FloatArray]

    @classmethod
    def of(cls, candidates: Candidates, plans: PlanIds) -> _Lot:
        """All courses with some plans."""
        courses = [CourseIds(np.arange(len(table.menu))) for table in candidates.lesions]
        return cls(candidates, plans, courses, greatest_worths(candidates, plans))

    def are_few(self, threshold: float) -> bool:
        """Whether some schedules may be worth the threshold, few enough to bound them closer."""
        counts = [int((bounds >= threshold).sum()) for bounds in self.bounds]
        return 0 < len(self.plans) * math.prod(counts) <= settings.CURRENT.ruling_most

    def some(self, courses: list[CourseIds]) -> Candidates:
        """Candidates of the plans and some courses, 'no course' among them."""
        return self.candidates.as_case(courses, self.plans.tolist())

    def above(self, threshold: float, closer: bool) -> _Lot | None:
        """What a schedule worth the threshold may have; None if there is none.

        Parameters
        ----------
        closer : whether what all plans and courses do together is bounded too
        """
        masks = [bounds >= threshold for bounds in self.bounds]
        if not all(mask.any() for mask in masks):
            return None
        smaller = self._taken(masks, self.plans)
        effects = self.candidates.plan_effects
        if relieves(self.candidates.instance, effects, smaller.plans):
            return smaller
        if not closer or not self.are_few(threshold):
            return smaller
        bounds = GroupBounds(smaller.some(smaller.courses))
        remaining = bounds.above(threshold)
        if remaining is None:
            return None
        plans = smaller.plans[bounds.plans(remaining) >= threshold]
        return smaller._taken(remaining, plans) if len(plans) else None

    def _taken(self, masks: list[BoolArray], plans: PlanIds) -> _Lot:
        """Some of the courses and plans."""
        chosen = [np.flatnonzero(np.append(True, mask[1:])) for mask in masks]
        return replace(
            self,
            plans=plans,
            courses=[courses[k] for courses, k in zip(self.courses, chosen, strict=True)],
            bounds=[bounds[k] for bounds, k in zip(self.bounds, chosen, strict=True)],
        )


def _better(lots: Sequence[_Lot], clock: Clock) -> tuple[Row, float] | None:
    """The best schedule of the courses and plans of the highest bounds, and its value.

    None where limits forbid all of them: they decide then, not what bounds without limits tell.
    """
    if not lots:
        return None
    lot = max(lots, key=lambda lot: max(float(bounds.max()) for bounds in lot.bounds))
    treated = max(1, sum(len(bounds) > 1 for bounds in lot.bounds))
    number = int(settings.CURRENT.probed ** (1 / treated))
    courses = [
        CourseIds(np.union1d([0], np.argsort(-bounds, kind="stable")[:number]))
        for bounds in lot.bounds
    ]
    probe, state = lot.some(courses), SearchState()
    masks = [np.ones(len(chosen), dtype=bool) for chosen in courses]
    of_plans = GroupBounds(probe).plans(masks)
    best = np.sort(np.argsort(-of_plans, kind="stable")[: settings.CURRENT.probed_plans])
    rows = [CourseIds(np.arange(len(chosen))) for chosen in courses]
    evaluate(probe, PlanIds(best).tolist(), rows, 0.0, clock, state)
    if state.row is None or state.plan is None:
        return None
    row = [chosen[course] for chosen, course in zip(courses, state.row, strict=True)]
    return (PlanId(int(lot.plans[state.plan])), CourseIds(np.array(row))), state.value
