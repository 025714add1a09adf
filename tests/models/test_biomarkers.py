"""What images and blood show: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from abscopt.models.biomarkers import log_sd, mutant_share, normal_log_likelihood, seen_share


def test_killed_cells_stay_and_are_resorbed() -> None:
    living = np.array([1.0, 1.0, 0.1, 0.1, 0.1, 0.1])  # killed on day 1
    days = np.arange(6)
    wanted = np.where(days >= 2, 0.1 + 0.9 * 2.0 ** (-(days - 2) / 3.0), 1.0)
    assert seen_share(living, np.zeros(5), 3.0) == pytest.approx(wanted, rel=1e-14)
    assert seen_share(living, np.zeros(5), 1e-3)[3:] == pytest.approx(living[3:], rel=1e-14)


def test_growth_is_no_kill_and_kill_under_growth_is_counted() -> None:
    growth = np.full(4, 0.05)
    grown = np.exp(0.05 * np.arange(5))
    assert seen_share(grown, growth, 30.0) == pytest.approx(grown, rel=1e-14)
    held = seen_share(np.ones(5), growth, np.inf)  # what grows is killed on the same day
    assert held == pytest.approx(1.0 + np.expm1(0.05) * np.arange(5), rel=1e-14)


def test_the_share_of_mutants_is_that_of_all_lesions_and_no_more_than_one() -> None:
    assert mutant_share([[10.0, 5.0], [0.0, 1e9]], 1e-4) == pytest.approx([1.5e-3, 1.0])


def test_density_is_that_of_a_normal_distribution() -> None:
    rng = np.random.default_rng(3)
    root = rng.normal(size=(3, 3))
    covariance = root @ root.T + np.eye(3)
    residuals = rng.normal(size=(2, 4, 3))
    wanted = multivariate_normal(np.zeros(3), covariance).logpdf(residuals)
    assert normal_log_likelihood(residuals, covariance) == pytest.approx(wanted, abs=1e-12)


def test_spread_of_the_logarithm() -> None:
    sd = log_sd(0.4)
    assert np.sqrt(np.expm1(sd**2)) == pytest.approx(0.4, rel=1e-14)
