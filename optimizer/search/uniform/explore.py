"""Branch and bound over systemic plans, treated lesions and doses, best bound first.

A node is a set of plans, the kinds of course left for each lesion, and cells of systemic effect
with a Lagrangian bound for each (`bound`). Plans alike are bounded together: each family of them is
a root. What becomes of a node is in `examine`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.ceilings import ceiling, ceiling_of_case
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, PlanId, PlanIds
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.search.tree import Tree
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet, families
from abscopt.optimizer.search.uniform.branches import Node, Trees
from abscopt.optimizer.search.uniform.examine import Examiner
from abscopt.optimizer.search.uniform.incumbent.first import first_of_many, first_schedule
from abscopt.optimizer.search.uniform.incumbent.improve import Improver
from abscopt.optimizer.search.uniform.incumbent.last import improve_at_last
from abscopt.optimizer.search.uniform.incumbent.local import climb, every_course, repaired, worth
from abscopt.optimizer.search.uniform.leaves.few import are_few, evaluate
from abscopt.optimizer.search.uniform.leaves.leaf import BOUND_SAFETY, SearchState, check
from abscopt.optimizer.search.uniform.recall import Recall

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock


def explore(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    starts: Sequence[tuple[PlanId, CourseIds]] = (),
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
        search = Search(candidates, gap, seed, clock, state, trees or Trees(), proved)
        search.begin_with(starts)
        search.run()
        state.complete = True
    except Stopped:
        pass
    if search is not None and not state.complete:
        with clock.extended(settings.CURRENT.late_seconds):
            search.bound_pending()
    with clock.answering():
        still_open = ceiling_of_case(candidates.instance) if search is None else search.tree.proved
    if search is not None and not state.complete:
        improve_at_last(candidates, state, clock)
    state.bound = max(state.value, min(still_open, proved))
    return state


class Search:
    """Roots, and the order in which their nodes are examined.

    Attributes
    ----------
    pending : families of plans that have no node yet
    ceilings : by group of plans, as far as they were asked for
    shortened : whether a schedule to begin with lost a lesion when it was repaired
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
        self.candidates, self.clock, self.state = candidates, clock, state
        self.most = settings.CURRENT.enough * gap
        self.trees, self.proved = trees, proved
        trees.fit(candidates)
        self.pending = families(candidates, PlanIds(np.arange(len(candidates.plans))))
        self.ceilings: dict[int, float] = {}
        self.shortened = False
        self.in_lots = len(self.pending) > len(np.unique(candidates.plan_effects.group))
        self.tree: Tree[Node] = Tree(
            lambda: state.value, gap, self._ceilings, closes_at_threshold=True
        )
        rng = np.random.default_rng(seed)
        self.improver = Improver(candidates, state, rng, self._tell)
        self.examiner = Examiner(candidates, self.tree, state, self.improver, clock)

    @property
    def enough(self) -> bool:
        """Whether the bound that was known before is close enough."""
        return self.proved <= self.state.value + self.most

    def _ceilings(self) -> Iterable[float]:
        """Bounds of the families that wait; out of time, the case's own where none is known."""
        limit = 0.0 if self.clock.expired else math.inf
        return [self._ceiling(plans, limit) for plans in self.pending]

    def bound_pending(self) -> None:
        """Know the ceilings of a few groups of plans that have no node yet."""
        for plans in self.pending:
            self._ceiling(plans, settings.CURRENT.late)

    def _ceiling(self, plans: tuple[PlanId, ...], limit: float = math.inf) -> float:
        """Bound of plans before any price; with more groups known than `limit`, of the case."""
        group = int(self.candidates.plan_effects.group[plans[0]])
        if group not in self.ceilings:
            if len(self.ceilings) >= limit:
                return ceiling_of_case(self.candidates.instance) + BOUND_SAFETY
            self.ceilings[group] = ceiling(self.candidates, plans[0]) + BOUND_SAFETY
        return self.ceilings[group]

    def _tell(self) -> None:
        """Report the incumbent and the bound of all that is open."""
        self.tree.report(self.clock, "search", self.state.nodes)

    def begin_with(self, starts: Sequence[tuple[PlanId, CourseIds]]) -> None:
        """Offer schedules in hand, repaired where they are not feasible."""
        for plan, row in starts:
            tabulated = Tabulated(self.candidates, plan)
            before, row = row, repaired(tabulated, row)
            self.shortened |= bool((before[row == 0] > 0).any())
            self.state.offer(plan, row, worth(tabulated, row))

    def run(self) -> None:
        """Examine everything above the threshold."""
        remembered = any(self.trees.of(plans).known for plans in self.pending)
        if remembered:
            self.tree.gap = self.most
            self.improver.tries = settings.CURRENT.thorough
        in_hand, bounded = self.state.row is not None, math.isfinite(self.proved)
        if in_hand and self.candidates.instance.delivered is not None:
            self.improver.go_on()
        if remembered and self.examiner.spread:  # short: best responses pay where they may end it
            bounded = self.proved <= self.state.value + settings.CURRENT.nearly * self.most
        if in_hand and (bounded or not remembered):
            self._polish()
        while self.pending and not self.enough:
            check(self.clock)
            self._begin(self.pending[0])
        while not self.enough and self._next():
            pass
        self.pending.clear()
        self.tree.settle(self.proved if self.enough else self.tree.threshold)
        if not self.enough and self.state.row is not None:
            self.state.grounds.bound = self.tree.threshold

    def _polish(self) -> None:
        """Best responses from the schedule in hand."""
        plan, row = self.state.plan, self.state.row
        assert plan is not None and row is not None
        tabulated = Tabulated(self.candidates, plan)
        lesions = list(range(len(row)))
        options = every_course(tabulated)
        self.state.offer(plan, *climb(tabulated, row, self.state.value, lesions, options))

    def _begin(self, plans: tuple[PlanId, ...]) -> None:
        """Give a family that waits its node, or decide it at once."""
        if self._at_once(plans):
            return
        if self.state.row is None:
            first_schedule(self.candidates, plans, self.state)
            self._tell()
        root = self._root(plans)
        self.tree.hold(self._ceiling(plans))
        self.pending.pop(0)
        if root.branch.known:
            self._recall(root)
        else:
            self.examiner.push(root, self.tree.in_hand)
        self.tree.release()
        if self.in_lots:  # a good schedule before the last lot has a bound
            self._next()

    def _next(self) -> bool:
        """Examine the node of the highest bound; False if none is above the threshold."""
        node = self.tree.take()
        if node is None:
            return False
        check(self.clock)
        self._tell()
        self.examiner.examine(node)
        self.tree.release()
        return True

    def _root(self, plans: tuple[PlanId, ...]) -> Node:
        branch = self.trees.of(plans)
        remembered = self.trees.best if branch.known else None
        plan_set = PlanSet(self.candidates, plans, remembered=remembered)
        dual = Dual(plan_set, earlier=self.trees.duals.get(plans))
        if len(self.trees.duals) < settings.CURRENT.kept_duals or plans in self.trees.duals:
            self.trees.duals[plans] = dual
        by_prices = branch.known and self.examiner.spread
        current = settings.CURRENT
        cells = dual.root(current.recalled_cells if by_prices else current.first_cells)
        self.state.columns += sum(int(mask.sum()) for mask in dual.set.usable)
        return Node(dual, dual.set.usable, cells, (), branch)

    def _at_once(self, plans: tuple[PlanId, ...]) -> bool:
        """Evaluate every schedule of a family that holds few; False if it holds many."""
        courses = [CourseIds(np.arange(len(table.menu))) for table in self.candidates.lesions]
        if not are_few(plans, courses):
            return False
        self.state.nodes += 1
        self.state.columns += sum(len(shared.kinds) for shared in self.candidates.shared(plans[0]))
        if self._ceiling(plans) > self.tree.threshold:
            evaluate(self.candidates, plans, courses, self.tree.gap, self.clock, self.state)
        self.pending.pop(0)
        self._tell()
        return True

    def _recall(self, root: Node) -> None:
        """Push what the prices of an earlier search leave open of a family."""
        self.state.nodes += 1
        dual, tree, fine = root.dual, self.tree, settings.CURRENT.fine * abs(self.tree.gap)
        spread, grounds = self.examiner.spread, self.state.grounds
        rounds = 1 if spread else None  # combinations of kinds close what cells leave
        cells = Recall(root, tree.threshold, fine, grounds, rounds).of_root()
        if len(cells) and dual.lagrangians:
            lagrangian = dual.lagrangians[int(cells.by[cells.bound.argmax()])]
            if self.state.row is None or self.shortened or not spread:
                self.improver.attempt(dual, lagrangian, root.alive, self.improver.hint(dual), None)
            cells = cells.take_above(tree.threshold)
            root = replace(root, cells=cells, alive=dual.alive(cells, root.alive, tree.threshold))
            tree.lower(cells.top + BOUND_SAFETY)
        if len(cells) and not self.enough and spread:
            self.examiner.recalled = True
            root = replace(root, numbers=tuple(cells.numbers))
            self.examiner.push(root, root.cells.top + BOUND_SAFETY)
        elif len(cells) and not self.enough:
            for node in Recall(root, tree.threshold, fine, self.state.grounds).ends():
                check(self.clock)
                self.examiner.push(node, node.cells.top + BOUND_SAFETY)
