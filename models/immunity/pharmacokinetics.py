"""Two-compartment pharmacokinetics of antibodies, and receptor occupancy."""

import math

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity.saturation import saturation

SUBSTEPS_PER_DAY = 8
"""Steps per day while the clearance changes."""


def concentrations(
    days: int,
    dose_days: ArrayLike,
    doses_mg: ArrayLike,
    *,
    clearance_l_per_day: float,
    central_volume_l: float,
    intercompartmental_l_per_day: float,
    peripheral_volume_l: float,
    clearance_emax: float = 0.0,
    clearance_t50_days: float | None = None,
    clearance_hill: float | None = None,
) -> FloatArray:
    """Return the central concentration on each day, just after a dose of that day.

    Bolus into the central compartment, amounts ``A' = M(t)·A`` with first-order exchange, and
    ``CL(t) = CL0·exp(Emax·t^h/(T50^h + t^h))``, ``t`` in days since the first dose.

    Parameters
    ----------
    days
        Number of days, from day 0.
    dose_days, doses_mg
        Whole days (any order, before day 0 allowed) and amounts, shape (doses,) each; one amount
        may serve all days.
    clearance_l_per_day, central_volume_l, intercompartmental_l_per_day, peripheral_volume_l
        ``CL0``, ``V1``, ``Q``, ``V2``, all > 0 except that ``Q`` may be 0.
    clearance_emax, clearance_t50_days, clearance_hill
        Change of clearance with time; the last two are needed when ``Emax`` is not 0.

    Returns
    -------
    FloatArray
        Concentration in mg/L, shape (days,).

    Raises
    ------
    ValueError
        A dose day that is not whole, or a changing clearance without its T50 or Hill exponent.

    Notes
    -----
    Exact matrix exponentials; a changing clearance is frozen at the midpoint of each of 8 steps
    per day. The error is of second order in the step: for every agent of the library below
    1e-6 of the concentration over 180 days (tested against an ODE solver).
    Source: e.g. Bajaj 2017 (nivolumab), doi:10.1002/psp4.12143. Status: verified in model code.
    """
    dosing, doses = np.broadcast_arrays(
        np.asarray(dose_days, dtype=np.float64), np.asarray(doses_mg, dtype=np.float64)
    )
    if not np.all(dosing == np.rint(dosing)):
        raise ValueError("dose days must be whole days")
    central = np.zeros(days)
    if not dosing.size or dosing.min() >= days:
        return central
    origin = int(dosing.min())
    elapsed = (dosing - origin).astype(np.intp)
    given = np.zeros(days - origin)
    seen = elapsed < given.size
    np.add.at(given, elapsed[seen], doses[seen])

    trace = amounts(
        given,
        (0.0, 0.0),
        -1,
        clearance_l_per_day=clearance_l_per_day,
        central_volume_l=central_volume_l,
        intercompartmental_l_per_day=intercompartmental_l_per_day,
        peripheral_volume_l=peripheral_volume_l,
        clearance_emax=clearance_emax,
        clearance_t50_days=clearance_t50_days,
        clearance_hill=clearance_hill,
    )[:, 0]
    start = max(origin, 0)
    central[start:] = trace[start - origin :] / central_volume_l
    return central


def amounts(
    given_mg: ArrayLike,
    before_mg: tuple[float, float],
    elapsed_days: int,
    *,
    clearance_l_per_day: float,
    central_volume_l: float,
    intercompartmental_l_per_day: float,
    peripheral_volume_l: float,
    clearance_emax: float = 0.0,
    clearance_t50_days: float | None = None,
    clearance_hill: float | None = None,
) -> FloatArray:
    """Return the amounts in both compartments on each day, just after its dose.

    ``A(t) = exp(∫M)·A(t − 1) + (dose, 0)``, as `concentrations` has it, from any state.

    Parameters
    ----------
    given_mg
        Dose of each day, shape (days,).
    before_mg
        Central and peripheral amount on the day before the first of them.
    elapsed_days
        Days from the first dose of all to that day; negative if the first dose is on the first of
        these days.
    clearance_l_per_day, central_volume_l, intercompartmental_l_per_day, peripheral_volume_l, \
    clearance_emax, clearance_t50_days, clearance_hill
        As for `concentrations`.

    Returns
    -------
    FloatArray
        mg in the central and in the peripheral compartment, shape (days, 2).

    Notes
    -----
    Source and status: `concentrations`.
    """
    given = np.asarray(given_mg, dtype=np.float64)
    begins = elapsed_days < 0
    steps = 1 if clearance_emax == 0.0 else SUBSTEPS_PER_DAY
    midpoints = max(elapsed_days, 0) + (np.arange((given.size - begins) * steps) + 0.5) / steps
    clearance = clearance_l_per_day * np.exp(
        _clearance_exponent(midpoints, clearance_emax, clearance_t50_days, clearance_hill)
    )
    transitions = _transition(
        1.0 / steps,
        clearance / central_volume_l,
        intercompartmental_l_per_day / central_volume_l,
        intercompartmental_l_per_day / peripheral_volume_l,
    ).reshape(-1, steps, 2, 2)
    daily = transitions[:, 0]
    for step in range(1, steps):
        daily = transitions[:, step] @ daily
    amount, trace = np.array(before_mg), np.empty((given.size, 2))
    for day in range(given.size):
        if day > 0 or not begins:
            amount = daily[day - begins] @ amount
        amount[0] += given[day]
        trace[day] = amount
    return trace


def terminal_half_life_days(
    clearance_l_per_day: ArrayLike,
    central_volume_l: ArrayLike,
    intercompartmental_l_per_day: ArrayLike,
    peripheral_volume_l: ArrayLike,
) -> FloatArray:
    """Return the half-life of the slow phase.

    ``ln 2/β`` with ``β = 2·k10·k21/(Σ + √(Σ² − 4·k10·k21))``, ``Σ = k10 + k12 + k21``; L/day and
    L, > 0, give days, broadcast shape.

    Notes
    -----
    Source: standard two-compartment algebra; gives the half-lives that the
    population models of the library's agents report (tests/models/test_pharmacokinetics.py).
    Status: derived, no DOI.
    """
    central = np.asarray(central_volume_l, dtype=np.float64)
    exchange = np.asarray(intercompartmental_l_per_day, dtype=np.float64)
    elimination = np.asarray(clearance_l_per_day, dtype=np.float64) / central
    back = exchange / np.asarray(peripheral_volume_l, dtype=np.float64)
    total = elimination + exchange / central + back
    product = elimination * back
    slow = 2.0 * product / (total + np.sqrt(np.square(total) - 4.0 * product))
    return math.log(2.0) / slow


def occupancy(concentration: ArrayLike, ec50: float, hill: float = 1.0) -> FloatArray:
    """Return the receptor occupancy at a concentration.

    ``(c/EC50)^h/(1 + (c/EC50)^h)``, any shape, in [0, 1); ``c ≥ 0`` and ``EC50`` in the same unit.

    Notes
    -----
    Source: Hill's curve; Brahmer 2010 saw more than 70 % PD-1 occupancy for two months.
    Status: recalled form, no DOI seen; EC50 is the caller's.
    """
    return saturation(concentration, ec50, hill)


def _clearance_exponent(
    elapsed_days: FloatArray, emax: float, t50_days: float | None, hill: float | None
) -> FloatArray:
    if emax == 0.0:
        return np.zeros_like(elapsed_days)
    if t50_days is None or hill is None:
        raise ValueError("a clearance that changes with time needs its T50 and its Hill exponent")
    return emax * occupancy(elapsed_days, t50_days, hill)


def _transition(step_days: float, elimination: FloatArray, forth: float, back: float) -> FloatArray:
    """Return exp(step·[[−k − forth, back], [forth, −back]]) in closed form, shape (steps, 2, 2).

    ``e^{sh}·[cosh(qh)·I + sinh(qh)/q·(M − s·I)]``, ``s`` half the trace, ``q²`` = ``(half the
    difference of the diagonal)² + back·forth`` > 0: the eigenvalues ``s ± q`` are real. The slow
    one, ``s + q = −k·back/(q − s)``, is a product, so that fast exchange does not cancel it.
    """
    half_sum = (elimination + forth + back) / 2.0
    half_difference = (back - elimination - forth) / 2.0
    root = np.hypot(half_difference, np.sqrt(back) * np.sqrt(forth))
    slow = np.exp(-elimination * (back / (half_sum + root)) * step_days) / 2.0
    fast = np.exp(-(half_sum + root) * step_days) / 2.0
    even, odd = slow + fast, slow - fast
    transition = np.empty((*elimination.shape, 2, 2))
    transition[..., 0, 0] = even + odd * (half_difference / root)
    transition[..., 0, 1] = odd * (back / root)
    transition[..., 1, 0] = odd * (forth / root)
    transition[..., 1, 1] = even - odd * (half_difference / root)
    return transition
