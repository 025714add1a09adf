"""Optimal schedules keep to the infusion days: by hand, by enumeration, and as reported."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from brute_force import enumerate_by_judge
from click.testing import CliRunner
from drawn_calendars import EVERY_DAY
from random_instances import random_case
from widened_instances import CALENDARS, widened_case

from abscopt.cli import main
from abscopt.instances import InputError, build, load
from abscopt.instances.schema import Instance
from abscopt.instances.trials import trial_arm
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.systemic.plans import enumerate_plans
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.text.report import solve_report
from abscopt.optimizer.trials import judged_arm

Raw = dict[str, Any]

GAP = 1e-4
HOLIDAY = {"start_date": "2026-01-05", "holidays": ["2026-01-26"]}


def one_inhibitor(calendar: Raw, **agent: Any) -> Instance:
    """Pembrolizumab every three weeks for a hidden lesion, from a day of the first three weeks."""
    return build(
        {
            "format": 1,
            "name": "c",
            "title": "c",
            "provenance": {"source": "x"},
            "horizon_days": [84],
            "calendar": calendar,
            "immune": {"use": "default"},
            "lesions": [
                {
                    "use": "nsclc_occult",
                    "name": "occult",
                    "organ": "x",
                    "clonogens": 3,
                    "effector_share": 0.5,
                    "precursor_share": 0.5,
                }
            ],
            "agents": [
                {
                    "name": "pembro",
                    "regimens": ["pembrolizumab-200-q3w"],
                    "first_start_day": 0,
                    "last_start_day": 20,
                    "optional": False,
                    **agent,
                }
            ],
        }
    )


def dates(instance: Instance, **options: Any) -> list[str]:
    """Infusion dates of the best schedule, without the year."""
    schedule = solve(instance, **options).schedule
    assert schedule is not None
    start = instance.calendar.start_date
    days = (start + datetime.timedelta(days=infusion.day) for infusion in schedule.infusions)
    return [f"{day:%m-%d}" for day in days]


def test_of_schedules_within_the_gap_one_without_moved_doses_is_shown() -> None:
    assert dates(one_inhibitor(HOLIDAY)) == ["01-06", "01-27", "02-17", "03-10"]


def test_a_moved_dose_is_the_price_of_an_earlier_start_where_the_gap_is_small() -> None:
    assert dates(one_inhibitor(HOLIDAY), gap=1e-5) == ["01-05", "01-27", "02-16", "03-09"]


def test_no_dose_moves_without_tolerance() -> None:
    case = one_inhibitor(HOLIDAY | {"infusion_tolerance_days": 0})
    assert dates(case, gap=1e-5) == ["01-06", "01-27", "02-17", "03-10"]
    assert dates(case, gap=1e-5, method="single") == ["01-06", "01-27", "02-17", "03-10"]
    text = solve_report(solve(case), case)
    assert "Note  pembro (pembrolizumab-200-q3w): 1 of 21 start days not offered" in text


def test_drugs_are_infused_on_any_day_where_the_case_says_so() -> None:
    case = one_inhibitor(HOLIDAY | {"infusion_weekdays": EVERY_DAY, "infusion_holidays": []})
    assert dates(case) == ["01-05", "01-26", "02-16", "03-09"]
    weekend = one_inhibitor(
        HOLIDAY | {"infusion_weekdays": EVERY_DAY}, first_start_day=6, last_start_day=6
    )
    assert dates(weekend) == ["01-11", "02-01", "02-22", "03-15"]


def test_evaluate_names_a_dose_on_a_holiday(tmp_path: Path) -> None:
    case, schedule = tmp_path / "case.json", tmp_path / "schedule.json"
    instance = one_inhibitor(HOLIDAY)
    case.write_text(instance.model_dump_json(exclude_none=True), encoding="utf-8")
    rows = [
        {"agent": "pembrolizumab", "date": f"2026-{day}", "dose_mg": 200}
        for day in ("01-05", "01-26", "02-16", "03-09")
    ]
    schedule.write_text(json.dumps({"doses_of_drugs": rows}), encoding="utf-8")
    result = CliRunner().invoke(main, ["evaluate", str(case), str(schedule)])
    assert result.exit_code == 0
    rule = "Broken rule: pembrolizumab: day 21 (Mon 2026-01-26) is not an infusion day"
    assert rule in result.stdout


def agrees(instance: Instance, method: str) -> bool:
    best = enumerate_by_judge(instance, Judge(instance)).best
    result = solve(instance, gap=GAP, method=method)  # type: ignore[arg-type]
    if best is None:
        return result.status == "infeasible"
    assert result.objective is not None
    assert result.bound is not None
    near = best - GAP - 1e-6 <= result.objective <= best + 1e-9
    return result.status == "optimal" and near and result.bound >= best - 1e-6


@pytest.mark.parametrize("chunk", range(4))
def test_cases_with_calendars_are_solved_as_by_enumeration(chunk: int) -> None:
    """Widened cases with drawn calendars; the one programme on every fourth."""
    wrong = []
    for seed in range(CALENDARS + chunk, CALENDARS + 24, 4):
        instance = build(widened_case(seed))
        if not agrees(instance, "single" if seed % 16 == chunk else "auto"):
            wrong.append(seed)
    assert not wrong


def test_widened_cases_draw_calendars_that_move_doses() -> None:
    seeds = range(CALENDARS, CALENDARS + 24)
    cases = (build(widened_case(seed)) for seed in seeds)
    moved = sum(any(plan.moved for plan in enumerate_plans(case)) for case in cases)
    print(moved)
    assert moved >= 4


def test_random_cases_draw_calendars_that_move_and_exclude_plans() -> None:
    moved = fewer = starts = 0
    for seed in range(1, 160, 2):
        raw = random_case(seed)
        plans = enumerate_plans(build(raw))
        any_day = build({**raw, "calendar": {"infusion_weekdays": EVERY_DAY}})
        moved += any(plan.moved for plan in plans)
        fewer += len(plans) < len(enumerate_plans(any_day))
        starts += "course_start_weekdays" in raw["calendar"]
    print(moved, fewer, starts)
    assert moved >= 10
    assert fewer >= 5
    assert starts >= 4


def test_infusions_of_an_arm_move_to_infusion_days() -> None:
    arm = trial_arm("welsh-sequential")
    case = load(arm.case)
    plain = judged_arm(case, arm)
    days = [i.day for i in plain.schedule.infusions]
    assert plain.moved == 0
    second = sorted(set(days))[1]
    closed = case.calendar.start_date + datetime.timedelta(days=second)
    calendar = case.calendar.unchecked({"infusion_holidays": (closed,)})
    verdict = judged_arm(case.unchecked({"calendar": calendar}), arm)
    assert verdict.moved == days.count(second)
    assert second + 1 in [i.day for i in verdict.schedule.infusions]
    assert f"{verdict.moved} infusions moved to the next infusion day of the case" in (
        verdict.lines()
    )
    never = calendar.unchecked({"infusion_tolerance_days": 0})
    with pytest.raises(InputError, match="infusion_tolerance_days"):
        judged_arm(case.unchecked({"calendar": never}), arm)
