"""Organ limits, exposure states, lymphocyte counts and EDRIC; what soft limits cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import lymphocytes
from abscopt.optimizer.candidates.limits.blood.alc import LymphocyteFloor
from abscopt.optimizer.candidates.limits.blood.edric import DoseToImmuneCells
from abscopt.optimizer.candidates.limits.protocol import OrganLoad, PlanLoad
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.arrays.linear import terms
from abscopt.optimizer.programme.constraints.choice import together, treated_days
from abscopt.optimizer.programme.constraints.pairs import over_groups

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data


COEFFICIENT_FLOOR = 1e-12


def soft(data: Data) -> dict[int, float]:
    """Penalty of every soft limit that has a row, by its number in the case.

    Soft limits on drugs are costs of plans.
    """
    return {
        i: penalty
        for i, load in enumerate(data.candidates.every_limit)
        if (penalty := load.limit.penalty) is not None and not isinstance(load, PlanLoad)
    }


def allowance(model: Any, data: Data, number: int) -> Any:
    """Parts of the cap that limit `number` of the case allows: 1, or 1 + excess if it is soft."""
    return 1.0 + model.excess[number] if number in soft(data) else 1.0


def excess_of_soft_limits(model: Any, data: Data) -> None:
    """excess[l] >= 0, and what the judge found on top of the rows (days that lesions share).

    excess[l] >= e (chosen groups - number of groups + 1) for every cut of a soft limit.
    """
    model.excess = pyo.Var(sorted(soft(data)), domain=pyo.NonNegativeReals)
    cuts = [cut for cut in data.refinement.cuts if cut.limit is not None]

    def rule(m: Any, i: int) -> Any:
        cut = cuts[i]
        chosen = together(m, data, cut) - len(cut.groups) + 1
        return m.excess[cut.limit] >= cut.excess * chosen

    model.excess_together = pyo.Constraint(range(len(cuts)), rule=rule)


def soft_cost(data: Data, model: Any) -> Any:
    """sum_l penalty_l excess[l] + sum_k cost_k y[k] of soft limits on drugs."""
    cost = sum(penalty * model.excess[i] for i, penalty in soft(data).items())
    plans = {k: data.candidates.plan_cost(k) for k in data.plan_ids}
    return cost + sum(value * data.chosen(model, k) for k, value in plans.items() if value > 0)


def _numbers(data: Data) -> list[int]:
    """Number in the case of every organ limit."""
    return [i for i, load in enumerate(data.candidates.every_limit) if isinstance(load, OrganLoad)]


def exposures(model: Any, data: Data) -> None:
    """e[x] >= sum of a lesion's (day's) columns exposed under a plan + y of such plans - 1.

    Exposure x: an infusion of one class of drugs near a fraction that irradiates the organ.
    """
    model.exposed = pyo.Var(range(len(data.candidates.exposures)), bounds=(0, 1))
    rows = []
    if data.paired:
        _exposed_pairs(model, data)
        return
    for x in model.exposed:
        for group in data.choices.values():
            alike: dict[tuple[int, ...], list[PlanId]] = {}
            for k in data.plan_ids:
                met = tuple(j for j in group if data.columns.exposed[k, j, x])
                if met:
                    alike.setdefault(met, []).append(k)
            rows += [(x, met, plans) for met, plans in alike.items()]

    def rule(m: Any, i: int) -> Any:
        x, met, plans = rows[i]
        unmet = 1 - sum(data.chosen(m, k) for k in plans)
        return m.exposed[x] >= sum(m.x[j] for j in met) - unmet

    model.exposures = pyo.Constraint(range(len(rows)), rule=rule)


def _exposed_pairs(model: Any, data: Data) -> None:
    """e[x] >= sum of a lesion's pairs w that are exposed."""
    column, plan = data.pairs
    met = data.columns.exposed[plan, column].astype(float)
    rows = [
        (x, members[met[members, x] > 0])
        for x in model.exposed
        for members in data.pairs_of_lesion.values()
    ]
    rows = [(x, members) for x, members in rows if len(members)]
    model.exposed_pairs = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, i: m.exposed[rows[i][0]] >= sum(m.pair[j] for j in rows[i][1].tolist()),
    )


def organ_loads(model: Any, data: Data) -> None:
    """prior + sum_j load[j, l] x[j] <= 1 for every organ limit l, loads as parts of the cap.

    `bed` D(1 + D/r)/B, `mean` D/B, `mean_eqd2` (delta d + q d^2/r)/(1 + 2/r)/B,
    `dose_by_fractions` Miner fractions, `dose_volume` D/B or the EQD2 of `bed` over B, `ntcp` part
    of the unexposed cap; each course (day) as if alone. Shared days add load; schedules that break
    a limit through them are excluded as they are met. Where a drug raises the load, a row per
    group of plans holds if it is chosen (or one row over all pairs w).
    """
    loads, numbers = data.columns.loads, _numbers(data)
    least_load = loads.min(axis=0)
    rows = [(row, -1) for row in range(loads.shape[2])]
    rows += [
        (row, group)
        for row in range(loads.shape[2])
        for group in (data.groups if not data.paired else ())
        if (loads[group, :, row] > least_load[:, row] + COEFFICIENT_FLOOR).any()
    ]

    def rule(m: Any, i: int) -> Any:
        row, group = rows[i]
        load = least_load[:, row] if group < 0 else loads[group, :, row]
        prior = float(data.candidates.prior[row])
        total = _linear(m, load)
        if data.paired and (loads[:, :, row] > least_load[:, row] + COEFFICIENT_FLOOR).any():
            all_pairs = np.arange(len(data.pairs[0]))
            total = over_groups(m, data, loads[:, :, row], all_pairs)
        slack: Any = 0
        if group >= 0:
            excess = prior + data.greatest(load) - 1.0
            if excess <= 0:
                return pyo.Constraint.Skip
            slack = excess * (1 - data.chosen_group(m, group))
        elif isinstance(total, int):
            if prior <= 1:
                return pyo.Constraint.Skip
            return prior * sum(m.y[b] for b in data.bands) <= allowance(m, data, numbers[row])
        return total <= allowance(m, data, numbers[row]) - prior + slack

    model.organ_loads = pyo.Constraint(range(len(rows)), rule=rule)


def _linear(model: Any, coefficient: FloatArray) -> Any:
    used = np.flatnonzero(coefficient > COEFFICIENT_FLOOR).tolist()
    return terms(coefficient[used].tolist(), (model.x[j] for j in used))


def exposed_caps(model: Any, data: Data) -> None:
    """Complication probability in the exposure states f: a lower cap where all of f are met.

    prior + sum_j load[j] x[j] <= ratio_f + (1 - ratio_f) sum_{c in f} (1 - e[c]), for every set f
    of exposures of a limit; soft: <= ratio_f (1 + excess) + M sum_{c in f} (1 - e[c]).
    """
    numbers, prior = _numbers(data), data.candidates.prior
    loads = data.columns.loads
    rows = [
        (row, group, state)
        for row in sorted({row for row, _, _ in data.candidates.exposures})
        for group in ([-1] if (loads[:, :, row] == loads[0, :, row]).all() else data.groups)
        for state in data.candidates.on_organs[row].states()
        if any(state)
    ]

    def rule(m: Any, i: int) -> Any:
        row, group, state = rows[i]
        load = loads[max(group, 0), :, row]
        ratio = data.candidates.ntcp_ratio(row, state)
        members = [
            x
            for x, (owner, position, _) in enumerate(data.candidates.exposures)
            if owner == row and state[position]
        ]
        absent = sum(1 - m.exposed[x] for x in members)
        excess = max(0.0, float(prior[row]) + data.greatest(load) - ratio)
        if numbers[row] not in soft(data) and group < 0:
            excess = min(excess, 1.0 - ratio)
        if group >= 0:
            absent = absent + 1 - data.chosen_group(m, group)
        allowed = ratio * allowance(m, data, numbers[row]) + excess * absent
        return float(prior[row]) + _linear(m, load) <= allowed

    model.exposed_caps = pyo.Constraint(range(len(rows)), rule=rule)


def lymphocyte_count(model: Any, data: Data) -> None:
    """sum_j loss[j, day] x[j] + sum_k chemo[k] y[k] <= ln(ALC0 / floor) on every fraction day."""
    floors = {
        i: load
        for i, load in enumerate(data.candidates.every_limit)
        if isinstance(load, LymphocyteFloor)
    }
    days = [int(day) for day in treated_days(data)] or [0]

    def rule(m: Any, i: int, day: int) -> Any:
        allowed_loss = floors[i].log_loss_allowance(data.instance)
        chemo = sum(
            float(data.chemo[k]) * data.chosen(m, k) for k in data.plan_ids if data.chemo[k] > 0
        )
        loss = _linear(m, data.columns.alc_loss[:, day]) + chemo
        if isinstance(loss, int):
            return pyo.Constraint.Skip
        return loss <= allowed_loss * allowance(m, data, i)

    model.lymphocyte_count = pyo.Constraint(sorted(floors), days, rule=rule)


def edric(model: Any, data: Data) -> None:
    """EDRIC with N fractions in all: one row per N, active at its level z[N].

    sum_j (.12 lung_j + .08 heart_j + (.45 + .2975 sqrt(N/45)) ITD_j / 62 000) x[j]
    <= cap + M_N (1 - z[N]);  sum_N z[N] = 1;  sum_N N z[N] = sum_j n_j x[j].
    """
    caps = {
        i: load.limit.cap_gy
        for i, load in enumerate(data.candidates.every_limit)
        if isinstance(load, DoseToImmuneCells)
    }
    if not caps:
        return
    columns = data.columns
    lung, heart, integral = columns.body
    numbers = range(round(data.greatest(columns.fractions)) + 1)
    model.fraction_level = pyo.Var(numbers, domain=pyo.Binary)
    model.edric_level = pyo.Constraint(expr=sum(model.fraction_level[n] for n in numbers) == 1)
    model.edric_number = pyo.Constraint(
        expr=sum(n * model.fraction_level[n] for n in numbers) == _linear(model, columns.fractions)
    )

    def rule(m: Any, i: int, n: int) -> Any:
        load = lymphocytes.edric(lung, heart, integral, n) / caps[i]
        greatest = data.greatest(load)
        if greatest <= 1:
            return pyo.Constraint.Skip
        slack = (greatest - 1) * (1 - m.fraction_level[n])
        return _linear(m, load) <= allowance(m, data, i) + slack

    model.edric = pyo.Constraint(sorted(caps), numbers, rule=rule)


STATED = (
    excess_of_soft_limits,
    exposures,
    organ_loads,
    exposed_caps,
    lymphocyte_count,
    edric,
)
"""Constraints of this family, in the order in which `build` states them."""
