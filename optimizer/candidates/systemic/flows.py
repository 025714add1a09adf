"""Free courses that release antigen: what survives, is released and works, as coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import ctla4, immune, recursion
from abscopt.optimizer.ids import PlanId, plan_ids

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.systemic.plans import PlanEffects
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class Flow:
    """Coefficients of one free lesion; T days with columns, n columns, K plans, C clones.

    Attributes
    ----------
    days : (T,) days on which the lesion has columns
    members : per day, the columns of the programme
    row : column of the programme -> row of the arrays below
    survival : (K, n, C) survival of each clone
    release : (K, n, C) release per clonogen of the lesion that reaches a dose as this clone
    effect : (K, T, horizons) effect of a unit released on a day, without effector kill
    resting : (K, horizons) effect of initial precursors and their inflow, likewise
    effectors : (K, T, T) effectors of a unit released on a day just before each later day
    resting_effectors : (K, T)
    killed_share : 1 - e^-lambda, the effectors a fraction kills
    effect_of_killed : (K, T, horizons) effect lost per effector that would have been there
    carried : (T, T) effectors missing before a day per effector killed on an earlier one
    greatest : (K, horizons) no course has more effect
    greatest_effectors : (K, T)
    """

    lesion: int
    days: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    row: dict[int, int]
    survival: FloatArray
    release: FloatArray
    effect: FloatArray
    resting: FloatArray
    effectors: FloatArray
    resting_effectors: FloatArray
    killed_share: float
    effect_of_killed: FloatArray
    carried: FloatArray
    greatest: FloatArray
    greatest_effectors: FloatArray

    @property
    def releases(self) -> bool:
        """Whether any dose releases antigen."""
        return bool(self.release.any())

    @property
    def kills_effectors(self) -> bool:
        """Whether fractions kill effectors that are there."""
        return self.killed_share > 0 and bool(self.greatest_effectors.any())


def flows_of(candidates: Candidates, columns: Columns) -> dict[int, Flow]:
    """Coefficients of every free lesion with effectors of its own, or of several clones."""
    instance = candidates.instance
    if instance.objective.of_dose_alone:
        return {}
    rule = instance.immune.burden_limit_cm3 is not None
    return {
        s: _flow(candidates, columns, s)
        for s in candidates.free
        if (lesion := instance.lesions[s]).immune_active(instance.immune)
        or (rule and len(lesion.populations) > 1)
    }


def _flow(candidates: Candidates, columns: Columns, s: int) -> Flow:
    """Coefficients of one free lesion, per plan k, column j of dose d on day t, and clone c.

        survival = e^-kill_c(d),        release = r_k(d, t) share_c (1 - survival),
        carried[t, u] = (1 - e^-lambda) (1 - loss)^(u - t) for u > t

    with lambda the effectors' log kill by a fraction, loss theirs of a day; effects and effectors
    of unit releases come from the recursion run forward (`_traces`).
    """
    instance, effects = candidates.instance, candidates.plan_effects
    lesion, constants = instance.lesions[s], instance.immune
    columns_of_lesion = np.flatnonzero(columns.lesion == s)
    day = columns.day[columns_of_lesion]
    days = sorted(set(day.tolist()))
    shares = np.array([clone.share for clone in lesion.populations])
    # counted on every day of the course: all are before the last horizon
    kill = -columns.local[effects.group][:, columns_of_lesion, -1, : len(shares)]
    survival = np.exp(-kill)
    release = _release(instance, lesion, effects, day, columns.dose[columns_of_lesion])
    killed_share = -math.expm1(-lesion.effector_kill(lesion.ways[0]))
    staying = 1.0 - constants.effector_loss_per_day
    effect, effectors, resting, resting_effectors, value = (
        np.stack(by_plan)
        for by_plan in zip(
            *(_traces(instance, lesion, effects, k, days) for k in plan_ids(len(effects.group))),
            strict=True,
        )
    )
    position = np.searchsorted(days, day)
    apart = np.subtract.outer(np.array(days), np.array(days)).T
    unit = release[:, :, None] * effect[:, position]
    ready = release[:, :, None] * effectors[:, position]
    return Flow(
        lesion=s,
        days=tuple(days),
        members=tuple(tuple(columns_of_lesion[day == d].tolist()) for d in days),
        row={int(j): i for i, j in enumerate(columns_of_lesion)},
        survival=survival,
        release=release[:, :, None] * shares * (1.0 - survival),
        effect=effect,
        resting=resting,
        effectors=effectors,
        resting_effectors=resting_effectors,
        killed_share=killed_share,
        effect_of_killed=killed_share * staying * value,
        carried=np.where(apart > 0, killed_share * staying ** np.maximum(apart, 0), 0.0),
        greatest=resting + unit.max(axis=1, initial=0.0),
        greatest_effectors=resting_effectors + ready.max(axis=1, initial=0.0),
    )


def _release(
    instance: Instance, lesion: Lesion, effects: PlanEffects, day: IntArray, dose: FloatArray
) -> FloatArray:
    """(plans, columns) release of a dose that kills the whole lesion."""
    c = instance.immune
    opening = immune.gate(
        dose,
        c.gate_low_gy,
        c.gate_low_exponent,
        c.gate_high_gy,
        c.gate_high_exponent,
        c.gate_plateau,
    )
    suppressed = immune.suppression(
        dose,
        0.0,
        effects.relief[:, day],
        c.suppression_above_gy,
        c.suppression_per_gy,
        c.suppression_after_days,
        c.suppression_per_day,
    )
    assert lesion.volume_cm3 is not None
    released = immune.release(
        opening,
        1.0,
        lesion.release_scale(c),
        lesion.volume_cm3,
        c.volume_exponent,
        c.preblockade_sign,
        effects.occupancy[:, day],
        suppression=suppressed,
        depletion=ctla4.depletion(effects.ctla4_bound[:, day], c.ctla4_depletion),
    )
    return released * lesion.ways[0].node_factor


def _traces(
    instance: Instance, lesion: Lesion, effects: PlanEffects, plan: PlanId, days: list[int]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Effect and effectors of unit releases and of resting precursors, and an effector's worth.

        effect_h = sum_{t < h} φ_t e_t,     effectors before day t = e_{t-1}

    with e_t the effectors after day t (M16 of docs/reference/model.md) and φ_t the effect of one.
    Shapes (T, horizons), (T, T), (horizons,), (T,) and (T, horizons); nothing is killed.
    """
    c, horizons = instance.immune, instance.horizon_days
    released = np.zeros((len(days) + 1, instance.days))
    released[np.arange(len(days)), np.array(days, dtype=np.int64)] = 1.0
    resting = np.array([0.0] * len(days) + [lesion.precursor_share])
    _, effectors = recursion.effector_trace(
        released,
        effects.mobilization[plan],
        effects.priming_factor[plan],
        0.0,
        precursors_initial=c.precursors_initial * resting,
        precursor_loss_per_day=c.precursor_loss_per_day,
        precursor_inflow_per_day=c.precursor_inflow_per_day * resting,
        effector_loss_per_day=c.effector_loss_per_day,
        effector_kill_per_fraction=0.0,
        clearance_per_day=c.clearance_per_day,
        priming_delay_days=c.priming_delay_days,
        precursor_survival=effects.precursor_survival[plan],
    )
    daily = c.effect_per_effector * effects.effect_factor[plan]
    counted = np.arange(instance.days)[:, None] < np.array(horizons)
    effect = (effectors * daily) @ counted.astype(float)
    starts = np.array(days, dtype=np.int64)
    before = np.where(starts > 0, effectors[:, np.maximum(starts - 1, 0)], 0.0)
    return effect[:-1], before[:-1], effect[-1], before[-1], _worth(instance, daily)[starts]


def _worth(instance: Instance, daily: FloatArray) -> FloatArray:
    """(days, horizons) effect of an effector from a day on, w_t = φ_t + (1 - η) w_{t+1}.

    φ (days,) is its effect of a day, up to the horizon. Precursors and dying cells count nothing.
    """
    horizons = np.array(instance.horizon_days)
    day = recursion.Day(1.0 - instance.immune.effector_loss_per_day, 0.0, 0.0, 0.0, 0.0, 0.0)
    nothing = np.zeros(len(horizons))
    later = recursion.State(nothing, nothing, nothing)
    worth = np.zeros((instance.days, len(horizons)))
    for t in range(instance.days - 1, -1, -1):
        effect = np.where(t < horizons, daily[t], 0.0)
        worth[t] = effect + later.effectors
        later, _ = day.before(later, effect)
    return worth
