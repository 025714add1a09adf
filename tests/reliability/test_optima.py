"""Tiny random cases: search, free search, one programme and enumeration agree."""

from __future__ import annotations

import pytest
from reliability_parts import optima
from reliability_parts.tally import Tally

from abscopt.instances.load import build
from abscopt.optimizer import solve

CHUNKS, SIZE = 3, 20


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_tiny_cases_are_solved_as_by_enumeration(chunk: int) -> None:
    tally = Tally()
    for seed in range(chunk * SIZE, (chunk + 1) * SIZE):
        tally.add(optima.examine(seed))
    assert not tally.faults
    assert tally.counts["cases"] >= 0.9 * SIZE
    assert tally.counts["irradiated"] >= 0.5 * SIZE


def test_the_comparison_sees_a_wrong_bound_and_a_wrong_claim() -> None:
    results = (solve(build(optima.case(seed))) for seed in range(SIZE))
    result = next(result for result in results if result.status == "optimal")
    assert result.objective is not None
    assert result.bound is not None
    gap = result.requested_gap
    assert optima.disagreement(result, result.objective, gap, 1e-9) is None
    assert optima.disagreement(result, result.bound + 1e-3, gap, 1e-9) is not None
    assert optima.disagreement(result, result.objective - 1e-3, gap, 1e-9) is not None
    assert optima.disagreement(result, None, gap, 1e-9) is not None


@pytest.mark.parametrize("seed", [496, 3496])
def test_cases_that_failed_once(seed: int) -> None:
    """An open gap of a large objective; a plan of equal value met where the rows are exact."""
    assert not optima.examine(seed).faults
