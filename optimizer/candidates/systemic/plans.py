"""All systemic plans of a case: regimens x start days, and what they do day by day."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.history.doses import continued_doses
from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.load import InputError, Problem
from abscopt.instances.regimens import infusions, relative_dose
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.models.immunity import ctla4, immune, lymphocytes, pharmacokinetics
from abscopt.models.tumor import chemotherapy
from abscopt.optimizer.candidates.limits.protocol import CAP
from abscopt.optimizer.candidates.limits.registry import plan_loads
from abscopt.optimizer.highs.mip import finite_fields
from abscopt.optimizer.ids import PlanIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.limits import Exposure
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice
    from abscopt.optimizer.candidates.limits.protocol import PlanLoad
    from abscopt.optimizer.candidates.menus.courses import Patterns

MOST_PLAN_DAYS = 20_000_000
"""Ten tables of 8 bytes per plan and day: 1.6 GB."""

MOST_COMBINATIONS = 5_000_000
"""Options of agents that are tried one by one against limits of drugs, about 10 µs each."""

BLOCK = 1024
"""Plans between two looks at the clock: a few hundredths of a second."""

Doses = tuple[tuple[str, int, float], ...]


@dataclass(frozen=True)
class Option:
    """One way to give one agent; no doses means it is left out.

    `moved` is the number of doses that are not on their planned day. `regimen` is empty for an
    agent that is left out, and where the rest of a treatment is chosen.
    """

    agent: int
    start: int | None
    doses: Doses
    moved: int = 0
    regimen: str = ""


@dataclass(frozen=True)
class Plan:
    """One option per agent."""

    options: tuple[Option, ...]

    @cached_property
    def doses(self) -> Doses:
        """(drug, day, mg) of all agents by day."""
        merged = [dose for option in self.options for dose in option.doses]
        return tuple(sorted(merged, key=lambda dose: (dose[1], dose[0])))

    @property
    def moved(self) -> int:
        """Number of doses that the calendar takes from their planned day."""
        return sum(option.moved for option in self.options)


@dataclass(frozen=True)
class PlanEffects:
    """Daily effects of all plans; arrays of shape (plans, days).

    Attributes
    ----------
    group : (plans,) plans of one group act alike on the tumors and organs themselves: equal
        sensitization, equivalent BED and cytotoxic kill
    chemotherapy_log_loss : (plans,)
    effect_factor, relief, precursor_survival : multiply the daily effect of effectors, the
        suppression of release, and the precursors
    """

    occupancy: FloatArray
    ctla4_bound: FloatArray
    mobilization: FloatArray
    priming_factor: FloatArray
    sensitizer: FloatArray
    effect_factor: FloatArray
    relief: FloatArray
    precursor_survival: FloatArray
    effect_weights: FloatArray
    chemotherapy_log_loss: FloatArray
    group: NDArray[np.int64]

    @cached_property
    def greatest_occupancy(self) -> FloatArray:
        """(plans,) greatest occupancy of PD-(L)1."""
        greatest: FloatArray = self.occupancy.max(axis=1)
        return greatest

    def take(self, plans: PlanIds) -> PlanEffects:
        """Effects of some of the plans."""
        return PlanEffects(
            **{field.name: getattr(self, field.name)[plans] for field in fields(self)}
        )


def enumerate_plans(instance: Instance) -> tuple[Plan, ...]:
    """Every admissible systemic plan, without repeats, in the order of the case.

    Raises
    ------
    InputError
        If the case offers more plans than memory can hold.
    """
    per_agent = [_options(instance, i, agent) for i, agent in enumerate(instance.agents)]
    combinations = math.prod(len(options) for options in per_agent)
    if combinations > MOST_COMBINATIONS:
        raise _too_many(instance, combinations, MOST_COMBINATIONS)
    limits = [limit for limit in plan_loads(instance) if limit.hard]
    by_doses: dict[Doses, Plan] = {}
    most_plans = MOST_PLAN_DAYS // instance.days
    for number, options in enumerate(itertools.product(*per_agent)):
        if number % BLOCK == 0:
            tick()
        if len(by_doses) > most_plans:
            raise _too_many(instance, combinations, most_plans)
        plan = Plan(options)
        if plan.doses not in by_doses and _admissible(instance, limits, plan):
            by_doses[plan.doses] = plan
    return tuple(by_doses.values())


def _too_many(instance: Instance, combinations: int, allowed: int) -> InputError:
    rule = f"at most {allowed} systemic plans: fewer start days or agents (start_step_days)"
    return InputError([Problem(instance.name, "agents", f"{combinations} combinations", rule)])


def _options(instance: Instance, index: int, agent: AgentChoice) -> list[Option]:
    if instance.delivered is not None:
        return [
            Option(index, min((day for _, day, _ in doses), default=None), doses, moved)
            for doses, moved in continued_doses(instance, agent).items()
        ]
    options = [Option(index, None, ())] if agent.optional else []
    for name in agent.regimens:
        for start in agent.start_days:
            doses = given_infusions(instance, agent, name, start, agent.cycles)
            if doses is not None:
                planned = infusions(instance, name, start, agent.cycles)
                moved = len(set(planned) - set(doses))
                options.append(Option(index, start, doses, moved, name))
    return options


def _admissible(instance: Instance, limits: Sequence[PlanLoad[Any]], plan: Plan) -> bool:
    """Whether a plan keeps the hard limits on drugs."""
    return all(limit.use_of_doses(instance, plan.doses) <= CAP for limit in limits)


def plan_cost(instance: Instance, limits: Sequence[PlanLoad[Any]], plan: Plan) -> float:
    """sum penalty max(0, use - 1): what a plan's excess over soft limits costs the objective."""
    return math.fsum(
        penalty * max(0.0, limit.use_of_doses(instance, plan.doses) - 1.0)
        for limit in limits
        if (penalty := limit.limit.penalty) is not None
    )


def plan_effects(instance: Instance, plans: tuple[Plan, ...]) -> PlanEffects:
    """Daily effects of every plan; agents that act on one phase combine by the case's rule."""
    shape = (len(plans), instance.days)
    unblocked, ratio = np.ones(shape), np.zeros(shape)
    sensitizer, survival = np.ones(shape), np.ones(shape)
    factors = {phase: np.ones(shape) for phase in PHASES}
    log_loss = np.zeros(len(plans))
    known: dict[tuple[str, tuple[tuple[int, float], ...]], FloatArray] = {}
    joint: dict[tuple[object, ...], FloatArray] = {}
    rule = instance.immune.combination
    for row, plan in enumerate(plans):
        if row % BLOCK == 0:
            tick()
        acting: dict[str, list[tuple[str, tuple[tuple[int, float], ...]]]] = {}
        by_drug = _by_drug(plan)
        for name in sorted(by_drug):
            drug, doses = instance.drugs[name], by_drug[name]
            if (name, doses) not in known:
                known[name, doses] = _drug_effect(instance, name, doses)
            effect = known[name, doses]
            if drug.kind == "chemotherapy":
                days, relative = zip(*relative_doses(instance, name, doses), strict=True)
                log_loss[row] += drug.lymphocyte_log_loss_per_dose * math.fsum(relative)
                sensitizer[row] *= effect
                survival[row] *= chemotherapy.precursor_survival(
                    instance.days, days, drug.precursor_log_loss_per_dose, relative
                )
            elif drug.phase is not None:
                acting.setdefault(drug.phase, []).append((name, doses))
            elif drug.target == "CTLA-4":
                ratio[row] += effect
            else:
                unblocked[row] *= 1.0 - effect
        for phase, agents in acting.items():
            if tuple(agents) not in joint:
                effects = [_signed(instance, name) * known[name, doses] for name, doses in agents]
                joint[tuple(agents)] = immune.combined(effects, rule)
            factors[phase][row] = joint[tuple(agents)]
    c = instance.immune
    occupancy, bound = 1.0 - unblocked, ctla4.bound(ratio)
    moved = immune.mobilization(
        occupancy,
        c.mobilization_per_day,
        c.blockade_mobilization_per_day,
        bound,
        c.ctla4_mobilization_per_day,
    )
    mobilization = np.minimum(
        moved * factors["mobilization"],
        1.0 - c.precursor_loss_per_day,
    )
    half = instance.lymphocytes.recovery_half_time_days
    found = PlanEffects(
        occupancy=occupancy,
        ctla4_bound=bound,
        mobilization=mobilization,
        priming_factor=ctla4.priming_factor(ratio, c.ctla4_threshold) * factors["priming"],
        sensitizer=sensitizer,
        effect_factor=(1.0 + c.blockade_effect * occupancy)
        * factors["effector"]
        * lymphocytes.count_factor(
            instance.lymphocytes.initial_1e9_per_l, c.count_reference_1e9_per_l, c.count_exponent
        ),
        relief=factors["suppression"],
        precursor_survival=survival,
        effect_weights=_effect_weights(mobilization, half),
        chemotherapy_log_loss=log_loss,
        group=_groups(instance, plans, sensitizer),
    )
    return finite_fields("effects of the systemic plans", found)


def _signed(instance: Instance, name: str) -> float:
    """Sign times strength of a drug that acts on a phase."""
    drug = instance.drugs[name]
    assert drug.sign is not None and drug.strength is not None
    return drug.sign * drug.strength


def _effect_weights(mobilization: FloatArray, half_time_days: float | None) -> FloatArray:
    """(plans, days) weights of lymphocyte losses, block by block."""
    weights = np.empty_like(mobilization)
    for begin in range(0, len(weights), BLOCK):
        tick()
        lot = mobilization[begin : begin + BLOCK]
        weights[begin : begin + BLOCK] = lymphocytes.effect_weights(lot, half_time_days)
    return weights


PHASES = ("priming", "mobilization", "effector", "suppression")


def _by_drug(plan: Plan) -> dict[str, tuple[tuple[int, float], ...]]:
    by_drug: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, day, milligrams in plan.doses:
        by_drug[name].append((day, milligrams))
    return {name: tuple(doses) for name, doses in by_drug.items()}


def relative_doses(
    instance: Instance, name: str, doses: tuple[tuple[int, float], ...]
) -> list[tuple[int, float]]:
    """(day, reference doses) of infusions in (day, mg) of one chemotherapy drug."""
    return [(day, relative_dose(instance, name, milligrams)) for day, milligrams in doses]


def direct_doses(instance: Instance, plan: Plan) -> tuple[tuple[str, int, float], ...]:
    """(drug, day, reference doses) of what kills or adds to the BED of the tumors themselves."""
    return tuple(
        (name, day, relative_dose(instance, name, milligrams))
        for name, day, milligrams in plan.doses
        if instance.drugs[name].equivalent_bed_gy_per_dose > 0
        or instance.drugs[name].cytotoxic_log_kill_per_dose > 0
    )


def _groups(
    instance: Instance, plans: tuple[Plan, ...], sensitizer: FloatArray
) -> NDArray[np.int64]:
    keys = [
        (row.tobytes(), direct_doses(instance, plan))
        for row, plan in zip(sensitizer, plans, strict=True)
    ]
    order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], dtype=np.int64)


def _drug_effect(instance: Instance, name: str, doses: tuple[tuple[int, float], ...]) -> FloatArray:
    """Daily SER of chemotherapy, c/EC50 of anti-CTLA-4 without a phase, or occupancy."""
    drug, days, dose_days = instance.drugs[name], instance.days, [day for day, _ in doses]
    if drug.kind == "chemotherapy":
        return chemotherapy.sensitizer_enhancement(
            days,
            dose_days,
            drug.sensitizer_enhancement_ratio,
            drug.sensitizing_days,
            [relative for _, relative in relative_doses(instance, name, doses)],
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
    if drug.target == "CTLA-4" and drug.phase is None:
        return concentration / drug.ec50_mg_per_l
    return pharmacokinetics.occupancy(concentration, drug.ec50_mg_per_l, drug.occupancy_hill)


def exposures_of(
    instance: Instance, plan: Plan, patterns: Patterns, exposures: tuple[Exposure, ...]
) -> BoolArray:
    """(patterns, exposures) whether an infusion of the class is near some fraction."""
    met = np.zeros((len(patterns.count), len(exposures)), dtype=bool)
    for column, exposure in enumerate(exposures):
        meets = np.zeros(instance.days, dtype=bool)
        for name, day, _ in plan.doses:
            if instance.drugs[name].kind == exposure.drugs:
                meets[max(0, day - exposure.days_after) : day + exposure.days_before + 1] = True
        met[:, column] = (patterns.incidence @ meets) > 0
    return met


def allowed_patterns(instance: Instance, plan: Plan, patterns: Patterns) -> BoolArray:
    """(patterns,) whether a plan's intervals allow a course on these days.

    With first and last fraction day of a course, days t of its fractions and d of the doses:

        last <= d_first - after,    first >= d_first + before,    |t - d| >= between
    """
    allowed = np.ones(len(patterns.count), dtype=bool)
    real = patterns.days >= 0
    for option in plan.options:
        agent = instance.agents[option.agent]
        if option.start is None or not option.doses:
            continue
        if agent.min_days_after_radiation is not None:
            first_dose = min(day for _, day, _ in option.doses)
            allowed &= patterns.last <= first_dose - agent.min_days_after_radiation
        if agent.min_days_before_radiation is not None:
            first_dose = min(day for _, day, _ in option.doses)
            allowed &= patterns.first >= first_dose + agent.min_days_before_radiation
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


def earliest_start_needed(instance: Instance, plan: Plan) -> int:
    """Some course must start on this day or earlier, if any is given; -1 if no rule says so."""
    needed = -1
    for option in plan.options:
        agent = instance.agents[option.agent]
        if option.doses and agent.max_days_before_radiation is not None:
            first_dose = min(day for _, day, _ in option.doses)
            latest = first_dose + agent.max_days_before_radiation
            needed = latest if needed < 0 else min(needed, latest)
    return needed
