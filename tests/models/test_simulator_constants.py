"""Published constants of the simulators: maps and equations written once more in plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from abscopt.models.simulators import cho, icd
from abscopt.models.simulators import gonzalez_crespo as gc

Row = tuple[float, ...]
CHO: dict[str, tuple[cho.Parameters, Row]] = {
    # growth, rho, omega, kappa, lambda_D, lambda_L, lambda_A, psi, tumor alpha and beta
    "figure 2": (cho.FIGURE_2, (0.217, 0.1, 0.05, 0.012, 0.039, 0.335, 0.039, 0.0, 0.0, 0.0)),
    "figure 3": (
        cho.FIGURE_3,
        (0.217, 0.5, 0.135, 0.51, 0.045, 0.045, 0.045, 0.0, 0.05, 0.0114),
    ),
    "figures 4 and 5": (
        cho.FIGURES_4_5,
        (0.217, 0.5, 0.135, 1.1, 0.045, 0.045, 0.045, 300.0, 0.05, 0.0114),
    ),
    "figure 6": (
        cho.FIGURE_6,
        (0.03, 0.1, 0.004, 0.5, 0.045, 0.056, 0.045, 4.6, 0.214, 0.0214),
    ),
}


def cho_by_hand(constants: Row, doses: list[float], pd1: float, ctla4: float) -> list[Row]:
    """T, D, L and A day by day, from 0.3 cm3 of tumor, 0.1 doomed and 0.2 lymphocytes."""
    mu, rho, omega, kappa, doomed_loss, loss, recovery, psi, alpha, beta = constants
    tumor, doomed, cells, trigger, second = 0.3, 0.1, 0.2, 0.8, 0.0
    states = [(tumor, doomed, cells, trigger)]
    for dose in doses:
        kept = math.exp(-alpha * dose - beta * dose * dose)
        immune_kept = math.exp(-0.182 * dose - 0.143 * dose * dose)
        activation = math.tanh((1 - kept) * 0.7)
        first = omega * cells / (1 + kappa * tumor ** (2 / 3) * cells / (1 + pd1))
        second += 0.0314 * (1 + ctla4) / (5 + ctla4) * first
        left = kept * math.exp(-first - second)
        cells = (1 - loss) * immune_kept * cells + (rho + psi * activation * trigger) * tumor
        doomed = (1 - doomed_loss) * doomed + tumor * math.exp(mu) * (1 - left)
        tumor *= math.exp(mu) * left
        trigger = (1 - activation) * (trigger * immune_kept + recovery * (1 - trigger))
        states.append((tumor, doomed, cells, trigger))
    return states


@pytest.mark.parametrize("name", CHO)
def test_cho_by_hand(name: str) -> None:
    parameters, constants = CHO[name]
    doses = [0.0] * 12
    if parameters.radiosensitivity is not None:
        doses[3:6:2] = [6.0, 2.0]
    start = {"tumor_cm3": 0.3, "doomed_cm3": 0.1, "lymphocytes": 0.2, "triggering": 0.8}
    response = cho.simulate(parameters, doses, 0.5, 2.0, damaged_volume=0.7, **start)
    states = np.array(cho_by_hand(constants, doses, 0.5, 2.0)).T
    for trace, expected in zip(
        (response.viable_cm3, response.doomed_cm3, response.lymphocytes, response.triggering),
        states,
        strict=True,
    ):
        np.testing.assert_allclose(trace, expected, rtol=1e-11)


def test_cho_without_further_inputs() -> None:
    """A tumor alone: no drugs, nothing doomed, no lymphocytes, all cells can trigger."""
    doses = [0.0, 4.0, 0.0, 4.0, 0.0]
    stated = cho.simulate(
        cho.FIGURES_4_5, doses, 0.0, 0.0, tumor_cm3=0.3, doomed_cm3=0.0, lymphocytes=0.0,
        triggering=1.0, damaged_volume=1.0,
    )  # fmt: skip
    short = cho.simulate(cho.FIGURES_4_5, doses, tumor_cm3=0.3)
    for name, trace in vars(stated).items():
        np.testing.assert_array_equal(trace, getattr(short, name))


@pytest.mark.parametrize("abscopal", [False, True])
def test_icd_by_another_solver(abscopal: bool) -> None:
    x = 2.5588 * 8.0 / 6.0
    kept = math.exp(-5.1476e-3 * 8.0 - 6.5777e-3 * 2.0 * (x + math.exp(-x) - 1.0) / x**2 * 64.0)
    treated = (1.0 if abscopal else kept) - 6.12 * (1.0 - kept)

    def slope(time: float, state: np.ndarray) -> list[float]:
        tumor, first, second = state
        net = 0.4537 * (1.0 - tumor / 1.7598e9) - 4.41e-8 * first - 9.07e-7 * second
        return [
            (treated if time >= 5.0 else 1.0) * net * tumor,
            16338.0 - (0.0691 + 1.99e-9 * tumor) * first,
            4.39623e-7 - (0.395 + 8.15e-7 * tumor) * second,
        ]

    start = {"tumor_cells": 4e5, "first_cells": 1e6, "second_cells": 2e5}
    dose = [0.0] * 5 + [8.0] + [0.0] * 8
    response = icd.simulate(icd.Parameters(), dose, abscopal=abscopal, **start)
    expected = solve_ivp(
        slope, (0.0, 14.0), list(start.values()), "DOP853", np.arange(15.0),
        rtol=1e-10, atol=1e-10, max_step=0.5,
    ).y  # fmt: skip
    np.testing.assert_allclose(response.viable_cm3, expected[0] / 1e9, rtol=1e-5)
    np.testing.assert_allclose(response.first, expected[1], rtol=1e-5)
    np.testing.assert_allclose(response.second, expected[2], rtol=1e-3, atol=1e-4)


def test_gonzalez_crespo_at_the_constants_of_the_fit() -> None:
    """The constants of the fit stated once more, and what the inputs are where none are given."""
    fitted = gc.Parameters(2e-7, 2e-3, 0.2)
    constants = {
        "growth_per_day": 0.4044, "inverse_capacity": 0.0, "alpha_per_gy": 0.1577,
        "beta_per_gy2": 0.0427, "t_cell_alpha_per_gy": 0.0417, "clearance_per_day": 0.3715,
        "clearance_from_days": 1.0, "clearance_full_days": 1.5, "antigen_loss_per_day": 0.0492,
        "antigen_delay_days": 0.642, "infiltration_delay_days": 2.0, "t_cell_loss_per_day": 0.0675,
        "t_cell_loss_per_cell_day": 9.2e-9, "pool_cells": 2.998e5, "pool_inflow_per_day": 0.199,
        "ctla4_threshold": 5.0, "kill_per_day": 0.138, "kill_exponent": 0.407, "kill_half": 0.0481,
        "tumor_cell_mm3": 1e-6, "t_cell_mm3": 8.3e-7, "activation_per_antigen_day": 2e-7,
        "release_per_cell_day": 2e-3, "release_per_death": 0.2,
    }  # fmt: skip
    assert vars(fitted) == constants
    doses = np.zeros(12)
    doses[4:6] = 5.0
    stated = gc.simulate(fitted, doses, 0.0, 0.0, tumor_cells=5e5, steps_per_day=48)
    short = gc.simulate(fitted, doses)
    for name, trace in vars(stated).items():
        np.testing.assert_array_equal(trace, getattr(short, name))


def test_cho_of_two_parts_by_hand() -> None:
    """A third of the tumor gets 6 Gy, the rest 1 Gy; what both share is a mean by volume."""
    alpha, beta, mu = 0.05, 0.0114, 0.217
    parts, doomed, cells, trigger, second = [0.1, 0.2], 0.0, 0.2, 1.0, 0.0
    doses = np.zeros((2, 8))
    doses[:, 2] = 6.0, 1.0
    doses[:, 5] = 6.0, 1.0
    states = [(0.3, doomed, cells, trigger)]
    for day in range(8):
        tumor, both = sum(parts), [float(dose) for dose in doses[:, day]]
        weights = [part / tumor for part in parts]
        kept = [math.exp(-alpha * d - beta * d * d) for d in both]
        spared = [math.exp(-0.182 * d - 0.143 * d * d) for d in both]
        immune_kept = sum(w * s for w, s in zip(weights, spared, strict=True))
        activation = math.tanh(1.0 - sum(w * s for w, s in zip(weights, kept, strict=True)))
        first = 0.135 * cells / (1 + 1.1 * tumor ** (2 / 3) * cells)
        second += 0.0314 / 5 * first
        left = [s * math.exp(-first - second) for s in kept]
        cells = (1 - 0.045) * immune_kept * cells + (0.5 + 300 * activation * trigger) * tumor
        dying = sum(part * (1 - s) for part, s in zip(parts, left, strict=True))
        doomed = (1 - 0.045) * doomed + math.exp(mu) * dying
        parts = [part * math.exp(mu) * s for part, s in zip(parts, left, strict=True)]
        trigger = (1 - activation) * (trigger * immune_kept + 0.045 * (1 - trigger))
        states.append((sum(parts), doomed, cells, trigger))
    response = cho.simulate(
        cho.FIGURES_4_5, doses, tumor_cm3=0.3, lymphocytes=0.2, part_shares=[1 / 3, 2 / 3]
    )
    for trace, expected in zip(
        (response.viable_cm3, response.doomed_cm3, response.lymphocytes, response.triggering),
        np.array(states).T,
        strict=True,
    ):
        np.testing.assert_allclose(trace, expected, rtol=1e-11)
    for shares in ([-0.5, 1.5], [0.5, 0.6]):
        with pytest.raises(ValueError, match="part_shares"):
            cho.simulate(cho.FIGURES_4_5, doses, tumor_cm3=0.3, part_shares=shares)
    with pytest.raises(ValueError, match="axis of 2 parts"):
        cho.simulate(cho.FIGURES_4_5, doses[0], tumor_cm3=0.3, part_shares=[0.5, 0.5])


def test_gonzalez_crespo_with_a_capacity_is_logistic_without_immunity() -> None:
    inverse = 1e-8
    bounded = gc.Parameters(0.0, 0.0, 0.0, inverse_capacity=inverse)
    response = gc.simulate(bounded, np.zeros(15), tumor_cells=5e5)
    grown = np.exp(0.4044 * np.arange(16.0))
    cells = grown * 5e5 / (1.0 + inverse * 5e5 * (grown - 1.0))
    np.testing.assert_allclose(response.viable_cm3, cells * 1e-9, rtol=1e-4)


def gonzalez_crespo_by_hand(doses: list[float], pd1: float, ctla4: float, steps: int) -> list[Row]:
    """Euler's method on the equations of the module: C, all damaged, A, Tl and Ta day by day."""
    a, rho, psi = 2e-7, 2e-3, 0.2
    growth, alpha, beta, clearance, sigma = 0.4044, 0.1577, 0.0427, 0.3715, 0.0492
    dt, pool_start = 1.0 / steps, 2.998e5
    living, antigen, pool, cells = 5e5, 0.0, pool_start, 0.0
    damaged: list[tuple[float, float]] = []  # (time of the fraction, cells)
    share = (1.0 + ctla4) / (5.0 + ctla4)
    released, activated = [], []
    states: list[Row] = [(living, 0.0, antigen, pool, cells)]
    for step in range(len(doses) * steps):
        time = step * dt
        if step % steps == 0 and doses[step // steps] > 0.0:
            dose = doses[step // steps]
            kept = math.exp(-alpha * dose - beta * dose * dose)
            damaged.append((time, (1.0 - kept) * living))
            living *= kept
            cells *= math.exp(-0.0417 * (dose + dose * dose / 10.0))
        everyone = living + sum(number for _, number in damaged)
        ratio = (cells / everyone) ** 0.407
        immune = 0.138 * (1.0 + pd1) * ratio / (0.0481 + ratio)
        dying = [
            (clearance * min(1.0, max(0.0, (time - given - 1.0) / 0.5)) + immune) * number
            for given, number in damaged
        ]
        active = a * antigen * pool
        released.append(rho * everyone + psi * sum(dying))
        activated.append(active)
        before = step - 0.642 * steps  # antigen released 0.642 days ago
        signal = released[round(before)] if before >= 0.0 else rho * 5e5
        arriving = activated[step - 2 * steps] if step >= 2 * steps else 0.0
        loss = 9.2e-9 * everyone + 0.0675
        living += dt * (growth - immune) * living
        damaged = [
            (given, number - dt * lost)
            for (given, number), lost in zip(damaged, dying, strict=True)
        ]
        antigen += dt * (signal - sigma * antigen - active / share)
        pool = min(pool_start, pool + dt * (0.199 - active / share))
        cells += dt * (arriving - loss * cells)
        if (step + 1) % steps == 0:
            states.append((living, sum(number for _, number in damaged), antigen, pool, cells))
    return states


def test_gonzalez_crespo_by_hand() -> None:
    doses = [0.0] * 14
    doses[5:7] = 4.0, 4.0
    response = gc.simulate(gc.Parameters(2e-7, 2e-3, 0.2), doses, 0.5, 2.0, steps_per_day=96)
    living, damaged, antigen, pool, cells = np.array(
        gonzalez_crespo_by_hand(doses, 0.5, 2.0, 500)
    ).T
    assert cells[-1] > 1e4 and pool[-1] < 2.5e5
    for trace, expected in (
        (response.viable_cm3, living * 1e-9), (response.doomed_cm3, damaged * 1e-9),
        (response.antigen, antigen), (response.pool, pool), (response.t_cells, cells),
        (response.infiltrate_cm3, cells * 8.3e-10),
    ):  # fmt: skip
        np.testing.assert_allclose(trace, expected, rtol=0.03, atol=1e-3 * expected.max())
