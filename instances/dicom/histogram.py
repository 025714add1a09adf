"""Histograms of structures in a dose: samples at most 0.5 mm apart, counted in bins of 0.01 Gy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from abscopt.instances.dicom.doses import Dose
from abscopt.instances.dicom.shape import grid_of, layers
from abscopt.instances.dicom.structures import Structure
from abscopt.instances.dvh.grid import Samples, within_cells
from abscopt.instances.dvh.measures import Curve


def curve(structure: Structure, doses: Sequence[Dose]) -> Curve | str:
    """V(D) of a structure in the sum of some doses; a sentence where it cannot be known."""
    if structure.unusable is not None:
        return structure.unusable
    if any(dose.frame_of_reference != structure.frame_of_reference for dose in doses):
        return "it is drawn in another frame of reference than the dose"
    samples = Samples()
    grid = grid_of(structure)
    for layer in layers(structure, grid):
        flat = grid.points(layer.inside)
        if not len(flat):
            continue
        size = [grid.step, grid.step, layer.thickness]
        cells = np.column_stack([flat, np.full(len(flat), layer.position)])
        points = (cells + within_cells(len(flat)) * size) @ structure.axes
        total = np.zeros(len(points))
        within = np.ones(len(points), dtype=bool)
        for dose in doses:
            gy, inside = dose.at(points)
            total += np.where(inside, gy, 0.0)
            within &= inside
        samples.add(total, within, layer.thickness * grid.step**2)
    return samples.curve(structure.name)
