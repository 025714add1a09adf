"""Radiation and anti-PD-L1 in mice: the differential equations of Kosinsky et al. (2018).

With ``V = TV + TVd``, dose rate ``R``, antibody ``C`` and double-strand breaks ``U``::

    TCD = μ·TVd/V + e·dT + d0,  DC = TCD²/(TCD² + K²),  Ag = DC·V
    ISC = Ag/(Ag + S_R),  IAR = (1 − PDL1/(1 + C/K_D))·(1 − ISC)
    hit = α·R + 0.2·α/(τ·δ²)·U²
    dTV/dt  = r·TV·(1 − TV/TVmax) − hit·TV − (e·dT + d0)·TV
    dTVd/dt = hit·TV − μ·TVd,  dU/dt = δ·R − U/τ
    dnT/dt  = kLN·Ag/(Ag + S_L) + IAR·(kpro − kdif)·nT − kel·nT
    ddT/dt  = IAR·kdif·nT − kapo·dT,  dPDL1/dt = kpdl·dT/(Kpdl + dT) − kpdl·PDL1
    dAd/dt  = −ka·Ad,  dAc/dt = ka·Ad − kel_mAb·Ac,  C = Ac/Vd

Source: doi:10.1186/s40425-018-0327-9, equations and Table 1. Status: verified in the paper; the
repair term is corrected, see `Parameters.repair`. Fitted to CT26 in BALB/c mice, to ≤ 10 Gy per
fraction. Units: µL, days, Gy, nM; trajectories are in cm³ (1 cm³ = 1000 µL).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp  # type: ignore[import-untyped]

from abscopt.models.arrays import FloatArray
from abscopt.models.simulators.trajectory import Trajectory, Value, batch_of, daily, treated_days

HIGHEST_DOSE_GY = 10.0
"""Highest dose per fraction for which the authors state validity."""

STATES = 5
"""ln TV, TVd, nT, dT and PDL1 are integrated; U, Ad and Ac are known in closed form."""

UL_PER_CM3 = 1000.0

Slope = Callable[[float, FloatArray], FloatArray]
Event = Callable[[float, FloatArray], float]


@dataclass(frozen=True)
class Parameters:
    """Table 1; numbers, or arrays that broadcast with the leading axes of the schedules.

    Parameters
    ----------
    growth_per_day, carrying_capacity_ul, natural_death_per_day
        ``r``, ``TVmax``, ``d0``.
    priming_per_day, priming_half_ul
        ``kLN`` in cells/day and ``S_L``, which differs between animals (`kosinsky_animals`).
    proliferation_per_day, differentiation_per_day, loss_per_day, apoptosis_per_day
        ``kpro``, ``kdif``, ``kel``, ``kapo`` of T cells.
    kill_per_cell_day
        ``e``.
    pdl1_half_cells, pdl1_per_day
        ``Kpdl``, ``kpdl``.
    death_half_per_day, suppression_half_ul
        ``K`` (``Ktcd``) and ``S_R``.
    alpha_per_gy, breaks_per_gy, repair_days, clearance_per_day
        ``α``, ``δ``, ``τ``, ``μ``.
    antibody_volume_l, absorption_per_day, elimination_per_day, dissociation_nm
        ``Vd``, ``ka`` (``None`` is a bolus into the blood), ``kel_mAb``, ``K_D``.
    extinction_ul
        Below this volume a tumor no longer grows; 0 leaves the rule out. Without it controlled
        tumors settle at a few µL (4 for ``S_L`` = 3, 23 for 8.89) and none is ever cured.
    extinction_from_day
        First day on which the rule holds.
    repair
        ``corrected``: breaks vanish at ``U/τ``, half-life 20 min, so that an acute fraction kills
        ``α·D + 0.1·α·D²``, α/β = 10 Gy. ``deposited``: at ``τ·U`` as in the file BIOMD0000000863,
        half-life 35 d; breaks then go on killing for weeks, 0.1·α·D²/τ² in all (2500 times more).

    Notes
    -----
    Source: Table 1 of doi:10.1186/s40425-018-0327-9; extinction from the group's later code
    (Voronova 2021). Status: verified.
    """

    growth_per_day: Value = 0.4
    carrying_capacity_ul: Value = 2500.0
    natural_death_per_day: Value = 0.01
    priming_per_day: Value = 279.0
    priming_half_ul: Value = 8.89
    proliferation_per_day: Value = 3.0
    differentiation_per_day: Value = 3.2
    loss_per_day: Value = 0.2
    apoptosis_per_day: Value = 2.0
    kill_per_cell_day: Value = 0.001
    pdl1_half_cells: Value = 478.0
    pdl1_per_day: Value = 1.0
    death_half_per_day: Value = 0.2
    suppression_half_ul: Value = 30.5
    alpha_per_gy: Value = 0.146
    breaks_per_gy: Value = 19.0
    repair_days: Value = 0.02
    clearance_per_day: Value = 0.1725
    antibody_volume_l: Value = 0.003
    absorption_per_day: Value | None = 8.0
    elimination_per_day: Value = 0.15
    dissociation_nm: Value = 30.0
    extinction_ul: float = 10.0
    extinction_from_day: int = 7
    repair: Literal["corrected", "deposited"] = "corrected"


@dataclass(frozen=True)
class Response(Trajectory):
    """Tumor, T cells, PD-L1 and antibody at the start of each day.

    Parameters
    ----------
    undifferentiated_cells, differentiated_cells
        ``nT`` and ``dT``, shape (..., days + 1).
    pdl1
        ``PDL1``, dimensionless, shape (..., days + 1).
    antibody_nm
        Antibody in blood in nM, shape (..., days + 1).
    extinct
        Whether the extinction rule has stopped the growth, shape (...).
    """

    undifferentiated_cells: FloatArray
    differentiated_cells: FloatArray
    pdl1: FloatArray
    antibody_nm: FloatArray
    extinct: NDArray[np.bool_]


def antibody_nmol(dose_mg_per_kg: ArrayLike, mouse_g: float = 20.0) -> FloatArray:
    """Return the amount of one injection of an antibody of 150 kDa in nmol, same shape.

    Notes
    -----
    Source: 10 mg/kg in Dovedi 2014, doi:10.1158/0008-5472.CAN-14-1258. Status: derived; the weight
    of the mice is assumed.
    """
    return np.asarray(dose_mg_per_kg, dtype=np.float64) * mouse_g / 150.0


def antibody_nm(
    parameters: Parameters, amount_nmol: ArrayLike, elapsed_days: ArrayLike
) -> FloatArray:
    """Return the antibody in blood after one injection in nM.

    Parameters
    ----------
    parameters
        Table 1 or a changed one.
    amount_nmol, elapsed_days
        Amount in nmol and days since the injection, ≥ 0, broadcast.

    Returns
    -------
    FloatArray
        Concentration in nM, broadcast shape.

    Notes
    -----
    Source: one compartment of doi:10.1186/s40425-018-0327-9, solved in closed form.
    Status: derived from the verified equations; 10 mg/kg as a bolus start at 444 nM.
    """
    amount = np.asarray(amount_nmol, dtype=np.float64)
    elapsed = np.asarray(elapsed_days, dtype=np.float64)
    nothing = np.zeros_like(amount)
    depot, central = _injected(parameters, nothing, nothing, amount)
    reached = _later(parameters, depot, central, elapsed)[1]
    return np.asarray(reached / parameters.antibody_volume_l, dtype=np.float64)


def simulate(
    parameters: Parameters,
    dose_gy: ArrayLike,
    antibody_nmol: ArrayLike = 0.0,
    *,
    tumor_ul: ArrayLike = 15.0,
    tolerance: float = 1e-8,
    method: Literal["LSODA", "Radau"] = "LSODA",
    beyond_validity: bool = False,
) -> Response:
    """Return tumors and immune cells of a batch of animals and schedules.

    Parameters
    ----------
    parameters
        Table 1 or a changed one.
    dose_gy
        Dose of the acute fraction at the start of each day in Gy, shape (..., days); day 0 is the
        day of inoculation.
    antibody_nmol
        Antibody injected at the start of each day in nmol, shape (..., days) or one number.
    tumor_ul
        Start volume in µL, > 0, broadcast; everything else starts at 0.
    tolerance
        Relative tolerance of each step, in (0, 1).
    method
        Solver of SciPy, for cross-checks.
    beyond_validity
        Whether to accept more than 10 Gy per fraction.

    Returns
    -------
    Response
        The broadcast of all leading axes first and days last.

    Raises
    ------
    ValueError
        A negative input or one that is not finite, a wrong number of days, a start without tumor,
        or a dose beyond the range of validity.
    RuntimeError
        The integration failed.

    Notes
    -----
    A fraction is instantaneous: ``TV`` falls by ``e^−αD``, ``U`` rises by ``δ·D``. The integration
    starts anew at each fraction and injection and where a tumor becomes extinct. ``U``, ``Ad`` and
    ``Ac`` are linear and independent of the rest, hence exact; ``TV`` is integrated as its
    logarithm. Source and status: module docstring.
    """
    dose, injected = daily(dose_gy, antibody_nmol=antibody_nmol)
    start = np.asarray(tumor_ul, dtype=np.float64)
    if not np.all((start > 0.0) & (start < np.inf)):
        raise ValueError("tumor_ul must be finite and positive")
    if not beyond_validity and np.any(dose > HIGHEST_DOSE_GY):
        raise ValueError(f"the model is valid up to {HIGHEST_DOSE_GY:g} Gy per fraction")
    batch = batch_of(parameters, start.shape, dose.shape[1:], injected.shape[1:])
    animals = _Animals(_flat(parameters, batch), _spread(start, batch), tolerance, method)

    days = len(dose)
    ruled = min(parameters.extinction_from_day, days)
    for begin, end in pairwise(sorted({0, ruled, days, *treated_days(dose, injected)})):
        animals.treat(_spread(dose[begin], batch), _spread(injected[begin], batch))
        animals.integrate(begin, end)
    traces = np.moveaxis(np.array(animals.trace), 0, -1).reshape(STATES + 1, *batch, days + 1)
    log_viable, doomed, young, old, pdl1, antibody = traces
    extinct = ~animals.growing.reshape(batch)
    viable_cm3, doomed_cm3 = np.exp(log_viable) / UL_PER_CM3, doomed / UL_PER_CM3
    return Response(viable_cm3, doomed_cm3, young, old, pdl1, antibody, extinct)


class _Animals:
    """Flat batch of animals at one time, and its trace at the start of each day."""

    def __init__(
        self, parameters: Parameters, tumor_ul: FloatArray, tolerance: float, method: str
    ) -> None:
        self.parameters = parameters
        self.tolerance = tolerance
        self.method = method
        count = len(tumor_ul)
        self.state = np.zeros((count, STATES))
        self.state[:, 0] = np.log(tumor_ul)
        self.breaks, self.depot, self.central = np.zeros((3, count))
        self.growing = np.ones(count, dtype=np.bool_)
        self.trace = [self._seen(self.state, 0.0)]

    def treat(self, dose: FloatArray, injected: FloatArray) -> None:
        """Give one acute fraction and one injection."""
        p = self.parameters
        hit = p.alpha_per_gy * dose
        self.state[:, 1] += np.exp(self.state[:, 0]) * -np.expm1(-hit)
        self.state[:, 0] -= hit
        self.breaks = self.breaks + p.breaks_per_gy * dose
        self.depot, self.central = _injected(p, self.depot, self.central, injected)

    def integrate(self, begin: int, end: int) -> None:
        """Follow the animals over days without treatment."""
        threshold = self.parameters.extinction_ul
        ruled = begin >= self.parameters.extinction_from_day and threshold > 0.0
        time, outputs = float(begin), np.arange(begin + 1.0, end + 1.0)
        bands = {"lband": STATES - 1, "uband": STATES - 1} if self.method == "LSODA" else {}
        while time < end:
            if ruled:
                self.growing &= _volume(self.state) > threshold * (1.0 + 1e-9)
            solution = solve_ivp(
                self._slope(time),
                (time, end),
                self.state.ravel(),
                self.method,
                outputs[outputs > time],
                events=self._margin(threshold) if ruled and self.growing.any() else None,
                rtol=self.tolerance,
                atol=self.tolerance,
                **bands,
            )
            if not solution.success:
                raise RuntimeError(f"the integration failed: {solution.message}")
            for moment, state in zip(solution.t, np.transpose(solution.y), strict=True):
                self.trace.append(self._seen(state.reshape(-1, STATES), moment - time))
            if solution.status == 1:
                stop, last = solution.t_events[0][0], solution.y_events[0][0]
            else:
                stop, last = float(end), solution.y[:, -1]
            self.breaks = self.breaks * np.exp(-_repair_rate(self.parameters) * (stop - time))
            self.depot, self.central = _later(
                self.parameters, self.depot, self.central, stop - time
            )
            time, self.state = stop, np.array(last).reshape(-1, STATES)

    def _seen(self, state: FloatArray, elapsed: float) -> FloatArray:
        """Return states and antibody concentration, shape (states + 1, animals)."""
        central = _later(self.parameters, self.depot, self.central, elapsed)[1]
        return np.vstack([state.T, central / self.parameters.antibody_volume_l])

    def _margin(self, threshold: float) -> Event:
        """Return the event that a growing tumor falls to the extinction threshold."""

        def margin(_: float, flat: FloatArray) -> float:
            return float(_volume(flat.reshape(-1, STATES))[self.growing].min() - threshold)

        margin.terminal = True  # type: ignore[attr-defined]
        margin.direction = -1.0  # type: ignore[attr-defined]
        return margin

    def _slope(self, begin: float) -> Slope:
        """Return the right-hand side from one restart to the next."""
        p = self.parameters
        growth = p.growth_per_day * self.growing
        square = 0.2 * p.alpha_per_gy / (p.repair_days * np.square(p.breaks_per_gy))
        initial_hit = square * np.square(self.breaks)
        fading = 2.0 * _repair_rate(p)

        def slope(time: float, flat: FloatArray) -> FloatArray:
            log_viable, doomed, young, old, pdl1 = flat.reshape(-1, STATES).T
            elapsed = time - begin
            central = _later(p, self.depot, self.central, elapsed)[1]
            blocked = 1.0 + central / (p.antibody_volume_l * p.dissociation_nm)
            hit = initial_hit * np.exp(-fading * elapsed)

            viable = np.exp(log_viable)
            volume = viable + doomed
            death = p.kill_per_cell_day * old + p.natural_death_per_day
            dying = np.square(p.clearance_per_day * doomed / volume + death)
            antigen = volume * dying / (dying + np.square(p.death_half_per_day))
            suppressed = p.suppression_half_ul / (antigen + p.suppression_half_ul)
            activation = (1.0 - pdl1 / blocked) * suppressed * young
            primed = p.priming_per_day * antigen / (antigen + p.priming_half_ul)
            turnover = p.proliferation_per_day - p.differentiation_per_day
            expressed = old / (p.pdl1_half_cells + old)

            rates = np.empty((len(volume), STATES))
            rates[:, 0] = growth * (1.0 - viable / p.carrying_capacity_ul) - hit - death
            rates[:, 1] = hit * viable - p.clearance_per_day * doomed
            rates[:, 2] = primed + turnover * activation - p.loss_per_day * young
            rates[:, 3] = p.differentiation_per_day * activation - p.apoptosis_per_day * old
            rates[:, 4] = p.pdl1_per_day * (expressed - pdl1)
            return rates.ravel()

        return slope


def _repair_rate(parameters: Parameters) -> Value:
    """Return the rate at which breaks vanish, per day."""
    return (
        1.0 / parameters.repair_days if parameters.repair == "corrected" else parameters.repair_days
    )


def _injected(
    parameters: Parameters, depot: FloatArray, central: FloatArray, amount: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return depot and central amounts after an injection."""
    if parameters.absorption_per_day is None:
        return depot, central + amount
    return depot + amount, central


def _later(
    parameters: Parameters, depot: FloatArray, central: FloatArray, elapsed: float | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return depot and central amounts some days later, exactly."""
    kept = np.exp(-parameters.elimination_per_day * elapsed)
    if parameters.absorption_per_day is None:
        return depot * np.ones_like(kept), central * kept
    left = np.exp(-parameters.absorption_per_day * elapsed)
    faster = parameters.absorption_per_day - parameters.elimination_per_day
    arrived = depot * (parameters.absorption_per_day / faster) * (kept - left)
    return depot * left, central * kept + arrived


def _volume(state: FloatArray) -> FloatArray:
    """Return the visible volume in µL, shape (animals,)."""
    return np.asarray(np.exp(state[:, 0]) + state[:, 1])


def _spread(value: FloatArray, batch: tuple[int, ...]) -> FloatArray:
    """Return an array over the flat batch."""
    return np.broadcast_to(value, batch).ravel()


def _flat(parameters: Parameters, batch: tuple[int, ...]) -> Parameters:
    """Return the parameters with their arrays over the flat batch."""
    arrays: dict[str, Any] = {
        name: _spread(value, batch)
        for name, value in vars(parameters).items()
        if isinstance(value, np.ndarray)
    }
    return replace(parameters, **arrays)
