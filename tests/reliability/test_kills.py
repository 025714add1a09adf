"""Killed while it writes, a command leaves the old file or the new one, never half."""

from __future__ import annotations

import pytest
from reliability_parts import kills

SOLVE_OVER, COMPARE, EXPORT = 0, 4, 5


@pytest.mark.parametrize(("seed", "stride"), [(SOLVE_OVER, 29), (COMPARE, 5), (EXPORT, 5)])
def test_a_kill_leaves_no_half_file(seed: int, stride: int) -> None:
    tally = kills.examine(seed, stride)
    assert not tally.faults
    assert tally.counts["kills"] >= 2
