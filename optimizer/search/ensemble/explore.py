"""Branch and bound over plans and courses, best bound first.

A node is one plan and the courses left for each lesion. It is bounded (`bound`, `master`); courses
whose loss exceeds what the bound lies above the threshold are struck (reduced-cost fixing:
Geoffrion and Marsten 1972, Integer programming algorithms: a framework and state-of-the-art
survey). Fewer courses leave narrower ranges of systemic effect in every member, and so a better
bound: both are repeated as long as that strikes much. What is left is joined and valued in every
member where it is few, else the courses of a lesion are split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.ceilings import ceiling_of_case
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId
from abscopt.optimizer.progress import Stopped, tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bounds.bound import (
    Bound,
    Courses,
    Mixture,
    linearized,
    ranges,
)
from abscopt.optimizer.search.ensemble.bounds.counted import Counted
from abscopt.optimizer.search.ensemble.bounds.master import Master
from abscopt.optimizer.search.ensemble.bounds.opening import pooled
from abscopt.optimizer.search.ensemble.branching import parts
from abscopt.optimizer.search.ensemble.improve import Improvement
from abscopt.optimizer.search.ensemble.plan import PlanInMembers, Plans
from abscopt.optimizer.search.ensemble.risk import Risk
from abscopt.optimizer.search.join import count_at_most, every_row, joined
from abscopt.optimizer.search.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.ensemble.bounds.opening import Released
    from abscopt.optimizer.search.ensemble.members import Members
    from abscopt.optimizer.search.ensemble.plan import Entries, Tables

BOUND_SAFETY = 1e-9


@dataclass
class EnsembleState:
    """Incumbent and what is proved.

    Attributes
    ----------
    value : risk of the incumbent
    values : (members,) its value in each member
    bound : no schedule has a greater risk; infinite if nothing is known
    complete : whether everything above the threshold was examined
    plans : what schedules are worth in each member
    """

    plan: PlanId | None = None
    row: CourseIds | None = None
    value: float = -math.inf
    values: FloatArray | None = None
    bound: float = math.inf
    complete: bool = False
    nodes: int = 0
    plans: Plans | None = None


@dataclass(frozen=True)
class Node:
    """One plan and courses, all of them if None; `mixture` is what its parent's bound chose."""

    plan: PlanId
    courses: Courses | None = field(default=None)
    mixture: Mixture | None = field(default=None)


def explore(
    members: Members,
    risk: Risk,
    gap: float,
    clock: Clock,
    starts: Sequence[tuple[PlanId, CourseIds]] = (),
) -> EnsembleState:
    """Schedule of the greatest risk measure and a bound within `gap` of it.

    Parameters
    ----------
    starts : plans and rows to begin with

    Stops early when the clock says so; the bound is then that of what was left open.
    """
    search = Search(members, risk, gap, clock)
    try:
        search.begin_with(starts)
        search.run()
        search.state.complete = True
    except Stopped:
        pass
    search.state.bound = max(search.state.value, search.tree.proved)
    return search.state


def ceiling_of_members(members: Members, risk: Risk) -> float:
    """What holds for every schedule before anything is bounded."""
    ceilings = np.array([ceiling_of_case(c.instance) for c in members.candidates])
    if not np.isfinite(ceilings).all():
        return math.inf
    return float(risk.of(ceilings)) + BOUND_SAFETY


class Search:
    """The tree, and what becomes of its nodes.

    Attributes
    ----------
    waiting : plans that have no node yet
    weights : (M,) of the members in the last bound, or at the first schedule in hand
    counted : members that bounds are made of
    unsettled : nodes so far that a bound has not closed
    bounded : whether the weights are those of a bound
    fine : [nat] within which a bound and its linear program count as equal
    """

    def __init__(self, members: Members, risk: Risk, gap: float, clock: Clock):
        self.members, self.risk, self.clock = members, risk, clock
        self.plans = Plans(members)
        self.state = EnsembleState(plans=self.plans)
        self.waiting = list(members.nominal.plan_ids)
        self.ceiling = ceiling_of_members(members, risk)
        self.tree: Tree[Node] = Tree(
            lambda: self.state.value,
            gap,
            lambda: (self.ceiling,) if self.waiting else (),
            closes_at_threshold=True,
        )
        self.counted = Counted(risk)
        self.improvement = Improvement(risk, self.counted, self._offer)
        self.weights = risk.projected(risk.weights)
        self.fine = settings.CURRENT.fine * gap
        self.unsettled = 0
        self.bounded = False

    def begin_with(self, starts: Sequence[tuple[PlanId, CourseIds]]) -> None:
        """Offer schedules in hand."""
        first = self.waiting[: settings.CURRENT.plans_ahead]
        self.plans.ahead(first, self.counted.members)
        for plan, row in starts:
            self._check()
            under = self.plans.of(plan)
            self.counted.notice(under.values(row[None, :])[0])
            if under.feasible(row[None, :])[0]:
                self._offer(under, row, math.inf)
        self.counted.begin()
        if self.state.values is not None:
            self.weights = self.risk.weights_at(self.state.values[None, :])[0]

    def run(self) -> None:
        """Bound every plan, then examine everything above the threshold."""
        self.open()
        while (node := self.tree.take()) is not None:
            self._check()
            self._tell()
            self._examine(node)
            self.tree.release()
        self.tree.settle(self.tree.threshold)

    def open(self) -> None:
        """Bound every plan: from then on something is proved of all schedules."""
        self._order_plans()
        computed: set[PlanId] = set()
        while self.waiting:
            self._check()
            plan = self.waiting[0]
            if plan not in computed:
                lot = self.waiting[: settings.CURRENT.plans_ahead]
                self.plans.ahead(lot, self.counted.members)
                computed.update(lot)
            self.tree.hold(self.ceiling)
            self.waiting.pop(0)
            self._examine(Node(plan))
            self.tree.release()
            self._tell()

    def _order_plans(self) -> None:
        """Plans near that of the incumbent first: good schedules early."""
        if self.state.plan is not None:
            begin = self.members.nominal.plans[self.state.plan].doses
            of = dict.fromkeys(begin)
            apart = [
                len(set(of).symmetric_difference(plan.doses)) for plan in self.members.nominal.plans
            ]
            self.waiting.sort(key=lambda k: apart[k])

    def _check(self) -> None:
        if self.clock.expired:
            raise Stopped

    def _tell(self) -> None:
        self.tree.report(self.clock, "search over members", self.state.nodes)

    def _offer(self, under: PlanInMembers, row: CourseIds, ceiling: float) -> float:
        """Take a better feasible row, whose risk is at most `ceiling`; that of what is in hand."""
        if ceiling > self.state.value:
            values = under.values(row[None, :])[0]
            self.counted.notice(values)
            value = float(self.risk.of(values))
            if value > self.state.value:
                self.state.plan, self.state.row, self.state.value = under.plan, row.copy(), value
                self.state.values = values
        return self.state.value

    def _examine(self, node: Node) -> None:
        """Bound a node as long as that strikes many courses; close it, value it, or split it."""
        self.state.nodes += 1
        under = self.plans.of(node.plan)
        courses = under.usable if node.courses is None else node.courses
        if any(not len(c) for c in courses):
            return
        if math.prod(len(c) for c in courses) <= settings.CURRENT.few:
            self._value(under, CourseRows(every_row(courses)))
            return
        mixture, top = node.mixture, math.inf
        if node.courses is None and (releases := self.plans.releases.of(node.plan)) is not None:
            bound = self._opened(under, releases, courses)
            top = bound.value + BOUND_SAFETY
            self.tree.lower(top)
            if top <= self.tree.threshold:
                return
            courses = _kept(courses, bound, top - self.tree.threshold)
            mixture = bound.mixture
            if self.bounded:
                self.tree.push(Node(node.plan, courses, mixture), top)
                return
        tables, lacking = under.tables(courses, self.counted.members), True
        while True:
            self._check()
            mixture = self._begun(tables.courses, mixture)
            span = ranges(tables, under.chemo[tables.counted])
            linear = linearized(under, tables, self.risk, span, mixture)
            entries = under.entries(tables.courses)
            risk = self.risk.among(tables.counted)
            master = Master(under, risk, tables.courses, entries, linear)
            bound = master.run(mixture, self.tree.threshold, self.fine)
            if bound.exceeds and self._infeasible(under, entries):
                return
            self.weights = self.counted.spread(bound.weights, tables.counted)
            self.bounded = True
            top = min(top, bound.value + BOUND_SAFETY)
            self.tree.lower(top)
            slack = bound.value + BOUND_SAFETY - self.tree.threshold
            if min(top - self.tree.threshold, slack) <= 0.0:
                return
            keep = [np.flatnonzero(loss <= slack) for loss in bound.losses]
            sizes = zip(keep, bound.losses, strict=True)
            remaining = math.prod(len(k) / len(loss) for k, loss in sizes)
            tables = tables.keep(keep)
            losses = [loss[k] for loss, k in zip(bound.losses, keep, strict=True)]
            mixture = bound.mixture
            countable = count_at_most(losses, slack) <= settings.CURRENT.few
            if countable:
                break
            lacking = lacking and self._lacking(under, tables.counted, mixture, slack)
            if lacking:
                tables = under.tables(tables.courses, self.counted.members)
            elif remaining > settings.CURRENT.shrinking:
                break
        if not countable and self.unsettled % settings.CURRENT.improve_every == 0:
            self.improvement.around(
                under, tables.courses, losses, mixture, self.weights, self.state.row
            )
            slack = bound.value + BOUND_SAFETY - self.tree.threshold
            if min(top - self.tree.threshold, slack) <= 0.0:
                return
        self.unsettled += 1
        if count_at_most(losses, slack) <= settings.CURRENT.join_limit:
            self._join(under, tables, losses, slack)
            return
        for side in parts(under, tables.courses, mixture):
            self.tree.push(Node(node.plan, side, mixture), top)

    def _lacking(
        self, under: PlanInMembers, counted: IntArray, mixture: Mixture, slack: float
    ) -> bool:
        """Whether other members lower the risk near a mixture by much of the slack."""
        if self.counted.every_one(counted):
            return False
        values = under.values(mixture.heaviest[None, :])[0]
        self.counted.notice(values)
        return self.counted.lowered(values, counted) > settings.CURRENT.lacking * slack

    def _opened(
        self, under: PlanInMembers, releases: tuple[Released, ...], courses: Courses
    ) -> Bound:
        """Bound of all courses of a plan, with the weights of the last bound."""
        self._check()
        mixture = self._begun(courses, None)
        linear = pooled(under, releases, self.risk, self.weights, courses, mixture)
        entries = under.entries(courses)
        master = Master(under, Risk("mean", np.ones(1)), courses, entries, linear)
        return master.run(mixture, self.tree.threshold, self.fine)

    def _begun(self, courses: Courses, mixture: Mixture | None) -> Mixture:
        """Where to linearize first: what was chosen before, the incumbent, or some course."""
        if mixture is None and self.state.row is not None:
            mixture = Mixture.of_row(self.state.row)
        return Mixture.among(courses, mixture)

    def _infeasible(self, under: PlanInMembers, entries: list[Entries]) -> bool:
        """Whether least loads alone break a cap: nothing fits."""
        lowest = sum(of_lesion.least for of_lesion in entries)
        hard = under.rows.family < 0
        return bool((lowest > under.rows.right + 1e-9)[hard].any())

    def _join(
        self, under: PlanInMembers, tables: Tables, losses: list[FloatArray], slack: float
    ) -> None:
        """Value every combination of courses whose losses fit in the slack."""
        nominal = under.nominal
        loads = [nominal.loads[s][nominal.kinds[s][c]] for s, c in enumerate(tables.courses)]
        candidates = self.members.nominal
        right = np.where(candidates.hard, CAP - candidates.prior, np.inf)
        for rows in joined(losses, loads, right, slack, settings.CURRENT.join_chunk):
            self._check()
            high = rows[self._ceilings(under, tables, rows) > self.tree.threshold]
            chosen = [c[high[:, s]] for s, c in enumerate(tables.courses)]
            self._value(under, CourseRows(np.stack(chosen, axis=1)))

    def _ceilings(self, under: PlanInMembers, tables: Tables, rows: IntArray) -> FloatArray:
        """(schedules,) their risk at most, by tabulated values at their exact effect.

        ln Z = ln sum_s g_s - sum_s a_s - chemo

        Parameters
        ----------
        rows : (schedules, lesions) positions in the tables
        """
        values = np.zeros((len(rows), len(tables.counted)))
        if not len(rows):
            return values[:, 0]
        losses = sum(loss[:, rows[:, s]] for s, loss in enumerate(tables.loss))
        total = sum(gain[:, :, rows[:, s]] for s, gain in enumerate(tables.gain))
        losses = losses + under.chemo[tables.counted, None]
        log_kill = np.log(np.maximum(total, 1e-300)) - losses[:, None, :]
        for number, m in enumerate(tables.counted):
            tick()
            for s, lattice in enumerate(under.lattices[m]):
                at = np.ascontiguousarray(log_kill[number].T)
                values[:, number] += lattice.ceilings(tables.kinds[s][number, rows[:, s]], at)
        values -= under.cost[tables.counted]
        return self.risk.among(tables.counted).of(values) + BOUND_SAFETY

    def _value(self, under: PlanInMembers, rows: CourseRows) -> None:
        """Decide rows exactly, best first, until one is feasible."""
        if not len(rows):
            return
        if not self.counted.all_count:
            counted = self.counted.members
            ceilings = self.risk.among(counted).of(under.values(rows, counted))
            rows = CourseRows(rows[ceilings > self.state.value])
            if not len(rows):
                return
        values = self.risk.of(under.values(rows))
        order = np.flatnonzero(values > self.state.value)
        order = order[np.argsort(-values[order], kind="stable")]
        for lot in np.array_split(order, max(1, len(order) // 2000)):
            tick()
            feasible = np.flatnonzero(under.feasible(rows[lot])) if len(lot) else lot
            if len(feasible):
                best = lot[feasible[0]]
                self._offer(under, CourseIds(rows[best]), float(values[best]))
                return


def _kept(courses: Courses, bound: Bound, slack: float) -> Courses:
    """Courses whose loss does not exceed a slack."""
    return [c[loss <= slack] for c, loss in zip(courses, bound.losses, strict=True)]
