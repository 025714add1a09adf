"""Effects of courses under one plan: log burden, effector kill, lymphocyte loss, tumor BED."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from abscopt.models import immune, lq, repair, repopulation
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.kinds import kinds_of
from abscopt.optimizer.candidates.loads import by_technique
from abscopt.optimizer.candidates.plans import direct_doses
from abscopt.optimizer.mip import finite_fields
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Clone, Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.courses import Menu, Patterns
    from abscopt.optimizer.candidates.kinds import Block, Kinds
    from abscopt.optimizer.candidates.plans import Plan, PlanEffects
    from abscopt.optimizer.candidates.propagators import Propagators


SAME_VOLUME = 1.0 + 1e-9


@dataclass(frozen=True)
class CourseEffects:
    """Effects of every course of one menu under one plan.

    Attributes
    ----------
    kind : (courses,) kind of each course
    local : (kinds, horizons, nodes x clones) log burden of each clone without systemic effect
    effect : (courses, horizons) own effector log kill, before any lymphocyte factor
    loss : (courses,) a_s, log loss of everybody else's effectors
    tumor_bed : (kinds,) Gy, less repopulation
    share : (kinds, nodes x clones) share of the systemic effect, 0 without credit
    """

    kind: IntArray
    local: FloatArray
    effect: FloatArray
    loss: FloatArray
    tumor_bed: FloatArray
    share: FloatArray


@dataclass(frozen=True)
class _Fractions:
    """Fractions of every kind of course; arrays (kinds, most fractions).

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
    kinds : kinds of courses; all arrays have a row for each of them
    survival : (kinds, fractions + 1) of the whole lesion
    antigen : (kinds, fractions) that each fraction meets, in shares of the lesion
    local : (kinds, horizons, nodes x clones) log burden without systemic effect, the clones of
        each of the lesion's radiosensitivities side by side
    bed : (kinds,) Gy, sensitizers and equivalent BED included, without loss to repopulation
    tumor_bed : (kinds,) the same less repopulation
    unsuppressed, release : (kinds, fractions) release of antigen by each fraction, no drug acting
        on it; before and after suppression by radiation itself
    """

    kinds: Kinds
    fractions: _Fractions
    survival: FloatArray
    antigen: FloatArray
    local: FloatArray
    bed: FloatArray
    tumor_bed: FloatArray
    unsuppressed: FloatArray
    release: FloatArray

    @cached_property
    def release_by_block(self) -> FloatArray:
        """(kinds, fractions) release of the kinds in the order of blocks."""
        return self.release[self.kinds.by_block]


def shared_effects(instance: Instance, whole: Menu, sensitizer: FloatArray, plan: Plan) -> Shared:
    """Kill, growth and antigen of every course under the chemotherapy of one plan."""
    lesion = instance.lesions[whole.lesion]
    tick()
    kinds = kinds_of(instance, whole, sensitizer, plan)
    menu = kinds.menu
    tick()
    fractions = _fractions(instance, lesion, menu, sensitizer)
    tick()
    kills = [_kill(lesion, clone, fractions) for clone in lesion.populations]
    tick()
    survival = _survival(lesion, menu, kills)
    tick()
    extra = _equivalent_bed(instance, menu, plan)
    bed = (
        np.where(
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
        + extra[:, -1]
    )
    local = [
        _local(instance, lesion, menu, clone, kill, factor, fractions, extra, plan)
        for factor in lesion.sensitivities[0]
        for clone, kill in zip(lesion.populations, kills, strict=True)
    ]
    tick()
    antigen = _antigen(instance, lesion, fractions, survival)
    release = _release(instance, lesion, menu, fractions, antigen)
    found = Shared(
        kinds=kinds,
        fractions=fractions,
        survival=survival,
        antigen=antigen,
        unsuppressed=release,
        release=release * _suppression(instance, menu.dose[:, None], fractions.since, 1.0),
        local=np.stack(local, axis=2),
        bed=bed,
        tumor_bed=bed - _bed_loss(lesion, menu),
    )
    return finite_fields(f"courses of {lesion.name}", found)


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
    effect = np.zeros((len(menu), len(instance.horizon_days)))
    by_way = [patterns_under(instance, menu.patterns, effects, prop, plan) for prop in props]
    for block in shared.kinds.blocks:
        tick()
        own = block_effects(instance, shared, block, effects, by_way[block.way], plan)
        if block.missing is None:
            effect[block.course] = own
        else:
            effect[block.course[~block.missing]] = own[~block.missing]
    weights = menu.patterns.number @ effects.effect_weights[plan]
    found = CourseEffects(
        kind=shared.kinds.of,
        local=shared.local,
        effect=effect,
        loss=by_technique(lesion, menu, lesion.effect_loss) * weights[menu.pattern],
        tumor_bed=shared.tumor_bed,
        share=shares_of(instance, lesion, shared, float(effects.greatest_occupancy[plan])),
    )
    return finite_fields(f"effects of the courses of {lesion.name}", found)


def patterns_under(
    instance: Instance, patterns: Patterns, effects: PlanEffects, prop: Propagators, plan: int
) -> tuple[FloatArray, FloatArray]:
    """(patterns, fractions, horizons) effect per unit of release, (patterns, horizons) without."""
    unit = units(instance, patterns.days, effects, prop, plan)
    return unit, prop.resting_of(np.array([plan]))[0]


def block_effects(
    instance: Instance,
    shared: Shared,
    block: Block,
    effects: PlanEffects,
    under: tuple[FloatArray, FloatArray],
    plan: int,
) -> FloatArray:
    """(kinds, patterns, horizons) own effector log kill of a block's courses under one plan.

    Parameters
    ----------
    under : what all patterns of the block's technique do under the plan (`patterns_under`)
    """
    unit, resting = under[0][block.patterns, : block.count], under[1][block.patterns]
    release = shared.release[block.kinds, : block.count]
    if not relieves(instance, effects, plan):
        return released(release, unit, resting)
    menu, given = shared.kinds.menu, slice(None, block.count)
    left = _suppression(
        instance,
        menu.dose[block.kinds][:, None, None],
        shared.fractions.since[block.kinds, None, given],
        effects.relief[plan][menu.patterns.days[block.patterns, given]],
    )
    whole = shared.unsuppressed[block.kinds, None, given]
    dense: FloatArray = np.einsum("kpn,pnh->kph", whole * left, unit)
    return np.asarray(dense + resting)


def released(release: FloatArray, unit: FloatArray, resting: FloatArray) -> FloatArray:
    """(kinds, patterns, horizons) effect of release (kinds, n) through propagators.

    Parameters
    ----------
    unit : (patterns, n, horizons) effect per unit of release
    resting : (patterns, horizons) effect without release
    """
    flat = unit.transpose(1, 0, 2).reshape(release.shape[1], resting.size)
    return np.asarray((release @ flat).reshape(len(release), *resting.shape) + resting)


def effects_under(
    instance: Instance,
    shared: Shared,
    kinds: IntArray,
    patterns: Patterns,
    own: IntArray,
    count: int,
    effects: PlanEffects,
    prop: Propagators,
    plans: IntArray,
) -> FloatArray:
    """(plans, kinds, own, horizons) own effector log kill of kinds and patterns of one block.

    Parameters
    ----------
    own : those of the patterns that count
    count : number of fractions of the block's courses
    plans : of one group
    """
    days = patterns.days[own, :count]
    unit = prop.release_under(plans, own)[:, :, :count]
    if instance.immune.preblockade_sign != 0:
        blocked = 1.0 + instance.immune.preblockade_sign * effects.occupancy[plans][:, days]
        unit = unit * blocked[..., None]
    resting = prop.take(own).resting_of(plans)[:, None]
    if not relieves(instance, effects, plans):
        product = np.tensordot(shared.release[kinds, :count], unit, (1, 2))
        return np.asarray(product.swapaxes(0, 1) + resting)
    left = _suppression(
        instance,
        shared.kinds.menu.dose[kinds][:, None, None],
        shared.fractions.since[kinds, None, :count],
        effects.relief[plans][:, None, days],
    )
    whole = shared.unsuppressed[kinds, None, :count]
    dense: FloatArray = np.einsum("qkpn,qpnh->qkph", whole * left, unit)
    return np.asarray(dense + resting)


def units(
    instance: Instance, days: IntArray, effects: PlanEffects, prop: Propagators, plan: int
) -> FloatArray:
    """(patterns, fractions, horizons) effect per unit of release under one plan.

    Parameters
    ----------
    days : (patterns, fractions) of the propagators' patterns; all fractions or the first ones
    """
    sign = instance.immune.preblockade_sign
    unit = prop.release_of(plan)[:, : days.shape[1]]
    if sign == 0:
        return unit
    blocked = 1.0 + sign * effects.occupancy[plan][days]
    return np.asarray(unit * blocked[:, :, None])


def relieves(instance: Instance, effects: PlanEffects, plans: int | IntArray) -> bool:
    """Whether a drug of some plan relieves the suppression of release."""
    c = instance.immune
    suppressed = c.suppression_per_gy > 0 or c.suppression_per_day > 0
    return suppressed and bool((effects.relief[plans] != 1.0).any())


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
    """(kinds, fractions) log kill of one clone in the beam."""
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
    """(kinds, fractions + 1) radiation survival of the whole lesion, 1 at first."""
    total = np.zeros((len(menu), kills[0].shape[1] + 1))
    for clone, kill in zip(lesion.populations, kills, strict=True):
        irradiated = _irradiated(lesion, menu, clone)
        inside = np.exp(-np.cumsum(kill, axis=1))
        after = lq.partial_survival(inside, irradiated[:, None])
        total += clone.share * np.concatenate([np.ones((len(menu), 1)), after], axis=1)
    return total


def _irradiated(lesion: Lesion, menu: Menu, clone: Clone) -> FloatArray:
    """(kinds,) share of a clone in the beam."""
    return by_technique(lesion, menu, lambda way: way.share_of(clone.name))


def _antigen(
    instance: Instance, lesion: Lesion, fractions: _Fractions, survival: FloatArray
) -> FloatArray:
    """(kinds, fractions) antigen that each fraction meets, in shares of the lesion."""
    c = instance.immune
    return immune.antigen(
        survival[:, :-1] - survival[:, 1:],
        fractions.since,
        regrowth_per_day=lesion.regrowth_per_day(c),
        repeat=c.repeat_release,
        clearance_per_day=c.clearance_per_day,
    )


def _release(
    instance: Instance, lesion: Lesion, menu: Menu, fractions: _Fractions, antigen: FloatArray
) -> FloatArray:
    """(kinds, fractions) immunogenic release, as far as the draining node primes it."""
    c = instance.immune
    opening = immune.gate(
        menu.dose, c.gate_low_gy, c.gate_low_exponent, c.gate_high_gy, c.gate_high_exponent
    )
    released = immune.release(
        opening[:, None],
        antigen,
        lesion.immunogenicity * c.release_factor,
        lesion.volume_cm3 or 0.0,  # a lesion without one is never irradiated
        c.volume_exponent,
        0.0,
        0.0,
    )
    node = by_technique(lesion, menu, lambda way: way.node_factor)
    return np.where(fractions.given, released, 0.0) * node[:, None]


def _suppression(
    instance: Instance, dose_gy: FloatArray, since: IntArray, relief: ArrayLike
) -> FloatArray:
    """What suppression by radiation leaves of the release of fractions."""
    c = instance.immune
    return immune.suppression(
        dose_gy,
        since,
        relief,
        c.suppression_above_gy,
        c.suppression_per_gy,
        c.suppression_after_days,
        c.suppression_per_day,
    )


def shares_of(instance: Instance, lesion: Lesion, shared: Shared, occupancy: float) -> FloatArray:
    """(kinds, nodes x clones) share of the systemic effect that each clone feels.

    Parameters
    ----------
    occupancy : greatest occupancy of PD-(L)1 under the plan
    """
    c, survival = instance.immune, shared.survival
    of_clones = [clone.effector_share_factor for clone in lesion.populations]
    factors = np.tile(of_clones, len(lesion.sensitivities[1]))
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
    """(kinds, horizons + 1) BED of concurrent chemotherapy up to each horizon, then in all."""
    cuts = [*instance.horizon_days, instance.days]
    total = np.zeros((len(menu.patterns.count), len(cuts)))
    for name, day, relative in direct_doses(instance, plan):
        drug = instance.drugs[name]
        if drug.equivalent_bed_gy_per_dose == 0:
            continue
        window = menu.patterns.incidence[:, day : day + drug.sensitizing_days]
        bed = relative * drug.equivalent_bed_gy_per_dose
        concurrent = np.where(window.any(axis=1), bed, 0.0)
        total += np.outer(concurrent, day < np.array(cuts))
    gathered: FloatArray = total[menu.pattern]
    return gathered


def _local(
    instance: Instance,
    lesion: Lesion,
    menu: Menu,
    clone: Clone,
    kill: FloatArray,
    factor: float,
    fractions: _Fractions,
    extra: FloatArray,
    plan: Plan,
) -> FloatArray:
    """(kinds, horizons) log burden of one clone without systemic effect, alpha times a factor."""
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
        killed = factor * killed
        partial = np.where(irradiated < 1, irradiated, 0.0)
        outside = -np.log1p(partial * np.expm1(-killed))
        poisoned = clone.drug_kill_factor * sum(
            relative * instance.drugs[name].cytotoxic_log_kill_per_dose
            for name, day, relative in direct_doses(instance, plan)
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
