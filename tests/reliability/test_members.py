"""Decisions for ensembles: search, one programme, two stages and enumeration agree."""

from __future__ import annotations

import pytest
from reliability_parts import members, observations
from reliability_parts.tally import Tally


@pytest.mark.parametrize("seed", [10_000, 10_001, 10_006])
def test_small_ensembles_are_decided_as_by_enumeration(seed: int) -> None:
    tally = members.examine(seed)
    assert not tally.faults
    assert tally.counts["searches"] == 5 and tally.counts["programmes"] == 1


def test_two_stages_are_decided_as_by_enumeration() -> None:
    tally = Tally()
    for seed in (10_001, 10_002):
        tally.add(observations.examine(seed))
    assert not tally.faults
    assert tally.counts["decisions"] == 2 and tally.counts["laws held"] == 6


def test_the_comparison_sees_a_wrong_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    right = members.measure
    monkeypatch.setattr(members, "measure", lambda *asked: right(*asked) + 1.0)
    assert len(members.examine(10_001).faults) >= 5
