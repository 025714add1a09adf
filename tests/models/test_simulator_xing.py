"""Xing 2025 as its co-author coded it: the map by hand, and the published order of spacings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abscopt.models.simulators import xing

FITTED = xing.Parameters()
DAYS = 41
FIRST = 14
AROUND = (-2, 0, 2, 4)
"""Days of the antibody around each fraction, as in the public code."""


def by_hand(dose: list[float], level: list[float]) -> list[float]:
    """The tumor, day by day, written once more from the public code with plain numbers."""
    alpha, beta, omega_inside, omega_called = 0.02404, 0.00148, 0.02349, 0.01404
    phi, entering, rho, alpha_inside = 0.96396, 0.30441, 1.70781, 0.05205
    growth, gamma, tau = 0.21601, 0.88301, 8.79821
    tumor, called, inside, memory = 1.0, 0.00001, 0.0, 0.0
    tumors = [tumor]
    for d, p1 in zip(dose, level, strict=True):
        survival = math.exp((1 + gamma * memory) * (-alpha * d - beta * d * d))
        kill = p1 * omega_inside * inside + p1 * called * omega_called
        tumor = survival * tumor * math.exp(growth - kill)
        inside = entering * called + inside * math.exp(-alpha_inside * d)
        called = (1 - entering) * called * math.exp(-phi * d) + (rho if d > 0 else 0.0)
        memory = min(memory - memory / tau + (1 - survival), 1.0)
        tumors.append(tumor)
    return tumors


def doses(*days: int, gray: float = 10.0) -> list[float]:
    return [gray if day in days else 0.0 for day in range(DAYS)]


def around(*days: int) -> list[float]:
    """Antibody around every fraction."""
    infusions = [day + after for day in days for after in AROUND]
    return xing.antibody_levels(infusions, DAYS).tolist()


def log_ratio(spacing: int, *, antibody: bool) -> float:
    """ln of the last volume over that after daily fractions."""
    ends = []
    for second in (FIRST + spacing, FIRST + 1):
        days = (FIRST, second)
        level = around(*days) if antibody else 0.0
        ends.append(xing.simulate(FITTED, doses(*days), level, tumor_cm3=1.0).log_viable[-1])
    return float(ends[0] - ends[1])


@pytest.mark.parametrize("days", [(), (14,), (14, 15), (14, 24), (14, 15, 24, 25)])
def test_the_map_by_hand(days: tuple[int, ...]) -> None:
    level = around(*days) if days else [0.7] * DAYS
    found = xing.simulate(FITTED, doses(*days), level, tumor_cm3=1.0)
    np.testing.assert_allclose(found.viable_cm3, by_hand(doses(*days), level), rtol=1e-12)
    assert not found.doomed_cm3.any()


def test_levels_of_infusions() -> None:
    single = [2.0 * (1 - age / 7) for age in range(7)]
    np.testing.assert_allclose(xing.antibody_levels([1], 9), [0.0, *single, 0.0], atol=1e-15)
    both = xing.antibody_levels([0, 2], 9)
    assert both[2] == 3.0
    np.testing.assert_allclose(both[3], 2.0 * (4 / 7 + 6 / 7), rtol=1e-12)
    assert not xing.antibody_levels([], 5).any()


def test_ten_days_apart_beat_daily_fractions_with_antibody_only() -> None:
    assert log_ratio(10, antibody=True) < -0.5
    assert 0.0 < log_ratio(10, antibody=False) < 0.2


def test_the_gain_begins_with_days_and_is_full_from_nine_on() -> None:
    """Rouf 2024 (abstract): pulses at least nine days apart leave a smaller tumor."""
    by_spacing = [log_ratio(spacing, antibody=True) for spacing in range(1, 21)]
    assert np.all(np.diff(by_spacing[:10]) < 0.0)
    assert 9 <= 1 + int(np.argmin(by_spacing)) <= 15


def test_under_the_same_lasting_antibody_spacing_wins_in_the_end() -> None:
    """Daily fractions waste T cells on their way; those that enter stay and tell with time."""
    dose = np.zeros((2, 120))
    dose[0, [14, 15]] = dose[1, [14, 24]] = 10.0
    logs = xing.simulate(FITTED, dose, 3.0, tumor_cm3=1.0)
    difference = logs.log_viable[1] - logs.log_viable[0]
    assert difference[30] > 0.0 and difference[60] < -0.3
    inside = logs.inside[:, -1]
    assert inside[1] > 1.2 * inside[0]


def test_pairs_ten_days_apart_beat_pairs_twenty_days_apart() -> None:
    ends = []
    for later in (24, 34):
        days = (14, 15, later, later + 1)
        found = xing.simulate(FITTED, doses(*days), around(*days), tumor_cm3=1.0)
        ends.append(found.log_viable[-1])
    assert ends[0] < ends[1] - 0.3


def test_batches_equal_single_runs_and_the_start_scales() -> None:
    rng = np.random.default_rng(4)
    dose = np.where(rng.random((3, 2, 30)) < 0.2, 8.0, 0.0)
    level = rng.uniform(0.0, 3.0, (3, 1, 30))
    whole = xing.simulate(FITTED, dose, level, tumor_cm3=0.1)
    assert whole.viable_cm3.shape == (3, 2, 31) and whole.immune_kill.shape == (3, 2, 30)
    single = xing.simulate(FITTED, dose[1, 1], level[1, 0], tumor_cm3=0.2)
    np.testing.assert_allclose(2.0 * whole.viable_cm3[1, 1], single.viable_cm3, rtol=1e-12)
    growth = FITTED.growth_per_day * 30 - whole.immune_kill.sum(axis=-1)
    assert np.all(whole.log_viable[..., -1] - np.log(0.1) <= growth + 1e-12)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="tumor_cm3"):
        xing.simulate(FITTED, [0.0], tumor_cm3=0.0)
    with pytest.raises(ValueError, match="anti_pd1"):
        xing.simulate(FITTED, [0.0], -1.0, tumor_cm3=1.0)


def test_without_an_antibody_none_is_given() -> None:
    stated = xing.simulate(FITTED, doses(14, 15), 0.0, tumor_cm3=1.0)
    short = xing.simulate(FITTED, doses(14, 15), tumor_cm3=1.0)
    np.testing.assert_array_equal(short.log_viable, stated.log_viable)
