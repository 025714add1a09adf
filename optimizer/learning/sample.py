"""Weighted parameter sets with what they predict, and the judge's work for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError
from abscopt.optimizer.learning.measured.predicted import log_predicted
from abscopt.optimizer.learning.tempering import weighed
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.learning.measured.likelihood import Likelihood
    from abscopt.optimizer.learning.space import Space
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule


@dataclass(frozen=True)
class Sample:
    """Parameter sets of a patient.

    Attributes
    ----------
    scores : (n, coordinates)
    weights : (n,) adding up to 1; all 0 where nothing has a likelihood
    log_predicted : (n, observations); not a number where the case forbids the set
    log_likelihood : (n,)
    changes : of each, from the case
    half_times : (n,) of resorption, in days
    """

    scores: FloatArray
    weights: FloatArray
    log_predicted: FloatArray
    log_likelihood: FloatArray
    changes: tuple[tuple[Change, ...], ...]
    half_times: FloatArray

    def weighed(self) -> tuple[Sample, float]:
        """With weights times likelihoods, and the log of the mean likelihood."""
        weights, evidence = weighed(self.weights, self.log_likelihood)
        return replace(self, weights=weights), evidence


@dataclass(frozen=True)
class Judgment:
    """What one parameter set predicts."""

    log_predicted: FloatArray
    log_likelihood: float
    changes: tuple[Change, ...]
    half_time_days: float


@dataclass
class Values:
    """Parameter sets judged, each once.

    Attributes
    ----------
    evaluations : trajectories that were judged
    """

    space: Space
    likelihood: Likelihood
    schedule: Schedule
    clock: Clock
    evaluations: int = 0
    temperature: float = 0.0
    _known: dict[bytes, Judgment] = field(default_factory=dict)

    def sample(self, scores: FloatArray, weights: FloatArray) -> Sample:
        """Parameter sets at scores (n, coordinates)."""
        judged = [self._judgment(row) for row in scores]
        return Sample(
            scores,
            weights,
            np.array([j.log_predicted for j in judged]),
            np.array([j.log_likelihood for j in judged]),
            tuple(j.changes for j in judged),
            np.array([j.half_time_days for j in judged]),
        )

    def log_likelihood(self, scores: FloatArray) -> FloatArray:
        """(n,) at scores (n, coordinates)."""
        return np.array([self._judgment(row).log_likelihood for row in scores])

    def say(self, temperature: float) -> None:
        """Note the temperature for reports of progress."""
        self.temperature = temperature

    def _judgment(self, scores: FloatArray) -> Judgment:
        key = scores.tobytes()
        if key not in self._known:
            tick()
            self._known[key] = self._judged(scores)
            if self.evaluations % 8 == 0:
                stage = f", temperature {self.temperature:.3g}" if self.temperature else ""
                phase = f"{self.evaluations} parameter sets judged{stage}"
                self.clock.report(phase, None, None)
        return self._known[key]

    def _judged(self, scores: FloatArray) -> Judgment:
        observations = self.likelihood.observations
        try:
            patient = self.space.patient(scores)
        except InputError:  # beyond what the case allows: no such patient
            return Judgment(np.full(len(observations), np.nan), -np.inf, (), np.nan)
        predicted = log_predicted(
            patient.instance, self.schedule, observations, patient.half_time_days
        )
        self.evaluations += 1
        log_likelihood = float(self.likelihood.log_likelihood(predicted))
        return Judgment(predicted, log_likelihood, patient.changes, patient.half_time_days)
