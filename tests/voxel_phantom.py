"""Phantoms as matRad's variables and as plain arrays, in doses with closed forms.

Cubes have another length along each axis, so that no two orders of the axes give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from abscopt.models.arrays import BoolArray, FloatArray

SIZE_ZYX = (12, 20, 16)
SPACING_XYZ = (2.0, 3.0, 2.5)

Field = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Dose of a fraction in Gy at x, y, z in mm from the center of the first voxel."""


def centers() -> tuple[FloatArray, FloatArray, FloatArray]:
    """x, y, z of every voxel, each (z, y, x)."""
    z, y, x = np.indices(SIZE_ZYX).astype(float)
    return x * SPACING_XYZ[0], y * SPACING_XYZ[1], z * SPACING_XYZ[2]


def box(x: slice, y: slice, z: slice) -> BoolArray:
    """Voxels of a box, by their numbers from 0."""
    mask = np.zeros(SIZE_ZYX, dtype=bool)
    mask[z, y, x] = True
    return mask


def indices(mask: BoolArray) -> FloatArray:
    """Linear indices as MATLAB has them: from 1, down the rows (y), then along x, then z."""
    listed = [
        1 + y + SIZE_ZYX[1] * (x + SIZE_ZYX[2] * z)
        for z in range(SIZE_ZYX[0])
        for x in range(SIZE_ZYX[2])
        for y in range(SIZE_ZYX[1])
        if mask[z, y, x]
    ]
    return np.array(listed, dtype=float).reshape(-1, 1)


def cell(value: Any) -> Any:
    """A MATLAB cell with one thing in it."""
    made = np.empty((1, 1), dtype=object)
    made[0, 0] = value
    return made


def anatomy(masks: Mapping[str, BoolArray]) -> dict[str, Any]:
    """`ct` and `cst`."""
    cst = np.empty((len(masks), 6), dtype=object)
    for number, (name, mask) in enumerate(masks.items()):
        kind = "TARGET" if name.startswith("PTV") else "OAR"
        cst[number] = [float(number), name, kind, cell(indices(mask)), {"Priority": 1.0}, cell([])]
    z, y, x = SIZE_ZYX
    resolution = dict(zip("xyz", SPACING_XYZ, strict=True))
    return {"ct": {"cubeDim": [float(y), float(x), float(z)], "resolution": resolution}, "cst": cst}


def dose(field: Field, fractions: int | None = 5, name: str = "physicalDose") -> dict[str, Any]:
    """`resultGUI` and `pln`."""
    made: dict[str, Any] = {"resultGUI": {name: np.transpose(field(*centers()), (1, 2, 0))}}
    if fractions is not None:
        made["pln"] = {"numOfFractions": float(fractions), "radiationMode": "photons"}
    return made


def mat(path: Path, *parts: Mapping[str, Any]) -> Path:
    savemat(path, {key: value for part in parts for key, value in part.items()}, oned_as="row")
    return path


def npz(path: Path, field: Field, masks: Mapping[str, BoolArray], **more: Any) -> Path:
    arrays = {f"structure {name}": mask for name, mask in masks.items()}
    np.savez(path, dose_per_fraction_gy=field(*centers()), spacing_mm=SPACING_XYZ, **arrays, **more)
    return path
