"""`abscopt replan`, and `--delivered` of `solve` and `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASE = "early-sabr"


@pytest.fixture
def plan(run: Any, tmp_path: Path) -> Path:
    """The CSV that `solve --out` writes."""
    out = tmp_path / "out"
    assert run("solve", CASE, "--out", out, "--gap", "0.05").exit_code == 0
    return out / "schedule.csv"


def _days(plan: Path, kind: str = "radiation") -> list[int]:
    rows = [row.split(",") for row in plan.read_text().splitlines()[1:]]
    return sorted({int(row[1]) for row in rows if row[2] == kind})


def test_the_rest_of_a_schedule_from_its_csv(run: Any, plan: Path, tmp_path: Path) -> None:
    days = _days(plan)
    today = days[1] + 1
    lesion = next(
        row.split(",")[3] for row in plan.read_text().splitlines() if ",radiation," in row
    )
    result = run(
        "replan", CASE, "--delivered", plan, "--today", today, "--missed", f"{lesion}@{days[1]}",
        "--gap", "0.05", "--json", "--out", tmp_path / "new",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["kind"], document["today"]) == ("replan", today)
    given = [f["day"] for f in document["stopped"]["schedule"]["fractions"]]
    assert given == [days[0]]
    new = [f["day"] for f in document["result"]["schedule"]["fractions"]]
    assert new[0] == days[0] and min(new[1:], default=today) >= today
    assert document["resumed"]["objective"] <= document["result"]["objective"] + 0.05
    assert document["interruption_cost"] is not None
    text = (tmp_path / "new" / "report.txt").read_text()
    assert "Plan resumed" in text and "the interruption costs" in text
    # What was written is a plan that goes on like any other.
    again = run(
        "replan", CASE, "--delivered", tmp_path / "new" / "schedule.csv", "--today", today,
        "--gap", "0.05",
    )  # fmt: skip
    assert again.exit_code == 0, again.stderr


def test_solve_and_evaluate_know_what_was_delivered(
    run: Any, plan: Path, write: Callable[..., Path]
) -> None:
    today = _days(plan)[0] + 1
    solved = run("solve", CASE, "--delivered", plan, "--today", today, "--gap", "0.05", "--json")
    assert solved.exit_code == 0, solved.stderr
    file = write(json.loads(solved.stdout)["schedule"], "new.json")
    options = ("--delivered", plan, "--today", today, "--json")
    judged = run("evaluate", CASE, file, *options)
    assert judged.exit_code == 0, judged.stderr
    assert json.loads(judged.stdout)["evaluation"]["feasible"]
    other = run("evaluate", CASE, write({"fractions": []}, "none.json"), *options)
    rules = json.loads(other.stdout)["evaluation"]["broken_rules"]
    assert any("was given and is not in the schedule" in rule for rule in rules)


def test_dates_and_closed_days(run: Any, plan: Path) -> None:
    today = _days(plan)[0] + 1
    result = run(
        "replan", CASE, "--delivered", plan, "--today", today, "--closed", f"{today}-{today + 3}",
        "--gap", "0.05", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    days = {f["day"] for f in json.loads(result.stdout)["result"]["schedule"]["fractions"]}
    assert not days & set(range(today, today + 4))


def test_an_early_stop(run: Any, plan: Path) -> None:
    days = _days(plan)
    lesion = next(
        row.split(",")[3] for row in plan.read_text().splitlines() if ",radiation," in row
    )
    result = run(
        "replan", CASE, "--delivered", plan, "--today", days[0] + 1, "--stop", lesion, "--json",
        "--gap", "0.05",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert [f["day"] for f in document["result"]["schedule"]["fractions"]] == days[:1]
    carried = next(x for x in document["left_behind"]["lesions"] if x["name"] == lesion)
    assert (carried["fractions"], carried["last_day"]) == (1, days[0])
    assert 0 < carried["surviving_share"] < 1


WRONG = {
    "an unknown lesion stopped": (["--stop", "spleen"], "delivered.rest"),
    "a day without anything": (["--missed", "primary@900"], "--missed"),
    "an unknown agent": (["--hold", "aspirin"], "delivered.holds[0].agent"),
    "no day": (["--today", "soon"], "--today"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_circumstances_are_named(run: Any, plan: Path, name: str) -> None:
    options, place = WRONG[name]
    result = run("replan", CASE, "--delivered", plan, *options)
    assert result.exit_code == 2
    assert place in result.stderr


def test_wrong_files_are_named_with_their_place(
    run: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    early = write({"fractions": [{"lesion": "primary", "date": "2020-01-01", "dose_gy": 8}]})
    result = run("replan", CASE, "--delivered", early)
    assert result.exit_code == 2
    assert "fractions[0].date" in result.stderr
    unknown = write({"fractions": [], "tomorrow": 3}, "key.json")
    assert "unknown key" in run("replan", CASE, "--delivered", unknown).stderr
    csv = tmp_path / "x.csv"
    csv.write_text("kind,what,amount,day\nradiation,spleen,8,0\n")
    result = run("replan", CASE, "--delivered", csv)
    assert result.exit_code == 2
    assert "line 2 what" in result.stderr


def test_under_an_ensemble_and_with_counts(run: Any, plan: Path, tmp_path: Path) -> None:
    days = _days(plan)
    lesion = next(
        row.split(",")[3] for row in plan.read_text().splitlines() if ",radiation," in row
    )
    past = ("--delivered", plan, "--today", days[1] + 1, "--missed", f"{lesion}@{days[1]}")
    counts = tmp_path / "counts.toml"
    counts.write_text('[[observations]]\nkind = "alc"\nday = 0\nvalue = 1.6\n')
    refused = run("update", CASE, plan, *past, "--observations", counts, "--ensemble", "monitored")
    assert refused.exit_code == 2
    assert "no fraction was given on day" in refused.stderr
    result = run(
        "replan", CASE, *past, "--ensemble", "radiobiology", "--members", "2", "--gap", "0.2",
        "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    comparison = json.loads(result.stdout)["replan"]
    assert len(comparison["interruption_cost"]) == len(comparison["new"]["values"])
    given = [f["day"] for f in comparison["stopped"]["schedule"]["fractions"]]
    assert given == [days[0]]
