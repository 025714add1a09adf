"""`abscopt explain`: what it prints, its document, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASE = "toy-two-lesions"


def test_a_conflict_is_told_with_what_mends_it(run: Any, write: Callable[[Any, str], Path]) -> None:
    case = write(infeasible(), "case.json")
    text = run("explain", case)
    assert text.exit_code == 0
    assert "must: 2 lesions are required" in text.stdout
    document = json.loads(run("explain", case, "--json").stdout)
    assert document["kind"] == "explanation"
    (found,) = document["explanations"]
    assert found["feasible"] is False and found["complete"]
    assert found["conflicts"][0]["places"] == ["limits.must", "limits.small"]
    changes = [change for entry in found["relaxations"] for change in entry["changes"]]
    assert "limits.must.floor=1" in changes
    for entry in found["relaxations"]:
        changed = [part for change in entry["changes"] for part in ("--set", change)]
        assert run("solve", case, "--json", *changed).exit_code == 0


def infeasible() -> dict[str, Any]:
    """Two lesions are asked for, and a point of one organ does not bear a course of either."""
    cited = {"source": "x", "status": "assumed"}
    return {
        "extends": CASE,
        "name": "both",
        "title": "both",
        "limits": [
            {"kind": "logistics", "name": "must", "quantity": "lesions", "floor": 2, **cited},
            {"kind": "logistics", "name": "small", "quantity": "machine_days", "cap": 5, **cited},
        ],
    }


def test_a_feasible_case_has_nothing_to_explain(run: Any) -> None:
    text = run("explain", CASE)
    assert text.exit_code == 0
    assert "nothing to explain" in text.stdout or "could be treated" in text.stdout


def test_unknown_lesions_are_refused(run: Any) -> None:
    refused = run("explain", CASE, "--lesion", "nobody")
    assert refused.exit_code == 2
    assert "nobody" in refused.stderr
