"""`abscopt alternatives`: what it prints, its rows, and what it refuses."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

CASE = "toy-two-lesions"


def test_plans_are_listed_with_what_is_not(run: Any, tmp_path: Path) -> None:
    table = tmp_path / "plans.csv"
    text = run("alternatives", CASE, "--within", 5, "--count", 2, "--csv", table)
    assert text.exit_code == 0
    assert "The best" in text.stdout and "are not listed" in text.stdout
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    document = json.loads(run("alternatives", CASE, "--within", 5, "--count", 2, "--json").stdout)
    assert document["kind"] == "alternatives" and document["ending"] == "complete"
    assert len(rows) == len(document["rows"]) == 2 < document["known"]
    for row, entry in zip(rows, document["rows"], strict=True):
        assert float(row["objective"]) == pytest.approx(entry["objective"], abs=1e-9)
    best, other = document["rows"]
    assert best["group"] == "optimum" and other["differs"]
    assert 0 < other["below"] <= 5


def test_a_plan_of_the_list_is_judged_as_listed(run: Any, tmp_path: Path) -> None:
    document = json.loads(run("alternatives", CASE, "--within", 5, "--json").stdout)
    plan = document["rows"][-1]
    (tmp_path / "plan.json").write_text(json.dumps(plan["schedule"]))
    verdict = json.loads(run("evaluate", CASE, tmp_path / "plan.json", "--json").stdout)
    assert verdict["evaluation"]["feasible"]
    assert verdict["evaluation"]["objective"] == pytest.approx(plan["objective"], abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((CASE, "--within", 0), "within"),
        ((CASE, "--within", "inf"), "within"),
        ((CASE, "--count", 0), "count"),
        ((CASE, "--differ", "color"), "color"),
        (("toy-free-pair",), "free"),
        ((CASE, "--json", "--csv", "-"), "stdout"),
    ],
)
def test_wrong_questions_are_refused(run: Any, arguments: tuple[Any, ...], words: str) -> None:
    refused = run("alternatives", *arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_an_infeasible_case_has_none(run: Any) -> None:
    change = "lesions.large.least_bed_gy=500"
    found = run("alternatives", CASE, "--set", change)
    assert found.exit_code == 3, found.output
    assert "No schedule is feasible." in found.stdout
