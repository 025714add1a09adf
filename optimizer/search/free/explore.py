"""Exact search for cases with free courses: plans, spans of courses, partial courses.

All plans are bounded first. A node is a plan, a range of kill and of fraction numbers for each
lesion that is irradiated, and a cell of systemic effect. The courses of the one with the greatest
bound are explored lesion by lesion and day by day (`labels`), ever more finely, and joined
(`combine`); where there are too many and a split lowers the bound, it is split. What is never
explored keeps its bound.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from abscopt.optimizer.answer import Answer
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.schedule import standard_schedule
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.bounds.bounding import Bounding
from abscopt.optimizer.search.free.branch import divided, split
from abscopt.optimizer.search.free.combine import combined
from abscopt.optimizer.search.free.days.dominance import Precision
from abscopt.optimizer.search.free.improve import Improver
from abscopt.optimizer.search.free.node import Node
from abscopt.optimizer.search.free.plans import Plans
from abscopt.optimizer.search.tree import Tree
from abscopt.optimizer.solved import Solved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.progress import Clock

SAFETY = 1e-9
"""Objective that rounding of the bounds may cost: sums of some hundred doubles of size 1e3."""


def solve_free(candidates: Candidates, judge: Judge, gap: float, seed: int, clock: Clock) -> Solved:
    """Best schedule of a case that `scope.applies` covers, with a bound within `gap` of it.

    Stops early when the clock says so; the bound is then that of what was left open, None while
    some plan has none.
    """
    search = Search(candidates, judge, gap, seed, clock)
    in_hand, standard = search.in_hand, standard_schedule(candidates.instance)
    if standard is not None:
        search.improver.take(standard)
    with suppress(Stopped):
        search.run()
    bound = search.tree.proved
    claimed = None if in_hand.evaluation is None else in_hand.evaluation.objective
    return Solved(
        schedule=in_hand.schedule,
        claimed=claimed,
        bound=bound if math.isfinite(bound) else None,
        infeasible=in_hand.schedule is None and bound == -math.inf,
        second_stage="none (free courses)",
        best_objective=claimed,
        errors={"joined_partial_courses": in_hand.relaxation_error},
        nodes=in_hand.nodes,
        columns=in_hand.columns,
        plans=len(candidates.plans),
        by_days=True,
    )


class Search:
    """Roots, and the order in which their nodes are examined.

    Attributes
    ----------
    in_hand : the best judged schedule so far
    unbounded : plans that have no bound yet
    waiting : nodes of plans with a rough bound only
    dived : plans in which good courses were searched
    """

    def __init__(self, candidates: Candidates, judge: Judge, gap: float, seed: int, clock: Clock):
        self.clock, self.in_hand, self.plans = clock, Answer(), Plans(candidates)
        self.in_hand.columns = len(self.plans.columns)
        self.tree: Tree[Node] = Tree(
            lambda: self.in_hand.value, gap, self._bounds_of_waiting, margin=SAFETY
        )
        self.improver = Improver(self.plans, judge, self.in_hand, self.tree, seed, clock)
        self.bounding = Bounding(self.plans, self.tree, clock)
        self.unbounded: set[PlanId] = set(candidates.plan_ids)
        self.waiting: dict[PlanId, Node] = {}
        self.dived: set[PlanId] = set()

    def _bounds_of_waiting(self) -> Iterable[float]:
        return [*(math.inf for _ in self.unbounded), *(n.bound for n in self.waiting.values())]

    def stopped(self) -> bool:
        """Whether the clock says so; tells it how far the search is."""
        self.tree.report(self.clock, "free course", self.in_hand.nodes)
        return self.clock.expired

    def stop(self) -> bool:
        """Whether to stop."""
        return self.clock.expired

    def run(self) -> None:
        """Bound all plans, then split and explore until nothing open is above the threshold."""
        for plan in sorted(self.unbounded):
            self.improver.take_nothing(plan)
            if self.in_hand.schedule is not None:
                break
        before: Node | None = None
        for plan in sorted(self.unbounded):
            if self.stopped():
                return
            rough = self.bounding.rough(plan, before)
            if rough is not None:
                self.waiting[plan] = before = rough
                self.improver.climb(rough)
            self.unbounded.discard(plan)
        for plan in sorted(self.waiting, key=lambda plan: (-self.waiting[plan].bound, plan)):
            if self.stopped():
                return
            self._push(self._root(self.waiting[plan]))
            del self.waiting[plan]
        while (node := self.tree.take()) is not None:
            if self.stopped():
                return
            self.in_hand.nodes += 1
            self._examine(self.plans.of(node.plan).current(node))

    def _push(self, node: Node) -> None:
        self.tree.push(node, node.bound)

    def _root(self, node: Node) -> Node:
        """The node of a whole plan, bounded well; looks for good courses of it."""
        if node.bound > self.tree.threshold:
            node = self.bounding.priced(node.plan, node.domain, node)
            node = self.bounding.with_rows(node, settings.CURRENT.root_rows, afresh=True)
            self.improver.climb(node)
        return node

    def _examine(self, node: Node) -> None:
        """Close a node, or push its parts.

        Raises
        ------
        Stopped
            While the node is in hand.
        """
        subdomains = split(node.domain, node.lagrangian, node.bound - self.tree.threshold)
        further = subdomains or divided(node.domain, node.lagrangian)
        limit = settings.CURRENT.few_labels if subdomains else settings.CURRENT.labels
        if self._explored(node, limit, divisible=bool(further)):
            return
        planned = self.plans.of(node.plan)
        if node.plan not in self.dived and len(self.dived) < settings.CURRENT.searched:
            self.dived.add(node.plan)
            self.improver.dive(node)
        if self.clock.expired:
            raise Stopped
        children = []
        for domain in further:
            parent = planned.current(node)
            child = self.bounding.priced(node.plan, domain.under(planned.problem), parent)
            children.append(self.bounding.with_rows(child, settings.CURRENT.node_rows))
        self.improver.climb(max(children, key=lambda child: child.bound))
        for child in children:
            self._push(child)

    def _explored(self, node: Node, limit: int, *, divisible: bool) -> bool:
        """Close a node by exploring its courses; False where it must be split, or out of time."""
        planned = self.plans.of(node.plan)
        number = len(planned.oracles)
        tolerance, width = 0.25 * self.tree.gap / number, 1e-3 / number
        bound = node.bound
        limit = limit if number == 1 else min(limit, settings.CURRENT.fair_labels)
        apart: Literal["no", "days", "doses"] = "no"
        for turn in range(settings.CURRENT.finest):
            if number > 1 and turn >= settings.CURRENT.apart_from:
                apart = "days" if turn + 1 < settings.CURRENT.finest else "doses"
            precision = Precision(
                tolerance, width, 10.0 * width, limit, "stop" if divisible else "join", apart
            )
            schedules = combined(
                planned.schedules, node.lagrangian, self.tree.threshold, precision, self.stop
            )
            if schedules is None:
                if divisible or self.clock.expired:
                    return False
                break
            best = self.improver.polish(
                node, schedules.courses, schedules.rows[: settings.CURRENT.judged], worse=False
            )
            if math.isfinite(best):
                added = max(0.0, schedules.bound - best)
                self.in_hand.relaxation_error = max(self.in_hand.relaxation_error, added)
            bound = min(schedules.bound, bound)
            if bound <= self.tree.threshold:
                break
            tolerance, width = tolerance * settings.CURRENT.finer, width * settings.CURRENT.finer
        else:
            if divisible:
                return False
        self.tree.close(bound)
        return True
