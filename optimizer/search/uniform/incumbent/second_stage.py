"""Second stage: among schedules within the gap, the one that loads the patient least.

The key is (sum of load / cap, visits, drug doses, doses moved from their planned day, sum of start
days), smallest first; what the case prefers comes before it (`preference`). Small cases are
enumerated; larger ones descend from the answer by changing one course or the plan.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.by_rows import values_of_rows
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, PlanIds
from abscopt.optimizer.progress import Stopped, tick
from abscopt.optimizer.search.join import every_row
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.incumbent.preference import preferred

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

Key = tuple[float, ...]

KEY_DIGITS = 9

ROUNDING = 1e-6


def second_stage(
    candidates: Candidates, plan: PlanId, row: CourseIds, floor: float, clock: Clock
) -> tuple[PlanId, CourseIds, str]:
    """Plan and row of the least loading schedule found with value >= floor, and its status.

    The status is `optimal` (all schedules compared), `local optimum` (no change of one course or
    of the plan is better) or `stopped`.
    """
    size = len(candidates.plans) * math.prod(len(t.menu) for t in candidates.lesions)
    if size <= settings.CURRENT.enumerated:
        return _enumerated(candidates, plan, row, floor, clock)
    try:
        current = _key(candidates, plan, row)
        while not clock.expired:
            step = _step(candidates, plan, row, current, floor, clock)
            if step is None:
                return plan, row, "stopped" if clock.expired else "local optimum"
            plan, row, current = step
    except Stopped:
        pass
    return plan, row, "stopped"


def _step(
    candidates: Candidates, plan: PlanId, row: CourseIds, current: Key, floor: float, clock: Clock
) -> tuple[PlanId, CourseIds, Key] | None:
    """Best single change; None if none has a smaller key.

    min key over (k', row) with value >= floor, then over (k, row with c for lesion s), rows
    (courses, lesions).
    """
    best: tuple[PlanId, CourseIds, Key] | None = None
    limit = current
    few = [CourseIds(np.unique([0, c])) for c in row]
    alone = candidates.as_case(few, list(candidates.plan_ids))
    treated = CourseRows((row > 0).astype(np.int64)[None, :])
    worth_of = _under_all_plans(alone, CourseIds(treated[0]))
    for k in PlanIds(np.flatnonzero(worth_of >= floor - ROUNDING)).tolist():
        if clock.expired:
            return best
        if k == plan:
            continue
        tabulated = Tabulated(alone, k)
        value = worth_of[[k]] - tabulated.cost(treated)
        improvement = _least(tabulated, treated, limit, floor, value=value)
        if improvement is not None:
            best, limit = (k, row, improvement[1]), improvement[1]
    tabulated = Tabulated(candidates, plan)
    leads_by_load = (candidates.instance.objective.prefer or ("least-load",))[0] == "least-load"
    for s in range(len(row)):
        if clock.expired:
            return best
        courses = _worth_trying(tabulated, row, s, floor)
        rows = CourseRows(np.repeat(row[None, :], len(courses), axis=0))
        rows[:, s] = courses
        improvement = _least(tabulated, rows, limit, floor, s if leads_by_load else None)
        if improvement is not None:
            best, limit = (plan, *improvement), improvement[1]
    return best


def _under_all_plans(candidates: Candidates, row: CourseIds) -> FloatArray:
    """(plans,) value of a row under every plan, limits and costs aside; group by group, in lots."""
    worth = np.empty(len(candidates.plans))
    order = np.argsort(candidates.plan_effects.group, kind="stable")
    for lot in np.array_split(order, -(-len(order) // settings.CURRENT.plan_lot)):
        tick()
        worth[lot] = values_of_rows(candidates, PlanIds(lot), row[None])[:, 0]
    return worth


def _worth_trying(tabulated: Tabulated, row: CourseIds, s: int, floor: float) -> CourseIds:
    """Courses c of lesion s whose kinds may reach the floor at the greatest systemic effect.

    Z(c) = e^(-a_c) sum_(i != s) v_i e^(a_i - A) + v_c e^(-A), A = chemo + sum_(i != s) a_i;
    kill = saturate(max_c Z(c)) (horizons,), at which every kind of s and the others are valued.
    """
    effects, kinds = tabulated.effects, tabulated.kinds
    short = len(kinds[s]) <= settings.CURRENT.long_kinds
    if short or tabulated.instance.objective.of_dose_alone:
        return CourseIds(np.arange(len(kinds[s])))
    unchanged = [i for i in range(len(row)) if i != s]
    loss = np.array([effects[i].loss[row[i]] for i in unchanged])
    total = tabulated.chemo + float(loss.sum())
    effect = np.exp(loss - total) @ np.array([effects[i].effect[row[i]] for i in unchanged])
    raw = np.exp(-effects[s].loss)[:, None] * effect + math.exp(-total) * effects[s].effect
    kill = immune.saturate(raw.max(axis=0), tabulated.instance.immune.effect_maximum_nats)
    goal, weight = tabulated.instance.objective, tabulated.weights
    nodes = tabulated.nodes
    value = weight[s] * lesion_value(
        goal, nodes[s], effects[s].local, effects[s].share, kill[None, :]
    )
    for i in unchanged:
        chosen = kinds[i][[row[i]]]
        value += weight[i] * lesion_value(
            goal, nodes[i], effects[i].local[chosen], effects[i].share[chosen], kill[None, :]
        )
    return CourseIds(np.flatnonzero((value - tabulated.plan_cost >= floor)[kinds[s]]))


def _least(
    tabulated: Tabulated,
    rows: CourseRows,
    limit: Key,
    floor: float,
    s: int | None = None,
    value: FloatArray | None = None,
) -> tuple[CourseIds, Key] | None:
    """Feasible row with value >= floor and the least key below a limit; None if there is none.

    Rows (n, lesions) that differ in one lesion s alone are looked at in the order of least_use
    (n,), what they load at least, the first entry of the key: none after the first beyond the limit
    counts.
    """
    least_use = np.full(len(rows), -np.inf) if s is None else tabulated.least_uses(rows, s)
    order = np.argsort(least_use, kind="stable")
    order = order[least_use[order] <= limit[0] + ROUNDING]
    worth = tabulated.value(rows[order]) if value is None else value[order]
    order = order[worth >= floor]
    best: tuple[CourseIds, Key] | None = None
    for begin in range(0, len(order), settings.CURRENT.key_chunk):
        tick()
        lot = order[begin : begin + settings.CURRENT.key_chunk]
        if least_use[lot[0]] > limit[0] + ROUNDING:
            break
        keys = keys_of(tabulated, rows[lot])
        below = [i for i in np.lexsort(keys.T[::-1]) if tuple(keys[i]) < limit]
        feasible = np.flatnonzero(tabulated.feasible(rows[lot[below]]))
        if len(feasible):
            first = below[feasible[0]]
            limit = tuple(keys[first].tolist())
            best = rows[lot[first]], limit
    return best


def _enumerated(
    candidates: Candidates, plan: PlanId, row: CourseIds, floor: float, clock: Clock
) -> tuple[PlanId, CourseIds, str]:
    """The least key of all rows whose worth (plans, rows), limits aside, reaches the floor."""
    rows = CourseRows(every_row([np.arange(len(t.menu)) for t in candidates.lesions]))
    best = (plan, row, _key(candidates, plan, row))
    with clock.answering():
        worths = values_of_rows(candidates, PlanIds(np.arange(len(candidates.plans))), rows)
    for k, worth in zip(candidates.plan_ids, worths, strict=True):
        if clock.expired:
            return best[0], best[1], "stopped"
        above = CourseRows(rows[worth >= floor - ROUNDING])
        if not len(above):
            continue
        with clock.answering():
            improvement = _least(Tabulated(candidates, k), above, best[2], floor)
        if improvement is not None:
            best = (k, *improvement)
    return best[0], best[1], "optimal"


def _key(candidates: Candidates, plan: PlanId, row: CourseIds) -> Key:
    return tuple(keys_of(Tabulated(candidates, plan), row[None, :])[0].tolist())


def keys_of(tabulated: Tabulated, rows: CourseRows) -> FloatArray:
    """(schedules, numbers) keys: what the case prefers, then the load of the patient."""
    keys = _loads(tabulated, rows)
    if tabulated.instance.objective.prefer is None:
        return keys
    return np.hstack([preferred(tabulated, rows, keys), keys])


def _loads(tabulated: Tabulated, rows: CourseRows) -> FloatArray:
    """(schedules, 5) keys, rounded: sum of load / cap, visits, drug doses, moved, sum of starts."""
    plan, tables = tabulated.candidates.plans[tabulated.plan], tabulated.candidates.lesions
    drugs = sum(
        limit.use_of_doses(tabulated.instance, plan.doses)
        for limit in tabulated.candidates.on_plans
        if limit.hard
    )
    starts = np.full(len(rows), float(sum(option.start or 0 for option in plan.options)))
    for s, table in enumerate(tables):
        starts += np.maximum(table.menu.patterns.first[table.menu.pattern[rows[:, s]]], 0)
    use = np.round(tabulated.uses(rows) + drugs, KEY_DIGITS)
    doses = np.full(len(rows), float(len(plan.doses)))
    moved = np.full(len(rows), float(plan.moved))
    return np.stack([use, tabulated.visits(rows), doses, moved, starts], axis=1)
