"""Coefficients of courses: organ loads (for all plans) and effects (plan by plan)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import (
    BedLimit,
    DoseByFractionsLimit,
    MeanEqd2Limit,
    MeanLimit,
)
from abscopt.models import immune, lq, lymphocytes, repopulation, toxicity

if TYPE_CHECKING:
    from abscopt.instances.limits import OrganLimit
    from abscopt.instances.schema import Instance, Lesion
    from abscopt.optimizer.candidates.courses import Menu, Patterns
    from abscopt.optimizer.candidates.plans import PlanEffects
    from abscopt.optimizer.candidates.propagators import Propagators

FloatArray = NDArray[np.float64]


def organ_limits(instance: Instance) -> tuple[OrganLimit, ...]:
    """The limits on organ doses, in the order of the case."""
    return tuple(
        limit
        for limit in instance.limits
        if isinstance(limit, BedLimit | MeanLimit | MeanEqd2Limit | DoseByFractionsLimit)
    )


def fraction_load(lesion: Lesion, limit: OrganLimit, dose_gy: FloatArray, day: int) -> FloatArray:
    """Load of one fraction alone, as a part of the limit's cap.

    `bed`: D(1 + D/r)/B; `mean`: D/B; `mean_eqd2`: (delta d + q d^2/r)/(1 + 2/r)/B;
    `dose_by_fractions`: the Miner fraction f(D).
    """
    if isinstance(limit, MeanLimit):
        return lesion.sparing_factor(limit.organ, "mean", day) * dose_gy / limit.cap_gy
    if isinstance(limit, MeanEqd2Limit):
        mean = lesion.sparing_factor(limit.organ, "mean", day)
        square = lesion.sparing_factor(limit.organ, "second_moment", day)
        bed = mean * dose_gy + square * dose_gy**2 / limit.alpha_beta_gy
        return lq.eqd2(bed, limit.alpha_beta_gy) / limit.cap_gy
    point_dose = lesion.sparing_factor(limit.organ, limit.point, day) * dose_gy
    if isinstance(limit, BedLimit):
        return lq.bed(point_dose, limit.alpha_beta_gy) / limit.cap_gy
    return toxicity.miner_fraction(point_dose, limit.fractions, limit.limits_gy)


def cross_factor(
    instance: Instance, limit: OrganLimit, first: Lesion, second: Lesion, day: int
) -> float:
    """F in the extra load F d d' (part of the cap) of two fractions on one day; 0 if none."""
    if isinstance(limit, BedLimit):
        one = first.sparing_factor(limit.organ, limit.point, day)
        two = second.sparing_factor(limit.organ, limit.point, day)
        return 2.0 * one * two / limit.alpha_beta_gy / limit.cap_gy
    if isinstance(limit, MeanEqd2Limit):
        moment = instance.cross_moment(limit, first, second, day)
        return float(lq.eqd2(2.0 * moment / limit.alpha_beta_gy, limit.alpha_beta_gy)) / (
            limit.cap_gy
        )
    return 0.0


def menu_loads(instance: Instance, menu: Menu) -> FloatArray:
    """(courses, organ limits) load of each course alone, as a part of the cap."""
    lesion = instance.lesions[menu.lesion]
    limits = organ_limits(instance)
    loads = np.zeros((len(menu), len(limits)))
    for column, limit in enumerate(limits):
        with np.errstate(invalid="ignore"):
            single = fraction_load(lesion, limit, menu.dose, 0)
            loads[:, column] = np.where(menu.fractions > 0, menu.fractions * single, 0.0)
    return loads


def alc_loss_by_day(instance: Instance, lesion: Lesion, patterns: Patterns) -> FloatArray:
    """(patterns, days) log loss of lymphocytes on each day from one lesion's fractions."""
    days = np.arange(instance.days)
    half = instance.lymphocytes.recovery_half_time_days
    remaining = lymphocytes.recovery(days[:, None] - days[None, :], half)
    remaining = np.where(days[:, None] >= days[None, :], remaining, 0.0)
    return lesion.lymphocyte_loss_per_fraction * (patterns.incidence @ remaining.T)


@dataclass(frozen=True)
class CourseEffects:
    """Effects of every course of one menu under one plan.

    Attributes
    ----------
    local : (courses, horizons) log burden without systemic effect
    effect : (courses, horizons) own effector log kill, before any lymphocyte factor
    loss : (courses,) a_s, log loss of everybody else's effectors
    tumor_bed : (courses,) Gy, less repopulation
    """

    local: FloatArray
    effect: FloatArray
    loss: FloatArray
    tumor_bed: FloatArray


def course_effects(
    instance: Instance, menu: Menu, effects: PlanEffects, prop: Propagators, plan: int
) -> CourseEffects:
    """Local log burden, effector kill, lymphocyte loss and tumor BED of each course."""
    lesion, c = instance.lesions[menu.lesion], instance.immune
    days = menu.patterns.days[menu.pattern]
    given = days >= 0
    dose = menu.dose[:, None]
    ser = effects.sensitizer[plan][days]
    kill = np.where(
        given,
        lq.log_kill(
            dose, lesion.alpha_per_gy, lesion.alpha_beta_gy, lesion.lql_transition_gy, ser=ser
        ),
        0.0,
    )
    survival = np.exp(-np.cumsum(kill, axis=1))
    before = np.concatenate([np.ones((len(menu), 1)), survival[:, :-1]], axis=1)
    opening = immune.gate(
        menu.dose, c.gate_low_gy, c.gate_low_exponent, c.gate_high_gy, c.gate_high_exponent
    )
    release = immune.release(
        opening[:, None],
        before,
        survival,
        lesion.immunogenicity,
        lesion.volume_cm3 or 0.0,  # a lesion without one is never irradiated
        c.volume_exponent,
        c.preblockade_sign,
        effects.occupancy[plan][days],
    )
    unit = prop.release[plan][menu.pattern]
    effect = prop.resting[plan][menu.pattern] + np.einsum("cn,cnh->ch", release * given, unit)
    bed = lq.bed(dose, lesion.alpha_beta_gy, lesion.lql_transition_gy, ser=ser)
    weights = menu.patterns.incidence @ effects.effect_weights[plan]
    return CourseEffects(
        local=_local(instance, menu, kill, days),
        effect=effect,
        loss=lesion.effect_loss_per_fraction * weights[menu.pattern],
        tumor_bed=np.where(given, bed, 0.0).sum(axis=1) - _bed_loss(lesion, menu),
    )


def _accelerated(lesion: Lesion, menu: Menu, until: int | None) -> FloatArray:
    patterns = menu.patterns
    if lesion.repopulation_doubling_time_days is None:
        return np.zeros(len(menu))
    days = repopulation.accelerated_days(patterns.first, patterns.last, lesion.kick_off_days, until)
    return np.where(patterns.count > 0, days, 0.0)[menu.pattern]


def _local(instance: Instance, menu: Menu, kill: FloatArray, days: NDArray[np.int64]) -> FloatArray:
    lesion = instance.lesions[menu.lesion]
    columns = []
    for horizon in instance.horizon_days:
        grown = repopulation.log_growth(
            horizon,
            lesion.growth_doubling_time_days,
            lesion.repopulation_doubling_time_days,
            _accelerated(lesion, menu, horizon),
        )
        killed = np.where(days < horizon, kill, 0.0).sum(axis=1)
        columns.append(math.log(lesion.clonogen_number) + grown - killed)
    return np.stack(columns, axis=1)


def _bed_loss(lesion: Lesion, menu: Menu) -> FloatArray:
    if lesion.repopulation_doubling_time_days is None:
        return np.zeros(len(menu))
    per_day = repopulation.bed_loss_per_day(
        lesion.alpha_per_gy, lesion.repopulation_doubling_time_days
    )
    return per_day * _accelerated(lesion, menu, None)
