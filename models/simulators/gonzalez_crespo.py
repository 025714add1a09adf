"""Delays between antigen, activation and infiltration: the Gonzalez-Crespo model (2021/23).

With ``N = C + Σ_k M_k`` living cells, ``M_k`` those damaged by fraction ``k``::

    i     = p·(1 + p1)·x^q/(s + x^q),  x = Ta/N
    dC/dt = λ1·(1 − λ2·N)·C − i·C
    dM_k/dt = −[φ·ramp(t − t_k; τ_d1, τ_d2) + i]·M_k
    dA/dt = [ρ·N + ψ·(death rate of damaged cells)](t − τ1) − σ·A − k·A·Tl,  k = a + b/(1 + c4)
    dTl/dt = h − k·A·Tl, at most Tl0;  b = (r − 1)·a
    dTa/dt = [a·A·Tl](t − τ2) − ι·N·Ta − η·Ta

A fraction moves ``(1 − S_C)·C`` to a new ``M_k`` and leaves ``S_T·Ta``. ``a/k = (1 + c4)/(r + c4)``
is the activated fraction of Serre and Cho.

Use structure and time constants, not absolute values: the published fit is not identifiable. Only
``a·ρ`` and ``a·ψ`` matter in it (``a`` = 3e18), and its first-order step activates more T cells
than ``Tl`` holds (24 million from 3e5), which the equations do not allow. Hence ``a``, ``ρ`` and
``ψ`` have no defaults, and ``a·A·Tl`` here can never exceed the pool.

Source: arXiv 2106.07591, equations and the mean of the radiation set as coded in github
AllisonNg067/immunoRTCode. Status: verified in that third-party code, not in the paper. Units:
cells, days, Gy, mm³ (mouse).
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity.ctla4 import activated_fraction
from abscopt.models.simulators.trajectory import Trajectory, Value, batch_of, daily, stacked

HIGHEST_DOSE_GY = 15.0
"""Above it the third-party code stops infiltration (vascular damage), which is left out here."""

MM3_PER_CM3 = 1000.0


@dataclass(frozen=True)
class Parameters:
    """Parameters; numbers, or arrays that broadcast with the schedules, but for times.

    Parameters
    ----------
    activation_per_antigen_day, release_per_cell_day, release_per_death
        ``a``, ``ρ``, ``ψ``: not identifiable, so the caller's.
    growth_per_day, inverse_capacity
        ``λ1`` and ``λ2`` (1e-106 in the fit, so 0 here).
    alpha_per_gy, beta_per_gy2, t_cell_alpha_per_gy
        ``α_C``, ``β_C`` and ``α_T``; ``β_T = α_T/10 Gy``.
    clearance_per_day, clearance_from_days, clearance_full_days
        ``φ`` and the ramp ``τ_d1``, ``τ_d2``.
    antigen_loss_per_day, antigen_delay_days
        ``σ``, ``τ1``.
    infiltration_delay_days, t_cell_loss_per_day, t_cell_loss_per_cell_day
        ``τ2``, ``η``, ``ι``.
    pool_cells, pool_inflow_per_day, ctla4_threshold
        ``Tl0``, ``h``, ``r``.
    kill_per_day, kill_exponent, kill_half
        ``p``, ``q``, ``s``.
    tumor_cell_mm3, t_cell_mm3
        Volume of one cell.
    """

    activation_per_antigen_day: Value
    release_per_cell_day: Value
    release_per_death: Value
    growth_per_day: Value = 0.4044
    inverse_capacity: Value = 0.0
    alpha_per_gy: Value = 0.1577
    beta_per_gy2: Value = 0.0427
    t_cell_alpha_per_gy: Value = 0.0417
    clearance_per_day: Value = 0.3715
    clearance_from_days: float = 1.0
    clearance_full_days: float = 1.5
    antigen_loss_per_day: Value = 0.0492
    antigen_delay_days: float = 0.642
    infiltration_delay_days: float = 2.0
    t_cell_loss_per_day: Value = 0.0675
    t_cell_loss_per_cell_day: Value = 9.2e-9
    pool_cells: Value = 2.998e5
    pool_inflow_per_day: Value = 0.199
    ctla4_threshold: float = 5.0
    kill_per_day: Value = 0.138
    kill_exponent: Value = 0.407
    kill_half: Value = 0.0481
    tumor_cell_mm3: Value = 1e-6
    t_cell_mm3: Value = 8.3e-7


@dataclass(frozen=True)
class Response(Trajectory):
    """Tumor, antigen and T cells at the start of each day.

    Parameters
    ----------
    infiltrate_cm3
        Volume of the T cells in the tumor; the paper's volume is burden and infiltrate.
    antigen, pool, t_cells
        ``A`` in arbitrary units, ``Tl`` and ``Ta`` in cells. All of shape (..., days + 1).
    immune_kill
        Integral of ``i`` over each day in nats, shape (..., days).
    """

    infiltrate_cm3: FloatArray
    antigen: FloatArray
    pool: FloatArray
    t_cells: FloatArray
    immune_kill: FloatArray


@dataclass(frozen=True)
class _State:
    """Cells of one moment, and its derivative.

    ``damaged`` has a row for each day whose fraction is still on its ramp, and one for the rest.
    """

    tumor: FloatArray
    damaged: FloatArray
    antigen: FloatArray
    pool: FloatArray
    t_cells: FloatArray

    def plus(self, step: float, *slopes: "_State") -> "_State":
        """Return the state a step on along the mean of slopes, nothing below 0."""
        moved = {
            f.name: np.maximum(
                getattr(self, f.name)
                + step / len(slopes) * sum(getattr(slope, f.name) for slope in slopes),
                0.0,
            )
            for f in fields(self)
        }
        return _State(**moved)


def simulate(
    parameters: Parameters,
    dose_gy: ArrayLike,
    anti_pd1: ArrayLike = 0.0,
    anti_ctla4: ArrayLike = 0.0,
    *,
    tumor_cells: ArrayLike = 5e5,
    steps_per_day: int = 48,
    beyond_validity: bool = False,
) -> Response:
    """Return tumors and T cells of many schedules at once.

    Parameters
    ----------
    parameters
        The fit's time constants, and the caller's gains.
    dose_gy
        Dose of the fraction at the start of each day in Gy, shape (..., days).
    anti_pd1, anti_ctla4
        Levels ``p1`` and ``c4`` that hold during each day, ≥ 0, dimensionless, shape (..., days)
        or one number. The fit lets ``p1`` fall by 0.0898 per day (half-life 7.7 d).
    tumor_cells
        ``C`` at the start and, for the delays, before it; broadcast.
    steps_per_day
        Steps of Heun's method; both delays must be at least one step.
    beyond_validity
        Whether to accept more than 15 Gy per fraction.

    Returns
    -------
    Response
        The broadcast of all leading axes first and days last.

    Raises
    ------
    ValueError
        A negative input or one that is not finite, a wrong number of days, a dose above 15 Gy, or
        a delay shorter than a step.

    Notes
    -----
    Halving the step halves the error, since ``x^q`` is not smooth where the first T cells arrive;
    at 48 steps it is below 0.1 % where that was measured. Delayed terms are interpolated linearly.
    Plain LQ (the code also has LQ-L), and no rounding of less than half a cell to none.
    Source and status: module docstring.
    """
    dose, pd1, ctla4 = daily(dose_gy, anti_pd1=anti_pd1, anti_ctla4=anti_ctla4)
    p, step = parameters, 1.0 / steps_per_day
    if not beyond_validity and np.any(dose > HIGHEST_DOSE_GY):
        raise ValueError(f"the model goes up to {HIGHEST_DOSE_GY:g} Gy per fraction")
    lags = np.array([p.antigen_delay_days, p.infiltration_delay_days]) * steps_per_day
    if np.any(lags < 1.0):
        raise ValueError("a delay is shorter than a step")

    start = np.asarray(tumor_cells, dtype=np.float64)
    batch = batch_of(p, start.shape, dose.shape[1:], pd1.shape[1:], ctla4.shape[1:])
    tumor, none = np.broadcast_to(start, batch), np.zeros(batch)
    on_ramp = max(1, math.ceil(p.clearance_full_days))
    fraction_days = np.full(on_ramp + 1, -np.inf)
    damaged = np.zeros((on_ramp + 1, *batch))
    pool = np.asarray(p.pool_cells, dtype=np.float64)
    state = _State(tumor, damaged, none, pool, none)
    released, activated = _History(p.release_per_cell_day * tumor), _History(none)

    seen, killed = [state], []
    for day in range(len(dose)):
        fraction_days[day % on_ramp] = day
        state = _irradiated(p, state, dose[day], day % on_ramp)
        immune_kill = none
        kill, drain = 1.0 + pd1[day], activated_fraction(ctla4[day], p.ctla4_threshold)
        for number in range(day * steps_per_day, (day + 1) * steps_per_day):
            ages = number * step - fraction_days
            rates = _rates(p, state, ages, kill, drain)
            immune_kill = immune_kill + step * rates[3]
            released.append(rates[1])
            activated.append(rates[2])
            first = _delayed(
                rates[0], released.at(number - lags[0]), activated.at(number - lags[1])
            )
            ahead = _capped(state.plus(step, first), pool)
            later = _delayed(
                _rates(p, ahead, ages + step, kill, drain)[0],
                released.at(number + 1 - lags[0]),
                activated.at(number + 1 - lags[1]),
            )
            state = _capped(state.plus(step, first, later), pool)
        seen.append(state)
        killed.append(immune_kill)
    tumors, dying, antigen, pools, cells, kills = stacked(
        [s.tumor for s in seen],
        [np.asarray(s.damaged.sum(axis=0)) for s in seen],
        [s.antigen for s in seen],
        [s.pool for s in seen],
        [s.t_cells for s in seen],
        killed,
    )
    volume, cell = (
        np.asarray(v)[..., np.newaxis] / MM3_PER_CM3 for v in (p.tumor_cell_mm3, p.t_cell_mm3)
    )
    return Response(volume * tumors, volume * dying, cell * cells, antigen, pools, cells, kills)


class _History:
    """A signal on the grid of steps, constant before the start."""

    def __init__(self, before: FloatArray) -> None:
        self.before = before
        self.values: list[FloatArray] = []

    def append(self, value: FloatArray) -> None:
        """Add the value of the next step."""
        self.values.append(value)

    def at(self, number: float) -> FloatArray:
        """Return the value at a number of steps, between steps linearly."""
        below = math.floor(number)
        if below < 0:
            return self.before
        share = number - below
        if share == 0.0:
            return self.values[below]
        return (1.0 - share) * self.values[below] + share * self.values[below + 1]


def _irradiated(p: Parameters, state: _State, dose: FloatArray, row: int) -> _State:
    """Return the state just after the fraction of the day, booked on its own row.

    What that row held before is past its ramp and joins the rest.
    """
    square = np.square(dose)
    kept = np.exp(-p.alpha_per_gy * dose - p.beta_per_gy2 * square)
    spared = np.exp(-p.t_cell_alpha_per_gy * (dose + square / 10.0))
    damaged = state.damaged.copy()
    damaged[-1] += damaged[row]
    damaged[row] = (1.0 - kept) * state.tumor
    return _State(kept * state.tumor, damaged, state.antigen, state.pool, spared * state.t_cells)


def _rates(
    p: Parameters, state: _State, ages: FloatArray, kill: FloatArray, activated: FloatArray
) -> tuple[_State, FloatArray, FloatArray, FloatArray]:
    """Return the slope without delayed terms, antigen released, T cells activated, and ``i``.

    With tumor ``T``, damaged ``D_a`` by age ``a``, antigen ``A``, pool ``N`` and T cells ``C``::

        L = T + Σ_a D_a,    q = (C/L)^λ,    i = kill_per_day·kill·q/(kill_half + q)
        T' = [growth·(1 − L/capacity) − i]·T           D_a' = −(clearance(a) + i)·D_a
        A' = −loss·A − u,    N' = inflow − u,    u = activation·A·N/activated
        C' = −(loss·L + loss)·C,    released = release·L + per_death·Σ_a (clearance(a) + i)·D_a
    """
    living = state.tumor + state.damaged.sum(axis=0)
    ratio = (state.t_cells / np.maximum(living, 1e-300)) ** p.kill_exponent
    immune_death = p.kill_per_day * kill * ratio / (p.kill_half + ratio)
    width = p.clearance_full_days - p.clearance_from_days
    ramp = np.clip((ages - p.clearance_from_days) / width, 0.0, 1.0)
    clearance = p.clearance_per_day * ramp.reshape(-1, *(1,) * (state.damaged.ndim - 1))
    death = (clearance + immune_death) * state.damaged
    active = p.activation_per_antigen_day * state.antigen * state.pool
    drained = active / activated
    slope = _State(
        (p.growth_per_day * (1.0 - p.inverse_capacity * living) - immune_death) * state.tumor,
        -death,
        -p.antigen_loss_per_day * state.antigen - drained,
        p.pool_inflow_per_day - drained,
        -(p.t_cell_loss_per_cell_day * living + p.t_cell_loss_per_day) * state.t_cells,
    )
    released = p.release_per_cell_day * living + p.release_per_death * death.sum(axis=0)
    return slope, released, active, np.asarray(immune_death)


def _delayed(slope: _State, released: FloatArray, activated: FloatArray) -> _State:
    """Return the slope with the delayed terms."""
    return _State(
        slope.tumor,
        slope.damaged,
        slope.antigen + released,
        slope.pool,
        slope.t_cells + activated,
    )


def _capped(state: _State, pool: FloatArray) -> _State:
    """Return the state with the pool at most at its start."""
    return _State(
        state.tumor, state.damaged, state.antigen, np.minimum(state.pool, pool), state.t_cells
    )
