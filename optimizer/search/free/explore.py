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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.answer import Answer
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.flows import flows_of
from abscopt.optimizer.progress import Stopped
from abscopt.optimizer.schedule import Infusion, Schedule, standard_schedule
from abscopt.optimizer.search.free.branch import divided, split
from abscopt.optimizer.search.free.combine import combined, most_promising
from abscopt.optimizer.search.free.cuts import Cut, SharedDays
from abscopt.optimizer.search.free.days.labels import Precision
from abscopt.optimizer.search.free.days.terms import chemo_factor, terms_of, whole_of
from abscopt.optimizer.search.free.multipliers import Priced, priced
from abscopt.optimizer.search.free.objective import Slopes, Value
from abscopt.optimizer.search.free.part import Part
from abscopt.optimizer.search.free.parts import FreePart, MenuPart
from abscopt.optimizer.search.free.pool import Pool
from abscopt.optimizer.search.free.ranges import bounds_of, narrower, tightened
from abscopt.optimizer.search.free.schedules import Schedules
from abscopt.optimizer.search.join import every_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.free.days.courses import Courses
    from abscopt.optimizer.search.free.days.terms import Whole


ROUGH_ROUNDS = 12
MIXED = 1e-6
SAFETY = 1e-9
BEAM = 200
DIVE = 0.2
"""Partial courses kept when looking for good ones, and the part of the gap at which they join."""
SEARCHED = 4
POLISHED = 2
JUDGED = 40
PROMISING = 40_000
FEW_LABELS = 4_000
FAIR_LABELS = 20_000
LABELS = 60_000
FINER = 0.3
FINEST = 6
ROOT_ROUNDS, NODE_ROUNDS = 12, 2
MOST_CUTS = 80
PRICED = 1e-6
TIGHTENED = 6
APART = 2
WORTH_A_CUT = 0.05


@dataclass
class Planned:
    """One plan with what is computed once for it.

    `known` are rows of courses that keep the limits, `begun` those that were improved.
    """

    whole: Whole
    parts: tuple[Part, ...]
    value: Value
    schedules: Schedules
    shared: SharedDays
    cuts: tuple[Cut, ...] = ()
    known: list[Sequence[IntArray]] = field(default_factory=list)
    begun: set[bytes] = field(default_factory=set)

    def obey(self, cuts: tuple[Cut, ...]) -> None:
        """Rows of shared days instead of those before."""
        self.cuts = cuts
        room = np.append(self.shared.room, [one.right for one in cuts])
        self.whole = replace(self.whole, room=room)
        for s, part in enumerate(self.parts):
            part.obey([one.load[s] for one in cuts], room)
        self.value = self.value.under(self.whole)
        self.schedules.whole = self.whole

    def current(self, node: Node) -> Node:
        """A node with all rows; those that came after it have no price."""
        new = len(self.whole.room) - len(node.value.whole.room)
        if not new:
            return node
        found = node.priced
        looks = tuple(look.with_rows(new) for look in found.looks)
        tried = tuple(one.with_rows(new) for one in found.tried)
        value = node.value.under(self.whole)
        found = replace(found, slopes=found.slopes.with_rows(new), looks=looks, tried=tried)
        return Node(node.plan, value, found, node.bound)


@dataclass(frozen=True)
class Node:
    """Schedules of one plan in the spans and the cell of `value`; none is above `bound`."""

    plan: int
    value: Value
    priced: Priced
    bound: float


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
            whole = whole_of(candidates, self.columns, plan)
            tables = {table.menu.lesion: s for s, table in enumerate(candidates.lesions)}
            parts: list[Part] = []
            for i in whole.parts:
                if i in tables:
                    chemo = chemo_factor(candidates, plan)
                    parts.append(MenuPart(candidates, whole, tables[i], chemo))
                else:
                    terms = terms_of(candidates, self.columns, self.flows.get(i), whole, i)
                    parts.append(FreePart(terms, instance.lesions[i], instance.days))
            value = Value(instance, whole, tuple(parts))
            schedules = Schedules(candidates, whole, tuple(parts), value)
            shared = SharedDays(candidates, schedules)
            self.planned[plan] = Planned(whole, tuple(parts), value, schedules, shared)
        return self.planned[plan]

    def offer(self, planned: Planned, row: Sequence[IntArray]) -> None:
        """Judge a course of each part and keep them if they are better."""
        if self.take(self.schedule(planned, row)):
            planned.known.append(row)

    def schedule(self, planned: Planned, row: Sequence[IntArray]) -> Schedule:
        """The schedule of a course of each part under its plan."""
        fractions = [
            fraction
            for part, course in zip(planned.parts, row, strict=True)
            for fraction in part.fractions(course)
        ]
        doses = self.candidates.plans[planned.whole.plan].doses
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
        most: int = POLISHED,
        *,
        worse: bool = True,
    ) -> float:
        """Offer the best of some rows, improved by exchanges; their objective before those.

        No more of them once the node's bound is reached.

        Parameters
        ----------
        rows : (n, P) places among the courses of each part
        worse : whether rows that are no better than the answer are improved too
        """
        planned = self.plan(node.plan)
        schedules, first = planned.schedules, -math.inf
        exact, good = [], np.ones(len(rows), dtype=bool)
        for s, (part, one) in enumerate(zip(planned.parts, courses, strict=True)):
            known, fine = part.of(one.actions)
            exact.append(known)
            good &= fine[rows[:, s]]
        rows = rows[good]
        for _ in range(most):
            found = schedules.best(exact, rows, -math.inf)
            if found is None:
                break
            row = [one.actions[k] for one, k in zip(exact, rows[found[0]], strict=True)]
            rows = np.delete(rows, found[0], axis=0)
            first = max(first, found[1])
            if worse or found[1] > self.answer.value:
                self.offer(planned, row)
                begun = b"".join(one.tobytes() for one in row)
                if node.bound > self.threshold and begun not in planned.begun:
                    planned.begun.add(begun)
                    row, _ = schedules.improved(row, found[1], self.rng, self.clock_expired)
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
            self.take(self.schedule(planned, [part.nothing[0] for part in planned.parts]))
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
            rest = self._examined(node)
            if rest is None:  # stopped on the way
                heapq.heappush(self.open, (-node.bound, serial, node))
                return
            for child in rest:
                self.push(child)

    def _bounded(self, plan: int, before: Node | None) -> Node | None:
        """A first bound of a plan, with the prices and courses of the one before to begin with."""
        planned = self.plan(plan)
        whole, value = planned.whole, planned.value
        if not ((whole.room < 0).any() or whole.alc_room < 0):
            first, pool = None, Pool(planned.parts)
            if before is not None:
                first = before.priced.slopes
                if len(first.load) != len(whole.room):  # cuts come later
                    first = None
                pool = before.priced.pool.renewed(planned.parts, exact=True)
            known = -math.inf if self.answer.schedule is None else self.threshold
            rough = priced(
                value, planned.parts, pool, self.clock_expired, known, ROUGH_ROUNDS, first,
                fine=False,
            )  # fmt: skip
            self.waiting[plan] = before = Node(plan, value, rough, rough.bound)
            self.climb(before)
        self.unbounded.discard(plan)
        return before

    def _begin(self, node: Node) -> None:
        """Bound a plan well and look for good courses of it."""
        if node.bound > self.threshold:
            node = self._priced(node.plan, node.value, node)
            node = self._cut(node, ROOT_ROUNDS, afresh=True)
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
            cuts = planned.shared.violated(node.priced.pool, node.priced.mixture.weights)
            if not cuts or len(planned.cuts) + len(cuts) > MOST_CUTS:
                break
            if afresh:
                told, load = len(planned.shared.room), node.priced.slopes.load
                used = np.flatnonzero(load[told:] > PRICED)
                load = np.concatenate([load[:told], load[told + used], np.zeros(len(cuts))])
                planned.obey((*(planned.cuts[i] for i in used), *cuts))
                first = replace(node.priced.slopes, load=load)
                value = node.value.under(planned.whole)
                found = self._prices(node.plan, value, node.priced, first, afresh=True)
                node = Node(node.plan, value, found, min(node.bound, found.bound))
            else:
                planned.obey((*planned.cuts, *cuts))
                node = planned.current(node)
                node = self._priced(node.plan, node.value, node)
            if before - node.bound < WORTH_A_CUT * (before - self.threshold):
                break
        return node

    def clock_expired(self) -> bool:
        """Whether to stop."""
        return self.clock.expired

    def climb(self, node: Node) -> None:
        """The best of what the master mixes, improved by exchanges."""
        if node.bound <= self.threshold:
            return
        each = [np.append(0, np.flatnonzero(w > MIXED)) for w in node.priced.mixture.weights]
        rows = every_row([np.unique(own) for own in each])
        self.polish(node, node.priced.pool.courses, rows[:PROMISING], 1)

    def dive(self, node: Node) -> None:
        """Good courses of a node: the most promising partial ones only, then exchanges."""
        if node.bound <= self.threshold:
            return
        planned = self.plan(node.plan)
        precision = Precision(DIVE * self.gap, 1e-3, 1e-2, BEAM, "drop")
        found = most_promising(
            planned.schedules, node.priced, precision, PROMISING, self.clock_expired
        )
        if found is not None:
            self.polish(node, *found)

    def _examined(self, node: Node) -> list[Node] | None:
        """Parts of a node that are still open; None when stopped."""
        parts = split(node.value, node.priced, node.bound - self.threshold)
        further = parts or divided(node.value, node.priced)
        if self._explored(node, FEW_LABELS if parts else LABELS, divisible=bool(further)):
            return []
        planned = self.plan(node.plan)
        if node.plan not in self.dived and len(self.dived) < SEARCHED:
            self.dived.add(node.plan)
            self.dive(node)
        if self.clock.expired:
            return None
        found = []
        for value in further:
            parent = planned.current(node)
            child = self._priced(node.plan, value.under(planned.whole), parent)
            found.append(self._cut(child, NODE_ROUNDS))
        self.climb(max(found, key=lambda child: child.bound))
        return found

    def _priced(self, plan: int, value: Value, parent: Node) -> Node:
        """A node within another: its ranges are tightened and priced as long as that tells."""
        found, bound = parent.priced, parent.bound
        for _ in range(TIGHTENED):
            before = value
            tight, closed = tightened(value, found.tried, self.threshold)
            self.closed = max(self.closed, closed)
            if tight is None:
                return Node(plan, value, found, closed)
            value = tight
            if found is not parent.priced and not narrower(value, before):
                break
            known = bounds_of(value, found.tried)
            best = int(known.argmin())
            bound = min(bound, float(known[best]))
            first = found.tried[best].slopes
            found = self._prices(plan, value, found, first)
            bound = min(bound, found.bound)
            if bound <= self.threshold or self.clock.expired:
                break
        return Node(plan, value, found, bound)

    def _prices(
        self, plan: int, value: Value, parent: Priced, first: Slopes, *, afresh: bool = False
    ) -> Priced:
        """Fine prices of a node within another, with its courses."""
        planned = self.plan(plan)
        exact = not all(look.fine for look in parent.looks)
        pool = parent.pool.renewed(planned.parts, exact=exact)
        pool.offer(planned.known)
        pool.restrict(value.spans)
        before = () if afresh else parent.tried
        return priced(
            value, planned.parts, pool, self.clock_expired, self.threshold, first=first,
            before=before,
        )  # fmt: skip

    def _explored(self, node: Node, most: int, *, divisible: bool) -> bool:
        """Close a node by exploring its courses; False where it must be split, or out of time."""
        planned = self.plan(node.plan)
        number = len(planned.parts)
        tolerance, width = 0.25 * self.gap / number, 1e-3 / number
        bound = node.bound
        most = most if number == 1 else min(most, FAIR_LABELS)
        apart: Literal["no", "days", "doses"] = "no"
        for turn in range(FINEST):
            if number > 1 and turn >= APART:
                apart = "days" if turn + 1 < FINEST else "doses"
            precision = Precision(
                tolerance, width, 10.0 * width, most, "stop" if divisible else "join", apart
            )
            found = combined(
                planned.schedules, node.priced, self.threshold, precision, self.clock_expired
            )
            if found is None:
                if divisible or self.clock.expired:
                    return False
                break
            best = self.polish(node, found.courses, found.rows[:JUDGED], worse=False)
            if math.isfinite(best):
                added = max(0.0, found.bound - best)
                self.answer.relaxation_error = max(self.answer.relaxation_error, added)
            bound = min(found.bound, bound)
            if bound <= self.threshold:
                break
            tolerance, width = tolerance * FINER, width * FINER
        else:
            if divisible:
                return False
        self.closed = max(self.closed, bound)
        return True
