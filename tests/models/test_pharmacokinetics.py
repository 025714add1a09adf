"""Half-lives that published population models report, and concentrations against an ODE solver."""

import math
from typing import TypedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from abscopt.models.immunity import pharmacokinetics


class Agent(TypedDict, total=False):
    clearance_l_per_day: float
    central_volume_l: float
    intercompartmental_l_per_day: float
    peripheral_volume_l: float
    clearance_emax: float
    clearance_t50_days: float
    clearance_hill: float


def agent(cl: float, v1: float, q: float, v2: float, *change: float) -> Agent:
    parameters = Agent(
        clearance_l_per_day=cl,
        central_volume_l=v1,
        intercompartmental_l_per_day=q,
        peripheral_volume_l=v2,
    )
    if change:
        emax, t50, hill = change
        parameters["clearance_emax"] = emax
        parameters["clearance_t50_days"] = t50
        parameters["clearance_hill"] = hill
    return parameters


AGENTS = {
    "pembrolizumab": agent(0.22, 3.48, 0.795, 4.06),
    "nivolumab": agent(0.2256, 3.63, 0.7704, 2.78, -0.295, 58.75, 3.15),
    "durvalumab": agent(0.298, 3.42, 0.452, 1.99, -0.498, 61.3, 1.0),
    "ipilimumab with nivolumab": agent(0.3384, 3.95, 0.6696, 3.18, -0.2664, 105.8, 7.43),
    "atezolizumab": agent(0.2, 3.28, 0.546, 3.63),
    "ipilimumab alone": agent(0.3384, 3.95, 0.6696, 3.18, -0.0644, 105.8, 7.43),
    "tremelimumab with durvalumab": agent(0.276, 3.64, 0.357, 2.40, -0.187, 95.1, 3.20),
    "tremelimumab alone": agent(0.276, 3.64, 0.357, 2.40, 0.151, 95.1, 14.5),
}


@pytest.mark.parametrize(
    ("parameters", "half_life"),
    [
        ((0.22, 3.48, 0.795, 4.06), 25.8),
        ((0.22 * 1.145, 3.48, 0.795, 4.06), 22.8),
        ((0.2256, 3.63, 0.7704, 2.78), 20.9),
        ((0.2256 * math.exp(-0.295), 3.63, 0.7704, 2.78), 27.6),
        ((0.298, 3.42, 0.452, 1.99), 13.9),
        ((0.298 * math.exp(-0.498), 3.42, 0.452, 1.99), 21.9),
        ((0.3384, 3.95, 0.6696, 3.18), 16.3),
        ((0.276, 3.64, 0.357, 2.40), 17.4),
    ],
)
def test_printed_half_lives(
    parameters: tuple[float, float, float, float], half_life: float
) -> None:
    computed = pharmacokinetics.terminal_half_life_days(*parameters)
    assert computed == pytest.approx(half_life, abs=0.0501)


def integrate(parameters: Agent, days: int, doses: dict[int, float]) -> list[float]:
    first = min(doses)
    flow = parameters["intercompartmental_l_per_day"]
    central, peripheral = parameters["central_volume_l"], parameters["peripheral_volume_l"]
    emax = parameters.get("clearance_emax", 0.0)
    t50, hill = parameters.get("clearance_t50_days", 1.0), parameters.get("clearance_hill", 1.0)

    def rate(time: float, amount: np.ndarray) -> list[float]:
        x = max(time - first, 0.0) ** hill
        clearance = parameters["clearance_l_per_day"] * math.exp(emax * x / (t50**hill + x))
        exchange = flow * (amount[0] / central - amount[1] / peripheral)
        return [-clearance * amount[0] / central - exchange, exchange]

    amount = np.array([doses.get(0, 0.0), 0.0])
    trace = [amount[0] / central]
    for day in range(1, days):
        amount = solve_ivp(rate, (day - 1, day), amount, rtol=1e-11, atol=1e-10).y[:, -1]
        amount[0] += doses.get(day, 0.0)
        trace.append(amount[0] / central)
    return trace


@pytest.mark.parametrize("name", AGENTS)
def test_concentrations_agree_with_an_ode_solver(name: str) -> None:
    doses = {5: 200.0, 26: 300.0, 90: 250.0}
    computed = pharmacokinetics.concentrations(
        180, list(doses), list(doses.values()), **AGENTS[name]
    )
    np.testing.assert_allclose(computed, integrate(AGENTS[name], 180, doses), rtol=1e-6)


def test_the_end_of_a_trace_falls_with_the_terminal_half_life() -> None:
    trace = pharmacokinetics.concentrations(200, [0], [200.0], **AGENTS["pembrolizumab"])
    half_life = math.log(2.0) / math.log(trace[-2] / trace[-1])
    assert half_life == pytest.approx(25.8, abs=0.0501)
    assert trace[0] == pytest.approx(200.0 / 3.48)


def test_one_compartment_is_a_plain_exponential() -> None:
    parameters = agent(math.log(2.0) / 20.0, 1.0, 0.0, 1.0)
    trace = pharmacokinetics.concentrations(41, [0, 20], 1.0, **parameters)
    np.testing.assert_allclose(trace[[0, 19, 20, 40]], [1.0, 2**-0.95, 1.5, 0.75], rtol=1e-12)


def test_doses_before_day_zero_after_the_end_and_twice_a_day() -> None:
    parameters = AGENTS["nivolumab"]
    later = pharmacokinetics.concentrations(60, [10, 31], [240.0, 240.0], **parameters)
    shifted = pharmacokinetics.concentrations(
        40, [11, -10, 11, 90], [200.0, 240.0, 40.0, 1e6], **parameters
    )
    np.testing.assert_allclose(shifted, later[20:], rtol=1e-12)
    assert np.all(later[:10] == 0.0)


def test_no_dose_no_concentration() -> None:
    for days, doses in (([], []), ([7], [100.0])):
        trace = pharmacokinetics.concentrations(7, days, doses, **AGENTS["durvalumab"])
        np.testing.assert_array_equal(trace, np.zeros(7))


def test_unusable_arguments_are_refused() -> None:
    parameters = AGENTS["pembrolizumab"]
    with pytest.raises(ValueError, match="whole days"):
        pharmacokinetics.concentrations(9, [0.5], [1.0], **parameters)
    with pytest.raises(ValueError, match="T50"):
        pharmacokinetics.concentrations(9, [0], [1.0], **parameters, clearance_emax=0.1)


@given(st.floats(0.05, 1.0), st.floats(1.0, 6.0), st.floats(0.05, 1.5), st.floats(0.5, 6.0))
def test_dose_scales_and_superposes(cl: float, v1: float, q: float, v2: float) -> None:
    parameters = agent(cl, v1, q, v2)
    first = pharmacokinetics.concentrations(30, [0], [100.0], **parameters)
    second = pharmacokinetics.concentrations(30, [9], [50.0], **parameters)
    both = pharmacokinetics.concentrations(30, [0, 9], [100.0, 50.0], **parameters)
    np.testing.assert_allclose(both, first + second, rtol=1e-10)
    np.testing.assert_allclose(second[9:], 0.5 * first[:-9], rtol=1e-10)
    assert np.all(np.diff(first) < 0.0)
    slowest = pharmacokinetics.terminal_half_life_days(cl, v1, q, v2)
    assert slowest >= math.log(2.0) * v1 / (cl + q)


def test_occupancy_is_hill() -> None:
    np.testing.assert_allclose(
        pharmacokinetics.occupancy([0.0, 0.05, 0.95], 0.05), [0.0, 0.5, 0.95], rtol=1e-12
    )
    assert pharmacokinetics.occupancy(2.0, 1.0, 2.0) == pytest.approx(0.8)


def test_mouse_occupancy_after_one_dose() -> None:
    """T10: 444 nM, 0.15/day, K_D 30 nM: days above 0.9, 0.8, 0.5."""
    initial = 1.333 / 0.003
    for level, days in ((0.9, 3.32), (0.8, 8.73), (0.5, 17.97)):
        left = initial * math.exp(-0.15 * days)
        assert pharmacokinetics.occupancy(left, 30.0) == pytest.approx(level, abs=2e-4)
