"""Bound-based fixing: pairs of plan and course that no better schedule holds are dropped.

A schedule in hand has value v. The plans of a group are bounded together (`bounds.bound`), in two
halves where a set stays above v + gap. Under a plan that is left by itself, cells of systemic
effect are halved until their bounds are sharp; a pair stays only if in some cell the bound, less
what the course loses against it, exceeds v + gap. Nothing better than that is lost, and the pairs
of the schedule in hand are kept.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray
from abscopt.optimizer.candidates.by_rows import kill_of_row
from abscopt.optimizer.candidates.reduction import Kept, offered, undominated
from abscopt.optimizer.ids import CourseIds, KindIds, PlanId
from abscopt.optimizer.progress import Stopped, tick
from abscopt.optimizer.search.tree import Tree
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells, joined_cells, unknown
from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet, families
from abscopt.optimizer.search.uniform.incumbent.in_hand import (
    InHand,
    first_in_hand,
    improved,
    searched,
    usable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

__all__ = ["InHand", "first_in_hand", "fixed", "reduced", "worthwhile"]


SAFETY = 1e-9
ROUNDING = 1e-9


def worthwhile(candidates: Candidates) -> bool:
    """Whether a case is too large for a programme of everything it offers, and can be reduced."""
    courses = sum(len(table.menu) for table in candidates.lesions)
    size = courses * len(candidates.plans) * len(candidates.instance.horizon_days)
    return not candidates.free and size > settings.CURRENT.plain_coefficients


def reduced(
    candidates: Candidates, gap: float, seed: int, clock: Clock, known: InHand | None = None
) -> tuple[Kept, InHand | None]:
    """What dominance and bounds leave of a case of uniform courses, and the schedule in hand.

    Parameters
    ----------
    gap : schedules better than the one in hand by at most this may be lost
    known : a feasible schedule to begin with

    Dominance comes last, where few pairs are left to compare; without any feasible schedule in hand
    it comes alone. A better schedule found among the pairs left sharpens the bounds once more.
    """
    remaining, looseness = offered(candidates), settings.CURRENT.sharp * gap
    in_hand = first_in_hand(candidates, remaining, gap, seed, clock, known)
    with suppress(Stopped):  # what is kept and in hand holds at any time
        if in_hand is not None:
            sweep = _Sweep(candidates, remaining, in_hand, gap, looseness, clock, seed)
            try:
                remaining = sweep.kept_of(remaining)
            finally:
                before, in_hand = in_hand, sweep.in_hand
            in_hand = improved(candidates, remaining, in_hand, seed, clock)
            if in_hand.value > before.value:
                remaining = fixed(candidates, remaining, in_hand, gap, clock, looseness)
        remaining = undominated(candidates, remaining)
    return remaining, in_hand


def fixed(
    candidates: Candidates,
    remaining: Kept,
    in_hand: InHand,
    gap: float,
    clock: Clock,
    looseness: float,
) -> Kept:
    """Pairs that a schedule better than the one in hand by more than `gap` may hold.

    Parameters
    ----------
    looseness : cells of systemic effect are halved until their width costs their bounds at most
        this (nat); infinite for one multiplier per set of plans and no halving

    Stops early when the clock says so; what was not looked at is kept.
    """
    return _Sweep(candidates, remaining, in_hand, gap, looseness, clock).kept_of(remaining)


@dataclass(frozen=True)
class _Subproblem:
    """Plans, kinds and cells; `numbers` are the multipliers not yet tried on them."""

    dual: Dual
    alive: Alive
    cells: Cells
    numbers: list[int]


class _Sweep:
    """All plans, set by set, each set to the end before the next is begun.

    Attributes
    ----------
    in_hand : best schedule so far; a better one is looked for if there is a seed
    pairs, effect, least : as in `Kept`, what is left so far
    pending : families of plans without a node
    tree : sets of plans; what it closes above the threshold is what is left
    """

    def __init__(
        self,
        candidates: Candidates,
        remaining: Kept,
        in_hand: InHand,
        gap: float,
        looseness: float,
        clock: Clock,
        seed: int | None = None,
    ):
        self.candidates, self.kept, self.clock = candidates, remaining, clock
        self.in_hand, self.precision = in_hand, settings.CURRENT.fine * gap
        self.looseness = looseness
        self.rng = None if seed is None else np.random.default_rng(seed)
        self.tries = self.idle = 0
        tick()  # nothing is examined where the time is over
        self.pairs: tuple[BoolArray, ...] = tuple(
            np.zeros(pairs.shape, dtype=bool) for pairs in remaining.pairs
        )
        self.effect = np.zeros_like(remaining.effect)
        self.least = np.full_like(remaining.effect, np.inf)
        self.pending: list[tuple[PlanId, ...]] = []
        self.tree: Tree[_Subproblem] = Tree(
            lambda: self.in_hand.value, gap, self._unbounded,
            depth_first=True, closes_at_threshold=True,
        )  # fmt: skip

    @property
    def threshold(self) -> float:
        """What a schedule must exceed to matter."""
        return self.tree.threshold

    def _unbounded(self) -> Iterable[float]:
        """Families that wait have no bound."""
        return (math.inf for _ in self.pending)

    def kept_of(self, remaining: Kept) -> Kept:
        """What is left after a look at every plan."""
        self._run()
        _keep_in_hand(self.candidates, self.in_hand, self)
        uncut = math.isinf(self.looseness)
        name = "bounds" if uncut else f"bounds in cells within {self.looseness:g}"
        after = replace(
            remaining,
            effect=self.effect,
            least_effect=self.least,
            floor=max(remaining.floor, self.threshold),
            bound=min(remaining.bound, self.tree.proved),
        )
        return after.but(f"{name}, {self.in_hand.value:.6g} in hand", self.pairs)

    def _run(self) -> None:
        self.pending = families(self.candidates, self.kept.plans)
        while self.pending:
            plans = self.pending[0]
            if self.clock.expired:
                self._leave(plans, math.inf)
            else:
                dual = Dual(PlanSet(self.candidates, plans))
                cells = dual.root(settings.CURRENT.first_cells)
                root = _Subproblem(dual, usable(dual.set, self.kept), cells, [])
                self.tree.push(root, math.inf)
            self.pending.pop(0)
            while (node := self.tree.take()) is not None:
                self._examine(node)

    def _examine(self, node: _Subproblem) -> None:
        """Bound some plans; what is left of a single one is kept, of several halved."""
        dual, alive, plans = node.dual, node.alive, node.dual.set.plans
        if not all(mask.any() for mask in alive):
            return
        cells, pool = self._bounded(node)
        self.tree.report(self.clock, "bounds")
        if not len(cells):
            return
        if self.clock.expired or (cells.by < 0).any():
            self._leave(plans, cells.top + SAFETY)
        elif len(plans) > 1:
            for half in self._halves(_Subproblem(dual, alive, cells, pool)):
                self.tree.push(half, cells.top + SAFETY)
        else:
            self._search(dual, alive, cells)
            cells = self._sharpened(dual, alive, cells.take_above(self.threshold - SAFETY), pool)
            if len(cells):
                self._collect(dual, alive, cells)

    def _leave(self, plans: tuple[PlanId, ...], bound: float) -> None:
        """Keep some plans as they are."""
        indices = list(plans)
        for mask, remaining in zip(self.pairs, self.kept.pairs, strict=True):
            mask[indices] = remaining[indices]
        self.effect[indices], self.least[indices] = (
            self.kept.effect[indices],
            self.kept.least_effect[indices],
        )
        self.tree.close(bound)

    def _bounded(self, node: _Subproblem) -> tuple[Cells, list[int]]:
        """Cells above the threshold by good multipliers, and the numbers of those."""
        dual, alive, cells, pool = node.dual, node.alive, node.cells, list(node.numbers)
        uncut = math.isinf(self.looseness)
        fine = math.inf if uncut else self.precision
        if pool:
            cells = self._tightened(dual, alive, cells, pool, fine)
        for _ in range(1 if uncut else settings.CURRENT.fixing_prices):
            if not len(cells) or self.clock.expired:
                break
            kill, bound = (
                dual.highest(cells, alive, pool)
                if pool
                else (dual.low_and_high.prod(axis=0) ** 0.5, math.inf)
            )
            if bound <= self.threshold and not uncut:  # only the width of cells keeps them
                before = len(cells), cells.top
                cells = self._tightened(dual, alive, cells, pool, fine)
                if (len(cells), cells.top) != before:
                    continue
            _, value, _ = dual.prices_at(kill, alive, self.threshold, self.precision)
            pool.append(len(dual.lagrangians) - 1)
            cells = self._tightened(dual, alive, cells, pool[-1:], fine)
            if value > self.threshold and len(dual.set.plans) > 1:
                break
            if bound - value <= self.precision:
                break
        return cells, pool

    def _tightened(
        self, dual: Dual, alive: Alive, cells: Cells, numbers: list[int], fine: float
    ) -> Cells:
        return dual.tighten(cells, alive, numbers, self.threshold - SAFETY, fine)

    def _search(self, dual: Dual, alive: Alive, cells: Cells) -> None:
        """Look for a better schedule under a plan that is left, led by its worst cell."""
        self.tries += 1
        idle = self.idle > settings.CURRENT.idle_sets
        if self.rng is None or (idle and self.tries % settings.CURRENT.seldom):
            return
        at, k = int(cells.bound.argmax()), dual.set.plans[0]
        lagrangian = dual.lagrangians[int(cells.by[at])]
        choices = dual.shortlist(lagrangian, alive, cells.high[at], settings.CURRENT.shortlist)
        candidate = searched(self.candidates, k, choices, self.rng, self.in_hand)
        better = candidate is not None and candidate.value > self.in_hand.value
        self.idle = 0 if better else self.idle + 1
        if candidate is not None and better:
            self.in_hand = candidate

    def _sharpened(self, dual: Dual, alive: Alive, cells: Cells, pool: list[int]) -> Cells:
        """Cells above the threshold, halved until their width costs little."""
        done: list[Cells] = []
        while len(cells) and not self.clock.expired:
            wide = cells.bound - cells.point > self.looseness
            if not wide.any() or len(cells) + sum(map(len, done)) > settings.CURRENT.fixing_cells:
                break
            done.append(cells.take(~wide))
            children = _halved(dual, cells.take(wide))
            cells = self._tightened(dual, alive, children, pool, math.inf)
        return joined_cells([*done, cells])

    def _halves(self, node: _Subproblem) -> list[_Subproblem]:
        """Two sets of plans with the best of the multipliers of both."""
        dual, cells = node.dual, node.cells
        alive = dual.alive(cells, node.alive, self.threshold - SAFETY)
        nodes = []
        for plans in dual.set.halves():
            remaining = usable(plans, self.kept)
            living = tuple(mask & fits for mask, fits in zip(alive, remaining, strict=True))
            if not all(mask.any() for mask in living):
                continue
            child = dual.of_subset(plans, cells, living)
            unbounded = unknown(cells.low, cells.high, cells.bound)
            nodes.append(_Subproblem(child, living, unbounded, list(range(len(child.lagrangians)))))
        return nodes

    def _collect(self, dual: Dual, alive: Alive, cells: Cells) -> None:
        """Keep the pairs of one plan that some cell leaves above the threshold.

        Reduced-cost fixing: course c of kind k stays where ceiling_k + term_c > threshold, for the
        function of some cell. The effect that is left: min lo - ground <= Z <= max hi (horizons,).
        """
        k = dual.set.plans[0]
        collected = tuple(np.zeros(pairs.shape[1], dtype=bool) for pairs in self.pairs)
        for j in np.unique(cells.by):
            bounded = cells.take(cells.by == j)
            prices = dual.lagrangians[int(j)].prices
            for s, ceiling in enumerate(dual.ceilings(bounded, alive, int(j))):
                above = ceiling + dual.lagrangians[int(j)].terms[s] > self.threshold - SAFETY
                kinds = KindIds(np.flatnonzero(above))
                if not len(kinds):
                    continue
                course, kind, term = dual.set.courses[s].courses(kinds, prices)
                collected[s][course[ceiling[kind] + term > self.threshold - SAFETY]] = True
        for mask, courses, before in zip(self.pairs, collected, self.kept.pairs, strict=True):
            mask[k] = courses & before[k]
        self.tree.close(cells.top + SAFETY)
        if not dual.set.systemic:
            self.effect[k], self.least[k] = self.kept.effect[k], self.kept.least_effect[k]
            return
        low = np.maximum(cells.low.min(axis=0) - dual.ground, 0.0)
        self.effect[k] = np.minimum(cells.high.max(axis=0), self.kept.effect[k])
        self.least[k] = np.maximum(low, self.kept.least_effect[k])


def _halved(dual: Dual, cells: Cells) -> Cells:
    """Each cell in two along argmax_h log_kill[h] ln(hi_h / lo_h), what costs its bound most."""
    steep = np.array([dual.lagrangians[int(j)].prices.log_kill for j in cells.by])
    axis = (steep * np.log(cells.high / cells.low)).argmax(axis=1)
    rows, middle = np.arange(len(cells)), np.sqrt(cells.low * cells.high)
    low, high = cells.low.copy(), cells.high.copy()
    low[rows, axis] = high[rows, axis] = middle[rows, axis]
    return unknown(
        np.concatenate([cells.low, low]),
        np.concatenate([high, cells.high]),
        np.concatenate([cells.bound, cells.bound]),
    )


def _keep_in_hand(candidates: Candidates, in_hand: InHand, sweep: _Sweep) -> None:
    """Keep the pairs and the systemic effect of the schedule in hand."""
    k, row = in_hand.plan, CourseIds(np.array(in_hand.row, dtype=np.int64))
    for s, course in enumerate(in_hand.row):
        sweep.pairs[s][k, course] = True
    if candidates.instance.objective.of_dose_alone:
        return
    kill = kill_of_row(candidates, k, row)
    sweep.effect[k] = np.maximum(sweep.effect[k], kill * (1 + ROUNDING))
    sweep.least[k] = np.minimum(sweep.least[k], kill * (1 - ROUNDING))
