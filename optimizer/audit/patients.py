"""Whether an answer stays ahead of the standard regimen in patients with other tumors.

Alpha and alpha/beta of all lesions of a patient are those of the case times two factors, each
lognormal of mean 1 and 20 % variation, independent of each other, beside the spread that a lesion's
control is averaged over. The gain of a schedule over the standard is averaged over the factors; an
optimum for the patient of the case may be no better on average, where it lies on an edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.checks.notes import Note, note
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import standard_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

VARIATION = 0.2
"""Coefficient of variation of either factor: what the case's tumors may be off by, assumed."""
NODES, FINE = 3, 7
"""Nodes per factor beside an answer: nine patients, each judged twice, 49 where those leave doubt.
On the bundled cases the mean gain over nine is off by at most 2.5 % where control is a mean over
radiosensitivities, by 8 % where it is a step.
"""
DOUBT = 0.1
"""Mean gain, as a part of its mean size, below which nine patients are not enough."""
ROUNDING = 1e-9
"""Nats by which a mean of sums may err."""


@dataclass(frozen=True)
class Gains:
    """Gain of a schedule over the standard regimen, in the unit of the objective.

    Attributes
    ----------
    gain : (n, n) by factor of alpha and of alpha/beta
    weight : (n, n) of these patients, summing to 1
    """

    gain: FloatArray
    weight: FloatArray

    @property
    def mean(self) -> float:
        """sum weight gain."""
        return float((self.weight * self.gain).sum())

    @property
    def size(self) -> float:
        """sum weight |gain|."""
        return float((self.weight * np.abs(self.gain)).sum())

    @property
    def worst(self) -> float:
        """min gain."""
        return float(self.gain.min())

    @property
    def share_not_worse(self) -> float:
        """sum of the weights with gain >= 0."""
        return float(self.weight[self.gain >= 0].sum())


def factors(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Factors e^(s x - s^2/2) of mean 1 and their weights, (nodes,) each.

    s^2 = ln(1 + VARIATION^2); x nodes of Gauss and Hermite.
    """
    x, weights = np.polynomial.hermite_e.hermegauss(nodes)
    s = math.sqrt(math.log1p(VARIATION**2))
    return np.exp(s * x - s * s / 2), np.asarray(weights / weights.sum())


def patient(instance: Instance, alpha: float, ratio: float) -> Instance:
    """The case of a patient whose tumors have other radiosensitivities.

    Alpha and alpha/beta of every lesion and clone are multiplied by the two factors.
    """
    lesions = []
    for lesion in instance.lesions:
        clones = tuple(
            clone.unchecked(
                {
                    key: getattr(clone, key) * factor
                    for key, factor in (("alpha_per_gy", alpha), ("alpha_beta_gy", ratio))
                    if getattr(clone, key) is not None
                }
            )
            for clone in lesion.clones
        )
        changed = {
            "alpha_per_gy": lesion.alpha_per_gy * alpha,
            "alpha_beta_gy": lesion.alpha_beta_gy * ratio,
            "clones": clones,
        }
        lesions.append(lesion.unchecked(changed))
    return instance.unchecked({"lesions": tuple(lesions)})


def gains(instance: Instance, schedule: Schedule, standard: Schedule, nodes: int = NODES) -> Gains:
    """Gain of a schedule over the standard regimen in each patient, by the judge."""
    values, weights = factors(nodes)
    gain, judge = np.zeros((nodes, nodes)), Judge(instance)
    for i, j in np.ndindex(nodes, nodes):
        lesions = patient(instance, float(values[i]), float(values[j])).lesions
        theirs = judge.of_lesions(lesions)
        gain[i, j] = theirs.objective(schedule) - theirs.objective(standard)
    return Gains(gain, np.outer(weights, weights))


def spread_notes(judge: Judge, schedule: Schedule) -> Iterator[Note]:
    """That the standard regimen, where it keeps the limits, is better on average over patients."""
    standard = standard_schedule(judge.instance)
    if standard is None or standard == schedule or not judge.evaluate(standard).feasible:
        return
    found = gains(judge.instance, schedule, standard)
    if found.mean < DOUBT * found.size:
        found = gains(judge.instance, schedule, standard, FINE)
    if found.mean < -ROUNDING:
        yield note(
            "worse_on_average",
            "standard",
            variation=100 * VARIATION,
            loss=-found.mean,
            unit=judge.instance.objective.unit,
        )
