"""Logs of solves: what happened when, whether the solve came to its end or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import load
from abscopt.instances.load import InputError
from abscopt.optimizer import SolveLog, read_log, solve


def lines(file: Path) -> list[dict[str, Any]]:
    """Every line of a log."""
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("method", ["auto", "single"])
def test_a_log_says_what_the_result_says(method: str, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    solved = run("solve", "toy-two-lesions", "--method", method, "--log", file, "--json")
    assert solved.exit_code == 0
    document = json.loads(solved.stdout)
    begin, *events = lines(file)
    assert (begin["kind"], begin["instance"]) == ("solve_log", "toy-two-lesions")
    assert begin["instance_digest"] == document["instance_digest"]
    assert begin["options"]["method"] == method
    end = events[-1]
    assert end["kind"] == "end"
    for key in ("status", "objective", "bound", "gap"):
        assert end[key] == document[key]
    assert end["nodes"] == document["solver"]["nodes"]
    times = [event["seconds"] for event in (begin, *events)]
    assert times == sorted(times)
    text = read_log(file).solver_text
    assert ("BestBound" in text) == (method == "single")
    plain = json.loads(run("solve", "toy-two-lesions", "--method", method, "--json").stdout)
    assert plain["digest"] == document["digest"], "a log changes nothing"


def test_gaps_are_reached_in_their_order(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    run("solve", "early-sabr", "--log", file)
    log = read_log(file)
    frame = log.frame()
    assert frame["incumbent"].dropna().is_monotonic_increasing
    assert frame["bound"].dropna().is_monotonic_decreasing
    assert frame["gap"].dropna().is_monotonic_decreasing
    assert log.first_schedule is not None
    times = [log.time_to_gap(gap) for gap in (1.0, 0.1, 0.01)]
    assert None not in times
    assert times == sorted(times, key=float)  # type: ignore[arg-type]
    assert log.time_to_gap(0.0) is None
    shown = run("log", file, "--gap", "0.01", "--json")
    row = json.loads(shown.stdout)["rows"][0]
    assert (row["gap_0.01"], row["status"]) == (times[2], "optimal")
    assert "log.jsonl   early-sabr   optimal" in run("log", file).stdout


def written(tmp_path: Path, *reports: tuple[float, float | None, float | None], end: Any) -> Path:
    """A log with (seconds, incumbent, bound) reports."""
    events: list[dict[str, Any]] = [
        {"kind": "solve_log", "seconds": 0.0, "format": 1, "instance": "x"}
    ]
    for seconds, incumbent, bound in reports:
        numbers = {"incumbent": incumbent, "bound": bound, "nodes": None}
        events.append({"kind": "progress", "seconds": seconds, "phase": "p", **numbers})
    if end is not None:
        events.append({"kind": "end", "seconds": 9.0, "nodes": 3, **end})
    file = tmp_path / "made.jsonl"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return file


def test_a_bound_that_was_withdrawn_proves_no_gap(tmp_path: Path) -> None:
    reports = [(1.0, 5.0, None), (2.0, 5.0, 5.05), (3.0, 7.0, 8.0), (4.0, 7.0, 7.5)]
    held = {"status": "feasible", "objective": 7.0, "bound": 7.5, "gap": 0.5}
    log = read_log(written(tmp_path, *reports, end=held))
    assert log.time_to_gap(0.1) is None, "5.05 did not hold"
    assert (log.time_to_gap(2.5), log.time_to_gap(0.5)) == (2.0, 3.0)
    none = {"status": "feasible", "objective": 7.0, "bound": None, "gap": None}
    assert read_log(written(tmp_path, *reports, end=none)).time_to_gap(100.0) is None


def test_a_log_of_a_killed_solve_is_read_up_to_its_last_whole_line(
    run: Any, tmp_path: Path
) -> None:
    file = written(tmp_path, (1.0, 5.0, 6.0), (2.0, 5.5, 5.6), end=None)
    file.write_text(file.read_text() + '{"kind": "progr')
    log = read_log(file)
    assert log.outcome is None
    assert log.time_to_gap(0.2) == 2.0
    assert "not ended" in run("log", file).stdout
    for wrong in ("", "text\n", '{"kind": "result", "seconds": 1}\n', "[1]\n"):
        file.write_text(wrong)
        with pytest.raises(InputError, match="must be a log"):
            read_log(file)
        assert run("log", file).exit_code == 2


def test_a_log_that_cannot_be_written_is_refused_before_the_solve(run: Any, tmp_path: Path) -> None:
    refused = run("solve", "toy-blockade", "--log", tmp_path / "none" / "log.jsonl")
    assert refused.exit_code == 2
    assert "--log" in refused.stderr
    assert refused.stdout == ""
    both = run("solve", "toy-blockade", "--log", tmp_path / "log", "--ensemble", "radiobiology")
    assert "--log does not go with an ensemble" in both.stderr


def test_in_python_a_log_is_a_listener(tmp_path: Path) -> None:
    case, phases = load("toy-blockade"), list[str]()
    with SolveLog(tmp_path / "log.jsonl", case, lambda p: phases.append(p.phase)) as log:
        log.end(solve(case, listener=log))
    read = read_log(tmp_path / "log.jsonl")
    assert phases
    assert read.outcome is not None
    assert read.outcome["status"] == "optimal"
    assert {row["phase"] for row in lines(tmp_path / "log.jsonl")[1:-1]} <= {*phases}
