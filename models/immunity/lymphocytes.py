"""Circulating lymphocytes: loss per fraction, recovery, and dose to immune cells."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def recovery(days_since: ArrayLike, half_time_days: float | None) -> FloatArray:
    """Return the share of a lymphocyte loss that is still there.

    ``ρ(x) = 2^(−x/T)`` for ``x ≥ 0``, 0 before the loss happened.

    Parameters
    ----------
    days_since
        Days since the loss, any shape.
    half_time_days
        Recovery half-time ``T`` in days, > 0; ``None`` is no recovery.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], same shape.

    Notes
    -----
    Source: half-time 35 d in github ce-gaudet/HEDOS_Extension (after HEDOS,
    doi:10.1088/1361-6560/ac16ea). Status: verified in that code; its origin is not stated.
    """
    days = np.asarray(days_since, dtype=np.float64)
    rate = 0.0 if half_time_days is None else 1.0 / half_time_days
    return np.where(days >= 0.0, np.exp2(-rate * np.maximum(days, 0.0)), 0.0)


def effect_weights(mobilization: ArrayLike, half_time_days: float | None) -> FloatArray:
    """Return how much a lymphocyte loss on each day weakens the mobilized effect.

    ``w(t) = Σ_{τ≥t} m(τ)·ρ(τ−t) / Σ_τ m(τ)``, by the backward recursion
    ``b(t) = m(t) + ρ(1)·b(t+1)``.

    Parameters
    ----------
    mobilization
        Mobilization ``m`` per day, ≥ 0, shape (..., days).
    half_time_days
        Recovery half-time in days, or ``None`` for no recovery.

    Returns
    -------
    FloatArray
        Shape (..., days), in [0, 1]; zeros where nothing is mobilized at all.

    Notes
    -----
    Source: own model (M20 of docs/reference/model.md). Status: derived.
    """
    mobilized = np.asarray(mobilization, dtype=np.float64)
    kept = float(recovery(1.0, half_time_days))
    weights = np.zeros_like(mobilized)
    later = np.zeros(mobilized.shape[:-1])
    for day in range(mobilized.shape[-1] - 1, -1, -1):
        later = mobilized[..., day] + kept * later
        weights[..., day] = later
    total = mobilized.sum(axis=-1, keepdims=True)
    return weights / np.where(total > 0.0, total, 1.0)


def log_loss(
    day: ArrayLike,
    fraction_days: ArrayLike,
    losses: ArrayLike,
    half_time_days: float | None,
) -> FloatArray:
    """Return the natural-log lymphocyte loss left on given days.

    ``Σ_{t_i ≤ day} κ_i·ρ(day − t_i)``, so ``ln ALC = ln ALC0 − loss``.

    Parameters
    ----------
    day
        Days on which to count, any shape.
    fraction_days
        Days ``t_i`` of the fractions, shape (fractions,).
    losses
        Loss ``κ`` per fraction in nats (0.005–0.08), scalar or shape (fractions,).
    half_time_days
        Recovery half-time in days, or ``None`` for no recovery.

    Returns
    -------
    FloatArray
        Loss in nats, shape of ``day``.

    Notes
    -----
    Source: log-linear law in the number of fractions from the counts of MacLennan 1978
    (Cancer 41:108, no DOI seen). Status: derived; the recovery factor is
    own model (M31 of docs/reference/model.md).
    """
    fractions = np.asarray(fraction_days, dtype=np.float64)
    elapsed = np.asarray(day, dtype=np.float64)[..., np.newaxis] - fractions
    weighted = np.asarray(losses, dtype=np.float64) * recovery(elapsed, half_time_days)
    return np.asarray(weighted.sum(axis=-1), dtype=np.float64)


def edric(
    mean_lung_gy: ArrayLike,
    mean_heart_gy: ArrayLike,
    integral_dose_gy_cm3: ArrayLike,
    fractions: ArrayLike,
    body_cm3: float = 62000.0,
) -> FloatArray:
    """Return the estimated dose of radiation to immune cells.

    ``EDRIC = 0.12·MLD + 0.08·MHD + [0.45 + 0.35·0.85·√(n/45)]·ITD/62 000``.

    Parameters
    ----------
    mean_lung_gy, mean_heart_gy
        Physical mean doses in Gy, any shape.
    integral_dose_gy_cm3
        Integral total dose in Gy·cm³, broadcast.
    fractions
        Number of fractions, ≥ 0, summed over all lesions, broadcast.
    body_cm3
        Body volume that turns the integral dose into a mean body dose.

    Returns
    -------
    FloatArray
        EDRIC in Gy, broadcast shape.

    Notes
    -----
    Source: Jin's formula as coded in a RayStation script citing Ladbury 2019 (IJROBP); EDIC in
    RTOG 0617: Jin 2021, doi:10.3390/cancers13246193. Status: verified in code, not in the paper.
    """
    body_mean = np.asarray(integral_dose_gy_cm3, dtype=np.float64) / body_cm3
    number = np.asarray(fractions, dtype=np.float64)
    blood = 0.45 + 0.35 * 0.85 * np.sqrt(number / 45.0)
    lung = np.asarray(mean_lung_gy, dtype=np.float64)
    heart = np.asarray(mean_heart_gy, dtype=np.float64)
    return 0.12 * lung + 0.08 * heart + blood * body_mean


def count_factor(count: float, reference: float, exponent: float) -> float:
    """Return the factor by which the count before treatment scales the systemic effect.

    ``(ALC₀/ALC_ref)^p``: fewer lymphocytes, less effect.

    Parameters
    ----------
    count, reference
        ``ALC₀`` and ``ALC_ref`` in 10⁹/L, > 0.
    exponent
        ``p`` ≥ 0; 0 leaves the effect as it is.

    Returns
    -------
    float
        Dimensionless, > 0; exactly 1 where ``p = 0``.

    Notes
    -----
    Source: Chen 2020: of patients under radiation and blockade those with a count above the median
    had abscopal responses in 34 %, those below in 4 % (verified from the abstract). Status: the
    power is derived, its exponent assumed (M45 of docs/reference/model.md).
    """
    return float((count / reference) ** exponent)
