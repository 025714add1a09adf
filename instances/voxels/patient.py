"""Structures as voxels and the dose of a fraction on the same voxels, checked.

A cube has the shape (y, x, z) in MATLAB, whose linear indices run down the first axis and begin at
1; here it is (z, y, x) as in NumPy, and structures are masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abscopt.instances.reading.problems import refused
from abscopt.models.arrays import BoolArray, FloatArray

MOST_FRACTIONS = 100


@dataclass(frozen=True)
class Patient:
    """Voxels of one patient.

    Attributes
    ----------
    shape : (z, y, x) of the cube
    spacing : (z, y, x) between voxels, mm
    masks : of structures, each of that shape
    unusable : structures without voxels to use, and why
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    masks: dict[str, BoolArray]
    unusable: dict[str, str]


@dataclass(frozen=True)
class Fraction:
    """Dose of one fraction, (z, y, x) in Gy, and how many there are if the file says so."""

    gy: FloatArray
    fractions: int | None


def cube(value: object, file: str, place: str) -> FloatArray:
    """Three axes of finite numbers that are not negative; raises InputError."""
    array = np.asarray(value)
    if array.ndim != 3 or min(array.shape) < 2:
        shape = " x ".join(map(str, array.shape)) or "one value"
        raise refused(file, place, shape, "must be a cube of two voxels or more along each axis")
    if array.dtype.kind not in "fiu":
        raise refused(file, place, str(array.dtype), "must be numbers")
    wrong = array[~np.isfinite(array) | (array < 0)]
    if wrong.size:
        rule = f"doses must be finite and not negative ({wrong.size} voxels)"
        raise refused(file, place, f"{wrong[0]:g}", rule)
    return array.astype(np.float64)


def spacing(values: object, file: str, place: str) -> tuple[float, float, float]:
    """Three positive lengths in mm, in the order that they have; raises InputError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.size != 3:
        raise refused(file, place, str(values), "must be three numbers, in mm")
    x, y, z = (float(value) for value in array.ravel())
    if not all(np.isfinite([x, y, z])) or min(x, y, z) <= 0:
        raise refused(file, place, f"{x:g}, {y:g}, {z:g}", "must be positive, in mm")
    return x, y, z


def fraction_count(value: object, file: str, place: str) -> int:
    """A whole number of fractions; raises InputError."""
    array = np.asarray(value)
    if array.size == 1 and array.dtype.kind in "fiu":
        count = float(array.item())
        if count == int(count) and 1 <= count <= MOST_FRACTIONS:
            return int(count)
    stated = str(array.item() if array.size == 1 else array.tolist())
    raise refused(file, place, stated, f"must be a whole number from 1 to {MOST_FRACTIONS}")
