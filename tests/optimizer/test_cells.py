"""Cells of systemic effect name the multipliers that bound them, and none where none does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from abscopt.optimizer.search.uniform.bounds.levels.cells import unknown


def test_cells_that_no_multiplier_has_bounded_name_none() -> None:
    low = np.array([[0.1], [1.0], [2.0], [3.0]])
    cells = unknown(low, low + 1.0, np.full(4, np.inf))
    assert cells.numbers == []
    assert replace(cells, by=np.array([5, -1, 2, 5])).numbers == [2, 5]
