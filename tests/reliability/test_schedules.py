"""Feasible schedules of the bundled cases stay below the proven bound of their case."""

from __future__ import annotations

import pytest
from reliability_parts import schedules

SEEDS = (0, 13, 28, 35, 45, 46, 48, 50)
"""One walk each through cases that are judged quickly; between them every form of course."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_schedule_beats_the_bound(seed: int) -> None:
    tally = schedules.examine(seed)
    assert not tally.faults
    assert tally.counts["feasible schedules"] >= 10


def test_a_false_bound_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    true = schedules.bound_of("toy-blockade")
    assert true is not None
    monkeypatch.setattr(schedules, "bound_of", lambda name: true - 0.5)
    assert schedules.examine(schedules.names().index("toy-blockade")).faults
