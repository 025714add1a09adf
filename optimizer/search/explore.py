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
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import LogisticsLimit
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.bound import Dual, Mixture, Multiplier, ceiling
from abscopt.optimizer.search.cells import Cells, unknown
from abscopt.optimizer.search.join import every_row
from abscopt.optimizer.search.leaf import BOUND_SAFETY, Found, Leaf, Stopped, check
from abscopt.optimizer.search.local import (
    climb,
    enough_sites,
    every_course,
    in_sequence,
    local_search,
    rounded,
    worth,
)
from abscopt.optimizer.search.narrow import narrow
from abscopt.optimizer.search.plan_set import Alive, PlanSet, families

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FIRST_CELLS = 8
FEW = 200_000
NEW_MULTIPLIERS = 10
INHERITED = 4
FINE = 0.05
THOROUGH = 3
PATIENCE = 3
SELDOM = 10
SHORTLIST = 1500
MIXED = 0.1
PLANS = 0.5
OPEN = 0.25


@dataclass(frozen=True)
class Node:
    """Plans, kinds and cells; `numbers` are the multipliers not yet tried on its kinds."""

    dual: Dual
    alive: Alive
    cells: Cells
    numbers: tuple[int, ...]


def explore(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    start: tuple[int, IntArray, float] | None = None,
) -> Found:
    """Best schedule of uniform courses and a bound within `gap` of it.

    `start` is the plan, row and objective of a feasible schedule to begin with.

    Stops early when the clock says so; the bound is then that of what was left open.
    """
    found = Found()
    if start is not None:
        found.offer(*start)
    search = _Search(candidates, gap, seed, clock, found)
    try:
        search.run()
        found.complete = True
    except Stopped:
        pass
    found.bound = max(found.value, search.open_bound)
    return found


class _Search:
    """The queue of open nodes.

    Attributes
    ----------
    pending : families of plans that have no node yet
    current : bound of the node that is being examined
    closed : bound of all that was examined, once nothing is open
    """

    def __init__(self, candidates: Candidates, gap: float, seed: int, clock: Clock, found: Found):
        self.candidates, self.gap, self.clock, self.found = candidates, gap, clock, found
        self.rng = np.random.default_rng(seed)
        self.heap: list[tuple[float, int, Node]] = []
        self.count = itertools.count()
        self.pending = families(candidates, np.arange(len(candidates.plans)))
        self.closed = -math.inf
        self.current = -math.inf
        self.idle = self.tries = 0

    @property
    def threshold(self) -> float:
        """What a schedule must exceed to matter."""
        return self.found.value + self.gap

    @property
    def open_bound(self) -> float:
        """Bound of everything that is not decided."""
        waiting = [ceiling(self.candidates, plans[0]) + BOUND_SAFETY for plans in self.pending]
        top = -self.heap[0][0] if self.heap else -math.inf
        return max([top, self.current, self.closed, *waiting])

    def run(self) -> None:
        """Examine everything above the threshold."""
        if self.found.plan is not None and self.found.row is not None:
            self._polish(self.found.plan, self.found.row)
        while self.pending:
            check(self.clock)
            plans = self.pending[0]
            if self.found.row is None:
                self._begin(plans)
            node = self._root(plans)
            self.current = ceiling(self.candidates, plans[0]) + BOUND_SAFETY
            self.pending.pop(0)
            self._push(node, self.current)
        while self.heap:
            check(self.clock)
            bound, _, node = heapq.heappop(self.heap)
            self.current = -bound
            if self.current <= self.threshold:
                self.heap.clear()
                break
            self._tell()
            self._examine(node)
            self.current = -math.inf
        self.current, self.closed = -math.inf, self.threshold

    def _tell(self) -> None:
        """Report the incumbent and the bound of all that is open."""
        value = self.found.value if self.found.row is not None else None
        bound = self.open_bound
        self.clock.report("search", value, bound if math.isfinite(bound) else None)

    def _push(self, node: Node, bound: float) -> None:
        """Keep a node that still holds something."""
        if len(node.cells) and all(mask.any() for mask in node.alive):
            heapq.heappush(self.heap, (-bound, next(self.count), node))

    def _begin(self, plans: tuple[int, ...]) -> None:
        """A first incumbent within moments: single-lesion best responses from few lesions."""
        for plan in dict.fromkeys((plans[len(plans) // 2], plans[0], plans[-1])):
            tabulated = Tabulated(self.candidates, plan)
            lesions, options = list(range(len(self.candidates.lesions))), every_course(tabulated)
            for first in (enough_sites, in_sequence):
                row = first(tabulated, lesions, options)
                row, value = climb(tabulated, row, worth(tabulated, row), lesions, options)
                if math.isfinite(value):
                    self.found.offer(plan, row, value)
                    return

    def _polish(self, plan: int, row: IntArray) -> None:
        tabulated = Tabulated(self.candidates, plan)
        lesions = list(range(len(row)))
        options = every_course(tabulated)
        self.found.offer(plan, *climb(tabulated, row, self.found.value, lesions, options))

    def _root(self, plans: tuple[int, ...]) -> Node:
        dual = Dual(PlanSet(self.candidates, plans))
        cells = dual.root(FIRST_CELLS)
        self.found.columns += sum(int(mask.sum()) for mask in dual.set.usable)
        return Node(dual, dual.set.usable, cells, ())

    def _examine(self, node: Node) -> None:
        """Bound a node anew; close it, put it back, or split it."""
        self.found.nodes += 1
        if self._few(node):
            return
        fine = FINE * self.gap
        dual, alive, cells = node.dual, node.alive, node.cells
        if node.numbers:
            cells = dual.tighten(cells, alive, list(node.numbers), self.threshold, fine)
            waiting = -self.heap[0][0] if self.heap else -math.inf
            if cells.top < min(waiting, self.current - self.gap):
                self._push(Node(dual, alive, cells, ()), cells.top + BOUND_SAFETY)
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
            kill, known = dual.highest(cells, alive, pool) if pool else (self._hint(dual), math.inf)
            if known <= self.threshold:  # only the width of cells keeps them
                before = len(cells), cells.top
                cells = dual.tighten(cells, alive, pool, self.threshold, fine)
                if (len(cells), cells.top) != before:
                    continue
            one, value, mixture = dual.prices_at(kill, alive, self.threshold, fine)
            number = len(dual.multipliers) - 1
            pool.append(number)
            cells = dual.tighten(cells, alive, [number], self.threshold, fine)
            if value > self.threshold:
                self._try(dual, one, alive, kill, mixture)
                if known - value <= max(fine, OPEN * (value - self.threshold)):
                    break
            elif known <= self.threshold:
                break
        cells = cells.take_above(self.threshold - BOUND_SAFETY)
        if len(cells):
            self.current = cells.top + BOUND_SAFETY
            self._split(Node(dual, alive, cells, ()), mixture)

    def _few(self, node: Node) -> bool:
        """Evaluate every schedule of a node that holds few; False if it holds many."""
        dual = node.dual
        courses = [
            np.flatnonzero(mask[one.kinds.of])
            for mask, one in zip(node.alive, dual.set.shared, strict=True)
        ]
        if len(dual.set.plans) * math.prod(len(c) for c in courses) > FEW:
            return False
        rows = every_row(courses)
        for plan in dual.set.plans:
            check(self.clock)
            tabulated = Tabulated(dual.set.candidates, plan)
            Leaf(dual, tabulated, self.gap, self.clock, self.found).offer(plan, rows)
        return True

    def _hint(self, dual: Dual) -> FloatArray:
        """(horizons,) systemic log kill of the incumbent under a plan of the set."""
        horizons = len(dual.ground)
        if self.found.row is None or not horizons:
            middle: FloatArray = np.sqrt(dual.low_and_high[0] * dual.low_and_high[1])
            return middle
        plan = _best_plan(self.candidates, dual.set.plans, self.found.row)
        kill = self.candidates.kill_of_row(plan, self.found.row)
        return np.clip(kill, *dual.low_and_high)

    def _try(
        self, dual: Dual, one: Multiplier, alive: Alive, kill: FloatArray, mixture: list[Mixture]
    ) -> None:
        """Look for a better schedule under one of the plans, led by the multipliers."""
        self.tries += 1
        if self.idle > PATIENCE and self.tries % SELDOM:
            return
        before, plans, candidates = self.found.value, dual.set.plans, dual.set.candidates
        plan = plans[len(plans) // 2]
        if self.found.row is not None:
            plan = _best_plan(self.candidates, plans, self.found.row)
        tabulated = Tabulated(candidates, plan)
        choices = dual.shortlist(one, alive, kill, SHORTLIST)
        options = [np.union1d(c, [0]) for c in choices]
        first = sorted(range(len(choices)), key=lambda s: (-mixture[s].spread, s))
        starts = [rounded(tabulated, choices, first), rounded(tabulated, choices, first[::-1])]
        own = None if self.found.row is None else candidates.of_case(self.found.row)
        if own is not None:
            starts.append(own)
            options = [np.union1d(o, c) for o, c in zip(options, own, strict=True)]
        if self.tries <= THOROUGH:
            row, value = local_search(tabulated, choices, starts, options, self.rng)
        else:
            row, value = _climbed(tabulated, starts, options)
        if row is not None:
            self.found.offer(plan, candidates.in_case(row), value)
        if self.found.row is not None and self.found.value > before:
            self._adopt(plans)
        self.idle = 0 if self.found.value > before else self.idle + 1
        self._tell()

    def _adopt(self, plans: tuple[int, ...]) -> None:
        """The incumbent's courses under the plan that suits them best."""
        assert self.found.row is not None
        plan = _best_plan(self.candidates, plans, self.found.row)
        if plan != self.found.plan:
            tabulated = Tabulated(self.candidates, plan)
            self.found.offer(plan, self.found.row, worth(tabulated, self.found.row))

    def _split(self, node: Node, mixture: list[Mixture] | None) -> None:
        """Children of a node that stays above the threshold."""
        dual, cells = node.dual, node.cells
        alive = dual.alive(cells, node.alive, self.threshold)
        fewer = narrow(dual, alive, cells, self.threshold)
        if fewer is not None:
            self._push(Node(*fewer, ()), cells.top + BOUND_SAFETY)
            return
        numbers = tuple(int(j) for j in np.unique(cells.by))
        at = int(cells.bound.argmax())
        mixed = self._mixed(dual, alive, cells, at)
        sides = None if mixed is None else _treated_or_not(dual, alive, mixed)
        spread = max(one.spread for one in mixture) if mixture else 0.0
        uneven = sides is None and spread > MIXED * (cells.top - self.threshold)
        if uneven and not self._plans_first(dual, alive, cells):
            sides = _parted(dual, alive, mixture)
        if sides is not None:
            for side in sides:
                self._push(Node(dual, side, cells, numbers), cells.top + BOUND_SAFETY)
            return
        if len(dual.set.plans) > 1:
            self._halve_plans(dual, alive, cells)
            return
        tabulated = Tabulated(dual.set.candidates, dual.set.plans[0])
        leaf = Leaf(dual, tabulated, self.gap, self.clock, self.found)
        left = leaf.examine(cells, alive)
        if not len(left):
            return
        sides = _parted(dual, alive, mixture)
        if sides is None:
            raise AssertionError("a node with one kind per lesion can be joined")
        for side in sides:
            self._push(Node(dual, side, left, numbers), left.top + BOUND_SAFETY)

    def _plans_first(self, dual: Dual, alive: Alive, cells: Cells) -> bool:
        """Whether the best plan alone is bounded so much lower that plans should be split first."""
        plans = dual.set.plans
        if len(plans) == 1:
            return False
        plan = plans[len(plans) // 2]
        if self.found.row is not None:
            plan = _best_plan(self.candidates, plans, self.found.row)
        alone = PlanSet(dual.set.candidates, (plan,), dual.set)
        node = _of_part(dual, alone, alive, cells)
        numbers = list(node.numbers)
        left = node.dual.tighten(node.cells, node.alive, numbers, self.threshold, math.inf)
        return cells.top - max(left.top, self.threshold) > PLANS * (cells.top - self.threshold)

    def _mixed(self, dual: Dual, alive: Alive, cells: Cells, at: int) -> int | None:
        """A lesion that the bound may treat by halves: 'no course' loses as little as treatment."""
        one = dual.multipliers[int(cells.by[at])]
        losses = dual.losses(one, alive, cells.high[at])
        slack = cells.top - self.threshold
        undecided = [s for s, mask in enumerate(alive) if mask[0] and mask[1:].any()]
        worse = {s: max(float(losses[s][0]), float(losses[s][1:].min())) for s in undecided}
        if not worse:
            return None
        caps = _site_caps(self.candidates)
        possible = sum(bool(mask[1:].any()) for mask in alive)
        s = min(worse, key=lambda i: (worse[i], i))
        crowded = bool(caps) and possible > min(caps)
        return s if crowded or worse[s] <= MIXED * slack else None

    def _halve_plans(self, dual: Dual, alive: Alive, cells: Cells) -> None:
        for plans in dual.set.halves():
            self._push(_of_part(dual, plans, alive, cells), cells.top + BOUND_SAFETY)


def _of_part(dual: Dual, plans: PlanSet, alive: Alive, cells: Cells) -> Node:
    """The node of a part of the plans, its multipliers not yet tried."""
    own = tuple(mask & usable for mask, usable in zip(alive, plans.usable, strict=True))
    part = dual.of_part(plans, cells, own)
    around = unknown(cells.low, cells.high, cells.bound)
    return Node(part, own, around, tuple(range(len(part.multipliers))))


def _best_plan(candidates: Candidates, plans: tuple[int, ...], row: IntArray) -> int:
    """The plan of a set under which some courses do best, limits aside."""
    return max(plans, key=lambda k: (candidates.value_of_row(k, row), -k))


def _climbed(
    tabulated: Tabulated, starts: list[IntArray], options: list[IntArray]
) -> tuple[IntArray | None, float]:
    """Best of some starts after single-lesion best responses."""
    lesions = list(range(len(tabulated.candidates.lesions)))
    best: tuple[IntArray | None, float] = (None, -math.inf)
    for start in starts:
        row, value = climb(tabulated, start, worth(tabulated, start), lesions, options)
        if value > best[1]:
            best = row, value
    return best


def _site_caps(candidates: Candidates) -> list[float]:
    return [
        float(limit.cap)
        for limit in candidates.instance.limits
        if isinstance(limit, LogisticsLimit)
        and limit.quantity == "lesions"
        and limit.cap is not None
        and limit.penalty is None
    ]


def _treated_or_not(dual: Dual, alive: Alive, s: int) -> list[Alive]:
    """One lesion treated, or left out; where the cap on lesions is reached the others are too."""
    treated, none = alive[s].copy(), np.zeros_like(alive[s])
    treated[0], none[0] = False, True
    sides = [
        tuple(side if i == s else mask for i, mask in enumerate(alive)) for side in (none, treated)
    ]
    caps = _site_caps(dual.set.candidates)
    certain = [i for i, mask in enumerate(sides[1]) if not mask[0]]
    if caps and len(certain) >= min(caps):
        sides[1] = tuple(
            mask if i in certain else mask & (np.arange(len(mask)) == 0)
            for i, mask in enumerate(sides[1])
        )
    return sides


def _parted(dual: Dual, alive: Alive, mixtures: list[Mixture] | None) -> list[Alive] | None:
    """Two parts by local log burden of the lesion whose courses the LP mixes most.

    Where it mixes none, of the lesion with most kinds.
    """
    burden = [one.local.mean(axis=(1, 2)) for one in dual.set.shared]
    order = sorted(
        (s for s, mask in enumerate(alive) if mask.sum() > 1),
        key=lambda s: (-mixtures[s].spread if mixtures else 0.0, -int(alive[s].sum()), s),
    )
    for s in order:
        own = np.flatnonzero(alive[s])
        mixed = mixtures[s].kinds if mixtures else own[:0]
        mixed = mixed[alive[s][mixed]]
        middle = float(np.median(burden[s][own]))
        if len(mixed) and np.ptp(burden[s][mixed]) > 0:
            middle = float(burden[s][mixed].min() + burden[s][mixed].max()) / 2
        below = alive[s] & (burden[s] <= middle)
        above = alive[s] & ~below
        if not below.any() or not above.any():
            below, above = np.zeros_like(alive[s]), np.zeros_like(alive[s])
            below[own[: len(own) // 2]], above[own[len(own) // 2 :]] = True, True
        return [
            tuple(side if i == s else mask for i, mask in enumerate(alive))
            for side in (below, above)
        ]
    return None
