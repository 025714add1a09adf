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

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import AlcLimit, EdricLimit, LogisticsLimit
from abscopt.models import lymphocytes
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.courses import ADDED
from abscopt.optimizer.candidates.loads import alc_allowance, edric_alone
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.optimizer.candidates.courses import Patterns
    from abscopt.optimizer.candidates.table import Candidates


MOST_ALC_ROWS = 48
"""Days on which lymphocytes are counted in rows: every fraction day of about ten weeks; of longer
cases every second, third ..., where the loss of a day is at most some percent above its neighbors'.
"""
DATED = ("lesions_per_day", "course_gap_days")
"""Quantities of logistics limits that have one row for each day."""


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

    def of(self, kinds: IntArray) -> FloatArray:
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
    plans: tuple[int, ...],
    family: tuple[int, ...],
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
        _Row(CAP - candidates.prior[i], limit.penalty) for i, limit in enumerate(candidates.limits)
    ]
    columns += [_Row(CAP - candidates.prior[row], None) for row, _, _ in exposures]
    further = [limit for limit in candidates.instance.limits if _has_rows(limit)]
    for limit in further:
        columns += [
            _Row(right, limit.penalty, number)
            for number, right in enumerate(_right(candidates, limit, chemo))
        ]
    origin = [row for row, _, _ in exposures]
    by_kind = (
        family_rows.by_kind
        if family_rows
        else _by_kind(candidates, plan, origin, further, len(columns))
    )
    by_days = []
    for s, table in enumerate(candidates.lesions):
        shape = len(candidates.lesion_of(table).ways), len(table.menu.patterns.count)
        days = [np.zeros((*shape, len(candidates.limits)))]
        for _, owner, extra in exposures:
            days.append((extra if owner == s else np.zeros(shape))[:, :, None])
        days += [
            _of_days(candidates, limit, s, len(_right(candidates, limit, 0.0))) for limit in further
        ]
        by_days.append(np.concatenate(days, axis=2))
    shared_by, penalty = _families(columns)
    return Rows(by_kind, tuple(by_days), np.array([c.right for c in columns]), shared_by, penalty)


def _by_kind(
    candidates: Candidates, plan: int, exposed: list[int], further: list[AnyLimit], count: int
) -> tuple[ByKind, ...]:
    """Loads of kinds per lesion, (kinds, n): organ limits, their exposed states, EDRIC.

    Columns [ load, load of exposed limits, edric / cap ]; `number` are their places among all rows.
    """
    by_lesion, loads = [], candidates.loads(plan)
    for s, load in enumerate(loads):
        tick()
        finite = np.where(np.isfinite(load), load, 0.0)  # else not allowed
        columns = [finite, finite[:, exposed]]
        number = list(range(finite.shape[1] + len(exposed)))
        begin = len(number)
        for limit in further:
            if isinstance(limit, EdricLimit):
                columns.append(_edric_alone(candidates, limit, s, plan)[:, None])
                number.append(begin)
            begin += len(_right(candidates, limit, 0.0))
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


def _has_rows(limit: AnyLimit) -> bool:
    return isinstance(limit, EdricLimit | AlcLimit) or (
        isinstance(limit, LogisticsLimit) and limit.quantity in (*ADDED, *DATED)
    )


def _alc_days(candidates: Candidates) -> IntArray:
    """Days on which some course has a fraction, the last one always among them.

    The loss of a day without a fraction is below that of the day before.
    """
    has_fraction = np.any([p.incidence.any(axis=0) for p in candidates.own_patterns], axis=0)
    days = np.flatnonzero(has_fraction)
    step = max(1, math.ceil(len(days) / MOST_ALC_ROWS))
    chosen: IntArray = days[::-1][::step]
    return chosen


def _dated_days(candidates: Candidates, limit: LogisticsLimit) -> IntArray:
    """Days of a limit in `DATED` on which so many lesions can meet that it may be broken."""
    able = sum(
        occupied(patterns, limit).any(axis=0).astype(np.int64)
        for patterns in candidates.own_patterns
    )
    cap = 1 if limit.cap is None else limit.cap
    crowded: IntArray = np.flatnonzero(np.asarray(able) > cap)
    return crowded


def occupied(patterns: Patterns, limit: LogisticsLimit) -> BoolArray:
    """(patterns, days) days that each pattern takes of a limit in `DATED`.

    Fraction days within the limit's window; or with a gap g between courses, the days from the
    first fraction to g - 1 days after the last: courses keep the gap if no day is taken twice.
    """
    days = np.arange(patterns.incidence.shape[1])
    if limit.quantity == "lesions_per_day":
        window = limit.days(len(days))
        inside = (days >= window.start) & (days < window.stop)
        return (patterns.incidence > 0) & inside
    assert limit.floor is not None
    first, last = patterns.first[:, None], patterns.last[:, None]
    treats = patterns.count[:, None] > 0
    taken: BoolArray = treats & (days >= first) & (days <= last + limit.floor - 1)
    return taken


def _right(candidates: Candidates, limit: AnyLimit, chemo: float) -> list[float]:
    if isinstance(limit, EdricLimit):
        return [CAP]
    if isinstance(limit, AlcLimit):
        right = CAP - chemo / alc_allowance(candidates.instance, limit)
        return [right] * len(_alc_days(candidates))
    assert isinstance(limit, LogisticsLimit)
    if limit.quantity in DATED:
        right = 1.0 if limit.cap is None or limit.penalty is not None else float(limit.cap)
        return [right] * len(_dated_days(candidates, limit))
    sides = [] if limit.cap is None else [1.0 if limit.penalty is not None else float(limit.cap)]
    return sides if limit.floor is None else [*sides, -float(limit.floor)]


def _edric_alone(candidates: Candidates, limit: EdricLimit, s: int, plan: int) -> FloatArray:
    """(kinds,) part of the cap that each kind takes by itself."""
    menu = candidates.shared(plan)[s].kinds.menu
    dose = lymphocytes.edric(*edric_alone(candidates.instance, menu), menu.fractions)
    return np.asarray(dose) / limit.cap_gy


def _of_days(candidates: Candidates, limit: AnyLimit, s: int, rows: int) -> FloatArray:
    """(techniques, patterns, rows of the limit) what depends on days.

    Lymphocytes: kappa_w unit[p, t] / allowance; `DATED`: [p takes day t] / scale; else the count
    of sites or machine days, cap side first, floor side negative.
    """
    table = candidates.lesions[s]
    lesion, patterns = candidates.lesion_of(table), table.menu.patterns
    load = np.zeros((len(lesion.ways), len(patterns.count), rows))
    if isinstance(limit, AlcLimit):
        kappa = np.array([lesion.lymphocyte_loss(way) for way in lesion.ways])
        unit = table.alc_unit[:, _alc_days(candidates)]
        load[:] = kappa[:, None, None] * (unit / alc_allowance(candidates.instance, limit))
    elif isinstance(limit, LogisticsLimit) and limit.quantity in DATED:
        scale = float(limit.cap) if limit.penalty is not None and limit.cap else 1.0
        load[:] = occupied(patterns, limit)[:, _dated_days(candidates, limit)] / scale
    elif isinstance(limit, LogisticsLimit):
        load[:] = _sides(limit, patterns.added(limit))
    return load


def _sides(limit: LogisticsLimit, count: FloatArray) -> FloatArray:
    scale = float(limit.cap) if limit.penalty is not None and limit.cap else 1.0
    sides = [count / scale] if limit.cap is not None else []
    sides += [-count] if limit.floor is not None else []
    return np.stack(sides, axis=1)


def _exposure_rows(
    candidates: Candidates, plans: tuple[int, ...], family: tuple[int, ...]
) -> list[tuple[int, int, FloatArray]]:
    """(limit, lesion, extra by technique and pattern): NTCP rows with one lesion's exposure.

    `sum load <= ratio` in the state of the lesion's course, as
    `sum load + (1 - ratio) [course] <= 1`; for several plans the least of what they ask.
    """
    exposure_rows = []
    limits = sorted({row for row, _, _ in candidates.exposures})
    for row in (i for i in limits if candidates.limits[i].penalty is None):
        for s, table in enumerate(candidates.lesions):
            lesion = candidates.lesion_of(table)
            if not any(_extra(candidates, row, s, k).any() for k in family):
                continue
            extra = np.min([_extra(candidates, row, s, k) for k in plans], axis=0)
            by_pattern = np.zeros((len(lesion.ways), extra.shape[1]))
            for of_beam, (_, way, number) in zip(extra, table.beams, strict=True):
                daily = table.menu.patterns.per_day == number
                by_pattern[lesion.ways.index(way), daily] = of_beam[daily]
            exposure_rows.append((row, s, by_pattern))
    return exposure_rows


def _extra(candidates: Candidates, row: int, s: int, plan: int) -> FloatArray:
    """(beams, patterns) what the state of exposure of a lesion's courses costs of a cap."""
    columns = [i for i, (limit, _, _) in enumerate(candidates.exposures) if limit == row]
    within_reach = candidates.near(plan)[s][:, columns]
    met = within_reach[None] & candidates.touches[s][:, None, columns]
    ratio = np.ones(met.shape[:2])
    for state in candidates.states(row):
        members = (met == np.array(state)).all(axis=2)
        if any(state) and members.any():
            ratio[members] = candidates.ntcp_ratio(row, state)
    extra: FloatArray = CAP * (1.0 - ratio)
    return extra
