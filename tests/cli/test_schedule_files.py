"""What `solve --out` writes is read again: CSV and JSON, days or dates, here or on another case."""

import csv
import io
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import load
from abscopt.optimizer import evaluate
from abscopt.optimizer.results.reading.schedule_files import schedule_of_file
from abscopt.optimizer.schedule import Fraction, Schedule

EASTER = """
format = 1
name = "easter"
title = "Ten fractions over a holiday"
provenance = { source = "x", assumed = ["everything"] }
horizon_days = [84]
objective = { kind = "tumor_bed" }
immune = { use = "off" }
calendar = { start_date = 2026-03-30, holidays = [2026-04-03, 2026-04-06] }
[[lesions]]
use = "plain_lq"
name = "lung"
organ = "lung"
volume_cm3 = 20
course = { form = "uniform", fractions = [5], doses_gy = [10], interval_days = [2] }
"""


@pytest.fixture
def easter(tmp_path: Path) -> Path:
    path = tmp_path / "easter.toml"
    path.write_text(EASTER)
    return path


@pytest.fixture
def solved(run: Any, tmp_path: Path) -> Path:
    assert run("solve", "toy-blockade", "--out", tmp_path / "out").exit_code == 0
    return tmp_path / "out"


def evaluation(run: Any, case: object, file: object, *more: object) -> dict[str, Any]:
    done = run("evaluate", case, file, "--json", *more)
    assert done.exit_code == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("name", ["schedule.csv", "schedule.json", "result.json"])
def test_every_written_schedule_is_judged_alike(run: Any, solved: Path, name: str) -> None:
    written = json.loads((solved / "result.json").read_text())
    judged = evaluation(run, "toy-blockade", solved / name)
    assert judged["schedule"] == written["schedule"]
    assert judged["evaluation"] == written["evaluation"]


def test_days_follow_from_dates(run: Any, easter: Path, tmp_path: Path) -> None:
    dated = [{"lesion": "lung", "date": day, "dose_gy": 10} for day in ("2026-03-30", "2026-04-01")]
    path = tmp_path / "dated.json"
    path.write_text(json.dumps({"fractions": dated}))
    judged = evaluation(run, easter, path)
    assert [row["day"] for row in judged["schedule"]["fractions"]] == [0, 2]


@pytest.mark.parametrize("dropped", ["day", "date"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_either_day_or_date_is_enough(
    run: Any, solved: Path, tmp_path: Path, dropped: str, delimiter: str
) -> None:
    rows = list(csv.DictReader(io.StringIO((solved / "schedule.csv").read_text())))
    columns = [name for name in reversed(rows[0]) if name != dropped]
    path = tmp_path / "mine.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    written = json.loads((solved / "schedule.json").read_text())
    assert evaluation(run, "toy-blockade", path)["schedule"] == written


def test_slots_and_techniques_survive_the_csv(tmp_path: Path) -> None:
    case = load("bid-hyperfractionation")
    name = next(lesion.name for lesion in case.lesions if lesion.irradiable)
    schedule = Schedule.of(
        [Fraction(day, name, 1.2 + 0.1 * slot, slot) for day in (0, 1) for slot in (0, 1)], []
    )
    path = tmp_path / "schedule.csv"
    schedule.frame(case).to_csv(path, index=False)
    assert schedule_of_file(str(path), case) == schedule


def test_a_start_may_be_a_csv(run: Any, solved: Path) -> None:
    done = run("solve", "toy-blockade", "--start", solved / "schedule.csv", "--json")
    assert done.exit_code == 0
    written = json.loads((solved / "result.json").read_text())
    document = json.loads(done.stdout)
    assert document["objective"] >= written["objective"] - document["requested_gap"]


def test_simulate_reads_a_csv(run: Any, solved: Path) -> None:
    one, other = (
        json.loads(run("simulate", "toy-blockade", solved / name, "--json").stdout)
        for name in ("schedule.csv", "result.json")
    )
    assert one == other


@pytest.fixture
def variant(toy: dict[str, Any], write: Any) -> Path:
    """The toy case with a slower tumor."""
    toy["lesions"][0]["growth_doubling_time_days"] = 222
    path: Path = write(toy, "variant.json")
    return path


def test_a_result_of_another_case_needs_to_be_asked_for(
    run: Any, solved: Path, variant: Path
) -> None:
    refused = run("evaluate", variant, solved / "result.json")
    assert refused.exit_code == 2
    assert "another case" in refused.stderr
    judged = evaluation(run, variant, solved / "result.json", "--cross")
    here = load(str(variant))
    plain = schedule_of_file(str(solved / "schedule.json"), here)
    assert judged["evaluation"]["objective"] == evaluate(here, plain).objective
    assert judged["evaluation"] != json.loads((solved / "result.json").read_text())["evaluation"]
    assert run("simulate", variant, solved / "result.json", "--cross").exit_code == 0


def test_a_tampered_result_is_refused_across_cases(
    run: Any, solved: Path, variant: Path, tmp_path: Path
) -> None:
    document = json.loads((solved / "result.json").read_text())
    document["schedule"]["fractions"][0]["dose_gy"] += 1
    path = tmp_path / "tampered.json"
    path.write_text(json.dumps(document))
    done = run("evaluate", variant, path, "--cross")
    assert done.exit_code == 2
    assert "digest" in done.stderr


def test_compare_judges_schedules_on_the_cases_named(run: Any, solved: Path, variant: Path) -> None:
    done = run(
        "compare", variant, solved / "schedule.csv", solved / "result.json", "--cross", "--json"
    )
    assert done.exit_code == 0, done.stderr
    solved_row, *rows = json.loads(done.stdout)["rows"]
    assert [row["source"] for row in rows] == ["schedule", "schedule"]
    assert rows[0]["objective"] == rows[1]["objective"] <= solved_row["bound"]
    assert rows[0]["bound"] is None and rows[0]["verdict"] is None
    alone = run("compare", solved / "schedule.csv")
    assert alone.exit_code == 2
    assert "no case" in alone.stderr


def test_compare_says_what_a_schedule_breaks(run: Any, easter: Path, tmp_path: Path) -> None:
    path = tmp_path / "off.json"
    path.write_text(json.dumps({"fractions": [{"lesion": "lung", "day": 0, "dose_gy": 10}]}))
    done = run("compare", easter, path)
    assert done.exit_code == 0
    assert "breaks lung: the course is not on the lesion's menu" in " ".join(done.stdout.split())


HEAD = "kind,what,amount,unit,day"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line of columns"),
        ("hello\n", "neither JSON nor a CSV"),
        (f"{HEAD}\n", "empty schedule as JSON"),
        ("kind,what,amount,dya\nradiation,tumor,2,0\n", "did you mean day?"),
        ("kind,what,amount\nradiation,tumor,2\n", "day, date: one of these columns is needed"),
        ("kind,amount,day\nradiation,2,0\n", "what: this column is missing"),
        (f"{HEAD},day\nradiation,tumor,2,Gy,0,0\n", "column given twice"),
        (f"{HEAD}\nradiation,tumor,2,Gy,0,9\n", "line 2: 6 cells: the header has 5"),
        (f"{HEAD}\nsurgery,tumor,2,Gy,0\n", "must be radiation or drug"),
        (f"{HEAD}\nradiation,tumor,200,cGy,0\n", "line 2 unit: cGy: must be Gy"),
        (f"{HEAD}\nradiation,tumor,two,Gy,0\n", "line 2 amount: two: must be a number"),
        (f"{HEAD}\nradiation,tumor,nan,Gy,0\n", "line 2 amount: nan: must be a number"),
        (f"{HEAD}\nradiation,tumor,1_0,Gy,0\n", "line 2 amount: 1_0: must be a number"),
        (f"{HEAD}\nradiation,tumor,2,Gy,0.5\n", "line 2 day: 0.5: must be a whole number"),
        (f"{HEAD}\nradiation,tumor,2,Gy,\n", "line 2 day: empty: needs a day"),
        (f"{HEAD}\n\nradiation,nobody,2,Gy,0\n", "line 3 what: nobody: unknown"),
        (f"{HEAD}\nradiation,tumor,2,Gy,9999\n", "line 2 day"),
        (f"{HEAD},date\nradiation,tumor,2,Gy,0,2026-01-06\n", "line 2 date: 2026-01-06: day 0"),
        (
            "kind,what,amount,date\nradiation,tumor,2,2020-01-06\n",
            "line 2 date: 2020-01-06: before",
        ),
        ("kind,what,amount,date\nradiation,tumor,2,6.1.2026\n", "line 2 date"),
        (f"{HEAD},technique\ndrug,pembrolizumab,200,mg,0,arc\n", "must be empty for a drug"),
        (f"{HEAD}\nradiation,tumor,-2,Gy,0\n", "line 2 amount: -2.0"),
        (f'{HEAD}\nradiation,"tumor,2,Gy,0\n', "line 2"),
    ],
)
def test_wrong_cells_are_named_by_line(run: Any, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    done = run("evaluate", "toy-blockade", path)
    assert done.exit_code == 2
    assert words in re.sub(r"\s+", " ", done.stderr), done.stderr
    assert all(line.startswith(str(path)) for line in done.stderr.splitlines())


def test_a_row_needs_a_day_or_a_date_in_json(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"fractions": [{"lesion": "tumor", "dose_gy": 2}]}))
    done = run("evaluate", "toy-blockade", path)
    assert done.exit_code == 2
    assert "fractions[0]" in done.stderr and "needs a day" in done.stderr


def test_no_schedule_leaves_no_older_one_behind(run: Any, solved: Path) -> None:
    assert (solved / "schedule.json").exists()
    assert run("solve", "toy-blockade", "--time-limit", 0, "--out", solved).exit_code == 4
    assert not (solved / "schedule.json").exists()


def test_dates_of_another_calendar_are_seen(run: Any, solved: Path, toy: Any, write: Any) -> None:
    start = date(2026, 1, 5) + timedelta(days=7)
    toy["calendar"] = {"start_date": start.isoformat()}
    done = run("evaluate", write(toy, "later.json"), solved / "result.json", "--cross")
    assert done.exit_code == 2
    assert "of this case is" in done.stderr


def test_messages_hold_no_characters_that_a_terminal_obeys(run: Any, toy: Any, write: Any) -> None:
    toy["limits"][0]["sou\ufeffrce\x1b[31m"] = "a\x7fb"
    done = run("instances", "check", write(toy))
    assert done.exit_code == 2
    assert done.stderr.replace("\n", "").isprintable()
    assert "\\x1b" in done.stderr
