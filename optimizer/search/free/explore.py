"""Exact search for cases with free courses: plans, spans of courses, partial courses.

All plans are bounded first. A node is a plan, a range of kill and of fraction numbers for each
lesion that is irradiated, and a cell of systemic effect. The courses of the one with the greatest
bound are explored lesion by lesion and day by day (`labels`), ever more finely, and joined
(`combine`); where there are too many and a split lowers the bound, it is split. What is never
explored keeps its bound.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.answer import Answer
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.flows import flows_of
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.schedule import Infusion, Schedule, standard_schedule
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.branch import divided, split
from abscopt.optimizer.search.free.combine import combined, most_promising
from abscopt.optimizer.search.free.cuts import SharedDays
from abscopt.optimizer.search.free.days.dominance import Precision
from abscopt.optimizer.search.free.lesion_oracles import FreeOracle, MenuOracle
from abscopt.optimizer.search.free.multipliers import NodeBound, lagrangian_bound
from abscopt.optimizer.search.free.node import Node, Planned
from abscopt.optimizer.search.free.objective import Multipliers, NodeDomain
from abscopt.optimizer.search.free.oracle import LesionOracle
from abscopt.optimizer.search.free.pool import Pool
from abscopt.optimizer.search.free.problem import chemo_factor, plan_problem_of, terms_of
from abscopt.optimizer.search.free.ranges import bounds_of, narrower, tightened
from abscopt.optimizer.search.free.schedules import Schedules
from abscopt.optimizer.search.join import every_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.free.days.courses import Courses


MIXED, PRICED = 1e-6, 1e-6
"""Weights and duals at or below it are rounding of the solver, whose tolerance is 1e-7."""
SAFETY = 1e-9
"""Objective that rounding of the bounds may cost: sums of some hundred doubles of size 1e3."""


def solve_free(candidates: Candidates, judge: Judge, gap: float, seed: int, clock: Clock) -> Answer:
    """Best schedule of a case that `scope.applies` covers, with a bound within `gap` of it.

    Stops early when the clock says so; the bound is then that of what was left open, None while
    some plan has none.
    """
    search = Search(candidates, judge, gap, seed, clock)
    standard = standard_schedule(candidates.instance)
    if standard is not None:
        search.take(standard)
    answer = search.answer
    try:
        search.run()
    except Stopped:
        if answer.bound is None:  # no node has been taken from those that are open
            bound = search.proved()
            answer.bound = float(bound) if math.isfinite(bound) else None
        return answer  # else within a node that is open no more: what was proved before it holds
    bound = search.proved()
    answer.infeasible = answer.schedule is None and bound == -math.inf
    answer.bound = float(bound) if math.isfinite(bound) else None
    return answer


class Search:
    """Incumbent, open nodes and what is proved of the rest."""

    def __init__(self, candidates: Candidates, judge: Judge, gap: float, seed: int, clock: Clock):
        self.candidates, self.judge, self.gap, self.clock = candidates, judge, gap, clock
        self.rng = np.random.default_rng(seed)
        self.answer = Answer()
        self.columns = columns_of(candidates, by_day=True)
        self.flows = flows_of(candidates, self.columns)
        self.planned: dict[int, Planned] = {}
        self.open: list[tuple[float, int, Node]] = []
        self.closed = -math.inf
        self.waiting: dict[int, Node] = {}
        self.unbounded: set[int] = set(range(len(candidates.plans)))
        self.serial, self.dived = 0, set[int]()
        self.answer.columns = len(self.columns)

    def stopped(self) -> bool:
        """Whether the clock says so; tells it how far the search is."""
        answer = self.answer
        self.clock.report("free course", None if answer.evaluation is None else answer.value,
                          answer.bound)  # fmt: skip
        return self.clock.expired

    @property
    def threshold(self) -> float:
        """Nothing at or below it needs to be looked at."""
        return self.answer.value + self.gap - SAFETY

    def plan(self, plan: int) -> Planned:
        """A plan's numbers."""
        if plan not in self.planned:
            candidates, instance = self.candidates, self.candidates.instance
            problem = plan_problem_of(candidates, self.columns, plan)
            tables = {table.menu.lesion: s for s, table in enumerate(candidates.lesions)}
            oracles: list[LesionOracle] = []
            for i in problem.irradiated:
                if i in tables:
                    chemo = chemo_factor(candidates, plan)
                    oracles.append(MenuOracle(candidates, problem, tables[i], chemo))
                else:
                    terms = terms_of(candidates, self.columns, self.flows.get(i), problem, i)
                    oracles.append(FreeOracle(terms, instance.lesions[i], instance.days))
            domain = NodeDomain(instance, problem, tuple(oracles))
            schedules = Schedules(candidates, problem, tuple(oracles), domain)
            shared = SharedDays(candidates, schedules)
            self.planned[plan] = Planned(problem, tuple(oracles), domain, schedules, shared)
        return self.planned[plan]

    def offer(self, planned: Planned, row: Sequence[IntArray]) -> None:
        """Judge a course of each lesion and keep them if they are better."""
        if self.take(self.schedule(planned, row)):
            planned.known.append(row)

    def schedule(self, planned: Planned, row: Sequence[IntArray]) -> Schedule:
        """The schedule of a course of each lesion under its plan."""
        fractions = [
            fraction
            for oracle, course in zip(planned.oracles, row, strict=True)
            for fraction in oracle.fractions(course)
        ]
        doses = self.candidates.plans[planned.problem.plan].doses
        return Schedule.of(fractions, [Infusion(day, drug, mg) for drug, day, mg in doses])

    def take(self, schedule: Schedule) -> bool:
        """Judge a schedule and keep it if it is better; whether the limits are kept."""
        verdict = self.judge.evaluate(schedule)
        self.answer.take(schedule, verdict)
        return verdict.feasible

    def polish(
        self,
        node: Node,
        courses: Sequence[Courses],
        rows: IntArray,
        limit: int | None = None,
        *,
        worse: bool = True,
    ) -> float:
        """Offer the best of some rows, improved by exchanges; their objective before those.

        No more of them once the node's bound is reached.

        Parameters
        ----------
        rows : (n, P) places among the courses of each lesion
        worse : whether rows that are no better than the answer are improved too
        """
        planned = self.plan(node.plan)
        schedules, first = planned.schedules, -math.inf
        exact, good = [], np.ones(len(rows), dtype=bool)
        for s, (oracle, lot) in enumerate(zip(planned.oracles, courses, strict=True)):
            known, fine = oracle.of(lot.actions)
            exact.append(known)
            good &= fine[rows[:, s]]
        rows = rows[good]
        for _ in range(settings.CURRENT.polished if limit is None else limit):
            best_row = schedules.best(exact, rows, -math.inf)
            if best_row is None:
                break
            row = [lot.actions[k] for lot, k in zip(exact, rows[best_row[0]], strict=True)]
            rows = np.delete(rows, best_row[0], axis=0)
            first = max(first, best_row[1])
            if worse or best_row[1] > self.answer.value:
                self.offer(planned, row)
                begun = b"".join(lot.tobytes() for lot in row)
                if node.bound > self.threshold and begun not in planned.begun:
                    planned.begun.add(begun)
                    row, _ = schedules.improved(row, best_row[1], self.rng, self.clock_expired)
                    self.offer(planned, row)
            if node.bound <= self.threshold:
                break
        return first

    def push(self, node: Node) -> None:
        """Keep a node open, or close it for good."""
        if node.bound <= self.threshold:
            self.closed = max(self.closed, node.bound)
            return
        self.serial += 1
        heapq.heappush(self.open, (-node.bound, self.serial, node))

    def proved(self) -> float:
        """No schedule is better; infinite while some plan has no bound."""
        if self.unbounded:
            return math.inf
        top = -self.open[0][0] if self.open else -math.inf
        top = max([top, *(node.bound for node in self.waiting.values())])
        return max(self.answer.value, self.closed, top) + SAFETY

    def run(self) -> None:
        """Bound all plans, then split and explore until nothing open is above the threshold."""
        for plan in sorted(self.unbounded):
            planned = self.plan(plan)
            self.take(self.schedule(planned, [oracle.nothing[0] for oracle in planned.oracles]))
            if self.answer.schedule is not None:
                break
        before: Node | None = None
        for plan in sorted(self.unbounded):
            if self.stopped():
                return
            before = self._bounded(plan, before)
        order = sorted(self.waiting, key=lambda plan: (-self.waiting[plan].bound, plan))
        for plan in order:
            if self.stopped():
                return
            self._begin(self.waiting[plan])
            del self.waiting[plan]
        while self.open and -self.open[0][0] > self.threshold:
            self.answer.bound = self.proved()
            if self.stopped():
                return
            _, serial, node = heapq.heappop(self.open)
            node = self.plan(node.plan).current(node)
            self.answer.nodes += 1
            children = self._examined(node)
            if children is None:  # stopped on the way
                heapq.heappush(self.open, (-node.bound, serial, node))
                return
            for child in children:
                self.push(child)

    def _bounded(self, plan: int, before: Node | None) -> Node | None:
        """A first bound of a plan, with the prices and courses of the one before to begin with."""
        planned = self.plan(plan)
        problem, domain = planned.problem, planned.domain
        if not ((problem.rhs < 0).any() or problem.alc_allowance < 0):
            first, pool = None, Pool(planned.oracles)
            if before is not None:
                first = before.lagrangian.multipliers
                if len(first.load) != len(problem.rhs):  # rows of shared days come later
                    first = None
                pool = before.lagrangian.pool.renewed(planned.oracles, exact=True)
            floor = -math.inf if self.answer.schedule is None else self.threshold
            rough = lagrangian_bound(
                domain, planned.oracles, pool, self.clock_expired, floor,
                settings.CURRENT.rough_rounds, first, fine=False,
            )  # fmt: skip
            self.waiting[plan] = before = Node(plan, domain, rough, rough.bound)
            self.climb(before)
        self.unbounded.discard(plan)
        return before

    def _begin(self, node: Node) -> None:
        """Bound a plan well and look for good courses of it."""
        if node.bound > self.threshold:
            node = self._priced(node.plan, node.domain, node)
            node = self._cut(node, settings.CURRENT.root_rows, afresh=True)
            self.climb(node)
        self.push(node)

    def _cut(self, node: Node, rounds: int, *, afresh: bool = False) -> Node:
        """Bound a node with rows for shared days, as long as what is mixed breaks them.

        `afresh` drops rows that have no price; no other node of the plan may be kept then.
        """
        planned = self.plan(node.plan)
        for _ in range(rounds):
            before = node.bound
            if before <= self.threshold or self.clock.expired:
                break
            violated = planned.shared.violated(
                node.lagrangian.pool, node.lagrangian.mixture.weights
            )
            if (
                not violated
                or len(planned.shared_rows) + len(violated) > settings.CURRENT.most_rows
            ):
                break
            if afresh:
                organ_rows, load = len(planned.shared.rhs), node.lagrangian.multipliers.load
                used = np.flatnonzero(load[organ_rows:] > PRICED)
                load = np.concatenate(
                    [load[:organ_rows], load[organ_rows + used], np.zeros(len(violated))]
                )
                planned.set_shared_rows((*(planned.shared_rows[i] for i in used), *violated))
                first = replace(node.lagrangian.multipliers, load=load)
                domain = node.domain.under(planned.problem)
                lagrangian = self._prices(node.plan, domain, node.lagrangian, first, afresh=True)
                node = Node(node.plan, domain, lagrangian, min(node.bound, lagrangian.bound))
            else:
                planned.set_shared_rows((*planned.shared_rows, *violated))
                node = planned.current(node)
                node = self._priced(node.plan, node.domain, node)
            if before - node.bound < settings.CURRENT.rows_gain * (before - self.threshold):
                break
        return node

    def clock_expired(self) -> bool:
        """Whether to stop."""
        return self.clock.expired

    def climb(self, node: Node) -> None:
        """The best of what the master mixes, improved by exchanges."""
        if node.bound <= self.threshold:
            return
        each = [np.append(0, np.flatnonzero(w > MIXED)) for w in node.lagrangian.mixture.weights]
        rows = every_row([np.unique(places) for places in each])
        self.polish(node, node.lagrangian.pool.courses, rows[: settings.CURRENT.promising], 1)

    def dive(self, node: Node) -> None:
        """Good courses of a node: the most promising partial ones only, then exchanges."""
        if node.bound <= self.threshold:
            return
        planned = self.plan(node.plan)
        precision = Precision(
            settings.CURRENT.dive * self.gap, 1e-3, 1e-2, settings.CURRENT.beam, "drop"
        )
        promising = most_promising(
            planned.schedules,
            node.lagrangian,
            precision,
            settings.CURRENT.promising,
            self.clock_expired,
        )
        if promising is not None:
            self.polish(node, *promising)

    def _examined(self, node: Node) -> list[Node] | None:
        """Parts of a node that are still open; None when stopped."""
        subdomains = split(node.domain, node.lagrangian, node.bound - self.threshold)
        further = subdomains or divided(node.domain, node.lagrangian)
        if self._explored(
            node,
            settings.CURRENT.few_labels if subdomains else settings.CURRENT.labels,
            divisible=bool(further),
        ):
            return []
        planned = self.plan(node.plan)
        if node.plan not in self.dived and len(self.dived) < settings.CURRENT.searched:
            self.dived.add(node.plan)
            self.dive(node)
        if self.clock.expired:
            return None
        children = []
        for domain in further:
            parent = planned.current(node)
            child = self._priced(node.plan, domain.under(planned.problem), parent)
            children.append(self._cut(child, settings.CURRENT.node_rows))
        self.climb(max(children, key=lambda child: child.bound))
        return children

    def _priced(self, plan: int, domain: NodeDomain, parent: Node) -> Node:
        """A node within another: its ranges are tightened and priced as long as that tells."""
        lagrangian, bound = parent.lagrangian, parent.bound
        for _ in range(settings.CURRENT.tightened):
            before = domain
            tight, closed = tightened(domain, lagrangian.tried, self.threshold)
            self.closed = max(self.closed, closed)
            if tight is None:
                return Node(plan, domain, lagrangian, closed)
            domain = tight
            if lagrangian is not parent.lagrangian and not narrower(domain, before):
                break
            bounds = bounds_of(domain, lagrangian.tried)
            best = int(bounds.argmin())
            bound = min(bound, float(bounds[best]))
            first = lagrangian.tried[best].multipliers
            lagrangian = self._prices(plan, domain, lagrangian, first)
            bound = min(bound, lagrangian.bound)
            if bound <= self.threshold or self.clock.expired:
                break
        return Node(plan, domain, lagrangian, bound)

    def _prices(
        self,
        plan: int,
        domain: NodeDomain,
        parent: NodeBound,
        first: Multipliers,
        *,
        afresh: bool = False,
    ) -> NodeBound:
        """Fine prices of a node within another, with its courses."""
        planned = self.plan(plan)
        exact = not all(oracle_bound.fine for oracle_bound in parent.oracle_bounds)
        pool = parent.pool.renewed(planned.oracles, exact=exact)
        pool.offer(planned.known)
        pool.restrict(domain.spans)
        before = () if afresh else parent.tried
        return lagrangian_bound(
            domain, planned.oracles, pool, self.clock_expired, self.threshold, first=first,
            before=before,
        )  # fmt: skip

    def _explored(self, node: Node, limit: int, *, divisible: bool) -> bool:
        """Close a node by exploring its courses; False where it must be split, or out of time."""
        planned = self.plan(node.plan)
        number = len(planned.oracles)
        tolerance, width = 0.25 * self.gap / number, 1e-3 / number
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
                planned.schedules, node.lagrangian, self.threshold, precision, self.clock_expired
            )
            if schedules is None:
                if divisible or self.clock.expired:
                    return False
                break
            best = self.polish(
                node, schedules.courses, schedules.rows[: settings.CURRENT.judged], worse=False
            )
            if math.isfinite(best):
                added = max(0.0, schedules.bound - best)
                self.answer.relaxation_error = max(self.answer.relaxation_error, added)
            bound = min(schedules.bound, bound)
            if bound <= self.threshold:
                break
            tolerance, width = tolerance * settings.CURRENT.finer, width * settings.CURRENT.finer
        else:
            if divisible:
                return False
        self.closed = max(self.closed, bound)
        return True
