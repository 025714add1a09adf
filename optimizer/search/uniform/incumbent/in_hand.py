"""A good schedule of uniform courses by local search, led by Lagrangian bounds of sets of plans."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.by_rows import kill_of_row, values_of_rows
from abscopt.optimizer.candidates.ceilings import ceiling
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, PlanId, PlanIds
from abscopt.optimizer.progress import Stopped, tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet, families
from abscopt.optimizer.search.uniform.incumbent.local import (
    climb,
    enough_sites,
    every_course,
    local_search,
    worth,
)

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock


@dataclass(frozen=True)
class InHand:
    """A feasible schedule of uniform courses: plan, one course per lesion table, objective."""

    plan: PlanId
    row: tuple[int, ...]
    value: float

    @classmethod
    def of(cls, plan: PlanId, row: CourseIds, value: float) -> InHand:
        """From an array of courses."""
        return cls(PlanId(int(plan)), tuple(int(c) for c in row), float(value))


def first_in_hand(
    candidates: Candidates,
    remaining: Kept,
    gap: float,
    seed: int,
    clock: Clock,
    known: InHand | None = None,
) -> InHand | None:
    """A good schedule by local search in the most promising groups of plans; None if none is found.

    Further groups are tried only until one has a feasible schedule.
    """
    rng, best = np.random.default_rng(seed), known
    groups = sorted(
        families(candidates, remaining.plans), key=lambda family: -ceiling(candidates, family[0])
    )
    for number, plans in enumerate(groups):
        if clock.expired or (number >= settings.CURRENT.searched_groups and best is not None):
            break
        try:
            best = _of_group(candidates, remaining, plans, gap, rng, best)
        except Stopped:
            break
        clock.report("bounds", None if best is None else best.value, None)
    return best


def usable(plans: PlanSet, remaining: Kept) -> Alive:
    """Per lesion (kinds,) the kinds of which some course is left under some plan of a set."""
    masks = []
    for shared, usable, pairs in zip(plans.shared, plans.usable, remaining.pairs, strict=True):
        tick()
        in_pairs = np.zeros_like(usable)
        in_pairs[shared.kinds.of[pairs[list(plans.plans)].any(axis=0)]] = True
        masks.append(usable & in_pairs)
    return tuple(masks)


def _of_group(
    candidates: Candidates,
    remaining: Kept,
    plans: tuple[PlanId, ...],
    gap: float,
    rng: np.random.Generator,
    best: InHand | None,
) -> InHand | None:
    """The schedule in hand, or a better one under some plan of a group."""
    middle, lesions = plans[len(plans) // 2], list(range(len(candidates.lesions)))
    if best is None:
        tabulated = Tabulated(candidates, middle)
        options = every_course(tabulated)
        row = enough_sites(tabulated, lesions, options)
        row, value = climb(tabulated, row, worth(tabulated, row), lesions, options)
        best = InHand.of(middle, row, value) if math.isfinite(value) else None
    dual = Dual(PlanSet(candidates, plans))
    alive = usable(dual.set, remaining)
    if not all(mask.any() for mask in alive):
        return best
    kill = dual.low_and_high.prod(axis=0) ** 0.5
    if best is not None and dual.set.systemic:
        at_row = kill_of_row(candidates, best.plan, CourseIds(np.array(best.row)))
        kill = np.clip(at_row, *dual.low_and_high)
    lagrangian, _, _ = dual.prices_at(kill, alive, -math.inf, settings.CURRENT.fine * gap)
    choices = dual.shortlist(lagrangian, alive, kill, settings.CURRENT.shortlist)
    tried: list[PlanId] = []
    idle = 0
    limit = min(settings.CURRENT.searched_plans, len(plans))
    while idle < settings.CURRENT.idle_plans and len(tried) < limit:
        suited = [middle] if best is None else _best_plans(candidates, plans, best)
        tried.append(next(k for k in (*suited, *plans) if k not in tried))
        candidate = searched(candidates, tried[-1], choices, rng, best)
        better = candidate is not None and (best is None or candidate.value > best.value)
        idle = 0 if better else idle + 1
        best = candidate if better else best
    return best


def improved(
    candidates: Candidates, remaining: Kept, in_hand: InHand, seed: int, clock: Clock
) -> InHand:
    """The schedule in hand, or a better one of the pairs left under plans that suit it."""
    rng, best = np.random.default_rng(seed), in_hand
    plans = tuple(remaining.plans.tolist())
    for k in _best_plans(candidates, plans, in_hand)[: settings.CURRENT.searched_plans]:
        if clock.expired:
            break
        choices = [CourseIds(np.flatnonzero(pairs[k])) for pairs in remaining.pairs]
        try:
            candidate = searched(candidates, k, choices, rng, best)
        except Stopped:
            break
        if candidate is not None and candidate.value > best.value:
            best = candidate
    return best


def _best_plans(candidates: Candidates, plans: tuple[PlanId, ...], in_hand: InHand) -> list[PlanId]:
    """Plans by what the courses in hand are worth under them, limits aside."""
    row = CourseIds(np.array(in_hand.row))
    values = values_of_rows(candidates, PlanIds(np.array(plans)), row[None])[:, 0]
    worths = {k: float(v) - candidates.plan_cost(k) for k, v in zip(plans, values, strict=True)}
    return sorted(plans, key=lambda k: (-worths[k], k))


def searched(
    candidates: Candidates,
    plan: PlanId,
    choices: list[CourseIds],
    rng: np.random.Generator,
    best: InHand | None,
) -> InHand | None:
    """Local search among some courses under one plan."""
    options = [CourseIds(np.union1d(courses, [0])) for courses in choices]
    starts = []
    if best is not None:
        row = CourseIds(np.array(best.row, dtype=np.int64))
        starts.append(row)
        options = [
            CourseIds(np.union1d(courses, [c])) for courses, c in zip(options, row, strict=True)
        ]
    best_row, value = local_search(Tabulated(candidates, plan), choices, starts, options, rng)
    return None if best_row is None or not np.isfinite(value) else InHand.of(plan, best_row, value)
