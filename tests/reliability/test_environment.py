"""Strange surroundings change no answer and end in no traceback."""

from __future__ import annotations

import pytest
from reliability_parts import environment

QUICK = tuple(
    seed
    for seed, surrounding in enumerate(environment.SURROUNDINGS)
    if surrounding.__name__ not in ("processes", "other_hash_seeds", "dumb_terminal", "no_home")
)


@pytest.mark.parametrize("seed", QUICK, ids=lambda n: environment.SURROUNDINGS[n].__name__)
def test_surroundings_change_nothing(seed: int) -> None:
    assert not environment.examine(seed).faults
