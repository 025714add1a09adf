"""What waiting costs: the judge by hand, every method against brute force, the published delay."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pytest
from brute_force import agrees, enumerate_by_judge
from plain_cases import CITED, bed_limit, lesion, plain_case, uniform
from random_instances import Raw, random_case

from abscopt.instances import InputError, build, load
from abscopt.instances.schema import Instance
from abscopt.models.tumor.dissemination import expected_new_sites
from abscopt.optimizer import solve
from abscopt.optimizer.audit import case_audit
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule, standard_schedule

GAP = 1e-4
MILP_TOLERANCE = 1e-6
LIMIT = {
    "name": "new_sites", "kind": "new_sites", "rate_per_day": 0.01, "reference_cm3": 20.0,
    "exponent": 1.0, "source": "test", "status": "assumed",
}  # fmt: skip


def with_limit(raw: Raw, **fields: float) -> Instance:
    """The case with a limit on new sites."""
    return build(raw | {"limits": [*raw["limits"], LIMIT | fields]})


def test_the_judge_counts_days_before_the_first_fraction() -> None:
    lesions = [
        lesion("early", course=uniform([1], [6.0]), volume_cm3=10.0),
        lesion("late", course=uniform([1], [6.0]), volume_cm3=40.0, growth_doubling_time_days=20),
        lesion("hidden", irradiable=False, clonogens=5.0),
    ]
    del lesions[-1]["volume_cm3"]  # so it seeds nothing
    instance = with_limit(plain_case(lesions, [], horizon_days=[30]), cap=1.0, penalty=2.0)
    given = Schedule((Fraction(3, "early", 6.0), Fraction(5, "early", 6.0)), ())
    (use,) = Judge(instance).evaluate(given).limits
    rest = float(
        expected_new_sites(40.0, 20.0, 30, rate_per_day=0.01, reference_cm3=20.0, exponent=1.0)
    )
    assert use.value == pytest.approx(0.01 * 0.5 * 3 + rest, rel=1e-12)
    assert use.cost == pytest.approx(2.0 * max(0.0, use.value - 1.0))


@pytest.mark.parametrize("chunk", range(3))
def test_cases_are_solved_as_by_enumeration(chunk: int) -> None:
    wrong, decided = [], 0
    for seed in range(400 + chunk, 430, 3):
        raw, rng = random_case(seed), np.random.default_rng(seed)
        free = with_limit(raw, cap=100.0)
        before = enumerate_by_judge(free, Judge(free))
        if before.evaluation is None:
            continue
        (value,) = [use.value for use in before.evaluation.limits if use.name == "new_sites"]
        if chunk == 0 and value:
            instance = with_limit(raw, cap=value * float(rng.uniform(0.6, 1.1)))
        else:
            instance = with_limit(raw, cap=0.01, penalty=float(rng.uniform(0.1, 2.0)))
        found = enumerate_by_judge(instance, Judge(instance))
        decided += found.schedule != before.schedule
        for method in ("auto", "single"):
            result = solve(instance, gap=GAP, method=method)  # type: ignore[arg-type]
            if not agrees(result, found.best, GAP, MILP_TOLERANCE):
                wrong.append((seed, method, result.objective, result.bound, found.best))
    assert not wrong
    assert decided >= 1


@pytest.mark.parametrize("name", ["stage3-crt", "hfrt-crt", "nodes-or-not"])
@pytest.mark.parametrize("weeks", [4, 8])
def test_waiting_is_never_free_in_stage_three(name: str, weeks: int) -> None:
    """The standard regimen, all of it later; new sites cost at least 0.01 nat a week per 50 cm3."""
    days = 7 * weeks
    instance = load(name)
    standard = standard_schedule(instance)
    assert standard is not None
    later = dataclasses.replace(
        standard,
        fractions=tuple(dataclasses.replace(f, day=f.day + days) for f in standard.fractions),
        infusions=tuple(
            dataclasses.replace(i, day=i.day + days)
            for i in standard.infusions
            if i.day + days < instance.days
        ),
    )
    judge = Judge(instance)
    now, then = judge.evaluate(standard), judge.evaluate(later)
    volume = instance.lesions[0].volume_cm3
    assert volume is not None
    assert now.objective - then.objective >= 0.005 * weeks * volume / 50
    costs = [
        sum(use.cost for use in each.limits if use.kind == "new_sites") for each in (now, then)
    ]
    assert costs[1] - costs[0] >= 0.01 * weeks * volume / 50 - 0.01


@pytest.mark.parametrize("days", [28, 56])
def test_the_best_schedule_of_stage_three_that_waits_is_worse(days: int) -> None:
    """Proved: a course of `stage3-crt` that begins so much later costs at least 0.1 nat."""
    raw = load("stage3-crt").model_dump(mode="json", exclude_none=True)
    raw["lesions"][0]["course"]["fractions"] = [20, 24, 30]
    now = solve(build(raw))
    raw["lesions"][0]["course"]["first_start_day"] = days
    then = solve(build(raw))
    assert now.objective is not None and then.bound is not None
    assert now.objective - then.bound >= 0.1


def test_a_free_course_is_refused() -> None:
    course = {"form": "free", "days": [0, 1], "levels_gy": [2.0]}
    raw = plain_case([lesion(course=course)], [], horizon_days=[30])
    with pytest.raises(InputError, match="counts days before uniform courses only"):
        with_limit(raw, cap=1.0)


@pytest.mark.parametrize("asked", ["demand", "floor"])
@pytest.mark.parametrize("method", ["auto", "single"])
def test_a_limit_that_every_lesion_alone_breaks_may_be_kept_by_all(
    asked: str, method: Literal["auto", "single"]
) -> None:
    """An untreated lesion seeds until the horizon: beside it no course of the other is enough."""
    demand = {"least_bed_gy": 5.0} if asked == "demand" else {}
    lesions = [
        lesion(name, course=uniform([1], [6.0]), volume_cm3=40.0, **demand)
        for name in ("left", "right")
    ]
    floor = {"name": "both", "kind": "logistics", "quantity": "lesions", "floor": 2, **CITED}
    raw = plain_case(lesions, [floor] if asked == "floor" else [], horizon_days=[30])
    case = with_limit(raw, cap=0.1)
    assert [note.kind for note in case_audit(case).notes] == []
    result = solve(case, method=method)
    assert result.status == "optimal" and result.schedule is not None
    assert {f.lesion for f in result.schedule.fractions} == {"left", "right"}


@pytest.mark.parametrize("above", [2e-9, -2e-9])
def test_a_programme_that_misses_the_limit_by_a_tolerance_goes_on(above: float) -> None:
    """No course: what is seeded lies within the solver's tolerance of the cap, on either side."""
    tumor = lesion(course=uniform([1], [6.0]), volume_cm3=20.0, weight=1e-4)
    drug = bed_limit(1e-4)
    raw = plain_case([tumor | {"sparing": {"organ": {"max": 1.0}}}], [drug], horizon_days=[30])
    case = with_limit(raw, cap=0.3 / (1.0 + above))
    result = solve(case, method="single")
    assert result.status == ("infeasible" if above > 0 else "optimal")


@pytest.mark.parametrize("penalty", [None, 1e-12])
def test_a_tumor_that_doubles_twice_a_day_is_stated(penalty: float | None) -> None:
    """2^80 new sites by day 40: far beyond the coefficients that HiGHS takes."""
    tumor = lesion(course=uniform([1], [6.0], last_start_day=2), volume_cm3=10.0)
    tumor |= {"growth_doubling_time_days": 0.5}
    raw = plain_case([tumor], [], horizon_days=[40], objective="log_kill")
    case = with_limit(raw, cap=1.0, **({} if penalty is None else {"penalty": penalty}))
    found = enumerate_by_judge(case, Judge(case))
    assert agrees(solve(case, gap=GAP, method="single"), found.best, GAP, MILP_TOLERANCE)
