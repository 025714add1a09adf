"""Histograms of structures in a dose: samples at most 0.5 mm apart, counted in bins of 0.01 Gy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from abscopt.instances.dicom.doses import Dose
from abscopt.instances.dicom.shape import grid_of, layers
from abscopt.instances.dicom.structures import Structure
from abscopt.instances.dvh.measures import Curve
from abscopt.models.arrays import FloatArray

BIN_GY = 0.01
PLACES = 1.22074408460575947536 ** -np.arange(1.0, 4.0)
"""Powers of the root of x^4 = x + 1 (derived)."""
MOST_OUTSIDE = 0.01
"""Share of a structure that may lie outside the dose grid, as for exports; its dose counts as 0."""


def curve(structure: Structure, doses: Sequence[Dose]) -> Curve | str:
    """V(D) of a structure in the sum of some doses; a sentence where it cannot be known.

    V(D) = sum of the volumes of samples with at least D / sum of all, at D = 0, 0.01, 0.02 ... Gy.
    """
    if structure.unusable is not None:
        return structure.unusable
    if any(dose.frame_of_reference != structure.frame_of_reference for dose in doses):
        return "it is drawn in another frame of reference than the dose"
    counts: FloatArray = np.zeros(1)
    outside = 0.0
    grid = grid_of(structure)
    for layer in layers(structure, grid):
        flat = grid.points(layer.inside)
        if not len(flat):
            continue
        size = [grid.step, grid.step, layer.thickness]
        cells = np.column_stack([flat, np.full(len(flat), layer.position)])
        points = (cells + _within_cells(len(flat)) * size) @ structure.axes
        total = np.zeros(len(points))
        within = np.ones(len(points), dtype=bool)
        for dose in doses:
            gy, inside = dose.at(points)
            total += np.where(inside, gy, 0.0)
            within &= inside
        volume = layer.thickness * grid.step**2
        outside += volume * float(np.sum(~within))
        bins = (total / BIN_GY).astype(np.int64)
        counts = _added(counts, volume * np.bincount(bins).astype(np.float64))
    whole = float(counts.sum())
    if whole <= 0:
        return "the structure has no volume"
    if outside > MOST_OUTSIDE * whole:
        share = f"{100 * outside / whole:.3g} %"
        return f"{share} of the structure lie outside the dose grid"
    above = np.zeros(len(counts) + 1)
    above[:-1] = np.cumsum(counts[::-1])[::-1] / whole
    above[0] = 1.0
    edges: FloatArray = BIN_GY * np.arange(len(above), dtype=float)
    return Curve(structure.name, edges, above, whole / 1000.0)


def _within_cells(count: int) -> FloatArray:
    """(n, 3) places within cells: {(i + 1/2) g^-k} - 1/2, k = 1, 2, 3, with g^4 = g + 1.

    At their centers all samples of a layer have one dose where it changes along an axis only, and
    D_x would jump by what it changes over a step. An additive recurrence fills cells evenly
    (Roberts' R3 sequence, recalled), the same in every run.
    """
    return np.asarray(np.mod(np.outer(np.arange(count) + 0.5, PLACES), 1.0) - 0.5)


def _added(one: FloatArray, other: FloatArray) -> FloatArray:
    """Sum of two histograms of different length."""
    longer = np.zeros(max(len(one), len(other)))
    longer[: len(one)] += one
    longer[: len(other)] += other
    return longer
