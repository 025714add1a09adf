"""Kosinsky 2018: hand values, the literal equations, convergence, and orderings in time."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from abscopt.models.immunity import pharmacokinetics
from abscopt.models.simulators import kosinsky
from abscopt.models.simulators.kosinsky_animals import individual_priming_half

TABLE_1 = kosinsky.Parameters()
RADIATION_ONLY = replace(
    TABLE_1,
    growth_per_day=0.0,
    natural_death_per_day=0.0,
    kill_per_cell_day=0.0,
    extinction_ul=0.0,
)
EVERY_OTHER_DAY = (0, 2, 4, 7, 9, 11, 14, 16, 18)  # three times a week for three weeks


def days_of(number: int, given: dict[int, float]) -> np.ndarray:
    schedule = np.zeros(number)
    schedule[list(given)] = list(given.values())
    return schedule


def injections(number: int, start: int) -> np.ndarray:
    amount = float(kosinsky.antibody_nmol(10.0))
    return days_of(number, {start + day: amount for day in EVERY_OTHER_DAY})


@pytest.mark.parametrize(
    ("fractions", "dose", "kill"),
    [(5, 2, 1.752), (3, 4, 2.4528), (2, 5, 2.19), (1, 5, 1.095), (1, 7, 1.7374), (1, 10, 2.92)],
)
def test_t8_log_kill(fractions: int, dose: float, kill: float) -> None:
    course = days_of(8, dict.fromkeys(range(fractions), dose))
    response = kosinsky.simulate(RADIATION_ONLY, course)
    lost = np.log(response.viable_cm3[0] / response.viable_cm3[-1])
    assert lost == pytest.approx(kill, abs=1e-6)
    assert kill == pytest.approx(fractions * 0.146 * (dose + 0.1 * dose**2), rel=1e-12)


def test_the_deposited_repair_goes_on_killing() -> None:
    deposited = replace(RADIATION_ONLY, repair="deposited")
    response = kosinsky.simulate(deposited, days_of(6, {0: 2.0}))
    lost = -np.log(response.viable_cm3 / response.viable_cm3[0])
    rate, days = 0.02, np.arange(1, 7)
    late = 0.2 * 0.146 * 4.0 / rate * -np.expm1(-2 * rate * days) / (2 * rate)
    np.testing.assert_allclose(lost[1:], 0.292 + late, rtol=1e-6)
    assert lost[1] > 5.0


def test_t9_untreated() -> None:
    response = kosinsky.simulate(TABLE_1, np.zeros(20))
    volume_ul = response.burden_cm3 * 1000
    assert volume_ul[0] == pytest.approx(15.0)
    assert volume_ul[7] == pytest.approx(149.2, abs=0.06)
    assert volume_ul[20] == pytest.approx(1048, abs=0.6)
    assert not response.extinct


@pytest.mark.parametrize(("level", "days"), [(0.9, 3.32), (0.8, 8.73), (0.5, 17.97)])
def test_t10_occupancy_after_one_injection(level: float, days: float) -> None:
    amount = kosinsky.antibody_nmol(10.0)
    assert amount == pytest.approx(1.333, abs=5e-4)
    bolus = replace(TABLE_1, absorption_per_day=None)
    time = np.linspace(0.0, 30.0, 30001)
    concentration = kosinsky.antibody_nm(bolus, amount, time)
    assert concentration[0] == pytest.approx(444.4, abs=0.05)
    occupied = pharmacokinetics.occupancy(concentration, 30.0) >= level
    assert occupied.sum() / 1000 == pytest.approx(days, abs=6e-3)
    slow = kosinsky.antibody_nm(TABLE_1, amount, time)
    absorbed = pharmacokinetics.occupancy(slow, 30.0) >= level
    assert absorbed.sum() / 1000 == pytest.approx(days, abs=0.13)


def test_antibody_of_a_course_is_the_sum_of_its_injections() -> None:
    course = injections(25, 3)
    response = kosinsky.simulate(TABLE_1, np.zeros(25), course)
    elapsed = np.arange(26.0)[:, np.newaxis] - np.arange(25.0)
    single = kosinsky.antibody_nm(TABLE_1, course, np.maximum(elapsed, 0.0))
    expected = np.where(elapsed > 0.0, single, 0.0).sum(axis=-1)
    np.testing.assert_allclose(response.antibody_nm, expected, rtol=1e-12, atol=1e-12)


def literal(dose: np.ndarray, injected: np.ndarray, priming_half: float) -> np.ndarray:
    """Volume in µL by the equations of the module docstring, all eight states, no extinction."""

    def slope(_: float, y: np.ndarray) -> list[float]:
        tv, tvd, u, nt, dt, pdl1, depot, central = y
        total = tv + tvd
        tcd = 0.1725 * tvd / total + 0.001 * dt + 0.01
        ag = tcd**2 / (tcd**2 + 0.2**2) * total
        isc = ag / (ag + 30.5)
        iar = (1 - pdl1 / (1 + central / 0.003 / 30)) * (1 - isc)
        hit = 0.2 * 0.146 / (0.02 * 19**2) * u**2
        return [
            0.4 * tv * (1 - tv / 2500) - hit * tv - (0.001 * dt + 0.01) * tv,
            hit * tv - 0.1725 * tvd,
            -u / 0.02,
            279 * ag / (ag + priming_half) + iar * nt * (3.0 - 3.2) - 0.2 * nt,
            iar * nt * 3.2 - 2.0 * dt,
            dt / (478 + dt) - pdl1,
            -8 * depot,
            8 * depot - 0.15 * central,
        ]

    state = np.array([15.0, 0, 0, 0, 0, 0, 0, 0])
    volumes = [15.0]
    for day, (gray, nmol) in enumerate(zip(dose, injected, strict=True)):
        state[1] += state[0] * (1 - np.exp(-0.146 * gray))
        state[0] *= np.exp(-0.146 * gray)
        state[2] += 19 * gray
        state[6] += nmol
        span = (day, day + 1)
        state = solve_ivp(slope, span, state, "Radau", rtol=1e-8, atol=1e-9).y[:, -1]
        volumes.append(state[0] + state[1])
    return np.array(volumes)


def test_trajectory_of_the_literal_equations() -> None:
    dose, injected = days_of(20, {7: 2.0, 8: 2.0, 9: 8.0}), injections(26, 6)[:20]
    parameters = replace(TABLE_1, priming_half_ul=25.0, extinction_ul=0.0)
    response = kosinsky.simulate(parameters, dose, injected)
    np.testing.assert_allclose(response.burden_cm3 * 1000, literal(dose, injected, 25.0), rtol=2e-6)


def test_tolerance_and_solver_do_not_matter_away_from_extinction() -> None:
    animals = replace(TABLE_1, priming_half_ul=np.array([2.0, 8.89, 40.0]))
    dose, injected = days_of(40, dict.fromkeys(range(10, 15), 2.0)), injections(40, 12)
    runs = {
        tolerance: kosinsky.simulate(animals, dose, injected, tolerance=tolerance)
        for tolerance in (1e-6, 5e-7, 1e-9)
    }
    radau = kosinsky.simulate(animals, dose, injected, tolerance=1e-6, method="Radau")
    for response in (runs[1e-6], runs[5e-7], radau):
        np.testing.assert_allclose(response.burden_cm3, runs[1e-9].burden_cm3, rtol=1e-4)


def test_extinction_rule() -> None:
    dose, injected = days_of(150, {7: 10.0}), injections(150, 7)
    animals = replace(TABLE_1, priming_half_ul=np.array([3.0, 8.89, 40.0]))
    ruled = kosinsky.simulate(animals, dose, injected)
    free = kosinsky.simulate(replace(animals, extinction_ul=0.0), dose, injected)
    np.testing.assert_array_equal(ruled.extinct, [True, True, False])
    assert not free.extinct.any()
    assert np.all(ruled.burden_cm3[:2, -1] < 1e-6)
    np.testing.assert_allclose(free.burden_cm3[:2, -1] * 1000, [4.2, 23.3], atol=0.1)
    for animal in range(2):
        volumes = ruled.burden_cm3[animal] * 1000
        reached = int(np.argmax(volumes <= 10.0))
        assert np.all(np.diff(volumes[reached:]) < 0.0)
        before = free.burden_cm3[animal, :reached] * 1000
        np.testing.assert_allclose(volumes[:reached], before, rtol=1e-5)
    late = replace(animals, extinction_from_day=150)
    assert not kosinsky.simulate(late, dose, injected).extinct.any()


def test_extinction_holds_from_its_day_on() -> None:
    small = replace(TABLE_1, extinction_from_day=2)
    response = kosinsky.simulate(small, np.zeros(6), tumor_ul=[1.0, 20.0])
    np.testing.assert_array_equal(response.extinct, [True, False])
    assert response.burden_cm3[0, 2] > response.burden_cm3[0, 1]
    assert np.all(np.diff(response.burden_cm3[0, 2:]) < 0.0)


def test_extinction_holds_from_a_week_on() -> None:
    volumes = kosinsky.simulate(TABLE_1, np.zeros(9), tumor_ul=0.5).burden_cm3
    assert 0.5e-3 < volumes[7] < 10e-3  # it grew, but not above the threshold
    assert np.all(np.diff(volumes[:8]) > 0.0) and np.all(np.diff(volumes[7:]) < 0.0)


def test_batches_broadcast_and_equal_single_runs() -> None:
    doses = np.stack([days_of(25, {}), days_of(25, {7: 5.0, 8: 5.0})])[:, np.newaxis]
    drugs = np.stack([np.zeros(25), injections(30, 5)[:25]])[:, np.newaxis, np.newaxis]
    thresholds = np.array([3.0, 9.0, 30.0])
    together = kosinsky.simulate(replace(TABLE_1, priming_half_ul=thresholds), doses, drugs)
    assert together.burden_cm3.shape == (2, 2, 3, 26)
    assert together.extinct.shape == (2, 2, 3)
    alone = kosinsky.simulate(replace(TABLE_1, priming_half_ul=9.0), doses[1, 0], drugs[1, 0, 0])
    np.testing.assert_allclose(together.burden_cm3[1, 1, 1], alone.burden_cm3, rtol=1e-4)


def test_no_days_is_the_start() -> None:
    response = kosinsky.simulate(TABLE_1, np.zeros((2, 0)), tumor_ul=[15.0, 30.0])
    np.testing.assert_allclose(response.burden_cm3, [[0.015], [0.030]])


def test_individuals() -> None:
    assert individual_priming_half(0.5) == pytest.approx(8.89)
    spread = np.log(individual_priming_half([0.158655, 0.841345]) / 8.89)
    np.testing.assert_allclose(spread, [-0.696, 0.696], atol=1e-4)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="valid up to 10 Gy"):
        kosinsky.simulate(TABLE_1, [10.5])
    assert kosinsky.simulate(TABLE_1, [10.5], beyond_validity=True).burden_cm3.shape == (2,)
    with pytest.raises(ValueError, match="tumor_ul"):
        kosinsky.simulate(TABLE_1, [0.0], tumor_ul=[15.0, -1.0])
    with pytest.raises(ValueError, match="antibody_nmol must be finite"):
        kosinsky.simulate(TABLE_1, [0.0], -1.0)


STARTS = (None, 3, 5, 7, 12, 19)
COURSES = {"5x2": (5, 2.0), "2x5": (2, 5.0), "1x7": (1, 7.0), "1x10": (1, 10.0)}
RADIATION_STARTS = (5, 7, 12)


@pytest.fixture(scope="module")
def responders() -> dict[tuple[int | None, str], np.ndarray]:
    """Percent with ≤ 10 µL 50 days after the first treatment, per antibody start."""
    number, count = 70, 20
    arms: list[tuple[int | None, str]] = [
        (None, ""),
        *((start, course) for start in RADIATION_STARTS for course in COURSES),
    ]
    doses = np.zeros((len(arms), 1, 1, number))
    for row, (start, course) in zip(doses, arms, strict=True):
        if start is not None:
            fractions, dose = COURSES[course]
            row[..., start : start + fractions] = dose
    drugs = np.stack([np.zeros(number) if s is None else injections(number, s) for s in STARTS])
    quantiles = (np.arange(count) + 0.5) / count
    animals = replace(TABLE_1, priming_half_ul=individual_priming_half(quantiles))
    response = kosinsky.simulate(animals, doses, drugs[:, np.newaxis], tolerance=1e-5)
    table = {}
    for arm, volumes in zip(arms, response.burden_cm3, strict=True):
        judged = [min(d for d in (arm[0], s, 99) if d is not None) % 99 + 50 for s in STARTS]
        cured = [v[:, day] <= 0.01 for v, day in zip(volumes, judged, strict=True)]
        table[arm] = 100.0 * np.mean(cured, axis=-1)
    return table


def test_t11_antibody_early_beats_late(
    responders: dict[tuple[int | None, str], np.ndarray],
) -> None:
    for rates in responders.values():
        early, d12, d19 = rates[1:4], rates[4], rates[5]
        assert early.max() - early.min() <= 12.5
        assert early.min() >= d12 >= d19
    for course in COURSES:
        for rates in (responders[start, course] for start in RADIATION_STARTS):
            assert np.all(rates[1:] >= rates[0])
            assert np.all(rates[1:] >= responders[None, ""][1:])


def test_t11_radiation_early_beats_late(
    responders: dict[tuple[int | None, str], np.ndarray],
) -> None:
    for course in COURSES:
        for early, late in pairwise(RADIATION_STARTS):
            assert np.all(responders[early, course] >= responders[late, course])


def test_t11_single_high_dose_survives_a_late_start(
    responders: dict[tuple[int | None, str], np.ndarray],
) -> None:
    concurrent = {course: responders[12, course][4] for course in COURSES}
    assert concurrent["1x10"] > concurrent["2x5"] >= concurrent["1x7"] > concurrent["5x2"]
    assert concurrent["1x10"] >= 0.6 * responders[7, "1x10"][3]
    assert concurrent["5x2"] <= 0.5 * responders[7, "5x2"][3]


def test_t11_combination_beats_either_alone(
    responders: dict[tuple[int | None, str], np.ndarray],
) -> None:
    assert responders[None, ""][0] == 0.0
    assert 0.0 <= responders[None, ""][3] <= 27.0
    assert 40.0 <= responders[7, "5x2"][3] <= 75.0
    assert responders[7, "5x2"][0] <= 27.0


@pytest.mark.parametrize(
    ("arm", "percent"),
    [
        ((None, ""), [0, 18, 18, 12, 2, 0]),
        ((5, "1x7"), [25, 85, 85, 85, 82, 58]),
        ((7, "5x2"), [10, 62, 62, 60, 52, 32]),
        ((12, "1x10"), [18, 70, 70, 70, 62, 52]),
    ],
)
def test_t11_agrees_with_an_independent_reconstruction(
    responders: dict[tuple[int | None, str], np.ndarray],
    arm: tuple[int | None, str],
    percent: list[int],
) -> None:
    """Not published numbers: ours, from other code, on 40 quantiles instead of 20."""
    np.testing.assert_allclose(responders[arm], percent, atol=5.0)
