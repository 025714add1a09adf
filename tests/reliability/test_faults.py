"""Faults of the solver end in the right status or in an error that is told in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from reliability_parts import faults, injection
from reliability_parts.tally import Tally

FIRST, SIZE = 0, 16


def test_no_fault_of_the_solver_makes_a_false_proof() -> None:
    tally = Tally()
    for seed in range(FIRST, FIRST + SIZE):
        tally.add(faults.examine(seed))
    assert not tally.faults
    assert tally.counts["injected"] >= SIZE


@pytest.mark.parametrize("kind", ["duals", "weights", *injection.OUTCOMES])
def test_every_kind_of_fault_is_drawn(kind: str) -> None:
    kinds = {faults.drawn(np.random.default_rng([2032, seed]))[2] for seed in range(300)}
    assert kind in kinds
