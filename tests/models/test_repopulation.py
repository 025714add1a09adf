"""Time factors printed in the literature, and the two rates of growth."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.tumor import lq, repopulation


def net_bed(
    total_gy: float,
    number: int,
    last_day: float,
    *,
    alpha: float = 0.35,
    doubling: float = 3.0,
    kick_off: float,
) -> float:
    loss = repopulation.bed_loss_per_day(alpha, doubling)
    days = repopulation.accelerated_days(0, last_day, kick_off)
    return float(number * lq.bed(total_gy / number, 10.0) - loss * days)


@pytest.mark.parametrize(
    ("bed", "expected"),
    [
        (net_bed(70, 35, 46, kick_off=21), 67.4965),
        (net_bed(70, 35, 46, doubling=2.5, kick_off=7), 53.1054),
        (net_bed(60, 30, 40, kick_off=28), 64.0783),
        (net_bed(60, 30, 40, kick_off=21), 59.4573),
        (net_bed(55, 20, 26, kick_off=28), 70.125),
        (net_bed(60, 15, 19, kick_off=28), 84.0),
        (net_bed(74, 37, 50, kick_off=28), 74.2769),
        (net_bed(70, 35, 49, alpha=0.3, doubling=4, kick_off=21), 67.8266),
    ],
)
def test_printed_time_factors(bed: float, expected: float) -> None:
    assert bed == pytest.approx(expected, abs=5.1e-5)


def test_bed_loss_per_day_of_the_standard_tumor() -> None:
    assert repopulation.bed_loss_per_day(0.35, 3.0) == pytest.approx(0.66014, abs=5e-6)
    week = 7 * repopulation.bed_loss_per_day(0.3, 4.0)
    assert week == pytest.approx(4.0433, abs=1e-4)  # printed truncated


def flat_calendar_bed(number: float, dose: float, sessions: float) -> float:
    """BED at 0.66 Gy per day from day 21, 1.4 days per session (LQL-Equiv-web)."""
    days = repopulation.accelerated_days(0, 1.4 * sessions, 21)
    return float(number * lq.bed(dose, 10.0) - 0.66 * days)


def reference_eqd2(bed_gy: float) -> float:
    """Dose of the 2 Gy schedule that reaches the BED and loses its own time."""
    low, high = 0.0, 200.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if flat_calendar_bed(middle, 2.0, middle) < bed_gy else (low, middle)
        )
    return 2.0 * low


@pytest.mark.parametrize(
    ("number", "dose", "missed", "bed", "eqd2"),
    [
        (25, 2.0, 0, 50.76, 50.00),
        (25, 2.0, 10, 41.52, 37.48),
        (25, 2.0, 30, 23.04, 19.20),
        (20, 3.0, 0, 73.38, 80.65),
    ],
)
def test_gap_table_with_time_on_both_sides(
    number: int, dose: float, missed: int, bed: float, eqd2: float
) -> None:
    evaluated = flat_calendar_bed(number, dose, number + missed)
    assert evaluated == pytest.approx(bed, abs=1e-9)
    assert reference_eqd2(evaluated) == pytest.approx(eqd2, abs=5.1e-3)


def test_conventions_of_eqd2_differ() -> None:
    assert lq.eqd2(flat_calendar_bed(20, 3.0, 20), 10.0) == pytest.approx(61.15, abs=1e-9)
    assert lq.eqd2(20 * lq.bed(3.0, 10.0), 10.0) == pytest.approx(65.0, abs=1e-9)


def test_horizon_cuts_acceleration() -> None:
    cut = repopulation.accelerated_days([3, 3, 3, 3], 42, 28, [10, 31, 35, 90])
    assert cut.tolist() == [0.0, 0.0, 4.0, 11.0]


def test_accelerated_days_replace_untreated_ones() -> None:
    growth = repopulation.log_growth(100, 50.0, 5.0, 10)
    assert growth == pytest.approx(math.log(2) * (90 / 50 + 10 / 5))


def test_absent_doubling_times() -> None:
    assert repopulation.log_growth(100, None, None, 10) == 0.0
    assert repopulation.log_growth(100, None, 5.0, 10) == pytest.approx(2 * math.log(2))
    assert repopulation.log_growth(100, 50.0, None, 10) == pytest.approx(2 * math.log(2))


@given(st.floats(0, 90), st.floats(0, 90), st.floats(0, 40), st.floats(0, 120), st.floats(0, 9))
def test_later_horizon_or_earlier_kick_off_never_shortens(
    first: float, length: float, kick_off: float, until: float, extra: float
) -> None:
    base = repopulation.accelerated_days(first, first + length, kick_off, until)
    longer = repopulation.accelerated_days(first, first + length, kick_off, until + extra)
    later = repopulation.accelerated_days(first, first + length, kick_off + extra, until)
    assert 0 <= base <= length + 1e-9
    assert later <= base + 1e-9 <= longer + 2e-9
