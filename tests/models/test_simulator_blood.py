"""Published laws of blood, and that the judge's lymphocyte law contains them."""

import math

import numpy as np
import pytest

from abscopt.models.immunity import lymphocytes
from abscopt.models.simulators import blood

MACLENNAN = {5: 1.84, 12: 1.12, 20: 0.64}  # 10^9/L, Cancer 1978;41:108


def test_t17_counts() -> None:
    predicted = blood.cranial_lymphocytes(list(MACLENNAN))
    np.testing.assert_allclose(predicted, [1.838, 1.123, 0.639], atol=5.1e-4)
    np.testing.assert_allclose(predicted, list(MACLENNAN.values()), atol=3.1e-3)
    slope = np.polyfit(list(MACLENNAN), np.log(list(MACLENNAN.values())), 1)[0]
    assert slope == pytest.approx(-0.07039, abs=5e-6)
    assert -np.expm1(-0.07039) == pytest.approx(0.068, abs=5e-4)


def test_t17_is_the_loss_per_fraction_of_the_judge() -> None:
    count = 15
    loss = lymphocytes.log_loss(90, np.arange(count), 0.07039, None)
    assert blood.cranial_lymphocytes(count) == pytest.approx(math.exp(0.9604 - loss), rel=1e-14)


@pytest.mark.parametrize(("share", "fractions", "hit"), [(0.184, 11, 0.8932), (0.101, 21, 0.8931)])
def test_t18_mixing(share: float, fractions: int, hit: float) -> None:
    assert blood.irradiated_share(share, fractions) == pytest.approx(hit, abs=5.1e-5)


def test_mixing_limits() -> None:
    hit = blood.irradiated_share([0.0, 0.3, 1.0], [[0], [1], [30]])
    np.testing.assert_allclose(hit[0], 0.0)
    np.testing.assert_allclose(hit[1], [0.0, 0.3, 1.0])
    np.testing.assert_allclose(hit[2], [0.0, 1.0 - 0.7**30, 1.0])


def test_survival_saturates() -> None:
    survival = blood.circulating_survival([0.0, 0.5, 50.0])
    np.testing.assert_allclose(survival, [1.0, 0.57 ** (1 - math.exp(-1.09)), 0.57], rtol=1e-14)
