"""One day of the immune recursion, once: the step from state to state, and its transpose.

A state x = (e, R, D) has effectors, precursors, and dying cells whose delay is over. With a the
dying cells that join on the day,

    D' = k_D D + a                                      ( k_e   m     0    )
    e' = k_e e + m R                x' = M_t x + ..,    (  0    s   π k_D  )  =  M_t
    R' = s R + π D' + inflow                            (  0    0    k_D   )

What a state after the day is worth later is linear in it, w . x'; before the day it is worth
M_t^T w, the adjoint state (Bryson and Ho 1975, Applied Optimal Control). Going on (`Day.after`)
serves the judge and free courses, going back (`Day.before`) the propagators of uniform courses and
the cost-to-go of free ones.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray

Coefficient = FloatArray | float
"""A number, or an array that broadcasts with the components of a state."""


class State(NamedTuple):
    """Effectors, precursors, dying cells whose delay is over; or what each is worth."""

    effectors: Coefficient
    precursors: Coefficient
    dying: Coefficient


class Day(NamedTuple):
    """What one day does, whatever the state; all dimensionless but for the inflow.

    Attributes
    ----------
    effectors_kept : k_e, share of the effectors left by natural loss and the day's fractions
    mobilized : m, effectors per precursor
    precursors_kept : s, share of the precursors left by mobilization, loss and the day's drugs
    priming : π, precursors per dying cell
    dying_kept : k_D, share of the dying cells that are not cleared
    inflow : precursors
    """

    effectors_kept: Coefficient
    mobilized: Coefficient
    precursors_kept: Coefficient
    priming: Coefficient
    dying_kept: Coefficient
    inflow: Coefficient

    def after(self, state: State, joining: Coefficient) -> State:
        """State after the day: M_t x + (0, inflow, 0) + (0, π, 1) joining.

        Shapes broadcast: those of the components, of `joining` and of the coefficients.
        """
        dying = self.dying_kept * state.dying + joining
        return State(
            self.effectors_kept * state.effectors + self.mobilized * state.precursors,
            self.precursors_kept * state.precursors + self.priming * dying + self.inflow,
            dying,
        )

    def before(self, worth: State, effect: Coefficient) -> tuple[State, FloatArray]:
        """What a unit of each component is worth before the day, and one that joins on it.

        With w the worth after the day and φ the effect of an effector on it,

            M_t^T (w + (φ, 0, 0)):     w_e = k_e (φ + w_e'),   w_R = m (φ + w_e') + s w_R',
                                       w_D = k_D (π w_R' + w_D');    joining: π w_R' + w_D'

        The inflow of the day is worth inflow w_R' besides. Shapes broadcast as for `after`.
        """
        effector = effect + worth.effectors
        joining = self.priming * worth.precursors + worth.dying
        state = State(
            self.effectors_kept * effector,
            self.mobilized * effector + self.precursors_kept * worth.precursors,
            self.dying_kept * joining,
        )
        return state, np.asarray(joining)


def days_of(
    days: int,
    mobilization: ArrayLike,
    priming_factor: ArrayLike,
    precursor_survival: ArrayLike,
    effectors_kept: ArrayLike,
    *,
    precursor_loss_per_day: float,
    clearance_per_day: float,
    inflow: Coefficient,
) -> Sequence[Day]:
    """Return what each of so many days does.

    ``s = (1 − η_R − m)·survival``, ``k_D = exp(−c)``.

    Parameters
    ----------
    mobilization, priming_factor, precursor_survival, effectors_kept
        ``m`` in 1/day, ``π``, what drugs spare and ``k_e``: numbers, or shape (..., days).
    precursor_loss_per_day, clearance_per_day
        ``η_R`` and ``c`` in 1/day; ``η_R + m ≤ 1``.
    inflow
        Precursors per day, a number or an array without days.
    """
    moved = np.asarray(mobilization, dtype=np.float64)
    spared = np.asarray(precursor_survival, dtype=np.float64)
    staying = _with_days((1.0 - precursor_loss_per_day - moved) * spared, days)
    kept, moved = _with_days(effectors_kept, days), _with_days(moved, days)
    priming, dying_kept = _with_days(priming_factor, days), math.exp(-clearance_per_day)
    columns = map(_by_day, (kept, moved, staying, priming))
    return [Day(k, m, s, p, dying_kept, inflow) for k, m, s, p in zip(*columns, strict=True)]


def _with_days(values: ArrayLike, days: int) -> FloatArray:
    """(..., days) the values, without a copy."""
    table = np.asarray(values, dtype=np.float64)
    return np.broadcast_to(table, (*table.shape[:-1], days))


def _by_day(table: FloatArray) -> Sequence[Coefficient]:
    """(...,) of each day; plain numbers, which are added up some ten times as fast, where one."""
    if table.ndim == 1:
        numbers: list[float] = table.tolist()
        return numbers
    return [table[..., t] for t in range(table.shape[-1])]


def effector_trace(
    release: ArrayLike,
    mobilization: ArrayLike,
    priming_factor: ArrayLike,
    fractions_per_day: ArrayLike,
    *,
    precursors_initial: ArrayLike,
    precursor_loss_per_day: float,
    precursor_inflow_per_day: ArrayLike,
    effector_loss_per_day: float,
    effector_kill_per_fraction: ArrayLike,
    clearance_per_day: float,
    priming_delay_days: float,
    precursor_survival: ArrayLike = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Return precursors and effectors after each day's update.

    Each day, with the old ``R`` in both lines::

        e ← (1 − η)·exp(−λ·n(t))·e + m(t)·R
        R ← (1 − η_R − m(t))·s(t)·R + f4(t)·P(t) + ρ0,    P(t) = Σ_j K[j]·r(t − j)

    starting from ``R = R0``, ``e = 0``; ``K`` is `immune.clearance_kernel`, applied by recursion.

    Parameters
    ----------
    release, fractions_per_day
        ``r`` and the lesion's own fraction count ``n``, shape (..., days).
    mobilization, priming_factor
        ``m`` in 1/day and ``f4``, shape (days,) or broadcastable; ``η_R + m ≤ 1``.
    precursors_initial, precursor_inflow_per_day, effector_kill_per_fraction
        ``R0``, ``ρ0`` and ``λ``: numbers, or arrays that broadcast with the leading dimensions.
    precursor_loss_per_day, effector_loss_per_day
        ``η_R`` and ``η`` in 1/day.
    clearance_per_day, priming_delay_days
        Rate and delay of the kernel.
    precursor_survival
        ``s`` in [0, 1], the share of precursors that the drugs of the day spare, shape (days,) or
        broadcastable.

    Returns
    -------
    tuple of FloatArray
        ``(R, e)``, each of shape (..., days).

    Notes
    -----
    Source: discrete structure of Serre 2016, doi:10.1158/0008-5472.CAN-15-3567 (recalled), and
    Cho 2023, doi:10.1088/1361-6560/ace819. Status: derived (M16 of docs/reference/model.md).
    """
    shapes = (release, mobilization, priming_factor, fractions_per_day, precursor_survival)
    released, moved, factor, fractions, spared = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in shapes)
    )
    length = released.shape[-1]
    initial = np.asarray(precursors_initial, dtype=np.float64)
    inflow = np.asarray(precursor_inflow_per_day, dtype=np.float64)
    kill = np.asarray(effector_kill_per_fraction, dtype=np.float64)
    batch = np.broadcast_shapes(released.shape[:-1], initial.shape, inflow.shape, kill.shape)
    days = days_of(
        length,
        moved,
        factor,
        spared,
        (1.0 - effector_loss_per_day) * np.exp(-kill[..., None] * fractions),
        precursor_loss_per_day=precursor_loss_per_day,
        clearance_per_day=clearance_per_day,
        inflow=inflow if batch else float(inflow),
    )
    lag = math.ceil(priming_delay_days)
    entry = clearance_per_day * math.exp(-clearance_per_day * (lag - priming_delay_days))
    joining = _by_day(entry * released)
    state = State(0.0, np.array(np.broadcast_to(initial, batch)) if batch else float(initial), 0.0)
    states = []
    for t, day in enumerate(days):
        state = day.after(state, joining[t - lag] if t >= lag else 0.0)
        states.append(state)
    effectors, precursors, _ = zip(*states, strict=True) if states else ((), (), ())
    return _over_days(precursors, batch), _over_days(effectors, batch)


def _over_days(values: Sequence[Coefficient], batch: tuple[int, ...]) -> FloatArray:
    """(..., days) of what each day has, a number or an array that broadcasts with (...)."""
    if not batch:
        return np.array(values, dtype=np.float64)
    table = np.empty((*batch, len(values)))
    for t, value in enumerate(values):
        table[..., t] = value
    return table
