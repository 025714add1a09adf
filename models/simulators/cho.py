"""Radio-immune response as a daily map: the model of Cho, Yoon, Suh and Scott (2023).

Each day, with the old values on the right::

    T ← S_T·T·exp(μ − Z)                                    viable tumor, cm³
    D ← (1 − λ_D)·D + T·e^μ·(1 − S_T·e^−Z)                  doomed tumor, cm³
    L ← (1 − λ_L)·S_L·L + ρ·T + ψ·ε·A·T                     lymphocytes, arbitrary units
    A ← (1 − ε)·(A·S_L + λ_A·(1 − A))                       triggering cells, 0 … 1
    Z = Z_p + Z_s,  Z_p = ω·L/(1 + κ·T^⅔·L/(1 + p1)),  Z_s = Σ_{i≤n} γ·(1 + c4_i)/(r + c4_i)·Z_p,i
    ε = tanh((1 − S_T)·V_C),  S = exp(−α·d − β·d²)

A tumor of several parts, each with its own dose (derived, not in the paper): the parts share L, A
and Z; T is their sum, and S_L and 1 − S_T in L, A and ε are means weighted with the viable volume.

Source of equations and numbers: doi:10.1088/1361-6560/ace819 as stated and coded in github
hannahgsimon/HALModeling2024. Status: verified in that third-party code, not in the paper; the
form of the recovery of A from a second third-party script. Units: cm³, days, Gy.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity.ctla4 import activated_fraction
from abscopt.models.simulators.trajectory import Trajectory, Value, daily, stacked


@dataclass(frozen=True)
class Radiosensitivity:
    """Linear-quadratic parameters of tumor cells and of immune cells in the field.

    Lymphocytes and triggering cells share theirs, as in the third-party code.
    """

    tumor_alpha_per_gy: Value
    tumor_beta_per_gy2: Value
    immune_alpha_per_gy: Value = 0.182
    immune_beta_per_gy2: Value = 0.143

    def log_survival(self, dose_gy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ln S_T and ln S_L of one fraction, broadcast shape, dimensionless."""
        square = np.square(dose_gy)
        return (
            -self.tumor_alpha_per_gy * dose_gy - self.tumor_beta_per_gy2 * square,
            -self.immune_alpha_per_gy * dose_gy - self.immune_beta_per_gy2 * square,
        )


@dataclass(frozen=True)
class Parameters:
    """Parameters of the daily map; numbers, or arrays that broadcast with the schedules.

    Parameters
    ----------
    growth_per_day
        ``μ``, log growth per day.
    infiltration, radiation_infiltration
        ``ρ`` and ``ψ``, lymphocytes per cm³ and day.
    kill_per_lymphocyte
        ``ω``.
    suppression
        ``κ``, per cm² and lymphocyte.
    doomed_loss_per_day, lymphocyte_loss_per_day, triggering_recovery_per_day
        ``λ_D``, ``λ_L``, ``λ_A``, in [0, 1].
    radiosensitivity
        ``None`` where the parameter set has no radiation.
    memory, ctla4_threshold
        ``γ`` and ``r`` of the secondary response; ``γ = 0`` leaves it out.
    """

    growth_per_day: Value
    infiltration: Value
    kill_per_lymphocyte: Value
    suppression: Value
    doomed_loss_per_day: Value
    lymphocyte_loss_per_day: Value
    triggering_recovery_per_day: Value
    radiation_infiltration: Value
    radiosensitivity: Radiosensitivity | None
    memory: Value = 0.0314
    ctla4_threshold: float = 5.0


FIGURE_2 = Parameters(0.217, 0.1, 0.05, 0.012, 0.039, 0.335, 0.039, 0.0, None)
"""Growth and escape without radiation. Status: verified in third-party code (κ there moved about
its fold at 0.0126 between commits: 0.012, 0.0149, 0.015)."""

FIGURE_3 = Parameters(
    0.217, 0.5, 0.135, 0.51, 0.045, 0.045, 0.045, 0.0, Radiosensitivity(0.05, 0.0114)
)
"""Radiation without radiation-induced infiltration. Status: verified in third-party code, whose
agent-based twin has ρ = 0.05."""

FIGURES_4_5 = Parameters(
    0.217, 0.5, 0.135, 1.1, 0.045, 0.045, 0.045, 300.0, Radiosensitivity(0.05, 0.0114)
)
"""With radiation-induced infiltration. Status: verified in third-party code."""

FIGURE_6 = Parameters(
    0.03, 0.1, 0.004, 0.5, 0.045, 0.056, 0.045, 4.6, Radiosensitivity(0.214, 0.0214)
)
"""Slowly growing tumor. Status: verified in third-party code."""


@dataclass(frozen=True)
class Response(Trajectory):
    """Tumor and immune cells at the start of each day, and the responses of each day.

    Parameters
    ----------
    log_viable
        ``ln T`` with ``T`` in cm³, all parts together, shape (..., days + 1); stays exact where
        ``T`` underflows.
    lymphocytes, triggering
        ``L`` and ``A``, shape (..., days + 1).
    primary, secondary
        ``Z_p`` and ``Z_s`` in nats, shape (..., days).
    """

    log_viable: FloatArray
    lymphocytes: FloatArray
    triggering: FloatArray
    primary: FloatArray
    secondary: FloatArray


def simulate(
    parameters: Parameters,
    dose_gy: ArrayLike,
    anti_pd1: ArrayLike = 0.0,
    anti_ctla4: ArrayLike = 0.0,
    *,
    tumor_cm3: ArrayLike,
    doomed_cm3: ArrayLike = 0.0,
    lymphocytes: ArrayLike = 0.0,
    triggering: ArrayLike = 1.0,
    damaged_volume: ArrayLike = 1.0,
    part_shares: ArrayLike | None = None,
) -> Response:
    """Return tumor and immune cells of many schedules at once.

    Parameters
    ----------
    parameters
        One of the published sets, or a changed one.
    dose_gy
        Dose of the fraction of each day in Gy, shape (..., days).
    anti_pd1, anti_ctla4
        Drug levels ``p1`` and ``c4`` of each day, ≥ 0, dimensionless (multiples of the level of
        half effect), shape (..., days) or one number.
    tumor_cm3, doomed_cm3, lymphocytes, triggering
        Start values, ``T > 0``, broadcast with the leading axes.
    damaged_volume
        ``V_C`` of each day in [0, 1], the share of the volume with radiation damage, shape
        (..., days) or one number.
    part_shares
        Shares of the start volume of a tumor of several parts, ≥ 0 with sum 1, shape
        (..., parts); ``dose_gy`` is then that of each part, shape (..., parts, days). ``None`` is
        one part.

    Returns
    -------
    Response
        Burden and states, the broadcast of all leading axes first and days last.

    Raises
    ------
    ValueError
        A negative input or one that is not finite, a wrong number of days, a start without tumor,
        dose for a parameter set without radiosensitivity, or shares that are not those of a whole.

    Notes
    -----
    ``V_C`` is an input because its origin is not settled: the equations use ``S_T`` of the same
    day, the third-party code that of the last fraction with ``V_C`` = radiation-doomed/all cells,
    which is 0 at the first fraction. The step is the map itself, so there is no numerical error
    but rounding. Without immune control ``T`` overflows after about 709/μ days.
    Source and status: module docstring.
    """
    dose, pd1, ctla4, damaged = daily(
        dose_gy, anti_pd1=anti_pd1, anti_ctla4=anti_ctla4, damaged_volume=damaged_volume
    )
    start = np.asarray(tumor_cm3, dtype=np.float64)
    if not np.all((start > 0.0) & (start < np.inf)):
        raise ValueError("tumor_cm3 must be finite and positive")
    p = parameters
    radiosensitivity = p.radiosensitivity
    if radiosensitivity is None:
        if np.any(dose > 0.0):
            raise ValueError("this parameter set has no radiosensitivity, so it takes no dose")
        radiosensitivity = Radiosensitivity(0.0, 0.0)

    doses, log_parts = _parts(dose, np.log(start), part_shares)
    secondary_now = np.zeros(())
    doomed_now, immune_now, trigger_now = (
        np.asarray(value, dtype=np.float64) for value in (doomed_cm3, lymphocytes, triggering)
    )
    log_tumor = np.asarray(reduce(np.logaddexp, log_parts))
    logs, doomed, cells, triggers = [log_tumor], [doomed_now], [immune_now], [trigger_now]
    primary: list[FloatArray] = []
    secondary: list[FloatArray] = []
    for day in range(len(dose)):
        log_survivals = [radiosensitivity.log_survival(part[day]) for part in doses]
        weights = _weights(log_parts, log_tumor)
        immune_survival = _mean(weights, [np.exp(spared) for _, spared in log_survivals])
        lost = _mean(weights, [-np.expm1(kept) for kept, _ in log_survivals])
        activation = np.tanh(lost * damaged[day])

        tumor = np.exp(log_tumor)
        resisted = p.suppression * np.exp(log_tumor * (2.0 / 3.0)) / (1.0 + pd1[day])
        primary_now = p.kill_per_lymphocyte * immune_now / (1.0 + resisted * immune_now)
        activated = activated_fraction(ctla4[day], p.ctla4_threshold)
        secondary_now = secondary_now + p.memory * activated * primary_now
        log_kept = [kept - primary_now - secondary_now for kept, _ in log_survivals]
        dying = _mean(weights, [-np.expm1(kept) for kept in log_kept])
        killed = np.exp(p.growth_per_day) * tumor * dying
        attracted = p.infiltration + p.radiation_infiltration * activation * trigger_now

        log_parts = [
            part + (p.growth_per_day + kept) for part, kept in zip(log_parts, log_kept, strict=True)
        ]
        log_tumor = np.asarray(reduce(np.logaddexp, log_parts))
        doomed_now = (1.0 - p.doomed_loss_per_day) * doomed_now + killed
        immune_kept = (1.0 - p.lymphocyte_loss_per_day) * immune_survival
        immune_now = immune_kept * immune_now + attracted * tumor
        recovered = p.triggering_recovery_per_day * (1.0 - trigger_now)
        trigger_now = (1.0 - activation) * (trigger_now * immune_survival + recovered)
        for trace, state in (
            (logs, log_tumor),
            (doomed, doomed_now),
            (cells, immune_now),
            (triggers, trigger_now),
            (primary, primary_now),
            (secondary, secondary_now),
        ):
            trace.append(np.asarray(state))
    stack = stacked(logs, doomed, cells, triggers, primary, secondary)
    return Response(np.exp(stack[0]), stack[1], stack[0], *stack[2:])


def _parts(
    dose: FloatArray, log_start: FloatArray, shares: ArrayLike | None
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return day-first doses and the log start volume of each part."""
    if shares is None:
        return [dose], [log_start]
    share = np.asarray(shares, dtype=np.float64)
    if not np.all(share >= 0.0) or not np.allclose(share.sum(axis=-1), 1.0, rtol=0.0, atol=1e-9):
        raise ValueError("part_shares must not be negative and add up to 1")
    if dose.ndim < 2 or dose.shape[-1] != share.shape[-1]:
        raise ValueError(f"dose_gy must have an axis of {share.shape[-1]} parts before its days")
    with np.errstate(divide="ignore"):
        log_share = np.log(share)
    parts = range(share.shape[-1])
    return [dose[..., i] for i in parts], [log_start + log_share[..., i] for i in parts]


def _weights(log_parts: list[FloatArray], log_tumor: FloatArray) -> list[FloatArray]:
    """Return the share of each part in the viable volume; nothing for one part."""
    return [] if len(log_parts) == 1 else [np.exp(part - log_tumor) for part in log_parts]


def _mean(weights: list[FloatArray], values: list[FloatArray]) -> FloatArray:
    """Return the weighted mean over parts; of one part its own value, exactly."""
    if len(values) == 1:
        return values[0]
    return np.asarray(sum(w * value for w, value in zip(weights, values, strict=True)))


def escape_fold(parameters: Parameters, anti_pd1: ArrayLike = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return the suppression at which immune control is lost, and the tumor there.

    ``κ_c = (1 + p1)·0.6·(ω/μ)·(0.4·ω·ρ/(μ·λ_L))^⅔`` and ``T_fold = μ·λ_L/(0.4·ω·ρ)`` cm³: without
    radiation and memory the equilibrium ``(ωρ/λ_L)·T = μ·(1 + κ·(ρ/λ_L)·T^{5/3}/(1 + p1))`` exists
    only for ``κ ≤ κ_c``.

    Parameters
    ----------
    parameters
        Parameter set; its ``κ``, ``γ`` and radiosensitivity play no part.
    anti_pd1
        Constant drug level ``p1`` ≥ 0, any shape that broadcasts.

    Returns
    -------
    tuple of FloatArray
        ``κ_c`` and ``T_fold``, broadcast shapes.

    Notes
    -----
    Source: fold of the map of Cho 2023, doi:10.1088/1361-6560/ace819. Status: derived.
    """
    p = parameters
    relief = 1.0 + np.asarray(anti_pd1, dtype=np.float64)
    ratio = p.kill_per_lymphocyte / p.growth_per_day
    inverse = np.asarray(0.4 * ratio * p.infiltration / p.lymphocyte_loss_per_day)
    return np.asarray(relief * 0.6 * ratio * inverse ** (2.0 / 3.0)), 1.0 / inverse
