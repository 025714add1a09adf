"""`clock.py` of the timings counts what it says: lateness, missing schedules, wrong bounds."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from benchmark_scripts import script


@pytest.fixture(scope="module")
def clock() -> ModuleType:
    return script("clock")


def ended(clock: ModuleType, code: int = 0, wall: float = 5.5, **more: Any) -> Any:
    """A process with a limit of 5 s."""
    found = {"status": "feasible", "objective": -1.0, "bound": -0.5} | more
    known, best = found.pop("known", None), found.pop("best", None)
    used = clock.Usage(code, 4.0, 100.0, json.dumps(found), "")
    return clock.ended("case", "auto", 5.0, wall, used, known, best)


def test_a_run_in_time_with_a_true_bound_has_no_fault(clock: ModuleType) -> None:
    assert ended(clock, known=-2.0, best=-0.9).faults == []
    assert ended(clock, wall=6.4).faults == []


@pytest.mark.parametrize(
    ("code", "more", "fault"),
    [
        (0, {"wall": 6.6}, "1.6 s over"),
        (0, {"bound": -1.1}, "bound -1.1 below the objective -1"),
        (0, {"best": -0.4}, "bound -0.5 below the reference -0.4"),
        (4, {"objective": None, "known": -2.0}, "no schedule, though one is known"),
        (3, {"objective": None, "known": -2.0}, "says infeasible, though a schedule is known"),
        (1, {}, "exit code 1"),
    ],
)
def test_each_fault_is_told(clock: ModuleType, code: int, more: dict[str, Any], fault: str) -> None:
    run = ended(clock, code, **more)
    assert run.faults == [fault]
    assert fault in clock.row(run)


def test_the_table_is_sorted_by_overrun(clock: ModuleType) -> None:
    runs = [ended(clock, wall=5.1), ended(clock, wall=7.0), ended(clock, wall=6.0)]
    lines = [line for line in clock.page(runs, 5.0).splitlines() if line.startswith("| case |")]
    assert [line.split(" | ")[2] for line in lines[1:]] == ["+2.00", "+1.00", "+0.10"]
    assert "3 runs, 1 with a fault" in clock.page(runs, 5.0)


def test_a_whole_process_is_measured(clock: ModuleType) -> None:
    run = clock.run("toy-two-lesions", "toy-two-lesions", "auto", 60.0, None, None)
    assert run.status == "optimal" and run.code == 0
    assert run.processor > 0 and run.megabytes > 10 and run.wall > 0
    assert run.objective <= run.bound


def test_the_fixed_cases_of_the_fuzz_are_cases(clock: ModuleType) -> None:
    assert len(set(clock.HARDEST)) == len(clock.HARDEST) >= 10
    for stream, seed in clock.HARDEST:
        assert clock.build(clock.STREAMS[stream](seed)).lesions
