"""What `abscopt solve` does with whatever the pipeline returns, told by a pipeline made by hand."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abscopt import optimizer
from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate
from abscopt.optimizer.process import started
from abscopt.optimizer.process.started import ANSWER_SECONDS, time_left
from abscopt.optimizer.progress import Clock, Progress, ProgressLine
from abscopt.optimizer.results.result import Certificate, Result, ResultStatus, SolverRun
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
    begun, left = {"start": None}, time_left(9.0)
    assert calls == [
        {"gap": None, "time_limit": None, "threads": 1, "seed": 0, "method": "auto"} | begun,
        {"gap": 0.5, "time_limit": left, "threads": 3, "seed": 7, "method": "single"} | begun,
    ]


def test_a_limit_counts_from_the_start_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started.elapsed() == 0.0, "inside somebody else's process"
    monkeypatch.setattr(started, "elapsed", lambda: 2.0)
    assert time_left(10.0) == pytest.approx(8.0 - ANSWER_SECONDS)
    assert time_left(2.0) == 1.0, "half is for the solve"
    assert time_left(0.0) == 0.0
    assert time_left(None) is None


def test_what_the_interpreter_took_counts_in_a_program() -> None:
    code = (
        "import sys, time; sys.argv[:] = ['abscopt']; used = time.process_time()\n"
        "from abscopt.optimizer.process import started; print(started.elapsed() >= used > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_progress_is_one_line_every_few_seconds(run: Any, pipeline: Fake) -> None:
    pipeline("optimal")
    result = run("solve", CASE)
    assert result.stderr == "bound: bound -1.0000, best -, gap -, 0.5 s\n"


def test_progress_waits_between_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        for i, seconds in enumerate([0.0, 0.2, 0.7, 0.9, 1.4, 60.0, 61.0, 65.0, 69.5]):
            line(Progress(f"phase{i}", -2.0, -1.5, seconds))
    shown = capsys.readouterr().err.splitlines()
    expected = ["phase0", "phase2", "phase4", "phase5", "phase8"]  # later a log grows slowly
    assert [text.partition(":")[0] for text in shown] == expected
    assert "best -2.0000, gap 0.5000" in shown[0]


def test_the_listener_hears_every_second_while_the_solve_is_inside_other_code() -> None:
    heard: list[Progress] = []
    clock = Clock(None, heard.append)
    with clock.running("preparing"):
        time.sleep(1.2)
        clock.report("search", -3.0, -1.0)
        time.sleep(1.2)
    count = len(heard)
    time.sleep(0.6)
    assert len(heard) == count, "nothing is told once the solve is over"
    times = [0.0, *(report.elapsed for report in heard), clock.elapsed - 0.6]
    assert max(b - a for a, b in itertools.pairwise(times)) < 1.5  # of a busy machine
    assert heard[0].phase == "preparing"
    assert (heard[-1].phase, heard[-1].incumbent, heard[-1].bound) == ("search", -3.0, -1.0)


def test_what_a_listener_raises_between_reports_is_raised_by_the_next_report() -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError

    clock = Clock(None, fail)
    with clock.running("preparing"):
        time.sleep(0.8)
        with pytest.raises(ZeroDivisionError):
            clock.report("search", None, None)


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
