"""Inputs meant to use up time or memory are refused at once."""

from __future__ import annotations

import pytest
from reliability_parts import bombs

QUICK = ("million_days", "many_free_days", "four_hundred_lesions", "deep_lists",
         "toml_quoted_keys", "toml_hexadecimal", "many_day_patterns", "limits_by_points",
         "deep_toml", "too_long")  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_a_bomb_is_refused_within_its_limits(name: str) -> None:
    seed = [bomb.__name__ for bomb in bombs.BOMBS].index(name)
    tally = bombs.examine(seed)
    assert not tally.faults
    assert tally.counts["bombs"] == 1
