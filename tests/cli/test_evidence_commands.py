"""The commands `evidence`, `simulate` and `regimens`, and `evaluate --regimen` with trial arms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.trials import trial_arms

SCHEDULE = {
    "fractions": [
        {"lesion": "lesion", "day": 0, "dose_gy": 8.0},
        {"lesion": "lesion", "day": 1, "dose_gy": 8.0},
    ],
    "doses_of_drugs": [{"agent": "pembrolizumab", "day": 7, "dose_mg": 200.0}],
}


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    from abscopt.instances import load

    case = load("toy-blockade")
    name = case.lesions[case.irradiable[0]].name
    fractions = [dict(fraction, lesion=name) for fraction in SCHEDULE["fractions"]]
    drug = next(iter(case.drugs))
    doses = [dict(dose, agent=drug) for dose in SCHEDULE["doses_of_drugs"]]
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps({"fractions": fractions, "doses_of_drugs": doses}))
    return path


def test_evidence_as_json(run: Any) -> None:
    done = run("evidence", "--only", "maclennan-1978-fraction-number", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["format"], found["kind"]) == (1, "evidence")
    (row,) = found["findings"]
    assert row["id"] == "maclennan-1978-fraction-number"
    assert row["surrogate"] == "reproduced"
    assert row["simulators"]["maclennan"] == "reproduced"
    assert row["simulators"]["cho"] == "outside_range"
    assert all(requirement["holds"] for requirement in found["requirements"])


def test_evidence_of_an_unknown_finding(run: Any) -> None:
    done = run("evidence", "--only", "no-such-finding", "--scenario", "nowhere")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 2
    assert "no-such-finding" in done.stderr and "nowhere" in done.stderr


def test_simulate_as_json_and_text(run: Any, schedule: Path) -> None:
    done = run("simulate", "toy-blockade", schedule, "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["kind"] == "simulation"
    assert {model["name"] for model in found["models"]} >= {"cho", "kosinsky", "gonzalez-crespo"}
    shown = run("simulate", "toy-blockade", schedule)
    assert shown.exit_code == 0
    assert "Kendall tau" in shown.stdout
    assert "not for clinical use" in shown.stdout


def test_simulate_refuses_a_wrong_schedule(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({"fractions": [{"lesion": "nobody", "day": 0, "dose_gy": 8.0}]}))
    done = run("simulate", "toy-blockade", path)
    assert done.exit_code == 2
    assert "nobody" in done.stderr


def test_solve_adds_the_simulation_and_can_be_checked(run: Any, tmp_path: Path) -> None:
    done = run("solve", "toy-blockade", "--simulate", "--json", "--out", tmp_path)
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    labels = [entry["label"] for entry in document["simulation"]["schedules"]]
    assert "optimized" in labels
    assert "Ranking by" in (tmp_path / "report.txt").read_text()
    assert run("evaluate", "toy-blockade", tmp_path / "result.json").exit_code == 0
    document["simulation"]["schedules"][0]["label"] = "edited"
    spoiled = tmp_path / "spoiled.json"
    spoiled.write_text(json.dumps(document))
    assert run("evaluate", "toy-blockade", spoiled).exit_code == 2


def test_regimens_lists_every_trial_arm(run: Any) -> None:
    shown = run("regimens").stdout.splitlines()
    assert [line.split()[0] for line in shown] == list(trial_arms())
    found = json.loads(run("regimens", "--json").stdout)
    assert found["kind"] == "regimens"
    assert found["regimens"]["pacific"]["trial"] == "PACIFIC"


def test_a_trial_arm_on_a_case(run: Any) -> None:
    done = run("evaluate", "pembro-rt", "--regimen", "pembro-rt", "--site", "liver")
    assert done.exit_code == 0
    assert "every hard limit is kept" in done.stdout
    assert "published (verified)" in done.stdout
    found = json.loads(run("evaluate", "stage3-crt", "--regimen", "pacific", "--json").stdout)
    days = [f["day"] for f in found["schedule"]["fractions"]]
    assert len(days) == 30 and days[-1] == 39


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pembro-rt", "--regimen", "no-such-arm"), "no-such-arm"),
        (("pembro-rt", "--regimen", "standard", "--site", "liver"), "--site"),
        (("pembro-rt", "--regimen", "pembro-rt", "--site", "nowhere"), "nowhere"),
        (("pembro-rt", "schedule.json", "--site", "liver"), "--site"),
    ],
)
def test_regimens_that_do_not_fit(run: Any, arguments: tuple[str, ...], said: str) -> None:
    done = run("evaluate", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
