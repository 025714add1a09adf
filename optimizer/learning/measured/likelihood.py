"""How well members explain what was measured: joint lognormal errors, limits of detection.

With r_i = ln y_i - ln y^_i the residual of observation i,

    r = B f,    f_k ~ N(0, s_k^2) independent,    C = B diag(s^2) B^T

f are the error of each measurement and what several share: the level of a kind in the patient, and
the lymphocytes of a blood sample, which err in ALC and NLR of a day alike. C is the same in every
member.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr  # type: ignore[import-untyped]

from abscopt.models.biomarkers import normal_log_likelihood
from abscopt.optimizer.learning.measured.errors import (
    ALC_LEVEL_SD,
    ALC_SD,
    CTDNA_LEVEL_SD,
    NEUTROPHIL_LEVEL_SD,
    VOLUME_LEVEL_SD,
)

if TYPE_CHECKING:
    from abscopt.models.arrays import BoolArray, FloatArray
    from abscopt.optimizer.learning.measured.observations import Observation

REACH = 8.0
"""Standard deviations of the level over which limits of detection are integrated."""
NODES = 401
"""Of the trapezoidal rule there: 0.04 standard deviations apart."""


class Likelihood:
    """Likelihood of residuals.

    Attributes
    ----------
    covariance : (n, n) of all residuals
    seen : (n,) False for limits of detection
    """

    def __init__(self, observations: Sequence[Observation]):
        self.observations = tuple(observations)
        self.values: FloatArray = np.log([o.value for o in observations])
        self.seen: BoolArray = np.array([o.seen for o in observations])
        sd, loadings = _factors(self.observations)
        self.covariance: FloatArray = (loadings * sd**2) @ loadings.T

    @property
    def total_sd(self) -> FloatArray:
        """(n,) of each residual, its level included."""
        return np.sqrt(np.diag(self.covariance))

    def residuals(self, log_predicted: FloatArray) -> FloatArray:
        """(..., n) logarithms of what was measured over what is predicted."""
        return np.asarray(self.values - log_predicted, dtype=np.float64)

    def log_likelihood(self, log_predicted: FloatArray) -> FloatArray:
        """(...) log likelihood of predictions (..., n)."""
        residuals = self.residuals(log_predicted)
        total = np.zeros(residuals.shape[:-1])
        if self.seen.any():
            block = self.covariance[np.ix_(self.seen, self.seen)]
            total = total + normal_log_likelihood(residuals[..., self.seen], block)
        if not self.seen.all():
            total = total + self._unseen(residuals)
        return total

    def squares(self, log_predicted: FloatArray) -> FloatArray:
        """(...) r^T C^-1 r of what was seen: chi-squared with as many degrees of freedom."""
        residuals = self.residuals(log_predicted)[..., self.seen]
        if not self.seen.any():
            return np.zeros(residuals.shape[:-1])
        block = self.covariance[np.ix_(self.seen, self.seen)]
        solved = np.linalg.solve(block, np.moveaxis(residuals, -1, 0).reshape(len(block), -1))
        solved = np.moveaxis(solved.reshape(len(block), *residuals.shape[:-1]), 0, -1)
        return np.asarray((residuals * solved).sum(axis=-1), dtype=np.float64)

    def _unseen(self, residuals: FloatArray) -> FloatArray:
        """(...) log probability that all limits of detection hold, given what was seen.

        ln int N(b; m, v) prod_i Phi((r_i - b) / s_i) db, with the level b of ctDNA normal given
        the residuals that were seen: m = c^T C^-1 r, v = tau^2 - c^T C^-1 c.
        """
        variance = CTDNA_LEVEL_SD.value**2
        shared = np.array([variance * (o.kind == "ctdna") for o in self.observations])[self.seen]
        mean: FloatArray = np.zeros(residuals.shape[:-1])
        if self.seen.any():
            block = self.covariance[np.ix_(self.seen, self.seen)]
            weights = np.linalg.solve(block, shared)
            mean = residuals[..., self.seen] @ weights
            variance -= float(shared @ weights)
        scores = np.linspace(-REACH, REACH, NODES)
        level = mean[..., None] + np.sqrt(max(variance, 0.0)) * scores
        log_density = -0.5 * scores**2
        log_density = log_density - np.logaddexp.reduce(log_density)
        for i in np.flatnonzero(~self.seen):
            beyond = (residuals[..., i, None] - level) / self.observations[i].sd
            log_density = log_density + log_ndtr(beyond)
        return np.asarray(np.logaddexp.reduce(log_density, axis=-1), dtype=np.float64)


def _factors(observations: Sequence[Observation]) -> tuple[FloatArray, FloatArray]:
    """(factors,) standard deviations, and (observations, factors) what residuals have of each."""
    counts = {o.day: o.sd for o in observations if o.kind == "alc"}
    sd: dict[str, float] = {}
    loadings: list[dict[str, float]] = []
    for i, observation in enumerate(observations):
        if observation.kind in ("alc", "nlr"):
            sign, sample = (1.0 if observation.kind == "alc" else -1.0), f"sample {observation.day}"
            row = {"count": sign, sample: sign}
            sd |= {"count": ALC_LEVEL_SD.value, sample: counts.get(observation.day, ALC_SD.value)}
            if observation.kind == "nlr":
                row |= {"neutrophils": 1.0, f"error {i}": 1.0}
                sd |= {"neutrophils": NEUTROPHIL_LEVEL_SD.value, f"error {i}": observation.sd}
        else:
            level = f"level {observation.kind} {observation.lesion}"
            row = {level: 1.0, f"error {i}": 1.0}
            volume = observation.kind == "volume"
            sd[level] = VOLUME_LEVEL_SD.value if volume else CTDNA_LEVEL_SD.value
            sd[f"error {i}"] = observation.sd
        loadings.append(row)
    table = [[row.get(name, 0.0) for name in sd] for row in loadings]
    return np.array(list(sd.values())), np.array(table)
