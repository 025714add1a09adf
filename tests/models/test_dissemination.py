"""New sites seeded while waiting: sums by hand, limits, laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abscopt.models.tumor.dissemination import expected_new_sites

RATE = {"rate_per_day": 0.004, "reference_cm3": 100.0, "exponent": 1.0}


def test_the_sum_over_days_by_hand() -> None:
    """50 cm3 doubling in 10 days: 0.002 (1 + 2^0.1 + ... + 2^0.9) before day 10."""
    expected = 0.002 * sum(2.0 ** (day / 10.0) for day in range(10))
    assert float(expected_new_sites(50.0, 10.0, 10, **RATE)) == pytest.approx(expected, rel=1e-12)
    assert float(expected_new_sites(50.0, None, 10, **RATE)) == pytest.approx(0.02, rel=1e-12)
    power = RATE | {"exponent": 0.5}
    expected = 0.004 * sum((0.5 * 2.0 ** (day / 10.0)) ** 0.5 for day in range(3))
    assert float(expected_new_sites(50.0, 10.0, 3, **power)) == pytest.approx(expected, rel=1e-12)


@given(st.floats(0.1, 1000.0), st.floats(1.0, 1e4), st.integers(0, 400), st.floats(0.1, 2.0))
def test_waiting_longer_never_seeds_less(
    volume: float, doubling: float, day: int, exponent: float
) -> None:
    days = np.array([0, day, day + 1])
    found = expected_new_sites(volume, doubling, days, **(RATE | {"exponent": exponent}))
    assert found[0] == 0.0 and found[1] <= found[2]
    still = expected_new_sites(volume, None, days, **(RATE | {"exponent": exponent}))
    assert (found >= still * (1.0 - 1e-9)).all()
