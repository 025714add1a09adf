"""Settings of the search for free courses trade time: no answer becomes false by them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.search.free import settings


def test_other_settings_prove_the_same_optimum_and_end_with_their_block() -> None:
    case, before = load("toy-free-20"), settings.CURRENT
    usual = solve(case)
    coarse = replace(before, fine_patterns=0.2, label_chunk=64, rounds=5, labels=500)
    with settings.using(coarse):
        assert settings.CURRENT is coarse
        other = solve(case)
    assert settings.CURRENT is before
    assert (usual.status, other.status) == ("optimal", "optimal")
    assert usual.objective is not None
    assert usual.requested_gap is not None
    assert other.objective == pytest.approx(usual.objective, abs=usual.requested_gap)
