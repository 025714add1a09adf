"""Overflow, division by zero and what is not a number are errors in tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def floating_point_errors() -> Iterator[None]:
    """Overflow, division by zero and invalid operations raise where they arise.

    Underflow does not: exp(-u) of a large kill is 0 to any precision that matters, and every
    survival, occupancy and weight far below 1e-308 is meant to vanish.
    """
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield
