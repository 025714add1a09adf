"""The reference optima belong to the bundled cases as they are, and are still reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abscopt import instances
from abscopt.instances import load, names
from abscopt.optimizer import solve
from abscopt.optimizer.result import instance_digest

REFERENCE: dict[str, Any] = json.loads(
    (Path(instances.__file__).parent / "reference.json").read_text(encoding="utf-8")
)
QUICK = ("early-sabr", "mr-linac-5", "stage3-crt", "toy-blockade", "toy-fractionation")


@pytest.mark.parametrize("name", names())
def test_every_case_has_a_proven_reference(name: str) -> None:
    entry = REFERENCE[name]
    assert entry["instance_digest"] == instance_digest(load(name))
    assert entry["status"] == "optimal"
    assert 0 <= entry["bound"] - entry["objective"] <= 0.01 + 1e-9


@pytest.mark.parametrize("name", QUICK)
def test_the_reference_is_reached(name: str) -> None:
    case, entry = load(name), REFERENCE[name]
    result = solve(case)
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.bound is not None
    assert result.objective >= entry["bound"] - 2 * case.objective.gap
    assert result.bound >= entry["objective"] - 1e-9
