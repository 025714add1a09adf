"""Second stage: among schedules within the gap, the one that loads the patient least.

The key is (sum of load / cap, visits, drug doses, sum of start days), smallest first. Small
cases are enumerated; larger ones descend from the answer by changing one course or the plan.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import DrugLimit
from abscopt.optimizer.candidates.plans import drug_load
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.join import every_row

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Key = tuple[float, ...]

ENUMERATED = 60_000
KEY_DIGITS = 9
ROUNDING = 1e-9


def second_stage(
    candidates: Candidates, plan: int, row: IntArray, floor: float, clock: Clock
) -> tuple[int, IntArray, str]:
    """Plan and row of the least loading schedule found with value >= floor, and its status.

    The status is `optimal` (all schedules compared), `local optimum` (no change of one course or
    of the plan is better) or `stopped`.
    """
    size = len(candidates.plans) * math.prod(len(t.menu) for t in candidates.lesions)
    if size <= ENUMERATED:
        return (*_enumerated(candidates, plan, row, floor), "optimal")
    current = _keys(candidates, plan, row[None, :])[0]
    while not clock.expired:
        step = _step(candidates, plan, row, current, floor)
        if step is None:
            return plan, row, "local optimum"
        plan, row, current = step
    return plan, row, "stopped"


def _step(
    candidates: Candidates, plan: int, row: IntArray, current: Key, floor: float
) -> tuple[int, IntArray, Key] | None:
    """Best single change; None if none has a smaller key."""
    best: tuple[int, IntArray, Key] | None = None
    limit = current
    trials = [
        (k, row[None, :])
        for k in range(len(candidates.plans))
        if k != plan and candidates.value_of_row(k, row) >= floor - ROUNDING
    ]
    for s, table in enumerate(candidates.lesions):
        rows = np.repeat(row[None, :], len(table.menu), axis=0)
        rows[:, s] = np.arange(len(table.menu))
        trials.append((plan, rows))
    for k, rows in trials:
        least = _least(candidates, k, rows, limit, floor)
        if least is not None:
            best = (k, *least)
            limit = least[1]
    return best


def _least(
    candidates: Candidates, plan: int, rows: IntArray, limit: Key, floor: float
) -> tuple[IntArray, Key] | None:
    """Feasible row with value >= floor and the least key below a limit; None if there is none."""
    tabulated = Tabulated(candidates, plan)
    rows = rows[tabulated.value(rows) >= floor]
    if not len(rows):
        return None
    keys = _keys(candidates, plan, rows)
    below = [i for i in sorted(range(len(rows)), key=lambda i: keys[i]) if keys[i] < limit]
    order = np.array(below, dtype=np.int64)
    for part in np.array_split(order, max(1, len(order) // 1000)):
        good = np.flatnonzero(tabulated.feasible(rows[part]))
        if len(good):
            first = int(part[good[0]])
            return rows[first], keys[first]
    return None


def _enumerated(
    candidates: Candidates, plan: int, row: IntArray, floor: float
) -> tuple[int, IntArray]:
    rows = every_row([np.arange(len(t.menu)) for t in candidates.lesions])
    best = (plan, row, _keys(candidates, plan, row[None, :])[0])
    for k in range(len(candidates.plans)):
        least = _least(candidates, k, rows, best[2], floor)
        if least is not None:
            best = (k, *least)
    return best[0], best[1]


def _keys(candidates: Candidates, plan: int, rows: IntArray) -> list[Key]:
    instance, doses = candidates.instance, candidates.plans[plan].doses
    tabulated = Tabulated(candidates, plan)
    drugs = sum(
        drug_load(instance, limit, doses)
        for limit in instance.limits
        if isinstance(limit, DrugLimit) and limit.penalty is None
    )
    use = np.round(tabulated.uses(rows) + drugs, KEY_DIGITS)
    visits = tabulated.visits(rows)
    starts = np.full(len(rows), float(sum(o.start or 0 for o in candidates.plans[plan].options)))
    for s, table in enumerate(candidates.lesions):
        starts += np.maximum(table.menu.patterns.first[table.menu.pattern[rows[:, s]]], 0)
    return [
        (float(u), float(v), float(len(doses)), float(b))
        for u, v, b in zip(use, visits, starts, strict=True)
    ]
