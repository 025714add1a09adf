"""Coefficients of binding rows, and programmes in which one of them is off by one percent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any

import numpy as np

from abscopt.optimizer.crosscheck.compare import Transform, binding_rows, scaled
from abscopt.optimizer.crosscheck.handover.naming import Programme
from abscopt.optimizer.highs.solver import Matrix

Rounds = Sequence[tuple[Programme, Any]]
Wrong = tuple[str, str, float]

FACTORS = (1.01, 0.99)
MOST_TRIED = 12
BINDS = 2e-3  # rows of bands are scaled by 5000 and split 2e-7 below the loss
USED = 1e-9


def wrong_coefficients(rounds: Rounds, family: str) -> list[Wrong]:
    """Some (row, column, factor) of a family in use in rows that bind, the last programme first.

    Parameters
    ----------
    rounds : programmes with their optima
    """
    places = islice(product(_coefficients(rounds, family), FACTORS), MOST_TRIED)
    return [(row, column, factor) for (row, column), factor in places]


def _coefficients(rounds: Rounds, family: str) -> Iterator[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for one, x in reversed(rounds):
        matrix, binding = one.matrix, set(binding_rows(one.matrix, x, BINDS))
        for row in sorted(binding.intersection(one.families.get(family, ()))):
            used = matrix.index[matrix.start[row] : matrix.start[row + 1]]
            for column in used[np.abs(x[used]) > USED]:
                found.setdefault((one.rows[row], one.columns[column]))
    yield from found


def with_wrong(wrong: Wrong) -> Transform:
    """Changes one coefficient of every programme that has its row and column."""
    row, column, factor = wrong

    def change(one: Programme) -> Matrix:
        if row in one.rows and column in one.columns:
            return scaled(one, one.rows.index(row), one.columns.index(column), factor)
        return one.matrix

    return change
