"""The search begins from the standard regimen, also where its dose differs in the last digits."""

from __future__ import annotations

import tomllib

from abscopt.instances import build
from abscopt.instances.load import CASES
from abscopt.optimizer import solve


def test_a_standard_dose_that_equals_the_menu_up_to_rounding_is_on_offer() -> None:
    raw = tomllib.loads((CASES / "toy-two-lesions.toml").read_text(encoding="utf-8"))
    for course in raw["standard"]["courses"]:
        course["dose_gy"] *= 1 + 5e-10
    result = solve(build(raw))
    assert result.standard is not None
    assert result.standard.feasible
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.objective >= result.standard.objective
