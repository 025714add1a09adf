"""Sparse arrays of a programme, with what Pyomo's compiler of standard forms asks of them.

The compiler would take SciPy's, and Pyomo loads all of SciPy with them: its statistics alone take
longer than many a programme.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray

Parts = tuple[FloatArray, NDArray[Any], NDArray[Any]]
"""Entries line by line, (entries,), their places in the line, (entries,), and where each line
begins and the last one ends, (lines + 1,)."""


class _Lines:
    """Entries of an array of (rows, columns), line by line."""

    def __init__(self, parts: Parts, shape: Sequence[int]):
        self.data, self.indices, self.indptr = parts
        self.shape = (shape[0], shape[1])

    def _across(self, lines: int) -> Parts:
        """Parts of the same array along its other axis, places in order."""
        line = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        order = np.argsort(self.indices, kind="stable")
        number = np.bincount(self.indices, minlength=lines)
        return self.data[order], line[order], np.concatenate([[0], np.cumsum(number)])


class Rows(_Lines):
    """Row by row (CSR)."""

    def tocsc(self) -> Columns:
        """Column by column."""
        return Columns(self._across(self.shape[1]), self.shape)


class Columns(_Lines):
    """Column by column (CSC)."""

    def tocsr(self) -> Rows:
        """Row by row."""
        return Rows(self._across(self.shape[0]), self.shape)

    def todense(self) -> FloatArray:
        """(rows, columns)."""
        dense = np.zeros(self.shape)
        column = np.repeat(np.arange(self.shape[1]), np.diff(self.indptr))
        dense[self.indices, column] = self.data
        return dense

    def sum_duplicates(self) -> None:
        """Refuse two entries in one place, which a compiler that sums terms does not make."""
        column = np.repeat(np.arange(self.shape[1]), np.diff(self.indptr))
        if ((np.diff(column) == 0) & (np.diff(self.indices) == 0)).any():
            raise ValueError("a row of the programme has a variable twice")

    def eliminate_zeros(self) -> None:
        """Leave out entries that are 0."""
        stays = self.data != 0.0
        before = np.concatenate([[0], np.cumsum(stays)])
        self.indptr = before[self.indptr]
        self.data, self.indices = self.data[stays], self.indices[stays]
