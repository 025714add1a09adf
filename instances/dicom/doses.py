"""A dose on its grid: DICOM RT Dose in Gy, interpolated at points of the patient's frame.

Voxel (k, i, j) of frame, row and column has its center at

    p = position + j dx X + i dy Y + offset_k (X x Y)

with X and Y the directions of `ImageOrientationPatient` (PS3.3, C.7.6.2.1.1 and C.8.8.3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abscopt.instances.dicom.files import RtFile
from abscopt.instances.dvh.grid import Grid
from abscopt.models.arrays import FloatArray

UNCOMPRESSED = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.1.99": "<",
    "1.2.840.10008.1.2.2": ">",
}
"""Transfer syntaxes whose voxels are plain integers, and their byte order (PS3.5, A)."""
STRAIGHT = 1e-4
"""Direction cosines are unit vectors at right angles to within this: they are written with six
digits or more."""


@dataclass(frozen=True)
class Dose(Grid):
    """One RT Dose.

    Attributes
    ----------
    file : it comes from
    frame_of_reference : its UID
    """

    file: RtFile
    frame_of_reference: str


def dose_of(file: RtFile) -> Dose:
    """The dose of an object; raises InputError where it is none in Gy on a grid."""
    data = file.data
    unit = str(file.needed(data, "DoseUnits"))
    if unit.upper() != "GY":
        rule = "doses must be in GY: relative doses say nothing without a normalization"
        raise file.wrong("DoseUnits", unit, rule)
    kind = str(data.get("DoseType", "PHYSICAL")).upper()
    if kind not in ("PHYSICAL", "EFFECTIVE"):
        raise file.wrong("DoseType", kind, "must be PHYSICAL or EFFECTIVE")
    axes = _axes(file)
    offsets, gy = _frames(file, axes)
    y, x = _numbers(file, "PixelSpacing", 2)
    if min(x, y) <= 0:
        raise file.wrong("PixelSpacing", [y, x], "must be positive")
    order = np.argsort(offsets)
    offsets, gy = offsets[order], gy[order]
    if np.any(np.diff(offsets) <= 0):
        raise file.wrong("GridFrameOffsetVector", "a frame twice", "frames must lie apart")
    position = _numbers(file, "ImagePositionPatient", 3)
    frame = str(file.needed(data, "FrameOfReferenceUID"))
    return Dose(gy, position, axes, offsets, (float(y), float(x)), file, frame).refined()


def _numbers(file: RtFile, keyword: str, count: int) -> FloatArray:
    """Finite numbers of one element."""
    try:
        numbers = np.array(file.needed(file.data, keyword), dtype=float).ravel()
    except (TypeError, ValueError):
        raise file.wrong(keyword, "no numbers", f"must be {count} numbers") from None
    if len(numbers) != count or not np.all(np.isfinite(numbers)):
        raise file.wrong(keyword, numbers.tolist(), f"must be {count} finite numbers")
    return numbers


def _axes(file: RtFile) -> FloatArray:
    """Unit vectors X x Y, Y, X: along frames, rows and columns."""
    cosines = _numbers(file, "ImageOrientationPatient", 6)
    along_row, along_column = cosines[:3], cosines[3:]
    products = [
        along_row @ along_row - 1,
        along_column @ along_column - 1,
        along_row @ along_column,
    ]
    if np.max(np.abs(products)) > STRAIGHT:
        rule = "must be two unit vectors at right angles"
        raise file.wrong("ImageOrientationPatient", cosines.tolist(), rule)
    return np.array([np.cross(along_row, along_column), along_column, along_row])


def _frames(file: RtFile, axes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(offsets, gy) in the order of the file."""
    data = file.data
    count = int(data.get("NumberOfFrames") or 1)
    shape = (count, *(int(str(file.needed(data, key))) for key in ("Rows", "Columns")))
    bits = int(str(file.needed(data, "BitsAllocated")))
    syntax = str(file.needed(data.file_meta, "TransferSyntaxUID"))
    if syntax not in UNCOMPRESSED or bits not in (8, 16, 32):
        rule = "voxels must be plain integers of 8, 16 or 32 bits: export without compression"
        raise file.wrong("PixelData", f"{bits} bits, syntax {syntax}", rule)
    voxels = file.needed(data, "PixelData")
    assert isinstance(voxels, bytes)
    size = int(np.prod(shape)) * bits // 8
    if not size <= len(voxels) <= size + 1:
        rule = f"must have {size} bytes for {shape[0]} frames of {shape[1]} x {shape[2]}"
        raise file.wrong("PixelData", f"{len(voxels)} bytes", rule)
    signed = "i" if int(data.get("PixelRepresentation", 0)) else "u"
    kind = np.dtype(f"{UNCOMPRESSED[syntax]}{signed}{bits // 8}")
    scaling = float(_numbers(file, "DoseGridScaling", 1)[0])
    gy: FloatArray = np.frombuffer(voxels[:size], kind).reshape(shape) * scaling
    if scaling <= 0 or gy.min() < 0:
        raise file.wrong("DoseGridScaling", scaling, "doses must not be negative, nor all 0")
    if count == 1:
        raise file.wrong("NumberOfFrames", 1, "must be a dose in space, of several frames")
    offsets = _numbers(file, "GridFrameOffsetVector", count)
    if offsets[0] != 0:  # coordinates along z instead of distances (C.8.8.3.2)
        if abs(abs(axes[0, 2]) - 1) > STRAIGHT:
            rule = "must begin with 0 where frames do not lie along z"
            raise file.wrong("GridFrameOffsetVector", offsets[0], rule)
        offsets = (offsets - offsets[0]) * np.sign(axes[0, 2])
    return offsets, gy
