"""Linear rows that every schedule obeys or pays for, as parts of kinds and parts of days.

* organ limits without shared days (a lower bound of the load), NTCP also per lesion with the
  state of exposure that its own course brings about,
* EDRIC with each course's own number of fractions (a lower bound),
* lymphocyte loss on chosen days, lesions treated (cap and floor), machine days.

The coefficient of a course is that of its kind plus that of its days. A soft limit costs
`penalty max(0, load - 1) >= y (load - 1)` for every 0 <= y <= penalty: its rows are kept with
multipliers that sum to at most the penalty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import AlcLimit, EdricLimit, LogisticsLimit
from abscopt.models import lymphocytes
from abscopt.optimizer.candidates.loads import edric_alone
from abscopt.optimizer.candidates.table import CAP

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.optimizer.candidates.kinds import Block
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ALC_ROW_STEP_DAYS = 4


@dataclass(frozen=True)
class Rows:
    """Rows `sum <= right` of one plan, or of all plans of a group.

    Attributes
    ----------
    by_kind : per lesion (kinds, rows)
    by_days : per lesion and block (patterns of the block, rows)
    right : (rows,)
    family : (rows,) rows of one soft limit share a number; -1 for hard rows
    penalty : (families,) what a unit of excess costs
    """

    by_kind: tuple[FloatArray, ...]
    by_days: tuple[tuple[FloatArray, ...], ...]
    right: FloatArray
    family: IntArray
    penalty: FloatArray

    def capped(self, price: FloatArray) -> FloatArray:
        """Prices of which those of a soft limit sum to its penalty at most."""
        price = price.copy()
        for i, most in enumerate(self.penalty):
            spent = float(price[self.family == i].sum())
            if spent > most:
                price[self.family == i] *= most / spent
        return price


def rows_of(candidates: Candidates, plans: tuple[int, ...], family: tuple[int, ...]) -> Rows:
    """Rows that all schedules of some plans of one group obey.

    Parameters
    ----------
    family : plans whose states of exposure decide which rows there are
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
    by_kind, by_days = [], []
    loads, shared = candidates.loads(plan), candidates.shared(plan)
    for s, one in enumerate(shared):
        finite = np.where(np.isfinite(loads[s]), loads[s], 0.0)  # else not allowed
        kind = [finite, *(finite[:, [row]] for row, _, _ in exposures)]
        days = [[np.zeros((len(block.patterns), loads[s].shape[1]))] for block in one.kinds.blocks]
        for _, owner, extra in exposures:
            for number, part in enumerate(days):
                none = np.zeros((len(part[0]), 1))
                part.append(extra[number][:, None] if owner == s else none)
        for limit in further:
            own = _of_kinds(candidates, limit, s, plan)
            kind.append(own)
            for part, block in zip(days, one.kinds.blocks, strict=True):
                part.append(_of_days(candidates, limit, s, block, own.shape[1]))
        by_kind.append(np.concatenate(kind, axis=1))
        by_days.append(tuple(np.concatenate(part, axis=1) for part in days))
    shared_by, penalty = _families(columns)
    return Rows(
        tuple(by_kind), tuple(by_days), np.array([c.right for c in columns]), shared_by, penalty
    )


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
        isinstance(limit, LogisticsLimit) and limit.quantity in ("lesions", "machine_days")
    )


def _alc_days(candidates: Candidates) -> IntArray:
    last = max(int(table.menu.patterns.last.max()) for table in candidates.lesions)
    return np.arange(max(last, 0), -1, -ALC_ROW_STEP_DAYS)


def _allowance(candidates: Candidates, limit: AlcLimit) -> float:
    before = candidates.instance.lymphocytes.initial_1e9_per_l
    return math.log(before / limit.floor_1e9_per_l)


def _right(candidates: Candidates, limit: AnyLimit, chemo: float) -> list[float]:
    if isinstance(limit, EdricLimit):
        return [CAP]
    if isinstance(limit, AlcLimit):
        right = CAP - chemo / _allowance(candidates, limit)
        return [right] * len(_alc_days(candidates))
    assert isinstance(limit, LogisticsLimit)
    sides = [] if limit.cap is None else [1.0 if limit.penalty is not None else float(limit.cap)]
    return sides if limit.floor is None else [*sides, -float(limit.floor)]


def _of_kinds(candidates: Candidates, limit: AnyLimit, s: int, plan: int) -> FloatArray:
    """(kinds, rows of the limit) what does not depend on days."""
    menu = candidates.shared(plan)[s].kinds.menu
    if isinstance(limit, EdricLimit):
        own = lymphocytes.edric(*edric_alone(candidates.instance, menu), menu.fractions)
        return np.asarray(own)[:, None] / limit.cap_gy
    if isinstance(limit, LogisticsLimit) and limit.quantity == "lesions":
        return _sides(limit, (menu.pattern > 0).astype(float))
    return np.zeros((len(menu), len(_right(candidates, limit, 0.0))))


def _of_days(
    candidates: Candidates, limit: AnyLimit, s: int, block: Block, rows: int
) -> FloatArray:
    """(patterns of the block, rows of the limit) what depends on days."""
    table = candidates.lesions[s]
    if isinstance(limit, AlcLimit):
        lesion = candidates.lesion_of(table)
        kappa = lesion.lymphocyte_loss(lesion.ways[block.way])
        loss = kappa * table.alc_unit[block.patterns][:, _alc_days(candidates)]
        return loss / _allowance(candidates, limit)
    if isinstance(limit, LogisticsLimit) and limit.quantity == "machine_days":
        window = limit.days(candidates.instance.days)
        given = table.menu.patterns.incidence[block.patterns, window.start : window.stop]
        return _sides(limit, given.sum(axis=1))
    return np.zeros((len(block.patterns), rows))


def _sides(limit: LogisticsLimit, count: FloatArray) -> FloatArray:
    scale = float(limit.cap) if limit.penalty is not None and limit.cap else 1.0
    sides = [count / scale] if limit.cap is not None else []
    sides += [-count] if limit.floor is not None else []
    return np.stack(sides, axis=1)


def _exposure_rows(
    candidates: Candidates, plans: tuple[int, ...], family: tuple[int, ...]
) -> list[tuple[int, int, tuple[FloatArray, ...]]]:
    """(limit, lesion, extra by block and pattern): NTCP rows in which one lesion's exposure counts.

    `sum load <= ratio` in the state of the lesion's course, as
    `sum load + (1 - ratio) [course] <= 1`; for several plans the least of what they ask.
    """
    found = []
    limits = sorted({row for row, _, _ in candidates.exposures})
    for row in (i for i in limits if candidates.limits[i].penalty is None):
        for s, (table, one) in enumerate(
            zip(candidates.lesions, candidates.shared(plans[0]), strict=True)
        ):
            if not any(_extra(candidates, row, s, k).any() for k in family):
                continue
            extra = np.min([_extra(candidates, row, s, k) for k in plans], axis=0)
            beams = [(way, number) for _, way, number in table.beams]
            ways = candidates.lesion_of(table).ways
            parts = tuple(
                extra[beams.index((ways[block.way], block.per_day))][block.patterns]
                for block in one.kinds.blocks
            )
            found.append((row, s, parts))
    return found


def _extra(candidates: Candidates, row: int, s: int, plan: int) -> FloatArray:
    """(beams, patterns) what the state of exposure of a lesion's courses costs of a cap."""
    columns = [i for i, (other, _, _) in enumerate(candidates.exposures) if other == row]
    near = candidates.near(plan)[s][:, columns]
    met = near[None] & candidates.touches[s][:, None, columns]
    ratio = np.ones(met.shape[:2])
    for state in candidates.states(row):
        members = (met == np.array(state)).all(axis=2)
        if any(state) and members.any():
            ratio[members] = candidates.ntcp_ratio(row, state)
    extra: FloatArray = CAP * (1.0 - ratio)
    return extra
