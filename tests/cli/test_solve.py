"""`abscopt solve`: exit codes, documents, files and progress of real runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from abscopt.optimizer.results.result import DISCLAIMER

TOYS = ("toy-fractionation", "toy-two-lesions", "toy-blockade")
FILES = {"result.json", "schedule.csv", "schedule.json", "limits.csv", "lesions.csv", "report.txt"}
KEYS = {"format", "instance", "status", "objective", "bound", "gap", "certificate", "schedule"}
KEYS |= {"evaluation", "solver", "versions", "seed"}


def without_time(text: str) -> str:
    document = json.loads(text)
    document["solver"]["seconds"] = 0
    return json.dumps(document)


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("method", ["auto", "single"])
def test_toys_are_solved_to_proof_and_confirmed(
    run: Any, tmp_path: Path, name: str, method: str
) -> None:
    result = run("solve", name, "--json", "--method", method)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert set(document) >= KEYS
    assert document["kind"] == "result"
    assert document["status"] == "optimal"
    assert document["gap"] <= document["requested_gap"]
    path = tmp_path / "result.json"
    path.write_text(result.stdout)
    again = run("evaluate", name, path, "--json")
    assert again.exit_code == 0
    judged = json.loads(again.stdout)["evaluation"]
    assert judged["objective"] == pytest.approx(document["objective"], rel=1e-12)


def test_optima_known_by_hand(run: Any) -> None:
    for name, objective, tolerance in (
        ("toy-fractionation", 75.0, 1e-9),
        ("toy-two-lesions", -2.4502, 5e-4),
        ("toy-blockade", -1.2375, 5e-4),
    ):
        document = json.loads(run("solve", name, "--json", "--gap", "1e-6").stdout)
        assert document["objective"] == pytest.approx(objective, abs=tolerance)


@pytest.mark.parametrize("name", TOYS)
def test_equal_runs_print_equal_bytes_but_for_the_time(name: str) -> None:
    command = [sys.executable, "-m", "abscopt.cli", "solve", name, "--json", "--seed", "3"]
    one, two = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    assert without_time(one) == without_time(two)


def test_the_report_is_for_a_person(run: Any) -> None:
    result = run("solve", "toy-two-lesions")
    assert result.exit_code == 0
    for words in ("3 x 10 Gy", "3 x 8 Gy", "Standard regimen", "Gap", DISCLAIMER):
        assert words in result.stdout
    assert "\x1b" not in result.stdout + result.stderr


def test_out_writes_every_file(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    result = run("solve", "toy-two-lesions", "--out", folder, "--json")
    assert result.exit_code == 0
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "result.json").read_text() == result.stdout
    assert "date,day,kind,what,amount,unit" in (folder / "schedule.csv").read_text()
    assert run("evaluate", "toy-two-lesions", folder / "result.json").exit_code == 0


def test_no_time_means_unknown(run: Any, tmp_path: Path) -> None:
    result = run("solve", "toy-blockade", "--time-limit", "0", "--json", "--out", tmp_path)
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    assert document["status"] == "unknown"
    assert document["schedule"] is None
    assert document["objective"] is None
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"schedule.json"}


def test_an_infeasible_case_exits_with_3(run: Any, write: Any, toy: dict[str, Any]) -> None:
    extra = {"source": "test", "status": "assumed"}
    must = {"kind": "logistics", "name": "treat", "quantity": "lesions", "floor": 1}
    toy["limits"][0]["cap_gy"] = 1  # 3 x 5 Gy gives the organ 6 Gy
    toy["limits"].append(must | extra)
    path = write(toy)
    result = run("solve", path, "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert (document["status"], document["schedule"]) == ("infeasible", None)
    person = run("solve", path)
    assert person.exit_code == 3
    assert "Infeasible" in person.stdout


def test_progress_goes_to_stderr(run: Any) -> None:
    result = run("solve", "toy-blockade", "--json")
    json.loads(result.stdout)
    assert all("bound" in line for line in result.stderr.splitlines())


@pytest.mark.parametrize("kind", ["default", "log_control", "expected_control", "log_kill"])
def test_certificate_says_how_the_objective_enters_the_proof(
    run: Any, toy: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(toy | {"objective": {"kind": kind}}, default=str))
    forms = [
        json.loads(run("solve", path, "--json", "--method", method).stdout)["certificate"]
        for method in ("auto", "single")
    ]
    exact, programme = (form["objective_form"] for form in forms)
    assert exact == f"{kind}: exact in every schedule that was compared"
    assert programme.startswith(f"{kind}: ") and "tangents" in programme
