"""Phantoms as DICOM RT objects: shapes and doses with closed forms, in any frame.

Doses are functions of the phantom's own coordinates; everything is then turned by a rotation. What
identifies a person is planted in every object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from abscopt.models.arrays import FloatArray

SECRETS = ("DOE^JANE", "MRN-4711-X", "19610203", "DrHouse", "SecretPlan7", "Nowhere Clinic")
FRAME, OTHER_FRAME = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
STRAIGHT = np.eye(3)
ROOT = "1.2.840.10008.5.1.4.1.1.481."

Field = Callable[[FloatArray], FloatArray]
"""Dose in Gy at (n, 3) points of the phantom."""


def rotation(about: Sequence[float], degrees: float) -> FloatArray:
    """Rotation about an axis, by Rodrigues."""
    x, y, z = np.array(about, dtype=float) / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def circle(radius: float, corners: int = 180) -> FloatArray:
    angle = 2 * np.pi * np.arange(corners) / corners
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def sphere(radius: float, spacing: float) -> list[tuple[float, list[FloatArray]]]:
    """Planes (z, contours) of a sphere about 0."""
    count = int(np.ceil(radius / spacing)) - 1
    heights = spacing * np.arange(-count, count + 1)
    return [(float(z), [circle(float(np.sqrt(radius**2 - z**2)))]) for z in heights]


def tube(
    radius: float, hole: float, length: float, spacing: float
) -> list[tuple[float, list[FloatArray]]]:
    """Planes of a cylinder along z with a hole along its axis (none if 0): half a slice from both
    ends."""
    heights = -length / 2 + spacing * (np.arange(round(length / spacing)) + 0.5)
    contours = [circle(radius), *([circle(hole)[::-1]] if hole else [])]
    return [(float(z), contours) for z in heights]


def _new(kind: int, uid: str) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = f"{ROOT}{kind}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid
    data.PatientName, data.PatientID, data.PatientBirthDate = SECRETS[:3]
    data.ReferringPhysicianName = data.OperatorsName = SECRETS[3]
    data.InstitutionName = data.StationName = SECRETS[5]
    data.SeriesDescription = SECRETS[4]
    data.StudyDate = data.ContentDate = SECRETS[2]
    return data


def items(*entries: dict[str, Any]) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items

    made = []
    for entry in entries:
        data = Dataset()
        for key, value in entry.items():
            setattr(data, key, value)
        made.append(data)
    return Items(made)


def dose(
    field: Field,
    step: float = 2.5,
    extent: float = 40.0,
    turn: FloatArray = STRAIGHT,
    grid_turn: FloatArray = STRAIGHT,
    **more: Any,
) -> Any:
    """RT Dose on a cube of +-extent about 0, whose axes `grid_turn` turns in the phantom, and the
    phantom in the patient's frame by `turn`."""
    half = round(extent / step)
    line = step * np.arange(-half, half + 1)
    k, i, j = np.meshgrid(line, line, line, indexing="ij")
    points = np.column_stack([j.ravel(), i.ravel(), k.ravel()]) @ grid_turn.T
    gy = field(points).reshape(k.shape)
    data = _new(2, more.pop("uid", "1.2.3.1"))
    data.Modality, data.DoseUnits, data.DoseType = "RTDOSE", "GY", "PHYSICAL"
    data.DoseSummationType, data.FrameOfReferenceUID = "PLAN", FRAME
    axes = turn @ grid_turn
    data.ImageOrientationPatient = [float(f"{x:.9f}") for x in (*axes[:, 0], *axes[:, 1])]
    data.ImagePositionPatient = [float(f"{x:.6f}") for x in axes @ np.full(3, -half * step)]
    data.PixelSpacing = [step, step]
    data.NumberOfFrames, data.Rows, data.Columns = gy.shape
    data.GridFrameOffsetVector = [float(x) for x in step * np.arange(len(line))]
    data.BitsAllocated = data.BitsStored = 32
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 31, 0, 1
    data.DoseGridScaling = 1e-6
    data.PixelData = np.round(gy * 1e6).astype("<u4").tobytes()
    data.ReferencedRTPlanSequence = items(
        {"ReferencedSOPClassUID": f"{ROOT}5", "ReferencedSOPInstanceUID": "1.2.3.5"}
    )
    for key, value in more.items():
        setattr(data, key, value)
    return data


def structures(
    shapes: dict[str, list[tuple[float, list[FloatArray]]]], turn: FloatArray = STRAIGHT,
    **more: Any,
) -> Any:  # fmt: skip
    """RT Structure Set of shapes: planes (z, contours) each."""
    data = _new(3, more.pop("uid", "1.2.3.3"))
    data.Modality, data.StructureSetLabel = "RTSTRUCT", SECRETS[4]
    data.ReferencedFrameOfReferenceSequence = items({"FrameOfReferenceUID": FRAME})
    names = list(enumerate(shapes, 1))
    data.StructureSetROISequence = items(
        *({"ROINumber": i, "ROIName": name, "ReferencedFrameOfReferenceUID": FRAME}
          for i, name in names)
    )  # fmt: skip
    contours = []
    for i, name in names:
        loops = []
        for z, polygons in shapes[name]:
            for polygon in polygons:
                flat = np.column_stack([polygon, np.full(len(polygon), z)]) @ turn.T
                loops.append(
                    {
                        "ContourGeometricType": "CLOSED_PLANAR",
                        "NumberOfContourPoints": len(flat),
                        "ContourData": [f"{x:.3f}" for x in flat.ravel()],
                    }
                )
        contours.append({"ReferencedROINumber": i, "ContourSequence": items(*loops)})
    data.ROIContourSequence = items(*contours)
    for key, value in more.items():
        setattr(data, key, value)
    return data


def plan(total_gy: float | None = 50.0, fractions: int = 5, **more: Any) -> Any:
    """RT Plan of one prescription."""
    data = _new(5, more.pop("uid", "1.2.3.5"))
    data.Modality, data.RTPlanLabel, data.RTPlanName = "RTPLAN", SECRETS[4], SECRETS[4]
    data.FrameOfReferenceUID = FRAME
    if total_gy is not None:
        data.DoseReferenceSequence = items(
            {"DoseReferenceNumber": 1, "DoseReferenceStructureType": "SITE",
             "DoseReferenceType": "TARGET", "TargetPrescriptionDose": total_gy}
        )  # fmt: skip
    data.FractionGroupSequence = items(
        {
            "FractionGroupNumber": 1,
            "NumberOfFractionsPlanned": fractions,
            "ReferencedBeamSequence": items(
                {"ReferencedBeamNumber": 1, "BeamMeterset": 100.0},
                {"ReferencedBeamNumber": 2, "BeamMeterset": 100.0},
            ),
        }
    )
    data.ReferencedStructureSetSequence = items({"ReferencedSOPInstanceUID": "1.2.3.3"})
    for key, value in more.items():
        setattr(data, key, value)
    return data


def write(data: Any, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path
