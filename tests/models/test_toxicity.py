"""Tolerance tables by fraction number: TG-101 exactly, and refusals."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.organs import toxicity

# TG-101 (doi:10.1118/1.3438081): D_v and maximum, or the spared-volume dose.
TG101 = {
    "cord 0.35 cc": (10, 18, 23),
    "cord max": (14, 21.9, 30),
    "cord 1.2 cc": (7, 12.3, 14.5),
    "brainstem 0.5 cc": (10, 18, 23),
    "brainstem max": (15, 23.1, 31),
    "esophagus 5 cc": (11.9, 17.7, 19.5),
    "esophagus max": (15.4, 25.2, 35),
    "plexus 3 cc": (14, 20.4, 27),
    "plexus max": (17.5, 24, 30.5),
    "heart 15 cc": (16, 24, 32),
    "heart max": (22, 30, 38),
    "great vessels 10 cc": (31, 39, 47),
    "great vessels max": (37, 45, 53),
    "trachea 4 cc": (10.5, 15, 16.5),
    "trachea max": (20.2, 30, 40),
    "small airways 0.5 cc": (12.4, 18.9, 21),
    "small airways max": (13.3, 23.1, 33),
    "rib 1 cc": (22, 28.8, 35),
    "rib max": (30, 36.9, 43),
    "skin 10 cc": (23, 30, 36.5),
    "skin max": (26, 33, 39.5),
    "stomach 10 cc": (11.2, 16.5, 18),
    "stomach max": (12.4, 22.2, 32),
    "jejunum 5 cc": (11.9, 17.7, 19.5),
    "jejunum max": (15.4, 25.2, 35),
    "lung 1000 cc": (7.4, 12.4, 13.5),
    "lung 1500 cc": (7.0, 11.6, 12.5),
    "liver 700 cc": (9.1, 19.2, 21),
    "renal cortex 200 cc": (8.4, 16, 17.5),
}
NUMBERS = (1, 3, 5)
HEART = TG101["heart max"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    numbers = sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=6)))
    dose = draw(st.floats(5.0, 60.0))
    limits = []
    for number in numbers:
        limits.append(dose * number)
        dose *= draw(st.floats(0.2, 0.98))
    return numbers, limits


@pytest.mark.parametrize("limits", TG101.values(), ids=TG101)
def test_tg101_row_is_exact_at_its_own_fraction_numbers(limits: tuple[float, ...]) -> None:
    toxicity.check_tolerance_table(NUMBERS, limits)
    for number, limit in zip(NUMBERS, limits, strict=True):
        used = number * toxicity.miner_fraction(limit / number, NUMBERS, limits)
        assert used == pytest.approx(1.0, abs=1e-12)
        over = number * toxicity.miner_fraction(1.01 * limit / number, NUMBERS, limits)
        assert over > 1.0


@given(tables(), st.floats(-9e-13, 9e-13))
def test_every_row_of_any_table_is_feasible_despite_rounding(
    table: tuple[list[int], list[float]], error: float
) -> None:
    numbers, limits = table
    for number, limit in zip(numbers, limits, strict=True):
        used = number * toxicity.miner_fraction(limit / number * (1 + error), numbers, limits)
        assert used == pytest.approx(1.0, abs=1e-12)


def test_between_rows_the_limit_is_log_log() -> None:
    limit = np.exp(np.interp(np.log(4), np.log([3, 5]), np.log(HEART[1:])))
    assert toxicity.tolerance_fractions(limit / 4, NUMBERS, HEART) == pytest.approx(4.0, rel=1e-12)
    assert 30 < limit < 38


def test_outside_the_table() -> None:
    used = toxicity.miner_fraction([0.0, 2.0, 22.0, 22.001], NUMBERS, HEART)
    np.testing.assert_allclose(used, [0.0, 2.0 / 38.0, 1.0, np.inf], rtol=1e-12)
    tolerated = toxicity.tolerance_fractions([0.0, 2.0, 22.0, 22.001], NUMBERS, HEART)
    np.testing.assert_allclose(tolerated, [np.inf, 19.0, 1.0, 0.0], rtol=1e-12)


def test_one_row_is_a_cap_on_the_total() -> None:
    used = toxicity.miner_fraction([5.0, 10.0, 10.1], [3], [30.0])
    np.testing.assert_allclose(used, [5.0 / 30.0, 1.0 / 3.0, np.inf], rtol=1e-12)


@given(tables(), st.floats(0.0, 60.0), st.floats(0.0, 10.0))
def test_a_higher_dose_never_uses_less(
    table: tuple[list[int], list[float]], dose: float, extra: float
) -> None:
    low, high = toxicity.miner_fraction([dose, dose + extra], *table)
    assert low <= high * (1 + 1e-11)
    assert low >= 0.0


@given(tables(), st.floats(0.01, 60.0))
def test_tolerated_fractions_keep_the_total_below_every_wider_limit(
    table: tuple[list[int], list[float]], dose: float
) -> None:
    """``N·D = limit(N)``: the total lies on the interpolated curve."""
    numbers, limits = table
    tolerated = float(toxicity.tolerance_fractions(dose, numbers, limits))
    if not 0.0 < tolerated <= numbers[-1]:
        return
    curve = np.exp(np.interp(np.log(tolerated), np.log(numbers), np.log(limits)))
    assert tolerated * dose == pytest.approx(curve, rel=1e-9)


@pytest.mark.parametrize(
    ("numbers", "limits", "named"),
    [
        ((3, 4, 5), (18, 26, 30), r"\(3 fx, 18 Gy\) and \(4 fx, 26 Gy\): limit/n must fall"),
        ((3, 5), (30, 50), r"\(3 fx, 30 Gy\) and \(5 fx, 50 Gy\): limit/n must fall"),
        ((1, 5, 3), (22, 38, 30), r"\(5 fx, 38 Gy\) and \(3 fx, 30 Gy\): .* increase"),
        ((3, 3), (30, 29), r"\(3 fx, 30 Gy\) and \(3 fx, 29 Gy\): .* increase"),
        ((0, 3), (22, 30), r"\(0 fx, 22 Gy\): both must be positive"),
        ((1, 3), (22, -30), r"\(3 fx, -30 Gy\): both must be positive"),
        ((1, 3), (float("nan"), 30), r"\(1 fx, nan Gy\): both must be positive"),
        ((1, 3), (22,), "2 fraction numbers for 1 limits"),
        ((), (), "0 fraction numbers for 0 limits"),
    ],
)
def test_unusable_tables_are_refused_by_name(
    numbers: tuple[float, ...], limits: tuple[float, ...], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        toxicity.check_tolerance_table(numbers, limits)
    with pytest.raises(ValueError, match=named):
        toxicity.miner_fraction(1.0, numbers, limits)


@pytest.mark.parametrize(
    ("numbers", "limits"),
    [((3, 4, 5), (18, 26, 30)), ((3, 4, 5), (24, 36, 32)), ((3, 4), (30, 40))],
    ids=["cord", "skin", "rib"],
)
def test_rtog_maxima_that_no_miner_sum_expresses(
    numbers: tuple[int, ...], limits: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=r"\(3 fx, .* and \(4 fx, .*limit/n must fall strictly"):
        toxicity.check_tolerance_table(numbers, limits)


@pytest.mark.parametrize(
    ("numbers", "limits"),
    [
        ((3, 4, 5), (24, 27.2, 32)),
        ((3, 4), (27, 30)),
        ((3, 4), (30, 34)),
        ((3, 4), (30, 34.8)),
        ((1, 2, 3, 4, 5), (12.4, 17.0, 20.3, 23.0, 25.3)),
    ],
    ids=["plexus", "esophagus", "heart", "trachea", "HyTEC cord"],
)
def test_rtog_and_hytec_rows_are_exact(numbers: tuple[int, ...], limits: tuple[float, ...]) -> None:
    for number, limit in zip(numbers, limits, strict=True):
        shares = toxicity.miner_fraction(np.full(number, limit / number), numbers, limits)
        assert shares.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("numbers", "limits"),
    [
        ((0, 1), (1.0, 2.0)),
        ((1, 2), (0.0, 3.0)),
        ((1, 2), (1.0, np.inf)),
        ((1, np.inf), (2.0, 3.0)),
    ],
)
def test_rows_at_the_edge_of_what_is_positive_and_finite_are_refused(
    numbers: tuple[float, ...], limits: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="both must be positive and finite"):
        toxicity.check_tolerance_table(numbers, limits)


def test_the_envelope_of_a_table_by_hand() -> None:
    """20 Gy in 1 are more than the 18 Gy that 3 allow, 90 Gy in 10 more than 6 Gy a fraction."""
    published = (1, 3, 10), (20.0, 18.0, 90.0)
    assert not toxicity.falls(*published)
    number, limit = toxicity.safe_envelope(*published)
    assert number == (1, 3, 10)
    assert limit == pytest.approx((18.0, 18.0, 60.0))
    assert toxicity.falls(number, limit)
    assert toxicity.safe_table(*published) == (number, limit)


def test_a_table_that_falls_is_kept_as_it_is() -> None:
    table = (1, 3, 5), (15.0, 27.0, 35.0)
    assert toxicity.falls(*table)
    assert toxicity.safe_table(*table) == table
    assert toxicity.safe_envelope(*table)[1] == pytest.approx(table[1])


def falls_but_for_rounding(numbers: list[int], limits: Sequence[float]) -> bool:
    """`falls`, where totals may fall by the last digit of a product."""
    rows = list(zip(numbers, limits, strict=True))
    return all(
        high / more < low / fewer and high >= low * (1 - 1e-12)
        for (fewer, low), (more, high) in itertools.pairwise(rows)
    )


@given(
    st.lists(st.floats(1.0, 100.0), min_size=1, max_size=6),
    st.lists(st.integers(1, 10), min_size=6, max_size=6),
)
def test_no_larger_table_that_falls_lies_below(limits: list[float], steps: list[int]) -> None:
    """The envelope falls and keeps every row; raised by 1e-6 a row breaks the one or the other."""
    numbers = np.cumsum(steps[: len(limits)]).tolist()
    _, envelope = toxicity.safe_envelope(numbers, limits)
    assert falls_but_for_rounding(numbers, envelope)
    assert all(a <= b * (1 + 1e-8) for a, b in zip(envelope, limits, strict=True))
    for i in range(len(limits)):
        raised = list(envelope)
        raised[i] *= 1 + 1e-6
        assert raised[i] > limits[i] or not falls_but_for_rounding(numbers, raised)


def test_limits_between_and_beyond_the_rows() -> None:
    count = np.array([1, 2, 3, 4, 5, 9])
    rising = toxicity.limit_of(count, (2, 4), (24.0, 30.0))
    assert rising.tolist() == [0.0, 24.0, 24.0, 30.0, 30.0, 30.0]
    falling = toxicity.limit_of(count, (2, 4, 5), (24.0, 33.0, 30.0))
    assert falling.tolist() == [0.0, 24.0, 24.0, 33.0, 30.0, 30.0]
