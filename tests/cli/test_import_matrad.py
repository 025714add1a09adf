"""`abscopt import matrad`: from doses of a fraction on voxels to a case and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from voxel_phantom import (
    SIZE_ZYX,
    SPACING_XYZ,
    anatomy,
    box,
    cell,
    centers,
    dose,
    indices,
    mat,
    npz,
)

from abscopt.instances.dvh.measures import hottest, hottest_cm3, mean
from abscopt.instances.load import load
from abscopt.instances.voxels.histogram import curve

MAP = """
name = "phantom"
[structures]
"PTV" = "lung"
"Cord" = "cord"
[[lesions]]
name = "lung"
organ = "lungs"
use = "visceral_metastasis"
prescriptions = ["50/5", "48/4"]
"""
MASKS = {
    "PTV": box(slice(3, 8), slice(4, 14), slice(2, 6)),
    "Cord": box(slice(10, 12), slice(8, 12), slice(1, 11)),
    "Corner": box(slice(0, 2), slice(0, 3), slice(0, 2)),
}


def ramp(x: Any, y: Any, z: Any) -> Any:
    """Another slope along each axis, 10 Gy near the middle of the target."""
    return 8.0 + 0.09 * (x - 11.0) + 0.04 * (y - 25.5) + 0.15 * (z - 8.75)


def edges(mask: Any) -> list[tuple[float, float]]:
    """Where a box of voxels begins and ends along x, y and z, in mm."""
    sides = []
    for axis, size in zip((2, 1, 0), SPACING_XYZ, strict=True):
        numbers = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        sides.append(((numbers[0] - 0.5) * size, (numbers[-1] + 0.5) * size))
    return sides


def sampled(mask: Any) -> Any:
    """Doses of the ramp at random points of a box: nothing of it is on a grid."""
    rng = np.random.default_rng(1)
    low, high = np.array(edges(mask)).T
    return ramp(*rng.uniform(low, high, (400_000, 3)).T)


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    (tmp_path / "map.toml").write_text(MAP)
    mat(tmp_path / "plan.mat", anatomy(MASKS), dose(ramp))
    return tmp_path


def command(*files: Path, more: tuple[object, ...] = ()) -> list[object]:
    with_map = ("--map", files[0].parent / "map.toml")
    return ["import", "matrad", *files, "--set", "thoracic-sbrt-tg101", *with_map, *more]


@pytest.mark.parametrize("axis", range(3))
def test_histograms_of_boxes_in_a_slope_are_exact(axis: int) -> None:
    def slope(*at: Any) -> Any:
        return 2.0 + 0.2 * at[axis]

    for mask in (MASKS["PTV"], MASKS["Cord"]):
        low, high = (2.0 + 0.2 * end for end in edges(mask)[axis])
        drawn = curve("box", mask, slope(*centers()), SPACING_XYZ[::-1])
        assert not isinstance(drawn, str)
        assert drawn.volume_cm3 == pytest.approx(mask.sum() * np.prod(SPACING_XYZ) / 1000)
        assert mean(drawn) == pytest.approx((low + high) / 2, abs=0.01)
        for share in (0.02, 0.5, 0.9):
            expected = high - share * (high - low)
            assert hottest(drawn, share) == pytest.approx(expected, abs=0.02)


def test_a_sphere_in_a_peak_has_its_closed_form() -> None:
    """D(r) = 20 exp(-r^2/2s^2): D_v is the dose at the radius of a ball of volume v."""
    x, y, z = (axis - mid for axis, mid in zip(centers(), (15.0, 28.5, 13.75), strict=True))
    mask = x**2 + y**2 + z**2 <= 12.0**2
    peak = 20.0 * np.exp(-(x**2 + y**2 + z**2) / 2 / 15.0**2)
    drawn = curve("sphere", mask, peak, SPACING_XYZ[::-1])
    assert not isinstance(drawn, str)
    for volume in (0.035, 0.5, 2.0):
        radius = (750.0 * volume / np.pi) ** (1 / 3)
        expected = 20.0 * np.exp(-(radius**2) / 2 / 15.0**2)
        assert hottest_cm3(drawn, volume) == pytest.approx(expected, abs=0.15)


def test_from_matlab_variables_to_a_page(run: Any, patient: Path) -> None:
    case, page = patient / "case.toml", patient / "page.html"
    arguments = command(patient / "plan.mat", more=("--rx", "50/5", "--out", case))
    done = run(*arguments, "--measure", "D50%")
    assert done.exit_code == 0, done.output
    lesion = load(str(case)).lesions[0]
    cord = 5 * np.sort(sampled(MASKS["Cord"]))[::-1]
    volume = MASKS["Cord"].sum() * np.prod(SPACING_XYZ) / 1000
    hot = cord[round(0.035 / volume * len(cord))]
    assert lesion.sparing["cord"]["max"] == pytest.approx(hot / 50, abs=0.002)
    middle = 5 * float(np.median(sampled(MASKS["PTV"])))
    stated = next(line for line in done.stderr.splitlines() if line.startswith("PTV: D50%"))
    assert float(stated.split()[2]) == pytest.approx(middle, abs=0.02)
    assert "structures not used: Corner" in done.stderr
    assert "voxels" in case.read_text()
    assert run("solve", case, "--out", patient / "plan").exit_code == 0
    made = run("report", patient / "plan/result.json", "--case", case, "--out", page)
    assert made.exit_code == 0, made.output


def test_every_way_to_save_it_is_one_case(run: Any, patient: Path) -> None:
    mat(patient / "patient.mat", anatomy(MASKS))
    mat(patient / "dose.mat", dose(ramp))
    mat(patient / "no-pln.mat", anatomy(MASKS), dose(ramp, fractions=None))
    mat(patient / "rbe.mat", anatomy(MASKS), dose(ramp, name="RBExDose"))
    npz(patient / "plan.npz", ramp, MASKS, fractions=5)
    npz(patient / "bare.npz", ramp, {k: m.astype(np.uint8) for k, m in MASKS.items()})
    saved: list[tuple[list[Path], tuple[str, ...]]] = [
        ([patient / "plan.mat"], ()),
        ([patient / "dose.mat", patient / "patient.mat"], ()),
        ([patient / "no-pln.mat"], ()),
        ([patient / "rbe.mat"], ("--dose", "RBExDose")),
        ([patient / "plan.npz"], ()),
        ([patient / "bare.npz"], ()),
    ]
    lesions = []
    for number, (files, more) in enumerate(saved):
        case = patient / f"case-{number}.toml"
        done = run(*command(*files, more=("--rx", "50/5", *more, "--out", case)))
        assert done.exit_code == 0, done.output
        lesions.append(load(str(case)).lesions[0])
    assert all(lesion.sparing == lesions[0].sparing for lesion in lesions)
    assert all(lesion.volume_cm3 == lesions[0].volume_cm3 for lesion in lesions)


def test_without_a_map_it_asks(run: Any, patient: Path) -> None:
    done = run("import", "matrad", patient / "plan.mat", "--set", "thoracic-sbrt-tg101")
    assert done.exit_code == 2 and '"PTV" = "?"' in done.stdout and '"Corner" = "?"' in done.stdout
    npz(patient / "plan.npz", ramp, MASKS)
    done = run("import", "matrad", patient / "plan.npz", "--set", "thoracic-sbrt-tg101")
    assert done.exit_code == 2 and "give --rx" in done.stderr


def changed(change: str) -> dict[str, Any]:
    """matRad's variables with one thing wrong."""
    made = anatomy(MASKS) | dose(ramp)
    cst, result = made["cst"], made["resultGUI"]
    if change == "index 0":
        cst[1, 3] = cell(indices(MASKS["Cord"]) - indices(MASKS["Cord"]).min())
    elif change == "index beyond":
        cst[1, 3] = cell(np.array([[float(np.prod(SIZE_ZYX) + 1)]]))
    elif change == "index 1.5":
        cst[1, 3] = cell(np.array([[1.5]]))
    elif change == "no voxels":
        cst[1, 3] = cell(np.zeros((0, 1)))
    elif change == "two scenarios":
        both = np.empty((1, 2), dtype=object)
        both[0, 0] = both[0, 1] = indices(MASKS["Cord"])
        cst[1, 3] = both
    elif change == "a name twice":
        cst[1, 1] = "PTV"
    elif change == "transposed":
        result["physicalDose"] = np.transpose(result["physicalDose"], (1, 0, 2))
    elif change == "negative":
        result["physicalDose"][0, 0, 0] = -1.0
    elif change == "not finite":
        result["physicalDose"][0, 0, 0] = np.nan
    elif change == "one slice":
        result["physicalDose"] = result["physicalDose"][:, :, 0]
    elif change == "no resolution":
        del made["ct"]["resolution"]
    elif change == "resolution 0":
        made["ct"]["resolution"]["y"] = 0.0
    elif change == "half a fraction":
        made["pln"]["numOfFractions"] = 4.5
    elif change == "other fractions":
        made["pln"]["numOfFractions"] = 30.0
    elif change == "another field":
        made["resultGUI"] = {"RBExDose": result["physicalDose"]}
    elif change == "no dose":
        del made["resultGUI"]
    elif change == "no structures":
        del made["cst"]
    return made


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("index 0", "cst{2,4}: 0: indices of voxels run from 1 to 3840"),
        ("index beyond", "cst{2,4}: 3841: indices of voxels run from 1"),
        ("index 1.5", "must be linear indices"),
        ("no voxels", "structures.Cord: Cord: it has no voxels"),
        ("two scenarios", "structures.Cord: Cord: it has several scenarios"),
        ("a name twice", "cst{2,2}: PTV: a structure twice"),
        ("transposed", "must be on the voxels of ct.cubeDim"),
        ("negative", "resultGUI.physicalDose: -1: doses must be finite and not negative"),
        ("not finite", "resultGUI.physicalDose: nan: doses must be finite"),
        ("one slice", "20 x 16: must be a cube"),
        ("no resolution", "ct.resolution: fields cubeDim: is missing"),
        ("resolution 0", "must be positive, in mm"),
        ("half a fraction", "pln.numOfFractions: 4.5"),
        ("other fractions", "the file states 30 fractions"),
        ("another field", "resultGUI.physicalDose: fields RBExDose: is missing"),
        ("no dose", "one file must hold a dose"),
        ("no structures", "ct and cst: missing"),
    ],
)
def test_wrong_variables_are_refused_by_name(
    run: Any, patient: Path, change: str, words: str
) -> None:
    mat(patient / "wrong.mat", changed(change))
    done = run(*command(patient / "wrong.mat", more=("--rx", "50/5")))
    assert done.exit_code == 2 and words in done.stderr, done.output


def test_other_files_are_refused_with_what_to_do(run: Any, patient: Path) -> None:
    whole = (patient / "plan.mat").read_bytes()
    files = {
        "newest.mat": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600), "'-v7'"),
        "cut.mat": (whole[: len(whole) // 2], "must be a MATLAB file"),
        "text.mat": (b"no file of MATLAB" * 20, "must be a MATLAB file"),
        "empty.mat": (b"", "must be a MATLAB file"),
        "text.npz": (b"no archive", "must be an archive of numpy.savez"),
        "one.npy": (b"", "save an archive with numpy.savez"),
    }
    for name, (content, words) in files.items():
        (patient / name).write_bytes(content)
        done = run(*command(patient / name, more=("--rx", "50/5")))
        assert done.exit_code == 2 and words in done.stderr, (name, done.output)
    for more, words in (
        ({"structure PTV": MASKS["PTV"][1:]}, "must have the shape of dose_per_fraction_gy"),
        ({"structure PTV": MASKS["PTV"] * 2}, "must be 0 or 1"),
        ({"spacing": [1, 1, 1]}, "array: spacing: is not known"),
        ({"fractions": 0}, "fractions: 0: must be a whole number"),
    ):
        npz(patient / "wrong.npz", ramp, {}, **more)
        done = run(*command(patient / "wrong.npz", more=("--rx", "50/5")))
        assert done.exit_code == 2 and words in done.stderr, done.output
