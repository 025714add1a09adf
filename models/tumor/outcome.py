"""From the log of the clonogens left to the probability of control and the objective."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from abscopt.models.arrays import FloatArray

EXPONENT_CAP = 700.0
"""Above this log burden ``exp`` would overflow; Poisson control is 0 long before."""


def total_log_burden(log_burdens: ArrayLike) -> FloatArray:
    """Return the log clonogen number of a lesion of several clones.

    ``ln Σ_c e^{u_c}`` in nats over the last axis, shape (..., clones) to (...), without overflow;
    the clone's own value where there is one.

    Notes
    -----
    Source: clones that grow and die independently, no DOI. Status: derived.
    """
    burdens = np.asarray(log_burdens, dtype=np.float64)
    return np.asarray(np.logaddexp.reduce(burdens, axis=-1), dtype=np.float64)


def log_control(log_burden: ArrayLike) -> FloatArray:
    """Return the log of the logistic control probability.

    ``ln P = −ln(1 + e^u)`` in nats, any shape, concave in ``u``, without overflow.

    Notes
    -----
    Source: own objective (M23 of docs/reference/model.md). Status: derived.
    """
    return -np.logaddexp(0.0, np.asarray(log_burden, dtype=np.float64))


def control_probability(log_burden: ArrayLike) -> FloatArray:
    """Return the logistic control probability of a log clonogen number.

    ``P = 1/(1 + e^u)``, any shape; it tends to `poisson_tcp` as ``u → −∞``.

    Notes
    -----
    Source: own objective (M23 of docs/reference/model.md). Status: derived.
    """
    return np.exp(log_control(log_burden))


def poisson_tcp(log_burden: ArrayLike) -> FloatArray:
    """Return the Poisson tumor control probability of a log clonogen number.

    ``TCP = exp(−e^u)``, any shape, with ``u = ln N0 − kill + growth``.

    Notes
    -----
    Source: Munro and Gilbert 1961, doi:10.1259/0007-1285-34-400-246. Status: recalled source,
    derived numbers.
    """
    burden = np.minimum(np.asarray(log_burden, dtype=np.float64), EXPONENT_CAP)
    return np.exp(-np.exp(burden))


def concession_burden(floor_nats: float) -> float:
    """Return the log burden at which log control reaches the floor.

    ``u_L`` solves ``ln(1 + e^{u_L}) = L``: ``u_L = L + ln(1 − e^{−L})``, for ``L > 0``.

    Notes
    -----
    Source: own objective (M24 of docs/reference/model.md; L = 4.6 is one percent). Status: derived.
    """
    return floor_nats + math.log(-math.expm1(-floor_nats))


def conceding_value(log_burden: ArrayLike, floor_nats: float, slope: float) -> FloatArray:
    """Return the value of a lesion that may be conceded below the floor.

    ``φ(u) = max(−ln(1 + e^u), −L − ρ·(u − u_L))`` for ``u ≥ u_L``, log control below: a gentle
    line beyond the floor, so that a borderline lesion is not starved for a hopeless one.

    Parameters
    ----------
    log_burden
        ``u``, any shape.
    floor_nats
        ``L`` > 0.
    slope
        ``ρ`` per nat, 0 < ρ < 1 − e^{−L}, the slope of log control at the floor.

    Returns
    -------
    FloatArray
        Value in nats, same shape, continuous and decreasing.

    Notes
    -----
    Taken literally the line would exceed log control again left of ``u_L − L/ρ`` (−87.4 for
    L = 4.6, ρ = 0.05) and reward a thoroughly controlled lesion for being given up.
    Source: own objective (M24 of docs/reference/model.md). Status: derived.
    """
    excess = np.asarray(log_burden, dtype=np.float64) - concession_burden(floor_nats)
    return np.where(excess > 0.0, -floor_nats - slope * excess, log_control(log_burden))


def conceded(log_burden: ArrayLike, floor_nats: float) -> NDArray[np.bool_]:
    """Tell where `conceding_value` is the line and not log control: ``u > u_L``.

    Boolean, shape of ``log_burden``; source as for `conceding_value`. Status: derived.
    """
    return np.asarray(log_burden, dtype=np.float64) > concession_burden(floor_nats)


def ohri_tcp(bed10_gy: ArrayLike, diameter_cm: ArrayLike) -> FloatArray:
    """Return the size-adjusted control probability of lung SBRT.

    ``TCP = 1/(1 + exp(−(BED10 − 10·L)/31))``, BED10 in Gy, diameter ``L`` in cm, broadcast shape.

    Notes
    -----
    Source: Ohri 2012, PMC3867931 (504 tumors; no DOI seen). Status: verified from the abstract.
    """
    bed10 = np.asarray(bed10_gy, dtype=np.float64)
    diameter = np.asarray(diameter_cm, dtype=np.float64)
    return control_probability((10.0 * diameter - bed10) / 31.0)
