"""Radio-immune response as a daily map: the model of Cho, Yoon, Suh and Scott (2023).

Each day, with the old values on the right::

    T ← S_T·T·exp(μ − Z)                                    viable tumor, cm³
    D ← (1 − λ_D)·D + T·e^μ·(1 − S_T·e^−Z)                  doomed tumor, cm³
    L ← (1 − λ_L)·S_L·L + ρ·T + ψ·ε·A·T                     lymphocytes, arbitrary units
    A ← (1 − ε)·(A·S_L + λ_A·(1 − A))                       triggering cells, 0 … 1
    Z = Z_p + Z_s,  Z_p = ω·L/(1 + κ·T^⅔·L/(1 + p1)),  Z_s = Σ_{i≤n} γ·(1 + c4_i)/(r + c4_i)·Z_p,i
    ε = tanh((1 − S_T)·V_C),  S = exp(−α·d − β·d²)

Source of equations and numbers: doi:10.1088/1361-6560/ace819 as stated and coded in github
hannahgsimon/HALModeling2024. Status: verified in that third-party code, not in the paper; the
form of the recovery of A from a second third-party script. Units: cm³, days, Gy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models import immune
from abscopt.models.simulators.trajectory import FloatArray, Trajectory, Value, daily, stacked


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
        ``ln T`` with ``T`` in cm³, shape (..., days + 1); stays exact where ``T`` underflows.
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

    Returns
    -------
    Response
        Burden and states, the broadcast of all leading axes first and days last.

    Raises
    ------
    ValueError
        A negative input or one that is not finite, a wrong number of days, a start without tumor,
        or dose for a parameter set without radiosensitivity.

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

    log_tumor, secondary_now = np.log(start), np.zeros(())
    doomed_now, immune_now, trigger_now = (
        np.asarray(value, dtype=np.float64) for value in (doomed_cm3, lymphocytes, triggering)
    )
    logs, doomed, cells, triggers = [log_tumor], [doomed_now], [immune_now], [trigger_now]
    primary: list[FloatArray] = []
    secondary: list[FloatArray] = []
    for day in range(len(dose)):
        log_survival, log_immune_survival = radiosensitivity.log_survival(dose[day])
        immune_survival = np.exp(log_immune_survival)
        activation = np.tanh(-np.expm1(log_survival) * damaged[day])

        tumor = np.exp(log_tumor)
        resisted = p.suppression * np.exp(log_tumor * (2.0 / 3.0)) / (1.0 + pd1[day])
        primary_now = p.kill_per_lymphocyte * immune_now / (1.0 + resisted * immune_now)
        activated = immune.activated_fraction(ctla4[day], p.ctla4_threshold)
        secondary_now = secondary_now + p.memory * activated * primary_now
        log_kept = log_survival - primary_now - secondary_now
        killed = np.exp(p.growth_per_day) * tumor * -np.expm1(log_kept)
        attracted = p.infiltration + p.radiation_infiltration * activation * trigger_now

        log_tumor = log_tumor + (p.growth_per_day + log_kept)
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
