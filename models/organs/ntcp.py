"""Normal tissue complication probability of a dose, its inverse and its modifiers."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def logistic(dose_gy: ArrayLike, intercept: ArrayLike, slope_per_gy: ArrayLike) -> FloatArray:
    """Return the logistic complication probability.

    ``p = 1/(1 + exp(−(b0 + b1·D)))``.

    Parameters
    ----------
    dose_gy
        Dose metric ``D`` of the model, such as the mean lung dose, in Gy, any shape.
    intercept, slope_per_gy
        ``b0`` and ``b1`` > 0 per Gy, broadcast with the dose.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], broadcast shape.

    Notes
    -----
    Source: pneumonitis, b0 = −3.87 and b1 = 0.126/Gy, Marks 2010,
    doi:10.1016/j.ijrobp.2009.06.091. Status: parameters and DOI recalled; they give its table of
    9.7/20.6/30.0/38.5 % at 13/20/24/27 Gy.
    """
    log_odds = np.asarray(intercept, dtype=np.float64) + np.asarray(
        slope_per_gy, dtype=np.float64
    ) * np.asarray(dose_gy, dtype=np.float64)
    return np.exp(-np.logaddexp(0.0, -log_odds))


def dose_at_logistic(
    probability: ArrayLike, intercept: ArrayLike, slope_per_gy: ArrayLike
) -> FloatArray:
    """Return the largest dose whose `logistic` probability is at most the given one.

    ``D = (ln(p/(1 − p)) − b0)/b1`` in Gy, broadcast shape; below 0 where even no dose exceeds
    ``p``, infinite for ``p ≥ 1``. Parameters, source and status as for `logistic`.
    """
    allowed = np.clip(np.asarray(probability, dtype=np.float64), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        log_odds = np.log(allowed) - np.log1p(-allowed)
    shifted = log_odds - np.asarray(intercept, dtype=np.float64)
    return shifted / np.asarray(slope_per_gy, dtype=np.float64)


def lkb(dose_gy: ArrayLike, td50_gy: ArrayLike, m: ArrayLike) -> FloatArray:
    """Return the complication probability of Lyman, Kutcher and Burman.

    ``p = Φ((D − TD50)/(m·TD50))``.

    Parameters
    ----------
    dose_gy
        Generalized equivalent uniform dose in Gy (`geud`), any shape.
    td50_gy, m
        Dose of probability one half in Gy and the relative width, > 0, broadcast with the dose.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], broadcast shape.

    Notes
    -----
    Source: Lyman 1985 (Radiat Res 104:S13, no DOI seen); acute esophagitis, TD50 47 Gy, n 0.69,
    m 0.36, Belderbos 2005, doi:10.1016/j.radonc.2005.03.021; pneumonitis, 30.8 Gy, 0.99, 0.374,
    Seppenwoolde 2003, doi:10.1016/S0360-3016(02)03986-X. Status: Belderbos verified,
    Seppenwoolde and the formula recalled.
    """
    center = np.asarray(td50_gy, dtype=np.float64)
    width = np.asarray(m, dtype=np.float64) * center
    return _normal_cdf((np.asarray(dose_gy, dtype=np.float64) - center) / width)


def dose_at_lkb(probability: ArrayLike, td50_gy: ArrayLike, m: ArrayLike) -> FloatArray:
    """Return the largest dose whose `lkb` probability is at most the given one.

    ``D = TD50·(1 + m·Φ⁻¹(p))`` in Gy, broadcast shape; below 0 where even no dose exceeds ``p``,
    infinite for ``p ≥ 1``. Parameters, source and status as for `lkb`.
    """
    probit = _normal_quantile(np.asarray(probability, dtype=np.float64))
    relative = 1.0 + np.asarray(m, dtype=np.float64) * probit
    return np.asarray(td50_gy, dtype=np.float64) * relative


def geud(doses_gy: ArrayLike, volumes: ArrayLike, n: float) -> FloatArray:
    """Return the generalized equivalent uniform dose of a dose-volume histogram.

    ``(Σ v_i·D_i^{1/n})^n`` with ``Σ v_i = 1``.

    Parameters
    ----------
    doses_gy
        Doses of the bins in Gy, ≥ 0, shape (..., bins).
    volumes
        Volumes of the bins in any unit, ≥ 0, shape (bins,) or broadcastable; normalized here.
    n
        Volume exponent, > 0: 1 is the mean, towards 0 the maximum.

    Returns
    -------
    FloatArray
        Dose in Gy, shape (...).

    Notes
    -----
    Scaled by the largest dose, so small ``n`` does not overflow. Source: Niemierko 1999
    (Med Phys 26:1100, no DOI seen). Status: recalled formula.
    """
    doses = np.asarray(doses_gy, dtype=np.float64)
    volume = np.asarray(volumes, dtype=np.float64)
    share = volume / volume.sum(axis=-1, keepdims=True)
    largest = doses.max(axis=-1, keepdims=True)
    relative = doses / np.where(largest > 0.0, largest, 1.0)
    mean = np.sum(share * relative ** (1.0 / n), axis=-1)
    return np.asarray(largest[..., 0] * mean**n, dtype=np.float64)


def modified(
    probability: ArrayLike, risk_ratio: ArrayLike = 1.0, odds_ratio: ArrayLike = 1.0
) -> FloatArray:
    """Return a complication probability after its modifiers.

    ``min(1, RR·expit(logit(p) + ln OR))``: the odds ratio first, the risk ratio on its result.

    Parameters
    ----------
    probability
        ``p`` without the modifiers, in [0, 1], any shape.
    risk_ratio, odds_ratio
        ``RR`` (blockade, 1.37–1.46) and ``OR`` (3.33 for carboplatin-paclitaxel), > 0, broadcast.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], broadcast shape; ``p`` itself without modifiers.

    Notes
    -----
    Source: risk ratios of pneumonitis from the counts of PACIFIC and of Jang 2021,
    doi:10.1186/s13014-021-01930-2; odds ratios of Palma 2013, doi:10.1016/j.ijrobp.2012.04.043.
    Status: counts verified, ratios derived; multiplying them is an assumption.
    """
    base = np.asarray(probability, dtype=np.float64)
    odds = np.asarray(odds_ratio, dtype=np.float64) * base
    shifted = odds / ((1.0 - base) + odds)
    return np.minimum(1.0, np.asarray(risk_ratio, dtype=np.float64) * shifted)


def base_probability(
    cap: ArrayLike, risk_ratio: ArrayLike = 1.0, odds_ratio: ArrayLike = 1.0
) -> FloatArray:
    """Return the largest unmodified probability whose `modified` one is at most the cap.

    ``p = q/(q + OR·(1 − q))`` with ``q = min(1, cap/RR)``; 1 where the cap cannot be exceeded,
    in particular for ``cap ≥ 1``. Shapes, source and status as for `modified`.
    """
    allowed = np.asarray(cap, dtype=np.float64)
    within = np.minimum(1.0, allowed / np.asarray(risk_ratio, dtype=np.float64))
    shifted = np.where(allowed >= 1.0, 1.0, within)
    odds = np.asarray(odds_ratio, dtype=np.float64)
    return shifted / (shifted + odds * (1.0 - shifted))


def _normal_cdf(deviate: FloatArray) -> FloatArray:
    below = np.vectorize(math.erfc, otypes=[np.float64])(-deviate / math.sqrt(2.0)) / 2.0
    return np.asarray(below, dtype=np.float64)


def _normal_quantile(probability: FloatArray) -> FloatArray:
    quantile = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])
    inside = (probability > 0.0) & (probability < 1.0)
    finite = quantile(np.where(inside, probability, 0.5))
    outside = np.where(probability >= 1.0, np.inf, np.where(probability <= 0.0, -np.inf, np.nan))
    return np.where(inside, finite, outside)
