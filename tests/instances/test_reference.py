"""The reference optima belong to the bundled cases as they are, and are still reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abscopt import instances
from abscopt.instances import load, names
from abscopt.optimizer import solve
from abscopt.optimizer.results.result import instance_digest

REFERENCE: dict[str, Any] = json.loads(
    (Path(instances.__file__).parent / "reference.json").read_text(encoding="utf-8")
)
QUICK = (
    "bid-hyperfractionation",
    "central-sbrt",
    "co-targets",
    "ctla4-or-pd1",
    "hfrt-crt",
    "lymphopenia",
    "mr-linac-5",
    "nodes-or-not",
    "partial-bulky-burden",
    "reirradiation",
    "resistant-clone",
)
"""Beside the cases of `tests/optimizer/test_neighbors.py`, which are held against theirs there."""


@pytest.mark.parametrize("name", names())
def test_every_case_has_a_proven_reference(name: str) -> None:
    case, entry = load(name), REFERENCE[name]
    assert entry["instance_digest"] == instance_digest(case)
    assert entry["status"] == "optimal"
    assert entry["unit"] == case.objective.unit
    assert 0 <= entry["bound"] - entry["objective"] <= case.objective.gap * (1 + 1e-9)


@pytest.mark.parametrize("name", ["early-sabr", "oligomet-4", "pembro-rt", "stage3-crt"])
def test_tight_and_relaxed_variants_have_other_optima(name: str) -> None:
    tight, base, relaxed = (REFERENCE[name + kind] for kind in ("-tight", "", "-relaxed"))
    assert tight["bound"] < base["objective"]
    assert base["bound"] < relaxed["objective"]


@pytest.mark.parametrize("name", QUICK)
def test_the_reference_is_reached(name: str) -> None:
    case, entry = load(name), REFERENCE[name]
    result = solve(case)
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.bound is not None
    assert result.objective >= entry["bound"] - 2 * case.objective.gap
    assert result.bound >= entry["objective"] - 1e-9
