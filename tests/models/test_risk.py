"""Independent risks of single doses."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from abscopt.models.organs import risk

risks = st.lists(st.floats(0.0, 0.999), max_size=8)


def test_by_hand() -> None:
    assert risk.cumulative_risk([0.1, 0.2, 0.5]) == pytest.approx(0.64, rel=1e-14)
    assert risk.risk_budget(0.5) == pytest.approx(math.log(2.0), rel=1e-15)


def test_ends() -> None:
    np.testing.assert_array_equal(risk.risk_budget([0.0, 1.0]), [0.0, np.inf])
    assert risk.cumulative_risk([]) == 0.0
    assert risk.cumulative_risk([0.3, 1.0]) == 1.0
    assert risk.cumulative_risk([1e-18, 2e-18]) == pytest.approx(3e-18, rel=1e-12)


def test_batches() -> None:
    total = risk.cumulative_risk([[0.5, 0.5], [0.0, 0.25]])
    np.testing.assert_allclose(total, [0.75, 0.25], rtol=1e-14)


@given(risks)
def test_it_is_the_complement_of_the_product(per_dose: list[float]) -> None:
    expected = 1.0 - math.prod(1.0 - p for p in per_dose)
    assert risk.cumulative_risk(per_dose) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(risks, st.floats(1e-6, 0.99))
def test_a_plan_within_the_budget_is_a_plan_within_the_risk(
    per_dose: list[float], allowed: float
) -> None:
    spent = float(np.sum(risk.risk_budget(per_dose)))
    budget = float(risk.risk_budget(allowed))
    if abs(spent - budget) > 1e-9 * budget:
        assert (spent < budget) == (risk.cumulative_risk(per_dose) < allowed)


@given(risks, st.floats(0.001, 0.9))
@example([0.9921875, 0.9921875, 0.999, 0.999, 0.999], 0.001)
def test_another_dose_always_adds(per_dose: list[float], extra: float) -> None:
    before, after = risk.cumulative_risk(per_dose), risk.cumulative_risk([*per_dose, extra])
    assert 0.0 <= before <= after <= 1.0
    if (1.0 - before) * extra > 1e-12:  # else the dose is lost in the last digits next to 1
        assert before < after
    assert after >= extra * (1 - 1e-12)
