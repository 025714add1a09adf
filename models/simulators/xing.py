"""Pulses of radiation that call T cells, and kill those called before: the model behind Xing 2025.

Each day, with the old values on the right::

    S = exp(−(1 + γ·R)·(α·d + β·d²))
    T ← S·T·exp(μ − Z),  Z = p1·(ω1·I + ω2·B)     viable tumor
    I ← λ·B + I·exp(−α1·d)                       T cells in the tumor
    B ← (1 − λ)·B·exp(−φ·d) + ρ·[d > 0]          T cells called by a fraction, not yet inside
    R ← min(1, R·(1 − 1/τ) + 1 − S)              sensitization by what the last fractions killed

A fraction spares few of the cells on their way (φ) and most of those inside (α1), so one that comes
before the others have entered wastes them; without antibody (``p1 = 0``) only R is left, and close
fractions kill more.

Source of equations and constants: github MLenaBleile/RPAI, variance/data_generation_fncs.R at
commit 6351b92 (there called best parameters), by a co-author of Xing 2025,
doi:10.3934/mbe.2025044, and Rouf 2024, arXiv 2402.06101, of whose papers only the abstracts could
be read. Status: verified in that code, not in the papers. The code names no unit of dose and
simulates fractions of 1; its fit is to mice that had fractions of 10 Gy, and α/β is 16 in Gy: doses
are Gy here (derived). Units: days, Gy, volumes in cm³, T cells in arbitrary units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.simulators.trajectory import Trajectory, Value, daily, stacked

FITTED_DOSE_GY = 10.0
"""Dose of every fraction of the mice that the constants are fitted to."""

HIGHEST_LEVEL = 3.0
"""Greatest ``p1``. Status: verified in the code (2 in another version of it)."""

INFUSION_LEVEL = 2.0
"""``p1`` of one infusion on its day. Status: as above (1 in the other version)."""

INFUSION_DAYS = 7
"""Days over which the level of one infusion falls to 0, in a straight line. Status: as above."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of the daily map; numbers, or arrays that broadcast with the schedules.

    Parameters
    ----------
    alpha_per_gy, beta_per_gy2, growth_per_day
        ``α``, ``β``, ``μ`` of the tumor.
    sensitization, sensitization_days
        ``γ`` and ``τ`` ≥ 1.
    called_per_fraction, called_alpha_per_gy
        ``ρ`` and ``φ``: T cells called by a fraction of any dose, and their radiosensitivity.
    infiltration_per_day, inside_alpha_per_gy
        ``λ`` in [0, 1] and ``α1``.
    kill_inside, kill_called
        ``ω1`` and ``ω2``, log kill per T cell and day at ``p1 = 1``.
    called_at_start
        ``B`` before treatment.
    """

    alpha_per_gy: Value = 0.02404
    beta_per_gy2: Value = 0.00148
    growth_per_day: Value = 0.21601
    sensitization: Value = 0.88301
    sensitization_days: Value = 8.79821
    called_per_fraction: Value = 1.70781
    called_alpha_per_gy: Value = 0.96396
    infiltration_per_day: Value = 0.30441
    inside_alpha_per_gy: Value = 0.05205
    kill_inside: Value = 0.02349
    kill_called: Value = 0.01404
    called_at_start: Value = 1e-5


@dataclass(frozen=True)
class Response(Trajectory):
    """Tumor and T cells at the start of each day; nothing is doomed in this model.

    Parameters
    ----------
    log_viable
        ``ln T`` with ``T`` in cm³, shape (..., days + 1); stays exact where ``T`` underflows.
    called, inside, sensitization
        ``B``, ``I`` and ``R``, shape (..., days + 1).
    immune_kill
        ``Z`` of each day in nats, shape (..., days).
    """

    log_viable: FloatArray
    called: FloatArray
    inside: FloatArray
    sensitization: FloatArray
    immune_kill: FloatArray


def antibody_levels(infusion_days: ArrayLike, days: int) -> FloatArray:
    """Return the level ``p1`` of each day as the public code of the model states it.

    Parameters
    ----------
    infusion_days
        Days of the infusions, whole numbers ≥ 0; a day that stands twice counts twice.
    days
        Number of days.

    Returns
    -------
    FloatArray
        ``min(3, Σ 2·max(0, 1 − age/7))`` over the infusions given so far, shape (days,).

    Notes
    -----
    Source and status: module docstring and the constants.
    """
    age = np.arange(days)[:, np.newaxis] - np.asarray(infusion_days, dtype=np.float64)
    left = np.where(age >= 0.0, np.maximum(0.0, 1.0 - age / INFUSION_DAYS), 0.0)
    return np.asarray(np.minimum(HIGHEST_LEVEL, INFUSION_LEVEL * left.sum(axis=1)))


def simulate(
    parameters: Parameters,
    dose_gy: ArrayLike,
    anti_pd1: ArrayLike = 0.0,
    *,
    tumor_cm3: ArrayLike,
) -> Response:
    """Return tumors and T cells of many schedules at once.

    Parameters
    ----------
    parameters
        The fitted constants, or others.
    dose_gy
        Dose of the fraction of each day in Gy, shape (..., days).
    anti_pd1
        ``p1`` of each day, ≥ 0, dimensionless, shape (..., days) or one number (`antibody_levels`).
    tumor_cm3
        ``T > 0`` on day 0, broadcast. The map is linear in it.

    Returns
    -------
    Response
        The broadcast of all leading axes first and days last.

    Raises
    ------
    ValueError
        A negative input or one that is not finite, a wrong number of days, a start without tumor.

    Notes
    -----
    The step is the map itself, so there is no numerical error but rounding.
    Source and status: module docstring.
    """
    dose, level = daily(dose_gy, anti_pd1=anti_pd1)
    start = np.asarray(tumor_cm3, dtype=np.float64)
    if not np.all((start > 0.0) & (start < np.inf)):
        raise ValueError("tumor_cm3 must be finite and positive")
    p = parameters
    log_tumor, inside, sensitized = np.log(start), np.zeros(()), np.zeros(())
    called = np.asarray(p.called_at_start, dtype=np.float64)
    states, killed = [(log_tumor, called, inside, sensitized)], []
    for day in range(len(dose)):
        d = dose[day]
        log_kill = (1.0 + p.sensitization * sensitized) * (
            p.alpha_per_gy * d + p.beta_per_gy2 * d**2
        )
        immune_kill = level[day] * (p.kill_inside * inside + p.kill_called * called)
        log_tumor = log_tumor + p.growth_per_day - immune_kill - log_kill
        inside = p.infiltration_per_day * called + inside * np.exp(-p.inside_alpha_per_gy * d)
        staying = (1.0 - p.infiltration_per_day) * np.exp(-p.called_alpha_per_gy * d)
        called = staying * called + p.called_per_fraction * (d > 0.0)
        faded = sensitized * (1.0 - 1.0 / p.sensitization_days)
        sensitized = np.minimum(1.0, faded - np.expm1(-log_kill))
        states.append((log_tumor, called, inside, sensitized))
        killed.append(np.asarray(immune_kill))
    logs, outside, infiltrate, memory, kills = stacked(
        *([np.asarray(state[i]) for state in states] for i in range(4)), killed
    )
    viable = np.exp(logs)
    return Response(viable, np.zeros_like(viable), logs, outside, infiltrate, memory, kills)
