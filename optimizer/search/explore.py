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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.bound import Dual, Mixture, Multiplier, ceiling
from abscopt.optimizer.search.branches import (
    MOST_PRICES,
    Branch,
    Cut,
    Trees,
    mean_burden,
    plan_halves,
    site_caps,
)
from abscopt.optimizer.search.cells import Cells, unknown
from abscopt.optimizer.search.join import every_row
from abscopt.optimizer.search.leaf import BOUND_SAFETY, Found, Leaf, Stopped, check
from abscopt.optimizer.search.local import (
    climb,
    enough_sites,
    every_course,
    in_sequence,
    local_search,
    repaired,
    rounded,
    worth,
)
from abscopt.optimizer.search.plan_set import Alive, PlanSet, Prices, families

if TYPE_CHECKING:
    from collections.abc import Sequence

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
OPEN = 0.25


@dataclass(frozen=True)
class Node:
    """Plans, kinds and cells; `numbers` are the multipliers not yet tried on its kinds."""

    dual: Dual
    alive: Alive
    cells: Cells
    numbers: tuple[int, ...]
    branch: Branch


def explore(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    starts: Sequence[tuple[int, IntArray]] = (),
    trees: Trees | None = None,
) -> Found:
    """Best schedule of uniform courses and a bound within `gap` of it.

    Parameters
    ----------
    starts : plans and rows to begin with; what is not feasible is repaired
    trees : what searches of related cases left, for this one to use and to continue

    Stops early when the clock says so; the bound is then that of what was left open.
    """
    found = Found()
    search = _Search(candidates, gap, seed, clock, found, trees or Trees())
    search.begin_with(starts)
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

    def __init__(
        self,
        candidates: Candidates,
        gap: float,
        seed: int,
        clock: Clock,
        found: Found,
        trees: Trees,
    ):
        self.candidates, self.gap, self.clock, self.found = candidates, gap, clock, found
        self.trees = trees
        trees.fit(candidates)
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

    def begin_with(self, starts: Sequence[tuple[int, IntArray]]) -> None:
        """Offer schedules in hand, repaired where they are not feasible."""
        for plan, row in starts:
            tabulated = Tabulated(self.candidates, plan)
            row = repaired(tabulated, row)
            self.found.offer(plan, row, worth(tabulated, row))

    def run(self) -> None:
        """Examine everything above the threshold."""
        known = any(self.trees.of(plans).known for plans in self.pending)
        if self.found.plan is not None and self.found.row is not None and not known:
            self._polish(self.found.plan, self.found.row)
        while self.pending:
            check(self.clock)
            plans = self.pending[0]
            if self.found.row is None:
                self._begin(plans)
            node = self._root(plans)
            self.current = ceiling(self.candidates, plans[0]) + BOUND_SAFETY
            self.pending.pop(0)
            if node.branch.known:
                self._recall(node)
            else:
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
        return Node(dual, dual.set.usable, cells, (), self.trees.of(plans))

    def _recall(self, root: Node) -> None:
        """Bound a family with what an earlier search left; what stays open is pushed."""
        self.found.nodes += 1
        dual, branch = root.dual, root.branch
        self.tries = max(self.tries, THOROUGH)
        cells = self._priced(dual, root.alive, root.cells, branch.prices)
        if not len(cells):
            return
        alive = root.alive
        if dual.multipliers:
            one = dual.multipliers[int(cells.by[cells.bound.argmax()])]
            self._try(dual, one, alive, self._hint(dual), None)
            cells = cells.take_above(self.threshold - BOUND_SAFETY)
            alive = dual.alive(cells, alive, self.threshold)
            self.current = cells.top + BOUND_SAFETY
        around = unknown(cells.low, cells.high, cells.bound)
        duals = {dual.set.plans: dual}
        stack: list[tuple[tuple[int, ...], Alive, Branch, list[Prices]]] = []
        stack.append((dual.set.plans, alive, branch, []))
        while stack:
            check(self.clock)
            plans, alive, branch, inherited = stack.pop()
            if branch.cut is not None and branch.children is not None:
                inherited = [*branch.prices, *inherited] if branch is not root.branch else []
                sides = branch.cut.sides(self.candidates, dual.set.shared, alive)
                parts = (plans, plans) if branch.cut.lesion is not None else plan_halves(plans)
                for part, side, child in zip(parts, sides, branch.children, strict=True):
                    stack.append((part, side, child, inherited))
                continue
            if plans not in duals:
                duals[plans] = Dual(PlanSet(self.candidates, plans, dual.set.family), dual)
            own = duals[plans]
            alive = tuple(mask & fits for mask, fits in zip(alive, own.set.usable, strict=True))
            if not all(mask.any() for mask in alive):
                continue
            self.found.nodes += 1
            near = cells if own is dual else around
            prices = [] if branch is root.branch else [*branch.prices, *inherited][:MOST_PRICES]
            left = self._priced(own, alive, near, prices)
            if len(left):
                alive = own.alive(left, alive, self.threshold) if own.multipliers else alive
                self._push(Node(own, alive, left, (), branch), left.top + BOUND_SAFETY)

    def _priced(self, dual: Dual, alive: Alive, cells: Cells, known: Sequence[Prices]) -> Cells:
        """Cells above the threshold by prices of an earlier search, tried in turn."""
        rows = dual.set.rows
        for prices in known:
            if not len(cells):
                break
            if len(prices.rows) == len(rows.right):
                dual.add(replace(prices, rows=rows.capped(prices.rows)), alive)
                number = len(dual.multipliers) - 1
                cells = dual.tighten(cells, alive, [number], self.threshold, FINE * self.gap)
        return cells.take_above(self.threshold - BOUND_SAFETY)

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
            kill, known = dual.highest(cells, alive, pool) if pool else (self._hint(dual), math.inf)
            if known <= self.threshold:  # only the width of cells keeps them
                before = len(cells), cells.top
                cells = dual.tighten(cells, alive, pool, self.threshold, fine)
                if (len(cells), cells.top) != before:
                    continue
            one, value, mixture = dual.prices_at(kill, alive, self.threshold, fine)
            node.branch.remember(one.prices)
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
            self._split(Node(dual, alive, cells, (), node.branch), mixture)

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
            tabulated = Tabulated(self.candidates, plan)
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
        self,
        dual: Dual,
        one: Multiplier,
        alive: Alive,
        kill: FloatArray,
        mixture: list[Mixture] | None,
    ) -> None:
        """Look for a better schedule under one of the plans, led by the multipliers."""
        self.tries += 1
        if self.idle > PATIENCE and self.tries % SELDOM:
            return
        before, plans = self.found.value, dual.set.plans
        plan = plans[len(plans) // 2]
        if self.found.row is not None:
            plan = _best_plan(self.candidates, plans, self.found.row)
        tabulated = Tabulated(self.candidates, plan)
        choices = dual.shortlist(one, alive, kill, SHORTLIST)
        options = [np.union1d(c, [0]) for c in choices]
        spread = [one.spread for one in mixture] if mixture else [0.0] * len(choices)
        first = sorted(range(len(choices)), key=lambda s: (-spread[s], s))
        starts = [rounded(tabulated, choices, first), rounded(tabulated, choices, first[::-1])]
        if self.found.row is not None:
            starts.append(self.found.row)
            options = [np.union1d(o, c) for o, c in zip(options, self.found.row, strict=True)]
        if self.tries <= THOROUGH:
            row, value = local_search(tabulated, choices, starts, options, self.rng)
        else:
            row, value = _climbed(tabulated, starts, options)
        if row is not None:
            self.found.offer(plan, row, value)
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
        numbers = tuple(int(j) for j in np.unique(cells.by))
        at = int(cells.bound.argmax())
        mixed = self._mixed(dual, alive, cells, at)
        spread = max(one.spread for one in mixture) if mixture else 0.0
        split = Node(dual, alive, cells, numbers, node.branch)
        if mixed is not None:
            cut = Cut(mixed)
            self._push_sides(split, cut, cut.sides(self.candidates, dual.set.shared, alive))
        elif mixture and spread > MIXED * (cells.top - self.threshold):
            self._push_sides(split, *_parted(dual, alive, mixture))
        elif len(dual.set.plans) > 1:
            self._halve_plans(split)
        else:
            tabulated = Tabulated(self.candidates, dual.set.plans[0])
            leaf = Leaf(dual, tabulated, self.gap, self.clock, self.found)
            left = leaf.examine(cells, alive)
            if len(left):
                self._push_sides(replace(split, cells=left), *_parted(dual, alive, mixture))

    def _push_sides(self, node: Node, cut: Cut | None, sides: list[Alive]) -> None:
        """Push both sides of a split; without a cut it means nothing in another case."""
        branches = (node.branch, node.branch) if cut is None else node.branch.split(cut)
        for side, branch in zip(sides, branches, strict=True):
            self._push(replace(node, alive=side, branch=branch), node.cells.top + BOUND_SAFETY)

    def _mixed(self, dual: Dual, alive: Alive, cells: Cells, at: int) -> int | None:
        """A lesion that the bound may treat by halves: 'no course' loses as little as treatment."""
        one = dual.multipliers[int(cells.by[at])]
        losses = dual.losses(one, alive, cells.high[at])
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

    def _halve_plans(self, node: Node) -> None:
        dual, cells = node.dual, node.cells
        for plans, branch in zip(dual.set.halves(), node.branch.split(Cut()), strict=True):
            own = tuple(
                mask & usable for mask, usable in zip(node.alive, plans.usable, strict=True)
            )
            child = dual.of_part(plans, cells, own)
            numbers = tuple(range(len(child.multipliers)))
            around = unknown(cells.low, cells.high, cells.bound)
            self._push(Node(child, own, around, numbers, branch), cells.top + BOUND_SAFETY)


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


def _parted(
    dual: Dual, alive: Alive, mixtures: list[Mixture] | None
) -> tuple[Cut | None, list[Alive]]:
    """Two parts by local log burden of the lesion whose courses the LP mixes most.

    Where it mixes none, of the lesion with most kinds; without a cut where all kinds that are left
    have the same burden.
    """
    s = min(
        (s for s, mask in enumerate(alive) if mask.sum() > 1),
        key=lambda s: (-mixtures[s].spread if mixtures else 0.0, -int(alive[s].sum()), s),
    )
    burden, own = mean_burden(dual.set.shared[s]), np.flatnonzero(alive[s])
    mixed = mixtures[s].kinds if mixtures else own[:0]
    mixed = mixed[alive[s][mixed]]
    middle = float(np.median(burden[own]))
    if len(mixed) and np.ptp(burden[mixed]) > 0:
        middle = float(burden[mixed].min() + burden[mixed].max()) / 2
    cut = Cut(s, middle)
    sides = cut.sides(dual.set.candidates, dual.set.shared, alive)
    if all(side[s].any() for side in sides):
        return cut, sides
    below, above = np.zeros_like(alive[s]), np.zeros_like(alive[s])
    below[own[: len(own) // 2]], above[own[len(own) // 2 :]] = True, True
    return None, [
        tuple(side if i == s else mask for i, mask in enumerate(alive)) for side in (below, above)
    ]
