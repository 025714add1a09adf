"""Results whose notes do not follow from case and schedule are refused, however sealed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abscopt.optimizer.results.result import sealed

Notes = list[dict[str, str]]
CASE = """
format = 1
name = "noted"
title = "One lesion treated, one left out, one sparing not stated"
provenance = { source = "x", assumed = ["everything"] }
horizon_days = [14]
objective = { kind = "tumor_bed" }
immune = { use = "off" }
organs.organ = { use = "generic_late" }
[[limits]]
name = "organ"
kind = "mean"
organ = "organ"
cap_gy = 10.5
source = "x"
status = "assumed"
[[lesions]]
use = "plain_lq"
name = "near"
organ = "lung"
volume_cm3 = 20
sparing.organ.mean = 0.5
course = { form = "uniform", fractions = [2, 4], doses_gy = [5, 10] }
[[lesions]]
use = "plain_lq"
name = "far"
organ = "lung"
volume_cm3 = 20
sparing.organ.mean = 0.3
course = { form = "uniform", fractions = [4], doses_gy = [5] }
[[lesions]]
use = "plain_lq"
name = "elsewhere"
organ = "lung"
volume_cm3 = 20
course = { form = "uniform", fractions = [1], doses_gy = [2] }
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "noted.toml"
    path.write_text(CASE)
    return path


@pytest.fixture
def result(run: Any, case: Path) -> dict[str, Any]:
    done = run("solve", case, "--json")
    assert done.exit_code == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert {"untreated", "sparing_not_stated"} <= {note["kind"] for note in document["notes"]}
    assert "%" in next(note["text"] for note in document["notes"] if note["kind"] == "untreated")
    return document


def read_by_all(run: Any, case: Path, file: Path) -> list[Any]:
    """What every command that reads results answers."""
    return [
        run("evaluate", case, file),
        run("simulate", case, file),
        run("compare", case, file),
        run("solve", case, "--start", file),
    ]


def written(result: dict[str, Any], case: Path) -> Path:
    file = case.with_name("result.json")
    file.write_text(json.dumps(sealed(result)))
    return file


def test_true_notes_are_read_back(run: Any, case: Path, result: dict[str, Any]) -> None:
    told = read_by_all(run, case, written(result, case))
    assert [done.exit_code for done in told] == [0, 0, 0, 0], [done.stderr for done in told]


def without_one(notes: Notes) -> None:
    del notes[-1]


def one_more(notes: Notes) -> None:
    notes.append(notes[-1] | {"text": "all is well"})


def other_words(notes: Notes) -> None:
    notes[0]["text"] = notes[0]["text"].replace("states no dose", "states a dose")


def another_number(notes: Notes) -> None:
    untreated = next(note for note in notes if note["kind"] == "untreated")
    text = untreated["text"].translate(str.maketrans("123456789", "234567891"))
    assert text != untreated["text"]
    untreated["text"] = text


def another_level(notes: Notes) -> None:
    notes[0]["level"] = "note" if notes[0]["level"] == "warning" else "warning"


def not_a_note(notes: Notes) -> None:
    notes[0] = 3  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "tamper", [without_one, one_more, other_words, another_number, another_level, not_a_note]
)
def test_false_notes_are_refused_by_every_command(
    run: Any, case: Path, result: dict[str, Any], tamper: Callable[[Notes], None]
) -> None:
    tamper(result["notes"])
    for done in read_by_all(run, case, written(result, case)):
        assert done.exit_code == 2, done.output
        assert "notes" in done.stderr and "the judge finds" in done.stderr


def test_false_notes_beside_no_schedule_are_refused(run: Any, case: Path) -> None:
    impossible = '[[limits]]\nname = "floor"\nkind = "logistics"\nquantity = "lesions"\nfloor = 3\n'
    sources = 'source = "x"\nstatus = "assumed"\n'
    case.write_text(CASE.replace("[[lesions]]", impossible + sources + "[[lesions]]", 1))
    done = run("solve", case, "--json")
    document = json.loads(done.stdout)
    assert document["status"] == "infeasible" and document["notes"]
    assert run("compare", case, written(document, case)).exit_code == 0
    document["notes"] = document["notes"][:-1]
    done = run("compare", case, written(document, case))
    assert done.exit_code == 2 and "notes" in done.stderr
