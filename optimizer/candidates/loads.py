"""What courses add to organ limits, as parts of the caps; exact for one lesion alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import (
    BedLimit,
    DoseByFractionsLimit,
    MeanLimit,
    NtcpLimit,
    OrganLimit,
)
from abscopt.models import lq, lymphocytes, repair, toxicity
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.limits import AlcLimit, AnyOrganLimit
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.courses import Menu


Beam = tuple["Lesion", "Technique", int]
"""A lesion, its technique and its fractions per treatment day."""


def organ_limits(instance: Instance) -> tuple[AnyOrganLimit, ...]:
    """The limits on organ doses, in the order of the case."""
    return tuple(limit for limit in instance.limits if isinstance(limit, OrganLimit))


def unrepaired_in(instance: Instance, limit: AnyOrganLimit) -> float:
    """Share of the damage of one fraction that the next one of the day finds unrepaired."""
    half = instance.organs[limit.organ].repair_half_time_hours
    return float(repair.unrepaired(instance.calendar.hours_between_fractions, half))


def day_load(
    instance: Instance,
    beam: Beam,
    limit: AnyOrganLimit,
    dose_gy: FloatArray,
    day: int,
    sensitized: bool = False,
) -> FloatArray:
    """Load of one treatment day of one lesion alone, as a part of the limit's cap.

    Per day of m fractions D: `bed` m (R D + D^2/r) + 2/r D^2 sum_{i<j} phi^(j-i); `mean` m D;
    `mean_eqd2` the same as `bed` with mean(delta) and mean(delta^2), over 1 + 2/r;
    `dose_by_fractions` the Miner fraction of R m D; `ntcp` its dose. R is the organ's SER on a
    sensitized day, else 1.
    """
    lesion, technique, number = beam
    cap = limit.reference_cap
    mean = lesion.sparing_factor(limit.organ, limit.evaluation_point, day, technique) * dose_gy
    if isinstance(limit, MeanLimit) or (isinstance(limit, NtcpLimit) and not limit.counts_voxels):
        return number * mean / cap
    organ = instance.organs[limit.organ]
    ser = organ.sensitizer_enhancement_ratio if sensitized else 1.0
    if isinstance(limit, DoseByFractionsLimit):
        return toxicity.miner_fraction(ser * number * mean, limit.fractions, limit.limits_gy)
    assert limit.alpha_beta_gy is not None
    square = mean**2
    if limit.counts_voxels:
        moment = lesion.sparing_factor(limit.organ, "second_moment", day, technique)
        square = moment * dose_gy**2
    pairs = float(repair.paired_slots(number, number, unrepaired_in(instance, limit)))
    bed = number * ser * mean + pairs * square / limit.alpha_beta_gy
    return (lq.eqd2(bed, limit.alpha_beta_gy) if limit.counts_voxels else bed) / cap


def cross_factor(
    instance: Instance, limit: AnyOrganLimit, first: Beam, second: Beam, day: int
) -> float:
    """F in the extra load F d d' (part of the cap) of two lesions on one day; 0 if none."""
    if not (isinstance(limit, BedLimit) or limit.counts_voxels):
        return 0.0
    ratio = float(getattr(limit, "alpha_beta_gy", math.nan))
    pairs = float(repair.paired_slots(first[2], second[2], unrepaired_in(instance, limit)))
    if isinstance(limit, BedLimit):
        one = first[0].sparing_factor(limit.organ, limit.point, day, first[1])
        two = second[0].sparing_factor(limit.organ, limit.point, day, second[1])
        return 2.0 * pairs * one * two / ratio / limit.cap_gy
    moment = instance.cross_moment(limit.organ, first[:2], second[:2], day)
    return float(lq.eqd2(2.0 * pairs * moment / ratio, ratio)) / limit.reference_cap


def by_technique(lesion: Lesion, menu: Menu, value: Callable[[Technique], float]) -> FloatArray:
    """(courses,) a constant of each course's technique."""
    return np.array([value(technique) for technique in lesion.ways])[menu.technique]


def menu_loads(instance: Instance, menu: Menu, sensitized: NDArray[np.bool_]) -> FloatArray:
    """(courses, organ limits) load of each course alone under a plan, as a part of the cap.

    Parameters
    ----------
    sensitized : (days,) whether a drug of the plan sensitizes
    """
    lesion = instance.lesions[menu.lesion]
    limits = organ_limits(instance)
    loads = np.zeros((len(menu), len(limits)))
    days = menu.patterns.incidence.sum(axis=1)[menu.pattern]
    sensitive = (menu.patterns.incidence @ sensitized.astype(float))[menu.pattern]
    for way, technique in enumerate(lesion.ways):
        for number in np.unique(menu.per_day).tolist():
            own = np.flatnonzero((menu.technique == way) & (menu.per_day == number))
            for column, limit in enumerate(limits if len(own) else ()):
                tick()
                beam, dose = (lesion, technique, number), menu.dose[own]
                with np.errstate(invalid="ignore"):
                    total = days[own] * day_load(instance, beam, limit, dose, 0)
                    if instance.organs[limit.organ].sensitizer_enhancement_ratio > 1:
                        raised = day_load(instance, beam, limit, dose, 0, True)
                        plain = day_load(instance, beam, limit, dose, 0)
                        rest = days[own] - sensitive[own]
                        total = np.where(sensitive[own] > 0, sensitive[own] * raised, 0.0)
                        total += np.where(rest > 0, rest * plain, 0.0)
                loads[own, column] = np.where(days[own] > 0, total, 0.0)
    return loads


def edric_alone(instance: Instance, menu: Menu) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(courses,) mean lung dose, mean heart dose and integral dose of each course."""
    tick()
    lesion, total = instance.lesions[menu.lesion], menu.fractions * menu.dose
    lung, heart, integral = (
        by_technique(lesion, menu, value)
        for value in (
            lambda way: lesion.sparing_factor("lungs", "mean", 0, way),
            lambda way: lesion.sparing_factor("heart", "mean", 0, way),
            lesion.integral_dose,
        )
    )
    return lung * total, heart * total, integral * total


def alc_allowance(instance: Instance, limit: AlcLimit) -> float:
    """Log loss of lymphocytes that just leaves the floor."""
    return math.log(instance.lymphocytes.initial_1e9_per_l / limit.floor_1e9_per_l)


def alc_unit(instance: Instance, menu: Menu) -> FloatArray:
    """(patterns, days) log loss of lymphocytes on each day at a loss of 1 per fraction."""
    days = np.arange(instance.days)
    half = instance.lymphocytes.recovery_half_time_days
    remaining = lymphocytes.recovery(days[:, None] - days[None, :], half)
    remaining = np.where(days[:, None] >= days[None, :], remaining, 0.0)
    unit: FloatArray = menu.patterns.number @ remaining.T
    return unit
