"""Bound-based fixing: pairs of plan and course that no better schedule holds are dropped.

A schedule in hand has value v. The Lagrangian bound of a plan (`search.bound`), less what a course
loses against it, bounds every schedule with that pair: where it is at most v + gap, the pair is
dropped. So are plans whose bound is. What is left is split into boxes of systemic effect, in each
of which the bounds are sharper, until the boxes are narrow. Nothing better than v + gap is lost,
and the pairs of the schedule in hand are kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune
from abscopt.optimizer.candidates.reduction import Kept, offered, undominated
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.bound import Box, PlanBounds, StaticRows
from abscopt.optimizer.search.local import climb, enough_sites, local_search

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NARROW = (np.inf, 1.005)
WANTED_PAIRS = 2_000
PLAIN_COEFFICIENTS = 10_000
SEARCHED_PLANS = 6
MOST_BOUNDS = 600
SAFETY = 1e-9
ROUNDING = 1e-9


@dataclass(frozen=True)
class InHand:
    """A feasible schedule of uniform courses: plan, one course per lesion table, objective."""

    plan: int
    row: tuple[int, ...]
    value: float

    @classmethod
    def of(cls, plan: int, row: IntArray, value: float) -> InHand:
        """From an array of courses."""
        return cls(int(plan), tuple(int(c) for c in row), float(value))


@dataclass(frozen=True)
class Roots:
    """Bounds of all plans at once.

    Attributes
    ----------
    bounds : (plans,) -inf where nothing of the plan is left
    losses : per plan, per lesion (pairs left,) what each course loses against the bound
    static : rows that all plans share; remembers good multipliers
    """

    bounds: FloatArray
    losses: dict[int, tuple[FloatArray, ...]]
    static: StaticRows


def worthwhile(candidates: Candidates) -> bool:
    """Whether a case is too large for a programme of everything it offers, and can be reduced."""
    courses = sum(len(table.menu) for table in candidates.lesions)
    size = courses * len(candidates.plans) * len(candidates.instance.horizon_days)
    return not candidates.free and size > PLAIN_COEFFICIENTS


def reduced(
    candidates: Candidates, gap: float, seed: int, clock: Clock, known: InHand | None = None
) -> tuple[Kept, InHand | None]:
    """What dominance and bounds leave of a case of uniform courses, and the schedule in hand.

    Parameters
    ----------
    gap : schedules better than the one in hand by at most this may be lost
    known : a feasible schedule to begin with

    Bounds are sharpened until at most `WANTED_PAIRS` pairs are left; without any feasible schedule
    in hand there are none.
    """
    kept = undominated(candidates, offered(candidates))
    roots = roots_of(candidates, kept, clock)
    if roots is None:
        return kept, known
    in_hand = first_in_hand(candidates, kept, roots, seed, clock, known)
    if in_hand is None:
        return kept, None
    before = kept
    for narrow in NARROW:
        kept = fixed(candidates, before, roots, in_hand, gap, clock, narrow)
        if kept.count <= WANTED_PAIRS or clock.expired:
            break
    return kept, in_hand


def roots_of(candidates: Candidates, kept: Kept, clock: Clock) -> Roots | None:
    """Lagrangian bound of every plan over its pairs; None when time runs out."""
    static = StaticRows(candidates)
    bounds = np.full(len(candidates.plans), -np.inf)
    losses: dict[int, tuple[FloatArray, ...]] = {}
    for k in kept.plans.tolist():
        if clock.expired:
            return None
        of_plan = PlanBounds(Tabulated(candidates, k), static)
        courses = _courses(kept, k)
        found = of_plan.bound(courses, of_plan.root(courses))
        bounds[k], losses[k] = found.value + SAFETY, found.losses
        clock.report("bounds", None, None)
    return Roots(bounds, losses, static)


def first_in_hand(
    candidates: Candidates,
    kept: Kept,
    roots: Roots,
    seed: int,
    clock: Clock,
    known: InHand | None = None,
) -> InHand | None:
    """A good schedule by local search under the most promising plans; None if none is found.

    Further plans are tried only until one has a feasible schedule.
    """
    rng = np.random.default_rng(seed)
    best = known
    for number, k in enumerate(np.argsort(-roots.bounds, kind="stable").tolist()):
        enough = number >= SEARCHED_PLANS and best is not None
        if enough or clock.expired or k not in roots.losses:
            break
        tabulated = Tabulated(candidates, k)
        lesions = list(range(len(candidates.lesions)))
        starts = [] if best is None else [np.array(best.row, dtype=np.int64)]
        shortlist = [
            courses[np.argsort(loss, kind="stable")]
            for courses, loss in zip(_courses(kept, k), roots.losses[k], strict=True)
        ]
        row, value = local_search(tabulated, shortlist, starts, rng)
        if row is None:
            first = enough_sites(tabulated, lesions)
            good = bool(tabulated.feasible(first[None, :])[0])
            start = float(tabulated.value(first[None, :])[0]) if good else -np.inf
            row, value = climb(tabulated, first, start, lesions)
        if np.isfinite(value) and (best is None or value > best.value):
            best = InHand.of(k, row, value)
    return best


def fixed(
    candidates: Candidates,
    kept: Kept,
    roots: Roots,
    in_hand: InHand,
    gap: float,
    clock: Clock,
    narrow: float,
) -> Kept:
    """Pairs that a schedule better than the one in hand by more than `gap` may hold.

    Parameters
    ----------
    narrow : boxes are split until high / low of the systemic effect is at most this at every
        horizon; infinite for the bounds of whole plans only

    Stops early when the clock says so, or after `MOST_BOUNDS` bounds of a plan, widest boxes first;
    what was not looked at is kept.
    """
    threshold = in_hand.value + gap
    pairs = tuple(np.zeros_like(part) for part in kept.pairs)
    effect = np.zeros_like(kept.effect)
    least = np.full_like(kept.effect, np.inf)
    for k in kept.plans.tolist():
        if roots.bounds[k] <= threshold:
            continue
        whole = _courses(kept, k)
        bounds = PlanBounds(Tabulated(candidates, k), roots.static)
        box = bounds.root(whole)
        slack = roots.bounds[k] - threshold
        courses = [c[loss <= slack] for c, loss in zip(whole, roots.losses[k], strict=True)]
        for part, left in _leaves(bounds, courses, box, threshold, narrow, clock):
            for s, chosen in enumerate(part):
                pairs[s][k, chosen] = True
            effect[k] = np.maximum(effect[k], left.high)
            least[k] = np.minimum(least[k], left.low)
    _keep_in_hand(candidates, in_hand, pairs, effect, least)
    name = "bounds" if np.isinf(narrow) else f"bounds in boxes of {narrow:g}"
    after = replace(
        kept,
        effect=effect,
        least_effect=least,
        floor=max(kept.floor, threshold),
        bound=min(kept.bound, max(float(roots.bounds.max()), threshold)),
    )
    return after.but(f"{name}, {in_hand.value:.6g} in hand", pairs)


def _courses(kept: Kept, k: int) -> list[IntArray]:
    return [np.flatnonzero(part[k]) for part in kept.pairs]


def _leaves(
    bounds: PlanBounds,
    courses: list[IntArray],
    box: Box,
    threshold: float,
    narrow: float,
    clock: Clock,
) -> list[tuple[list[IntArray], Box]]:
    """Courses and boxes of one plan that may hold something above the threshold."""
    leaves = []
    waiting = deque([(courses, box)])
    computed = 0
    while waiting:
        chosen, around = waiting.popleft()
        if not all(len(c) for c in chosen):
            continue
        inside = _overlap(around, bounds.root(chosen))
        if inside is None:
            continue
        axis = int(np.argmax([_ratio(*side) for side in zip(inside.low, inside.high, strict=True)]))
        wide = _ratio(inside.low[axis], inside.high[axis]) > narrow and bounds.systemic
        if not wide or computed >= MOST_BOUNDS or clock.expired:
            leaves.append((chosen, inside))
            continue
        for half in inside.halves(axis):
            found = bounds.bound(chosen, half)
            computed += 1
            slack = found.value + SAFETY - threshold
            if slack > 0:
                losses = zip(chosen, found.losses, strict=True)
                waiting.append(([c[loss <= slack] for c, loss in losses], half))
    return leaves


def _ratio(low: float, high: float) -> float:
    """How wide a side of a box is; a systemic effect below 1e-3 nats is as good as none."""
    return max(high, 1e-3) / max(low, 1e-3)


def _overlap(one: Box, other: Box) -> Box | None:
    low = tuple(max(a, b) for a, b in zip(one.low, other.low, strict=True))
    high = tuple(min(a, b) for a, b in zip(one.high, other.high, strict=True))
    return None if any(a > b for a, b in zip(low, high, strict=True)) else Box(low, high)


def _keep_in_hand(
    candidates: Candidates,
    in_hand: InHand,
    pairs: tuple[BoolArray, ...],
    effect: FloatArray,
    least: FloatArray,
) -> None:
    """Keep the pairs and the systemic effect of the schedule in hand."""
    k, row = in_hand.plan, np.array([in_hand.row], dtype=np.int64)
    for s, course in enumerate(in_hand.row):
        pairs[s][k, course] = True
    if candidates.instance.objective.kind == "tumor_bed":
        return
    kill = Tabulated(candidates, k).systemic(row)[0]
    most = candidates.instance.immune.effect_maximum_nats
    raw = kill if most is None else most * kill / np.maximum(most - kill, 1e-12)
    assert np.allclose(immune.saturate(raw, most), kill)
    effect[k] = np.maximum(effect[k], raw * (1 + ROUNDING))
    least[k] = np.minimum(least[k], raw * (1 - ROUNDING))
