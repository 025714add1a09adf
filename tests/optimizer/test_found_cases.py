"""Cases in which an answer was wrong once, against enumeration: extremes of many terms together.

`effects-of-millions-of-nats`: slopes of the saturation that HiGHS dropped. `losses-of-three-nats`:
integers off by a tolerance reached into another band of lymphocyte loss. `one-plan-with-a-demand`:
courses that load least did not match. `phases-of-which-one-fits`: the longer list was looked at
alone. `doubling-twice-a-day`: coefficients beyond what HiGHS takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from brute_force import agrees, enumerate_by_judge

from abscopt.instances.load import build
from abscopt.optimizer import explain, solve
from abscopt.optimizer.evaluation import Judge

FOLDER = Path(__file__).with_name("found_cases")
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
GAP = 1e-4
ROUNDING = {"auto": 1e-9, "single": 1e-6}
"""Rows of a programme are as exact as HiGHS keeps them."""


@pytest.mark.aided
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["auto", "single"])
def test_a_case_is_solved_as_by_enumeration(name: str, method: Literal["auto", "single"]) -> None:
    case = build(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    found = enumerate_by_judge(case, Judge(case))
    assert found.best is not None
    assert agrees(solve(case, gap=GAP, method=method), found.best, GAP, ROUNDING[method])


@pytest.mark.parametrize("name", NAMES)
def test_a_case_with_a_schedule_is_said_to_have_one(name: str) -> None:
    case = build(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    assert explain(case).feasible
