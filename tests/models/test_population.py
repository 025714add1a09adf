"""Control of a population: closed forms, quadrature against quadrature, laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from abscopt.models.tumor.outcome import control_probability, log_control, total_log_burden
from abscopt.models.tumor.population import population_log_burden, sensitivity_factors

SPREADS = st.floats(0.01, 0.6)


@given(SPREADS)
def test_the_factors_have_mean_one_and_nearly_the_spread(cv: float) -> None:
    factors, weights = sensitivity_factors(cv)
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    mean = float(weights @ factors)
    spread = math.sqrt(float(weights @ (factors - mean) ** 2))
    assert mean == pytest.approx(1.0, abs=1e-14)
    assert spread == pytest.approx(cv, rel=0.08)  # 0.5 % of patients are cut off
    assert (factors > 0).all() and (np.diff(factors) > 0).all()


def test_nodes_are_those_of_the_page_of_the_model() -> None:
    """M23: 15 nodes 0.4 standard deviations apart, weights of the normal density."""
    factors, weights = sensitivity_factors(0.3)
    x = np.log(factors) / math.sqrt(math.log1p(0.3**2))
    np.testing.assert_allclose(x - x[7], 0.4 * np.arange(-7, 8), atol=1e-12)
    density = np.exp(-0.5 * (x - x[7]) ** 2)
    np.testing.assert_allclose(weights, density / density.sum(), rtol=1e-12)


def test_without_a_spread_one_tumor_bit_by_bit() -> None:
    factors, weights = sensitivity_factors(0.0)
    assert factors.tolist() == [1.0] and weights.tolist() == [1.0]
    clones = np.random.default_rng(0).normal(0.0, 30.0, (50, 3))
    assert np.array_equal(population_log_burden(clones, weights), total_log_burden(clones))


@pytest.mark.parametrize("cv", [0.1, 0.2, 0.35])
@pytest.mark.parametrize("kill", [5.0, 12.0, 20.0, 30.0])
def test_control_is_the_integral_over_a_lognormal_alpha(cv: float, kill: float) -> None:
    """Against adaptive quadrature, and Monte Carlo sense: a slope where one tumor has a step."""
    factors, weights = sensitivity_factors(cv)
    sigma = math.sqrt(math.log1p(cv**2))

    def integrand(x: float) -> float:
        factor = math.exp(sigma * x - 0.5 * sigma**2)
        density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        return density * float(control_probability(17.5 - kill * factor))

    exact = integrate.quad(integrand, -8.0, 8.0, limit=400)[0]
    found = float(control_probability(population_log_burden(17.5 - kill * factors, weights)))
    assert found == pytest.approx(exact, abs=4e-3)


def test_a_population_without_kill_is_one_tumor() -> None:
    factors, weights = sensitivity_factors(0.3)
    for burden in (-900.0, -40.0, 0.0, 3.0, 40.0, 900.0):
        found = float(population_log_burden(burden - 0.0 * factors, weights))
        assert found == pytest.approx(burden, rel=1e-12, abs=1e-12)


@given(st.floats(-1000.0, 1000.0), st.floats(0.0, 1000.0), SPREADS, st.floats(0.0, 3.0))
def test_control_is_the_mean_in_both_tails_and_falls_with_the_burden(
    number: float, kill: float, cv: float, more: float
) -> None:
    factors, weights = sensitivity_factors(cv)
    burdens = number - kill * factors
    whole = float(population_log_burden(burdens, weights))
    assert math.isfinite(whole)
    tails = ((burdens, log_control(whole)), (-burdens, log_control(-whole)))
    for each, found in tails:  # ln P and ln (1 - P)
        exact = float(np.logaddexp.reduce(np.log(weights) + log_control(each)))
        assert float(found) == pytest.approx(exact, rel=1e-9, abs=1e-12)
    assert burdens.min() - 1e-9 <= whole <= burdens.max() + 1e-9
    assert float(population_log_burden(burdens + more, weights)) >= whole - 1e-9 * abs(whole)


def test_clones_of_one_tumor_share_its_sensitivity() -> None:
    """Two clones: the mean of control with both left, not of each clone alone."""
    factors, weights = sensitivity_factors(0.25)
    clones = np.stack([10.0 - 12.0 * factors, 4.0 - 5.0 * factors], axis=1)
    left = np.exp(clones).sum(axis=1)
    expected = float(weights @ (1.0 / (1.0 + left)))
    found = population_log_burden(clones.reshape(-1), weights)
    assert float(control_probability(found)) == pytest.approx(expected, rel=1e-12)


def test_shallow_and_deep_burdens_of_one_array_keep_their_values() -> None:
    factors, weights = sensitivity_factors(0.3)
    burdens = np.array([-900.0, -3.0, 0.0, 3.0, 900.0])[:, np.newaxis] - factors
    together = population_log_burden(burdens, weights)
    each = [float(population_log_burden(row, weights)) for row in burdens]
    np.testing.assert_allclose(together, each, rtol=1e-14)
    assert together[0] < -800.0 and together[-1] > 800.0
