"""All systemic plans of a case: regimens x start days, and what they do day by day."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import DrugLimit
from abscopt.instances.regimens import infusions
from abscopt.models import chemotherapy, immune, lymphocytes, pharmacokinetics

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.systemic import AgentChoice, Drug
    from abscopt.optimizer.candidates.courses import Patterns

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Doses = tuple[tuple[str, int, float], ...]


@dataclass(frozen=True)
class Option:
    """One way to give one agent; no doses means it is left out."""

    agent: int
    start: int | None
    doses: Doses


@dataclass(frozen=True)
class Plan:
    """One option per agent."""

    options: tuple[Option, ...]

    @cached_property
    def doses(self) -> Doses:
        """(drug, day, mg) of all agents by day."""
        merged = [dose for option in self.options for dose in option.doses]
        return tuple(sorted(merged, key=lambda dose: (dose[1], dose[0])))


@dataclass(frozen=True)
class PlanEffects:
    """Daily effects of all plans; arrays of shape (plans, days).

    Attributes
    ----------
    group : (plans,) plans of one group sensitize on the same days by the same ratio
    chemotherapy_log_loss : (plans,)
    """

    occupancy: FloatArray
    mobilization: FloatArray
    priming_factor: FloatArray
    sensitizer: FloatArray
    effect_weights: FloatArray
    chemotherapy_log_loss: FloatArray
    group: NDArray[np.int64]


def enumerate_plans(instance: Instance) -> tuple[Plan, ...]:
    """Every admissible systemic plan, without repeats, in the order of the case."""
    per_agent = [_options(instance, i, agent) for i, agent in enumerate(instance.agents)]
    found: dict[Doses, Plan] = {}
    for options in itertools.product(*per_agent):
        plan = Plan(options)
        if plan.doses not in found and _within_drug_limits(instance, plan):
            found[plan.doses] = plan
    return tuple(found.values())


def _options(instance: Instance, index: int, agent: AgentChoice) -> list[Option]:
    options = [Option(index, None, ())] if agent.optional else []
    for name in agent.regimens:
        for start in agent.start_days:
            options.append(Option(index, start, infusions(instance, name, start, agent.cycles)))
    return options


def _within_drug_limits(instance: Instance, plan: Plan) -> bool:
    for limit in instance.limits:
        if not isinstance(limit, DrugLimit):
            continue
        given = [milligrams for drug, _, milligrams in plan.doses if drug == limit.drug]
        load = float(len(given)) if limit.quantity == "doses" else sum(given)
        if limit.quantity == "dose_mg_per_m2":
            load /= instance.patient.bsa_m2
        if load > limit.cap * (1 + 1e-9):
            return False
    return True


def plan_effects(instance: Instance, plans: tuple[Plan, ...]) -> PlanEffects:
    """Occupancy, mobilization, priming, sensitization and lymphocyte weights of every plan."""
    shape = (len(plans), instance.days)
    unblocked, ratio, sensitizer = np.ones(shape), np.zeros(shape), np.ones(shape)
    log_loss = np.zeros(len(plans))
    known: dict[tuple[str, tuple[tuple[int, float], ...]], FloatArray] = {}
    for row, plan in enumerate(plans):
        by_drug: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for name, day, milligrams in plan.doses:
            by_drug[name].append((day, milligrams))
        for name in sorted(by_drug):
            drug, doses = instance.drugs[name], tuple(by_drug[name])
            if drug.kind == "chemotherapy":
                log_loss[row] += drug.lymphocyte_log_loss_per_dose * len(doses)
            if (name, doses) not in known:
                known[name, doses] = _drug_effect(instance.days, drug, doses)
            effect = known[name, doses]
            if drug.kind == "chemotherapy":
                sensitizer[row] *= effect
            elif drug.target == "CTLA-4":
                ratio[row] += effect
            else:
                unblocked[row] *= 1.0 - effect
    constants = instance.immune
    mobilization = immune.mobilization(
        1.0 - unblocked, constants.mobilization_per_day, constants.blockade_mobilization_per_day
    )
    half = instance.lymphocytes.recovery_half_time_days
    return PlanEffects(
        occupancy=1.0 - unblocked,
        mobilization=mobilization,
        priming_factor=immune.ctla4_factor(ratio, constants.ctla4_threshold),
        sensitizer=sensitizer,
        effect_weights=np.array([lymphocytes.effect_weights(row, half) for row in mobilization]),
        chemotherapy_log_loss=log_loss,
        group=np.unique(sensitizer, axis=0, return_inverse=True)[1].reshape(-1),
    )


def _drug_effect(days: int, drug: Drug, doses: tuple[tuple[int, float], ...]) -> FloatArray:
    """Daily SER of chemotherapy, c/EC50 of anti-CTLA-4, or occupancy of anti-PD-(L)1."""
    dose_days = [day for day, _ in doses]
    if drug.kind == "chemotherapy":
        return chemotherapy.sensitizer_enhancement(
            days, dose_days, drug.sensitizer_enhancement_ratio, drug.sensitizing_days
        )
    assert drug.clearance_l_per_day and drug.central_volume_l and drug.ec50_mg_per_l
    assert drug.intercompartmental_clearance_l_per_day and drug.peripheral_volume_l
    concentration = pharmacokinetics.concentrations(
        days,
        dose_days,
        [milligrams for _, milligrams in doses],
        clearance_l_per_day=drug.clearance_l_per_day,
        central_volume_l=drug.central_volume_l,
        intercompartmental_l_per_day=drug.intercompartmental_clearance_l_per_day,
        peripheral_volume_l=drug.peripheral_volume_l,
        clearance_emax=drug.clearance_emax,
        clearance_t50_days=drug.clearance_t50_days,
        clearance_hill=drug.clearance_hill,
    )
    if drug.target == "CTLA-4":
        return concentration / drug.ec50_mg_per_l
    return pharmacokinetics.occupancy(concentration, drug.ec50_mg_per_l, drug.occupancy_hill)


def allowed_patterns(instance: Instance, plan: Plan, patterns: Patterns) -> BoolArray:
    """(patterns,) whether a plan's intervals allow a course on these days."""
    allowed = np.ones(len(patterns.count), dtype=bool)
    real = patterns.days >= 0
    for option in plan.options:
        agent = instance.agents[option.agent]
        if option.start is None or not option.doses:
            continue
        if agent.min_days_after_radiation is not None:
            first_dose = min(day for _, day, _ in option.doses)
            allowed &= patterns.last <= first_dose - agent.min_days_after_radiation
        if agent.min_days_between_dose_and_fraction is not None:
            dose_days = np.array([day for _, day, _ in option.doses])
            apart = np.abs(patterns.days[:, :, None] - dose_days).min(axis=2)
            close = apart < agent.min_days_between_dose_and_fraction
            allowed &= ~(close & real).any(axis=1)
    allowed[0] = True
    return allowed


def latest_end_needed(instance: Instance, plan: Plan) -> int:
    """Some course must end on this day or later, if any is given; -1 if no rule says so."""
    needed = -1
    for option in plan.options:
        agent = instance.agents[option.agent]
        if option.doses and agent.max_days_after_radiation is not None:
            first_dose = min(day for _, day, _ in option.doses)
            needed = max(needed, first_dose - agent.max_days_after_radiation)
    return needed
