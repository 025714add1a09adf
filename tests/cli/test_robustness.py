"""`abscopt robustness` and `solve --robustness`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ENSEMBLE = ("--ensemble", "radiobiology", "--members", "2")


def test_a_case_without_a_schedule_is_solved_first(run: Any, tmp_path: Path) -> None:
    result = run("robustness", "toy-blockade", *ENSEMBLE, "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["kind"] == "robustness"
    assert document["lines"][0].startswith("Robustness  better than the standard in 100 % of 2")
    assert [row["status"] for row in document["members"]] == ["optimal", "optimal"]
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files >= {"robustness.json", "robustness.txt", "robustness_decisions.csv"}
    assert json.loads((tmp_path / "out" / "robustness.json").read_text()) == document
    rows = (tmp_path / "out" / "robustness_members.csv").read_text().splitlines()
    assert len(rows) == 3


def test_a_result_is_judged_with_its_changes(run: Any, tmp_path: Path) -> None:
    solved = run("solve", "toy-blockade", "--set", "horizon_days=[60, 90]", "--json")
    file = tmp_path / "result.json"
    file.write_text(solved.stdout)
    result = run("robustness", "toy-blockade", file, *ENSEMBLE, "--estimate", "--drivers", "4")
    assert result.exit_code == 0, result.stderr
    assert "Changed  horizon_days=[60, 90]" in result.stdout
    assert "Control on day 90" in result.stdout
    assert "Sobol' indices" in result.stdout
    assert "member 1 of 2" in result.stderr


def test_a_report_leads_with_two_lines_or_says_that_nothing_is_known(run: Any) -> None:
    plain = run("solve", "toy-blockade").stdout.splitlines()
    assert plain[2].startswith("Robustness  not judged")
    judged = run("solve", "toy-blockade", "--robustness", "radiobiology").stdout.splitlines()
    assert judged[2].startswith("Robustness  better than the standard in 100 % of 16")
    assert judged[3].startswith("Decisions  identified: ")
    document = run("solve", "toy-blockade", "--robustness", "radiobiology", "--json").stdout
    assert json.loads(document)["robustness"]["summary"]["members"] == 16


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("toy-blockade",), "states no ensemble"),
        (("toy-blockade", "--ensemble", "radio"), "no such ensemble"),
        (("toy-blockade", "--ensemble", "absent.toml"), "no such file"),
        (("toy-blockade", *ENSEMBLE, "--drivers", "6"), "must be 4, 8, 16"),
        (("toy-blockade", "absent.json", *ENSEMBLE), "no such file"),
        (("toy-blockade", *ENSEMBLE, "--set", "horizon_days=[60, 90"), "must be valid TOML"),
    ],
)
def test_wrong_use_is_named(run: Any, arguments: tuple[str, ...], line: str) -> None:
    result = run("robustness", *arguments)
    assert result.exit_code == 2
    assert line in result.stderr


def test_show_names_the_ensemble_of_a_case(run: Any) -> None:
    shown = run("instances", "show", "toy-blockade", "--set", 'ensemble={use="radiobiology"}')
    words = " ".join(shown.stdout.split())
    assert "Ensemble radiobiology: 16 parameter sets, seed 0; drawn are lesions.*.alpha" in words
