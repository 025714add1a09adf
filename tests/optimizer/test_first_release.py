"""The optima of the first release are reached today, where no newer term is stated.

`first_release.json` holds cases as that release read them, every library value written out, with
their reference optima; a later change of the library does not touch them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.load import build
from abscopt.optimizer import solve

FILE = Path(__file__).parent / "first_release.json"
FIRST: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FIRST)
def test_the_optimum_of_the_first_release_is_reached(name: str) -> None:
    entry = FIRST[name]
    # That release infused on any day.
    calendar = {**entry["case"].get("calendar", {}), "infusion_weekdays": list(range(7))}
    result = solve(build({**entry["case"], "calendar": calendar}))
    assert result.status == "optimal"
    assert result.objective == pytest.approx(entry["objective"], rel=1e-9)
    assert result.bound is not None
    assert result.bound >= entry["objective"] - 1e-9


@pytest.mark.parametrize("name", FIRST)
def test_a_fixture_leans_on_no_library(name: str) -> None:
    assert '"use"' not in json.dumps(FIRST[name]["case"])
