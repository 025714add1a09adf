"""Branch and bound over systemic plans, treated lesions and doses, best bound first.

A node is a set of plans, the kinds of course left for each lesion, and cells of systemic effect
with a Lagrangian bound for each (`bound`). Plans alike are bounded together; a node that stays
above the threshold is split: a lesion treated or not where the bound has it by halves, the plans
in two, and under one plan the doses of a lesion; what has few combinations is joined and
evaluated exactly (`leaf`).
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.candidates.ceilings import ceiling, ceiling_of_case
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.cells import Cells
from abscopt.optimizer.search.uniform.bounds.columns import FractionalChoice
from abscopt.optimizer.search.uniform.bounds.infeasible import farkas_prices
from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet, families
from abscopt.optimizer.search.uniform.branches import (
    Node,
    Split,
    Trees,
    of_subset,
    site_caps,
    split_by_burden,
)
from abscopt.optimizer.search.uniform.few import are_few, evaluate
from abscopt.optimizer.search.uniform.first import first_of_many, first_schedule
from abscopt.optimizer.search.uniform.improve import Improver
from abscopt.optimizer.search.uniform.last import improve_at_last
from abscopt.optimizer.search.uniform.leaf import BOUND_SAFETY, Leaf, SearchState, check
from abscopt.optimizer.search.uniform.local import (
    climb,
    every_course,
    repaired,
    worth,
)  # fmt: skip
from abscopt.optimizer.search.uniform.narrow import narrow
from abscopt.optimizer.search.uniform.recall import Recall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

FIRST_CELLS = 8
NEW_MULTIPLIERS = 10
INHERITED = 4
FINE = 0.05
MIXED = 0.1
PLANS = 0.05
OPEN = 0.25
ENOUGH = 1.5
LATE = 2
"""Groups of plans whose ceilings are computed although the time is over."""
LATE_SECONDS = 0.2
"""Most time for them: the tables of a menu of a million courses take a second each."""


def explore(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    starts: Sequence[tuple[int, IntArray]] = (),
    trees: Trees | None = None,
    proved: float = math.inf,
) -> SearchState:
    """Best schedule of uniform courses and a bound within `gap` of it.

    Parameters
    ----------
    starts : plans and rows to begin with; what is not feasible is repaired
    trees : what searches of related cases left, for this one to use and to continue
    proved : a bound that is known before; a schedule within 1.5 `gap` of it ends the search

    Stops early when the clock says so; the bound is then that of what was left open.
    """
    state, search = SearchState(), None
    try:
        first_of_many(candidates, state)
        search = _Search(candidates, gap, seed, clock, state, trees or Trees(), proved)
        search.begin_with(starts)
        search.run()
        state.complete = True
    except Stopped:
        pass
    if search is not None and not state.complete:
        with clock.extended(LATE_SECONDS):
            search.bound_pending()
    with clock.answering():
        still_open = ceiling_of_case(candidates.instance) if search is None else search.open_bound
    if search is not None and not state.complete:
        improve_at_last(candidates, state, clock)
    state.bound = max(state.value, min(still_open, proved))
    return state


class _Search:
    """The queue of open nodes.

    Attributes
    ----------
    pending : families of plans that have no node yet
    current : bound of the node that is being examined
    closed : bound of all that was examined, once nothing is open
    ceilings : by group of plans, as far as they were asked for
    in_lots : whether some group has so many plans that it is bounded lot by lot
    """

    def __init__(
        self,
        candidates: Candidates,
        gap: float,
        seed: int,
        clock: Clock,
        state: SearchState,
        trees: Trees,
        proved: float,
    ):
        self.candidates, self.gap, self.clock, self.state = candidates, gap, clock, state
        self.most = ENOUGH * gap
        self.trees, self.proved = trees, proved
        trees.fit(candidates)
        rng = np.random.default_rng(seed)
        self.improver = Improver(candidates, state, rng, self._tell)
        self.heap: list[tuple[float, int, Node]] = []
        self.count = itertools.count()
        self.pending = families(candidates, np.arange(len(candidates.plans)))
        self.ceilings: dict[int, float] = {}
        self.in_lots = len(self.pending) > len(np.unique(candidates.plan_effects.group))
        self.closed = -math.inf
        self.current = -math.inf

    @property
    def threshold(self) -> float:
        """What a schedule must exceed to matter."""
        return self.state.value + self.gap

    @property
    def enough(self) -> bool:
        """Whether the bound that was known before is close enough."""
        return self.proved <= self.state.value + self.most

    @property
    def open_bound(self) -> float:
        """Bound of everything: what is open, and what was closed, which the threshold bounds."""
        limit = 0.0 if self.clock.expired else math.inf
        waiting = [self._ceiling(plans, limit) for plans in self.pending]
        top = -self.heap[0][0] if self.heap else -math.inf
        return max([top, self.current, self.closed, self.threshold, *waiting])

    def bound_pending(self) -> None:
        """Know the ceilings of a few groups of plans that have no node yet."""
        for plans in self.pending:
            self._ceiling(plans, LATE)

    def _ceiling(self, plans: tuple[int, ...], limit: float = math.inf) -> float:
        """Bound of plans before any price; with more groups known than `limit`, of the case."""
        group = int(self.candidates.plan_effects.group[plans[0]])
        if group not in self.ceilings:
            if len(self.ceilings) >= limit:
                return ceiling_of_case(self.candidates.instance) + BOUND_SAFETY
            self.ceilings[group] = ceiling(self.candidates, plans[0]) + BOUND_SAFETY
        return self.ceilings[group]

    def begin_with(self, starts: Sequence[tuple[int, IntArray]]) -> None:
        """Offer schedules in hand, repaired where they are not feasible."""
        for plan, row in starts:
            tabulated = Tabulated(self.candidates, plan)
            row = repaired(tabulated, row)
            self.state.offer(plan, row, worth(tabulated, row))

    def run(self) -> None:
        """Examine everything above the threshold."""
        remembered = any(self.trees.of(plans).known for plans in self.pending)
        self.gap = self.most if remembered else self.gap
        in_hand, bounded = self.state.row is not None, math.isfinite(self.proved)
        if in_hand and (bounded or not remembered):
            self._polish()
        while self.pending and not self.enough:
            check(self.clock)
            plans = self.pending[0]
            if self._at_once(plans):
                continue
            if self.state.row is None:
                first_schedule(self.candidates, plans, self.state)
                self._tell()
            node = self._root(plans)
            self.current = self._ceiling(plans)
            self.pending.pop(0)
            if node.branch.known:
                self._recall(node)
            else:
                self._push(node, self.current)
            if self.in_lots and self.heap:  # a good schedule before the last lot has a bound
                self._next()
        while self.heap and not self.enough:
            self._next()
        self.pending.clear()
        self.heap.clear()
        self.current = -math.inf
        self.closed = self.proved if self.enough else self.threshold
        if not self.enough and self.state.row is not None:
            self.state.grounds.bound = self.threshold

    def _next(self) -> None:
        """Examine the node of the highest bound; where none is above the threshold, close all."""
        check(self.clock)
        bound, _, node = heapq.heappop(self.heap)
        self.current = -bound
        if self.current <= self.threshold:
            self.heap.clear()
        else:
            self._tell()
            self._examine(node)
        self.current = -math.inf

    def _tell(self) -> None:
        """Report the incumbent and the bound of all that is open."""
        value = self.state.value if self.state.row is not None else None
        bound = self.open_bound
        self.clock.report("search", value, bound if math.isfinite(bound) else None)

    def _push(self, node: Node, bound: float) -> None:
        """Keep a node that still holds something."""
        if len(node.cells) and all(mask.any() for mask in node.alive):
            heapq.heappush(self.heap, (-bound, next(self.count), node))

    def _polish(self) -> None:
        """Best responses from the schedule in hand."""
        plan, row = self.state.plan, self.state.row
        assert plan is not None and row is not None
        tabulated = Tabulated(self.candidates, plan)
        lesions = list(range(len(row)))
        options = every_course(tabulated)
        self.state.offer(plan, *climb(tabulated, row, self.state.value, lesions, options))

    def _root(self, plans: tuple[int, ...]) -> Node:
        dual = Dual(PlanSet(self.candidates, plans))
        cells = dual.root(FIRST_CELLS)
        self.state.columns += sum(int(mask.sum()) for mask in dual.set.usable)
        return Node(dual, dual.set.usable, cells, (), self.trees.of(plans))

    def _at_once(self, plans: tuple[int, ...]) -> bool:
        """Evaluate every schedule of a family that holds few; False if it holds many."""
        courses = [np.arange(len(table.menu)) for table in self.candidates.lesions]
        if not are_few(plans, courses):
            return False
        self.state.nodes += 1
        self.state.columns += sum(len(shared.kinds) for shared in self.candidates.shared(plans[0]))
        if self._ceiling(plans) > self.threshold:
            evaluate(self.candidates, plans, courses, self.gap, self.clock, self.state)
        self.pending.pop(0)
        self._tell()
        return True

    def _recall(self, root: Node) -> None:
        """Push what the prices of an earlier search leave open of a family."""
        self.state.nodes += 1
        dual, fine = root.dual, FINE * self.gap
        cells = Recall(root, self.threshold, fine, self.state.grounds).of_root()
        if len(cells) and dual.lagrangians:
            lagrangian = dual.lagrangians[int(cells.by[cells.bound.argmax()])]
            self.improver.attempt(dual, lagrangian, root.alive, self.improver.hint(dual), None)
            cells = cells.take_above(self.threshold)
            root = replace(root, cells=cells, alive=dual.alive(cells, root.alive, self.threshold))
            self.current = cells.top + BOUND_SAFETY
        if len(cells) and not self.enough:
            for node in Recall(root, self.threshold, fine, self.state.grounds).ends():
                check(self.clock)
                self._push(node, node.cells.top + BOUND_SAFETY)

    def _examine(self, node: Node) -> None:
        """Bound a node anew; close it, put it back, or split it."""
        self.state.nodes += 1
        if self._few(node):
            return
        fine = FINE * self.gap
        dual, alive, cells = node.dual, node.alive, node.cells
        if node.numbers:
            cells = dual.tighten(cells, alive, list(node.numbers), self.threshold, fine)
            waiting = -self.heap[0][0] if self.heap else -math.inf
            if cells.top < min(waiting, self.current - self.gap):
                self._push(Node(dual, alive, cells, (), node.branch), cells.top + BOUND_SAFETY)
                return
        pool, mixture = list(node.numbers), None
        for _ in range(NEW_MULTIPLIERS):
            check(self.clock)
            cells = cells.take_above(self.threshold - BOUND_SAFETY)
            if not len(cells):
                return
            if math.isfinite(cells.top):
                self.current = cells.top + BOUND_SAFETY
            pool = sorted({*pool[-INHERITED:], *(int(j) for j in np.unique(cells.by) if j >= 0)})
            kill, bound = (
                dual.highest(cells, alive, pool) if pool else (self.improver.hint(dual), math.inf)
            )
            if bound <= self.threshold:  # only the width of cells keeps them
                before = len(cells), cells.top
                cells = dual.tighten(cells, alive, pool, self.threshold, fine)
                if (len(cells), cells.top) != before:
                    continue
            lagrangian, value, mixture = dual.prices_at(kill, alive, self.threshold, fine)
            if dual.exceeds and farkas_prices(dual.set, alive) is not None:
                self.state.grounds.whole = False  # other caps might let something in
                return
            self.state.grounds.add(dual.set, lagrangian.prices.rows)
            node.branch.remember(lagrangian.prices)
            number = len(dual.lagrangians) - 1
            pool.append(number)
            cells = dual.tighten(cells, alive, [number], self.threshold, fine)
            if value > self.threshold:
                cells = self._dated(dual, cells, alive)
                if not len(cells):
                    return
                self.improver.attempt(dual, lagrangian, alive, kill, mixture)
                if bound - value <= max(fine, OPEN * (value - self.threshold)):
                    break
            elif bound <= self.threshold:
                break
        cells = cells.take_above(self.threshold - BOUND_SAFETY)
        if len(cells):
            self.current = cells.top + BOUND_SAFETY
            alive = dual.alive(cells, alive, self.threshold)
            self._split(Node(dual, alive, cells, (), node.branch), mixture)

    def _dated(self, dual: Dual, cells: Cells, alive: Alive) -> Cells:
        """Cells that an integer programme over courses and days leaves open.

        Where days couple lesions under one plan and no systemic effect acts, it decides them all.
        """
        if len(dual.set.plans) > 1 or not dual.without_effect:
            return cells
        tabulated = Tabulated(dual.set.candidates, dual.set.plans[0])
        leaf = Leaf(dual, tabulated, self.gap, self.clock, self.state)
        return leaf.examine(cells, alive) if leaf.dated else cells

    def _few(self, node: Node) -> bool:
        """Evaluate every schedule of a node that holds few; False if it holds many."""
        dual = node.dual
        courses = [
            np.flatnonzero(mask[shared.kinds.of])
            for mask, shared in zip(node.alive, dual.set.shared, strict=True)
        ]
        if not are_few(dual.set.plans, courses):
            return False
        evaluate(dual.set.candidates, dual.set.plans, courses, self.gap, self.clock, self.state)
        return True

    def _split(self, node: Node, mixture: list[FractionalChoice] | None) -> None:
        """Children of a node that stays above the threshold."""
        dual, cells = node.dual, node.cells
        fewer = narrow(dual, node.alive, cells, self.threshold)
        if fewer is not None:
            self._push(Node(*fewer, (), node.branch), cells.top + BOUND_SAFETY)
            return
        if self._plans_first(node):
            self._push_parts(node, Split())
            return
        at = int(cells.bound.argmax())
        mixed = self._mixed(dual, node.alive, cells, at)
        spread = max(choice.spread for choice in mixture) if mixture else 0.0
        several = any(int(mask.sum()) > 1 for mask in node.alive)
        if mixed is not None:
            self._push_parts(node, Split(mixed))
        elif several and spread > MIXED * (cells.top - self.threshold):
            self._push_parts(node, split_by_burden(dual, node.alive, mixture))
        elif len(dual.set.plans) > 1:
            self._push_parts(node, Split())
        else:
            tabulated = Tabulated(dual.set.candidates, dual.set.plans[0])
            leaf = Leaf(dual, tabulated, self.gap, self.clock, self.state)
            open_cells = leaf.examine(cells, node.alive)
            if len(open_cells):
                self._push_parts(
                    replace(node, cells=open_cells), split_by_burden(dual, node.alive, mixture)
                )

    def _push_parts(self, node: Node, split: Split) -> None:
        """Push both parts of a node that is split."""
        dual, cells = node.dual, node.cells
        children, bound = node.branch.divide(split), cells.top + BOUND_SAFETY
        if split.lesion is None:
            for plans, child in zip(dual.set.halves(), children, strict=True):
                self._push(of_subset(node, plans, child), bound)
            return
        numbers = tuple(int(j) for j in np.unique(cells.by))
        sides = split.sides(dual.set.candidates, dual.set.shared, node.alive)
        for side, child in zip(sides, children, strict=True):
            self._push(Node(dual, side, cells, numbers, child), bound)

    def _plans_first(self, node: Node) -> bool:
        """Whether the best plan alone is bounded so much lower that plans should be split first."""
        dual, top, plans = node.dual, node.cells.top, node.dual.set.plans
        if len(plans) == 1:
            return False
        plan = plans[len(plans) // 2]
        if self.state.row is not None:
            plan = self.improver.best_plan(plans, self.state.row)
        alone = of_subset(node, PlanSet(dual.set.candidates, (plan,), dual.set), node.branch)
        numbers = list(alone.numbers)
        open_cells = alone.dual.tighten(alone.cells, alone.alive, numbers, self.threshold, math.inf)
        return top - max(open_cells.top, self.threshold) > PLANS * (top - self.threshold)

    def _mixed(self, dual: Dual, alive: Alive, cells: Cells, at: int) -> int | None:
        """A lesion that the bound may treat by halves: 'no course' loses as little as treatment."""
        lagrangian = dual.lagrangians[int(cells.by[at])]
        losses = dual.losses(lagrangian, alive, cells.high[at])
        slack = cells.top - self.threshold
        undecided = [s for s, mask in enumerate(alive) if mask[0] and mask[1:].any()]
        worse = {s: max(float(losses[s][0]), float(losses[s][1:].min())) for s in undecided}
        if not worse:
            return None
        caps = site_caps(self.candidates)
        possible = sum(bool(mask[1:].any()) for mask in alive)
        s = min(worse, key=lambda i: (worse[i], i))
        crowded = bool(caps) and possible > min(caps)
        return s if crowded or worse[s] <= MIXED * slack else None
