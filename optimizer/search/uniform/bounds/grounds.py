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
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.uniform.bounds.rows import rows_of

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
    from abscopt.optimizer.search.uniform.bounds.rows import Rows


MOST_RIVALS = 200_000
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

    prices: dict[tuple[int, ...], list[FloatArray]] = field(default_factory=dict)
    rivals: list[tuple[int, IntArray]] = field(default_factory=list)
    whole: bool = True
    bound: float = math.inf

    def add(self, plan_set: PlanSet, prices: FloatArray) -> None:
        """Note prices that may have closed something."""
        if prices.any():
            self.prices.setdefault(plan_set.family, []).append(prices)

    def add_rivals(self, plan: int, rows: IntArray) -> None:
        """Note schedules that only caps of organs exclude."""
        if len(rows):
            self.rivals.append((plan, rows))
            self.whole &= sum(len(own) for _, own in self.rivals) <= MOST_RIVALS


@dataclass(frozen=True)
class Proof:
    """A bound of one case with its grounds."""

    candidates: Candidates
    grounds: Grounds

    def bound_for(self, other: Candidates) -> float:
        """Bound of a case that has the same tables; infinite where the grounds say nothing of it.

        Every schedule of the other case is one of the parts that the grounds closed.
        """
        if not (
            self.grounds.whole
            and other.plans is self.candidates.plans
            and caps_differ_alone(other.instance, self.candidates.instance)
            and _same_exposed(other, self.candidates)
            and _allows_no_more(other, self.candidates)
        ):
            return math.inf
        rise = 0.0
        for family, prices in self.grounds.prices.items():
            before = rows_of(self.candidates, family, family)
            rise = max(rise, _rise(before, rows_of(other, family, family), np.array(prices)))
        bound = self.grounds.bound + rise + SAFETY
        for plan, rows in self.grounds.rivals if math.isfinite(rise) else ():
            tabulated = Tabulated(other, plan)
            value = tabulated.value(rows)
            above = value > bound
            if above.any():
                good = tabulated.feasible(rows[above])
                bound = max(bound, float(value[above][good].max(initial=-math.inf)))
        return bound


def _same_exposed(one: Candidates, other: Candidates) -> bool:
    """Whether limits whose caps depend on exposures are the same."""
    return all(one.limits[row] == other.limits[row] for row, _, _ in one.exposures)


def _allows_no_more(one: Candidates, other: Candidates) -> bool:
    """Whether every course that a case allows by itself is allowed by another one too."""
    groups = one.plan_effects.group
    states = np.array(list(np.ndindex(*([2] * len(one.exposures)))), dtype=bool)
    for plan in (int(np.flatnonzero(groups == group)[0]) for group in np.unique(groups)):
        for own, before in zip(one.loads(plan), other.loads(plan), strict=True):
            for state in states if one.exposures else ():
                met = np.broadcast_to(state, (len(own), len(state)))
                fits = one.within(one.in_state(own, met))
                if (fits & ~other.within(other.in_state(before, met))).any():
                    return False
            if not one.exposures and (one.within(own) & ~other.within(before)).any():
                return False
    return True


def _rise(before: Rows, after: Rows, prices: FloatArray) -> float:
    """How much any prices let the bound rise; infinite where rows are not multiples of others."""
    if len(before.right) != len(after.right):
        return math.inf
    old, new = _loads(before), _loads(after)
    scale = np.ones(len(before.right))
    for i, (a, b) in enumerate(zip(old, new, strict=True)):
        if not prices[:, i].any():
            continue
        most = float(np.abs(a).max(initial=0.0))
        scale[i] = float(np.abs(b).max(initial=0.0)) / most if most > 0 else 1.0
        if scale[i] <= 0 or not np.allclose(b, scale[i] * a, rtol=SAME, atol=SAME):
            return math.inf
    change = prices @ (after.right / scale - before.right)
    return float(change.max(initial=0.0))


def _loads(rows: Rows) -> list[FloatArray]:
    """What kinds and days put into each row."""
    found: list[list[FloatArray]] = [[] for _ in rows.right]
    for own in rows.by_kind:
        for number, load in zip(own.number.tolist(), own.load.T, strict=True):
            found[number].append(load)
    for days in rows.by_days:
        for number in range(len(found)):
            found[number].append(days[:, :, number].reshape(-1))
    return [np.concatenate(parts) for parts in found]
