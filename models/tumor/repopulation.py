"""Clonogen growth: untreated doubling and accelerated repopulation during a course."""

import math

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def accelerated_days(
    first_day: ArrayLike,
    last_day: ArrayLike,
    kick_off_days: ArrayLike,
    until_day: ArrayLike | None = None,
) -> FloatArray:
    """Return the days of accelerated repopulation of a course, counted up to a horizon.

    ``max(0, min(last, until) − first − T_k)``: acceleration starts ``T_k`` after the first
    fraction and ends with the last one.

    Parameters
    ----------
    first_day, last_day
        Days of the first and the last fraction, any shape.
    kick_off_days
        ``T_k`` in days, broadcast.
    until_day
        Horizon in days, broadcast; ``None`` counts the whole course.

    Returns
    -------
    FloatArray
        Days, ≥ 0, broadcast shape.

    Notes
    -----
    Elapsed time is last − first, one day less than the number of calendar days touched.
    Source: Fowler 1989, doi:10.1259/0007-1285-62-740-679. Status: verified formula,
    DOI recalled.
    """
    end = np.asarray(last_day, dtype=np.float64)
    if until_day is not None:
        end = np.minimum(end, np.asarray(until_day, dtype=np.float64))
    start = np.asarray(first_day, dtype=np.float64) + np.asarray(kick_off_days, dtype=np.float64)
    return np.maximum(0.0, end - start)


def bed_loss_per_day(alpha_per_gy: ArrayLike, doubling_time_days: ArrayLike) -> FloatArray:
    """Return the BED that one day of repopulation takes away.

    ``τ = ln 2/(α·T_d)`` in Gy per day, broadcast shape; ``α`` in 1/Gy and ``T_d`` in days, > 0.

    Notes
    -----
    Source: Fowler 1989, doi:10.1259/0007-1285-62-740-679; α = 0.35, T_d = 3 give 0.660 Gy/day.
    Status: verified, DOI recalled.
    """
    alpha = np.asarray(alpha_per_gy, dtype=np.float64)
    return math.log(2.0) / (alpha * np.asarray(doubling_time_days, dtype=np.float64))


def log_growth(
    days: ArrayLike,
    growth_doubling_time_days: float | None,
    repopulation_doubling_time_days: float | None,
    accelerated: ArrayLike,
) -> FloatArray:
    """Return the natural-log growth in which accelerated days replace untreated ones.

    ``ln2/T_g·(days − accelerated) + ln2/T_r·accelerated``.

    Parameters
    ----------
    days
        Elapsed days, ≥ ``accelerated``, any shape.
    growth_doubling_time_days
        Untreated doubling time ``T_g``; ``None`` is no untreated growth.
    repopulation_doubling_time_days
        Doubling time ``T_r`` once accelerated; ``None`` keeps the untreated rate.
    accelerated
        Days of accelerated repopulation among them (`accelerated_days`), broadcast.

    Returns
    -------
    FloatArray
        Growth in nats, broadcast shape.

    Notes
    -----
    Source: the BED time factor of Fowler 1989, doi:10.1259/0007-1285-62-740-679, written as
    cell number. Status: derived.
    """
    growth = _rate(growth_doubling_time_days)
    repopulation = (
        growth
        if repopulation_doubling_time_days is None
        else _rate(repopulation_doubling_time_days)
    )
    fast = np.asarray(accelerated, dtype=np.float64)
    return growth * (np.asarray(days, dtype=np.float64) - fast) + repopulation * fast


def _rate(doubling_time_days: float | None) -> float:
    return 0.0 if doubling_time_days is None else math.log(2.0) / doubling_time_days
