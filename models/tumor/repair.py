"""Incomplete repair between fractions given hours apart."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def unrepaired(hours: ArrayLike, half_time_hours: float | None) -> FloatArray:
    """Return the share of sublethal damage left after some hours.

    ``φ = 2^(−Δt/T½)``.

    Parameters
    ----------
    hours
        Time ``Δt`` since the damage in hours, ≥ 0, any shape.
    half_time_hours
        Repair half-time ``T½`` in hours, > 0; ``None`` is complete repair, 0 everywhere.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], same shape.

    Notes
    -----
    Source: Thames 1985 (Int J Radiat Biol 47:319, no DOI seen); half-times of about 1 h in early
    and more than 3 h in late tissue, Thames 1990, doi:10.1016/0167-8140(90)90149-Q.
    Status: formula verified in LQL-Equiv, half-times verified.
    """
    elapsed = np.asarray(hours, dtype=np.float64)
    if half_time_hours is None:
        return np.zeros_like(elapsed)
    return np.exp2(-elapsed / half_time_hours)


def thames_factor(fractions_per_day: int, unrepaired: ArrayLike) -> FloatArray:
    """Return what incomplete repair adds to the quadratic term of a day of equal fractions.

    ``H_m = (2/m)·(φ/(1 − φ))·(m − (1 − φ^m)/(1 − φ))``, so ``BED = n·d·(1 + (1 + H_m)·d/(α/β))``.

    Parameters
    ----------
    fractions_per_day
        ``m`` ≥ 1.
    unrepaired
        ``φ`` from one fraction to the next, in [0, 1], any shape.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, m − 1], shape of ``unrepaired``; the nights repair completely.

    Notes
    -----
    Computed as the polynomial ``(2/m)·Σ_{i=1}^{m−1} (m − i)·φ^i``, the same without a singularity.
    Source: Thames 1985 (Int J Radiat Biol 47:319, no DOI seen). Status: verified in LQL-Equiv,
    with its table.
    """
    left = np.asarray(unrepaired, dtype=np.float64)[..., np.newaxis]
    gaps = np.arange(1, fractions_per_day)
    pairs = np.sum((fractions_per_day - gaps) * left**gaps, axis=-1)
    return np.asarray(2.0 / fractions_per_day * pairs, dtype=np.float64)


def slot_factors(fractions_per_day: int, unrepaired: ArrayLike) -> FloatArray:
    """Return the factor of the quadratic term of each fraction of a day of equal fractions.

    ``1 + 2·Σ_{i=1}^{j} φ^i`` for ``j = 0 … m − 1`` earlier fractions; the mean over a day is
    ``1 + H_m`` of `thames_factor`.

    Parameters
    ----------
    fractions_per_day, unrepaired
        ``m`` and ``φ``, as for `thames_factor`.

    Returns
    -------
    FloatArray
        Dimensionless, ≥ 1, shape (..., m) with the dimensions of ``unrepaired`` in front.

    Notes
    -----
    Source: `thames_factor`, its pairs booked on the later fraction. Status: derived.
    """
    left = np.asarray(unrepaired, dtype=np.float64)[..., np.newaxis]
    powers: FloatArray = left ** np.arange(fractions_per_day)
    return 2.0 * np.cumsum(powers, axis=-1) - 1.0


def paired_slots(first: ArrayLike, second: ArrayLike, unrepaired: float) -> FloatArray:
    """Return the weight of the cross term of two courses that share the slots of a day.

    ``Σ_{a<first} Σ_{b<second} φ^|a−b|``: both courses fill the day's slots from the first.

    Parameters
    ----------
    first, second
        Fractions of the two courses on the day, whole numbers ≥ 0, any shapes.
    unrepaired
        ``φ`` from one slot to the next, in [0, 1].

    Returns
    -------
    FloatArray
        Dimensionless, broadcast shape; ``m·(1 + H_m)`` for ``m`` fractions each.

    Notes
    -----
    Source: the double sum of `irregular_square`, slot by slot. Status: derived.
    """
    one, other = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
    slots = np.arange(max(one.max(initial=0), other.max(initial=0)))
    weights = np.zeros((slots.size + 1, slots.size + 1))
    pairs = float(unrepaired) ** np.abs(slots[:, np.newaxis] - slots)
    weights[1:, 1:] = pairs.cumsum(axis=0).cumsum(axis=1)
    return np.asarray(weights[one, other], dtype=np.float64)


def irregular_square(
    doses: ArrayLike, hours: ArrayLike, half_time_hours: float | None
) -> FloatArray:
    """Return the dose squared that counts for fractions at any times.

    ``Σ_i Σ_j d_i·d_j·2^(−|t_i − t_j|/T½)``, so ``BED = Σ d_i + square/(α/β)``.

    Parameters
    ----------
    doses, hours
        Doses in Gy and times in hours, in any order, shape (..., fractions).
    half_time_hours
        Repair half-time in hours, > 0; with ``None`` only fractions at one time add up.

    Returns
    -------
    FloatArray
        Gy², shape (...).

    Notes
    -----
    Source: Thames 1985 (Int J Radiat Biol 47:319, no DOI seen). Status: derived, checked against
    the table of `thames_factor`; without LQ-L tail.
    """
    dose = np.asarray(doses, dtype=np.float64)
    time = np.asarray(hours, dtype=np.float64)
    elapsed = np.abs(time[..., :, np.newaxis] - time[..., np.newaxis, :])
    left = np.where(elapsed == 0.0, 1.0, unrepaired(elapsed, half_time_hours))
    return np.asarray(np.einsum("...i,...ij,...j->...", dose, left, dose), dtype=np.float64)
