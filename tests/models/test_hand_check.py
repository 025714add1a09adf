"""A hand calculation of the immune model, to its printed digits; its constants live only here."""

from itertools import product

import numpy as np
import pytest

from abscopt.models.immunity import immune, pharmacokinetics, recursion
from abscopt.models.tumor import lq

DAYS = 200
PUBLISHED_SET = {
    "precursors_initial": 1.0,
    "precursor_loss_per_day": 0.0,
    "precursor_inflow_per_day": 0.0,
    "effector_loss_per_day": 0.06,
    "effector_kill_per_fraction": 0.25,
    "clearance_per_day": 0.1725,
    "priming_delay_days": 4.0,
}
BETTER_SET = PUBLISHED_SET | {"precursor_loss_per_day": 0.005, "effector_kill_per_fraction": 0.5}

CONSOLIDATION = (42, 28, 6)
AFTER_A_WEEK = (7, 21, 8)
THIRD_DAY = (3, 21, 8)


def weekday_course(number: int, dose: float, days: int = DAYS) -> tuple[np.ndarray, np.ndarray]:
    """Release and fraction count per day, weekdays from day 0, a Monday."""
    release, fractions = np.zeros(days), np.zeros(days)
    fraction_days = [day for day in range(days) if day % 7 < 5][:number]
    survival = lq.survival(dose, 0.15, 10.0) ** np.arange(number + 1)
    gate = immune.gate(dose, 6.0, 4.0, 15.0, 8.0)
    release[fraction_days] = immune.release(
        gate, survival[:-1] - survival[1:], 1.0, 1.0, 0.0, 0.0, 0.0
    )
    fractions[fraction_days] = 1.0
    return release, fractions


def blockade(drug: tuple[int, int, int] | None, baseline: float, days: int = DAYS) -> np.ndarray:
    """Mobilization under unit doses with a half-life of 20 days."""
    start, interval, doses = drug or (0, 1, 0)
    concentration = pharmacokinetics.concentrations(
        days,
        start + interval * np.arange(doses),
        1.0,
        clearance_l_per_day=np.log(2.0) / 20.0,
        central_volume_l=1.0,
        intercompartmental_l_per_day=0.0,
        peripheral_volume_l=1.0,
    )
    return immune.mobilization(pharmacokinetics.occupancy(concentration, 0.05), baseline, 0.05)


def effect(
    release: np.ndarray,
    fractions: np.ndarray,
    drug: tuple[int, int, int] | None,
    days: int = DAYS,
    *,
    better: bool = False,
) -> np.ndarray:
    moved = blockade(drug, 0.0005 if better else 0.004, days)
    rates = BETTER_SET if better else PUBLISHED_SET
    _, effectors = recursion.effector_trace(release, moved, 3.0, fractions, **rates)
    return 0.06 * effectors.sum(axis=-1)


def course_effect(
    number: int, dose: float, drug: tuple[int, int, int] | None, days: int = DAYS, **options: bool
) -> float:
    return float(effect(*weekday_course(number, dose, days), drug, days, **options))


@pytest.mark.parametrize(
    ("number", "dose", "drug", "printed"),
    [
        pytest.param(0, 2.0, AFTER_A_WEEK, 0.9998, id="blockade alone"),
        pytest.param(30, 2.0, None, 0.4420, id="60/30 without blockade"),
        pytest.param(30, 2.0, (0, 28, 7), 0.4162, id="60/30 concurrent"),
        pytest.param(30, 2.0, CONSOLIDATION, 0.9397, id="60/30 consolidation"),
        pytest.param(3, 8.0, (9, 21, 8), 3.4581, id="24/3"),
        pytest.param(4, 12.5, (0, 21, 8), 3.4640, id="50/4"),
        pytest.param(15, 3.0, (0, 21, 8), 0.7769, id="45/15"),
        pytest.param(1, 20.0, THIRD_DAY, 1.2946, id="20x1"),
        pytest.param(5, 6.0, THIRD_DAY, 2.6141, id="6x5"),
        pytest.param(3, 8.0, THIRD_DAY, 3.4582, id="8x3"),
    ],
)
def test_printed_effects(
    number: int, dose: float, drug: tuple[int, int, int] | None, printed: float
) -> None:
    assert course_effect(number, dose, drug) == pytest.approx(printed, abs=5.1e-5)


def test_best_immunity_is_three_times_ten_and_a_half() -> None:
    grid = list(product(range(1, 11), np.arange(2.0, 20.75, 0.5)))
    courses = [weekday_course(number, dose) for number, dose in grid]
    release = np.stack([course[0] for course in courses])
    fractions = np.stack([course[1] for course in courses])
    value = effect(release, fractions, THIRD_DAY)
    best = int(np.argmax(value))
    assert grid[best] == (3, 10.5)
    assert value[best] == pytest.approx(3.7873, abs=5.1e-5)


def test_what_the_hand_check_hides() -> None:
    """Its order of none against concurrent flips with the horizon (printed to two digits)."""
    printed = {112: (0.23, 0.40), 365: (0.68, 0.42)}
    for days, (none, concurrent) in printed.items():
        assert course_effect(30, 2.0, None, days) == pytest.approx(none, abs=0.0051)
        assert course_effect(30, 2.0, (0, 28, 7), days) == pytest.approx(concurrent, abs=0.0051)


@pytest.mark.parametrize(
    ("number", "dose", "drug", "low", "high"),
    [
        pytest.param(30, 2.0, None, 0.03, 0.08, id="60/30 without blockade"),
        pytest.param(30, 2.0, (0, 28, 7), 0.31, 0.32, id="60/30 concurrent"),
        pytest.param(30, 2.0, CONSOLIDATION, 0.80, 0.86, id="60/30 from day 42"),
        pytest.param(3, 8.0, None, 0.14, 0.30, id="24/3 without drug"),
    ],
)
def test_better_starting_set_at_two_horizons(
    number: int, dose: float, drug: tuple[int, int, int] | None, low: float, high: float
) -> None:
    relative = [
        course_effect(number, dose, drug, days, better=True)
        / course_effect(0, 2.0, AFTER_A_WEEK, days, better=True)
        for days in (112, 365)
    ]
    assert min(relative) == pytest.approx(low, abs=0.011)
    assert max(relative) == pytest.approx(high, abs=0.011)
