"""matRad's variables in MATLAB files: `ct`, `cst`, `pln` and `resultGUI`.

`resultGUI.physicalDose` is the dose of one fraction on the voxels of the CT, `ct.resolution` their
size, and each row of the cell array `cst` a structure, with its name in column 2 and the linear
indices of its voxels in column 4, in a cell for each CT scenario (github e0404/matRad,
matRad_calcDVH.m and matRad_convertToEvaluationMode.m read on 2026-11-30: verified).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from abscopt.instances.reading.problems import refused
from abscopt.instances.voxels.patient import Fraction, Patient, cube, fraction_count, spacing
from abscopt.models.arrays import BoolArray

VARIABLES = ("ct", "cst", "pln", "resultGUI")
NEWEST = b"MATLAB 7.3 MAT-file"
NAME, VOXELS = 1, 3
"""Columns of `cst`, from 0."""


@dataclass(frozen=True)
class Variables:
    """What a file holds of `VARIABLES`."""

    file: str
    values: dict[str, Any]

    def part(self, variable: str, field: str) -> Any:
        """One field of a structure; raises InputError where it is missing."""
        value = _alone(self.values[variable])
        known = getattr(value, "_fieldnames", None)
        if known is None or field not in known:
            names = "no structure" if known is None else f"fields {', '.join(known)}"
            raise refused(self.file, f"{variable}.{field}", names, "is missing")
        return _alone(getattr(value, field))


def variables(file: str, head: bytes) -> Variables:
    """The variables of a file that begins with `head`; raises InputError."""
    if head.startswith(NEWEST):
        rule = "is HDF5, which is not read: in MATLAB, save('plan.mat', ..., '-v7')"
        raise refused(file, "file", "MATLAB 7.3", rule)
    from scipy.io import loadmat  # type: ignore[import-untyped]
    from scipy.io.matlab import MatReadError  # type: ignore[import-untyped]

    try:
        found = loadmat(file, struct_as_record=False, variable_names=list(VARIABLES))
    except (MatReadError, ValueError, TypeError, OSError, IndexError, NotImplementedError) as error:
        raise refused(file, "file", _first(error), "must be a MATLAB file (-v7)") from None
    except Exception as error:  # of zlib and of what else a broken file can make of a reader
        raise refused(file, "file", _first(error), "is broken or cut off") from None
    return Variables(file, {key: found[key] for key in VARIABLES if key in found})


def patient(given: Variables) -> Patient:
    """Voxels of structures by `ct` and `cst`; raises InputError."""
    resolution = given.part("ct", "resolution")
    parts = Variables(given.file, {"ct.resolution": resolution})
    sizes = [parts.part("ct.resolution", axis) for axis in "xyz"]
    x, y, z = spacing([np.asarray(size).item() for size in sizes], given.file, "ct.resolution")
    shape = _shape(given)
    masks: dict[str, BoolArray] = {}
    unusable: dict[str, str] = {}
    rows = np.asarray(given.values["cst"])
    if rows.dtype != object or rows.ndim != 2 or rows.shape[1] <= VOXELS:
        raise refused(given.file, "cst", " x ".join(map(str, rows.shape)), "must be a cell array")
    for number, row in enumerate(rows, start=1):
        place = f"cst{{{number},{VOXELS + 1}}}"
        name = str(_alone(row[NAME]))
        if name in masks or name in unusable:
            raise refused(given.file, f"cst{{{number},{NAME + 1}}}", name, "a structure twice")
        mask = _mask(row[VOXELS], shape, given.file, place)
        if isinstance(mask, str):
            unusable[name] = mask
        else:
            masks[name] = mask
    return Patient((shape[2], shape[0], shape[1]), (z, y, x), masks, unusable)


def fraction(given: Variables, quantity: str) -> Fraction:
    """The dose of a fraction, (z, y, x), by `resultGUI` and `pln`; raises InputError."""
    place = f"resultGUI.{quantity}"
    dose = cube(given.part("resultGUI", quantity), given.file, place)
    count = None
    if "pln" in given.values:
        stated = given.part("pln", "numOfFractions")
        count = fraction_count(stated, given.file, "pln.numOfFractions")
    return Fraction(np.transpose(dose, (2, 0, 1)), count)


def _shape(given: Variables) -> tuple[int, int, int]:
    """(y, x, z) of the CT."""
    shape = np.asarray(given.part("ct", "cubeDim")).ravel()
    if shape.size != 3 or shape.dtype.kind not in "fiu" or shape.min() < 1:
        raise refused(given.file, "ct.cubeDim", shape.tolist(), "must be three whole numbers")
    return int(shape[0]), int(shape[1]), int(shape[2])


def _mask(cell: Any, shape: tuple[int, int, int], file: str, place: str) -> BoolArray | str:
    """Voxels of one structure, (z, y, x); a sentence where there are none to use.

    Index n, from 1, is voxel (y, x, z) with n - 1 = y + Y (x + X z).
    """
    value = _alone(cell)
    if np.asarray(value).dtype == object:
        return "it has several scenarios, or none: save one of them" if np.size(value) else EMPTY
    indices = np.asarray(value).ravel()
    if not indices.size:
        return EMPTY
    whole = indices.astype(np.int64) if indices.dtype.kind in "fiu" else None
    if whole is None or np.any(whole != indices):
        raise refused(file, place, str(indices[0]), "must be linear indices, whole numbers")
    if whole.min() < 1 or whole.max() > np.prod(shape):
        wrong = whole.min() if whole.min() < 1 else whole.max()
        rule = f"indices of voxels run from 1 to {np.prod(shape)}, those of ct.cubeDim"
        raise refused(file, place, str(wrong), rule)
    flat = np.zeros(int(np.prod(shape)), dtype=bool)
    flat[whole - 1] = True
    return np.transpose(flat.reshape(shape, order="F"), (2, 0, 1))


EMPTY = "it has no voxels"


def _alone(value: Any) -> Any:
    """What a cell or array of one element holds."""
    while isinstance(value, np.ndarray) and value.dtype.kind in "OU" and value.size == 1:
        value = value.item()
    return value


def _first(error: Exception) -> str:
    """First line of a message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:80]
