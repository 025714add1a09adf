"""Rauf 2025: published multipliers, and the closed form without immune cells."""

from dataclasses import replace

import numpy as np
import pytest

from abscopt.models.simulators import icd

MICE = icd.Parameters()
NO_IMMUNITY = replace(MICE, first_kill=0.0, second_kill=0.0)


def test_multipliers() -> None:
    assert icd.survival(MICE, 8.0, 6.0) == pytest.approx(0.8041, abs=5.1e-5)
    assert icd.survival(MICE, 8.0, 1.2) == pytest.approx(0.9161, abs=5.1e-5)
    irradiated = icd.growth_multiplier(MICE, 8.0, 6.0, abscopal=False)
    assert irradiated == pytest.approx(-0.3947, abs=2e-4)
    assert icd.growth_multiplier(MICE, 8.0, 6.0, abscopal=True) == pytest.approx(-0.1988, abs=2e-4)


def test_survival_is_smooth_down_to_no_dose() -> None:
    doses = np.array([0.0, 1e-6, 2.3e-4, 2.4e-4, 1.0])
    survival = icd.survival(MICE, doses, 6.0)
    assert survival[0] == 1.0
    assert np.all(np.diff(survival) < 0.0)
    linear = -np.log(survival[1:4]) / doses[1:4]
    np.testing.assert_allclose(linear, MICE.alpha_per_gy, rtol=1e-3)


@pytest.mark.parametrize("abscopal", [False, True])
def test_without_immune_cells_growth_is_logistic_in_a_stretched_time(abscopal: bool) -> None:
    start, capacity = 5e7, MICE.capacity_cells
    dose = np.zeros(20)
    dose[6] = 8.0
    response = icd.simulate(
        NO_IMMUNITY, dose, tumor_cells=start, first_cells=0.0, second_cells=0.0, abscopal=abscopal
    )
    factor = icd.growth_multiplier(MICE, 8.0, 6.0, abscopal=abscopal)
    days = np.arange(21.0)
    time = np.minimum(days, 6.0) + factor * np.maximum(days - 6.0, 0.0)
    cells = capacity / (1.0 + (capacity / start - 1.0) * np.exp(-MICE.growth_per_day * time))
    np.testing.assert_allclose(response.burden_cm3 * 1e9, cells, rtol=1e-6)


def test_treated_tumors_shrink_and_the_control_grows() -> None:
    dose = np.zeros((2, 14))
    dose[1, 0] = 8.0
    start = {"tumor_cells": 5.3e7, "first_cells": 1e6, "second_cells": 1e5}
    abscopal = icd.simulate(MICE, dose, abscopal=True, **start).burden_cm3
    irradiated = icd.simulate(MICE, dose, **start).burden_cm3
    assert abscopal.shape == (2, 15)
    assert np.all(np.diff(abscopal[0]) > 0.0)
    assert np.all(np.diff(abscopal[1]) < 0.0)
    assert np.all(irradiated[1, 1:] < abscopal[1, 1:])
    np.testing.assert_allclose(irradiated[0], abscopal[0])


def test_tolerance_does_not_matter() -> None:
    dose = np.zeros(20)
    dose[8] = 8.0
    start = {"tumor_cells": 5.3e7, "first_cells": 1e6, "second_cells": 1e5}
    coarse = icd.simulate(MICE, dose, tolerance=1e-6, **start).burden_cm3
    np.testing.assert_allclose(coarse, icd.simulate(MICE, dose, **start).burden_cm3, rtol=1e-4)


def test_refusals() -> None:
    start = {"tumor_cells": 5e7, "first_cells": 0.0, "second_cells": 0.0}
    with pytest.raises(ValueError, match="one fraction only"):
        icd.simulate(MICE, [8.0, 8.0], **start)
    with pytest.raises(ValueError, match="dose_gy must be finite"):
        icd.simulate(MICE, [-1.0], **start)
