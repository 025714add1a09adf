"""Cells of systemic effect: boxes of unsaturated log kill, one interval per horizon."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Cells:
    """Boxes of unsaturated systemic log kill with a bound for each.

    Attributes
    ----------
    low, high : (cells, horizons)
    bound : (cells,) no schedule in the cell is better
    known : (cells, corners) the least that some multiplier gives for a corner alone
    by : (cells,) number of the multiplier that gave the bound; -1 for none of these plans
    """

    low: FloatArray
    high: FloatArray
    bound: FloatArray
    known: FloatArray
    by: IntArray

    def __len__(self) -> int:
        return len(self.bound)

    def take(self, keep: IntArray | BoolArray | slice) -> Cells:
        """Some of the cells."""
        return Cells(
            self.low[keep], self.high[keep], self.bound[keep], self.known[keep], self.by[keep]
        )

    def take_above(self, threshold: float) -> Cells:
        """The cells that are not decided."""
        return self.take(self.bound > threshold)

    @property
    def point(self) -> FloatArray:
        """(cells,) what is known of the worst corner."""
        return np.asarray(self.known.max(axis=1))

    @property
    def numbers(self) -> list[int]:
        """Multipliers that bound some cell, rising."""
        return [int(j) for j in np.unique(self.by) if j >= 0]

    @property
    def top(self) -> float:
        """Bound of all cells; -inf without any."""
        return float(self.bound.max(initial=-math.inf))


def joined_cells(lots: list[Cells]) -> Cells:
    """All cells of several lots."""
    return Cells(
        np.concatenate([cells.low for cells in lots]),
        np.concatenate([cells.high for cells in lots]),
        np.concatenate([cells.bound for cells in lots]),
        np.concatenate([cells.known for cells in lots]),
        np.concatenate([cells.by for cells in lots]),
    )


def unknown(low: FloatArray, high: FloatArray, bound: FloatArray) -> Cells:
    """Cells with a bound that no multiplier at hand gave."""
    none = np.full(len(low), -1, dtype=np.int64)
    return Cells(low, high, bound, np.full((len(low), 2 ** low.shape[1]), math.inf), none)


def corners(low: FloatArray, high: FloatArray) -> FloatArray:
    """(cells, 2^horizons, horizons) corners of boxes; bit h of a corner's number: high in h."""
    horizons = low.shape[1]
    upper = (np.arange(2**horizons)[:, None] >> np.arange(horizons)) & 1 == 1
    points: FloatArray = np.where(upper[None], high[:, None], low[:, None])
    return points


def halved(cells: Cells) -> Cells:
    """Each cell in two per horizon, geometrically; children of a cell follow each other."""
    horizons, middle = cells.low.shape[1], np.sqrt(cells.low * cells.high)
    return unknown(
        corners(cells.low, middle).reshape(-1, horizons),
        corners(middle, cells.high).reshape(-1, horizons),
        np.repeat(cells.bound, 2**horizons),
    )
