"""Incomplete repair against the Thames table, printed courses and the plain double sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.tumor import lq, repair

HALF_TIMES = (1.0, 1.5, 2.0, 3.0, 4.0, 4.5)
shares = st.floats(0.0, 1.0)
counts = st.integers(1, 6)


@pytest.mark.parametrize(
    ("hours", "half_times", "number", "row"),
    [
        (6, HALF_TIMES, 2, (0.0156, 0.0625, 0.1250, 0.2500, 0.3536, 0.3969)),
        (6, HALF_TIMES, 3, (0.0210, 0.0859, 0.1771, 0.3750, 0.5547, 0.6341)),
        (8, (4.0,), 2, (0.2500,)),
        (8, (4.0,), 3, (0.3750,)),
    ],
)
def test_thames_table(
    hours: float, half_times: tuple[float, ...], number: int, row: tuple[float, ...]
) -> None:
    computed = [
        float(repair.thames_factor(number, repair.unrepaired(hours, half_time)))
        for half_time in half_times
    ]
    assert [round(factor, 4) for factor in computed] == list(row)


@pytest.mark.parametrize(
    ("total", "fractions", "per_day", "complete", "incomplete"),
    [(54.0, 36, 3, 81.0, 95.9779), (69.6, 58, 2, 97.44, 107.2829)],
)
def test_printed_courses(
    total: float, fractions: int, per_day: int, complete: float, incomplete: float
) -> None:
    dose, days = total / fractions, fractions // per_day
    left = float(repair.unrepaired(6.0, 4.0))
    factors = repair.slot_factors(per_day, left)
    assert fractions * lq.bed(dose, 3.0) == pytest.approx(complete, rel=1e-12)
    by_slot = days * lq.bed(dose, 3.0, repair_factor=factors).sum()
    by_day = fractions * lq.bed(dose, 3.0, repair_factor=1 + repair.thames_factor(per_day, left))
    square = repair.irregular_square(np.full(per_day, dose), 6.0 * np.arange(per_day), 4.0)
    by_pair = total + days * square / 3.0
    for computed in (by_slot, by_day, by_pair):
        assert computed == pytest.approx(incomplete, abs=5.1e-5)


def test_unrepaired() -> None:
    np.testing.assert_allclose(
        repair.unrepaired([0.0, 4.0, 8.0, 2.0], 4.0), [1, 0.5, 0.25, 0.5**0.5]
    )
    np.testing.assert_array_equal(repair.unrepaired([0.0, 6.0], None), [0.0, 0.0])


@given(st.integers(2, 8), st.floats(0.01, 0.95))
def test_thames_factor_is_the_closed_form(number: int, left: float) -> None:
    closed = (2 / number) * left / (1 - left) * (number - (1 - left**number) / (1 - left))
    assert repair.thames_factor(number, left) == pytest.approx(closed, rel=1e-9)


@given(counts)
def test_thames_factor_at_its_limits(number: int) -> None:
    assert repair.thames_factor(number, 0.0) == 0.0
    assert repair.thames_factor(number, 1.0) == pytest.approx(number - 1, rel=1e-15)
    np.testing.assert_array_equal(repair.slot_factors(number, 0.0), np.ones(number))
    np.testing.assert_array_equal(repair.slot_factors(number, 1.0), 2 * np.arange(number) + 1)


@given(counts, shares, shares)
def test_less_repair_never_helps_the_tissue(number: int, one: float, other: float) -> None:
    low, high = repair.thames_factor(number, sorted((one, other)))
    assert 0.0 <= low <= high <= number - 1 + 1e-12
    assert np.all(np.diff(repair.slot_factors(number, one)) >= 0.0)


def test_two_fractions_leave_the_share_itself() -> None:
    assert repair.thames_factor(2, 0.37) == pytest.approx(0.37, rel=1e-15)
    np.testing.assert_allclose(repair.slot_factors(3, 0.5), [1.0, 2.0, 2.5], rtol=1e-15)


@given(counts, shares)
def test_slots_average_to_the_day_and_sum_to_its_pairs(number: int, left: float) -> None:
    factors = repair.slot_factors(number, left)
    assert factors.shape == (number,)
    assert factors[0] == 1.0
    assert factors.mean() == pytest.approx(1 + repair.thames_factor(number, left), rel=1e-12)
    assert factors.sum() == pytest.approx(repair.paired_slots(number, number, left), rel=1e-12)


def test_repair_takes_an_array_of_shares() -> None:
    factors = repair.slot_factors(3, [0.0, 0.5])
    np.testing.assert_allclose(factors, [[1, 1, 1], [1, 2, 2.5]], rtol=1e-15)
    np.testing.assert_allclose(repair.thames_factor(3, [0.0, 0.5]), [0.0, 5 / 6], rtol=1e-15)


@given(st.integers(0, 5), st.integers(0, 5), shares)
def test_paired_slots_is_the_double_sum(first: int, second: int, left: float) -> None:
    plain = sum(left ** abs(a - b) for a in range(first) for b in range(second))
    assert repair.paired_slots(first, second, left) == pytest.approx(plain, rel=1e-12)


def test_paired_slots_by_hand_and_in_arrays() -> None:
    """One against three slots: 1 + φ + φ²; two against three: 2 + 3φ + φ² at φ = 1/2."""
    pairs = repair.paired_slots([[1], [2], [0]], [1, 3], 0.5)
    np.testing.assert_allclose(pairs, [[1.0, 1.75], [1.5, 3.75], [0.0, 0.0]], rtol=1e-15)
    assert repair.paired_slots(2, 3, 0.0) == 2.0
    assert repair.paired_slots(2, 3, 1.0) == 6.0


fractions = st.lists(st.tuples(st.floats(0.1, 12.0), st.floats(0.0, 100.0)), max_size=6)


@given(fractions, st.floats(0.3, 8.0))
def test_irregular_square_is_the_double_sum(
    course: list[tuple[float, float]], half_time: float
) -> None:
    doses, hours = [dose for dose, _ in course], [hour for _, hour in course]
    plain = sum(
        one * other * 2.0 ** (-abs(at - then) / half_time)
        for one, at in course
        for other, then in course
    )
    square = float(repair.irregular_square(doses, hours, half_time))
    assert square == pytest.approx(plain, rel=1e-12)
    separate, together = sum(dose**2 for dose in doses), sum(doses) ** 2
    assert separate * (1 - 1e-12) <= square <= together * (1 + 1e-12)


def test_irregular_square_without_memory() -> None:
    assert repair.irregular_square([2.0, 3.0, 4.0], [0.0, 6.0, 6.0], None) == 4.0 + 49.0
    assert repair.irregular_square([2.0, 3.0], [0.0, 1e9], 4.0) == 13.0
    batch = repair.irregular_square([[2.0, 3.0], [1.0, 1.0]], [0.0, 4.0], 4.0)
    np.testing.assert_allclose(batch, [19.0, 3.0], rtol=1e-15)


@given(counts, counts, st.floats(0.5, 8.0), st.floats(0.5, 8.0), st.floats(1.0, 5.0))
def test_two_courses_in_the_same_slots_are_one_irregular_course(
    first: int, second: int, dose: float, other: float, half_time: float
) -> None:
    left = float(repair.unrepaired(6.0, half_time))
    merged = repair.irregular_square(
        [dose] * first + [other] * second,
        [*(6.0 * np.arange(first)), *(6.0 * np.arange(second))],
        half_time,
    )
    apart = dose**2 * repair.paired_slots(first, first, left)
    apart += other**2 * repair.paired_slots(second, second, left)
    cross = 2 * dose * other * repair.paired_slots(first, second, left)
    assert merged == pytest.approx(float(apart + cross), rel=1e-11)
