"""The delay model: closed forms of its parts, the pool's balance, and step halving."""

from dataclasses import replace

import numpy as np
import pytest

from abscopt.models.immunity import ctla4
from abscopt.models.simulators import gonzalez_crespo as gc

SILENT = gc.Parameters(0.0, 0.0, 0.0)
ACTIVE = gc.Parameters(2e-7, 2e-3, 0.2)


def course(days: int, gray: float, *given: int) -> np.ndarray:
    doses = np.zeros(days)
    doses[list(given)] = gray
    return doses


def test_without_immunity_it_is_growth_and_lq() -> None:
    response = gc.simulate(SILENT, course(12, 3.0, 4, 6), steps_per_day=200)
    grown = np.log(response.viable_cm3[-1] / response.viable_cm3[0])
    kill = 2 * (0.1577 * 3 + 0.0427 * 9)
    assert grown == pytest.approx(12 * 0.4044 - kill, abs=1e-4)
    assert response.viable_cm3[0] == pytest.approx(5e-4)
    assert np.all(response.t_cells == 0.0)


def test_damaged_cells_are_cleared_after_a_ramp() -> None:
    response = gc.simulate(SILENT, course(8, 5.0, 0), steps_per_day=200)
    damaged = response.doomed_cm3
    assert damaged[0] == 0.0
    hit = 5e-4 * -np.expm1(-0.1577 * 5 - 0.0427 * 25)
    assert damaged[1] == pytest.approx(hit, rel=1e-12)
    elapsed = np.arange(2.0, 9.0)
    expected = hit * np.exp(-0.3715 * (elapsed - 1.5 + 0.25))
    np.testing.assert_allclose(damaged[2:], expected, rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 1.0, 4.0, 20.0])
def test_t7_activated_share_of_the_cells_that_leave_the_pool(level: float) -> None:
    closed = replace(
        ACTIVE, pool_inflow_per_day=0.0, t_cell_loss_per_day=0.0, t_cell_loss_per_cell_day=0.0
    )
    response = gc.simulate(closed, np.zeros(14), 0.0, level)
    left = response.pool[0] - response.pool
    share = response.t_cells[2:] / np.where(left[:-2] > 0.0, left[:-2], np.nan)
    expected = ctla4.activated_fraction(level, 5.0)
    assert left[-3] > 1e3
    np.testing.assert_allclose(share[3:], expected, rtol=2e-3)


def test_no_more_t_cells_than_the_pool_holds() -> None:
    flood = replace(ACTIVE, activation_per_antigen_day=2e-6, release_per_cell_day=0.1)
    response = gc.simulate(flood, course(10, 8.0, 3, 4), 1.0, 4.0, steps_per_day=100)
    held = 2.998e5 + 0.199 * np.arange(11)
    assert np.all(response.t_cells + response.pool <= held)
    assert np.all(response.pool >= 0.0) and response.pool[-1] < 1e3


def test_delays() -> None:
    no_loss = replace(ACTIVE, antigen_delay_days=3.0, infiltration_delay_days=2.0)
    silent_before = replace(no_loss, release_per_cell_day=0.0)
    response = gc.simulate(silent_before, course(12, 6.0, 1))
    np.testing.assert_array_equal(response.antigen > 0.0, np.arange(13) > 1 + 1 + 3)
    np.testing.assert_array_equal(response.t_cells > 0.0, np.arange(13) > 1 + 1 + 3 + 2)


def test_blockade_and_antigen_help() -> None:
    doses = course(30, 5.0, 8, 9, 10)
    alone = gc.simulate(ACTIVE, doses).burden_cm3
    pd1 = gc.simulate(ACTIVE, doses, 1.0).burden_cm3
    ctla4 = gc.simulate(ACTIVE, doses, 0.0, 4.0).burden_cm3
    silent = gc.simulate(SILENT, doses).burden_cm3
    assert pd1[-1] < alone[-1] < silent[-1]
    assert ctla4[-1] < alone[-1]


def test_step_halving() -> None:
    doses, levels = course(30, 4.0, 8, 9, 10), np.linspace(0.0, 2.0, 30)
    runs = {
        steps: gc.simulate(ACTIVE, doses, levels, levels, steps_per_day=steps)
        for steps in (24, 48, 96)
    }
    errors = [
        np.max(np.abs(runs[steps].burden_cm3 / runs[2 * steps].burden_cm3 - 1.0))
        for steps in (24, 48)
    ]
    assert errors[1] < 1e-3
    assert errors[1] < 0.5 * errors[0]


def test_batches_broadcast_and_equal_single_runs() -> None:
    doses = np.stack([course(15, 0.0, 0), course(15, 4.0, 5, 6)])
    swept = replace(ACTIVE, kill_per_day=np.array([0.1, 0.2, 0.3])[:, np.newaxis])
    together = gc.simulate(swept, doses, steps_per_day=12)
    assert together.burden_cm3.shape == together.pool.shape == (3, 2, 16)
    alone = gc.simulate(replace(ACTIVE, kill_per_day=0.3), doses[1], steps_per_day=12)
    np.testing.assert_allclose(together.burden_cm3[2, 1], alone.burden_cm3, rtol=1e-12)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="up to 15 Gy"):
        gc.simulate(ACTIVE, [16.0])
    with pytest.raises(ValueError, match="shorter than a step"):
        gc.simulate(ACTIVE, [2.0], steps_per_day=1)
    with pytest.raises(ValueError, match="anti_pd1 must be finite"):
        gc.simulate(ACTIVE, [2.0], np.nan)
