"""`solve --start` and `frontier`: what they read, print and refuse."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASE = "toy-two-lesions"


@pytest.fixture
def answer(run: Any, tmp_path: Path) -> Path:
    """A result of the toy case as a file."""
    path = tmp_path / "result.json"
    path.write_text(run("solve", CASE, "--json").stdout)
    return path


def test_a_start_may_be_the_result_of_a_related_case(
    run: Any, write: Callable[[Any, str], Path], answer: Path
) -> None:
    related = write(
        {"extends": CASE, "name": "related", "title": "tighter", "scale_caps": 0.9}, "c.json"
    )
    assert run("evaluate", related, answer).exit_code == 2, "as a claim it belongs to another case"
    begun = run("solve", related, "--start", answer, "--json")
    assert begun.exit_code == 0
    plain = json.loads(run("solve", related, "--json").stdout)
    found = json.loads(begun.stdout)
    assert found["status"] == plain["status"] == "optimal"
    assert abs(found["objective"] - plain["objective"]) <= found["requested_gap"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "file"),
        ({"kind": "comparison"}, "kind"),
        ({"kind": "result", "schedule": None}, "schedule"),
        ({"fractions": [{"lesion": "nobody", "day": 0, "dose_gy": 2.0}]}, "fractions[0].lesion"),
        ({"fractions": [{"lesion": "large", "day": 9999, "dose_gy": 2.0}]}, "fractions[0].day"),
        ({"doses_of_drugs": [{"agent": "x", "day": 0, "dose_mg": 2.0}]}, "doses_of_drugs[0].agent"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    run: Any, write: Callable[[Any, str], Path], document: Any, place: str
) -> None:
    path = write(document, "start.json")
    result = run("solve", CASE, "--start", path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"{path}: {place}: ")


def test_a_start_that_is_not_there_is_refused(run: Any) -> None:
    assert run("solve", CASE, "--start", "nowhere.json").exit_code == 2


def test_a_frontier_is_printed_as_text_csv_and_json(run: Any, tmp_path: Path) -> None:
    limit = json.loads(run("instances", "show", CASE, "--json").stdout)["instance"]["limits"][0]
    factors = (0.5, 1.0)
    caps = ",".join(str(limit["cap_gy"] * factor) for factor in factors)
    asked = ("frontier", CASE, "--limit", limit["name"], "--caps", caps)
    document = json.loads(run(*asked, "--json", "--csv", tmp_path / "rows.csv").stdout)
    assert document["kind"] == "frontier"
    assert [row["status"] for row in document["rows"]] == ["optimal", "optimal"]
    tight, wide = (row["objective"] for row in document["rows"])
    assert tight <= wide + 0.01
    solved = json.loads(run("solve", CASE, "--json").stdout)
    assert abs(wide - solved["objective"]) <= solved["requested_gap"]
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["objective"]) for row in rows] == [tight, wide]
    text = run(*asked)
    assert text.exit_code == 0
    assert f"caps of {limit['name']}" in text.stdout


@pytest.mark.parametrize("caps", ["", "x", "1,", "0", "-1", "nan", "inf", "1:2", "1:2:1", "1:2:x"])
def test_caps_that_are_none_are_refused(run: Any, caps: str) -> None:
    result = run("frontier", CASE, "--limit", "organ", "--caps", caps)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "--caps" in result.stderr


def test_an_unknown_limit_is_refused_with_those_that_are_known(run: Any) -> None:
    result = run("frontier", CASE, "--limit", "nothing", "--caps", "1")
    assert result.exit_code == 2
    assert "known" in result.stderr
