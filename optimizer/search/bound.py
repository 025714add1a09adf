"""Upper bounds of one plan: separable scores, linear rows, Lagrangian duals from HiGHS.

Inside a box `low <= Z <= high` of the (unsaturated) systemic log kill, every lesion's value is
at most its value at `high`: a score per course, with the pursued-or-conceded choice kept exactly.
The rows are relaxations that every schedule in the box satisfies:

* organ limits without shared days (a lower bound of the load), NTCP also per lesion with the
  state of exposure that its own course brings about,
* EDRIC with each course's own number of fractions (a lower bound),
* lymphocyte loss on chosen days, lesions treated (cap and floor), machine days,
* `Z >= low`: with G = sum e^a v and A = sum a, `ln G - A >= ln low + chemo`, and
  `ln G <= G/G0 - 1 + ln G0` for every G0 > 0, hence
  `sum (g/G0 - a) >= ln low + chemo + 1 - ln G0`, linear in the choice.

A soft limit costs `penalty max(0, load - 1) >= y (load - 1)` for every 0 <= y <= penalty: its rows
are kept with multipliers that sum to at most the penalty.

For multipliers y >= 0 the Lagrangian `y.b + sum_s max_c (score - A y)` bounds the box, whatever
y is; HiGHS only supplies good multipliers, so no solver tolerance enters the bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import AlcLimit, EdricLimit, LogisticsLimit
from abscopt.models import immune, lymphocytes
from abscopt.optimizer.candidates.loads import edric_alone
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.solver import ColumnMaster

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates, LesionTable
    from abscopt.optimizer.candidates.tabulated import Tabulated

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ALC_ROW_STEP_DAYS = 4
NEW_COLUMNS = 12
MAX_ROUNDS = 60
KEPT_COLUMNS = 40
ELASTIC_PRICE = 200.0


@dataclass(frozen=True)
class Box:
    """A box of unsaturated systemic log kill, one interval per horizon."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def halves(self, axis: int) -> tuple[Box, Box]:
        """Split in the middle (geometric where the box does not touch 0)."""
        low, high = self.low[axis], self.high[axis]
        middle = math.sqrt(low * high) if low > 0.05 * high else 0.5 * (low + high)
        below = tuple(middle if i == axis else v for i, v in enumerate(self.high))
        above = tuple(middle if i == axis else v for i, v in enumerate(self.low))
        return Box(self.low, below), Box(above, self.high)


@dataclass(frozen=True)
class Bound:
    """Bound of a node, and per lesion what each of its courses loses against it.

    Attributes
    ----------
    value : no schedule of the node is better
    losses : per lesion (courses of the node,), >= 0, 0 for the best course at these multipliers
    """

    value: float
    losses: tuple[FloatArray, ...]


@dataclass(frozen=True)
class Rows:
    """Rows `sum <= right` that every schedule obeys under one plan, or that it pays for.

    Attributes
    ----------
    coefficients : per lesion (courses, rows)
    right : (rows,)
    family : (rows,) rows of one soft limit share a number; -1 for hard rows
    penalty : (families,) what a unit of excess costs
    """

    coefficients: list[FloatArray]
    right: FloatArray
    family: IntArray
    penalty: FloatArray


class StaticRows:
    """EDRIC, lymphocyte, lesion-number and machine-day rows: the same under every plan.

    `start` holds per lesion the courses with which the next column generation begins.
    """

    def __init__(self, candidates: Candidates):
        self.candidates = candidates
        self.start: list[IntArray] = [np.empty(0, dtype=np.int64) for _ in candidates.lesions]
        self._known: tuple[tuple[FloatArray, ...], list[FloatArray]] | None = None
        instance = candidates.instance
        last = max(int(table.menu.patterns.last.max()) for table in candidates.lesions)
        self.alc_days = np.arange(max(last, 0), -1, -ALC_ROW_STEP_DAYS)
        self.limits = [limit for limit in instance.limits if self._has_rows(limit)]
        self.parts = [
            [self._columns(limit, table) for table in candidates.lesions] for limit in self.limits
        ]

    @staticmethod
    def _has_rows(limit: AnyLimit) -> bool:
        return isinstance(limit, EdricLimit | AlcLimit) or (
            isinstance(limit, LogisticsLimit) and limit.quantity in ("lesions", "machine_days")
        )

    def _allowance(self, limit: AlcLimit) -> float:
        before = self.candidates.instance.lymphocytes.initial_1e9_per_l
        return math.log(before / limit.floor_1e9_per_l)

    def _columns(self, limit: AnyLimit, table: LesionTable) -> FloatArray:
        """(courses, rows of the limit) of one lesion."""
        menu = table.menu
        if isinstance(limit, EdricLimit):
            own = lymphocytes.edric(*edric_alone(self.candidates.instance, menu), menu.fractions)
            return np.asarray(own)[:, None] / limit.cap_gy
        if isinstance(limit, AlcLimit):
            loss = table.kappa[:, None] * table.alc_unit[menu.pattern][:, self.alc_days]
            return loss / self._allowance(limit)
        assert isinstance(limit, LogisticsLimit)
        count = (menu.pattern > 0).astype(float)
        if limit.quantity == "machine_days":
            window = limit.days(self.candidates.instance.days)
            days = menu.patterns.incidence[:, window.start : window.stop].sum(axis=1)
            count = days[menu.pattern]
        scale = float(limit.cap) if limit.penalty is not None and limit.cap else 1.0
        sides = [count / scale] if limit.cap is not None else []
        sides += [-count] if limit.floor is not None else []
        return np.stack(sides, axis=1)

    def _right(self, limit: AnyLimit, chemo: float) -> FloatArray:
        if isinstance(limit, EdricLimit):
            return np.full(1, CAP)
        if isinstance(limit, AlcLimit):
            return np.full(len(self.alc_days), CAP - chemo / self._allowance(limit))
        assert isinstance(limit, LogisticsLimit)
        cap = 1.0 if limit.penalty is not None else limit.cap
        sides = [cap] if cap is not None and limit.cap is not None else []
        sides += [-limit.floor] if limit.floor is not None else []
        return np.array(sides, dtype=float)

    def of_plan(self, tabulated: Tabulated) -> Rows:
        """All rows of one plan: organ limits, states of exposure, and the static ones."""
        candidates = self.candidates
        organs: list[FloatArray] = list(tabulated.loads)
        right = [CAP - candidates.prior]
        soft: list[tuple[float | None, int]] = [(limit.penalty, 1) for limit in candidates.limits]
        for row, s, columns in _exposure_rows(candidates, tabulated):
            organs = [
                np.concatenate([own, (columns if i == s else own[:, row])[:, None]], axis=1)
                for i, own in enumerate(organs)
            ]
            right.append(np.array([CAP - candidates.prior[row]]))
            soft.append((candidates.limits[row].penalty, 1))
        for limit, part in zip(self.limits, self.parts, strict=True):
            right.append(self._right(limit, tabulated.chemo))
            soft.append((limit.penalty, part[0].shape[1]))
        if self._known is None or self._known[0] is not tabulated.loads or candidates.exposures:
            joined = [np.concatenate(own, axis=1) for own in zip(organs, *self.parts, strict=True)]
            self._known = tabulated.loads, joined
        family: list[int] = []
        penalty: list[float] = []
        for price, count in soft:
            family += [-1 if price is None else len(penalty)] * count
            penalty += [] if price is None else [price]
        return Rows(
            self._known[1],
            np.concatenate(right),
            np.array(family, dtype=np.int64),
            np.array(penalty),
        )


def _exposure_rows(
    candidates: Candidates, tabulated: Tabulated
) -> Iterator[tuple[int, int, FloatArray]]:
    """(limit, lesion, column): hard NTCP rows in which one lesion's own exposure counts.

    `sum load <= ratio` in the state of the lesion's course, as
    `sum load + (1 - ratio) [course] <= 1`.
    """
    for row in sorted({row for row, _, _ in candidates.exposures}):
        columns = [i for i, (other, _, _) in enumerate(candidates.exposures) if other == row]
        if candidates.limits[row].penalty is not None:
            continue
        for s, load in enumerate(tabulated.loads):
            met = tabulated.exposed[s][:, columns]
            if not met.any():
                continue
            ratio = np.ones(len(met))
            for state in candidates.states(row):
                members = (met == np.array(state)).all(axis=1)
                ratio[members] = candidates.ntcp_ratio(row, state)
            yield row, s, load[:, row] + CAP * (1.0 - ratio)


def ceiling(candidates: Candidates, plan: int) -> float:
    """Bound of a plan without any row: every lesion at its best course and the greatest effect.

    Infinite where the systemic effect does not saturate. The same for all plans of one group.
    """
    instance = candidates.instance
    most = instance.immune.effect_maximum_nats
    bed = instance.objective.kind == "tumor_bed"
    if most is None and not bed:
        return math.inf
    total = 0.0
    for table, shared in zip(candidates.lesions, candidates.shared(plan), strict=True):
        lesion = instance.lesions[table.menu.lesion]
        if bed:
            total += lesion.weight * float(shared.tumor_bed.max())
            continue
        factors = np.array([clone.effector_share_factor for clone in lesion.populations])
        share = lesion.effector_share * instance.immune.share_factor * factors
        kill = np.full((1, len(instance.horizon_days)), most)
        value = lesion_value(instance.objective, shared.local, share[None, :], kill)
        total += lesion.weight * float(value.max())
    return total


@dataclass(frozen=True)
class NodeRows:
    """Rows of a node: those of the plan for some courses, and further ones of its box.

    Attributes
    ----------
    courses : per lesion the courses of the node
    static : per lesion (all courses, rows of the plan)
    further : per lesion (courses of the node, rows of the box)
    right : (rows,)
    """

    courses: list[IntArray]
    static: list[FloatArray]
    further: list[FloatArray]
    right: FloatArray

    def of(self, s: int, positions: list[int]) -> FloatArray:
        """(positions, rows) coefficients of some of the node's courses."""
        own = self.static[s][self.courses[s][positions]]
        return np.concatenate([own, self.further[s][positions]], axis=1)

    def reduced(self, s: int, scores: FloatArray, price: FloatArray) -> FloatArray:
        """(courses of the node,) scores less what the rows charge."""
        fixed = self.static[s].shape[1]
        charged: FloatArray = (self.static[s] @ price[:fixed])[self.courses[s]]
        return scores - charged - self.further[s] @ price[fixed:]


class PlanBounds:
    """Rows and scores of one plan, from which the bounds of its nodes are computed."""

    def __init__(self, tabulated: Tabulated, static: StaticRows):
        self.tabulated = tabulated
        self.instance: Instance = tabulated.instance
        self.tables = tabulated.candidates.lesions
        self.loads = tabulated.loads
        self.systemic = self.instance.objective.kind != "tumor_bed"
        self.gain = [np.exp(e.loss)[:, None] * e.effect for e in tabulated.effects]
        rows = static.of_plan(tabulated)
        self.rows, self.right = rows.coefficients, rows.right
        self.family, self.penalty = rows.family, rows.penalty
        self.start = static.start
        hard, prior = tabulated.candidates.hard, tabulated.candidates.prior
        self.room = np.where(hard, CAP - prior, np.inf)

    def root(self, courses: list[IntArray]) -> Box:
        """Box that holds every schedule made of these courses."""
        horizons = len(self.instance.horizon_days)
        if not self.systemic:
            return Box((0.0,) * horizons, (0.0,) * horizons)
        effects = self.tabulated.effects
        least = [float(e.loss[c].min()) for e, c in zip(effects, courses, strict=True)]
        others = self.tabulated.chemo + sum(least)
        high = sum(
            math.exp(least[s] - others) * effects[s].effect[c].max(axis=0)
            for s, c in enumerate(courses)
        )
        most = [float(e.loss[c].max()) for e, c in zip(effects, courses, strict=True)]
        all_others = self.tabulated.chemo + sum(most)
        low = sum(
            math.exp(most[s] - all_others) * effects[s].effect[c].min(axis=0)
            for s, c in enumerate(courses)
        )
        return Box(tuple(np.asarray(low).tolist()), tuple((np.asarray(high) + 1e-12).tolist()))

    def scores(self, s: int, courses: IntArray, corner: tuple[float, ...]) -> FloatArray:
        """(courses,) weighted value of lesion s for a given unsaturated systemic log kill."""
        effect, weight = self.tabulated.effects[s], self.tabulated.weights[s]
        if not self.systemic:
            bed: FloatArray = weight * effect.tumor_bed[courses]
            return bed
        kill = immune.saturate(np.array(corner), self.instance.immune.effect_maximum_nats)
        return np.asarray(weight) * lesion_value(
            self.instance.objective, effect.local[courses], effect.share[courses], kill[None, :]
        )

    def bound(self, courses: list[IntArray], box: Box) -> Bound:
        """Lagrangian bound of a node: some courses per lesion, and a box."""
        scores = [self.scores(s, c, box.high) for s, c in enumerate(courses)]
        rows = self._node_rows(courses, box)
        price = self._prices(scores, rows)
        reduced = [rows.reduced(s, own, price) for s, own in enumerate(scores)]
        best = [float(r.max()) for r in reduced]
        value = float(price @ rows.right) + math.fsum(best) - self.tabulated.plan_cost
        return Bound(value, tuple(b - r for b, r in zip(best, reduced, strict=True)))

    def _node_rows(self, courses: list[IntArray], box: Box) -> NodeRows:
        """Static rows of the node's courses, and `Z >= low` rows."""
        further: list[list[FloatArray]] = [[np.empty((len(c), 0))] for c in courses]
        needs: list[float] = []
        if self.systemic:
            effects, chemo = self.tabulated.effects, self.tabulated.chemo
            loss = [e.loss[c] for e, c in zip(effects, courses, strict=True)]
            least, most = (math.fsum(float(f(a)) for a in loss) for f in (np.min, np.max))
            for h, low in enumerate(box.low):
                if low <= 0:
                    continue
                near = low * math.exp(chemo + least), box.high[h] * math.exp(chemo + most)
                for level in np.geomspace(*near, 3):
                    needs.append(-(math.log(low) + chemo + 1.0 - math.log(level)))
                    for s, (a, c) in enumerate(zip(loss, courses, strict=True)):
                        further[s].append((a - self.gain[s][c, h] / level)[:, None])
        return NodeRows(
            courses,
            self.rows,
            [np.concatenate(parts, axis=1) for parts in further],
            np.concatenate([self.right, needs]),
        )

    def _prices(self, scores: list[FloatArray], node: NodeRows) -> FloatArray:
        """Multipliers of the rows by column generation on the LP relaxation.

        It begins with the columns that the node before ended with, plans being much alike.
        Every row may be exceeded at a high price (soft ones at their penalty), which keeps the
        master feasible; a node that needs it gets a bound so low that it is dropped.
        """
        courses, right = node.courses, node.right
        lesions, rows = len(scores), len(right)
        family = np.concatenate([self.family, np.full(rows - len(self.family), -1)])
        master = ColumnMaster(
            np.concatenate([np.ones(lesions), np.full(rows, -np.inf)]),
            np.concatenate([np.ones(lesions), right]),
        )
        relief = np.eye(rows)[family < 0]
        shared = (family[None, :] == np.arange(len(self.penalty))[:, None]).astype(float)
        slack = -np.concatenate([relief, shared])
        cost = np.concatenate([np.full(len(relief), ELASTIC_PRICE), self.penalty])
        master.add(-cost, np.concatenate([np.zeros((len(slack), lesions)), slack], axis=1))
        known: list[set[int]] = [set() for _ in range(lesions)]
        price, target = np.zeros(rows), np.full(lesions, -np.inf)

        def add(s: int, new: list[int]) -> None:
            known[s].update(new)
            unit = np.zeros((len(new), lesions))
            unit[:, s] = 1.0
            master.add(scores[s][new], np.concatenate([unit, node.of(s, new)], axis=1))

        first = [_positions(c, self.start[s]) for s, c in enumerate(courses)]
        if all(first):
            for s, new in enumerate(first):
                add(s, new)
            dual = master.duals()
            target, price = dual[:lesions], np.maximum(dual[lesions:], 0.0)
        for _ in range(MAX_ROUNDS):
            added = 0
            for s in range(lesions):
                reduced = node.reduced(s, scores[s], price)
                count = min(NEW_COLUMNS, len(reduced))
                top = np.argpartition(-reduced, count - 1)[:count]
                new = sorted(
                    int(c) for c in top if reduced[c] > target[s] + 1e-7 and c not in known[s]
                )
                if not new:
                    continue
                add(s, new)
                added += len(new)
            if not added:
                break
            dual = master.duals()
            target, price = dual[:lesions], np.maximum(dual[lesions:], 0.0)
        for s, c in enumerate(courses):
            reduced = node.reduced(s, scores[s], price)
            near = np.array(sorted(known[s], key=lambda i: (-reduced[i], i))[:KEPT_COLUMNS])
            self.start[s] = np.sort(c[near])
        for i, most in enumerate(self.penalty):
            spent = float(price[family == i].sum())
            if spent > most:
                price[family == i] *= most / spent
        return price


def _positions(courses: IntArray, wanted: IntArray) -> list[int]:
    """Positions of the wanted courses in a sorted list of courses, as far as they are in it."""
    place = np.searchsorted(courses, wanted)
    inside = place < len(courses)
    found = place[inside]
    return [int(i) for i in found[courses[found] == wanted[inside]]]
