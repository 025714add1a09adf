"""Schedules of a case as the arrays per day that the forward models take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation.systemic import concentration

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Infusion, Schedule


PD1_TARGETS = ("PD-1", "PD-L1")
CTLA4_TARGETS = ("CTLA-4",)


@dataclass(frozen=True)
class Inputs:
    """Doses and drug levels of several schedules of one case.

    Parameters
    ----------
    dose_gy
        Dose of the fraction of each day in Gy, shape (schedules, lesions, days), lesions in the
        order of the case.
    irradiated_share
        Share of each lesion's clonogens in the beam of its technique, shape (schedules, lesions).
    anti_pd1, anti_ctla4
        Sum over the inhibitors of the target of concentration/EC50, dimensionless, just after an
        infusion of the day, shape (schedules, days).
    """

    dose_gy: FloatArray
    irradiated_share: FloatArray
    anti_pd1: FloatArray
    anti_ctla4: FloatArray


def several_a_day(schedule: Schedule) -> bool:
    """Whether a lesion receives more than one fraction on some day."""
    days_of_lesions = [(f.lesion, f.day) for f in schedule.fractions]
    return len(set(days_of_lesions)) < len(days_of_lesions)


def beyond_horizon(instance: Instance, schedule: Schedule) -> bool:
    """Whether anything is given on or after the last horizon."""
    days = [f.day for f in schedule.fractions] + [i.day for i in schedule.infusions]
    return max(days, default=0) >= instance.days


def daily_inputs(instance: Instance, schedules: Sequence[Schedule]) -> Inputs:
    """Doses and drug levels per day; drug levels are computed once per set of infusions.

    Raises
    ------
    ValueError
        Several fractions of one lesion on a day (the models take one acute dose, and the sum is not
        equivalent under LQ), or an event on or after the last horizon.
    """
    index = {lesion.name: i for i, lesion in enumerate(instance.lesions)}
    dose = np.zeros((len(schedules), len(instance.lesions), instance.days))
    share = np.ones(dose.shape[:2])
    for row, schedule in enumerate(schedules):
        if several_a_day(schedule):
            raise ValueError("several fractions of a lesion on one day")
        if beyond_horizon(instance, schedule):
            raise ValueError(f"an event outside the horizon of {instance.days} days")
        for fraction in schedule.fractions:
            site = index[fraction.lesion]
            dose[row, site, fraction.day] = fraction.dose_gy
            share[row, site] = _irradiated_share(instance, site, fraction.technique)
    levels = {plan: drug_levels(instance, plan) for plan in {s.infusions for s in schedules}}
    drugs = np.empty((2, len(schedules), instance.days))
    for row, schedule in enumerate(schedules):
        drugs[:, row] = levels[schedule.infusions]
    return Inputs(dose, share, drugs[0], drugs[1])


def drug_levels(instance: Instance, infusions: tuple[Infusion, ...]) -> FloatArray:
    """Levels of anti-PD-(L)1 and anti-CTLA-4 on each day, shape (2, days).

    Concentration over EC50 from the case's own pharmacokinetics, summed over the drugs of each
    target, whatever phase the case lets them act on.
    """
    doses_of_drug: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for infusion in infusions:
        doses_of_drug[infusion.drug].append((infusion.day, infusion.dose_mg))
    levels = np.zeros((2, instance.days))
    for name in sorted(doses_of_drug):
        drug = instance.drugs[name]
        for row, targets in enumerate((PD1_TARGETS, CTLA4_TARGETS)):
            if drug.target in targets:
                assert drug.ec50_mg_per_l is not None
                levels[row] += (
                    concentration(instance, drug, doses_of_drug[name]) / drug.ec50_mg_per_l
                )
    return levels


def drugs_of(instance: Instance, schedule: Schedule, targets: Sequence[str]) -> list[str]:
    """Names of the given drugs with one of the targets, sorted."""
    names = {i.drug for i in schedule.infusions}
    return sorted(name for name in names if instance.drugs[name].target in targets)


def _irradiated_share(instance: Instance, site: int, technique: str) -> float:
    lesion = instance.lesions[site]
    way = lesion.way(technique)
    return sum(clone.share * way.share_of(clone.name) for clone in lesion.populations)
