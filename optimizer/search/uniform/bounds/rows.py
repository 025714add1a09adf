"""Linear rows that every schedule obeys or pays for, as parts of kinds and parts of days.

* organ limits without shared days (a lower bound of the load), NTCP also per lesion with the
  state of exposure that its own course brings about,
* EDRIC with each course's own number of fractions (a lower bound),
* lymphocyte loss on days of fractions, lesions treated (cap and floor), machine days,
* lesions on each day, where more could meet there than may; on each day one course at most, where
  courses must keep a gap g: those from their first day to g - 1 days after their last.

The coefficient of a course is that of its kind plus that of its days. A soft limit costs
`penalty max(0, load - 1) >= y (load - 1)` for every 0 <= y <= penalty: its rows are kept with
multipliers that sum to at most the penalty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.ids import KindIds, PlanId
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class ByKind:
    """What the kinds of one lesion put into rows, whatever their days.

    Attributes
    ----------
    number : (n,) the rows that depend on kinds, of so many
    load : (kinds, n)
    """

    number: IntArray
    count: int
    load: FloatArray

    def charged(self, prices: FloatArray) -> FloatArray:
        """(..., kinds) load at prices (..., rows) of all rows."""
        return np.asarray(prices[..., self.number] @ self.load.T)

    def of(self, kinds: KindIds) -> FloatArray:
        """(n, rows) load of some kinds in all rows."""
        load = np.zeros((len(kinds), self.count))
        load[:, self.number] = self.load[kinds]
        return load


@dataclass(frozen=True)
class Rows:
    """Rows `sum <= right` of one plan, or of all plans of a group.

    Attributes
    ----------
    by_kind : per lesion; the same for all plans of a family
    by_days : per lesion (techniques, patterns, rows)
    right : (rows,)
    family : (rows,) rows of one soft limit share a number; -1 for hard rows
    penalty : (families,) what a unit of excess costs
    """

    by_kind: tuple[ByKind, ...]
    by_days: tuple[FloatArray, ...]
    right: FloatArray
    family: IntArray
    penalty: FloatArray

    def capped(self, price: FloatArray) -> FloatArray:
        """Prices of which those of a soft limit sum to its penalty at most."""
        price = price.copy()
        for i, penalty in enumerate(self.penalty):
            spent = float(price[self.family == i].sum())
            if spent > penalty:
                price[self.family == i] *= penalty / spent
        return price


def rows_of(
    candidates: Candidates,
    plans: tuple[PlanId, ...],
    family: tuple[PlanId, ...],
    family_rows: Rows | None = None,
) -> Rows:
    """Rows A x <= b that all schedules of some plans of one group obey.

    A[r, c] = by_kind[kind of c, r] + by_days[technique of c, pattern of c, r], r in the order:
    organ limits (b = cap - prior), exposed states of NTCP limits, further limits.

    Parameters
    ----------
    family : plans whose states of exposure decide which rows there are
    family_rows : rows of other plans of the family
    """
    plan = plans[0]
    chemo = float(candidates.plan_effects.chemotherapy_log_loss[list(plans)].min())
    exposures = _exposure_rows(candidates, plans, family)
    columns: list[_Row] = [
        _Row(CAP - prior, load.limit.penalty)
        for prior, load in zip(candidates.prior, candidates.on_organs, strict=True)
    ]
    columns += [_Row(CAP - candidates.prior[row], None) for row, _, _ in exposures]
    for on_courses in candidates.on_courses:
        columns += [
            _Row(right, on_courses.limit.penalty, number)
            for number, right in enumerate(on_courses.rhs(candidates, chemo))
        ]
    origin = [row for row, _, _ in exposures]
    by_kind = (
        family_rows.by_kind if family_rows else _by_kind(candidates, plan, origin, len(columns))
    )
    if family_rows is not None and not exposures:
        by_days = family_rows.by_days
    else:
        by_days = _by_days(candidates, exposures)
    shared_by, penalty = _families(columns)
    return Rows(by_kind, by_days, np.array([c.right for c in columns]), shared_by, penalty)


def _by_days(
    candidates: Candidates, exposures: list[tuple[int, int, FloatArray]]
) -> tuple[FloatArray, ...]:
    """Per lesion (techniques, patterns, rows) what days alone put into rows."""
    by_days = []
    for s, table in enumerate(candidates.lesions):
        shape = len(candidates.lesion_of(table).ways), len(table.menu.patterns.count)
        days = [np.zeros((*shape, len(candidates.on_organs)))]
        for _, owner, extra in exposures:
            days.append((extra if owner == s else np.zeros(shape))[:, :, None])
        days += [limit.of_days(candidates, s) for limit in candidates.on_courses]
        by_days.append(np.concatenate(days, axis=2))
    return tuple(by_days)


def _by_kind(
    candidates: Candidates, plan: PlanId, exposed: list[int], count: int
) -> tuple[ByKind, ...]:
    """Loads of kinds per lesion, (kinds, n): organ limits, their exposed states, further limits.

    Columns [ load, load of exposed limits, of_kinds ]; `number` are their places among all rows.
    """
    by_lesion, loads = [], candidates.loads(plan)
    for s, load in enumerate(loads):
        tick()
        finite = np.where(np.isfinite(load), load, 0.0)  # else not allowed
        columns = [finite, finite[:, exposed]]
        number = list(range(finite.shape[1] + len(exposed)))
        begin = len(number)
        for limit in candidates.on_courses:
            by_kind = limit.of_kinds(candidates, s, plan)
            if by_kind is not None:
                columns.append(by_kind)
                number += range(begin, begin + by_kind.shape[1])
            begin += len(limit.rhs(candidates, 0.0))
        by_lesion.append(
            ByKind(np.array(number, dtype=np.int64), count, np.concatenate(columns, axis=1))
        )
    return tuple(by_lesion)


@dataclass(frozen=True)
class _Row:
    """Right-hand side and price of one row; `number` counts the rows of one limit."""

    right: float
    penalty: float | None
    number: int = 0


def _families(rows: list[_Row]) -> tuple[IntArray, FloatArray]:
    family: list[int] = []
    penalty: list[float] = []
    for row in rows:
        if row.penalty is None:
            family.append(-1)
            continue
        if row.number == 0:
            penalty.append(row.penalty)
        family.append(len(penalty) - 1)
    return np.array(family, dtype=np.int64), np.array(penalty)


def _exposure_rows(
    candidates: Candidates, plans: tuple[PlanId, ...], family: tuple[PlanId, ...]
) -> list[tuple[int, int, FloatArray]]:
    """(limit, lesion, extra by technique and pattern): NTCP rows with one lesion's exposure.

    `sum load <= ratio` in the state of the lesion's course, as
    `sum load + (1 - ratio) [course] <= 1`; for several plans the least of what they ask.
    """
    exposure_rows = []
    limits = sorted({row for row, _, _ in candidates.exposures})
    for row in (i for i in limits if candidates.hard[i]):
        for s, table in enumerate(candidates.lesions):
            lesion = candidates.lesion_of(table)
            if not any(_extra(candidates, row, s, k).any() for k in family):
                continue
            extra = np.min([_extra(candidates, row, s, k) for k in plans], axis=0)
            by_pattern = np.zeros((len(lesion.ways), extra.shape[1]))
            if table.of_several_ways:  # all beams alike: days say what reaches the organ
                exposure_rows.append((row, s, by_pattern + extra[0]))
                continue
            for of_beam, (_, way, number) in zip(extra, table.beams, strict=True):
                daily = table.menu.patterns.per_day == number
                by_pattern[lesion.ways.index(way), daily] = of_beam[daily]
            exposure_rows.append((row, s, by_pattern))
    return exposure_rows


def _extra(candidates: Candidates, row: int, s: int, plan: PlanId) -> FloatArray:
    """(beams, patterns) what the state of exposure of a lesion's courses costs of a cap."""
    columns = [i for i, (limit, _, _) in enumerate(candidates.exposures) if limit == row]
    within_reach = candidates.near(plan)[s][:, columns]
    touched = candidates.touches[s] | candidates.lesions[s].of_several_ways
    met = within_reach[None] & touched[:, None, columns]
    ratio = np.ones(met.shape[:2])
    for state in candidates.on_organs[row].states():
        members = (met == np.array(state)).all(axis=2)
        if any(state) and members.any():
            ratio[members] = candidates.ntcp_ratio(row, state)
    extra: FloatArray = CAP * (1.0 - ratio)
    return extra
