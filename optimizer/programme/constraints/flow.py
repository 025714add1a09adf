"""Free courses that release antigen: survivor flow, effectors and their lymphocyte factor.

Everything is homogeneous in y[k], the choice of plan k, so that no large constants are needed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyomo.environ as pyo

from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.margins import BAND_SCALE, RANGE_MARGIN

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.systemic.flows import Flow
    from abscopt.optimizer.programme.data import Data

SCALE = 100.0  # keeps the solver's feasibility tolerance far below what matters
CREDIT_MARGIN = 1e-9


def _doses(data: Data, flow: Flow, k: PlanId, t: int) -> list[int]:
    """Columns of one day that a plan allows."""
    return [j for j in flow.members[t] if data.columns.allowed[k, j]]


def survivors(model: Any, data: Data) -> None:
    """Survivors p[s, k, c, t, d] of clone c that reach dose d of day t (d = -1: none), plan k.

    sum_d p[first day] = y[k];  sum_d p[t, d] = sum_d S_d p[t - 1, d];  sum_k p[t, d] <= x[t, d],
    and <= 1 - sum_d x[t, d] for none. With x chosen, p = S_{t-1} x y exactly.
    """
    flowing = {s: flow for s, flow in data.flows.items() if _needed(data, flow)}
    index = [
        (s, k, c, t, d)
        for s, flow in flowing.items()
        for k in data.plan_ids
        for c in data.clones(s)
        for t in range(len(flow.days))
        for d in [-1, *_doses(data, flow, k, t)]
    ]
    model.survivors = pyo.Var(index, bounds=(0, 1))
    nodes = [(s, k, c, t) for s, k, c, t, d in index if d < 0]

    def balance(m: Any, s: int, k: PlanId, c: int, t: int) -> Any:
        flow = flowing[s]
        surviving_today = sum(m.survivors[s, k, c, t, d] for d in [-1, *_doses(data, flow, k, t)])
        before = surviving(m, data, flow, k, c, t - 1) if t > 0 else data.chosen(m, k)
        return SCALE * surviving_today == SCALE * before

    def given(m: Any, s: int, c: int, t: int, d: int) -> Any:
        total = sum(
            m.survivors[s, k, c, t, d] for k in data.plan_ids if d < 0 or data.columns.allowed[k, d]
        )
        on = m.x[d] if d >= 0 else 1 - sum(m.x[j] for j in flowing[s].members[t])
        return SCALE * total <= SCALE * on

    model.survivor_balance = pyo.Constraint(nodes, rule=balance)
    model.survivors_given = pyo.Constraint(
        sorted({(s, c, t, d) for s, _, c, t, d in index}), rule=given
    )


def _needed(data: Data, flow: Flow) -> bool:
    rule = data.instance.immune.burden_limit_cm3 is not None
    return flow.releases or (rule and len(data.clones(flow.lesion)) > 1)


def surviving(model: Any, data: Data, flow: Flow, k: PlanId, c: int, t: int) -> Any:
    """Survivors of one clone after day t under plan k, times y[k]."""
    s = flow.lesion
    treated = sum(
        float(flow.survival[k, flow.row[d], c]) * model.survivors[s, k, c, t, d]
        for d in _doses(data, flow, k, t)
    )
    return treated + model.survivors[s, k, c, t, -1]


def _released(model: Any, data: Data, flow: Flow, k: PlanId, t: int) -> Any:
    """Release of day t under plan k: linear in the survivors."""
    if not flow.releases:
        return 0.0
    return sum(
        float(flow.release[k, flow.row[d], c]) * model.survivors[flow.lesion, k, c, t, d]
        for c in data.clones(flow.lesion)
        for d in _doses(data, flow, k, t)
    )


def killed_effectors(model: Any, data: Data) -> None:
    """Effectors g[s, k, t] present at a fraction: g >= e - U rest, rest <= y[k].

    e[t] = effectors without any kill - sum_{t' < t} carried[t', t] g[t'];
    sum_k rest[s, k, t] = 1 - sum_d x[t, d]. Fewer effectors are never better, so g = e there.
    """
    killing = {s: flow for s, flow in data.flows.items() if flow.kills_effectors}
    index = [
        (s, k, t)
        for s, flow in killing.items()
        for k in data.plan_ids
        for t in range(len(flow.days))
    ]
    greatest = {(s, k, t): float(killing[s].greatest_effectors[k, t]) for s, k, t in index}
    model.killed = pyo.Var(index, bounds=lambda m, *i: (0, greatest[i]))
    model.rest = pyo.Var(index, bounds=(0, 1))

    def present(m: Any, s: int, k: PlanId, t: int) -> Any:
        flow = killing[s]
        total = float(flow.resting_effectors[k, t]) * data.chosen(m, k)
        for earlier in range(t):
            unit = float(flow.effectors[k, earlier, t])
            total = total + unit * _released(m, data, flow, k, earlier)
            total = total - float(flow.carried[earlier, t]) * m.killed[s, k, earlier]
        return m.killed[s, k, t] >= total - greatest[s, k, t] * m.rest[s, k, t]

    def resting(m: Any, s: int, t: int) -> Any:
        total = sum(m.rest[s, k, t] for k in data.plan_ids)
        return total == 1 - sum(m.x[j] for j in killing[s].members[t])

    model.effectors_present = pyo.Constraint(index, rule=present)
    model.rest_of_plan = pyo.Constraint(
        index, rule=lambda m, s, k, t: m.rest[s, k, t] <= data.chosen(m, k)
    )
    model.rest_days = pyo.Constraint(sorted({(s, t) for s, _, t in index}), rule=resting)


def _active(data: Data) -> dict[int, Flow]:
    """Free lesions whose effectors count."""
    named = {s for s, _ in data.refinement.free_bands}
    return {s: flow for s, flow in data.flows.items() if s in named}


def own_effect(model: Any, data: Data) -> None:
    """Own effect of a free lesion before any lymphocyte factor, times y[k].

    own[s, k, h] <= resting y[k] + sum_t effect[t] release[t] - sum_t effect_of_killed[t] g[t].
    """
    active = _active(data)
    index = [(s, k, h) for s in active for k in data.plan_ids for h in data.horizons]
    model.own_effect = pyo.Var(
        index, bounds=lambda m, s, k, h: (0, float(active[s].greatest[k, h]) + RANGE_MARGIN)
    )

    def rule(m: Any, s: int, k: PlanId, h: int) -> Any:
        flow = active[s]
        total = float(flow.resting[k, h]) * data.chosen(m, k)
        for t in range(len(flow.days)):
            total = total + float(flow.effect[k, t, h]) * _released(m, data, flow, k, t)
            if flow.kills_effectors:
                total = total - float(flow.effect_of_killed[k, t, h]) * m.killed[s, k, t]
        return m.own_effect[s, k, h] <= total

    model.own_effect_row = pyo.Constraint(index, rule=rule)


def _bands(data: Data) -> dict[int, Any]:
    return {s: bands for s, bands in data.refinement.free_bands if s in data.flows}


def losses_of_others(model: Any, data: Data) -> None:
    """low z[s, b] <= A - a_s <= high where z[s, b] = 1; sum of a plan's z = y[k].

    The lymphocyte factor of a free lesion's effectors does not count its own loss.
    """
    bands = _bands(data)
    losses = data.columns.loss
    index = [(s, b) for s in bands for b in range(len(bands[s]))]
    model.other_band = pyo.Var(index, domain=pyo.Binary)

    def total(m: Any, s: int, k: PlanId) -> Any:
        return sum(
            float(losses[k, j]) * m.x[j]
            for j in range(len(data.columns))
            if losses[k, j] > 0 and data.columns.lesion[j] != s
        )

    def below(m: Any, s: int, b: int) -> Any:
        k, _, high = bands[s][b]
        greatest = max(top for plan, _, top in bands[s] if plan == k)
        if high >= greatest:
            return pyo.Constraint.Skip
        ceiling = high + (greatest - high) * (1 - m.other_band[s, b])
        return BAND_SCALE * total(m, s, k) <= BAND_SCALE * ceiling

    def above(m: Any, s: int, b: int) -> Any:
        k, low, _ = bands[s][b]
        if low <= 0:
            return pyo.Constraint.Skip
        return BAND_SCALE * total(m, s, k) >= BAND_SCALE * low * m.other_band[s, b]

    def plan(m: Any, s: int, k: PlanId) -> Any:
        members = [b for b, (owner, _, _) in enumerate(bands[s]) if owner == k]
        return sum(m.other_band[s, b] for b in members) == data.chosen(m, k)

    model.other_band_below = pyo.Constraint(index, rule=below)
    model.other_band_above = pyo.Constraint(index, rule=above)
    model.other_band_of_plan = pyo.Constraint(sorted(bands), data.plan_ids, rule=plan)


def effect_in_band(model: Any, data: Data) -> None:
    """own[s, k, h] = sum of its parts in the bands of k; part[s, b, h] <= M z[s, b].

    The lesion adds sum_b exp(-low_b - chemo_k) part[s, b, h] to the effect (`effect_of_free`).
    """
    bands = _bands(data)
    index = [(s, b, h) for s in bands for b in range(len(bands[s])) for h in data.horizons]
    greatest = {
        (s, b, h): float(data.flows[s].greatest[bands[s][b][0], h]) + RANGE_MARGIN
        for s, b, h in index
    }
    model.effect_part = pyo.Var(index, bounds=lambda m, *i: (0, greatest[i]))
    model.effect_part_of_band = pyo.Constraint(
        index,
        rule=lambda m, s, b, h: m.effect_part[s, b, h] <= greatest[s, b, h] * m.other_band[s, b],
    )

    def whole(m: Any, s: int, k: PlanId, h: int) -> Any:
        members = [b for b, (owner, _, _) in enumerate(bands[s]) if owner == k]
        return sum(m.effect_part[s, b, h] for b in members) <= m.own_effect[s, k, h]

    model.effect_parts = pyo.Constraint(sorted(bands), data.plan_ids, data.horizons, rule=whole)


def effect_of_free(model: Any, data: Data, h: int) -> Any:
    """Unsaturated systemic log kill by the free lesions at a horizon."""
    return sum(
        math.exp(-low - float(data.chemo[k])) * model.effect_part[s, b, h]
        for s, bands in _bands(data).items()
        for b, (k, low, _) in enumerate(bands)
    )


def burden_rule_of_free_courses(model: Any, data: Data) -> None:
    """credited[s] = 1 only where V S_n keeps the plan's limit; own kill <= M credited[s].

    One clone: sum_j kill[j] x[j] >= ln(V/limit_k) (credited + y[k] - 1). Several clones, with the
    survivors after the last day: sum_c share_c S_c <= limit_k/V + 1 - credited.
    """
    limit = data.instance.immune.burden_limit_cm3
    ruled = [s for s in data.free if limit is not None and data.columns.share[s].any()]
    greatest_kill = data.greatest_kill
    model.credited = pyo.Var(ruled, domain=pyo.Binary)
    model.credited_kill = pyo.Constraint(
        ruled,
        data.horizons,
        rule=lambda m, s, h: m.credit_kill[s, h] <= float(greatest_kill[h]) * m.credited[s],
    )

    def rule(m: Any, s: int, k: PlanId) -> Any:
        lesion = data.instance.lesions[s]
        share = largest_credited(data, k) / (lesion.volume_cm3 or 1.0)
        if share >= 1:
            return pyo.Constraint.Skip
        if not data.of_lesion[s]:
            return m.credited[s] <= 1 - data.chosen(m, k)
        if len(lesion.populations) == 1:
            kill = -data.columns.local[data.group[k], :, -1, 0]
            total = sum(float(kill[j]) * m.x[j] for j in data.of_lesion[s])
            need = -math.log(share) - CREDIT_MARGIN
            return total >= need * (m.credited[s] + data.chosen(m, k) - 1)
        flow = data.flows[s]
        survivors_left = sum(
            clone.share * surviving(m, data, flow, k, c, len(flow.days) - 1)
            for c, clone in enumerate(lesion.populations)
        )
        return SCALE * survivors_left <= SCALE * (share + (1 - m.credited[s]))

    model.burden_rule_free = pyo.Constraint(ruled, data.plan_ids, rule=rule)


def largest_credited(data: Data, k: PlanId) -> float:
    """Volume in cm3 up to which a plan credits a lesion with systemic effect (burden rule)."""
    c = data.instance.immune
    assert c.burden_limit_cm3 is not None
    blockade = c.burden_blockade * float(data.candidates.plan_effects.greatest_occupancy[k])
    return float(c.burden_limit_cm3 * (1.0 + blockade) ** 1.5 * (1.0 + CREDIT_MARGIN))
