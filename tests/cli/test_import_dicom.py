"""`abscopt import dicom`: from RT objects to a case and a page, without a name in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from dicom_phantom import (
    OTHER_FRAME,
    SECRETS,
    dose,
    items,
    plan,
    sphere,
    structures,
    tube,
    write,
)

from abscopt.instances.load import load

MAP = """
name = "phantom"
[structures]
"PTV" = "lung"
"Cord" = "cord"
[[lesions]]
name = "lung"
organ = "lungs"
use = "nsclc_metastasis"
prescriptions = ["50/5", "48/4"]
"""


def field(points: Any, height: float = 50.0) -> Any:
    """A peak at the target's center, 0; the cord lies 24 mm beside it."""
    return height * np.exp(-(points**2).sum(axis=1) / 2 / 20.0**2)


SHAPES = {
    "PTV": sphere(10.0, 2.5),
    "Cord": [(z, [np.add(c, [24.0, 0.0]) for c in cs]) for z, cs in tube(4.0, 0.0, 50.0, 2.5)],
    "Skin": sphere(30.0, 2.5),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rt").mkdir()
    write(dose(field, 2.5, 35.0), tmp_path / "rt" / "dose.dcm")
    write(structures(SHAPES), tmp_path / "rt" / "set.dcm")
    write(plan(), tmp_path / "rt" / "plan.dcm")
    (tmp_path / "rt" / "notes.txt").write_text("no DICOM")
    (tmp_path / "map.toml").write_text(MAP)
    return tmp_path


def command(folder: Path, *more: object) -> list[object]:
    return ["import", "dicom", folder / "rt", "--set", "thoracic-sbrt-tg101", *more]


def test_from_objects_to_a_page(run: Any, folder: Path) -> None:
    case, results, page = folder / "case.toml", folder / "results", folder / "page.html"
    done = run(*command(folder, "--map", folder / "map.toml", "--out", case))
    assert done.exit_code == 0, done.output
    lesion = load(str(case)).lesions[0]
    x, y, z = np.meshgrid(*(np.arange(-n, n, 0.2) + 0.1 for n in (4, 4, 25)), indexing="ij")
    cord = np.column_stack([x.ravel() + 24.0, y.ravel(), z.ravel()])[(x**2 + y**2).ravel() < 16]
    hottest = np.sort(field(cord))[-round(35 / 0.2**3)]  # D0.035cm3 of a cylinder, sampled
    assert lesion.sparing["cord"]["max"] == pytest.approx(hottest / 50, abs=0.15 / 50)
    assert lesion.volume_cm3 == pytest.approx(4 / 3 * np.pi, rel=0.01)
    assert run("solve", case, "--out", results).exit_code == 0
    made = run("report", results / "result.json", "--case", case, "--out", page)
    assert made.exit_code == 0, made.output
    texts = [done.output, *(path.read_text() for path in (case, page, *results.iterdir()))]
    assert not any(secret in text for text in texts for secret in SECRETS)
    for file in ("dose.dcm", "set.dcm", "plan.dcm"):
        assert hashlib.sha256((folder / "rt" / file).read_bytes()).hexdigest() in texts[1]
    assert "1.2.3" not in texts[1].replace("1.2.3.4", "")
    assert "1 files of folders are no RT objects" in done.stderr


def test_without_a_map_it_asks_and_knows_the_prescription(run: Any, folder: Path) -> None:
    done = run(*command(folder))
    assert done.exit_code == 2
    assert '"PTV" = "?"' in done.stdout and 'prescriptions = ["50/5"]' in done.stdout
    assert not any(secret in done.output for secret in SECRETS)


def test_prescriptions_of_plan_and_command(run: Any, folder: Path) -> None:
    with_map = ("--map", folder / "map.toml")
    done = run(*command(folder, *with_map, "--rx", "54/3"))
    assert done.exit_code == 2 and "the file states 50 Gy as prescribed" in done.stderr
    done = run(*command(folder, *with_map, "--rx", "50/4"))
    assert done.exit_code == 2 and "the file states 5 fractions" in done.stderr
    (folder / "rt" / "plan.dcm").unlink()
    done = run(*command(folder, *with_map))
    assert done.exit_code == 2 and "the prescription of the plan is missing" in done.stderr
    assert run(*command(folder, *with_map, "--rx", "50/5")).exit_code == 0


def test_sum_of_two_plans_is_one_lesions_course(run: Any, folder: Path) -> None:
    second = dose(lambda p: field(p, 10.0), 2.0, 34.0, uid="1.2.3.8")
    second.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = "1.2.3.9"
    write(second, folder / "rt" / "boost.dcm")
    write(plan(10.0, 1, uid="1.2.3.9"), folder / "rt" / "boost-plan.dcm")
    with_map = ("--map", folder / "map.toml", "--measure", "D50%")
    done = run(*command(folder, *with_map))
    assert done.exit_code == 2 and "the prescription of the plan is missing" in done.stderr
    both = run(*command(folder, *with_map, "--rx", "60/6"))
    assert both.exit_code == 0, both.output
    half = 60 * np.exp(-((10 * 0.5 ** (1 / 3)) ** 2) / 2 / 20.0**2)
    stated = next(line for line in both.stderr.splitlines() if line.startswith("PTV: D50%"))
    assert float(stated.split()[2]) == pytest.approx(half, abs=0.15)


def test_two_plans_are_two_lesions(run: Any, folder: Path) -> None:
    second = dose(lambda p: field(np.add(p, [24.0, 0, 0]), 54.0), 2.5, 50.0, uid="1.2.3.8")
    second.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = "1.2.3.9"
    write(second, folder / "rt" / "second.dcm")
    write(plan(54.0, 3, uid="1.2.3.9"), folder / "rt" / "second-plan.dcm")
    shapes = SHAPES | {
        "PTV2": [(z, [np.add(c, [-24.0, 0]) for c in cs]) for z, cs in SHAPES["PTV"]]
    }
    write(structures(shapes), folder / "rt" / "set.dcm")
    text = MAP.replace('"Cord"', '"PTV2" = "rib"\n"Cord"').replace(
        'use = "nsclc', 'files = ["dose.dcm"]\nuse = "nsclc'
    )
    text += '[[lesions]]\nname = "rib"\norgan = "rib"\nuse = "nsclc_metastasis"\n'
    (folder / "map.toml").write_text(text + 'files = ["second.dcm"]\n')
    case = folder / "case.toml"
    done = run(*command(folder, "--map", folder / "map.toml", "--out", case))
    assert done.exit_code == 0, done.output
    first, other = load(str(case)).lesions
    assert first.sparing["cord"]["max"] > 3 * other.sparing["cord"]["max"]  # type: ignore[operator]
    assert other.course is not None and other.course.levels_gy == (18.0,)  # type: ignore[union-attr]


def beam(number: int, share: float) -> Any:
    group = {"ReferencedBeamSequence": items({"ReferencedBeamNumber": number})}
    entry = {"ReferencedSOPInstanceUID": "1.2.3.5",
             "ReferencedFractionGroupSequence": items(group)}  # fmt: skip
    return dose(
        lambda p: share * field(p), 2.5, 35.0, uid=f"1.2.3.1{number}",
        DoseSummationType="BEAM", ReferencedRTPlanSequence=items(entry),
    )  # fmt: skip


def test_doses_of_all_beams_are_the_plan(run: Any, folder: Path) -> None:
    with_map = ("--map", folder / "map.toml", "--measure", "D50%")
    whole = run(*command(folder, *with_map))
    (folder / "rt" / "dose.dcm").unlink()
    write(beam(1, 0.25), folder / "rt" / "beam1.dcm")
    done = run(*command(folder, *with_map))
    assert done.exit_code == 2 and "every beam of the plan once: [1, 2]" in done.stderr
    write(beam(2, 0.75), folder / "rt" / "beam2.dcm")
    done = run(*command(folder, *with_map))
    assert done.exit_code == 0, done.output
    lines = [next(s for s in o.stderr.splitlines() if "D50%" in s) for o in (whole, done)]
    assert float(lines[0].split()[2]) == pytest.approx(float(lines[1].split()[2]), abs=0.002)
    (folder / "rt" / "plan.dcm").unlink()
    done = run(*command(folder, *with_map, "--rx", "50/5"))
    assert done.exit_code == 2 and "doses of beams need their RT plan" in done.stderr


def change(folder: Path, what: str) -> str:
    """Something that does not fit together, and what is said of it."""
    rt = folder / "rt"
    if what == "frame":
        write(dose(field, 2.5, 35.0, FrameOfReferenceUID=OTHER_FRAME), rt / "dose.dcm")
        return "no structure set is in its frame of reference"
    if what == "patient":
        write(structures(SHAPES, PatientID="another"), rt / "set.dcm")
        return "all objects must be of one patient"
    if what == "structure":
        (folder / "map.toml").write_text(MAP.replace('"Cord"', '"Chord"'))
        return "no such structure in the files; did you mean 'Cord'?"
    if what == "outside":
        (folder / "map.toml").write_text(MAP.replace('"Cord"', '"Skin" = "skin"\n"Cord"'))
        write(dose(field, 2.5, 20.0), rt / "dose.dcm")
        return "of the structure lie outside the dose grid"
    if what == "no dose":
        (rt / "dose.dcm").unlink()
        return "must hold an RT dose"
    if what == "no set":
        (rt / "set.dcm").unlink()
        return "must hold an RT structure set"
    if what == "twice":
        write(dose(field, 2.5, 35.0), rt / "copy.dcm")
        return "the same object as"
    if what == "plan twice":
        write(dose(field, 2.5, 35.0, uid="1.2.3.77"), rt / "copy.dcm")
        return "a dose of the same plan as"
    if what == "fraction":
        write(dose(field, 2.5, 35.0, DoseSummationType="FRACTION"), rt / "dose.dcm")
        return "must be the dose of a plan"
    if what == "two sets":
        write(structures(SHAPES, uid="1.2.3.33"), rt / "other.dcm")
        (rt / "plan.dcm").unlink()
        return "several structure sets"
    assert what == "cut off"
    content = (rt / "set.dcm").read_bytes()
    (rt / "set.dcm").write_bytes(content[: len(content) // 2])
    return "must be a whole DICOM file"


@pytest.mark.parametrize(
    "what",
    ["frame", "patient", "structure", "outside", "no dose", "no set", "twice", "plan twice",
     "fraction", "two sets", "cut off"],
)  # fmt: skip
def test_objects_that_do_not_fit(run: Any, folder: Path, what: str) -> None:
    rule = change(folder, what)
    case = folder / "case.toml"
    done = run(*command(folder, "--map", folder / "map.toml", "--rx", "50/5", "--out", case))
    assert done.exit_code == 2 and rule in done.stderr, done.output
    assert not case.exists()
    assert not any(secret in done.output for secret in SECRETS)


def test_files_that_are_no_dicom(run: Any, folder: Path) -> None:
    arguments = ("--set", "thoracic-sbrt-tg101")
    done = run("import", "dicom", folder / "rt" / "notes.txt", *arguments)
    assert done.exit_code == 2 and "must be DICOM (DICM at byte 128)" in done.stderr
    done = run("import", "dicom", folder / "none", *arguments)
    assert done.exit_code == 2 and "no such file" in done.stderr
    other = dose(field, 5.0, 10.0)
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    write(other, folder / "ct.dcm")
    done = run("import", "dicom", folder / "ct.dcm", *arguments)
    assert done.exit_code == 2 and "must be an RT dose, structure set or plan" in done.stderr
    done = run("import", "dvh", folder / "rt" / "dose.dcm", *arguments)
    assert done.exit_code == 2 and "must be text, not DICOM" in done.stderr
