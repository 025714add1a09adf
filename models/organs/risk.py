"""Risks of single doses that add up over a plan."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def risk_budget(probability: ArrayLike) -> FloatArray:
    """Return the cumulative hazard of a probability: hazards of independent doses add.

    ``−ln(1 − p)`` in nats, any shape, infinite for ``p = 1``.

    Notes
    -----
    Source: independent events, no DOI. Status: derived.
    """
    with np.errstate(divide="ignore"):
        return -np.log1p(-np.asarray(probability, dtype=np.float64))


def cumulative_risk(per_dose_risks: ArrayLike) -> FloatArray:
    """Return the probability of at least one event over all doses.

    ``1 − Π_i (1 − p_i)``.

    Parameters
    ----------
    per_dose_risks
        Probability of each dose, in [0, 1], shape (..., doses), possibly without doses.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], shape (...).

    Notes
    -----
    Source: independent events, no DOI. Status: derived; dependence between doses is not modeled.
    """
    return risk_of_budget(risk_budget(per_dose_risks).sum(axis=-1))


def risk_of_budget(budget: ArrayLike) -> FloatArray:
    """Return the probability of at least one event at a sum of `risk_budget`.

    ``1 − e^{−B}``, any shape.

    Notes
    -----
    Source: `cumulative_risk`. Status: derived.
    """
    return -np.expm1(-np.asarray(budget, dtype=np.float64))
