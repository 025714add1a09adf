"""Rows that are alike: equal once rounded."""

from __future__ import annotations

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray


def groups_of(table: FloatArray) -> tuple[IntArray, int]:
    """(n,) number of the group of equal rows of (n, k), and how many groups."""
    rows = np.ascontiguousarray(table + 0.0)  # no negative zeros: bytes are compared
    view = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))
    distinct, groups = np.unique(view.reshape(-1), return_inverse=True)
    return groups.reshape(-1), len(distinct)
