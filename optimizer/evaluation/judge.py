"""The verdict on a schedule: outcome per lesion, limits, immune trace, objective."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.load import case_of
from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.models.tumor import outcome
from abscopt.models.tumor.population import burdens_by_node, population_log_burden
from abscopt.optimizer.evaluation.demands import demand_uses, demanding
from abscopt.optimizer.evaluation.lesions import Course, LesionEffect, lesion_effect
from abscopt.optimizer.evaluation.limits import alc_losses, edric_gy, limit_use, limit_uses
from abscopt.optimizer.evaluation.offered.menu import broken_rules, obstacles, off_menu
from abscopt.optimizer.evaluation.systemic import SystemicState, systemic_state
from abscopt.optimizer.evaluation.verdict import Evaluation, LesionOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance, Objective
    from abscopt.optimizer.schedule import Infusion, Schedule

TRACE_STEP_DAYS = 7
MOST_VERDICTS = 8
"""Kept: a schedule in hand is judged when it is found, when it is answered and beside others."""


class Judge:
    """Evaluates schedules of one case; remembers parts that schedules share."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self._states: dict[tuple[Infusion, ...], SystemicState] = {}
        self._effects: dict[
            tuple[int, tuple[str, ...], Course, tuple[Infusion, ...]], LesionEffect
        ] = {}
        self._latest: dict[Schedule, Evaluation] = {}

    def evaluate(self, schedule: Schedule) -> Evaluation:
        """Exact value of a schedule and of every limit of the case; the latest are kept."""
        if schedule not in self._latest:
            verdict = self._evaluated(schedule)
            while len(self._latest) >= MOST_VERDICTS:
                self._latest.pop(next(iter(self._latest)))
            self._latest[schedule] = verdict
        return self._latest[schedule]

    def _evaluated(self, schedule: Schedule) -> Evaluation:
        instance = self.instance
        state = self._state(schedule.infusions)
        effects = list(self.lesion_effects(schedule))
        total_loss = state.chemotherapy_log_loss + sum(e.effect_loss for e in effects)
        raw, systemic, factors = systemic_kill(instance, effects, state.chemotherapy_log_loss)
        lesions = tuple(
            self._outcome(index, schedule, effects[index], factors[index], systemic)
            for index in range(len(instance.lesions))
        )
        limits = limit_uses(instance, schedule, state) + demand_uses(instance, lesions)
        rules = broken_rules(instance, schedule)
        cost = math.fsum(use.cost for use in limits)
        return Evaluation(
            instance=instance.name,
            objective=self._objective([lesion.value for lesion in lesions], cost),
            soft_cost=cost,
            unit=instance.objective.unit,
            feasible=not rules and not any(use.broken for use in limits),
            lesions=lesions,
            limits=limits,
            broken_rules=rules,
            off_menu=off_menu(instance, schedule),
            immune=self._immune(state, effects, raw, systemic),
            lymphocytes=self._lymphocytes(schedule, state, total_loss),
        )

    def objective(self, schedule: Schedule) -> float:
        """Objective of a schedule, as `evaluate` has it, without limits that cost nothing."""
        state = self._state(schedule.infusions)
        costly = [limit for limit in self.instance.limits if limit.penalty is not None]
        cost = math.fsum(limit_use(self.instance, schedule, limit, state).cost for limit in costly)
        return self._objective(self._values(schedule), cost)

    def worth(self, schedule: Schedule) -> float | None:
        """Objective of a schedule; None where `evaluate` says that it is not admissible."""
        instance = self.instance
        if obstacles(instance, schedule):
            return None
        state, costs = self._state(schedule.infusions), []
        for limit in instance.limits:
            use = limit_use(instance, schedule, limit, state)
            if use.broken:
                return None
            costs.append(use.cost)
        if demanding(instance):
            verdict = self.evaluate(schedule)
            return verdict.objective if verdict.admissible else None
        return self._objective(self._values(schedule), math.fsum(costs))

    def of_lesions(self, lesions: tuple[Lesion, ...]) -> Judge:
        """Judge of the case with other tumors; what drugs do, which is the same, is remembered."""
        judge = Judge(self.instance.unchecked({"lesions": lesions}))
        judge._states = self._states
        return judge

    def _values(self, schedule: Schedule) -> list[tuple[float, ...]]:
        """Value of each lesion at each horizon."""
        effects = list(self.lesion_effects(schedule))
        chemo = self.chemotherapy_log_loss(schedule)
        _, systemic, _ = systemic_kill(self.instance, effects, chemo)
        values = []
        for lesion, effect in zip(self.instance.lesions, effects, strict=True):
            burden = _population(lesion, _clones(lesion, effect, systemic))
            values.append(_values(self.instance.objective, burden, effect.tumor_bed_gy))
        return values

    def _objective(self, values: Sequence[tuple[float, ...]], cost: float) -> float:
        """What all lesions are worth, less the cost of limits."""
        instance = self.instance
        objective = weighted(instance, values) - cost
        if not math.isfinite(objective):
            of_lesions = zip(instance.lesions, values, strict=True)
            wrong = (lesion.name for lesion, value in of_lesions if not math.isfinite(sum(value)))
            source = next(wrong, "a limit")
            raise FloatingPointError(f"{instance.name}: the objective is {objective} by {source}")
        return objective

    def _state(self, infusions: tuple[Infusion, ...]) -> SystemicState:
        if infusions not in self._states:
            self._states[infusions] = systemic_state(self.instance, infusions)
        return self._states[infusions]

    def chemotherapy_log_loss(self, schedule: Schedule) -> float:
        """Log loss of lymphocytes by the drugs of a schedule."""
        return self._state(schedule.infusions).chemotherapy_log_loss

    def lesion_effects(self, schedule: Schedule) -> tuple[LesionEffect, ...]:
        """What each lesion's course does on its own, in the order of the lesions."""
        return tuple(self._effect(index, schedule) for index in range(len(self.instance.lesions)))

    def _effect(self, index: int, schedule: Schedule) -> LesionEffect:
        lesion = self.instance.lesions[index]
        course, names = schedule.course(lesion.name), schedule.techniques(lesion.name)
        key = (index, names, course, schedule.infusions)
        if key not in self._effects:
            self._effects[key] = lesion_effect(
                self.instance,
                lesion,
                _techniques(lesion, names),
                course,
                self._state(schedule.infusions),
            )
        return self._effects[key]

    def _outcome(
        self,
        index: int,
        schedule: Schedule,
        effect: LesionEffect,
        factor: float,
        systemic: list[float],
    ) -> LesionOutcome:
        lesion = self.instance.lesions[index]
        doses = [dose for _, dose, _ in schedule.course(lesion.name)]
        received = Received(
            schedule.technique(lesion.name) or "",
            len(doses),
            math.fsum(doses),
            doses[0] if len(set(doses)) == 1 else None,
        )
        return lesion_outcome(lesion, self.instance.objective, effect, factor, systemic, received)

    def _immune(
        self,
        state: SystemicState,
        effects: list[LesionEffect],
        raw: list[float],
        systemic: list[float],
    ) -> dict[str, Any]:
        days = list(range(0, self.instance.days, TRACE_STEP_DAYS))
        return {
            "horizon_days": list(self.instance.horizon_days),
            "unsaturated_effect_nats": raw,
            "systemic_effect_nats": systemic,
            "trace": {
                "day": days,
                "occupancy": [float(state.occupancy[day]) for day in days],
                "precursors": [float(sum(e.precursors[day] for e in effects)) for day in days],
                "effectors": [float(sum(e.effectors[day] for e in effects)) for day in days],
            },
        }

    def _lymphocytes(
        self, schedule: Schedule, state: SystemicState, total_loss: float
    ) -> dict[str, Any]:
        before = self.instance.lymphocytes.initial_1e9_per_l
        losses = alc_losses(self.instance, schedule, state.chemotherapy_log_loss)
        worst = max(losses, key=lambda day: (losses[day], -day)) if losses else None
        return {
            "initial_1e9_per_l": before,
            "nadir_1e9_per_l": before
            * math.exp(-(state.chemotherapy_log_loss if worst is None else losses[worst])),
            "nadir_day": worst,
            "effect_log_loss": total_loss,
            "edric_gy": edric_gy(self.instance, schedule),
            "trace": {
                "day": list(losses),
                "alc_1e9_per_l": [before * math.exp(-loss) for loss in losses.values()],
            },
        }


@dataclass(frozen=True)
class Received:
    """What a lesion received: first technique, fractions, Gy, and Gy of each if all are equal."""

    technique: str
    fractions: int
    dose_gy: float
    dose_per_fraction_gy: float | None


def systemic_kill(
    instance: Instance, effects: list[LesionEffect], chemotherapy_log_loss: float
) -> tuple[list[float], list[float], list[float]]:
    """(horizons) systemic log kill before and after saturation, and per lesion its factor.

    Z = sum_s e^-(chemo + sum_(r != s) a_r) v_s
    """
    total_loss = chemotherapy_log_loss + sum(e.effect_loss for e in effects)
    factors = [math.exp(-(total_loss - effect.effect_loss)) for effect in effects]
    raw = [
        sum(f * e.effector_log_kill[h] for f, e in zip(factors, effects, strict=True))
        for h in range(len(instance.horizon_days))
    ]
    systemic = [float(immune.saturate(z, instance.immune.effect_maximum_nats)) for z in raw]
    return raw, systemic, factors


def lesion_outcome(
    lesion: Lesion,
    goal: Objective,
    effect: LesionEffect,
    factor: float,
    systemic: list[float],
    received: Received,
) -> LesionOutcome:
    """What becomes of one lesion under the systemic effect.

    Parameters
    ----------
    factor : what losses leave of its effectors
    systemic : (horizons) saturated log kill
    """
    nodes, clones = lesion.sensitivities[1], _clones(lesion, effect, systemic)
    burden = _population(lesion, clones)
    poisson = outcome.poisson_tcp(burdens_by_node(clones.T, len(nodes))) @ nodes
    middle = len(nodes) // 2 * len(lesion.populations)
    median = clones[middle : middle + len(lesion.populations)]
    beyond = outcome.conceded(burden, goal.conceded_at_nats)
    return LesionOutcome(
        name=lesion.name,
        technique=received.technique,
        fractions=received.fractions,
        dose_gy=received.dose_gy,
        dose_per_fraction_gy=received.dose_per_fraction_gy,
        bed_gy=effect.bed_gy,
        tumor_bed_gy=effect.tumor_bed_gy,
        clone_log_burden=tuple(tuple(float(u) for u in clone) for clone in median),
        log_burden=tuple(float(u) for u in burden),
        control_probability=tuple(float(p) for p in outcome.control_probability(burden)),
        poisson_tcp=tuple(float(p) for p in poisson),
        value=_values(goal, burden, effect.tumor_bed_gy),
        conceded=goal.kind == "default" and bool(beyond[-1]),
        credited=effect.credited,
        lymphocyte_factor=factor,
    )


def _clones(lesion: Lesion, effect: LesionEffect, systemic: list[float]) -> FloatArray:
    """(nodes * clones, horizons) log burden: u = local - share Z."""
    shares = effect.effector_share * len(lesion.sensitivities[1])
    kills = np.array(systemic)
    return np.array(
        [
            np.array(local) - share * kills
            for local, share in zip(effect.local_log_burden, shares, strict=True)
        ]
    )


def _population(lesion: Lesion, clones: FloatArray) -> FloatArray:
    """(horizons) log burden of the population of tumors."""
    return population_log_burden(clones.T, lesion.sensitivities[1])


def _techniques(lesion: Lesion, names: tuple[str, ...]) -> tuple[Technique, ...]:
    """How each fraction of a lesion is given."""
    ways = {way.name: way for way in lesion.ways}
    for unknown in sorted(set(names) - set(ways)):
        raise ValueError(f"{lesion.name}: unknown technique {unknown!r}")
    return tuple(ways[name] for name in names)


def _values(goal: Objective, burden: FloatArray, tumor_bed_gy: float) -> tuple[float, ...]:
    """Value of one lesion at each horizon."""
    return tuple(_valued(goal, burden, tumor_bed_gy).tolist())


def _valued(goal: Objective, burden: FloatArray, tumor_bed_gy: float) -> FloatArray:
    if goal.kind == "tumor_bed":
        return np.full(len(burden), tumor_bed_gy)
    if goal.kind == "log_control":
        return outcome.log_control(burden)
    if goal.kind == "expected_control":
        return outcome.control_probability(burden)
    if goal.kind == "log_kill":
        return -burden
    return outcome.conceding_value(burden, goal.conceded_at_nats, goal.conceded_slope)


def weighted_value(instance: Instance, lesions: tuple[LesionOutcome, ...]) -> float:
    """Weighted sum over lesions of the mean over horizons of each lesion's value."""
    return weighted(instance, [lesion.value for lesion in lesions])


def weighted(instance: Instance, values: Sequence[tuple[float, ...]]) -> float:
    """The same of values at the horizons."""
    return math.fsum(
        lesion.weight * math.fsum(value) / len(value)
        for lesion, value in zip(instance.lesions, values, strict=True)
    )


def evaluate(case: Instance | str | Path, schedule: Schedule) -> Evaluation:
    """Judge one schedule of a case, which may be given by its name or path."""
    return Judge(case_of(case)).evaluate(schedule)
