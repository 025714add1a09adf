"""`members.py` of the timings stores what every run came to, refusals too, and runs none twice."""

from __future__ import annotations

import argparse
import json
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import script

OPTIONS = argparse.Namespace(gap=0.05, limit=60.0)


@pytest.fixture(scope="module")
def members() -> ModuleType:
    return script("members")


@pytest.fixture(scope="module")
def members_page() -> ModuleType:
    return script("members_page")


def table() -> dict[str, Any]:
    return {"machine": {"system": "S", "cpu": "C", "cores": 2}, "versions": {"python": "3"},
            "gap": 0.05, "nominal": {}, "rows": []}  # fmt: skip


def test_a_refused_rival_has_the_sentence_as_its_result(
    members: ModuleType, members_page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("oligomet-4", "mean", "plausible-20", "20")
    refused = members._process(OPTIONS, "programme", *run, "5")
    assert "--method single holds at most" in refused["failure"]
    answers = {"nominal": {"cpu": 2.0, "objective": -1.0}, "programme": refused,
               "decided": {"cpu": 8.0, "alone": 2.0, "wall": 9.0, "peak_mb": 90.0, "nodes": 3,
                           "status": "optimal", "objective": -2.0, "bound": -1.96, "gap": 0.04},
               }  # fmt: skip
    monkeypatch.setattr(members, "_process", lambda options, what, *more: answers[what])
    monkeypatch.setattr(members, "RUNS", (members.Run(*run[:3], int(run[3]), (("programme", 1),)),))
    stored = table()
    assert len(list(members.measured(stored, OPTIONS))) == 3
    assert list(members.measured(json.loads(json.dumps(stored)), OPTIONS)) == []
    shown = members_page.page(stored, [])
    assert "--method single holds at most" in shown
    assert "one MILP has no number" in shown
    assert "| 8.0 | 2.0 | 4.0 | optimal |" in shown


def test_rows_that_exist_are_known_before_a_run_dies(
    members: ModuleType, members_page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        members, "RUNS", (members.Run("a", "mean", "e", 2), members.Run("b", "worst", "e", 3))
    )
    monkeypatch.setattr(members, "_process", lambda *more: {"failure": "exit code -9"})
    stored = table()
    told = members.measured(stored, OPTIONS)
    next(told), next(told)
    assert [row["case"] for row in stored["rows"]] == ["a"]
    shown = members_page.page(stored, members.lacking(stored))
    assert "a, mean, 2 members of e: exit code -9" in shown
    assert "b, worst, 3 members of e: not run" in shown


def test_a_process_that_dies_says_why(members: ModuleType) -> None:
    died = members._process(OPTIONS, "nominal", "no-such-case")
    assert died["failure"].startswith("exit code")
    assert "no-such-case" in died["failure"]


def test_the_exponent_is_that_of_a_power_law_from_three_sizes_on(members_page: ModuleType) -> None:
    rows = [
        {"case": "c", "risk": "mean", "ensemble": "e", "members": n, "cpu": 0.3 * n**1.4,
         "status": "optimal"}
        for n in (5, 10, 50)
    ]  # fmt: skip
    ((sizes, slope),) = members_page.exponents(rows).values()
    assert sizes == [5, 10, 50]
    assert np.isclose(slope, 1.4)
    assert members_page.exponents(rows[:2]) == {}
    assert members_page.exponents([*rows[:2], rows[2] | {"status": "feasible"}]) == {}
