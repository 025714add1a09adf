"""Whether any parameter set explains what was measured; a plain sentence where none does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, ndtr  # type: ignore[import-untyped]

from abscopt.instances.load import InputError, Problem

if TYPE_CHECKING:
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.learning.measured.likelihood import Likelihood
    from abscopt.optimizer.learning.sample import Sample, Values

CHANCE = 1e-4
"""What happens less often under the best parameter set is not explained by it: one update in ten
thousand is refused in error."""
SURPRISE = 1e-3
"""Chance under the whole ensemble below which a measurement is called surprising."""
INTERVAL = 1.96
"""Standard deviations of the middle 95 %."""


def refuse_unexplained(values: Values, sample: Sample, label: str) -> None:
    """Raise InputError if the best parameter set leaves what was measured unexplained.

    Q + |z|^2 > the quantile of chi-squared with n + d degrees of freedom, Q the squared residuals
    in units of their covariance, z the d continuous scores: a set far outside of the ensemble's
    ranges is no explanation either.
    """
    likelihood, free = values.likelihood, ~values.space.discrete
    allowed = np.isfinite(sample.log_predicted).all(axis=1)
    if not allowed.any():
        rule = "the case forbids every parameter set that was drawn"
        raise InputError([Problem(label, "ensemble", values.space.ensemble.name, rule)])
    predicted = sample.log_predicted[allowed]
    square = likelihood.squares(predicted) + _missed(likelihood, predicted)
    square = square + (sample.scores[allowed][:, free] ** 2).sum(axis=1)
    best = int(square.argmin())
    chance = float(chdtrc(len(likelihood.observations) + int(free.sum()), square[best]))
    if chance >= CHANCE:
        return
    scores = likelihood.residuals(predicted[best]) / likelihood.total_sd
    scores[~likelihood.seen] = np.minimum(scores[~likelihood.seen], 0.0)
    worst = int(np.abs(scores).argmax())
    observation, sd = likelihood.observations[worst], likelihood.total_sd[worst]
    middle = math.exp(predicted[best, worst])
    low, high = (middle * math.exp(sign * INTERVAL * sd) for sign in (-1.0, 1.0))
    together = "" if abs(scores[worst]) > 3.0 or len(scores) == 1 else " together with the others"
    rule = (
        f"no member of ensemble {values.space.ensemble.name} explains it{together}: the nearest "
        f"expects {middle:.3g} {observation.unit}, {low:.3g} to {high:.3g} with the error of the "
        f"measurement (chance {chance:.1g}); is it a slip, is the schedule the one that was "
        "given, or are the ranges of the ensemble too narrow?"
    )
    value = f"{'' if observation.seen else 'below '}{observation.value:g} {observation.unit}"
    raise InputError([Problem(label, observation.name, value, rule)])


def _missed(likelihood: Likelihood, log_predicted: FloatArray) -> FloatArray:
    """(n,) squared scores of limits of detection that predictions exceed."""
    scores = likelihood.residuals(log_predicted) / likelihood.total_sd
    return np.asarray((np.minimum(scores[:, ~likelihood.seen], 0.0) ** 2).sum(axis=1))


def surprises(likelihood: Likelihood, before: Sample) -> list[tuple[int, float]]:
    """(observation, chance) of what the ensemble as a whole hardly expects.

    2 min(sum_m w_m Phi(z_m), sum_m w_m Phi(-z_m)),   z_m residual over its standard deviation
    """
    allowed = np.isfinite(before.log_predicted).all(axis=1)
    weights = before.weights[allowed] / before.weights[allowed].sum()
    scores = likelihood.residuals(before.log_predicted[allowed]) / likelihood.total_sd
    below, above = weights @ ndtr(scores), weights @ ndtr(-scores)
    chances = np.where(likelihood.seen, 2.0 * np.minimum(below, above), below)
    return [(i, float(chance)) for i, chance in enumerate(chances) if chance < SURPRISE]
