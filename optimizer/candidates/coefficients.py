"""Effects of courses under one plan: log burden, effector kill, lymphocyte loss, tumor BED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import ctla4
from abscopt.optimizer.candidates.menus.loads import by_technique
from abscopt.optimizer.candidates.shared import suppression_by_radiation
from abscopt.optimizer.highs.mip import finite_fields
from abscopt.optimizer.ids import KindIds, PatternIds, PlanId, PlanIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Menu, Patterns
    from abscopt.optimizer.candidates.menus.kinds import Block
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.systemic.plans import PlanEffects
    from abscopt.optimizer.candidates.systemic.propagators import Propagators


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

    kind: KindIds
    local: FloatArray
    effect: FloatArray
    loss: FloatArray
    tumor_bed: FloatArray
    share: FloatArray


def course_effects(
    instance: Instance,
    menu: Menu,
    effects: PlanEffects,
    props: tuple[Propagators, ...],
    shared: Shared,
    plan: PlanId,
) -> CourseEffects:
    """Local log burden, effector kill, lymphocyte loss and tumor BED of each course."""
    lesion = instance.lesions[menu.lesion]
    effect = np.zeros((len(menu), len(instance.horizon_days)))
    by_way = [patterns_under(instance, menu.patterns, effects, prop, plan) for prop in props]
    for block in shared.kinds.blocks:
        tick()
        of_block = block_effects(instance, shared, block, effects, by_way[block.way], plan)
        if block.missing is None:
            effect[block.course] = of_block
        else:
            effect[block.course[~block.missing]] = of_block[~block.missing]
    result = CourseEffects(
        kind=shared.kinds.of,
        local=shared.local,
        effect=effect,
        loss=losses_of(instance, menu, effects, plan),
        tumor_bed=shared.tumor_bed,
        share=shares_of(instance, lesion, shared, float(effects.greatest_occupancy[plan])),
    )
    return finite_fields(f"effects of the courses of {lesion.name}", result)


def patterns_under(
    instance: Instance, patterns: Patterns, effects: PlanEffects, prop: Propagators, plan: PlanId
) -> tuple[FloatArray, FloatArray]:
    """(patterns, fractions, horizons) effect per unit of release, (patterns, horizons) without."""
    unit = units(instance, patterns.days, effects, prop, plan)
    return unit, prop.resting_of(PlanIds(np.array([plan])))[0]


def block_effects(
    instance: Instance,
    shared: Shared,
    block: Block,
    effects: PlanEffects,
    under: tuple[FloatArray, FloatArray],
    plan: PlanId,
) -> FloatArray:
    """(kinds, patterns, horizons) own effector log kill of a block's courses under one plan.

        v[k, p, h] = sum_n release[k, n] unit[p, n, h] + resting[p, h]

    where drugs relieve suppression by radiation, release depends on the day too: release[k, p, n].

    Parameters
    ----------
    under : what all patterns of the block's technique do under the plan (`patterns_under`)
    """
    unit, resting = under[0][block.patterns, : block.count], under[1][block.patterns]
    release = shared.release[block.kinds, : block.count]
    if not relieves(instance, effects, plan):
        return released(release, unit, resting)
    menu, numbers = shared.kinds.menu, slice(None, block.count)
    unsuppressed_share = suppression_by_radiation(
        instance,
        menu.doses[block.kinds, None, numbers],
        shared.fractions.since[block.kinds, None, numbers],
        effects.relief[plan][menu.patterns.days[block.patterns, numbers]],
    )
    unsuppressed_release = shared.unsuppressed[block.kinds, None, numbers]
    dense: FloatArray = np.einsum("kpn,pnh->kph", unsuppressed_release * unsuppressed_share, unit)
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
    kinds: KindIds,
    patterns: Patterns,
    counted: PatternIds,
    count: int,
    effects: PlanEffects,
    prop: Propagators,
    plans: PlanIds,
) -> FloatArray:
    """(plans, kinds, counted, horizons) own effector log kill of kinds and patterns of one block.

        v[q, k, p, h] = sum_n release[k, n] unit[q, p, n, h] + resting[q, p, h]

    Parameters
    ----------
    counted : those of the patterns that count
    count : number of fractions of the block's courses
    plans : of one group
    """
    days = patterns.days[counted, :count]
    unit = prop.release_under(plans, counted)[:, :, :count]
    bound = at_irradiation(instance, effects, plans)
    if bound is not None:
        unit = unit * bound[:, days, None]
    resting = prop.take(counted).resting_of(plans)[:, None]
    if not relieves(instance, effects, plans):
        product = np.tensordot(shared.release[kinds, :count], unit, (1, 2))
        return np.asarray(product.swapaxes(0, 1) + resting)
    unsuppressed_share = suppression_by_radiation(
        instance,
        shared.kinds.menu.doses[kinds, None, :count],
        shared.fractions.since[kinds, None, :count],
        effects.relief[plans][:, None, days],
    )
    unsuppressed_release = shared.unsuppressed[kinds, None, :count]
    dense: FloatArray = np.einsum(
        "qkpn,qpnh->qkph", unsuppressed_release * unsuppressed_share, unit
    )
    return np.asarray(dense + resting)


def units(
    instance: Instance, days: IntArray, effects: PlanEffects, prop: Propagators, plan: PlanId
) -> FloatArray:
    """(patterns, fractions, horizons) effect per unit of release under one plan.

    Parameters
    ----------
    days : (patterns, fractions) of the propagators' patterns; all fractions or the first ones
    """
    unit = prop.release_of(plan)[:, : days.shape[1]]
    bound = at_irradiation(instance, effects, plan)
    return unit if bound is None else np.asarray(unit * bound[days, None])


def at_irradiation(
    instance: Instance, effects: PlanEffects, plans: PlanId | PlanIds
) -> FloatArray | None:
    """(..., days) factor of release by what is bound on the day of a fraction; None if none is.

    (1 + theta occ) (1 + theta_4 bound)
    """
    c = instance.immune
    if c.preblockade_sign == 0 and c.ctla4_depletion == 0:
        return None
    blocked: FloatArray = 1.0 + c.preblockade_sign * effects.occupancy[plans]
    return blocked * ctla4.depletion(effects.ctla4_bound[plans], c.ctla4_depletion)


def losses_of(instance: Instance, menu: Menu, effects: PlanEffects, plan: PlanId) -> FloatArray:
    """(courses,) log loss of everybody else's effectors by each course, or by the liver.

    loss = sum_t sum_(fractions of day t) (loss of the technique) weight_t
    """
    lesion, patterns = instance.lesions[menu.lesion], menu.patterns
    if patterns.way is None:
        weights = patterns.number @ effects.effect_weights[plan]
        by_course = by_technique(lesion, menu, lesion.effect_loss) * weights[menu.pattern]
    else:
        by_day = patterns.weighted([lesion.effect_loss(way) for way in lesion.ways])
        by_course = (by_day @ effects.effect_weights[plan])[menu.pattern]
    return np.asarray(by_course + siphoned(instance, lesion, patterns.count)[menu.pattern])


def siphoned(instance: Instance, lesion: Lesion, count: IntArray) -> FloatArray:
    """(patterns,) log loss of other lesions' effectors by a lesion that gets no fraction.

    Parameters
    ----------
    count : (patterns,) fractions
    """
    return np.where(count == 0, lesion.siphon(instance.immune), 0.0)


def relieves(instance: Instance, effects: PlanEffects, plans: PlanId | PlanIds) -> bool:
    """Whether a drug of some plan relieves the suppression of release."""
    c = instance.immune
    suppressed = c.suppression_per_gy > 0 or c.suppression_per_day > 0
    return suppressed and bool((effects.relief[plans] != 1.0).any())


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
