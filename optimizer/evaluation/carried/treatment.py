"""A treatment on some morning: everything that what was given still does, and the verdict on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.tumor import repopulation
from abscopt.optimizer.evaluation.beams import kills_in_beams, survivals_of
from abscopt.optimizer.evaluation.carried.drugs import DrugsCarried, after_drugs, no_drugs
from abscopt.optimizer.evaluation.carried.lesions import Days, LesionCarried, untouched
from abscopt.optimizer.evaluation.carried.loads import LoadsCarried, after_loads, uses
from abscopt.optimizer.evaluation.demands import demand_uses
from abscopt.optimizer.evaluation.judge import (
    Received,
    lesion_outcome,
    systemic_kill,
    weighted_value,
)
from abscopt.optimizer.evaluation.lesions import LesionEffect, credits

if TYPE_CHECKING:
    from abscopt.instances.lesions import Clone, Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.limits import LimitUse
    from abscopt.optimizer.evaluation.systemic import SystemicState
    from abscopt.optimizer.evaluation.verdict import LesionOutcome
    from abscopt.optimizer.schedule import Schedule


@dataclass(frozen=True)
class Carried:
    """What a treatment has left behind on the morning of a day."""

    today: int
    drugs: DrugsCarried
    lesions: tuple[LesionCarried, ...]
    loads: LoadsCarried


def at_first(instance: Instance) -> Carried:
    """The morning of day 0, nothing schedule."""
    lesions = tuple(untouched(instance, lesion) for lesion in instance.lesions)
    return Carried(0, no_drugs(instance), lesions, LoadsCarried())


def carry(instance: Instance, before: Carried, schedule: Schedule, until: int) -> Carried:
    """The morning of a later day.

    Parameters
    ----------
    schedule : from the day of `before` on, and before `until`
    """
    return _go(instance, before, schedule, until)[1]


def _go(
    instance: Instance, before: Carried, schedule: Schedule, until: int
) -> tuple[SystemicState, Carried]:
    days = before.today, until
    outside = ({f.day for f in schedule.fractions} | {i.day for i in schedule.infusions}) - set(
        range(*days)
    )
    if outside:
        raise ValueError(f"days {sorted(outside)} are not from {days[0]} to {days[1] - 1}")
    state, drugs = after_drugs(instance, before.drugs, schedule.infusions, days)
    lesions = []
    for lesion, carried in zip(instance.lesions, before.lesions, strict=True):
        ways = {way.name: way for way in lesion.ways}
        names = schedule.techniques(lesion.name)
        course = schedule.course(lesion.name)
        some_days = Days(instance, lesion, course, tuple(ways[n] for n in names), state, *days)
        lesions.append(some_days.after(carried))
    loads = after_loads(instance, before.loads, schedule, state, days)
    return state, Carried(until, drugs, tuple(lesions), loads)


def go_on(instance: Instance, before: Carried, schedule: Schedule) -> Outlook:
    """The verdict on a treatment from its state on some morning and what follows, nothing else.

    Calendar and menus are not asked about: they are rules of whole schedules.
    """
    state, end = _go(instance, before, schedule, instance.days)
    effects = [
        _effect(instance, lesion, carried, state, end.drugs)
        for lesion, carried in zip(instance.lesions, end.lesions, strict=True)
    ]
    chemo = end.drugs.lymphocyte_log_loss
    raw, systemic, factors = systemic_kill(instance, effects, chemo)
    outcomes = tuple(
        lesion_outcome(
            lesion,
            instance.objective,
            effect,
            factor,
            systemic,
            Received(next(iter(carried.kills), ""), carried.fractions, carried.dose_gy, None),
        )
        for lesion, effect, factor, carried in zip(
            instance.lesions, effects, factors, end.lesions, strict=True
        )
    )
    limits = uses(instance, end.loads, end.lesions, state, chemo)
    limits += demand_uses(instance, outcomes)
    cost = math.fsum(use.cost for use in limits)
    return Outlook(weighted_value(instance, outcomes) - cost, outcomes, limits, tuple(raw))


@dataclass(frozen=True)
class Outlook:
    """What the judge says of a whole treatment, rules and menus left out.

    Attributes
    ----------
    unsaturated_nats : (horizons,) systemic effect
    """

    objective: float
    lesions: tuple[LesionOutcome, ...]
    limits: tuple[LimitUse, ...]
    unsaturated_nats: tuple[float, ...]


def _effect(
    instance: Instance,
    lesion: Lesion,
    carried: LesionCarried,
    state: SystemicState,
    drugs: DrugsCarried,
) -> LesionEffect:
    """Effects of the whole course, as `lesion_effect` of the judge has them."""
    loss = lesion.siphon(instance.immune)
    if carried.fractions:
        loss = carried.loss / drugs.mobilized if drugs.mobilized > 0.0 else 0.0
    effect = carried.effect * math.exp(-instance.immune.own_loss * loss)
    bed = carried.bed_gy + _drug_bed(instance, carried, -1)
    granted = credits(instance, lesion, surviving_share(lesion, carried), state)
    repopulated = 0.0
    if lesion.repopulation_doubling_time_days is not None and carried.span is not None:
        per_day = repopulation.bed_loss_per_day(
            lesion.alpha_per_gy, lesion.repopulation_doubling_time_days
        )
        repopulated = float(per_day) * float(
            repopulation.accelerated_days(*carried.span, lesion.kick_off_days, None)
        )
    return LesionEffect(
        bed_gy=bed,
        tumor_bed_gy=bed - repopulated,
        local_log_burden=_local(instance, lesion, carried, drugs),
        effector_share=tuple(
            lesion.effector_share
            * instance.immune.share_factor
            * clone.effector_share_factor
            * float(granted)
            for clone in lesion.populations
        ),
        credited=granted,
        effector_log_kill=tuple(float(nats) for nats in effect),
        effect_loss=loss,
        precursors=np.array(carried.immune.precursors),
        effectors=np.array(carried.immune.effectors),
    )


def surviving_share(lesion: Lesion, carried: LesionCarried) -> float:
    """Share of the lesion's clonogens that its fractions have left, without growth."""
    return survivals_of(lesion, _ways(lesion, carried), _kills(lesion, carried, -1))[-1]


def _ways(lesion: Lesion, carried: LesionCarried) -> tuple[Technique, ...]:
    """Techniques in the order of their first use."""
    by_name = {way.name: way for way in lesion.ways}
    return tuple(by_name[name] for name in carried.kills)


def _kills(lesion: Lesion, carried: LesionCarried, at: int) -> list[list[float]]:
    """Per clone the kill by each technique before a horizon, or in all (-1)."""
    clones = range(len(lesion.populations))
    return [[float(kill[at, c]) for kill in carried.kills.values()] for c in clones]


def _drug_bed(instance: Instance, carried: LesionCarried, at: int) -> float:
    """BED of the doses before a horizon, or of all (-1), that met a fraction."""
    return math.fsum(
        instance.drugs[name].equivalent_bed_gy_per_dose * float(met[at])
        for name, met in carried.met.items()
    )


def _local(
    instance: Instance, lesion: Lesion, carried: LesionCarried, drugs: DrugsCarried
) -> tuple[tuple[float, ...], ...]:
    """Log clonogens without systemic effect: per factor of alpha and clone, at every horizon."""
    by_clone = [
        [
            _at_horizon(instance, lesion, clone, c, carried, drugs, h)
            for h in range(len(instance.horizon_days))
        ]
        for c, clone in enumerate(lesion.populations)
    ]
    factors = range(len(lesion.sensitivities[0]))
    return tuple(tuple(at[f] for at in of_clone) for f in factors for of_clone in by_clone)


def _at_horizon(
    instance: Instance,
    lesion: Lesion,
    clone: Clone,
    c: int,
    carried: LesionCarried,
    drugs: DrugsCarried,
    h: int,
) -> list[float]:
    """Log clonogens of one clone at a horizon, at each factor of alpha."""
    horizon, fast = instance.horizon_days[h], 0.0
    if carried.span is not None and lesion.repopulation_doubling_time_days is not None:
        fast = float(repopulation.accelerated_days(*carried.span, lesion.kick_off_days, horizon))
    grown = repopulation.log_growth(
        horizon, lesion.growth_doubling_time_days, lesion.repopulation_doubling_time_days, fast
    )
    alpha, _ = lesion.clone_constants(clone)
    factors = lesion.sensitivities[0].tolist()
    killed = kills_in_beams(
        lesion, _ways(lesion, carried), clone, _kills(lesion, carried, h)[c],
        alpha * _drug_bed(instance, carried, h), factors,
    )  # fmt: skip
    by_drugs = math.fsum(
        instance.drugs[name].cytotoxic_log_kill_per_dose * counted[h]
        for name, counted in drugs.counted.items()
    )
    unkilled = math.log(lesion.clonogen_number * clone.share) + float(grown)
    return [unkilled - kill - clone.drug_kill_factor * by_drugs for kill in killed]
