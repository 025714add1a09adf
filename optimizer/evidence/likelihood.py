"""How likely published effects are under the model, beside what any model must beat.

A randomized comparison of patients published a log ratio x with standard error s (see
`instances/evidence/effects.py`). The model predicts the difference mu of its measures of the two
arms, averaged over times: log hazards or log odds of shares of patients (`patients.py`); where
burdens are compared, a nat of burden is a nat of log odds (status: assumed).
With w = 1 / (comparisons of the same cohort), so that patients count once,

    ln L = sum_i w_i [ -(x_i - mu_i)^2 / (2 s_i^2) - ln s_i - ln(2 pi) / 2 ].

Comparisons of local treatment, in which every visible lesion is irradiated in one arm only or the
irradiated ones are read, are kept apart.

Rivals: no effect (mu = 0); one constant c whatever the schedule, mu = c where an arm has all that
the other has and more, -c the other way round, 0 between schedules of the same treatments; and the
model with one factor b on all of its predictions. Both c and b have the weighted least squares

    c = sum w x g / s^2 / sum w g^2 / s^2,

with g the sign or the prediction, fitted to all cohorts but the one that is scored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.measures import scale_of
from abscopt.optimizer.evidence.patients import counts_patients, log_odds
from abscopt.optimizer.evidence.settings import HIDDEN

if TYPE_CHECKING:
    from abscopt.instances.evidence import Arm, Effect, Finding
    from abscopt.optimizer.evidence.score import Scored


@dataclass(frozen=True)
class Comparison:
    """A published effect beside the model's; both in log ratios, more is better for `effect.of`.

    Attributes
    ----------
    sign : whether the first arm has more treatments than the second (1), fewer (-1), or the same
    local : whether it is about what radiation does where it is given
    """

    finding: Finding
    effect: Effect
    predicted: float
    sign: Literal[-1, 0, 1]
    local: bool = False

    @property
    def inside(self) -> bool:
        """Whether the prediction lies in the published 95 % interval."""
        low, high = self.effect.log_interval
        return low <= self.predicted <= high


@dataclass(frozen=True)
class Fit:
    """Log likelihood and weighted chi square of a set of predictions."""

    log_likelihood: float
    chi_square: float


def comparisons(results: Sequence[Scored], *, local: bool = False) -> list[Comparison]:
    """Randomized comparisons of patients with a published size that the model expresses.

    Those that are local, or (the default) those that are not.
    """
    compared = [
        Comparison(
            scored.finding,
            effect,
            predicted(scored, effect),
            _sign(scored.finding.arms[effect.of], scored.finding.arms[effect.against]),
            _local(scored.finding, effect),
        )
        for scored in results
        if scored.finding.scale == "human"
        and scored.finding.status == "verified"
        and scored.measures
        for effect in scored.finding.effects
        if effect.randomized and effect.status != "recalled"
    ]
    return [comparison for comparison in compared if comparison.local == local]


def predicted(scored: Scored, effect: Effect) -> float:
    """The model's log ratio: of hazards or odds, of burdens in nats, or of amounts."""
    of, against = scored.measures[effect.of], scored.measures[effect.against]
    if counts_patients(scored.finding) and effect.kind == "odds_ratio":
        of, against = log_odds(of), log_odds(against)
    elif scale_of(scored.finding).relative:
        of, against = np.log(of), np.log(against)
    return float(np.mean(of - against))


def _sign(of: Arm, against: Arm) -> Literal[-1, 0, 1]:
    """1 where the first arm has every treatment of the second and more, -1 the other way round."""
    more, less = _treatments(of), _treatments(against)
    if more == less:
        return 0
    if more > less:
        return 1
    return -1 if more < less else 0


def _local(finding: Finding, effect: Effect) -> bool:
    """Whether irradiated lesions are read, or all that is visible is irradiated in one arm only.

    There log kill is many nats and control is all but certain: a nat is no nat of log odds.
    """
    if finding.setting.endpoint in ("irradiated", "all_lesions"):
        return True
    of, against = (
        {fraction.site for fraction in finding.arms[name].fractions}
        for name in (effect.of, effect.against)
    )
    visible = set(finding.setting.lesions) - {HIDDEN} - set(finding.setting.resected)
    return bool(visible) and visible <= of ^ against


def _treatments(arm: Arm) -> frozenset[str]:
    radiation = {f"radiation {fraction.site}" for fraction in arm.fractions}
    return frozenset(radiation | {str(drug.agent or drug.target) for drug in arm.drugs})


def weights(compared: Sequence[Comparison]) -> FloatArray:
    """One over the number of comparisons of the same cohort, shape (comparisons,)."""
    count = Counter(comparison.finding.patients for comparison in compared)
    return np.array([1.0 / count[comparison.finding.patients] for comparison in compared])


def fit(compared: Sequence[Comparison], predictions: FloatArray) -> Fit:
    """ln L and chi square of predictions, shape (comparisons,)."""
    published, errors = _published(compared)
    square = ((published - predictions) / errors) ** 2
    weight = weights(compared)
    terms = -0.5 * square - np.log(errors) - 0.5 * math.log(2.0 * math.pi)
    return Fit(float(weight @ terms), float(weight @ square))


def factor(compared: Sequence[Comparison], shape: FloatArray) -> float:
    """The factor b of predictions `b * shape` by weighted least squares; 0 if nothing tells it."""
    published, errors = _published(compared)
    precision = weights(compared) / errors**2
    size = float(precision @ shape**2)
    return float(precision @ (published * shape)) / size if size > 0.0 else 0.0


def left_out(compared: Sequence[Comparison], shape: FloatArray) -> FloatArray:
    """Predictions `b * shape` with b fitted to the other cohorts, shape (comparisons,)."""
    cohorts = [comparison.finding.patients for comparison in compared]
    predictions = np.zeros(len(compared))
    for cohort in set(cohorts):
        outside = [i for i, name in enumerate(cohorts) if name != cohort]
        inside = [i for i, name in enumerate(cohorts) if name == cohort]
        predictions[inside] = factor([compared[i] for i in outside], shape[outside]) * shape[inside]
    return predictions


def constant(compared: Sequence[Comparison]) -> float:
    """The one log ratio fitted to all comparisons."""
    return factor(compared, _signs(compared))


def fits(compared: Sequence[Comparison]) -> dict[str, Fit]:
    """The model beside its rivals, by name."""
    model = np.array([comparison.predicted for comparison in compared])
    predictions = {
        "model": model,
        "model_times_factor": left_out(compared, model),
        "constant": left_out(compared, _signs(compared)),
        "no_effect": np.zeros(len(compared)),
    }
    return {name: fit(compared, values) for name, values in predictions.items()}


def _published(compared: Sequence[Comparison]) -> tuple[FloatArray, FloatArray]:
    """Published log ratios and their standard errors."""
    values = [comparison.effect.log_value for comparison in compared]
    errors = [comparison.effect.standard_error for comparison in compared]
    return np.array(values, dtype=np.float64), np.array(errors, dtype=np.float64)


def _signs(compared: Sequence[Comparison]) -> FloatArray:
    return np.array([comparison.sign for comparison in compared], dtype=np.float64)
