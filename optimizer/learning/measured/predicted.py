"""What a member predicts of each observation, by the judge's trajectory up to that day.

Only what is given before the day counts: the schedule is cut there, so that no later fraction or
infusion reaches back. Horizons stand on every day, and limits are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.biomarkers import mutant_share, seen_share
from abscopt.models.tumor.repopulation import accelerated_days, log_growth
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.observed import before_day, log_count
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.learning.measured.errors import CTDNA_PER_CM3, LEAST_CM3, NEUTROPHILS
from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.learning.measured.observations import Observation


def log_predicted(
    instance: Instance,
    schedule: Schedule,
    observations: Sequence[Observation],
    half_time_days: float,
) -> FloatArray:
    """(observations,) logarithms of what a member predicts.

    Parameters
    ----------
    half_time_days : of the resorption of killed cells
    """
    trajectories: dict[Schedule, dict[str, FloatArray]] = {}
    predicted = []
    for observation in sorted(observations, key=lambda o: -o.day):
        day = observation.day
        treatment = before_day(schedule, day)
        if observation.kind in ("alc", "nlr"):
            count = alc(instance, treatment, day)
            expected = count if observation.kind == "alc" else NEUTROPHILS.value / count
        else:
            if treatment not in trajectories:  # later days come first and reach further
                trajectories[treatment] = living_shares(instance, treatment, day)
            living = {name: n[: day + 1] for name, n in trajectories[treatment].items()}
            expected = (
                volume_cm3(instance, treatment, observation, living, half_time_days)
                if observation.kind == "volume"
                else ctdna(instance, living)
            )
        predicted.append((observation, math.log(expected)))
    by_observation = dict(predicted)
    return np.array([by_observation[observation] for observation in observations])


def alc(instance: Instance, treatment: Schedule, day: int) -> float:
    """Lymphocyte count (1e9/L) on the morning of a day, of what is given before it."""
    drugs = systemic_state(instance, treatment.infusions).chemotherapy_log_loss
    return math.exp(log_count(instance, treatment, day, drugs))


def living_shares(instance: Instance, treatment: Schedule, day: int) -> dict[str, FloatArray]:
    """Living clonogens of each lesion with a volume before each day 0 ... day, of those of day 0.

    n_t = e^(u_t) / N_0,    u_t the judge's log burden of horizon t
    """
    if day == 0:
        return {x.name: np.ones(1) for x in instance.lesions if x.volume_cm3 is not None}
    daily = instance.unchecked(
        {"horizon_days": (*range(day + 1), instance.days), "limits": (), "delivered": None}
    )
    outcomes = Judge(daily).evaluate(treatment).lesions
    return {
        lesion.name: np.exp(np.array(outcome.log_burden[:-1]) - math.log(lesion.clonogen_number))
        for lesion, outcome in zip(instance.lesions, outcomes, strict=True)
        if lesion.volume_cm3 is not None
    }


def volume_cm3(
    instance: Instance,
    treatment: Schedule,
    observation: Observation,
    living: dict[str, FloatArray],
    half_time_days: float,
) -> float:
    """Volume on CT: living cells and dead ones that are not resorbed, and what a scan resolves."""
    lesion = next(x for x in instance.lesions if x.name == observation.lesion)
    assert lesion.volume_cm3 is not None
    days = [f.day for f in treatment.fractions if f.lesion == lesion.name]
    growth = np.diff(_growth(lesion, days, observation.day))
    share = seen_share(living[lesion.name], growth, half_time_days)
    return float(lesion.volume_cm3 * share[-1]) + LEAST_CM3.value


def _growth(lesion: Lesion, days: list[int], until: int) -> FloatArray:
    """(until + 1,) log growth before each day, as the judge counts it."""
    horizons = np.arange(until + 1)
    fast = np.zeros(len(horizons))
    if days and lesion.repopulation_doubling_time_days is not None:
        fast = accelerated_days(min(days), max(days), lesion.kick_off_days, horizons)
    return log_growth(
        horizons,
        lesion.growth_doubling_time_days,
        lesion.repopulation_doubling_time_days,
        fast,
    )


def ctdna(instance: Instance, living: dict[str, FloatArray]) -> float:
    """Share of circulating DNA that is of the tumor, on the last day of the shares."""
    living_cm3 = [
        lesion.volume_cm3 * living[lesion.name][-1]
        for lesion in instance.lesions
        if lesion.volume_cm3 is not None
    ]
    return max(float(mutant_share(living_cm3, CTDNA_PER_CM3.value)), LEAST_SHARE)


LEAST_SHARE = 1e-12
"""Below it no sample has a mutant molecule: a finite number in place of none."""
