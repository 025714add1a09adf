"""Upper bounds of one plan: separable scores, linear rows, Lagrangian duals from HiGHS.

Inside a box `low <= Z <= high` of the (unsaturated) systemic log kill, every lesion's value is
at most its value at `high`: a score per course, with the pursued-or-conceded choice kept exactly.
The rows are relaxations that every schedule in the box satisfies:

* organ limits without shared days (a lower bound of the load),
* EDRIC with each course's own number of fractions (a lower bound),
* lymphocyte loss on chosen days, lesions treated (cap and floor),
* `Z >= low`: with G = sum e^a v and A = sum a, `ln G - A >= ln low + chemo`, and
  `ln G <= G/G0 - 1 + ln G0` for every G0 > 0, hence
  `sum (g/G0 - a) >= ln low + chemo + 1 - ln G0`, linear in the choice.

For multipliers y >= 0 the Lagrangian `y.b + sum_s max_c (score - A y)` bounds the box, whatever
y is; HiGHS only supplies good multipliers, so no solver tolerance enters the bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import AlcLimit, EdricLimit, LogisticsLimit
from abscopt.models import immune, lymphocytes, outcome
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.solver import ColumnMaster

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates, LesionTable
    from abscopt.optimizer.candidates.tabulated import Tabulated

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ALC_ROW_STEP_DAYS = 4
NEW_COLUMNS = 12
MAX_ROUNDS = 60
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
    """Rows `sum <= right` that every schedule obeys under every plan.

    Attributes
    ----------
    coefficients : per lesion (courses, rows)
    right, chemo : (rows,) right-hand side, and what one nat of chemotherapy loss takes off it
    """

    coefficients: list[FloatArray]
    right: FloatArray
    chemo: FloatArray


def relaxed_rows(candidates: Candidates) -> Rows:
    """Organ, EDRIC, lymphocyte and lesion-number rows of a case."""
    instance = candidates.instance
    last = max(int(table.menu.patterns.last.max()) for table in candidates.lesions)
    alc_days = np.arange(max(last, 0), -1, -ALC_ROW_STEP_DAYS)
    before = instance.lymphocytes.initial_1e9_per_l
    right, chemo = [np.full(len(candidates.limits), CAP)], [np.zeros(len(candidates.limits))]
    for limit in instance.limits:
        if isinstance(limit, EdricLimit):
            right.append(np.full(1, CAP))
            chemo.append(np.zeros(1))
        elif isinstance(limit, AlcLimit):
            allowance = math.log(before / limit.floor_1e9_per_l)
            right.append(np.full(len(alc_days), CAP))
            chemo.append(np.full(len(alc_days), 1.0 / allowance))
        elif isinstance(limit, LogisticsLimit) and limit.quantity == "lesions":
            sides = [limit.cap] if limit.cap is not None else []
            sides += [-limit.floor] if limit.floor is not None else []
            right.append(np.array(sides, dtype=float))
            chemo.append(np.zeros(len(sides)))
    return Rows(
        [_lesion_rows(instance, table, alc_days) for table in candidates.lesions],
        np.concatenate(right),
        np.concatenate(chemo),
    )


def _lesion_rows(instance: Instance, table: LesionTable, alc_days: IntArray) -> FloatArray:
    """(courses, rows) coefficients of one lesion, in the order of `relaxed_rows`."""
    menu, lesion = table.menu, instance.lesions[table.menu.lesion]
    total = menu.fractions * menu.dose
    before = instance.lymphocytes.initial_1e9_per_l
    treated = (menu.pattern > 0).astype(float)[:, None]
    columns = [table.loads]
    for limit in instance.limits:
        if isinstance(limit, EdricLimit):
            own = lymphocytes.edric(
                lesion.sparing_factor("lungs", "mean", 0) * total,
                lesion.sparing_factor("heart", "mean", 0) * total,
                (lesion.integral_dose_cm3 or 0.0) * total,
                menu.fractions,
            )
            columns.append(own[:, None] / limit.cap_gy)
        elif isinstance(limit, AlcLimit):
            allowance = math.log(before / limit.floor_1e9_per_l)
            columns.append(table.alc_loss[menu.pattern][:, alc_days] / allowance)
        elif isinstance(limit, LogisticsLimit) and limit.quantity == "lesions":
            columns += [treated] if limit.cap is not None else []
            columns += [-treated] if limit.floor is not None else []
    return np.concatenate(columns, axis=1)


class PlanBounds:
    """Rows and scores of one plan, from which the bounds of its nodes are computed."""

    def __init__(self, tabulated: Tabulated, rows: Rows):
        self.tabulated = tabulated
        self.instance: Instance = tabulated.instance
        self.tables = tabulated.candidates.lesions
        self.systemic = self.instance.objective.kind == "default"
        self.gain = [np.exp(e.loss)[:, None] * e.effect for e in tabulated.effects]
        self.rows = rows.coefficients
        self.right = rows.right - tabulated.chemo * rows.chemo

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
        goal = self.instance.objective
        kill = immune.saturate(np.array(corner), self.instance.immune.effect_maximum_nats)
        burden = effect.local[courses] - self.tabulated.shares[s] * kill
        value = outcome.conceding_value(burden, goal.conceded_at_nats, goal.conceded_slope)
        result: FloatArray = weight * value.mean(axis=1)
        return result

    def bound(self, courses: list[IntArray], box: Box) -> Bound:
        """Lagrangian bound of a node: some courses per lesion, and a box."""
        scores = [self.scores(s, c, box.high) for s, c in enumerate(courses)]
        coefficients, right = self._node_rows(courses, box)
        price = self._prices(scores, coefficients, right)
        reduced = [v - a @ price for v, a in zip(scores, coefficients, strict=True)]
        best = [float(r.max()) for r in reduced]
        value = float(price @ right) + math.fsum(best)
        return Bound(value, tuple(b - r for b, r in zip(best, reduced, strict=True)))

    def _node_rows(self, courses: list[IntArray], box: Box) -> tuple[list[FloatArray], FloatArray]:
        """Static rows of the node's courses with `Z >= low` rows appended."""
        coefficients = [rows[c] for rows, c in zip(self.rows, courses, strict=True)]
        right = self.right
        if not self.systemic:
            return coefficients, right
        effects, chemo = self.tabulated.effects, self.tabulated.chemo
        loss = [e.loss[c] for e, c in zip(effects, courses, strict=True)]
        least, most = (math.fsum(float(f(a)) for a in loss) for f in (np.min, np.max))
        for h, low in enumerate(box.low):
            if low <= 0:
                continue
            near = low * math.exp(chemo + least), box.high[h] * math.exp(chemo + most)
            for level in np.geomspace(*near, 3):
                row = [
                    a - self.gain[s][c, h] / level
                    for s, (a, c) in enumerate(zip(loss, courses, strict=True))
                ]
                coefficients = [
                    np.concatenate([m, r[:, None]], axis=1)
                    for m, r in zip(coefficients, row, strict=True)
                ]
                need = math.log(low) + chemo + 1.0 - math.log(level)
                right = np.append(right, -need)
        return coefficients, right

    def _prices(
        self, scores: list[FloatArray], coefficients: list[FloatArray], right: FloatArray
    ) -> FloatArray:
        """Multipliers of the rows by column generation on the LP relaxation.

        Every row may be exceeded at a high price, which keeps the master feasible; a node that
        needs it gets a bound so low that it is dropped.
        """
        lesions, rows = len(scores), len(right)
        master = ColumnMaster(
            np.concatenate([np.ones(lesions), np.full(rows, -np.inf)]),
            np.concatenate([np.ones(lesions), right]),
        )
        slack = np.concatenate([np.zeros((rows, lesions)), -np.eye(rows)], axis=1)
        master.add(np.full(rows, -ELASTIC_PRICE), slack)
        known: list[set[int]] = [set() for _ in range(lesions)]
        price, target = np.zeros(rows), np.full(lesions, -np.inf)
        for _ in range(MAX_ROUNDS):
            added = 0
            for s in range(lesions):
                reduced = scores[s] - coefficients[s] @ price
                count = min(NEW_COLUMNS, len(reduced))
                top = np.argpartition(-reduced, count - 1)[:count]
                new = sorted(
                    int(c) for c in top if reduced[c] > target[s] + 1e-7 and c not in known[s]
                )
                if not new:
                    continue
                known[s].update(new)
                unit = np.zeros((len(new), lesions))
                unit[:, s] = 1.0
                master.add(scores[s][new], np.concatenate([unit, coefficients[s][new]], axis=1))
                added += len(new)
            if not added:
                break
            dual = master.duals()
            target, price = dual[:lesions], np.maximum(dual[lesions:], 0.0)
        return price
