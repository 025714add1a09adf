"""Immunogenic cell death in SIRPα-deficient mice: the model of Rauf et al. (2025).

With tumor cells ``T``, macrophages ``M`` and a third immune population ``P``::

    dT/dt = m·[λ·T·(1 − T/K) − c1·T·M − c2·T·P]
    dM/dt = a1 − d1·M − m1·T·M,   dP/dt = a2 − d2·P − m2·T·P

``m = 1`` before treatment; from the day of the one fraction on, ``m = S − A·(1 − S)`` in the
irradiated tumor and ``m = 1 − A·(1 − S)`` in the other: linear in ``1 − S``. ``S`` multiplies the
net growth *rate* for ever after; it is not a share of cells killed, and two fractions are not
defined. Where the net rate is negative, a negative ``m`` makes the tumor grow.

Source: authors' code, github yijianglanl/SIRPa-Paper-Code (zenodo 17559821); no DOI of the paper
seen. Status: verified in that code, not in the paper. Units: cells (10⁶ = 1 mm³), days, Gy.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp  # type: ignore[import-untyped]

from abscopt.models.arrays import FloatArray
from abscopt.models.simulators.trajectory import Trajectory, daily

CELLS_PER_CM3 = 1e9


@dataclass(frozen=True)
class Parameters:
    """Parameters of MC38 in SIRPα-deficient mice.

    Parameters
    ----------
    growth_per_day, capacity_cells
        ``λ`` and ``K``.
    first_kill, first_inflow, first_loss_per_day, first_loss_per_cell
        ``c1``, ``a1``, ``d1``, ``m1``.
    second_kill, second_inflow, second_loss_per_day, second_loss_per_cell
        ``c2``, ``a2``, ``d2``, ``m2``.
    amplification
        ``A``: 6.12 for 8 Gy in the abscopal experiment; 8.25, 15.3 and 19.9 in others.
    alpha_per_gy, beta_per_gy2, repair_rate
        Of ``S``; the rate is per the unit of time of the dose rate, which the code does not name.

    Notes
    -----
    Source and status: module docstring. The files of the authors round differently
    (``λ`` 0.453 or 0.4537, ``K`` 1.77e9 or 1.7598e9).
    """

    growth_per_day: float = 0.4537
    capacity_cells: float = 1.7598e9
    first_kill: float = 4.41e-8
    first_inflow: float = 16338.0
    first_loss_per_day: float = 0.0691
    first_loss_per_cell: float = 1.99e-9
    second_kill: float = 9.07e-7
    second_inflow: float = 4.39623e-7
    second_loss_per_day: float = 0.395
    second_loss_per_cell: float = 8.15e-7
    amplification: float = 6.12
    alpha_per_gy: float = 5.1476e-3
    beta_per_gy2: float = 6.5777e-3
    repair_rate: float = 2.5588


@dataclass(frozen=True)
class Response(Trajectory):
    """Tumor and immune cells at the start of each day.

    Parameters
    ----------
    first, second
        ``M`` and ``P`` in cells, shape (..., days + 1).
    """

    first: FloatArray
    second: FloatArray


def survival(parameters: Parameters, dose_gy: ArrayLike, dose_rate: ArrayLike) -> FloatArray:
    """Return the factor ``S`` of one protracted fraction.

    ``S = exp(−α·d − β·G·d²)``, ``G = 2·(x + e^−x − 1)/x²``, ``x = k·d/rate``.

    Parameters
    ----------
    parameters
        With ``α``, ``β`` and the repair rate ``k``.
    dose_gy
        ``d`` in Gy, ≥ 0, any shape.
    dose_rate
        In Gy per the code's unit of time, > 0, broadcast; 6 and 1.2 in the code.

    Returns
    -------
    FloatArray
        In (0, 1], broadcast shape.

    Notes
    -----
    Source and status: module docstring.
    """
    dose = np.asarray(dose_gy, dtype=np.float64)
    x = parameters.repair_rate * dose / np.asarray(dose_rate, dtype=np.float64)
    safe = np.where(x > 1e-4, x, 1.0)
    lea_catcheside = np.where(x > 1e-4, 2.0 * (safe + np.expm1(-safe)) / safe**2, 1.0 - x / 3.0)
    exponent = parameters.alpha_per_gy * dose
    return np.exp(-exponent - parameters.beta_per_gy2 * lea_catcheside * dose**2)


def growth_multiplier(
    parameters: Parameters, dose_gy: ArrayLike, dose_rate: ArrayLike, *, abscopal: bool
) -> FloatArray:
    """Return what one fraction makes of the net growth rate.

    ``S − A·(1 − S)`` in the irradiated tumor, ``1 − A·(1 − S)`` in the other; arguments as for
    `survival`, broadcast shape, at most 1.

    Notes
    -----
    Source and status: module docstring.
    """
    kept = survival(parameters, dose_gy, dose_rate)
    own = 1.0 if abscopal else kept
    return own - parameters.amplification * (1.0 - kept)


def simulate(
    parameters: Parameters,
    dose_gy: ArrayLike,
    *,
    tumor_cells: float,
    first_cells: float,
    second_cells: float,
    dose_rate: float = 6.0,
    abscopal: bool = False,
    tolerance: float = 1e-9,
) -> Response:
    """Return the irradiated tumor, or the other one.

    Parameters
    ----------
    parameters
        Of the mice.
    dose_gy
        Dose of the fraction of each day in Gy, shape (..., days), one fraction at most.
    tumor_cells, first_cells, second_cells
        Start values of ``T``, ``M`` and ``P``; the authors fit those of ``M`` and ``P`` anew to
        each experiment, so there are no defaults.
    dose_rate
        As for `survival`.
    abscopal
        Whether this is the tumor that was not irradiated.
    tolerance
        Relative tolerance of the integration.

    Returns
    -------
    Response
        Shape (..., days + 1); no volume is doomed in this model.

    Raises
    ------
    ValueError
        A dose that is negative or not finite, or more than one fraction.
    RuntimeError
        The integration failed.

    Notes
    -----
    Source and status: module docstring.
    """
    dose = daily(dose_gy)[0]
    if np.any(np.count_nonzero(dose, axis=0) > 1):
        raise ValueError("the model defines one fraction only")
    flat = dose.reshape(len(dose), -1)
    start = np.array([tumor_cells, first_cells, second_cells], dtype=np.float64)
    traces = np.empty((3, flat.shape[1], len(dose) + 1))
    for trace, schedule in zip(np.moveaxis(traces, 1, 0), flat.T, strict=True):
        multiplier, state = 1.0, start
        trace[:, 0] = start
        stops = sorted({0, len(dose), *np.flatnonzero(schedule).tolist()})
        for begin, end in pairwise(stops):
            if schedule[begin] > 0.0:
                multiplier = float(
                    growth_multiplier(parameters, schedule[begin], dose_rate, abscopal=abscopal)
                )
            solution = solve_ivp(
                _slope,
                (begin, end),
                state,
                "LSODA",
                np.arange(begin + 1.0, end + 1.0),
                args=(parameters, multiplier),
                rtol=tolerance,
                atol=tolerance,
            )
            if not solution.success:
                raise RuntimeError(f"the integration failed: {solution.message}")
            trace[:, begin + 1 : end + 1] = solution.y
            state = solution.y[:, -1]
    tumor, first, second = traces.reshape(3, *dose.shape[1:], len(dose) + 1)
    return Response(tumor / CELLS_PER_CM3, np.zeros_like(tumor), first, second)


def _slope(_: float, state: FloatArray, p: Parameters, multiplier: float) -> list[float]:
    tumor, first, second = state.tolist()
    kill = p.first_kill * first + p.second_kill * second
    net = p.growth_per_day * (1.0 - tumor / p.capacity_cells) - kill
    first_loss = p.first_loss_per_day + p.first_loss_per_cell * tumor
    second_loss = p.second_loss_per_day + p.second_loss_per_cell * tumor
    return [
        multiplier * net * tumor,
        p.first_inflow - first_loss * first,
        p.second_inflow - second_loss * second,
    ]
