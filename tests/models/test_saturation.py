"""Hill's curve in log space: the plain formula where that exists, a step where it overflows."""

import numpy as np
import pytest

from abscopt.models.immunity.immune import gate
from abscopt.models.immunity.pharmacokinetics import concentrations, occupancy
from abscopt.models.immunity.saturation import saturation


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.7, 8.0])
def test_plain_formula(exponent: float) -> None:
    level = np.array([0.0, 1e-6, 0.3, 2.0, 17.0, 1e5])
    powers = level**exponent
    share = saturation(level, 3.0, exponent)
    np.testing.assert_allclose(share, powers / (3.0**exponent + powers), rtol=1e-12)
    np.testing.assert_allclose(saturation(level, 3.0, -exponent), 1.0 - share, atol=1e-15)


@pytest.mark.parametrize("exponent", [300.0, 1e6, 1e300])
def test_steep_curves_are_steps(exponent: float) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        share = saturation([0.0, 1e-300, 1.0, 3.0, 9.0, 1e300], 3.0, exponent)
    np.testing.assert_allclose(share, [0.0, 0.0, 0.0, 0.5, 1.0, 1.0], atol=1e-100)


def test_what_is_left_of_a_gate_far_above_keeps_its_digits() -> None:
    value = gate(1e4, low_gy=6.0, low_exponent=4.0, high_gy=15.0, high_exponent=8.0)
    assert value == pytest.approx((15.0 / 1e4) ** 8, rel=1e-9)


def test_occupancy_of_a_hill_exponent_of_300() -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        share = occupancy([0.0, 0.5, 40.0], 1.0, 300.0)
    np.testing.assert_array_equal(share, [0.0, occupancy(0.5, 1.0, 300.0), 1.0])
    assert 0.0 <= share[1] < 1e-80


@pytest.mark.parametrize("peripheral", [1e-300, 1e-12, 1e-3])
def test_a_tiny_peripheral_volume_is_one_compartment(peripheral: float) -> None:
    """Exchange that is infinitely fast and holds nothing leaves C = dose/V exp(-CL t/V)."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        level = concentrations(
            30, [0], [200.0], clearance_l_per_day=0.2, central_volume_l=3.0,
            intercompartmental_l_per_day=0.8, peripheral_volume_l=peripheral,
        )  # fmt: skip
    wanted = 200.0 / 3.0 * np.exp(-0.2 / 3.0 * np.arange(30))
    np.testing.assert_allclose(level, wanted, rtol=2e-2 * min(1.0, peripheral * 1e3) + 1e-9)
