"""One day of the recursion as a matrix: the step is M x, the way back is M transposed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune, recursion

DAY = recursion.Day(
    effectors_kept=0.7,
    mobilized=0.05,
    precursors_kept=0.9,
    priming=1.5,
    dying_kept=0.8,
    inflow=0.02,
)
MATRIX = np.array([[0.7, 0.05, 0.0], [0.0, 0.9, 1.5 * 0.8], [0.0, 0.0, 0.8]])
JOINING = np.array([0.0, 1.5, 1.0])
INFLOW = np.array([0.0, 0.02, 0.0])


def state(values: FloatArray) -> recursion.State:
    return recursion.State(*(np.asarray(component) for component in values))


def days_of(seed: int, length: int) -> list[recursion.Day]:
    random = np.random.default_rng(seed)
    return list(
        recursion.days_of(
            length,
            0.05 * random.random(length),
            1.0 + random.random(length),
            random.random(length),
            random.random(length),
            precursor_loss_per_day=0.02,
            clearance_per_day=0.3,
            inflow=0.04,
        )
    )


@given(st.lists(st.floats(0.0, 10.0), min_size=4, max_size=4))
def test_a_day_is_the_written_matrix(numbers: list[float]) -> None:
    x, joining = np.array(numbers[:3]), numbers[3]
    after = np.array(DAY.after(state(x), joining))
    expected = MATRIX @ x + INFLOW + JOINING * joining
    np.testing.assert_allclose(after, expected, rtol=1e-14, atol=1e-300)


@given(st.lists(st.floats(0.0, 10.0), min_size=4, max_size=4))
def test_the_way_back_is_the_transpose(numbers: list[float]) -> None:
    worth, effect = np.array(numbers[:3]), numbers[3]
    before, joining = DAY.before(state(worth), effect)
    later = worth + np.array([effect, 0.0, 0.0])
    np.testing.assert_allclose(np.array(before), MATRIX.T @ later, rtol=1e-14, atol=1e-300)
    assert float(joining) == pytest.approx(float(JOINING @ later), rel=1e-14, abs=1e-300)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 25))
def test_forward_and_backward_count_the_same_effect(seed: int, length: int) -> None:
    """Sum of the effect of every day = worth of the start + of what joins + of the inflow."""
    random = np.random.default_rng(seed)
    days, start, joining = days_of(seed, length), random.random(3), random.random(length)
    effect, total, x = random.random(length), 0.0, state(start)
    for t, day in enumerate(days):
        x = day.after(x, joining[t])
        total += effect[t] * float(x.effectors)
    worth, counted = state(np.zeros(3)), 0.0
    for t in reversed(range(length)):
        counted += days[t].inflow * float(worth.precursors)
        worth, per_joining = days[t].before(worth, effect[t])
        counted += float(per_joining) * joining[t]
    counted += float(np.array(worth) @ start)
    assert total == pytest.approx(counted, rel=1e-12)


def test_coefficients_of_a_day_are_those_of_the_rates() -> None:
    first, second = recursion.days_of(
        2,
        [0.1, 0.2],
        3.0,
        [1.0, 0.5],
        np.array([[0.9, 0.8], [0.7, 0.6]]),
        precursor_loss_per_day=0.05,
        clearance_per_day=0.25,
        inflow=0.01,
    )
    assert first.precursors_kept == pytest.approx(0.85)
    assert second.precursors_kept == pytest.approx(0.75 * 0.5)
    assert second.mobilized == 0.2
    assert second.priming == 3.0
    assert first.dying_kept == math.exp(-0.25)
    np.testing.assert_array_equal(second.effectors_kept, [0.8, 0.6])


@pytest.mark.parametrize("delay", [0.0, 1.0, 2.5])
def test_dying_cells_follow_the_kernel(delay: float) -> None:
    """With nothing mobilized or lost, precursors of a unit release sum up the kernel."""
    release = np.zeros(12)
    release[2] = 1.0
    precursors, effectors = recursion.effector_trace(
        release, 0.0, 1.0, 0.0,
        precursors_initial=0.0, precursor_loss_per_day=0.0, precursor_inflow_per_day=0.0,
        effector_loss_per_day=0.0, effector_kill_per_fraction=0.0,
        clearance_per_day=0.3, priming_delay_days=delay,
    )  # fmt: skip
    primed = np.cumsum(np.concatenate([[0.0, 0.0], immune.clearance_kernel(10, 0.3, delay)]))
    np.testing.assert_allclose(precursors, primed, rtol=1e-13, atol=1e-15)
    assert not effectors.any()
