"""Instruction files of adaptfx as cases: published examples, an exact dynamic programme, errors."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.load import InputError, load
from abscopt.instances.neighbors.adaptfx import answer
from abscopt.optimizer import evaluate, solve
from abscopt.optimizer.schedule import standard_schedule

FACTORS = [0.946, 0.906, 0.905, 0.796, 0.868, 0.916, 0.954]
"""Of adaptfx's examples: planning scan, then six days."""


def instruction(algorithm: str = "oar", drop: str = "", **keys: Any) -> dict[str, Any]:
    stated = {
        "number_of_fractions": 6, "fraction": 0, "sparing_factors": FACTORS, "prob_update": 0,
        "fixed_mean": 0.85, "fixed_std": 0.1, "accumulated_oar_dose": 0,
        "accumulated_tumor_dose": 0, "min_dose": 0, "max_dose": -1, "tumor_goal": 72,
    } | keys  # fmt: skip
    stated.pop(drop, None)
    return {"algorithm": algorithm, "level": 1, "keys": stated, "settings": {"dose_stepsize": 0.5}}


def imported(tmp_path: Path, raw: dict[str, Any], step: float = 0.5) -> Any:
    (tmp_path / "in.json").write_text(json.dumps(raw))
    text, remarks = answer(str(tmp_path / "in.json"), step)
    assert any("not used: prob_update" in line for line in remarks)
    (tmp_path / "case.toml").write_text(text)
    return load(tmp_path / "case.toml")


def least_organ_bed(
    factors: list[float], goal: float, step: float, low: float, high: float, price: float = 0.0
) -> float:
    """Least organ BED3 plus a price a fraction with a tumor BED10 of the goal, day by day."""

    def dose(bed: float) -> float:
        return (-10 + math.sqrt(100 + 40 * bed)) / 2

    levels = [i for i in range(1, round(goal / step) + 1) if low <= dose(i * step) <= high]

    @cache
    def rest(day: int, missing: int) -> float:
        if missing <= 0:
            return 0.0
        if day == len(factors):
            return math.inf
        best = rest(day + 1, missing)
        for i in levels:
            d = factors[day] * dose(i * step)
            best = min(best, d * (1 + d / 3) + price + rest(day + 1, missing - i))
        return best

    return rest(0, round(goal / step))


@pytest.mark.parametrize(
    ("low", "high", "published"), [(0, -1, 110.83), (4, 14, 111.00)], ids=["any", "4 to 14 Gy"]
)
def test_example_3(tmp_path: Path, low: float, high: float, published: float) -> None:
    case = imported(tmp_path, instruction(min_dose=low, max_dose=high))
    result = solve(case, time_limit=60)
    assert result.status == "optimal"
    organ = result.evaluation.limits[0].value
    assert organ == pytest.approx(published, abs=0.01)
    most = math.inf if high < 0 else high
    exact = least_organ_bed(FACTORS[1:], 72, 0.5, low, most)
    assert organ == pytest.approx(exact, abs=0.005)
    standard = standard_schedule(case)
    assert standard is not None
    assert evaluate(case, standard).limits[0].value == pytest.approx(116.58, abs=0.01)


def test_fractions_cost_what_c_says(tmp_path: Path) -> None:
    keys = {"min_dose": 4, "max_dose": 14, "c": 12.0}
    result = solve(imported(tmp_path, instruction("frac", **keys), 2.0), time_limit=60)
    count = len(result.schedule.fractions)
    organ = result.evaluation.limits[0].value
    exact = least_organ_bed(FACTORS[1:], 72, 2.0, 4, 14, price=12.0)
    assert organ is not None and organ + 12.0 * count == pytest.approx(exact, abs=0.01)
    assert count < 6


def test_a_course_that_has_begun(tmp_path: Path) -> None:
    keys = {"fraction": 3, "accumulated_tumor_dose": 30}
    result = solve(imported(tmp_path, instruction(**keys)), time_limit=60)
    exact = least_organ_bed(FACTORS[3:], 42, 0.5, 0, math.inf)
    assert result.evaluation.limits[0].value == pytest.approx(exact, abs=0.005)


def test_greatest_tumor_bed_within_a_limit(tmp_path: Path) -> None:
    keys = {"oar_limit": 60, "number_of_fractions": 4, "sparing_factors": FACTORS[:5]}
    keys |= {"accumulated_oar_dose": 10}
    result = solve(imported(tmp_path, instruction("tumor", **keys), 2.0), time_limit=60)
    reached = [g for g in range(2, 60, 2) if least_organ_bed(FACTORS[1:5], g, 2, 0, 99) <= 50]
    assert result.status == "optimal" and result.objective == pytest.approx(max(reached))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two aims": (instruction("tumor_oar"), "two aims at once"),
    "misspelled": (instruction("oars"), "must be one of"),
    "no keys": ({"algorithm": "oar"}, "must be an instruction file"),
    "unknown key": (instruction(tumor_gaol=72), "did you mean 'tumor_goal'"),
    "no goal": (instruction(drop="tumor_goal"), "keys.tumor_goal: missing"),
    "text": (instruction(abt="ten"), "keys.abt: ten: must be a number"),
    "days": (instruction(number_of_fractions=7), "a case knows all days"),
    "factor": (instruction(sparing_factors=[0.9] * 6 + [-1]), "must be above 0"),
    "doses": (instruction(min_dose=5, max_dose=4), "at least min_dose"),
    "used up": (instruction(accumulated_tumor_dose=80), "is used up"),
    "nothing fits": (instruction(min_dose=40, max_dose=41), "no dose of steps"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_instructions(tmp_path: Path, what: str) -> None:
    raw, rule = WRONG[what]
    with pytest.raises(InputError, match=rule):
        imported(tmp_path, raw)


def test_the_command(run: Any, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(instruction()))
    case = tmp_path / "case.toml"
    done = run("import", "adaptfx", tmp_path / "in.json", "--out", case, "--bed-step", "6")
    assert done.exit_code == 0 and "adaptfx, which learns them by day" in done.stderr
    assert len(load(case).lesions[0].course.levels_gy) == 12  # type: ignore[union-attr]
    done = run("import", "adaptfx", tmp_path / "in.json", "--bed-step", "0")
    assert done.exit_code == 2 and "must be at least 0.01 Gy" in done.stderr
    assert run("import", "adaptfx", tmp_path / "none.json").exit_code == 2
