"""Local failures are seen when survivors have regrown: limits, order, a birth process drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abscopt.models.tumor.outcome import control_probability
from abscopt.models.tumor.recurrence import log_survivors_seen


def test_at_once_the_visible_number_late_a_single_survivor() -> None:
    seen = log_survivors_seen([0.0, 1.0, 2.0, 100.0], math.log(1e7), 5.0)
    assert seen == pytest.approx([16.1181, 11.1181, 6.1203, 0.0], abs=1e-3)
    assert float(log_survivors_seen(9.0, 16.0, 0.0)) == pytest.approx(16.0, abs=1e-6)


def test_control_falls_with_time_to_that_of_the_survivors() -> None:
    years = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 20.0])
    control = control_probability(4.0 - log_survivors_seen(years, 17.0, 6.0))
    assert np.all(np.diff(control) <= 0.0)
    assert control[0] == pytest.approx(1.0, abs=1e-5)
    assert control[-1] == pytest.approx(float(control_probability(4.0)))


@pytest.mark.parametrize("visible", [10.0, 1e6])
@pytest.mark.parametrize("beyond", [-2.5, 0.0, 2.5])
def test_a_pure_birth_process_is_seen_as_often(visible: float, beyond: float) -> None:
    """Survivors are Poisson, descendants of each are geometric with mean e^{λt}."""
    rate, years = 5.0, 1.5
    seen = float(log_survivors_seen(years, math.log(visible), rate))
    random = np.random.default_rng(1)
    number = random.poisson(math.exp(seen + beyond), 5000)
    grown = random.gamma(np.maximum(number, 1e-9), math.exp(rate * years))
    drawn = float(np.mean(grown < visible))
    assert control_probability(beyond) == pytest.approx(drawn, abs=0.15)
