"""What one lesion's course does on its own: kill, growth, release and systemic effect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune, lq, repopulation

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance, Lesion
    from abscopt.optimizer.evaluation.systemic import SystemicState

FloatArray = NDArray[np.float64]
Course = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class LesionEffect:
    """Effects of one course under one systemic state; tuples have one entry per horizon."""

    bed_gy: float
    tumor_bed_gy: float
    local_log_burden: tuple[float, ...]
    effector_log_kill: tuple[float, ...]
    effect_loss: float
    precursors: FloatArray
    effectors: FloatArray


def lesion_effect(
    instance: Instance, lesion: Lesion, course: Course, state: SystemicState
) -> LesionEffect:
    """Everything about one lesion that does not depend on the other lesions."""
    days = [day for day, _ in course]
    kills = [
        float(
            lq.log_kill(
                dose,
                lesion.alpha_per_gy,
                lesion.alpha_beta_gy,
                lesion.lql_transition_gy,
                ser=float(state.sensitizer[day]),
            )
        )
        for day, dose in course
    ]
    precursors, effectors = _traces(instance, lesion, course, kills, state)
    constants = instance.immune
    daily = (
        constants.effect_per_effector
        * effectors
        * (1.0 + constants.blockade_effect * state.occupancy)
    )
    local = []
    for horizon in instance.horizon_days:
        killed = sum(kill for day, kill in zip(days, kills, strict=True) if day < horizon)
        accelerated = _accelerated_days(lesion, days, horizon)
        grown = repopulation.log_growth(
            horizon,
            lesion.growth_doubling_time_days,
            lesion.repopulation_doubling_time_days,
            accelerated,
        )
        local.append(math.log(lesion.clonogen_number) + float(grown) - killed)
    bed = sum(
        float(
            lq.bed(
                dose,
                lesion.alpha_beta_gy,
                lesion.lql_transition_gy,
                ser=float(state.sensitizer[day]),
            )
        )
        for day, dose in course
    )
    return LesionEffect(
        bed_gy=bed,
        tumor_bed_gy=bed - _bed_loss(lesion, days),
        local_log_burden=tuple(local),
        effector_log_kill=tuple(float(daily[:horizon].sum()) for horizon in instance.horizon_days),
        effect_loss=lesion.effect_loss_per_fraction
        * float(sum(state.effect_weights[day] for day in days)),
        precursors=precursors,
        effectors=effectors,
    )


def _traces(
    instance: Instance, lesion: Lesion, course: Course, kills: list[float], state: SystemicState
) -> tuple[FloatArray, FloatArray]:
    constants = instance.immune
    release = np.zeros(instance.days)
    fractions = np.zeros(instance.days)
    surviving = 1.0
    for (day, dose), kill in zip(course, kills, strict=True):
        after = surviving * math.exp(-kill)
        opening = immune.gate(
            dose,
            constants.gate_low_gy,
            constants.gate_low_exponent,
            constants.gate_high_gy,
            constants.gate_high_exponent,
        )
        assert lesion.volume_cm3 is not None
        release[day] += immune.release(
            opening,
            surviving,
            after,
            lesion.immunogenicity,
            lesion.volume_cm3,
            constants.volume_exponent,
            constants.preblockade_sign,
            float(state.occupancy[day]),
        )
        fractions[day] += 1
        surviving = after
    return immune.effector_trace(
        release,
        state.mobilization,
        state.priming_factor,
        fractions,
        precursors_initial=constants.precursors_initial * lesion.precursor_share,
        precursor_loss_per_day=constants.precursor_loss_per_day,
        precursor_inflow_per_day=constants.precursor_inflow_per_day * lesion.precursor_share,
        effector_loss_per_day=constants.effector_loss_per_day,
        effector_kill_per_fraction=lesion.effector_kill_per_fraction,
        clearance_per_day=constants.clearance_per_day,
        priming_delay_days=constants.priming_delay_days,
    )


def _accelerated_days(lesion: Lesion, days: list[int], until: int | None) -> float:
    if not days or lesion.repopulation_doubling_time_days is None:
        return 0.0
    return float(repopulation.accelerated_days(days[0], days[-1], lesion.kick_off_days, until))


def _bed_loss(lesion: Lesion, days: list[int]) -> float:
    if lesion.repopulation_doubling_time_days is None:
        return 0.0
    per_day = repopulation.bed_loss_per_day(
        lesion.alpha_per_gy, lesion.repopulation_doubling_time_days
    )
    return float(per_day) * _accelerated_days(lesion, days, None)
