"""Control probabilities against printed values, and the conceding objective."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.tumor import outcome

burdens = st.floats(-60.0, 60.0)


def test_poisson_row() -> None:
    bed = np.array([50.0, 60.0, 70.0, 72.0, 80.0])
    expected = [0.046934, 0.858731, 0.992446, 0.995847, 0.999623]
    tcp = outcome.poisson_tcp(math.log(1e7) - 0.3 * bed)
    np.testing.assert_allclose(tcp, expected, atol=5.1e-7)


@pytest.mark.parametrize(("adjusted", "tcp"), [(44, 0.8052), (69, 0.9025), (93, 0.9526)])
def test_ohri(adjusted: float, tcp: float) -> None:
    assert outcome.ohri_tcp(adjusted + 25.0, 2.5) == pytest.approx(tcp, abs=5.1e-5)
    assert outcome.ohri_tcp(adjusted, 0.0) == pytest.approx(tcp, abs=5.1e-5)


def test_extreme_burdens_neither_overflow_nor_warn() -> None:
    u = np.array([-1e4, 0.0, 1e4])
    np.testing.assert_array_equal(outcome.control_probability(u), [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(outcome.log_control(u), [0.0, -math.log(2.0), -1e4])
    np.testing.assert_allclose(outcome.poisson_tcp(u), [1.0, math.exp(-1.0), 0.0], rtol=1e-15)


@given(st.floats(-30.0, -8.0))
def test_logistic_tends_to_poisson(u: float) -> None:
    failure = -math.expm1(-math.exp(u))
    assert -outcome.log_control(u) == pytest.approx(failure, rel=math.exp(u) + 1e-12)
    assert outcome.control_probability(u) >= outcome.poisson_tcp(u)


@given(burdens)
def test_log_control_is_the_log_of_control(u: float) -> None:
    assert outcome.log_control(u) == pytest.approx(-math.log1p(math.exp(u)), rel=1e-12)
    assert outcome.control_probability(u) == pytest.approx(1 / (1 + math.exp(u)), rel=1e-12)


@given(st.floats(0.1, 20.0))
def test_concession_burden_reaches_the_floor(floor: float) -> None:
    assert outcome.log_control(outcome.concession_burden(floor)) == pytest.approx(-floor, rel=1e-12)


def test_default_concession() -> None:
    edge = outcome.concession_burden(4.6)
    assert edge == pytest.approx(math.log(math.exp(4.6) - 1.0), rel=1e-12)
    u = np.array([edge - 1.0, edge + 1e-6, edge + 20.0])
    value = outcome.conceding_value(u, 4.6, 0.05)
    assert value[0] == outcome.log_control(u[0])
    assert value[1] == pytest.approx(-4.6, abs=1e-6)
    assert value[2] == pytest.approx(-5.6, rel=1e-12)
    assert outcome.conceded(u, 4.6).tolist() == [False, True, True]


@given(st.floats(-80.0, 60.0), st.floats(1e-3, 5.0))
def test_conceding_value_falls_and_is_never_below_log_control(u: float, step: float) -> None:
    here, beyond = outcome.conceding_value(np.array([u, u + step]), 4.6, 0.05)
    assert beyond <= here <= 0.0
    assert here >= outcome.log_control(u)


def test_a_borderline_lesion_is_worth_more_than_a_hopeless_one() -> None:
    """One nat of kill: the reason for the concession (slope 1 against .05)."""
    borderline = -np.diff(outcome.conceding_value([1.0, 2.0], 4.6, 0.05))[0]
    hopeless = -np.diff(outcome.conceding_value([20.0, 21.0], 4.6, 0.05))[0]
    plain = -np.diff(outcome.log_control([20.0, 21.0]))[0]
    assert hopeless == pytest.approx(0.05)
    assert borderline > 10 * hopeless
    assert plain > borderline


@given(st.floats(-400.0, 400.0))
def test_a_single_clone_changes_no_bit(u: float) -> None:
    assert outcome.total_log_burden([u]) == u


def test_clones_add_as_numbers() -> None:
    total = outcome.total_log_burden(np.log([[3.0, 4.0, 5.0], [1.0, 1.0, 8.0]]))
    np.testing.assert_allclose(total, np.log([12.0, 10.0]), rtol=1e-14)
    assert outcome.total_log_burden([[-2000.0, -2000.0]]) == pytest.approx(math.log(2.0) - 2000.0)
    assert outcome.total_log_burden([5000.0, 0.0]) == 5000.0
    assert outcome.total_log_burden([-np.inf, 3.0]) == 3.0


@given(st.lists(burdens, min_size=2, max_size=5), st.floats(0.01, 3.0))
def test_the_worst_clone_leads(clones: list[float], growth: float) -> None:
    total = float(outcome.total_log_burden(clones))
    slack = 1e-12 * (1.0 + abs(total))
    assert max(clones) - slack <= total <= max(clones) + math.log(len(clones)) + slack
    assert outcome.total_log_burden(clones[::-1]) == pytest.approx(total, abs=slack)
    shifted = outcome.total_log_burden(np.array(clones) + growth)
    assert shifted == pytest.approx(total + growth, abs=1e-10)


def test_clones_of_one_lesion_are_controlled_together() -> None:
    """Poisson control of independent clones is the product."""
    clones = np.array([-1.0, 0.5, -3.0])
    together = outcome.poisson_tcp(outcome.total_log_burden(clones))
    assert together == pytest.approx(np.prod(outcome.poisson_tcp(clones)), rel=1e-13)
