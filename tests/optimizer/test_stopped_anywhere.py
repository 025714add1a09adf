"""Stopped at any look at the clock, a solve keeps what it has: a judged schedule, a true bound."""

from __future__ import annotations

from typing import Literal

import pytest
from click.testing import CliRunner
from clocks import Stopping

from abscopt.cli import main
from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import pipeline, progress, solve
from abscopt.optimizer.assurance import known, known_at_once
from abscopt.optimizer.assurance.known_at_once import without_tables
from abscopt.optimizer.crosscheck.handover import exchange
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.progress import Listener

Method = Literal["auto", "single"]

STOPS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584)
"""Looks at the clock after which it is over: close at first, where tables and programme begin."""

OPTIMA: dict[tuple[str, Method], float] = {}


def optimum(name: str) -> float:
    """The judged optimum within the gap, solved once."""
    if (name, "auto") not in OPTIMA:
        value = solve(load(name)).objective
        assert value is not None
        OPTIMA[name, "auto"] = value
    return OPTIMA[name, "auto"]


def without_standard(name: str) -> Instance:
    """A bundled case in which no schedule is known before."""
    return load(name).unchecked({"standard": None})


def stopping(monkeypatch: pytest.MonkeyPatch, looks: int) -> Stopping:
    """Let the solve run by a clock that expires after so many looks."""
    clock = Stopping(looks)

    def made(limit: float | None = None, listener: Listener | None = None) -> Stopping:
        return clock

    monkeypatch.setattr(pipeline, "Clock", made)
    monkeypatch.setattr(exchange, "Clock", made)
    return clock


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, the same schedules are tried."""
    monkeypatch.setattr(known_at_once, "SECONDS", 60.0)
    monkeypatch.setattr(known, "SECONDS", 5.0)


@pytest.mark.parametrize("looks", STOPS)
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("toy-two-lesions", "auto"), ("toy-two-lesions", "single"), ("early-sabr", "auto"),
        ("early-sabr", "single"), ("mixed-free", "auto"), ("mixed-free", "single"),
        ("toy-fractionation", "single"), ("mr-linac-1", "auto"),
    ],
)  # fmt: skip
def test_what_is_in_hand_is_kept_wherever_the_clock_stops(
    name: str, method: Method, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, case = optimum(name), without_standard(name)
    stopping(monkeypatch, looks)
    result = solve(case, method=method)
    assert result.status in ("feasible", "optimal")
    assert result.schedule is not None and result.objective is not None
    verdict = Judge(case).evaluate(result.schedule)
    assert verdict.feasible
    assert verdict.objective == pytest.approx(result.objective, abs=1e-9)
    if result.bound is not None:
        assert result.bound >= max(best, result.objective) - 1e-6


@pytest.mark.parametrize("name", ["oligomet-4", "toy-free-pair", "high-low-dose", "mr-linac-3"])
def test_a_schedule_is_found_without_tables(name: str) -> None:
    case = load(name)
    found = without_tables(case, Judge(case))
    assert found is not None
    verdict = Judge(case).evaluate(found[0])
    assert verdict.feasible and verdict.objective == found[1]
    assert verdict.objective <= (solve(case, time_limit=5).bound or 0.0) + 1e-9


def test_nothing_is_made_up_where_nothing_is_feasible() -> None:
    case = load("toy-two-lesions")
    limits = [limit.unchecked({"cap_gy": 1e-6}) for limit in case.limits]
    lesions = [
        lesion.unchecked({"least_bed_gy": 1.0}) if lesion.irradiable else lesion
        for lesion in case.lesions
    ]
    hopeless = case.unchecked({"limits": tuple(limits), "lesions": tuple(lesions)})
    assert without_tables(hopeless, Judge(hopeless)) is None


@pytest.mark.parametrize("looks", [1, 3, 10])
def test_an_export_out_of_time_says_so_and_ends_with_4(
    looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping(monkeypatch, looks)
    ended = CliRunner().invoke(main, ["export", "early-sabr", "--format", "lp"])
    assert ended.exit_code == 4
    assert ended.stdout == ""
    said = [line for line in ended.stderr.splitlines() if line.startswith("abscopt: ")]
    assert said == [
        "abscopt: early-sabr: no programme was built within the time limit; allow more "
        "time, or a larger --gap, with which more is dropped"
    ]


def test_the_stopped_clock_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and programme look at it: more often than the few rounds of a search."""
    clock = stopping(monkeypatch, 10**9)
    solve(load("toy-two-lesions"), method="single")
    assert 10**9 - clock.looks > 100
    assert getattr(progress._running, "clock", None) is None
