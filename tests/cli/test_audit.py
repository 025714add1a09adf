"""Notes of the input audit on the command line, and `--strict`."""

from __future__ import annotations

import json
from typing import Any

from plain_cases import bed_limit, lesion, plain_case, uniform


def silent() -> dict[str, Any]:
    """A case in which one lesion says nothing of a point that a limit counts."""
    stated = lesion("stated", course=uniform([3], [4.0]), sparing={"organ": {"max": 0.1}})
    return plain_case(
        [stated, lesion("silent", course=uniform([3], [4.0]))], [bed_limit(90.0)], horizon_days=[42]
    )


def test_check_prints_notes_and_strict_refuses_them(run: Any, write: Any) -> None:
    path = write(silent())
    lines = run("instances", "check", path).stdout.splitlines()
    assert lines[0] == f"{path}: ok"
    assert lines[1].startswith(f"{path}: lesions[1].sparing: warning: silent")
    refused = run("instances", "check", "--strict", path)
    assert refused.exit_code == 2 and refused.stdout == ""
    assert refused.stderr.startswith(f"{path}: lesions[1].sparing: sparing_not_stated: silent")
    assert len(refused.stderr.splitlines()) == 1


def test_solve_and_evaluate_print_notes_and_strict_refuses_them(
    run: Any, write: Any, tmp_path: Any
) -> None:
    path, out = write(silent()), tmp_path / "out"
    report = run("solve", path, "--out", out).stdout
    assert report.index("Note  silent") < report.index("Lesions")
    document = json.loads((out / "result.json").read_text())
    assert {note["kind"] for note in document["notes"]} >= {"sparing_not_stated"}
    assert set(document["notes"][0]) == {"kind", "level", "place", "text"}
    judged = run("evaluate", path, out / "result.json")
    assert judged.exit_code == 0 and "Note  silent" in judged.stdout
    told = run("evaluate", path, out / "result.json", "--json")
    (tmp_path / "verdict.json").write_text(told.stdout)
    assert json.loads(told.stdout)["notes"][0]["place"] == "lesions[1].sparing"
    assert run("evaluate", path, tmp_path / "verdict.json").exit_code == 0
    for command in (("solve", path), ("evaluate", path, out / "result.json")):
        refused = run(*command, "--strict")
        assert refused.exit_code == 2 and len(refused.stderr.splitlines()) == 1


def test_show_tells_the_notes(run: Any, write: Any) -> None:
    path = write(silent())
    assert "Note  silent" in run("instances", "show", path).stdout
    document = json.loads(run("instances", "show", path, "--json").stdout)
    assert document["notes"][0]["kind"] == "sparing_not_stated"


def test_strict_is_content_with_a_case_that_states_all(run: Any, write: Any) -> None:
    raw = silent()
    raw["lesions"][1]["sparing"] = {"organ": {"max": 0}}
    path = write(raw)
    assert run("instances", "check", "--strict", path).stdout == f"{path}: ok\n"
    assert run("solve", "--strict", path).exit_code == 0


def test_strict_refuses_no_bundled_case_for_its_horizon(run: Any) -> None:
    for name in ("oligomet-4", "toy-blockade", "stage3-crt", "sequencing"):
        told = run("instances", "check", name, "--strict")
        assert told.exit_code == 0
        assert ".regimens: note: the horizon" in told.stdout
    told = run("instances", "check", "pulsar", "--strict")
    assert told.exit_code == 0
    assert "note: the dose of anti-pd-l1 is 0.2 mg" in told.stdout  # meant: allow_unusual


def test_start_days_without_infusions_stand_in_json(run: Any, write: Any) -> None:
    raw = plain_case([lesion("a", course=uniform([3], [4.0]))], [], horizon_days=[60])
    raw["agents"] = [
        {"name": "pembro", "regimens": ["pembrolizumab-200-q3w"], "first_start_day": 0,
         "last_start_day": 4}
    ]  # fmt: skip
    raw["calendar"] = {
        "start_date": "2026-01-05", "infusion_tolerance_days": 0,
        "infusion_holidays": ["2026-01-26"],
    }  # fmt: skip
    document = json.loads(run("solve", write(raw), "--json").stdout)
    (found,) = [note for note in document["notes"] if note["kind"] == "starts_not_offered"]
    assert found["place"] == "agents[0]" and found["level"] == "note"
    assert "1 of 5 start days not offered: a later dose has no infusion day" in found["text"]
