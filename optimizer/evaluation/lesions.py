"""What one lesion's course does on its own: kill, growth, release and systemic effect."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import ctla4, immune, recursion
from abscopt.models.tumor import chemotherapy, lq, repair, repopulation
from abscopt.optimizer.evaluation.beams import Ways, by_technique, kills_in_beams, survivals_of

if TYPE_CHECKING:
    from abscopt.instances.lesions import Clone, Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.systemic import SystemicState

Course = tuple[tuple[int, float, int], ...]
TOLERANCE = 1e-9


@dataclass(frozen=True)
class LesionEffect:
    """Effects of one course under one systemic state.

    `local_log_burden` has one tuple per radiosensitivity and clone with one entry per horizon,
    `effector_share` one entry per clone (0 without credit), `effector_log_kill` one per horizon.
    """

    bed_gy: float
    tumor_bed_gy: float
    local_log_burden: tuple[tuple[float, ...], ...]
    effector_share: tuple[float, ...]
    credited: bool
    effector_log_kill: tuple[float, ...]
    effect_loss: float
    precursors: FloatArray
    effectors: FloatArray


@dataclass(frozen=True)
class ActingFraction:
    """A fraction as the tumor feels it: Gy divided by the oxygen modification factor.

    `cross_gy2` is what the unrepaired damage of the earlier fractions of the day adds to the
    dose squared.
    """

    acting_gy: float
    cross_gy2: float
    ser: float

    def bed(self, alpha_beta_gy: float, transition_gy: float | None) -> float:
        """BED of the fraction in Gy."""
        alone = lq.bed(self.acting_gy, alpha_beta_gy, transition_gy, ser=self.ser)
        return float(alone) + self.cross_gy2 / alpha_beta_gy

    def log_kill(
        self, alpha_per_gy: float, alpha_beta_gy: float, transition_gy: float | None
    ) -> float:
        """Kill of the fraction in nats."""
        alone = lq.log_kill(
            self.acting_gy, alpha_per_gy, alpha_beta_gy, transition_gy, ser=self.ser
        )
        return float(alone) + alpha_per_gy * self.cross_gy2 / alpha_beta_gy


def lesion_effect(
    instance: Instance, lesion: Lesion, ways: Ways, course: Course, state: SystemicState
) -> LesionEffect:
    """Everything about one lesion that does not depend on the other lesions.

    Parameters
    ----------
    ways : technique of each fraction
    """
    fractions = _acting(instance, lesion, course, state)
    kills = [kills_of(lesion, clone, fractions) for clone in lesion.populations]
    survivals = survivals_of(lesion, ways, kills)
    days = [day for day, _, _ in course]
    precursors, effectors = _traces(instance, lesion, ways, course, survivals, state)
    daily = (
        instance.immune.effect_per_effector
        * effectors
        * state.effect_factor
        * _unblocked(instance, course, state)
    )
    loss = _effect_loss(instance, lesion, ways, days, state)
    daily = daily * math.exp(-instance.immune.own_loss * loss)
    bed = sum(f.bed(lesion.alpha_beta_gy, lesion.lql_transition_gy) for f in fractions)
    bed += _equivalent_bed(instance, days, state, instance.days)
    credited = credits(instance, lesion, survivals[-1], state)
    return LesionEffect(
        bed_gy=bed,
        tumor_bed_gy=bed - _bed_loss(lesion, days),
        local_log_burden=_local_log_burdens(instance, lesion, ways, days, kills, state),
        effector_share=tuple(
            lesion.effector_share
            * instance.immune.share_factor
            * clone.effector_share_factor
            * float(credited)
            for clone in lesion.populations
        ),
        credited=credited,
        effector_log_kill=tuple(float(daily[:horizon].sum()) for horizon in instance.horizon_days),
        effect_loss=loss,
        precursors=precursors,
        effectors=effectors,
    )


def _effect_loss(
    instance: Instance, lesion: Lesion, ways: Ways, days: list[int], state: SystemicState
) -> float:
    """Log loss of other lesions' effectors: by the course, or by the liver if there is none."""
    if not days:
        return lesion.siphon(instance.immune)
    return sum(
        lesion.effect_loss(way) * float(sum(state.effect_weights[days[i]] for i in places))
        for way, places in by_technique(ways)
    )


def _acting(
    instance: Instance, lesion: Lesion, course: Course, state: SystemicState
) -> list[ActingFraction]:
    """Fractions with hypoxia, sensitizer and incomplete repair; each pair goes to its later one."""
    hours = instance.calendar.hours_between_fractions
    unrepaired = float(repair.unrepaired(hours, lesion.repair_half_time_hours))
    fractions = []
    for day, dose, slot in course:
        oxygen = oxygen_of(lesion, day - course[0][0])
        earlier = [(gy, slot - s) for t, gy, s in course if t == day and s < slot]
        cross = sum(2.0 * unrepaired**gap * (gy / oxygen) * (dose / oxygen) for gy, gap in earlier)
        fractions.append(ActingFraction(dose / oxygen, cross, float(state.sensitizer[day])))
    return fractions


def oxygen_of(lesion: Lesion, days_since_first: int) -> float:
    """Oxygen modification factor of a lesion on a day of its course."""
    return float(
        lq.oxygen_modification(
            days_since_first, lesion.oxygen_modification_factor, lesion.reoxygenation_days
        )
    )


def kills_of(lesion: Lesion, clone: Clone, fractions: list[ActingFraction]) -> list[float]:
    """Kill in nats of every fraction in the irradiated part of one clone."""
    alpha, ratio = lesion.clone_constants(clone)
    return [f.log_kill(alpha, ratio, lesion.lql_transition_gy) for f in fractions]


def _local_log_burdens(
    instance: Instance,
    lesion: Lesion,
    ways: Ways,
    days: list[int],
    kills: list[list[float]],
    state: SystemicState,
) -> tuple[tuple[float, ...], ...]:
    """Log clonogens without systemic effect: per factor of alpha and clone, at every horizon."""
    by_clone = [
        [
            _local_log_burden(instance, lesion, ways, clone, days, killed, state, horizon)
            for horizon in instance.horizon_days
        ]
        for clone, killed in zip(lesion.populations, kills, strict=True)
    ]
    factors = range(len(lesion.sensitivities[0]))
    return tuple(tuple(at[f] for at in of_clone) for f in factors for of_clone in by_clone)


def _local_log_burden(
    instance: Instance,
    lesion: Lesion,
    ways: Ways,
    clone: Clone,
    days: list[int],
    kills: list[float],
    state: SystemicState,
    horizon: int,
) -> list[float]:
    """Log clonogens of one clone at a horizon, without systemic effect, at each factor of alpha."""
    grown = repopulation.log_growth(
        horizon,
        lesion.growth_doubling_time_days,
        lesion.repopulation_doubling_time_days,
        _accelerated_days(lesion, days, horizon),
    )
    alpha, _ = lesion.clone_constants(clone)
    drugs = alpha * _equivalent_bed(instance, days, state, horizon)
    before = [kill if day < horizon else 0.0 for day, kill in zip(days, kills, strict=True)]
    unkilled = math.log(lesion.clonogen_number * clone.share) + float(grown)
    by_drugs = clone.drug_kill_factor * _cytotoxic_kill(instance, state, horizon)
    factors = lesion.sensitivities[0].tolist()
    killed = kills_in_beams(lesion, ways, clone, before, drugs, factors)
    return [unkilled - kill - by_drugs for kill in killed]


def _equivalent_bed(
    instance: Instance, fraction_days: list[int], state: SystemicState, until_day: int
) -> float:
    """BED in Gy of the chemotherapy doses before a day that meet a fraction."""
    total = 0.0
    for name, of_drug in state.chemotherapy.items():
        drug = instance.drugs[name]
        doses = [(day, relative) for day, relative in of_drug if day < until_day]
        met = chemotherapy.concurrent_doses(
            [day for day, _ in doses],
            fraction_days,
            drug.sensitizing_days,
            [relative for _, relative in doses],
        )
        total += drug.equivalent_bed_gy_per_dose * met
    return total


def _cytotoxic_kill(instance: Instance, state: SystemicState, until_day: int) -> float:
    return sum(
        float(
            chemotherapy.cytotoxic_kill(
                [day for day, _ in of_drug],
                instance.drugs[name].cytotoxic_log_kill_per_dose,
                until_day,
                [relative for _, relative in of_drug],
            )
        )
        for name, of_drug in state.chemotherapy.items()
    )


def credits(instance: Instance, lesion: Lesion, survival: float, state: SystemicState) -> bool:
    """Whether the systemic effect counts here: the burden rule, kept by all without one."""
    limit = instance.immune.burden_limit_cm3
    if limit is None or not lesion.irradiable:
        return True
    assert lesion.volume_cm3 is not None
    blockade = instance.immune.burden_blockade * float(state.occupancy.max())
    controllable_cm3 = limit * math.pow(1.0 + blockade, 1.5)
    return lesion.volume_cm3 * survival <= controllable_cm3 * (1.0 + TOLERANCE)


def _unblocked(instance: Instance, course: Course, state: SystemicState) -> FloatArray:
    """Daily factor of PD-L1 up-regulation, which begins with the first fraction."""
    factor = np.ones(instance.days)
    if course:
        first = course[0][0]
        factor[first:] = immune.unblocked_effect(
            state.occupancy[first:], instance.immune.pdl1_upregulation
        )
    return factor


def release_of(
    instance: Instance,
    lesion: Lesion,
    technique: Technique,
    fraction: tuple[int, float, int],
    first_day: int,
    antigen: float,
    state: SystemicState,
) -> float:
    """Release of one fraction that meets `antigen`, in shares of the lesion."""
    constants = instance.immune
    day, dose, _ = fraction
    opening = immune.gate(
        dose,
        constants.gate_low_gy,
        constants.gate_low_exponent,
        constants.gate_high_gy,
        constants.gate_high_exponent,
        constants.gate_plateau,
    )
    unsuppressed = immune.suppression(
        dose,
        day - first_day,
        float(state.relief[day]),
        constants.suppression_above_gy,
        constants.suppression_per_gy,
        constants.suppression_after_days,
        constants.suppression_per_day,
    )
    assert lesion.volume_cm3 is not None
    released = immune.release(
        opening,
        antigen,
        lesion.release_scale(constants),
        lesion.volume_cm3,
        constants.volume_exponent,
        constants.preblockade_sign,
        float(state.occupancy[day]),
        suppression=unsuppressed,
        depletion=ctla4.depletion(float(state.ctla4_bound[day]), constants.ctla4_depletion),
    )
    return float(released) * technique.node_factor


def _antigen(
    instance: Instance, lesion: Lesion, course: Course, survivals: list[float]
) -> list[float]:
    """Antigen that each fraction meets: what it kills, regrown, and what is dying already."""
    killed = [before - after for before, after in itertools.pairwise(survivals)]
    met = immune.antigen(
        killed,
        [day - course[0][0] for day, _, _ in course],
        regrowth_per_day=lesion.regrowth_per_day(instance.immune),
        repeat=instance.immune.repeat_release,
        clearance_per_day=instance.immune.clearance_per_day,
    )
    return [float(share) for share in met]


def _traces(
    instance: Instance,
    lesion: Lesion,
    ways: Ways,
    course: Course,
    survivals: list[float],
    state: SystemicState,
) -> tuple[FloatArray, FloatArray]:
    """Precursors and effectors that the lesion contributes, day by day."""
    constants = instance.immune
    release = np.zeros(instance.days)
    lost = np.zeros(instance.days)
    met = _antigen(instance, lesion, course, survivals)
    for i, fraction in enumerate(course):
        release[fraction[0]] += release_of(
            instance,
            lesion,
            ways[i],
            fraction,
            course[0][0],
            met[i],
            state,
        )
    for way, places in by_technique(ways):
        number = np.bincount([course[i][0] for i in places], minlength=instance.days)
        lost += lesion.effector_kill(way) * number
    return recursion.effector_trace(
        release,
        state.mobilization,
        state.priming_factor,
        lost,
        precursors_initial=constants.precursors_initial * lesion.precursor_share,
        precursor_loss_per_day=constants.precursor_loss_per_day,
        precursor_inflow_per_day=constants.precursor_inflow_per_day * lesion.precursor_share,
        effector_loss_per_day=constants.effector_loss_per_day,
        effector_kill_per_fraction=1.0,
        clearance_per_day=constants.clearance_per_day,
        priming_delay_days=constants.priming_delay_days,
        precursor_survival=state.precursor_survival,
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
