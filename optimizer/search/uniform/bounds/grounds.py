"""What the bound of a search rests on, and how far it moves with the caps.

A proof closes its parts with Lagrangian bounds, or writes down every schedule of a part. With the
right sides r of the rows raised to r', a Lagrangian bound with prices y rises by y (r' - r): the
whole bound by the most that any prices of the proof say. A schedule that was written down, is worth
more than the bound and broke a limit is looked at again. Where loads are given as parts of the
caps, a row times s with its price over s is the same row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.checks.restriction import caps_differ_alone
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseRows, PlanId
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.rows import rows_of

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
    from abscopt.optimizer.search.uniform.bounds.rows import Rows


SAME = 1e-12
SAFETY = 1e-9


@dataclass
class Grounds:
    """All that closed the parts of one search.

    Attributes
    ----------
    prices : per family of plans, prices of its rows
    rivals : plan and rows (schedules, lesions) that only caps of organs exclude and that were
        worth more than what was known then
    whole : False where limits excluded schedules that were never written down
    bound : what all parts were closed at; infinite while some are open
    """

    prices: dict[tuple[PlanId, ...], list[FloatArray]] = field(default_factory=dict)
    rivals: list[tuple[PlanId, CourseRows]] = field(default_factory=list)
    whole: bool = True
    bound: float = math.inf

    def add(self, plan_set: PlanSet, prices: FloatArray) -> None:
        """Note prices that may have closed something."""
        if prices.any():
            self.prices.setdefault(plan_set.family, []).append(prices)

    def add_rivals(self, plan: PlanId, rows: CourseRows) -> None:
        """Note schedules that only caps of organs exclude."""
        if len(rows):
            self.rivals.append((plan, rows))
            count = sum(len(schedules) for _, schedules in self.rivals)
            self.whole &= count <= settings.CURRENT.most_rivals


@dataclass(frozen=True)
class Proof:
    """A bound of one case with its grounds."""

    candidates: Candidates
    grounds: Grounds

    def bound_for(self, asked: Candidates) -> float:
        """Bound of a case that has the same tables; infinite where the grounds say nothing of it.

        Every schedule of the other case is one of the parts that the grounds closed.
        """
        if not (
            self.grounds.whole
            and asked.plans is self.candidates.plans
            and caps_differ_alone(asked.instance, self.candidates.instance)
            and _same_exposed(asked, self.candidates)
            and _allows_no_more(asked, self.candidates)
        ):
            return math.inf
        rise = 0.0
        for family, prices in self.grounds.prices.items():
            before = rows_of(self.candidates, family, family)
            rise = max(rise, _rise(before, rows_of(asked, family, family), np.array(prices)))
        bound = self.grounds.bound + rise + SAFETY
        for plan, rows in self.grounds.rivals if math.isfinite(rise) else ():
            tabulated = Tabulated(asked, plan)
            value = tabulated.value(rows)
            above = value > bound
            if above.any():
                feasible = tabulated.feasible(rows[above])
                bound = max(bound, float(value[above][feasible].max(initial=-math.inf)))
        return bound


def _same_exposed(asked: Candidates, proved: Candidates) -> bool:
    """Whether limits whose caps depend on exposures are the same."""
    return all(
        asked.on_organs[row].limit == proved.on_organs[row].limit for row, _, _ in asked.exposures
    )


def _allows_no_more(asked: Candidates, proved: Candidates) -> bool:
    """Whether every course that a case allows by itself is allowed by another one too."""
    groups = asked.plan_effects.group
    states = np.array(list(np.ndindex(*([2] * len(asked.exposures)))), dtype=bool)
    for plan in (PlanId(int(np.flatnonzero(groups == group)[0])) for group in np.unique(groups)):
        for loads, loads_before in zip(asked.loads(plan), proved.loads(plan), strict=True):
            for state in states if asked.exposures else ():
                met = np.broadcast_to(state, (len(loads), len(state)))
                fits = asked.within(asked.in_state(loads, met))
                if (fits & ~proved.within(proved.in_state(loads_before, met))).any():
                    return False
            if not asked.exposures and (asked.within(loads) & ~proved.within(loads_before)).any():
                return False
    return True


def _rise(before: Rows, after: Rows, prices: FloatArray) -> float:
    """max over prices y of sum_r y_r (b'_r / s_r - b_r), at least 0, where A'_r = s_r A_r.

    How much any prices (n, rows) let the bound rise from rows A x <= b to A' x <= b'; infinite
    where a priced row is not a multiple of the other.
    """
    if len(before.right) != len(after.right):
        return math.inf
    loads_before, loads_after = _loads(before), _loads(after)
    scale = np.ones(len(before.right))
    for i, (a, b) in enumerate(zip(loads_before, loads_after, strict=True)):
        if not prices[:, i].any():
            continue
        greatest = float(np.abs(a).max(initial=0.0))
        scale[i] = float(np.abs(b).max(initial=0.0)) / greatest if greatest > 0 else 1.0
        if scale[i] <= 0 or not np.allclose(b, scale[i] * a, rtol=SAME, atol=SAME):
            return math.inf
    change = prices @ (after.right / scale - before.right)
    return float(change.max(initial=0.0))


def _loads(rows: Rows) -> list[FloatArray]:
    """What kinds and days put into each row."""
    by_row: list[list[FloatArray]] = [[] for _ in rows.right]
    for of_kinds in rows.by_kind:
        for number, load in zip(of_kinds.number.tolist(), of_kinds.load.T, strict=True):
            by_row[number].append(load)
    for days in rows.by_days:
        for number in range(len(by_row)):
            by_row[number].append(days[:, :, number].reshape(-1))
    return [np.concatenate(loads) for loads in by_row]
