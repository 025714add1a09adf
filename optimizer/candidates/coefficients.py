"""Effects of courses under one plan: log burden, effector kill, lymphocyte loss, tumor BED."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from abscopt.models import immune, lq, repair, repopulation
from abscopt.optimizer.candidates.loads import by_technique
from abscopt.optimizer.candidates.plans import direct_doses

if TYPE_CHECKING:
    from abscopt.instances.lesions import Clone, Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.courses import Menu
    from abscopt.optimizer.candidates.plans import Plan, PlanEffects
    from abscopt.optimizer.candidates.propagators import Propagators

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_VOLUME = 1.0 + 1e-9


@dataclass(frozen=True)
class CourseEffects:
    """Effects of every course of one menu under one plan.

    Attributes
    ----------
    local : (courses, horizons, clones) log burden of each clone without systemic effect
    effect : (courses, horizons) own effector log kill, before any lymphocyte factor
    loss : (courses,) a_s, log loss of everybody else's effectors
    tumor_bed : (courses,) Gy, less repopulation
    share : (courses, clones) share of the systemic effect, 0 without credit
    """

    local: FloatArray
    effect: FloatArray
    loss: FloatArray
    tumor_bed: FloatArray
    share: FloatArray


@dataclass(frozen=True)
class _Fractions:
    """Fractions of every course of a menu; arrays (courses, most fractions).

    `dose` counts as d / OMF, `repair` multiplies its quadratic term.
    """

    given: NDArray[np.bool_]
    days: IntArray
    since: IntArray
    dose: FloatArray
    ser: FloatArray
    repair: FloatArray


@dataclass(frozen=True)
class Shared:
    """What all plans of one group (same sensitization, same chemotherapy) have in common.

    Attributes
    ----------
    survival : (courses, fractions + 1) of the whole lesion
    antigen : (courses, fractions) that each fraction meets, in shares of the lesion
    """

    fractions: _Fractions
    survival: FloatArray
    antigen: FloatArray
    local: FloatArray
    tumor_bed: FloatArray


def shared_effects(instance: Instance, menu: Menu, sensitizer: FloatArray, plan: Plan) -> Shared:
    """Kill, growth and antigen of every course under the chemotherapy of one plan."""
    lesion = instance.lesions[menu.lesion]
    fractions = _fractions(instance, lesion, menu, sensitizer)
    kills = [_kill(lesion, clone, fractions) for clone in lesion.populations]
    survival = _survival(lesion, menu, kills)
    extra = _equivalent_bed(instance, menu, plan)
    bed = np.where(
        fractions.given,
        lq.bed(
            fractions.dose,
            lesion.alpha_beta_gy,
            lesion.lql_transition_gy,
            ser=fractions.ser,
            repair_factor=fractions.repair,
        ),
        0.0,
    ).sum(axis=1)
    local = [
        _local(instance, lesion, menu, clone, kill, fractions, extra, plan)
        for clone, kill in zip(lesion.populations, kills, strict=True)
    ]
    return Shared(
        fractions=fractions,
        survival=survival,
        antigen=_antigen(instance, lesion, fractions, survival),
        local=np.stack(local, axis=2),
        tumor_bed=bed + extra[:, -1] - _bed_loss(lesion, menu),
    )


def course_effects(
    instance: Instance,
    menu: Menu,
    effects: PlanEffects,
    props: tuple[Propagators, ...],
    shared: Shared,
    plan: int,
) -> CourseEffects:
    """Local log burden, effector kill, lymphocyte loss and tumor BED of each course."""
    lesion = instance.lesions[menu.lesion]
    release = _release(instance, lesion, menu, shared, effects, plan)
    effect = np.zeros((len(menu), len(instance.horizon_days)))
    for way, prop in enumerate(props):
        own = menu.technique == way
        unit = prop.release[plan][menu.pattern[own]]
        effect[own] = prop.resting[plan][menu.pattern[own]] + np.einsum(
            "cn,cnh->ch", release[own], unit
        )
    weights = menu.patterns.number @ effects.effect_weights[plan]
    return CourseEffects(
        local=shared.local,
        effect=effect,
        loss=by_technique(lesion, menu, lesion.effect_loss) * weights[menu.pattern],
        tumor_bed=shared.tumor_bed,
        share=_shares(instance, lesion, shared.survival, float(effects.greatest_occupancy[plan])),
    )


def _fractions(
    instance: Instance, lesion: Lesion, menu: Menu, sensitizer: FloatArray
) -> _Fractions:
    days = menu.patterns.days[menu.pattern]
    given = days >= 0
    since = np.where(given, days - days[:, :1], 0)
    oxygen = lq.oxygen_modification(
        since, lesion.oxygen_modification_factor, lesion.reoxygenation_days
    )
    phi = float(
        repair.unrepaired(instance.calendar.hours_between_fractions, lesion.repair_half_time_hours)
    )
    most = int(menu.patterns.per_day.max())
    factor = repair.slot_factors(most, phi)[menu.patterns.slot[menu.pattern]]
    return _Fractions(given, days, since, menu.dose[:, None] / oxygen, sensitizer[days], factor)


def _kill(lesion: Lesion, clone: Clone, fractions: _Fractions) -> FloatArray:
    """(courses, fractions) log kill of one clone in the beam."""
    alpha, ratio = lesion.clone_constants(clone)
    kill = lq.log_kill(
        fractions.dose,
        alpha,
        ratio,
        lesion.lql_transition_gy,
        ser=fractions.ser,
        repair_factor=fractions.repair,
    )
    return np.where(fractions.given, kill, 0.0)


def _survival(lesion: Lesion, menu: Menu, kills: list[FloatArray]) -> FloatArray:
    """(courses, fractions + 1) radiation survival of the whole lesion, 1 at first."""
    total = np.zeros((len(menu), kills[0].shape[1] + 1))
    for clone, kill in zip(lesion.populations, kills, strict=True):
        irradiated = _irradiated(lesion, menu, clone)
        inside = np.exp(-np.cumsum(kill, axis=1))
        after = lq.partial_survival(inside, irradiated[:, None])
        total += clone.share * np.concatenate([np.ones((len(menu), 1)), after], axis=1)
    return total


def _irradiated(lesion: Lesion, menu: Menu, clone: Clone) -> FloatArray:
    """(courses,) share of a clone in the beam."""
    return by_technique(lesion, menu, lambda way: way.share_of(clone.name))


def _antigen(
    instance: Instance, lesion: Lesion, fractions: _Fractions, survival: FloatArray
) -> FloatArray:
    """(courses, fractions) antigen that each fraction meets, in shares of the lesion."""
    c = instance.immune
    return immune.antigen(
        survival[:, :-1] - survival[:, 1:],
        fractions.since,
        regrowth_per_day=lesion.regrowth_per_day(c),
        repeat=c.repeat_release,
        clearance_per_day=c.clearance_per_day,
    )


def _release(
    instance: Instance,
    lesion: Lesion,
    menu: Menu,
    shared: Shared,
    effects: PlanEffects,
    plan: int,
) -> FloatArray:
    """(courses, fractions) immunogenic release, as far as the draining node primes it."""
    c, fractions = instance.immune, shared.fractions
    opening = immune.gate(
        menu.dose, c.gate_low_gy, c.gate_low_exponent, c.gate_high_gy, c.gate_high_exponent
    )
    suppressed: ArrayLike = 1.0
    if c.suppression_per_gy > 0 or c.suppression_per_day > 0:
        suppressed = immune.suppression(
            menu.dose[:, None],
            fractions.since,
            effects.relief[plan][fractions.days],
            c.suppression_above_gy,
            c.suppression_per_gy,
            c.suppression_after_days,
            c.suppression_per_day,
        )
    occupancy = effects.occupancy[plan][fractions.days] if c.preblockade_sign != 0 else 0.0
    released = immune.release(
        opening[:, None],
        shared.antigen,
        lesion.immunogenicity * c.release_factor,
        lesion.volume_cm3 or 0.0,  # a lesion without one is never irradiated
        c.volume_exponent,
        c.preblockade_sign,
        occupancy,
        suppression=suppressed,
    )
    node = by_technique(lesion, menu, lambda way: way.node_factor)
    return np.where(fractions.given, released, 0.0) * node[:, None]


def _shares(
    instance: Instance, lesion: Lesion, survival: FloatArray, occupancy: float
) -> FloatArray:
    """(courses, clones) share of the systemic effect that each clone feels."""
    c = instance.immune
    factors = np.array([clone.effector_share_factor for clone in lesion.populations])
    shares = np.broadcast_to(
        lesion.effector_share * c.share_factor * factors, (len(survival), len(factors))
    )
    if c.burden_limit_cm3 is None or not lesion.irradiable:
        return shares
    assert lesion.volume_cm3 is not None
    largest = c.burden_limit_cm3 * (1.0 + c.burden_blockade * occupancy) ** 1.5
    credited = lesion.volume_cm3 * survival[:, -1] <= largest * SAME_VOLUME
    granted: FloatArray = shares * credited[:, None]
    return granted


def _equivalent_bed(instance: Instance, menu: Menu, plan: Plan) -> FloatArray:
    """(courses, horizons + 1) BED of concurrent chemotherapy up to each horizon, then in all."""
    cuts = [*instance.horizon_days, instance.days]
    total = np.zeros((len(menu.patterns.count), len(cuts)))
    for name, day in direct_doses(instance, plan):
        drug = instance.drugs[name]
        if drug.equivalent_bed_gy_per_dose == 0:
            continue
        window = menu.patterns.incidence[:, day : day + drug.sensitizing_days]
        concurrent = np.where(window.any(axis=1), drug.equivalent_bed_gy_per_dose, 0.0)
        total += np.outer(concurrent, day < np.array(cuts))
    gathered: FloatArray = total[menu.pattern]
    return gathered


def _local(
    instance: Instance,
    lesion: Lesion,
    menu: Menu,
    clone: Clone,
    kill: FloatArray,
    fractions: _Fractions,
    extra: FloatArray,
    plan: Plan,
) -> FloatArray:
    """(courses, horizons) log burden of one clone without systemic effect."""
    alpha, _ = lesion.clone_constants(clone)
    irradiated = _irradiated(lesion, menu, clone)
    number = math.log(lesion.clonogen_number * clone.share)
    columns = []
    for h, horizon in enumerate(instance.horizon_days):
        grown = repopulation.log_growth(
            horizon,
            lesion.growth_doubling_time_days,
            lesion.repopulation_doubling_time_days,
            _accelerated(lesion, menu, horizon),
        )
        killed = np.where(fractions.days < horizon, kill, 0.0).sum(axis=1) + alpha * extra[:, h]
        partial = np.where(irradiated < 1, irradiated, 0.0)
        outside = -np.log1p(partial * np.expm1(-killed))
        poisoned = clone.drug_kill_factor * sum(
            instance.drugs[name].cytotoxic_log_kill_per_dose
            for name, day in direct_doses(instance, plan)
            if day < horizon
        )
        columns.append(number + grown - np.where(irradiated < 1, outside, killed) - poisoned)
    return np.stack(columns, axis=1)


def _accelerated(lesion: Lesion, menu: Menu, until: int | None) -> FloatArray:
    patterns = menu.patterns
    if lesion.repopulation_doubling_time_days is None:
        return np.zeros(len(menu))
    days = repopulation.accelerated_days(patterns.first, patterns.last, lesion.kick_off_days, until)
    return np.where(patterns.count > 0, days, 0.0)[menu.pattern]


def _bed_loss(lesion: Lesion, menu: Menu) -> FloatArray:
    if lesion.repopulation_doubling_time_days is None:
        return np.zeros(len(menu))
    per_day = repopulation.bed_loss_per_day(
        lesion.alpha_per_gy, lesion.repopulation_doubling_time_days
    )
    return per_day * _accelerated(lesion, menu, None)
