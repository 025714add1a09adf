"""Branch and bound over plans, cells of systemic effect and courses, best bound first.

A node is one plan, the courses left for each lesion, and perhaps a cell of ln Z on one axis. It is
bounded (`bound`, `master`); courses whose loss exceeds what the bound lies above the threshold are
struck (reduced-cost fixing: Geoffrion and Marsten 1972, Integer programming algorithms: a framework
and state-of-the-art survey); what is left is joined and valued where it is few, else split: the
cell where its width makes the bound, else the courses of a lesion.

For a tail only some members count at first: those in the tails of the schedules that are known. The
risk in some members is no less than that in all (fewer weights in Q), so bounds and what they close
hold. A schedule above the threshold is valued in every member; where its tail has members that do
not count yet, they count from then on (cutting planes: Kelley 1960, The cutting-plane method for
solving convex programs).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId
from abscopt.optimizer.progress import Stopped, tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bound import (
    Bound,
    Cell,
    Courses,
    Mixture,
    Ranges,
    linearized,
    ranges,
)
from abscopt.optimizer.search.ensemble.branching import halved, parts, value_at
from abscopt.optimizer.search.ensemble.master import Master
from abscopt.optimizer.search.ensemble.plan import AcrossMembers, PlanInMembers, Plans
from abscopt.optimizer.search.ensemble.state import (
    BOUND_SAFETY,
    EnsembleState,
    Node,
    ceiling_of_members,
    within,
)
from abscopt.optimizer.search.join import count_at_most, every_row, joined
from abscopt.optimizer.search.tree import Tree
from abscopt.optimizer.search.uniform.local import climb, pair_moves, rounded, worth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.ensemble.members import Members
    from abscopt.optimizer.search.ensemble.risk import Risk

ROWS_CHECKED = 2000
"""Rows whose limits are checked at once."""


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


class Search:
    """The tree, and what becomes of its nodes.

    Attributes
    ----------
    risk : in all members
    waiting : plans that have no node yet
    lacking : members of tails that do not count yet
    """

    def __init__(self, members: Members, risk: Risk, gap: float, clock: Clock):
        self.members, self.risk, self.clock = members, risk, clock
        self.state = EnsembleState(members=members)
        positive = np.flatnonzero(members.weights > 0.0)
        self.tail = risk.most is not None
        self.plans = Plans(members, self._heaviest() if self.tail else positive)
        self.lacking: set[int] = set()
        self.waiting = list(members.nominal.plan_ids)
        self.ceiling = ceiling_of_members(members, risk)
        self.tree: Tree[Node] = Tree(
            lambda: self.state.value,
            gap,
            lambda: (self.ceiling,) if self.waiting else (),
            closes_at_threshold=True,
        )
        self.tried: set[tuple[PlanId, bytes]] = set()

    @property
    def among(self) -> Risk:
        """The risk in the members that count."""
        return self.risk.among(self.plans.counted)

    def begin_with(self, starts: Sequence[tuple[PlanId, CourseIds]]) -> None:
        """Offer schedules in hand; the members of their tails count, of weight enough for Q."""
        for plan, row in starts:
            self._check()
            across = AcrossMembers(self.plans.of(plan), self.among)
            values = self.plans.everywhere(plan, row)
            if self.tail:
                self.lacking |= set(np.flatnonzero(self.risk.weights_at(values)).tolist())
            if across.feasible(CourseRows(row[None, :]))[0]:
                self._take(plan, row, values)
        self._count()

    def _heaviest(self) -> IntArray:
        """As few members as can hold all the weight of an element of Q."""
        assert self.risk.most is not None
        order = np.argsort(-self.risk.most, kind="stable")
        needed = int(np.searchsorted(np.cumsum(self.risk.most[order]), 1.0 - 1e-12)) + 1
        return np.sort(order[:needed])

    def _count(self) -> bool:
        """Let members count that tails lack; whether some did not yet."""
        more = np.array(sorted(self.lacking), dtype=np.int64)
        self.lacking.clear()
        return self.plans.count(more)

    def run(self) -> None:
        """Bound every plan, then examine everything above the threshold."""
        self._order_plans()
        computed: set[PlanId] = set()
        while self.waiting:
            self._check()
            plan = self.waiting[0]
            if plan not in computed:
                lot = self.waiting[: settings.CURRENT.plans_ahead]
                self.plans.ahead(lot)
                computed.update(lot)
            under = self.plans.of(plan)
            self.tree.hold(self.ceiling)
            self.waiting.pop(0)
            self._examine(Node(plan, [c.copy() for c in under.usable], None))
            self.tree.release()
            self._tell()
        while (node := self.tree.take()) is not None:
            self._check()
            self._tell()
            self._examine(node)
            self.tree.release()
        self.tree.settle(self.tree.threshold)

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
        self.tree.report(self.clock, "search over members")

    def _take(self, plan: PlanId, row: CourseIds, values: FloatArray) -> float:
        """Take a feasible row of known values (members,) if it is better; its risk."""
        value = float(self.risk.of(values))
        if value > self.state.value:
            self.state.plan, self.state.row, self.state.value = plan, row.copy(), value
            self.state.values = values
        return value

    def _offer(self, plan: PlanId, row: CourseIds) -> bool:
        """Value a feasible row in every member; whether those that count hold its tail."""
        values = self.plans.everywhere(plan, row)
        value = self._take(plan, row, values)
        if not self.tail or self.among.of(values[self.plans.counted]) <= value + 1e-12:
            return True
        self.lacking |= set(np.flatnonzero(self.risk.weights_at(values)).tolist())
        return False

    def _examine(self, node: Node) -> None:
        """Bound a node until its bound settles; close it, value it, or split it."""
        self.state.nodes += 1
        under, risk = self.plans.of(node.plan), self.among
        courses, mixture = node.courses, node.mixture
        if any(not len(c) for c in courses):
            return
        if math.prod(len(c) for c in courses) <= settings.CURRENT.few:
            self._value(node.plan, CourseRows(every_row(courses)))
            return
        fine = settings.CURRENT.fine * self.tree.gap
        bound, span, lowest = None, None, math.inf
        for number in range(settings.CURRENT.rounds):
            self._check()
            span = ranges(under, courses, node.cell)
            if span.empty:
                return
            mixture = self._begin(under, courses, mixture)
            linear = linearized(under, risk, courses, span, mixture)
            master = Master(under, risk, courses, linear)
            bound = master.run(mixture, self.tree.threshold, fine)
            if bound.exceeds and self._infeasible(under, courses):
                return
            self.tree.lower(bound.value + BOUND_SAFETY)
            slack = bound.value + BOUND_SAFETY - self.tree.threshold
            if slack <= 0.0:
                return
            if number == 0:
                self._improve(under, courses, bound)
                if self._count():
                    under, risk = self.plans.of(node.plan), self.among
                slack = bound.value + BOUND_SAFETY - self.tree.threshold
                if slack <= 0.0:
                    return
            keep = [np.flatnonzero(loss <= slack) for loss in bound.losses]
            courses = [c[k] for c, k in zip(courses, keep, strict=True)]
            losses = [loss[k] for loss, k in zip(bound.losses, keep, strict=True)]
            mixture = within(bound.mixture, courses)
            if lowest - bound.value <= 0.2 * slack and math.isfinite(lowest):
                break
            lowest = bound.value
        assert bound is not None and span is not None and mixture is not None
        if count_at_most(losses, slack) <= settings.CURRENT.join_limit:
            self._join(under, courses, losses, slack)
            return
        self._split(node, under, courses, span, bound, losses, mixture)

    def _begin(self, under: PlanInMembers, courses: Courses, mixture: Mixture | None) -> Mixture:
        """Where to linearize first: what the parent chose, the incumbent, or some course."""
        row = self.state.row
        if mixture is None and row is not None:
            mixture = Mixture.of_row(row)
        chosen, weights = [], []
        for s, c in enumerate(courses):
            nothing = CourseIds(np.empty(0, dtype=np.int64))
            earlier = nothing if mixture is None else mixture.courses[s]
            inside = np.isin(earlier, c)
            if mixture is not None and inside.any():
                x = mixture.weights[s][inside]
                chosen.append(earlier[inside])
                weights.append(x / x.sum())
            else:
                chosen.append(c[[len(c) // 2]])
                weights.append(np.ones(1))
        return Mixture(tuple(chosen), tuple(weights))

    def _infeasible(self, under: PlanInMembers, courses: Courses) -> bool:
        """Whether least loads alone break a cap: nothing fits."""
        lowest = sum(e[c].min(axis=0) for e, c in zip(under.entries, courses, strict=True))
        hard = under.rows.family < 0
        return bool((lowest > under.rows.right + 1e-9)[hard].any())

    def _improve(self, under: PlanInMembers, courses: Courses, bound: Bound) -> None:
        """Best responses among the courses of least loss, from the mixture and the incumbent."""
        count = settings.CURRENT.shortlist
        options = [
            c[np.argsort(loss, kind="stable")[:count]]
            for c, loss in zip(courses, bound.losses, strict=True)
        ]
        across = AcrossMembers(under, self.among)
        heaviest = [
            c[np.argsort(-x, kind="stable")]
            for c, x in zip(bound.mixture.courses, bound.mixture.weights, strict=True)
        ]
        choices = [
            CourseIds(np.concatenate([h, o[~np.isin(o, h)]]))
            for h, o in zip(heaviest, options, strict=True)
        ]
        begins = [rounded(across, choices, list(range(len(choices))))]
        if self.state.row is not None:
            begins.append(self.state.row)
        for row in begins:
            if self._new(under.plan, row):
                self._climb(across, row, bound.weights, choices)

    def _new(self, plan: PlanId, row: CourseIds) -> bool:
        """Whether a local search has not begun or ended here."""
        key = (plan, row.tobytes())
        if key in self.tried:
            return False
        self.tried.add(key)
        return True

    def _climb(
        self, across: AcrossMembers, row: CourseIds, weights: FloatArray, choices: Courses
    ) -> None:
        """Best responses by the measure; for a tail, by weighted means in between.

        A least mean over weights has kinks where no single course improves it. Means with fixed
        weights have none: each round takes those half way to the weights of the row it has
        reached (Frank and Wolfe 1956, An algorithm for quadratic programming, on the dual).
        """
        order, under, risk = list(range(len(row))), across.under, across.risk
        before = self.state.value
        for _ in range(settings.CURRENT.weighted_rounds if self.tail else 0):
            tick()
            mean = AcrossMembers(under, risk.at(weights))
            row, _value = climb(mean, row, worth(mean, row), order, choices)
            weights = 0.5 * (weights + risk.weights_at(under.values(CourseRows(row[None, :])))[0])
        row, value = climb(across, row, worth(across, row), order, choices)
        if value > before + settings.CURRENT.by_pairs * self.tree.gap:
            row, value = pair_moves(across, row, value, choices)
        self._new(under.plan, row)
        if value > self.state.value:
            self._offer(under.plan, row)

    def _join(
        self, under: PlanInMembers, courses: Courses, losses: list[FloatArray], slack: float
    ) -> None:
        """Value every combination of courses whose losses fit in the slack."""
        nominal = under.nominal
        loads = [nominal.loads[s][nominal.kinds[s][c]] for s, c in enumerate(courses)]
        candidates = self.members.nominal
        right = np.where(candidates.hard, CAP - candidates.prior, np.inf)
        for rows in joined(losses, loads, right, slack, settings.CURRENT.join_chunk):
            self._check()
            chosen = CourseRows(np.stack([c[rows[:, s]] for s, c in enumerate(courses)], axis=1))
            self._value(under.plan, chosen)

    def _value(self, plan: PlanId, rows: CourseRows) -> None:
        """Decide rows exactly, best first, until none is left above the threshold.

        In the members that count; where the best row has a tail that they lack, these count, too.
        """
        while len(rows):
            under, risk = self.plans.of(plan), self.among
            ceilings = risk.of(under.ceilings(rows) - under.cost) + BOUND_SAFETY
            rows = rows[ceilings > self.tree.threshold]
            values = risk.of(under.values(rows))
            order = np.flatnonzero(values > self.tree.threshold)
            order = order[np.argsort(-values[order], kind="stable")]
            best = self._first_feasible(under, rows[order])
            if best is None or self._offer(plan, rows[order[best]]):
                return
            self._count()
            rows = rows[order[best + 1 :]]

    def _first_feasible(self, under: PlanInMembers, rows: CourseRows) -> int | None:
        """Place of the first row that keeps all limits."""
        for begin in range(0, len(rows), ROWS_CHECKED):
            tick()
            feasible = np.flatnonzero(under.feasible(rows[begin : begin + ROWS_CHECKED]))
            if len(feasible):
                return begin + int(feasible[0])
        return None

    def _split(
        self,
        node: Node,
        under: PlanInMembers,
        courses: Courses,
        span: Ranges,
        bound: Bound,
        losses: list[FloatArray],
        mixture: Mixture,
    ) -> None:
        """Push two parts of a node."""
        top = bound.value + BOUND_SAFETY
        excess = top - self.tree.threshold
        mixture = self._begin(under, courses, mixture)
        width = span.high - span.low
        if width.size and width.max() > settings.CURRENT.narrow * settings.CURRENT.step:
            linear = linearized(under, self.among, courses, span, mixture, narrow=True)
            point = value_at(linear.values, linear.constant, bound, under, courses)
            if bound.value - point > settings.CURRENT.by_width * excess:
                for cell in halved(node.cell, span, under, self._axis(node.cell, under, bound)):
                    self.tree.push(Node(node.plan, courses, cell, mixture), top)
                return
        for side in parts(under, courses, bound.mixture, losses):
            self.tree.push(Node(node.plan, side, node.cell, mixture), top)

    def _axis(self, cell: Cell | None, under: PlanInMembers, bound: Bound) -> tuple[int, int]:
        """Member and horizon whose effect orders the others: of the greatest weight, the last."""
        if cell is not None:
            return cell.axis
        return int(under.counted[np.argmax(bound.weights)]), under.gain[0].shape[1] - 1
