"""MacLennan's law, EDRIC examples, independent mixing, and the weights of a loss."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.immunity import lymphocytes

MACLENNAN = {5: 1.84, 12: 1.12, 20: 0.64}  # 10^9/L, cranial 24 Gy, Cancer 1978;41:108
KAPPA = 0.07039


def test_maclennan_counts_follow_one_loss_per_fraction() -> None:
    slope, intercept = np.polyfit(list(MACLENNAN), np.log(list(MACLENNAN.values())), 1)
    assert slope == pytest.approx(-KAPPA, abs=5e-6)
    assert intercept == pytest.approx(0.9604, abs=5e-5)
    counts = [
        math.exp(0.9604 - lymphocytes.log_loss(30, range(number), KAPPA, None))
        for number in MACLENNAN
    ]
    np.testing.assert_allclose(counts, [1.838, 1.123, 0.639], atol=5.1e-4)
    np.testing.assert_allclose(counts, list(MACLENNAN.values()), atol=3.1e-3)
    assert -math.expm1(-KAPPA) == pytest.approx(0.068, abs=5e-4)


@pytest.mark.parametrize(("share", "number", "hit"), [(0.184, 11, 0.8932), (0.101, 21, 0.8931)])
def test_independent_mixing_hits_ninety_percent_of_the_blood(
    share: float, number: int, hit: float
) -> None:
    untouched = lymphocytes.log_loss(number, range(number), -math.log1p(-share), None)
    assert -math.expm1(-untouched) == pytest.approx(hit, abs=5.1e-5)


@pytest.mark.parametrize(
    ("lung", "heart", "body", "number", "expected"),
    [
        (18, 12, 6, 30, 7.277),
        (18, 12, 6, 5, 6.415),
        (5, 3, 1.5, 5, 1.664),
        (5, 3, 1.5, 3, 1.630),
        (5, 3, 1.5, 1, 1.582),
    ],
)
def test_edric_of_mean_doses(
    lung: float, heart: float, body: float, number: int, expected: float
) -> None:
    estimate = lymphocytes.edric(lung, heart, body * 62000.0, number)
    assert estimate == pytest.approx(expected, abs=5.1e-4)
    assert lymphocytes.edric(lung, heart, body * 100.0, number, 100.0) == pytest.approx(estimate)


@pytest.mark.parametrize(
    ("lung", "heart", "liters", "number", "expected"),
    [(17, 11, 150, 30, 4.6), (20, 20, 220, 30, 6.5), (4.5, 2, 20, 3, 0.9)],
)
def test_edric_of_clinical_examples(
    lung: float, heart: float, liters: float, number: int, expected: float
) -> None:
    estimate = lymphocytes.edric(lung, heart, liters * 1000.0, number)
    assert estimate == pytest.approx(expected, abs=0.051)


def test_per_course_roots_underestimate_the_sum() -> None:
    whole = lymphocytes.edric(0, 0, 62000.0, 8) - 0.45
    parts = 0.35 * 0.85 * math.sqrt(5 / 45) * 0.5 + 0.35 * 0.85 * math.sqrt(3 / 45) * 0.5
    assert whole > parts


def test_recovery_halves_and_does_not_precede_the_loss() -> None:
    left = lymphocytes.recovery([-1.0, 0.0, 35.0, 70.0], 35.0)
    np.testing.assert_allclose(left, [0.0, 1.0, 0.5, 0.25])
    np.testing.assert_array_equal(lymphocytes.recovery([-1.0, 500.0], None), [0.0, 1.0])


def test_loss_counts_fractions_up_to_the_day() -> None:
    loss = lymphocytes.log_loss([-1, 0, 10, 20], [0, 10], [0.08, 0.02], 10.0)
    np.testing.assert_allclose(loss, [0.0, 0.08, 0.04 + 0.02, 0.02 + 0.01])
    assert lymphocytes.log_loss(5, [], 0.05, 10.0) == 0.0


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=25),
    st.one_of(st.none(), st.floats(1.0, 90.0)),
)
def test_effect_weights_are_the_defining_sum(
    mobilization: list[float], half_time: float | None
) -> None:
    weights = lymphocytes.effect_weights(mobilization, half_time)
    days = np.arange(len(mobilization))
    decay = lymphocytes.recovery(days[np.newaxis, :] - days[:, np.newaxis], half_time)
    total = sum(mobilization)
    if total < 1e-290:
        return
    np.testing.assert_allclose(weights, decay @ np.array(mobilization) / total, atol=1e-12)


def test_effect_weights_without_mobilization_are_zero() -> None:
    weights = lymphocytes.effect_weights([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 1.0)
    np.testing.assert_allclose(weights, [[0, 0, 0], [0.5, 1, 0]])


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20), st.floats(5.0, 60.0))
def test_more_fractions_or_slower_recovery_never_lose_less(
    days: list[int], half_time: float
) -> None:
    horizon = np.arange(60)
    loss = lymphocytes.log_loss(horizon, days, 0.05, half_time)
    assert np.all(lymphocytes.log_loss(horizon, [*days, 7], 0.05, half_time) >= loss - 1e-15)
    assert np.all(lymphocytes.log_loss(horizon, days, 0.05, 2 * half_time) >= loss - 1e-15)
