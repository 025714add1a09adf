"""Wrong input: one line with file, place, value and rule per problem; exit 2; no traceback."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.load import MAX_BYTES

Case = dict[str, Any]
Edit = Callable[[Case], Any]


def lesion(**values: Any) -> Edit:
    return lambda case: case["lesions"][0].update(values)


def course(**values: Any) -> Edit:
    return lambda case: case["lesions"][0]["course"].update(values)


def top(**values: Any) -> Edit:
    return lambda case: case.update(values)


def limit(**values: Any) -> Edit:
    base = {"name": "extra", "source": "test", "status": "assumed"}
    return lambda case: case["limits"].append(base | values)


def table(doses: list[float]) -> Edit:
    where = {"kind": "dose_by_fractions", "organ": "organ", "point": "mean"}
    return limit(**where, fractions=[3, 5], limits_gy=doses)


SPOILED: dict[str, tuple[Edit, str, str, str]] = {
    "unknown key": (lesion(volum_cm3=8), "lesions[0].volum_cm3", "volum_cm3", "unknown key"),
    "unknown table": (top(colour="red"), "colour", "colour", "unknown key"),
    "missing title": (lambda case: case.pop("title"), "title", "missing", "required"),
    "missing course": (
        lambda case: case["lesions"][0].pop("course"), "lesions[0]", "", "course is missing",
    ),
    "NaN": (lesion(alpha_per_gy=float("nan")), "lesions[0].alpha_per_gy", "nan", "finite"),
    "infinity": (lesion(clonogens=float("inf")), "lesions[0].clonogens", "inf", "finite"),
    "negative volume": (
        lesion(volume_cm3=-8), "lesions[0].volume_cm3", "-8", "greater than 0",
    ),
    "cGy in the menu": (
        course(doses_gy=[6000]), "lesions[0].course.doses_gy[0]", "6000", "less than or equal",
    ),
    "cGy in a grid": (
        course(doses_gy={"min_gy": 600, "max_gy": 800, "step_gy": 100}),
        "lesions[0].course.doses_gy.min_gy", "600", "less than or equal",
    ),
    "no lesions": (top(lesions=[]), "lesions", "[]", "at least 1"),
    "agent window": (
        lambda case: case["agents"][0].update(last_start_day=84),
        "agents[0].last_start_day", "84", "outside the horizon of 84 days",
    ),
    "course window": (
        course(last_start_day=90), "lesions[0].course.last_start_day", "90", "outside the horizon",
    ),
    "window backwards": (
        course(first_start_day=9), "lesions[0].course", "", "must not be before",
    ),
    "unknown organ": (
        lesion(sparing={"organ": {"mean": 0.4}, "hart": {"mean": 0.1}}),
        "lesions[0].sparing.hart", "hart", "unknown organ",
    ),
    "table of two lengths": (table([20.0]), "limits[1]", "", "same length"),
    "string for a number": (
        lesion(volume_cm3="eight"), "lesions[0].volume_cm3", "eight", "valid number",
    ),
    "number for a table": (lesion(course=3), "lesions[0].course", "3", ""),
    "number for a list": (top(lesions=3), "lesions", "3", ""),
    "bool for a number": (
        lesion(volume_cm3=True), "lesions[0].volume_cm3", "True", "valid number",
    ),
    "null for a list": (top(limits=None), "limits", "None", ""),
    "date": (top(calendar={"start_date": "Monday"}), "calendar.start_date", "Monday", "date"),
    "format": (top(format=2), "format", "2", "1"),
    "limit_set": (top(limit_set="folklore"), "limit_set", "folklore", "no such set"),
    "use of a tumor": (lesion(use="warts"), "lesions[0].use", "warts", "no such tumor"),
    "use of a scenario": (top(immune={"use": "magic"}), "immune.use", "magic", "no such scenario"),
    "use of a limit": (
        lambda case: case["limits"].append({"use": "toes"}), "limits[1].use", "toes", "no such",
    ),
    "limit kind": (limit(kind="hope"), "limits[1].kind", "hope", "must be one of"),
    "floor above the lesions": (
        limit(kind="logistics", quantity="lesions", floor=2), "limits[1].floor", "2",
        "contradiction: only 1 lesions",
    ),
    "count already below the floor": (
        limit(kind="alc", floor_1e9_per_l=1.7), "limits[1].floor_1e9_per_l", "1.7",
        "already at or below the floor",
    ),
    "horizons": (top(horizon_days=[84, 84]), "horizon_days", "[84, 84]", "increase"),
    "shares": (lesion(effector_share=0.9), "lesions.effector_share", "1.4", "exceed 1"),
    "two of one name": (
        lambda case: case["lesions"][1].update(name="tumor"), "lesions", "tumor", "unique",
    ),
    "unknown regimen": (
        lambda case: case["agents"][0].update(regimens=["tea"]), "agents[0].regimens", "tea",
        "unknown regimen",
    ),
    "standard lesion": (
        lambda case: case["standard"]["courses"][0].update(lesion="moon"),
        "standard.courses[0].lesion", "moon", "irradiable lesion",
    ),
    "day before day 0": (course(first_start_day=-1), "lesions[0].course.first_start_day", "-1", ""),
    "fraction count": (course(fractions=[0]), "lesions[0].course.fractions[0]", "0", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("command", ["check", "solve", "evaluate"])
def test_spoiled_case(run: Any, write: Any, toy: Case, name: str, command: str) -> None:
    edit, place, value, rule = SPOILED[name]
    edit(toy)
    path = write(toy)
    arguments = {
        "check": ["instances", "check", path],
        "solve": ["solve", path],
        "evaluate": ["evaluate", path, "--regimen", "standard"],
    }
    result = run(*arguments[command])
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    line = next(line for line in lines if line.startswith(f"{path}: {place}: "))
    assert value in line
    assert rule in line


def test_a_nan_written_as_toml(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text("format = 1\nname = 'x'\ntitle = 'x'\nhorizon_days = [nan]\nlesions = []\n")
    result = run("instances", "check", path)
    assert result.exit_code == 2
    assert any("horizon_days[0]: nan: " in line for line in result.stderr.splitlines())


FILES: dict[str, tuple[bytes, str]] = {
    "binary.toml": (b"\xff\xfe\x00\x01", "UTF-8"),
    "nul.toml": (b"title = 'a\x00b'", "UTF-8"),
    "huge.toml": (b"# " + b"x" * MAX_BYTES, "must not exceed"),
    "huge.json": (b" " * (MAX_BYTES + 1), "must not exceed"),
    "broken.toml": (b"title = ", "must be valid TOML"),
    "broken.json": (b'{"title": ', "must be valid JSON"),
    "empty.json": (b"", "must be valid JSON"),
    "twice.json": (b'{"title": "a", "title": "b"}', "key given twice"),
    "twice.toml": (b"title = 'a'\ntitle = 'b'", "must be valid TOML"),
    "list.json": (b"[]", "must be one JSON object"),
    "deep.json": (b"[" * 100_000, "must be valid JSON"),
    "empty.toml": (b"", "required"),
}


@pytest.mark.parametrize("name", FILES)
def test_unreadable_case_file(run: Any, tmp_path: Path, name: str) -> None:
    content, rule = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    result = run("instances", "check", path)
    assert result.exit_code == 2
    assert all(line.startswith(f"{path}: ") for line in result.stderr.splitlines())
    assert rule in result.stderr


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_unreadable_schedule_file(run: Any, tmp_path: Path, name: str) -> None:
    content, rule = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    result = run("evaluate", "toy-blockade", path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert rule in result.stderr


@pytest.mark.parametrize("arguments", [["instances", "check"], ["evaluate", "toy-blockade"]])
def test_no_file_a_folder_and_an_endless_name(
    run: Any, tmp_path: Path, arguments: list[str]
) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path, "x" * 5000, ""):
        result = run(*arguments, path)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert "path" in result.stderr


FRACTION = {"lesion": "tumor", "day": 0, "dose_gy": 8}
DOSE = {"agent": "pembrolizumab", "day": 14, "dose_mg": 200}
SCHEDULES: dict[str, tuple[Any, str, str, str]] = {
    "cGy": ([FRACTION | {"dose_gy": 6000}], "fractions[0].dose_gy", "6000", "less than or equal"),
    "NaN": ([FRACTION | {"dose_gy": float("nan")}], "fractions[0].dose_gy", "nan", "finite"),
    "no dose": ([{"lesion": "tumor", "day": 0}], "fractions[0].dose_gy", "missing", "required"),
    "lesion": ([FRACTION | {"lesion": "moon"}], "fractions[0].lesion", "moon", "known ['occult'"),
    "occult": ([FRACTION | {"lesion": "occult"}], "fractions[0].lesion", "occult", "irradiable"),
    "twice": ([FRACTION, FRACTION], "fractions[1].day", "0", "twice"),
    "late": ([FRACTION | {"day": 84}], "fractions[0].day", "84", "outside the horizon"),
    "early": ([FRACTION | {"day": -1}], "fractions[0].day", "-1", "greater than or equal"),
    "half day": ([FRACTION | {"day": 0.5}], "fractions[0].day", "0.5", "valid integer"),
    "wrong date": ([FRACTION | {"date": "2026-01-06"}], "fractions[0].date", "2026-01-06", "day 0"),
    "technique": ([FRACTION | {"tecnique": 1}], "fractions[0].tecnique", "tecnique", "unknown key"),
    "type": (8, "fractions", "8", ""),
    "drug": ([DOSE | {"agent": "tea"}], "doses_of_drugs[0].agent", "tea", "unknown"),
    "no milligrams": ([DOSE | {"dose_mg": 0}], "doses_of_drugs[0].dose_mg", "0", "greater than 0"),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_spoiled_schedule(run: Any, write: Any, name: str) -> None:
    rows, place, value, rule = SCHEDULES[name]
    key = "doses_of_drugs" if "drugs" in place else "fractions"
    for document in ({key: rows}, {"schedule": {key: rows}}):
        path = write(document, "schedule.json")
        result = run("evaluate", "toy-blockade", path)
        assert result.exit_code == 2
        assert result.stdout == ""
        line = result.stderr.splitlines()[0]
        assert line.startswith(f"{path}: {place}: ")
        assert value in line
        assert rule in line


@pytest.mark.parametrize(
    ("document", "place", "rule"),
    [
        ([], "file", "must be one JSON object"),
        ({}, "file", "needs fractions, doses_of_drugs or schedule"),
        ({"fraktions": []}, "file", "needs fractions"),
        ({"fractions": [], "extra": 1}, "extra", "unknown key"),
        ({"schedule": {"fractions": []}, "extra": 1}, "extra", "unknown key"),
        ({"schedule": 3}, "schedule", "must be a table"),
        ({"schedule": None}, "schedule", "there is no schedule to judge"),
        ({"kind": "song", "schedule": {}}, "kind", "must be 'result' or 'evaluation'"),
        ({"kind": ["result"], "schedule": {}}, "kind", "must be 'result' or 'evaluation'"),
        ({"kind": "result", "schedule": {}}, "solver", "must be a table"),
        ({"kind": "result", "solver": 3, "schedule": {}}, "solver", "must be a table"),
        ({"kind": "evaluation", "schedule": {}, "solver": 3}, "solver", "unknown key"),
        ({"kind": "evaluation", "schedule": {}}, "instance_digest", "another case"),
    ],
)
def test_not_a_schedule(run: Any, write: Any, document: Any, place: str, rule: str) -> None:
    path = write(document, "schedule.json")
    result = run("evaluate", "toy-blockade", path)
    assert result.exit_code == 2
    assert result.stdout == ""
    line = result.stderr.splitlines()[0]
    assert line.startswith(f"{path}: {place}: ")
    assert rule in line


@pytest.mark.parametrize("command", ["solve", "evaluate"])
def test_the_installed_command_ends_the_same_way(tmp_path: Path, command: str) -> None:
    path = tmp_path / "case.toml"
    path.write_text("format = 1\nname = 'x'\ntitle = 'x'\nlesions = []\nprovenance = 3\n")
    arguments = [command, str(path)] + (["--regimen", "standard"] if command == "evaluate" else [])
    done = subprocess.run(
        [sys.executable, "-m", "abscopt.cli", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 2
    assert all(line.startswith(f"{path}: ") for line in done.stderr.splitlines())


def test_unknown_regimen_lists_the_known_ones(run: Any) -> None:
    result = run("evaluate", "toy-blockade", "--regimen", "wishful")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "toy-blockade: --regimen: wishful: unknown; known ['standard', "
    )


def test_a_case_without_standard_has_no_regimen(run: Any, write: Any, toy: Case) -> None:
    del toy["standard"]
    result = run("evaluate", write(toy), "--regimen", "standard")
    assert result.exit_code == 2
    assert "unknown; known []" in result.stderr


def test_characters_the_terminal_cannot_show(run: Any, write: Any) -> None:
    path = write({"fractions": [FRACTION | {"lesion": "\ud800"}]}, "schedule.json")
    assert json.loads(path.read_text())
    result = run("evaluate", "toy-blockade", path)
    assert result.exit_code == 2
    assert result.stdout == ""
