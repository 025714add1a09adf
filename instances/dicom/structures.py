"""Structures: closed contours of an RT Structure Set, gathered into parallel planes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from abscopt.instances.dicom.files import RtFile
from abscopt.models.arrays import FloatArray

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
FLAT_MM = 0.3
"""Most that a point may lie off its contour's plane, and contours of one plane apart: contours are
written with 0.01 mm or better, rotated ones lose a little (assumed)."""


@dataclass(frozen=True)
class Plane:
    """Contours at one position along the normal: (n, 2) corners each, mm."""

    position: float
    contours: tuple[FloatArray, ...]


@dataclass(frozen=True)
class Structure:
    """Contours of one structure.

    Attributes
    ----------
    name : in the file
    axes : (3, 3) unit vectors u, v and the normal, in rows
    planes : in the order of their position
    frame_of_reference : UID of the frame that the points are in
    unusable : why it has no volume; None if it has
    """

    name: str
    axes: FloatArray
    planes: tuple[Plane, ...]
    frame_of_reference: str
    unusable: str | None = None


def structures_of(file: RtFile) -> dict[str, Structure]:
    """Structures of a set by name; raises InputError where two have one name."""
    data = file.data
    frames = _items(file, "ReferencedFrameOfReferenceSequence", optional=True)
    common = [str(frame.get("FrameOfReferenceUID", "")) for frame in frames]
    contours = {
        int(str(file.needed(entry, "ReferencedROINumber"))): entry
        for entry in _items(file, "ROIContourSequence")
    }
    structures: dict[str, Structure] = {}
    for entry in _items(file, "StructureSetROISequence"):
        name = str(entry.get("ROIName", "")).strip() or "unnamed"
        number = int(str(file.needed(entry, "ROINumber")))
        frame = str(entry.get("ReferencedFrameOfReferenceUID") or (common or [""])[0])
        if name in structures:
            rule = "two structures of one name: give them different names"
            raise file.wrong("StructureSetROISequence", name, rule)
        structures[name] = _structure(file, name, frame, contours.get(number))
    if not structures:
        raise file.wrong("StructureSetROISequence", "empty", "must hold structures")
    assert data is file.data
    return structures


def _items(file: RtFile, keyword: str, optional: bool = False) -> list:  # type: ignore[type-arg]
    """Items of a sequence."""
    if optional and file.data.get(keyword) is None:
        return []
    return list(file.needed(file.data, keyword))  # type: ignore[call-overload, no-any-return]


def _structure(file: RtFile, name: str, frame: str, entry: object) -> Structure:
    loops = list(_loops(file, name, entry))
    if not loops:
        return Structure(name, np.eye(3), (), frame, "the structure has no closed contour")
    normals = [_normal(loop) for loop in loops]
    sizes = [float(np.linalg.norm(normal)) for normal in normals]
    if max(sizes) <= 0:
        return Structure(name, np.eye(3), (), frame, "the structure has no volume")
    axes = _axes(normals[int(np.argmax(sizes))])
    planes: list[tuple[float, list[FloatArray]]] = []
    for loop in sorted(loops, key=lambda loop: float(np.mean(loop @ axes[2]))):
        heights = loop @ axes[2]
        position = float(np.mean(heights))
        if float(np.ptp(heights)) > 2 * FLAT_MM:
            why = "its contours do not lie in parallel planes"
            return Structure(name, axes, (), frame, why)
        if not planes or position - planes[-1][0] > FLAT_MM:
            planes.append((position, []))
        corners = loop @ axes[:2].T
        if not any(_equal(corners, other) for other in planes[-1][1]):  # twice would be a hole
            planes[-1][1].append(corners)
    if len(planes) < 2:
        why = "it has contours in one plane only: its thickness is not known"
        return Structure(name, axes, (), frame, why)
    return Structure(name, axes, tuple(Plane(p, tuple(c)) for p, c in planes), frame)


def _loops(file: RtFile, name: str, entry: object) -> Iterator[FloatArray]:
    """(n, 3) corners of each closed contour."""
    sequence = getattr(entry, "ContourSequence", None) or ()
    for contour in sequence:
        if str(contour.get("ContourGeometricType", "")) not in CLOSED:
            continue
        place = f"ContourData of {name}"
        try:
            numbers = np.array(file.needed(contour, "ContourData"), dtype=float).ravel()
        except (TypeError, ValueError):
            raise file.wrong(place, "no numbers", "must be three numbers a point") from None
        if len(numbers) % 3 or not np.all(np.isfinite(numbers)):
            rule = "must be three finite numbers a point"
            raise file.wrong(place, f"{len(numbers)} numbers", rule)
        if len(numbers) >= 9:
            yield numbers.reshape(-1, 3)


def _normal(loop: FloatArray) -> FloatArray:
    """Area times normal of a flat polygon: sum_i p_i x p_{i+1} / 2."""
    centered = loop - loop.mean(axis=0)
    return np.asarray(np.cross(centered, np.roll(centered, -1, axis=0)).sum(axis=0) / 2)


def _axes(normal: FloatArray) -> FloatArray:
    """Unit vectors u, v and the normal: x, y and z where contours are axial."""
    third = normal / np.linalg.norm(normal)
    third = third * np.sign(third[np.argmax(np.abs(third))])
    first = np.eye(3)[np.argmin(np.abs(third))]
    first = first - (first @ third) * third
    first = first / np.linalg.norm(first)
    return np.array([first, np.cross(third, first), third])


def _equal(one: FloatArray, other: FloatArray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, atol=1e-3))
