"""What blood and images show of a tumor and its treatment: volume on CT, ctDNA, counts."""

import math

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def seen_share(living: ArrayLike, growth: ArrayLike, half_time_days: float) -> FloatArray:
    """Return what an image shows of a tumor day by day: living cells and dead ones not resorbed.

    ``v_t = n_t + x_t``, ``x_0 = 0``, ``x_{t+1} = 2^{−1/T} x_t + max(0, e^{g_t} n_t − n_{t+1})``:
    what is killed on a day stays and is resorbed with the half-time ``T``.

    Parameters
    ----------
    living
        ``n_t``, living cells before day ``t`` as a share of those of day 0, shape (..., days + 1).
    growth
        ``g_t``, log growth of day ``t``, shape that broadcasts with (..., days).
    half_time_days
        ``T`` > 0.

    Returns
    -------
    FloatArray
        Share of the volume of day 0, shape of ``living``.

    Notes
    -----
    Source: volume as a linear function of the number of cells, and exponential disintegration of
    killed ones, Chvetsov 2008, doi:10.1088/0031-9155/53/9/013 (lung tumors after stereotactic
    radiotherapy; verified from the abstract). Status: derived (M48 of docs/reference/model.md).
    """
    share = np.asarray(living, dtype=np.float64)
    grown = share[..., :-1] * np.exp(np.asarray(growth, dtype=np.float64))
    killed = np.maximum(0.0, grown - share[..., 1:])
    stays = math.exp(-math.log(2.0) / half_time_days)
    seen, dead = share.copy(), np.zeros(share.shape[:-1])
    for day in range(share.shape[-1] - 1):
        dead = stays * dead + killed[..., day]
        seen[..., day + 1] += dead
    return seen


def mutant_share(living_cm3: ArrayLike, per_cm3: float) -> FloatArray:
    """Return the share of circulating DNA that is of the tumor.

    ``c = ψ·Σ_s V_s n_s`` over the last axis, (..., lesions) to (...), at most 1: shed by living
    cells at a constant rate and cleared within hours.

    Parameters
    ----------
    living_cm3
        ``V_s n_s``, volume of the living part of each lesion in cm³.
    per_cm3
        ``ψ``, share per cm³.

    Notes
    -----
    Source: share that rises with volume, 0.1 % at 10 cm³, Abbosh 2017, doi:10.1038/nature22364;
    half-time of 114 minutes in blood, Diehl 2008, doi:10.1038/nm.1789 (both recalled). Status:
    derived (M49 of docs/reference/model.md); cells that die under treatment shed more for days,
    which is left out.
    """
    total = np.asarray(living_cm3, dtype=np.float64).sum(axis=-1)
    return np.minimum(1.0, per_cm3 * np.asarray(total, dtype=np.float64))


def normal_log_likelihood(residuals: ArrayLike, covariance: ArrayLike) -> FloatArray:
    """Return the log density of normal residuals.

    ``−½ (r^T C⁻¹ r + ln det C + n ln 2π)`` over the last axis, (..., n) to (...).

    Parameters
    ----------
    residuals
        ``r``, logarithms of what was measured less those of what is expected.
    covariance
        ``C``, shape (n, n).

    Notes
    -----
    Source: multivariate normal density, no DOI. Status: derived (M51 of docs/reference/model.md).
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    root = np.linalg.cholesky(matrix)
    values = np.asarray(residuals, dtype=np.float64)
    scaled = np.linalg.solve(root, np.moveaxis(values, -1, 0).reshape(len(matrix), -1))
    square = (scaled**2).sum(axis=0).reshape(values.shape[:-1])
    constant = 2.0 * float(np.log(np.diag(root)).sum()) + len(matrix) * math.log(2.0 * math.pi)
    return np.asarray(-0.5 * (square + constant), dtype=np.float64)


def log_sd(variation: float) -> float:
    """Return the standard deviation of the logarithm of a lognormal quantity.

    ``s = √(ln(1 + c²))``, ``c`` the coefficient of variation, ≥ 0.

    Notes
    -----
    Source: moments of the lognormal distribution, no DOI. Status: derived.
    """
    return math.sqrt(math.log1p(variation**2))
