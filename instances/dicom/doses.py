"""A dose on its grid: DICOM RT Dose in Gy, interpolated at points of the patient's frame.

Voxel (k, i, j) of frame, row and column has its center at

    p = position + j dx X + i dy Y + offset_k (X x Y)

with X and Y the directions of `ImageOrientationPatient` (PS3.3, C.7.6.2.1.1 and C.8.8.3.2).

Trilinear interpolation cuts curves short: by h^2 / 12 times the sum of the second derivatives in
the mean, 0.1 Gy and more in a sphere of 2 cm on a grid of 2.5 mm (derived). So a grid is first
refined by halves, with what lies between four equally distant values, exact for cubics,

    d_{1/2} = (9 (d_0 + d_1) - d_{-1} - d_2) / 16

within the least and the greatest of the four, so that edges do not ring (Deslauriers and Dubuc,
Constr Approx 5 (1989) 49, recalled; the limit is ours).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from abscopt.instances.dicom.files import RtFile
from abscopt.models.arrays import BoolArray, FloatArray

UNCOMPRESSED = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.1.99": "<",
    "1.2.840.10008.1.2.2": ">",
}
"""Transfer syntaxes whose voxels are plain integers, and their byte order (PS3.5, A)."""
FINE_MM = 1.3
"""Grids are halved until they are at most this wide (tests: 0.01 Gy in means)."""
EVEN = 1e-3
"""Frames lie equally far apart within this share of their distance."""
STRAIGHT = 1e-4
"""Direction cosines are unit vectors at right angles to within this: they are written with six
digits or more."""


@dataclass(frozen=True)
class Dose:
    """One RT Dose.

    Attributes
    ----------
    file : it comes from
    gy : (frames, rows, columns)
    position : (3,) center of the first voxel, mm
    axes : (3, 3) unit vectors along frames, rows and columns, in rows
    offsets : (frames,) of the frames along the first axis, mm, rising
    spacing : (rows, columns) between voxels, mm
    frame_of_reference : its UID
    """

    file: RtFile
    gy: FloatArray
    position: FloatArray
    axes: FloatArray
    offsets: FloatArray
    spacing: tuple[float, float]
    frame_of_reference: str

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
    return _refined(Dose(file, gy, position, axes, offsets, (float(y), float(x)), frame))


def _refined(dose: Dose) -> Dose:
    """The same on a grid of at most `FINE_MM`; unevenly spaced frames stay as they are."""
    gy, offsets, (y, x) = dose.gy, dose.offsets, dose.spacing
    gaps = np.diff(offsets)
    while np.ptp(gaps) <= EVEN * gaps[0] and gaps[0] > FINE_MM and len(gaps) > 2:
        gy = _halved(gy, 0)
        offsets = np.interp(np.arange(len(gy)) / 2, np.arange(len(offsets)), offsets)
        gaps = np.diff(offsets)
    while y > FINE_MM and gy.shape[1] > 3:
        gy, y = _halved(gy, 1), y / 2
    while x > FINE_MM and gy.shape[2] > 3:
        gy, x = _halved(gy, 2), x / 2
    return replace(dose, gy=gy, offsets=offsets, spacing=(y, x))


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
