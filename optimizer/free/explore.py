"""Exact search for cases with one free course: plans, spans of courses, partial courses.

All plans are bounded first. A node is a plan, a range of kill and a range of fraction numbers. The
courses of the one with the greatest bound are explored day by day (`labels`), ever more finely;
where there are too many and a split lowers the bound, it is split. What is never explored keeps
its bound.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.flows import flows_of
from abscopt.optimizer.free.courses import improved, values
from abscopt.optimizer.free.dual import Span
from abscopt.optimizer.free.labels import Precision, explored
from abscopt.optimizer.free.multipliers import Pool, Priced, priced, value_of
from abscopt.optimizer.free.suffix import Stage, stages_of
from abscopt.optimizer.free.terms import Terms, terms_of
from abscopt.optimizer.programme.single import Answer
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule, standard_schedule

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.flows import Flow
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.free.dual import Value
    from abscopt.optimizer.progress import Clock

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COARSE_PATTERNS = 2
FINE_PATTERNS = 0.5
"""Patterns of days: coarse per course day, fine per pair of them."""
ROUGH_ROUNDS = 12
SAFETY = 1e-9
BEAM = 300
DIVE = 0.2
"""Partial courses kept when looking for good ones, and the part of the gap at which they join."""
SEARCHED = 4
POLISHED = 3
JUDGED = 40
NARROW = 0.02
LOOSE = 0.3
FRACTIONAL = 0.02
FEW_LABELS = 4_000
LABELS = 60_000
FINER = 0.3
FINEST = 6


@dataclass
class Planned:
    """One plan with what is computed once for it.

    `coarse` stages join patterns of days more than `fine` ones, which come when they are needed.
    """

    terms: Terms
    coarse: list[Stage]
    value: Value
    pool: Pool

    @cached_property
    def fine(self) -> list[Stage]:
        """Stages for the bounds that count."""
        days = len(self.terms.days)
        return stages_of(self.terms, FINE_PATTERNS * days * days)

    @property
    def end(self) -> Stage:
        """After the last course day."""
        return self.coarse[-1]


@dataclass(frozen=True)
class Node:
    """Courses of one plan in the span of `value`."""

    plan: int
    value: Value
    priced: Priced


def solve_free(candidates: Candidates, judge: Judge, gap: float, seed: int, clock: Clock) -> Answer:
    """Best schedule of a case that `scope.applies` covers, with a bound within `gap` of it.

    Stops early when the clock says so; the bound is then that of what was left open, None while
    some plan has none.
    """
    search = Search(candidates, judge, gap, seed, clock)
    standard = standard_schedule(candidates.instance)
    if standard is not None:
        search.take(standard)
    search.run()
    answer, bound = search.answer, search.proved()
    answer.infeasible = answer.schedule is None and bound == -math.inf
    answer.bound = float(bound) if math.isfinite(bound) else None
    return answer


class Search:
    """Incumbent, open nodes and what is proved of the rest."""

    def __init__(self, candidates: Candidates, judge: Judge, gap: float, seed: int, clock: Clock):
        self.candidates, self.judge, self.gap, self.clock = candidates, judge, gap, clock
        self.rng = np.random.default_rng(seed)
        self.answer = Answer()
        self.columns: Columns = columns_of(candidates, by_day=True)
        self.flow: Flow | None = flows_of(candidates, self.columns).get(candidates.free[0])
        self.planned: dict[int, Planned] = {}
        self.open: list[tuple[float, int, Node]] = []
        self.closed = -math.inf
        self.waiting: dict[int, Node] = {}
        self.unbounded: set[int] = set(range(len(candidates.plans)))
        self.serial = 0
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
            terms = terms_of(self.candidates, self.columns, self.flow, plan)
            coarse = stages_of(terms, COARSE_PATTERNS * len(terms.days))
            value = value_of(terms, coarse, self.candidates.instance)
            pool = Pool.of(terms, coarse[-1], np.zeros((0, len(terms.days)), dtype=np.int64))
            self.planned[plan] = Planned(terms, coarse, value, pool)
        return self.planned[plan]

    def offer(self, planned: Planned, course: IntArray) -> None:
        """Judge a course and keep it if it is better."""
        if self.take(self.schedule(planned.terms, course)):
            planned.pool.add(course)

    def schedule(self, terms: Terms, course: IntArray) -> Schedule:
        """The schedule of a course under its plan."""
        lesion = self.candidates.instance.lesions[self.candidates.free[0]]
        way = lesion.ways[0].name
        fractions = [
            Fraction(int(day), lesion.name, float(terms.dose[action]), 0, way)
            for day, action in zip(terms.days, course, strict=True)
            if action > 0
        ]
        doses = self.candidates.plans[terms.plan].doses
        return Schedule.of(fractions, [Infusion(day, drug, mg) for drug, day, mg in doses])

    def take(self, schedule: Schedule) -> bool:
        """Judge a schedule and keep it if it is better; whether the limits are kept."""
        verdict = self.judge.evaluate(schedule)
        if verdict.feasible and verdict.objective > self.answer.value:
            self.answer.schedule, self.answer.evaluation = schedule, verdict
        return verdict.feasible

    def polish(self, planned: Planned, courses: IntArray) -> None:
        """Offer the best of some courses, improved by exchanges."""
        if not len(courses):
            return
        found = values(planned.terms, planned.end, planned.value, courses)
        for at in np.argsort(-found, kind="stable")[:POLISHED]:
            if not math.isfinite(found[at]):
                break
            course, _ = improved(
                planned.terms, planned.end, planned.value, courses[at], float(found[at]), self.rng
            )
            self.offer(planned, course)

    def push(self, node: Node) -> None:
        """Keep a node open, or close it for good."""
        if node.priced.bound <= self.threshold:
            self.closed = max(self.closed, node.priced.bound)
            return
        self.serial += 1
        heapq.heappush(self.open, (-node.priced.bound, self.serial, node))

    def proved(self) -> float:
        """No schedule is better; infinite while some plan has no bound."""
        if self.unbounded:
            return math.inf
        top = -self.open[0][0] if self.open else -math.inf
        top = max([top, *(node.priced.bound for node in self.waiting.values())])
        return max(self.answer.value, self.closed, top) + SAFETY

    def run(self) -> None:
        """Bound all plans, then split and explore until nothing open is above the threshold."""
        for plan in sorted(self.unbounded):
            planned = self.plan(plan)
            self.take(self.schedule(planned.terms, planned.pool.courses[0]))
            if self.answer.schedule is not None:
                break
        before: Node | None = None
        for plan in sorted(self.unbounded):
            if self.stopped():
                return
            before = self._bounded(plan, before)
        order = sorted(self.waiting, key=lambda plan: (-self.waiting[plan].priced.bound, plan))
        for rank, plan in enumerate(order):
            if self.stopped():
                return
            self._begin(self.waiting[plan], rank)
            del self.waiting[plan]
        while self.open and -self.open[0][0] > self.threshold:
            self.answer.bound = self.proved()
            if self.stopped():
                return
            _, serial, node = heapq.heappop(self.open)
            self.answer.nodes += 1
            rest = self._examined(node)
            if rest is None:  # stopped on the way
                heapq.heappush(self.open, (-node.priced.bound, serial, node))
                return
            for child in rest:
                self.push(child)

    def _bounded(self, plan: int, before: Node | None) -> Node | None:
        """A first bound of a plan, with the prices and courses of the one before to begin with."""
        planned = self.plan(plan)
        terms, value = planned.terms, planned.value
        if not ((terms.room < 0).any() or terms.alc_room < 0):
            first = None
            if before is not None:
                first = before.priced.slopes
                if len(first.load) != len(terms.room):
                    first = None
                courses = self.plan(before.plan).pool.courses
                planned.pool = Pool.of(terms, planned.end, courses)
            known = self.answer.value + self.gap if self.answer.schedule is not None else -math.inf
            rough = priced(
                terms, planned.coarse, value, planned.pool, self.clock_expired, known,
                ROUGH_ROUNDS, first,
            )  # fmt: skip
            self.waiting[plan] = Node(plan, value, rough)
            if before is None:
                self.dive(self.waiting[plan], coarse=True)
            before = self.waiting[plan]
        self.unbounded.discard(plan)
        return before

    def _begin(self, node: Node, rank: int) -> None:
        """Look for good courses of a plan, and bound it well."""
        if node.priced.bound > self.threshold:
            if rank < SEARCHED:
                self.dive(node, coarse=True)
            node = self._priced(node.plan, node.value, node)
        self.push(node)

    def clock_expired(self) -> bool:
        """Whether to stop."""
        return self.clock.expired

    def dive(self, node: Node, *, coarse: bool = False) -> None:
        """Good courses of a node: the most promising partial ones only, then exchanges."""
        planned = self.plan(node.plan)
        precision = Precision(DIVE * self.gap, 1e-3, 1e-2, BEAM, "drop")
        found = explored(
            planned.terms,
            planned.coarse if coarse else planned.fine,
            [node.priced.completion], node.value, -math.inf,
            precision, self.clock_expired,
        )  # fmt: skip
        if found is not None:
            self.polish(planned, found.courses)

    def _examined(self, node: Node) -> list[Node] | None:
        """Parts of a node that are still open; None when stopped."""
        parts = self._parts(node)
        if self._explored(node, bool(parts)):
            return []
        if self.clock.expired:
            return None
        found = []
        for span in parts:
            child = self._priced(node.plan, node.value.within(span), node)
            if child.priced.bound > self.threshold:
                self.dive(child)
            found.append(child)
        return found

    def _priced(self, plan: int, value: Value, parent: Node) -> Node:
        planned = self.plan(plan)
        found = priced(
            planned.terms, planned.fine, value, planned.pool, self.clock_expired, self.threshold,
            first=parent.priced.slopes,
        )  # fmt: skip
        if found.bound > parent.priced.bound:
            found = parent.priced
        return Node(plan, value, found)

    def _parts(self, node: Node) -> list[Span]:
        """Spans into which a node is split; none if that would not lower its bound."""
        span, mixture = node.value.span, node.priced.mixture
        (low, high), (few, many) = span.kill, span.count
        whole = math.floor(mixture.count + 1e-6)
        if few < many and (mixture.count - whole > FRACTIONAL or few < whole < many):
            whole = min(max(whole, few), many - 1)
            return [Span(span.kill, (few, whole)), Span(span.kill, (whole + 1, many))]
        kill, effect = mixture.kill, mixture.effect
        price, load = node.priced.completion.prices, self.plan(node.plan).terms.room
        stated = price.constant - price.load @ load
        stated += kill @ price.kill + effect @ price.effect
        loose = float(stated - node.value(kill[None, :], effect[None, :])[0])
        if high - low < NARROW or loose <= LOOSE * (node.priced.bound - self.threshold):
            return []
        edge = 0.1 * (high - low)
        middle = min(max(float(kill[-1]), low + edge), high - edge)
        return [Span((low, middle), span.count), Span((middle, high), span.count)]

    def _explored(self, node: Node, divisible: bool) -> bool:
        """Close a node by exploring its courses; False where it must be split, or out of time."""
        planned = self.plan(node.plan)
        tolerance, width = 0.25 * self.gap, 1e-3
        bound = node.priced.bound
        for _ in range(FINEST):
            precision = Precision(
                tolerance,
                width,
                10.0 * width,
                FEW_LABELS if divisible else LABELS,
                "stop" if divisible else "join",
            )
            found = explored(
                planned.terms, planned.fine, [node.priced.completion], node.value,
                self.threshold, precision, self.clock_expired,
            )  # fmt: skip
            if found is None or found.bound == math.inf:
                return False
            exact = values(planned.terms, planned.end, planned.value, found.courses[:JUDGED])
            best = float(exact.max(initial=-math.inf))
            if best > self.answer.value:
                self.polish(planned, found.courses[:JUDGED])
            if math.isfinite(best):
                added = max(0.0, found.bound - best)
                self.answer.relaxation_error = max(self.answer.relaxation_error, added)
            bound = min(found.bound, bound)
            if bound <= self.threshold:
                break
            tolerance, width = tolerance * FINER, width * FINER
        self.closed = max(self.closed, bound)
        return True
