"""Histograms of DICOM RT objects against closed forms, and objects that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

pytest.importorskip("pydicom")

from dicom_phantom import (
    FRAME,
    OTHER_FRAME,
    STRAIGHT,
    circle,
    dose,
    items,
    rotation,
    sphere,
    structures,
    tube,
    write,
)

from abscopt.instances.dicom.doses import dose_of
from abscopt.instances.dicom.files import read_all
from abscopt.instances.dicom.histogram import curve
from abscopt.instances.dicom.structures import structures_of
from abscopt.instances.dvh.measures import Curve, hottest_cm3, mean
from abscopt.instances.reading.problems import InputError

TURNED = rotation((1, 2, 3), 35)
MEAN, POINT = 0.05, 0.15
"""Gy, of means and of D0.035cm3 and D2cm3."""


def drawn(tmp_path: Path, shape: Any, *doses: Any, turn: Any = STRAIGHT) -> Curve | str:
    """Histogram of a shape in the sum of some doses, through files."""
    paths = [str(write(structures({"s": shape}, turn), tmp_path / "s.dcm"))]
    paths += [str(write(d, tmp_path / f"d{i}.dcm")) for i, d in enumerate(doses)]
    contours, *others = read_all(paths)[0]
    return curve(structures_of(contours)["s"], [dose_of(other) for other in others])


def curve_of(*arguments: Any, **more: Any) -> Curve:
    made = drawn(*arguments, **more)
    assert isinstance(made, Curve), made
    return made


def top_of_sphere(radius: float, volume: float) -> float:
    """Height above the center of the cap of some volume: pi h^2 (R - h / 3) = v."""
    rest = brentq(lambda h: np.pi * h**2 * (radius - h / 3) - volume, 0, radius)
    return radius - float(rest)


@pytest.mark.parametrize("step", [1.0, 2.5])
@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize(
    ("turn", "grid_turn"),
    [(STRAIGHT, STRAIGHT), (TURNED, STRAIGHT), (STRAIGHT, rotation((3, 1, -2), 20))],
    ids=["straight", "turned", "grid turned"],
)
def test_a_sphere_in_a_gradient(
    tmp_path: Path, step: float, axis: int, turn: Any, grid_turn: Any
) -> None:
    # dose 30 + x Gy (mm): mean 30, D_v is 30 + height of the plane that cuts off a cap of v
    radius = 12.0
    field = dose(lambda p: 30 + p[:, axis], step, 25.0, turn, grid_turn)
    made = curve_of(tmp_path, sphere(radius, 2.0), field, turn=turn)
    assert made.volume_cm3 == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.01)
    assert mean(made) == pytest.approx(30, abs=MEAN)
    for volume in (0.035, 2.0):
        expected = 30 + top_of_sphere(radius, 1000 * volume)
        assert hottest_cm3(made, volume) == pytest.approx(expected, abs=POINT)


@pytest.mark.parametrize("step", [1.0, 2.5])
@pytest.mark.parametrize("spacing", [1.5, 3.0])
def test_a_sphere_in_a_peak_of_dose(tmp_path: Path, step: float, spacing: float) -> None:
    # dose 60 exp(-r^2 / 2 s^2): D_v is that at the radius of the ball of v
    radius, width = 18.0, 20.0

    def at(r: float) -> float:
        return 60.0 * float(np.exp(-(r**2) / 2 / width**2))

    field = dose(lambda p: 60 * np.exp(-(p**2).sum(axis=1) / 2 / width**2), step, 25.0)
    made = curve_of(tmp_path, sphere(radius, spacing), field)
    integral = quad(lambda r: at(r) * 3 * r**2 / radius**3, 0, radius)[0]
    assert mean(made) == pytest.approx(integral, abs=MEAN)
    for volume in (35.0, 2000.0):
        expected = at((3 * volume / 4 / np.pi) ** (1 / 3))
        assert hottest_cm3(made, volume / 1000) == pytest.approx(expected, abs=POINT)


@pytest.mark.parametrize("hole", [0.0, 5.0])
def test_a_cylinder_with_and_without_a_hole(tmp_path: Path, hole: float) -> None:
    # along the axis, 30 + z: D_v is the dose at v / area below the top, half a slice above contours
    radius, length = 10.0, 45.0
    field = dose(lambda p: 30 + p[:, 2], 2.5, 25.0, TURNED)
    made = curve_of(tmp_path, tube(radius, hole, length, 2.5), field, turn=TURNED)
    section = np.pi * (radius**2 - hole**2)
    assert made.volume_cm3 == pytest.approx(section * length / 1000, rel=5e-3)
    assert mean(made) == pytest.approx(30, abs=MEAN)
    for volume in (0.035, 2.0):
        expected = 30 + length / 2 - 1000 * volume / section
        assert hottest_cm3(made, volume) == pytest.approx(expected, abs=POINT)


def test_several_contours_in_a_slice_and_one_that_ends(tmp_path: Path) -> None:
    # two tubes, one of which ends halfway: their volumes add; the shorter has half the dose field
    long = tube(6.0, 0.0, 40.0, 2.5)
    both = [
        (z, [*c, np.add(circle(4.0), [14.0, 0.0])] if z > 0 else c) for z, c in long
    ]  # from half a slice below its first contour, at 0, to the top
    field = dose(lambda p: 10.0 + 10.0 * (p[:, 0] > 9.0), 2.5, 25.0)
    made = curve_of(tmp_path, both, field)
    volumes = np.pi * np.array([36 * 40, 16 * 20]) / 1000
    assert made.volume_cm3 == pytest.approx(volumes.sum(), rel=0.01)
    assert mean(made) == pytest.approx(10 + 10 * volumes[1] / volumes.sum(), abs=MEAN)


def test_doses_of_two_plans_add_at_every_point(tmp_path: Path) -> None:
    fields = [dose(lambda p: 20 + p[:, 0], 2.5, 25.0), dose(lambda p: 20 - p[:, 0], 1.5, 24.0)]
    made = curve_of(tmp_path, sphere(10.0, 2.0), *fields)
    assert mean(made) == pytest.approx(40, abs=0.02)
    assert hottest_cm3(made, 0.035) == pytest.approx(40, abs=0.02)  # 30 each if maxima added


def test_frames_in_falling_order_and_by_coordinates(tmp_path: Path) -> None:
    field = dose(lambda p: 30 + p[:, 2], 2.5, 25.0)
    plain = curve_of(tmp_path, sphere(10.0, 2.0), field)
    offsets = np.array(field.GridFrameOffsetVector, dtype=float)
    field.GridFrameOffsetVector = list(offsets + float(field.ImagePositionPatient[2]))
    assert np.array_equal(curve_of(tmp_path, sphere(10.0, 2.0), field).share, plain.share)
    frames = np.frombuffer(field.PixelData, "<u4").reshape(len(offsets), -1)
    field.PixelData = np.ascontiguousarray(frames[::-1]).tobytes()
    field.GridFrameOffsetVector = list(-offsets)
    position = [float(x) for x in field.ImagePositionPatient]
    field.ImagePositionPatient = [*position[:2], position[2] + offsets[-1]]
    assert np.array_equal(curve_of(tmp_path, sphere(10.0, 2.0), field).share, plain.share)


def test_structures_of_which_nothing_can_be_said(tmp_path: Path) -> None:
    field = dose(lambda p: 30 + p[:, 2], 2.5, 20.0)
    assert drawn(tmp_path, [], field) == "the structure has no closed contour"
    flat = drawn(tmp_path, tube(5.0, 0.0, 2.5, 2.5), field)
    assert isinstance(flat, str) and "one plane only" in flat
    large = drawn(tmp_path, sphere(30.0, 2.5), field)
    assert isinstance(large, str) and "outside the dose grid" in large
    field.FrameOfReferenceUID = OTHER_FRAME
    other = drawn(tmp_path, sphere(10.0, 2.5), field)
    assert isinstance(other, str) and "another frame of reference" in other


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "relative": ({"DoseUnits": "RELATIVE"}, "doses must be in GY"),
    "errors": ({"DoseType": "ERROR"}, "must be PHYSICAL or EFFECTIVE"),
    "no units": ({"DoseUnits": None}, "the object must have it"),
    "voxels": ({"PixelData": b"\0" * 400}, "bytes for"),
    "scaling": ({"DoseGridScaling": 0.0}, "must not be negative, nor all 0"),
    "skewed": ({"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]}, "at right angles"),
    "frames": ({"GridFrameOffsetVector": [0.0, 1.0]}, "finite numbers"),
    "twice": ({"GridFrameOffsetVector": [0.0] * 17}, "frames must lie apart"),
    "spacing": ({"PixelSpacing": [2.5, -2.5]}, "must be positive"),
    "compressed": ({"BitsAllocated": 64}, "export without compression"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_doses(tmp_path: Path, what: str) -> None:
    more, rule = WRONG[what]
    field = dose(lambda p: 30 + p[:, 2], 2.5, 20.0, **more)
    with pytest.raises(InputError, match=rule):
        drawn(tmp_path, sphere(10.0, 2.5), field)


def test_a_file_that_is_cut_off_is_never_read_as_a_whole_one(tmp_path: Path) -> None:
    whole = {
        "dose": write(dose(lambda p: 30 + p[:, 2], 5.0, 20.0), tmp_path / "dose").read_bytes(),
        "set": write(structures({"s": sphere(4.0, 2.0)}), tmp_path / "set").read_bytes(),
    }
    for name, content in whole.items():
        for length in np.linspace(0, len(content) - 1, 60).astype(int):
            path = tmp_path / f"cut-{name}"
            path.write_bytes(content[:length])
            with pytest.raises(InputError):
                whole_of(path, name)


def whole_of(path: Path, name: str) -> None:
    (entry,), _ = read_all([str(path)])
    dose_of(entry) if name == "dose" else structures_of(entry)


def test_two_structures_of_one_name(tmp_path: Path) -> None:
    data = structures({"s": sphere(4.0, 2.0)})
    entry = {"ROINumber": 2, "ROIName": "s", "ReferencedFrameOfReferenceUID": FRAME}
    data.StructureSetROISequence.append(items(entry)[0])
    entries = read_all([str(write(data, tmp_path / "s.dcm"))])[0]
    with pytest.raises(InputError, match="two structures of one name"):
        structures_of(entries[0])
