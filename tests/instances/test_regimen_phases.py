"""Regimens whose doses or rhythm change: a loading dose, 240 mg q2w and then 480 mg q4w."""

from __future__ import annotations

from typing import Any

import pytest

from abscopt.instances import InputError, build
from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.schema import Instance
from abscopt.optimizer import replan, solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Infusion, Schedule

Raw = dict[str, Any]
CITED: Raw = {"source": "test", "status": "assumed"}
DAYS = (0, 14, 28, 42, 56, 84, 112)
"""Four doses every two weeks, then every four."""


def nivolumab(day: int, amount: float) -> Raw:
    return {"drug": "nivolumab", "day": day, "amount": amount, "unit": "mg"}


def switched(**further: Any) -> Raw:
    """240 mg every two weeks four times, then 480 mg every four weeks three times."""
    then = {"cycle_days": 28, "cycles": 3, "doses": [nivolumab(0, 480.0)]} | further
    return {"cycle_days": 14, "max_cycles": 4, "doses": [nivolumab(0, 240.0)], "then": [then]}


def case(regimen: Raw, **agent: Any) -> Instance:
    offered = {"name": "io", "regimens": ["switch"], "first_start_day": 0, "last_start_day": 7}
    return build(
        {
            "format": 1, "name": "c", "title": "t", "provenance": {"source": "test"},
            "horizon_days": [140], "immune": {"use": "default"},
            "regimens": {"switch": regimen | CITED},
            "agents": [offered | {"start_step_days": 7} | agent],
            "lesions": [
                {"use": "nsclc_occult", "name": "occult", "organ": "x", "clonogens": 3,
                 "effector_share": 0.5, "precursor_share": 0.5},
            ],
        }
    )  # fmt: skip


def planned(
    instance: Instance, start: int = 0, cycles: int | None = None
) -> list[tuple[int, float]]:
    doses = given_infusions(instance, instance.agents[0], "switch", start, cycles)
    assert doses is not None
    return [(day, mg) for _, day, mg in doses]


def test_the_dose_changes_after_the_cycles_before() -> None:
    instance = case(switched())
    expected = list(zip(DAYS, [240.0] * 4 + [480.0] * 3, strict=True))
    assert planned(instance) == expected
    assert planned(instance, 7) == [(day + 7, mg) for day, mg in expected]
    assert planned(instance, 0, 5) == expected[:5]
    assert planned(instance, 0, 2) == expected[:2]
    assert instance.regimens["switch"].all_cycles == 7


def test_the_first_cycle_of_a_phase_may_wait() -> None:
    assert planned(case(switched(after_days=42)))[4:] == [(84, 480.0), (112, 480.0)]


def test_a_loading_dose() -> None:
    loading = {
        "cycle_days": 7, "max_cycles": 1, "doses": [nivolumab(0, 400.0)],
        "then": [{"cycle_days": 7, "cycles": 5, "doses": [nivolumab(0, 250.0)]}],
    }  # fmt: skip
    assert planned(case(loading)) == [(0, 400.0), *((7 * i, 250.0) for i in range(1, 6))]


def test_the_judge_offers_it_and_the_search_gives_it() -> None:
    instance = case(switched(), optional=False)
    judge = Judge(instance)
    verdicts = {}
    for start in (0, 7):
        doses = [Infusion(day + start, "nivolumab", mg) for day, mg in planned(instance)]
        verdicts[start] = judge.evaluate(Schedule.of([], doses))
        assert verdicts[start].admissible
    best = max(verdict.objective for verdict in verdicts.values())
    result = solve(instance, gap=1e-4)
    assert result.objective == pytest.approx(best, abs=1e-4)
    constant = [Infusion(day, "nivolumab", 240.0) for day in DAYS]
    verdict = judge.evaluate(Schedule.of([], constant))
    assert verdict.feasible and verdict.off_menu
    # the same mean dose, so that concentrations agree late in the course
    assert verdicts[0].immune["systemic_effect_nats"] != verdict.immune["systemic_effect_nats"]


def test_a_course_that_has_begun_goes_on_into_the_next_phase() -> None:
    instance = case(switched(), optional=False)
    rows = [{"agent": "nivolumab", "day": day, "dose_mg": 240.0} for day in DAYS[:3]]
    study = replan(instance, {"today": 40, "doses_of_drugs": rows}, gap=1e-3)
    schedule = study.result.schedule
    assert schedule is not None
    doses = [(i.day, i.dose_mg) for i in schedule.infusions]
    assert doses[:3] == [(day, 240.0) for day in DAYS[:3]]
    assert {mg for _, mg in doses[3:]} <= {240.0, 480.0}
    if len(doses) > 3:
        assert doses[3][1] == 240.0 and all(mg == 480.0 for _, mg in doses[4:])


@pytest.mark.parametrize(
    ("regimen", "words"),
    [
        (switched(after_days=1) | {"doses": [nivolumab(0, 240.0), nivolumab(1, 240.0)]}, "twice"),
        (switched(cycles=0), "then[0].cycles"),
        (switched(doses=[nivolumab(0, 480.0) | {"drug": "moon"}]), "unknown drug"),
        (switched(doses=[nivolumab(0, 480_000.0)]), "then[0].doses[0].amount"),
    ],
)
def test_what_a_regimen_of_phases_must_not_say(regimen: Raw, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("[", r"\[").replace("]", r"\]")):
        case(regimen)


def test_more_cycles_than_all_phases_have_are_refused() -> None:
    with pytest.raises(InputError, match="switch has 7"):
        case(switched(), cycles=8)
