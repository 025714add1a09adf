"""What an observation before a treatment day sees of a schedule.

Written for the judge: it knows the fractions and infusions before the day, and nothing later.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.immunity import lymphocytes
from abscopt.optimizer.evaluation.judge import Judge
from abscopt.optimizer.schedule import Schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

Quantity = Literal["alc", "effectors", "burden"]


def before_day(schedule: Schedule, day: int) -> Schedule:
    """What of a schedule is given before a day."""
    return Schedule(
        tuple(f for f in schedule.fractions if f.day < day),
        tuple(i for i in schedule.infusions if i.day < day),
    )


class Observer:
    """Natural log of a quantity on the morning of a day, in one parameter set.

        alc        lymphocytes, 1e9/L: count before treatment less what fractions and drugs cost
        effectors  effectors of all lesions, in the unit of the immune model
        burden     clonogens of a lesion as a part of those before treatment

    Parameters
    ----------
    lesion : of `burden`
    """

    def __init__(self, instance: Instance, quantity: Quantity, day: int, lesion: str = ""):
        horizons = tuple(sorted({day, instance.days}))
        self.instance = instance.unchecked({"horizon_days": horizons})
        self.judge = Judge(self.instance)
        self.quantity, self.day, self.lesion = quantity, day, lesion

    def log_value(self, schedule: Schedule) -> float:
        """Natural log of the quantity, of what a schedule gives before the day."""
        early = before_day(schedule, self.day)
        if self.quantity == "alc":
            drugs = self.judge.chemotherapy_log_loss(early)
            return log_count(self.instance, early, self.day, drugs)
        if self.quantity == "effectors":
            effects = self.judge.lesion_effects(early)
            number = math.fsum(float(effect.effectors[self.day]) for effect in effects)
            return math.log(number) if number > 0.0 else -math.inf
        names = [lesion.name for lesion in self.instance.lesions]
        index = names.index(self.lesion)
        outcome = self.judge.evaluate(early).lesions[index]
        return outcome.log_burden[0] - math.log(self.instance.lesions[index].clonogen_number)


def log_count(instance: Instance, early: Schedule, day: int, chemotherapy: float) -> float:
    """ln ALC = ln ALC0 - chemotherapy - sum over fractions of what is left of their loss.

    In 1e9/L on the morning of a day, of what a schedule gives before it.
    """
    lesions = {lesion.name: lesion for lesion in instance.lesions}
    days = np.array([f.day for f in early.fractions], dtype=float)
    each = [
        lesions[f.lesion].lymphocyte_loss(lesions[f.lesion].way(f.technique))
        for f in early.fractions
    ]
    constants = instance.lymphocytes
    half = constants.recovery_half_time_days
    lost = float(lymphocytes.log_loss(day, days, np.array(each), half))
    return math.log(constants.initial_1e9_per_l) - chemotherapy - lost
