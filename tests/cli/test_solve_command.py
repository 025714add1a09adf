"""What `abscopt solve` does with whatever the pipeline returns, told by a pipeline made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abscopt import optimizer
from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate
from abscopt.optimizer.progress import Progress, ProgressLine
from abscopt.optimizer.result import Certificate, Result, ResultStatus, SolverRun
from abscopt.optimizer.schedule import standard_schedule

CASE = "toy-blockade"
FILES = {"result.json", "schedule.csv", "schedule.json", "limits.csv", "lesions.csv", "report.txt"}
Fake = Callable[[ResultStatus], list[dict[str, Any]]]


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Replace `solve`; returns the list of option sets it was called with."""

    def install(status: ResultStatus) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def solve(instance: Instance, **options: Any) -> Result:
            calls.append(options)
            for phase in ("bound", "search", "join"):
                options["listener"](Progress(phase, None, -1.0, 0.5))
            schedule = standard_schedule(instance) if status in ("optimal", "feasible") else None
            verdict = evaluate(instance, schedule) if schedule else None
            return Result(
                instance=instance.name,
                status=status,
                objective=verdict.objective if verdict else None,
                bound=verdict.objective + (0.0 if status == "optimal" else 1.0)
                if verdict
                else None,
                unit="nat",
                requested_gap=0.01,
                certificate=Certificate("by hand"),
                schedule=schedule,
                evaluation=verdict,
                standard=None,
                solver=SolverRun("none", "0", "auto", 0.5, 0, 0, 0),
                seed=options["seed"],
            )

        monkeypatch.setitem(vars(optimizer), "solve", solve)
        return calls

    return install


@pytest.mark.parametrize(
    ("status", "code"), [("optimal", 0), ("feasible", 0), ("infeasible", 3), ("unknown", 4)]
)
def test_exit_code_says_how_it_ended(
    run: Any, tmp_path: Path, pipeline: Fake, status: ResultStatus, code: int
) -> None:
    pipeline(status)
    result = run("solve", CASE, "--json", "--out", tmp_path)
    assert result.exit_code == code
    assert json.loads(result.stdout)["status"] == status
    nothing = status in ("infeasible", "unknown")
    left_out = {"schedule.json"} if nothing else set()
    assert {path.name for path in tmp_path.iterdir()} == FILES - left_out
    assert (tmp_path / "result.json").read_text() == result.stdout
    person = run("solve", CASE)
    assert person.exit_code == code
    assert person.stdout == (tmp_path / "report.txt").read_text()


def test_options_arrive(run: Any, pipeline: Fake) -> None:
    calls = pipeline("optimal")
    run("solve", CASE)
    some = ["--gap", "0.5", "--time-limit", "9", "--threads", "3"]
    run("solve", CASE, *some, "--seed", "7", "--method", "single")
    for call in calls:
        del call["listener"]
    begun = {"start": None}
    assert calls == [
        {"gap": None, "time_limit": None, "threads": 1, "seed": 0, "method": "auto"} | begun,
        {"gap": 0.5, "time_limit": 9.0, "threads": 3, "seed": 7, "method": "single"} | begun,
    ]


def test_progress_is_one_line_every_few_seconds(run: Any, pipeline: Fake) -> None:
    pipeline("optimal")
    result = run("solve", CASE)
    assert result.stderr == "bound: bound -1.0000, best -, gap -, 0.5 s\n"


def test_progress_waits_between_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        for i, seconds in enumerate([0.0, 1.0, 4.9, 5.0, 9.0, 10.5]):
            line(Progress(f"phase{i}", -2.0, -1.5, seconds))
    shown = capsys.readouterr().err.splitlines()
    assert [text.partition(":")[0] for text in shown] == ["phase0", "phase3", "phase5"]
    assert "best -2.0000, gap 0.5000" in shown[0]


def test_a_terminal_gets_one_line_that_is_cleared(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        line._terminal = True
        for i, seconds in enumerate([0.0, 0.05, 1.0]):
            line(Progress(f"phase{i}", None, None, seconds))
    shown = capsys.readouterr().err.replace("\x1b[K", "")
    assert "\n" not in shown
    assert [part.partition(":")[0] for part in shown.split("\r")] == ["", "phase0", "phase2", ""]


def test_out_that_is_a_file_stops_before_solving(run: Any, tmp_path: Path, pipeline: Fake) -> None:
    calls = pipeline("optimal")
    path = tmp_path / "file"
    path.write_text("mine")
    for out in (path, path / "below"):
        result = run("solve", CASE, "--out", out)
        assert result.exit_code == 2
        assert "--out" in result.stderr
        assert result.stdout == ""
    assert calls == []
    assert path.read_text() == "mine"


def test_a_second_run_replaces_every_file(run: Any, tmp_path: Path, pipeline: Fake) -> None:
    pipeline("optimal")
    run("solve", CASE, "--out", tmp_path)
    pipeline("infeasible")
    run("solve", CASE, "--out", tmp_path)
    assert len((tmp_path / "schedule.csv").read_text().splitlines()) == 1
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "infeasible"
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"schedule.json"}
