"""The sensitizing window, concurrency, and what the doses kill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.tumor import chemotherapy


def test_window_starts_on_the_day_of_the_dose() -> None:
    ratio = chemotherapy.sensitizer_enhancement(8, [1, 5], 1.2, 2)
    np.testing.assert_array_equal(ratio, [1, 1.2, 1.2, 1, 1, 1.2, 1.2, 1])


def test_overlaps_do_not_multiply_and_edges_are_cut() -> None:
    ratio = chemotherapy.sensitizer_enhancement(6, [-2, 3, 4, 99], 1.3, 3)
    np.testing.assert_array_equal(ratio, [1.3, 1, 1, 1.3, 1.3, 1.3])


def test_no_dose_no_enhancement() -> None:
    np.testing.assert_array_equal(chemotherapy.sensitizer_enhancement(4, [], 1.3, 3), np.ones(4))
    np.testing.assert_array_equal(chemotherapy.sensitizer_enhancement(4, [1], 1.3, 0), np.ones(4))


@given(st.lists(st.integers(0, 30), max_size=5), st.integers(0, 6), st.integers(0, 30))
def test_another_dose_never_takes_days_away(doses: list[int], window: int, extra: int) -> None:
    before = chemotherapy.sensitizer_enhancement(30, doses, 1.1, window)
    after = chemotherapy.sensitizer_enhancement(30, [*doses, extra], 1.1, window)
    assert np.all(after >= before)


dosing = st.lists(st.integers(-5, 35), max_size=6)


def test_concurrent_doses_are_counted_one_by_one() -> None:
    fractions = [0, 1, 2, 10]
    assert chemotherapy.concurrent_doses([0, 0, 5, 8, 11], fractions, 3) == 3
    assert chemotherapy.concurrent_doses([7], fractions, 3) == 0
    assert chemotherapy.concurrent_doses([7], fractions, 4) == 1
    assert chemotherapy.concurrent_doses([10], fractions, 1) == 1
    assert chemotherapy.concurrent_doses([10], fractions, 0) == 0


def test_nothing_is_concurrent_with_nothing() -> None:
    assert chemotherapy.concurrent_doses([], [1, 2], 3) == 0
    assert chemotherapy.concurrent_doses([1, 2], [], 3) == 0
    assert chemotherapy.concurrent_doses([], [], 3) == 0


@given(dosing, st.lists(st.integers(0, 29), max_size=6), st.integers(0, 6))
def test_a_dose_is_concurrent_when_it_sensitizes_a_fraction(
    doses: list[int], fractions: list[int], window: int
) -> None:
    counted = chemotherapy.concurrent_doses(doses, fractions, window)
    each = [
        bool(np.any(chemotherapy.sensitizer_enhancement(30, [dose], 2.0, window)[fractions] > 1.0))
        for dose in doses
    ]
    assert counted == sum(each)


def test_cytotoxic_kill_by_hand() -> None:
    kill = chemotherapy.cytotoxic_kill([-1, 0, 7, 7, 30], 0.4, [0, 1, 7, 8, 99])
    np.testing.assert_allclose(kill, [0.0, 0.4, 0.4, 1.2, 1.6], rtol=1e-15)
    assert chemotherapy.cytotoxic_kill([0, 3], 0.4, 3) == 0.4
    assert chemotherapy.cytotoxic_kill([], 0.4, 3) == 0.0
    assert chemotherapy.cytotoxic_kill([], 0.4, [3, 4]).shape == (2,)


def test_precursor_survival_by_hand() -> None:
    left = chemotherapy.precursor_survival(5, [-1, 1, 3, 3, 5], np.log(2.0))
    np.testing.assert_allclose(left, [1.0, 0.5, 1.0, 0.25, 1.0], rtol=1e-15)
    np.testing.assert_array_equal(chemotherapy.precursor_survival(3, [], 0.7), np.ones(3))
    np.testing.assert_array_equal(chemotherapy.precursor_survival(3, [1], 0.0), np.ones(3))


@given(dosing, st.floats(0.0, 2.0), st.integers(1, 30))
def test_loss_and_kill_count_the_same_doses(doses: list[int], strength: float, days: int) -> None:
    left = chemotherapy.precursor_survival(days, doses, strength)
    kill = chemotherapy.cytotoxic_kill(doses, strength, days)
    assert left.shape == (days,)
    assert np.all((left > 0.0) & (left <= 1.0))
    assert -np.log(left).sum() == pytest.approx(float(kill), rel=1e-12, abs=1e-12)


def test_doses_in_parts_of_the_reference_dose() -> None:
    assert chemotherapy.relative_dose(50.0, 100.0, 200.0) == 0.5
    assert chemotherapy.relative_dose(150.0, 100.0, 200.0) == 1.0
    assert chemotherapy.relative_dose(500.0, 100.0, 200.0) == 2.5
    ratio = chemotherapy.sensitizer_enhancement(4, [1, 2], 1.2, 1, [0.5, 3.0])
    np.testing.assert_allclose(ratio, [1.0, 1.1, 1.6, 1.0], rtol=1e-15)
    assert chemotherapy.concurrent_doses([0, 5, 8], [0, 1, 2, 10], 3, [0.5, 3.0, 2.0]) == 2.5
    kill = chemotherapy.cytotoxic_kill([0, 7], 0.4, [1, 8], [0.5, 3.0])
    np.testing.assert_allclose(kill, [0.2, 1.4], rtol=1e-15)
    left = chemotherapy.precursor_survival(3, [1, 1], np.log(2.0), [2.0, 1.0])
    np.testing.assert_allclose(left, [1.0, 0.125, 1.0], rtol=1e-15)
