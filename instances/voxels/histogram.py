"""Histograms of voxel structures: samples at most 0.5 mm apart within each voxel.

A voxel belongs to a structure as a whole; within it the dose is interpolated between the centers of
voxels, so that D0.035cm3 does not jump by what one voxel holds.
"""

from __future__ import annotations

import numpy as np

from abscopt.instances.dvh.grid import Grid, Samples, within_cells
from abscopt.instances.dvh.measures import Curve
from abscopt.models.arrays import BoolArray, FloatArray

SAMPLE_MM = 0.5
MOST_SAMPLES = 4_000_000
"""Of one structure: those of a lung at 1 mm; larger ones need no finer samples, since they have
more of them."""
AT_ONCE = 500_000
"""Samples in memory at a time, 24 bytes each and some tables."""


def curve(
    name: str, mask: BoolArray, gy: FloatArray, spacing: tuple[float, float, float]
) -> Curve | str:
    """V(D) of a structure; a sentence where it cannot be known.

    Parameters
    ----------
    mask, gy : (z, y, x) voxels of the structure, dose in Gy
    spacing : (z, y, x) in mm
    """
    frames = spacing[0] * np.arange(len(gy), dtype=float)
    grid = Grid(gy, np.zeros(3), np.eye(3), frames, (spacing[1], spacing[2])).refined()
    voxels = np.argwhere(mask)
    parts = [max(1, int(np.ceil(size / SAMPLE_MM))) for size in spacing]
    while len(voxels) * np.prod(parts) > MOST_SAMPLES and max(parts) > 1:
        parts[int(np.argmax(parts))] -= 1
    pieces = np.indices(parts).reshape(3, -1).T  # of a voxel, from its corner
    size = np.array(spacing) / parts
    samples = Samples()
    step = max(1, AT_ONCE // len(pieces))
    for begin in range(0, len(voxels), step):
        corners = (voxels[begin : begin + step] - 0.5) * spacing
        cells = corners[:, None, :] + (pieces[None, :, :] + 0.5) * size
        points = cells.reshape(-1, 3) + within_cells(cells.shape[0] * len(pieces)) * size
        dose, _ = grid.at(points)  # in the outer half of the outermost voxels that of their centers
        samples.add(dose, np.ones(len(dose), dtype=bool), float(np.prod(size)))
    return samples.curve(name)
