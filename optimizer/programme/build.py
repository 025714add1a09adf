"""The programme as a list of named constraints over one set of columns."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from abscopt.optimizer.programme.arrays.linear import building
from abscopt.optimizer.programme.constraints import (
    choice,
    demands,
    flow,
    logistics,
    organs,
    outcome,
    pairs,
    population,
    value,
)
from abscopt.optimizer.programme.data import Data
from abscopt.optimizer.progress import tick


def build(data: Data) -> Any:
    """The programme: maximize the objective over columns x and (plan, band) pairs y.

    The clock is read between families, and where sums are put together (`terms`, `chosen`).
    """
    with building():
        return _built(data)


def _built(data: Data) -> Any:
    model = pyo.ConcreteModel(name=data.instance.name)
    slots = data.columns.slots.tolist()
    model.x = pyo.Var(
        range(len(data.columns)),
        domain=lambda m, j: pyo.Binary if slots[j] == 1 else pyo.NonNegativeIntegers,
        bounds=lambda m, j: (0, slots[j]),
    )
    model.y = pyo.Var(data.bands, domain=pyo.Binary)
    menus(model, data)
    rules(model, data)
    outcomes(model, data)
    model.objective = pyo.Objective(expr=worth(model, data), sense=pyo.maximize)
    return model


def menus(model: Any, data: Data) -> None:
    """What may be chosen: one course for each lesion, doses of free days, one plan."""
    choice.one_course(model, data)
    choice.one_level(model, data)
    choice.fraction_number(model, data)
    choice.one_plan(model, data)
    if data.paired:
        pairs.pair_of_plan(model, data)
        tick()
        pairs.pair_of_course(model, data)
    tick()


def rules(model: Any, data: Data) -> None:
    """What a choice must keep: intervals, demands on dose, limits, what was found to break them."""
    choice.intervals(model, data)
    choice.late_enough(model, data)
    choice.early_enough(model, data)
    choice.excluded(model, data)
    tick()
    demands.least_bed(model, data)
    for limits_of_a_family in (organs.STATED, logistics.STATED):
        for limit in limits_of_a_family:
            limit(model, data)
        tick()


def outcomes(model: Any, data: Data, *, demanding: bool = True, in_parts: bool = False) -> None:
    """What a choice does to tumors, and what that is worth.

    Parameters
    ----------
    demanding : whether the control that lesions demand must be reached
    in_parts : conceding as intervals: more variables, and nearly no branching where courses are
        fixed, which counts where members are many
    """
    outcome.accelerated_growth(model, data)
    if data.instance.objective.of_dose_alone:
        value.tumor_bed(model, data)
    else:
        if data.paired:
            pairs.summed_effect(model, data)
            pairs.log_effect(model, data)
            pairs.saturated_log_effect(model, data)
        else:
            flow.survivors(model, data)
            flow.killed_effectors(model, data)
            flow.own_effect(model, data)
            flow.losses_of_others(model, data)
            flow.effect_in_band(model, data)
            outcome.lymphocyte_bands(model, data)
            outcome.systemic_effect(model, data)
            outcome.saturation(model, data)
        tick()
        outcome.burden_rule(model, data)
        flow.burden_rule_of_free_courses(model, data)
        outcome.log_burden(model, data)
        outcome.total_burden(model, data)
        population.population_burden(model, data)
        if demanding:
            demands.least_control(model, data)
        tick()
        value.of_lesion(model, data, in_parts)
    tick()


def worth(model: Any, data: Data) -> Any:
    """sum_s w_s mean_h value[s, h] (or sum_s w_s BED_s) less what soft limits cost."""
    lesions = data.instance.lesions
    if data.instance.objective.of_dose_alone:
        total = sum(lesions[s].weight * model.tumor_bed[s] for s in data.lesions)
    else:
        count = len(data.horizons)
        total = sum(
            lesions[s].weight / count * model.value[s, h]
            for s in data.lesions
            for h in data.horizons
        )
    return total - organs.soft_cost(data, model)
