"""Results as scripts and notebooks use them: by name, with their case, read back from files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from abscopt.instances.load import InputError, load
from abscopt.optimizer import evaluate, solve
from abscopt.optimizer.results.result import Result


@pytest.fixture(scope="module")
def result() -> Result:
    return solve("toy-blockade")


def test_a_case_may_be_named(result: Result) -> None:
    case = load("toy-blockade")
    assert result == solve(case) or result.schedule == solve(case).schedule
    assert result.case == case and result.schedule is not None
    assert evaluate("toy-blockade", result.schedule).objective == result.objective
    with pytest.raises(InputError):
        solve("no-such-case")


def test_a_result_carries_its_case(result: Result) -> None:
    assert list(result.schedule_frame().columns) == list(
        result.schedule_frame(load("toy-blockade")).columns
    )
    assert "toy-blockade" in result.summary() and "Not a medical device" in result.summary()
    assert repr(result).startswith("Result(toy-blockade: optimal, objective ")
    assert len(repr(result)) < 100
    assert result._repr_html_().startswith("<pre>")
    assert result.plot("control").axes


def test_a_result_reads_back(result: Result, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    result.save(file)
    again = Result.load(file)
    assert again.to_json() == json.loads(file.read_text(encoding="utf-8"))
    assert again.schedule == result.schedule and again.notes == result.notes
    assert again.evaluation == result.evaluation and again.summary() == result.summary()
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 3'), encoding="utf-8")
    with pytest.raises(InputError, match="digest"):
        Result.load(file)


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.0485, 0.0486, 1.2345])
def test_any_time_reads_back(result: Result, tmp_path: Path, seconds: float) -> None:
    timed = replace(result, solver=replace(result.solver, seconds=seconds))
    timed.save(tmp_path / "timed.json")
    assert Result.load(tmp_path / "timed.json").to_json() == timed.to_json()


def test_a_result_of_a_changed_case_reads_back(tmp_path: Path) -> None:
    case = load("toy-blockade").with_({"objective.gap": 0.5})
    answer = solve(case)
    answer.save(tmp_path / "changed.json")
    assert Result.load(tmp_path / "changed.json").case == case


def test_a_result_without_its_case_says_so(result: Result) -> None:
    bare = Result(**{**vars(result), "case": None})
    with pytest.raises(ValueError, match="give toy-blockade"):
        bare.summary()
    assert bare.to_json(result.case) == result.to_json()
