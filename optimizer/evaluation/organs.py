"""What organs receive: daily doses, repair between them, sensitizers and prior doses.

`optimizer/candidates/limits/organs` computes the same loads, course by course and with arrays. The
two share no code on purpose: a mistake in one of them is noticed because the other does not make
it. Do not let one call the other, nor both a third.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.limits import (
    BedLimit,
    DoseByFractionsLimit,
    DoseVolumeLimit,
    MeanEqd2Limit,
    MeanLimit,
)
from abscopt.models.organs import toxicity
from abscopt.models.tumor import lq, repair
from abscopt.optimizer.evaluation.bins import geud_of_day

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.limits import AnyOrganLimit, Exposure, NtcpLimit
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.organs import PriorDose
    from abscopt.optimizer.evaluation.systemic import SystemicState
    from abscopt.optimizer.schedule import Schedule


EQUAL_GY = 1e-9
"""Doses this close are equal fractions: doses are stated with up to nine decimals."""


@dataclass(frozen=True)
class Part:
    """One fraction as an organ's point feels it."""

    lesion: Lesion
    technique: Technique
    slot: int
    prescribed_gy: float
    organ_gy: float


def daily_parts(
    instance: Instance, schedule: Schedule, organ: str, point: str
) -> dict[int, list[Part]]:
    """Fractions of every day with what the organ's point receives."""
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    daily: defaultdict[int, list[Part]] = defaultdict(list)
    for fraction in schedule.fractions:
        lesion = lesions[fraction.lesion]
        technique = lesion.way(fraction.technique)
        factor = lesion.sparing_factor(organ, point, fraction.day, technique)
        dose = fraction.dose_gy
        daily[fraction.day].append(Part(lesion, technique, fraction.slot, dose, factor * dose))
    return daily


def physical_gy(instance: Instance, schedule: Schedule, organ: str, point: str) -> float:
    """Physical dose of the schedule at an organ's point, without prior doses."""
    daily = daily_parts(instance, schedule, organ, point)
    return sum(dose.organ_gy for doses in daily.values() for dose in doses)


def organ_load(
    instance: Instance, schedule: Schedule, limit: AnyOrganLimit, state: SystemicState
) -> float:
    """Load of an organ limit in the unit of its cap, prior doses included."""
    if isinstance(limit, BedLimit):
        return _bed(instance, schedule, (limit.organ, limit.point), limit.alpha_beta_gy, state)
    if isinstance(limit, MeanLimit):
        return _mean(instance, schedule, limit.organ, "mean")
    if isinstance(limit, MeanEqd2Limit):
        return _mean_eqd2(instance, schedule, limit.organ, limit.alpha_beta_gy, state)
    if isinstance(limit, DoseByFractionsLimit):
        return _miner(instance, schedule, limit, state)
    if isinstance(limit, DoseVolumeLimit):
        return _dose_volume(instance, schedule, limit, state)
    if limit.volume_exponent is not None:
        return _geud(instance, schedule, limit, state)
    if limit.alpha_beta_gy is None:
        return _mean(instance, schedule, limit.organ, limit.point)
    return _mean_eqd2(instance, schedule, limit.organ, limit.alpha_beta_gy, state)


def exposure_state(instance: Instance, schedule: Schedule, limit: NtcpLimit) -> tuple[bool, ...]:
    """Whether each of the limit's exposures holds for the schedule."""
    daily = daily_parts(instance, schedule, limit.organ, limit.point)
    days = [day for day, doses in daily.items() if any(dose.organ_gy > 0 for dose in doses)]
    return tuple(_exposed(instance, schedule, exposure, days) for exposure in limit.exposures)


def _exposed(
    instance: Instance, schedule: Schedule, exposure: Exposure, fraction_days: list[int]
) -> bool:
    infusion_days = [
        i.day for i in schedule.infusions if instance.drugs[i.drug].kind == exposure.drugs
    ]
    return any(
        fraction - exposure.days_before <= day <= fraction + exposure.days_after
        for day in infusion_days
        for fraction in fraction_days
    )


def _bed(
    instance: Instance,
    schedule: Schedule,
    place: tuple[str, str],
    alpha_beta_gy: float,
    state: SystemicState,
) -> float:
    organ, point = place
    unrepaired = _unrepaired(instance, organ)
    total = 0.0
    for day, of_day in daily_parts(instance, schedule, organ, point).items():
        ser = _enhancement(instance, organ, day, state)
        doses = _by_slot(of_day)
        beds = [float(lq.bed(dose, alpha_beta_gy, ser=ser)) for dose in doses.values()]
        cross = sum(
            2.0 * unrepaired ** (later - earlier) * doses[earlier] * doses[later]
            for earlier in doses
            for later in doses
            if earlier < later
        )
        total += sum(beds) + cross / alpha_beta_gy
    return total + _prior_load(
        instance, organ, point, lambda p: float(lq.bed(p.dose_gy, alpha_beta_gy))
    )


def _dose_volume(
    instance: Instance, schedule: Schedule, limit: DoseVolumeLimit, state: SystemicState
) -> float:
    """D_v of the organ: the doses of all fractions at its point, or their EQD2."""
    place = limit.organ, limit.point
    if limit.alpha_beta_gy is None:
        return _mean(instance, schedule, *place)
    bed = _bed(instance, schedule, place, limit.alpha_beta_gy, state)
    return bed / (1.0 + 2.0 / limit.alpha_beta_gy)


def _mean(instance: Instance, schedule: Schedule, organ: str, point: str) -> float:
    planned = physical_gy(instance, schedule, organ, point)
    return planned + _prior_load(instance, organ, point, lambda prior: prior.dose_gy)


def _mean_eqd2(
    instance: Instance,
    schedule: Schedule,
    organ: str,
    alpha_beta_gy: float,
    state: SystemicState,
) -> float:
    daily = daily_parts(instance, schedule, organ, "mean")
    linear = sum(
        _enhancement(instance, organ, day, state) * dose.organ_gy
        for day, doses in daily.items()
        for dose in doses
    )
    unrepaired = _unrepaired(instance, organ)
    square = sum(
        _mean_square(instance, organ, day, doses, unrepaired) for day, doses in daily.items()
    )
    planned = float(lq.eqd2(linear + square / alpha_beta_gy, alpha_beta_gy))
    return planned + _prior_load(
        instance, organ, "mean", lambda prior: _prior_eqd2(prior, alpha_beta_gy)
    )


def _mean_square(
    instance: Instance, organ: str, day: int, doses: list[Part], unrepaired: float
) -> float:
    """Mean over voxels of the dose squared of one day, pairs of the day's fractions included."""
    square = 0.0
    for first in doses:
        for second in doses:
            if first.lesion is second.lesion and first.technique is second.technique:
                moment = first.lesion.sparing_factor(organ, "second_moment", day, first.technique)
            else:
                moment = instance.cross_moment(
                    organ, (first.lesion, first.technique), (second.lesion, second.technique), day
                )
            weight = unrepaired ** abs(first.slot - second.slot)
            square += weight * moment * first.prescribed_gy * second.prescribed_gy
    return square


def _geud(instance: Instance, schedule: Schedule, limit: NtcpLimit, state: SystemicState) -> float:
    """Equivalent uniform dose over bins: that of each day's fractions, added up over days."""
    daily = daily_parts(instance, schedule, limit.organ, limit.point)
    unrepaired = _unrepaired(instance, limit.organ)
    return sum(
        geud_of_day(limit, doses, _enhancement(instance, limit.organ, day, state), unrepaired)
        for day, doses in daily.items()
    )


def _miner(
    instance: Instance, schedule: Schedule, limit: DoseByFractionsLimit, state: SystemicState
) -> float:
    daily = daily_parts(instance, schedule, limit.organ, limit.point)
    doses_gy = [sum(p.organ_gy for p in parts) for parts in daily.values()]
    doses_gy = [dose for dose in doses_gy if dose > 0]
    if limit.looked_up(instance) and doses_gy and max(doses_gy) - min(doses_gy) <= EQUAL_GY:
        allowed = float(toxicity.limit_of(len(doses_gy), limit.fractions, limit.limits_gy))
        return sum(doses_gy) / allowed if allowed > 0 else math.inf
    felt_gy = [
        _enhancement(instance, limit.organ, day, state) * sum(p.organ_gy for p in doses)
        for day, doses in daily.items()
    ]
    planned: float = sum(toxicity.miner_fraction(felt_gy, *limit.safe).tolist())
    return planned + _prior_load(
        instance,
        limit.organ,
        limit.point,
        lambda prior: float(toxicity.miner_fraction(prior.dose_gy, *limit.safe)),
    )


def _by_slot(of_day: list[Part]) -> dict[int, float]:
    """Gy of each slot of a day, lesions together."""
    doses: defaultdict[int, float] = defaultdict(float)
    for dose in of_day:
        doses[dose.slot] += dose.organ_gy
    return doses


def _unrepaired(instance: Instance, organ: str) -> float:
    hours = instance.calendar.hours_between_fractions
    return float(repair.unrepaired(hours, instance.organs[organ].repair_half_time_hours))


def _enhancement(instance: Instance, organ: str, day: int, state: SystemicState) -> float:
    """Sensitizer enhancement ratio of the organ's dose on one day."""
    sensitized = float(state.sensitizer[day]) > 1.0
    return instance.organs[organ].sensitizer_enhancement_ratio if sensitized else 1.0


def _prior_load(
    instance: Instance, organ: str, point: str, per_fraction: Callable[[PriorDose], float]
) -> float:
    """What doses given before still count, from the load of one of their fractions."""
    return sum(
        (1.0 - prior.recovered) * prior.fractions * per_fraction(prior)
        for prior in instance.prior_doses
        if (prior.organ, prior.point) == (organ, point)
    )


def _prior_eqd2(prior: PriorDose, alpha_beta_gy: float) -> float:
    assert prior.second_moment_gy2 is not None
    bed = prior.dose_gy + prior.second_moment_gy2 / alpha_beta_gy
    return float(lq.eqd2(bed, alpha_beta_gy))
