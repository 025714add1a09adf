"""What becomes of a node: bounded anew, it is closed, put back, split, or its schedules are valued.

A node that stays above the threshold is bounded by its combinations of kinds where they are few
(`combinations`), else split: a lesion treated or not where the bound has it by
halves, the plans in two, and under one plan the doses of a lesion; what has few combinations is
joined and evaluated exactly (`leaf`).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.by_rows import values_of_rows
from abscopt.optimizer.candidates.reduction import site_caps
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds, PlanIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.infeasible import farkas_prices
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.branches import (
    Branch,
    Node,
    Split,
    of_subset,
    split_by_burden,
)
from abscopt.optimizer.search.uniform.leaves.by_plan import by_plan
from abscopt.optimizer.search.uniform.leaves.combinations import Combinations
from abscopt.optimizer.search.uniform.leaves.few import are_few, evaluate
from abscopt.optimizer.search.uniform.leaves.leaf import BOUND_SAFETY, Leaf, check
from abscopt.optimizer.search.uniform.leaves.separable import Separable
from abscopt.optimizer.search.uniform.narrow import narrow

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.tree import Tree
    from abscopt.optimizer.search.uniform.bounds.bound import Dual
    from abscopt.optimizer.search.uniform.bounds.columns import FractionalChoice
    from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive
    from abscopt.optimizer.search.uniform.incumbent.improve import Improver
    from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


class Examiner:
    """Examines nodes of one tree, and pushes their parts.

    Parameters
    ----------
    state : holds the incumbent, and what closed what was examined

    Attributes
    ----------
    recalled : whether the prices of a related case bounded a root, so that little is left to do
    untried : whether no schedule was looked for among combinations of kinds of such a root
    spread : whether some lesion's control is a mean over radiosensitivities: a slope where it would
        be a step, so that mixtures of kinds are worth more than each, and kinds are bounded one by
        one where they are few
    """

    def __init__(
        self,
        candidates: Candidates,
        tree: Tree[Node],
        state: SearchState,
        improver: Improver,
        clock: Clock,
    ):
        self.candidates, self.tree, self.state = candidates, tree, state
        self.improver, self.clock = improver, clock
        self.separable = Separable(tree, clock, state)
        self.recalled, self.untried = False, True
        self.spread = any(lesion.spread for lesion in candidates.instance.lesions)

    def push(self, node: Node, bound: float) -> None:
        """Keep a node that still holds something."""
        if len(node.cells) and all(mask.any() for mask in node.alive):
            self.tree.push(node, bound)

    def examine(self, node: Node) -> None:
        """Bound a node anew; close it, put it back, or split it."""
        self.state.nodes += 1
        if self._few(node):
            return
        fine, tree = settings.CURRENT.fine * abs(self.tree.gap), self.tree
        dual, alive, cells = node.dual, node.alive, node.cells
        if node.numbers:
            cells = dual.tighten(cells, alive, list(node.numbers), tree.threshold, fine)
            if cells.top < min(tree.highest, tree.in_hand - abs(tree.gap)):
                self.push(Node(dual, alive, cells, (), node.branch), cells.top + BOUND_SAFETY)
                return
            if self._combined(replace(node, cells=cells)):
                return
        pool, mixture = list(node.numbers), None
        for _ in range(settings.CURRENT.new_prices):
            check(self.clock)
            cells = cells.take_above(tree.threshold - BOUND_SAFETY)
            if not len(cells):
                return
            if math.isfinite(cells.top):
                tree.lower(cells.top + BOUND_SAFETY)
            pool = sorted({*pool[-settings.CURRENT.inherited :], *cells.numbers})
            kill, bound = (
                dual.highest(cells, alive, pool) if pool else (self.improver.hint(dual), math.inf)
            )
            if bound <= tree.threshold:  # only the width of cells keeps them
                before = len(cells), cells.top
                cells = dual.tighten(cells, alive, pool, tree.threshold, fine)
                if (len(cells), cells.top) != before:
                    continue
            lagrangian, value, mixture = dual.prices_at(kill, alive, tree.threshold, fine)
            if dual.exceeds and farkas_prices(dual.set, alive) is not None:
                self.state.grounds.whole = False  # other caps might let something in
                return
            self.state.grounds.add(dual.set, lagrangian.prices.rows)
            node.branch.remember(lagrangian.prices)
            number = len(dual.lagrangians) - 1
            pool.append(number)
            cells = dual.tighten(cells, alive, [number], tree.threshold, fine)
            if value > tree.threshold:
                cells = self._dated(dual, cells, alive)
                if not len(cells):
                    return
                self.improver.attempt(dual, lagrangian, alive, kill, mixture)
                if bound - value <= fine:
                    break
            elif bound <= tree.threshold:
                break
        cells = cells.take_above(tree.threshold - BOUND_SAFETY)
        if len(cells):
            tree.lower(cells.top + BOUND_SAFETY)
            alive = dual.alive(cells, alive, tree.threshold)
            node = Node(dual, alive, cells, (), node.branch)
            if dual.without_effect and not self.state.every:
                node = replace(node, cells=self.separable.examine(node))
                self.tree.lower(max(node.cells.top, tree.threshold) + BOUND_SAFETY)
            if len(node.cells) and not self._combined(node):
                self._split(node, mixture)

    def _combined(self, node: Node) -> bool:
        """Bound a node by its combinations of kinds, and split what stays; False if it has many."""
        dual, threshold = node.dual, self.tree.threshold
        if not self.spread and dual.set.together is None:
            return False
        cells = node.cells.take_above(threshold - BOUND_SAFETY)
        if not len(cells):
            return True
        if dual.set.together is not None and self.untried and (cells.by >= 0).all():
            self.untried = False
            self._try_best(node, cells)
            threshold = self.tree.threshold
            cells = cells.take_above(threshold - BOUND_SAFETY)
            if not len(cells):
                return True
        combinations = Combinations(dual, node.alive, cells, threshold)
        if combinations.count > settings.CURRENT.combinations:
            return False
        self.state.grounds.whole = False  # other caps might let something in
        cells, alive = combinations.bounded(self.clock)
        cells = cells.take_above(threshold - BOUND_SAFETY)
        if not len(cells):
            return True
        self.tree.lower(cells.top + BOUND_SAFETY)
        if dual.set.calendars is not None:
            alive = self._on_calendars(dual, alive, combinations)
            cells = cells.take_above(self.tree.threshold - BOUND_SAFETY)
            if not len(cells) or not all(mask.any() for mask in alive):
                return True
        node = Node(dual, alive, cells, (), node.branch)
        several = len(dual.set.plans) > 1
        if self.recalled and several and self._plan_by_plan(node, combinations):
            return True
        if several:
            fewer = narrow(dual, alive, cells, threshold) if (cells.by >= 0).all() else None
            self._push_parts(Node(*fewer, (), node.branch) if fewer else node, Split())
        else:
            self._leaf(node, None, few=True)
        return True

    def _try_best(self, node: Node, cells: Cells) -> None:
        """Look for schedules among the best combinations that a cap on days leaves.

        Of those within a part of the slack that the threshold leaves, the least that holds some.
        """
        dual, threshold = node.dual, self.tree.threshold
        top = Combinations(dual, node.alive, cells, threshold).top
        for doublings in reversed(range(settings.CURRENT.best_doublings + 1)):
            lowered = top - (top - threshold) / 2**doublings
            combinations = Combinations(dual, node.alive, cells, lowered)
            if combinations.count > settings.CURRENT.combinations:
                break
            combinations.bounded(self.clock)
            before = self.state.value
            best = combinations.best()
            for _, kinds in itertools.islice(best, settings.CURRENT.best_combinations):
                self._decided(dual, kinds)
            if self.state.value > before:
                break

    def _on_calendars(self, dual: Dual, alive: Alive, combinations: Combinations) -> Alive:
        """Kinds of combinations above the threshold whose calendars were too many to be valued."""
        remaining = tuple(np.zeros_like(mask) for mask in alive)
        spent = 0
        for bound, kinds in combinations.best():
            if bound <= self.tree.threshold:
                break
            check(self.clock)
            valued = None
            if spent < settings.CURRENT.calendars_valued:
                valued = self._decided(dual, kinds)
            spent += valued or 0
            if valued is None:
                for mask, kind in zip(remaining, kinds, strict=True):
                    mask[kind] = True
        return remaining

    def _decided(self, dual: Dual, kinds: list[KindIds]) -> int | None:
        """Value one kind for each lesion on all of its calendars under all plans; how many.

        None where calendars are too many.
        """
        candidates, calendars = dual.set.candidates, dual.set.calendars
        rows = None if calendars is None else calendars.timings(kinds)
        if rows is None:
            return None
        plans = dual.set.plans
        if not len(rows):
            return 0
        value = values_of_rows(candidates, PlanIds(np.array(plans)), rows)
        value -= np.array([candidates.plan_cost(k) for k in plans])[:, None]
        for number in np.argsort(-value.max(axis=1), kind="stable").tolist():
            above = value[number] + BOUND_SAFETY > self.tree.threshold
            if above.any():
                timed, tabulated = CourseRows(rows[above]), Tabulated(candidates, plans[number])
                self.state.decide(tabulated, timed, tabulated.value(timed), self.tree.gap)
        return value.size

    def _plan_by_plan(self, node: Node, combinations: Combinations) -> bool:
        """Keep the plans that stay above the threshold by themselves; False if all may.

        The first time that some do, schedules are looked for: among the kinds that stay, then among
        the best combinations of them.
        """
        dual, cells = node.dual, node.cells
        values = by_plan(combinations)
        if self.untried and (values is None or values.plans_above(self.tree.threshold)):
            self.untried = False
            lagrangian = dual.lagrangians[int(cells.by[cells.bound.argmax()])]
            self.improver.attempt(dual, lagrangian, node.alive, self.improver.hint(dual), None)
            best = () if values is None else values.best()
            for plan, alive in itertools.islice(best, settings.CURRENT.best_combinations):
                if values is None or not values.plans_above(self.tree.threshold):
                    break
                hint = self.improver.hint(dual)
                self.improver.attempt(dual, lagrangian, alive, hint, None, plan)
        if values is None:
            return False
        plans = values.plans_above(self.tree.threshold)
        if len(plans) == len(dual.set.plans):
            return False
        if plans:
            plan_set = PlanSet(dual.set.candidates, plans, dual.set)
            self.push(of_subset(node, plan_set, Branch()), cells.top + BOUND_SAFETY)
        return True

    def _dated(self, dual: Dual, cells: Cells, alive: Alive) -> Cells:
        """Cells that an integer programme over courses and days leaves open.

        Where days couple lesions under one plan and no systemic effect acts, it decides them all.
        """
        if len(dual.set.plans) > 1 or not dual.without_effect:
            return cells
        tabulated = Tabulated(dual.set.candidates, dual.set.plans[0])
        leaf = Leaf(dual, tabulated, self.tree.gap, self.clock, self.state)
        return leaf.examine(cells, alive) if leaf.dated else cells

    def _few(self, node: Node) -> bool:
        """Evaluate every schedule of a node that holds few; False if it holds many."""
        dual = node.dual
        courses = [
            CourseIds(np.flatnonzero(mask[shared.kinds.of]))
            for mask, shared in zip(node.alive, dual.set.shared, strict=True)
        ]
        if not are_few(dual.set.plans, courses):
            return False
        evaluate(
            dual.set.candidates, dual.set.plans, courses, self.tree.gap, self.clock, self.state
        )
        return True

    def _split(self, node: Node, mixture: list[FractionalChoice] | None) -> None:
        """Children of a node that stays above the threshold."""
        dual, cells = node.dual, node.cells
        fewer = narrow(dual, node.alive, cells, self.tree.threshold)
        if fewer is not None:
            self.push(Node(*fewer, (), node.branch), cells.top + BOUND_SAFETY)
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
        elif several and spread > settings.CURRENT.mixed * (cells.top - self.tree.threshold):
            self._push_parts(node, split_by_burden(dual, node.alive, mixture))
        elif len(dual.set.plans) > 1:
            self._push_parts(node, Split())
        else:
            self._leaf(node, mixture)

    def _leaf(self, node: Node, mixture: list[FractionalChoice] | None, few: bool = False) -> None:
        """Value the schedules of a node of one plan; split what holds too many."""
        dual = node.dual
        tabulated = Tabulated(dual.set.candidates, dual.set.plans[0])
        leaf = Leaf(dual, tabulated, self.tree.gap, self.clock, self.state)
        open_cells = leaf.examine(node.cells, node.alive, few)
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
                self.push(of_subset(node, plans, child), bound)
            return
        numbers = tuple(cells.numbers)
        sides = split.sides(dual.set.candidates, dual.set.shared, node.alive)
        for side, child in zip(sides, children, strict=True):
            self.push(Node(dual, side, cells, numbers, child), bound)

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
        open_cells = alone.dual.tighten(
            alone.cells, alone.alive, numbers, self.tree.threshold, math.inf
        )
        lower = top - max(open_cells.top, self.tree.threshold)
        return lower > settings.CURRENT.plans_first * (top - self.tree.threshold)

    def _mixed(self, dual: Dual, alive: Alive, cells: Cells, at: int) -> int | None:
        """A lesion that the bound may treat by halves: 'no course' loses as little as treatment."""
        lagrangian = dual.lagrangians[int(cells.by[at])]
        losses = dual.losses(lagrangian, alive, cells.high[at])
        slack = cells.top - self.tree.threshold
        undecided = [s for s, mask in enumerate(alive) if mask[0] and mask[1:].any()]
        worse = {s: max(float(losses[s][0]), float(losses[s][1:].min())) for s in undecided}
        if not worse:
            return None
        caps = site_caps(self.candidates)
        possible = sum(bool(mask[1:].any()) for mask in alive)
        s = min(worse, key=lambda i: (worse[i], i))
        crowded = bool(caps) and possible > min(caps)
        return s if crowded or worse[s] <= settings.CURRENT.mixed * slack else None
