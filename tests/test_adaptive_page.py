"""`docs/adaptive.md` says what is stored, and what is stored holds what is promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_scripts import STUDIES, script

ROOT = Path(__file__).parents[1]


def stored() -> tuple[list[object], dict[str, str]]:
    table = json.loads((STUDIES / "closed_loop.json").read_text(encoding="utf-8"))
    return [script("closed_loop").Row(**row) for row in table["rows"]], table["about"]


def test_the_page_is_of_the_stored_rows() -> None:
    rows, about = stored()
    text = (ROOT / "docs" / "adaptive.md").read_text(encoding="utf-8")
    assert text == script("closed_loop").page(rows, about)


def test_every_way_to_go_on_has_two_hundred_patients_of_both_origins() -> None:
    rows, _ = stored()
    ways = [(row.case, row.truth, row.arm) for row in rows]
    assert len(set(ways)) == len(ways)
    assert all(row.patients >= 200 for row in rows)
    assert all(row.seconds > 0.0 and row.solves in (1, row.patients) for row in rows)
    for case in {row.case for row in rows}:
        for truth in ("inside", "outside"):
            of_case = {row.arm: row for row in rows if (row.case, row.truth) == (case, truth)}
            assert set(of_case) == set(script("closed_loop").ARMS)
            assert of_case["robust"].gain == 0.0
            assert of_case["told"].gain >= max(
                of_case[arm].gain for arm in ("again", "counts", "all", "all, noisy")
            )


def test_the_figure_is_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows, _ = stored()
    for name in ("a.svg", "b.svg"):
        script("closed_loop").figure(rows, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second


def test_a_patient_outside_the_ensemble_has_a_weaker_effector() -> None:
    from abscopt.instances import load

    case = load("early-sabr")
    instances = script("closed_loop").outside(case, 32).instances
    effects = sorted(member.immune.effect_per_effector for member in instances)
    assert effects[16] < 0.7 * case.immune.effect_per_effector
