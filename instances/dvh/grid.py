"""A dose on a grid of voxels, interpolated at points, and histograms of what was sampled there.

Trilinear interpolation cuts curves short: by h^2 / 12 times the sum of the second derivatives in
the mean, 0.1 Gy and more in a sphere of 2 cm on a grid of 2.5 mm (derived). So a grid is first
refined by halves, with what lies between four equally distant values, exact for cubics,

    d_{1/2} = (9 (d_0 + d_1) - d_{-1} - d_2) / 16

within the least and the greatest of the four, so that edges do not ring (Deslauriers and Dubuc,
Constr Approx 5 (1989) 49, recalled; the limit is ours).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from abscopt.instances.dvh.measures import Curve
from abscopt.models.arrays import BoolArray, FloatArray

FINE_MM = 1.3
"""Grids are halved until they are at most this wide (tests: 0.01 Gy in means)."""
EVEN = 1e-3
"""Frames lie equally far apart within this share of their distance."""
BIN_GY = 0.01
MOST_OUTSIDE = 0.01
"""Share of a structure that may lie outside the dose grid, as for exports; its dose counts as 0."""
PLACES = 1.22074408460575947536 ** -np.arange(1.0, 4.0)
"""Powers of the root of x^4 = x + 1 (derived)."""


@dataclass(frozen=True)
class Grid:
    """A dose on evenly spaced rows and columns of frames.

    Attributes
    ----------
    gy : (frames, rows, columns)
    position : (3,) center of the first voxel, mm
    axes : (3, 3) unit vectors along frames, rows and columns, in rows
    offsets : (frames,) of the frames along the first axis, mm, rising
    spacing : (rows, columns) between voxels, mm
    """

    gy: FloatArray
    position: FloatArray
    axes: FloatArray
    offsets: FloatArray
    spacing: tuple[float, float]

    def at(self, points: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Trilinear D(p) = sum over the 8 voxels around p, (n,) in Gy, and whether p is inside.

        Beyond the outermost centers, up to half a voxel, the dose is that of the nearest center.
        """
        along = (points - self.position) @ self.axes.T
        frames = np.arange(len(self.offsets), dtype=float)
        index = [
            np.interp(along[:, 0], self.offsets, frames),
            along[:, 1] / self.spacing[0],
            along[:, 2] / self.spacing[1],
        ]
        ends = self.offsets[:2], self.offsets[-2:]
        low = self.offsets[0] - (ends[0][-1] - ends[0][0]) / 2
        high = self.offsets[-1] + (ends[1][-1] - ends[1][0]) / 2
        inside = (along[:, 0] >= low) & (along[:, 0] <= high)
        sides = []
        for part, size in zip(index, self.gy.shape, strict=True):
            inside &= (part >= -0.5) & (part <= size - 0.5)
            clipped = np.clip(part, 0.0, size - 1)
            first = np.minimum(clipped.astype(np.int64), max(size - 2, 0))
            sides.append((first, np.minimum(first + 1, size - 1), clipped - first))
        dose = np.zeros(len(points))
        for corner in range(8):
            weight, place = np.ones(len(points)), []
            for axis, (first, second, share) in enumerate(sides):
                upper = corner >> axis & 1
                weight *= share if upper else 1.0 - share
                place.append(second if upper else first)
            dose += weight * self.gy[tuple(place)]
        return dose, inside

    def refined(self) -> Self:
        """The same on a grid of at most `FINE_MM`; unevenly spaced frames stay as they are."""
        gy, offsets, (y, x) = self.gy, self.offsets, self.spacing
        gaps = np.diff(offsets)
        while np.ptp(gaps) <= EVEN * gaps[0] and gaps[0] > FINE_MM and len(gaps) > 2:
            gy = _halved(gy, 0)
            offsets = np.interp(np.arange(len(gy)) / 2, np.arange(len(offsets)), offsets)
            gaps = np.diff(offsets)
        while y > FINE_MM and gy.shape[1] > 3:
            gy, y = _halved(gy, 1), y / 2
        while x > FINE_MM and gy.shape[2] > 3:
            gy, x = _halved(gy, 2), x / 2
        return replace(self, gy=gy, offsets=offsets, spacing=(y, x))


class Samples:
    """Doses of a structure, gathered part by part and counted in bins of 0.01 Gy."""

    def __init__(self) -> None:
        self.counts: FloatArray = np.zeros(1)
        self.outside = 0.0

    def add(self, dose_gy: FloatArray, inside: BoolArray, volume: float) -> None:
        """Samples of equal volume, in mm3: their doses, and whether these are known."""
        bins = (dose_gy / BIN_GY).astype(np.int64)
        self.outside += volume * float(np.sum(~inside))
        counts = volume * np.bincount(bins, minlength=len(self.counts)).astype(np.float64)
        counts[: len(self.counts)] += self.counts
        self.counts = counts

    def curve(self, name: str) -> Curve | str:
        """V(D) of all of them; a sentence where it cannot be known.

        V(D) = sum of the volumes of samples with at least D / sum of all, at 0, 0.01, 0.02 ... Gy
        """
        whole = float(self.counts.sum())
        if whole <= 0:
            return "the structure has no volume"
        if self.outside > MOST_OUTSIDE * whole:
            share = f"{100 * self.outside / whole:.3g} %"
            return f"{share} of the structure lie outside the dose grid"
        above = np.zeros(len(self.counts) + 1)
        above[:-1] = np.cumsum(self.counts[::-1])[::-1] / whole
        above[0] = 1.0
        edges: FloatArray = BIN_GY * np.arange(len(above), dtype=float)
        return Curve(name, edges, above, whole / 1000.0)


def within_cells(count: int) -> FloatArray:
    """(n, 3) places within cells: {(i + 1/2) g^-k} - 1/2, k = 1, 2, 3, with g^4 = g + 1.

    At their centers all samples of a layer have one dose where it changes along an axis only, and
    D_x would jump by what it changes over a step. An additive recurrence fills cells evenly
    (Roberts' R3 sequence, recalled), the same in every run.
    """
    return np.asarray(np.mod(np.outer(np.arange(count) + 0.5, PLACES), 1.0) - 0.5)


def _halved(gy: FloatArray, axis: int) -> FloatArray:
    """Values between, d_{1/2}, among those that there are; linear at both ends."""
    values = np.moveaxis(gy, axis, 0)
    between = (values[1:] + values[:-1]) / 2
    four = [values[i : len(values) - 3 + i] for i in range(4)]
    middle = (9 * (four[1] + four[2]) - four[0] - four[3]) / 16
    between[1:-1] = np.clip(middle, np.minimum.reduce(four), np.maximum.reduce(four))
    finer = np.empty((2 * len(values) - 1, *values.shape[1:]), dtype=gy.dtype)
    finer[::2], finer[1::2] = values, between
    return np.moveaxis(finer, 0, axis)
