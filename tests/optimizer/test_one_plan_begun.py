"""Lesions of one plan in a treatment that has begun: against enumeration, and what is refused."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from brute_force import agrees
from histories import Raw, all_rests, rests, table_of
from one_plan_cases import drawn, phased, two

from abscopt.instances.load import InputError, build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import Schedule

MOST_RESTS = 1500


def begun(seed: int, of: Callable[[int], Raw]) -> Instance | None:
    """A random case of a plan after some days; in every second one all of the plan missed a day."""
    rng = random.Random(seed)
    case = build(of(seed))
    answer = solve(case, gap=1e-2, time_limit=30).schedule
    if answer is None:
        return None
    plan = next(limit for limit in case.limits if limit.kind == "one_plan")
    days = sorted({f.day for f in answer.fractions})
    if not days:
        return None
    today = rng.choice(days) + 1
    table = table_of(answer, today)
    if seed % 2:
        last = max(f["day"] for f in table["fractions"])
        table["fractions"] = [
            row
            for row in table["fractions"]
            if row["day"] != last or row["lesion"] not in plan.lesions
        ]
    table["rest"] = [{"lesion": lesion.name, "start_within_days": 1} for lesion in case.lesions]
    return with_past(case, table)


def best_rest(case: Instance) -> float | None:
    """The best of all rests by the judge."""
    judge = Judge(case)
    worths = (judge.worth(schedule) for schedule in all_rests(case))
    return max((worth for worth in worths if worth is not None), default=None)


@pytest.mark.parametrize("of", [drawn, phased])
def test_random_rests_of_plans_are_those_of_enumeration(of: Callable[[int], Raw]) -> None:
    found = {"rests": 0, "missed": 0, "single": 0, "decides": 0}
    for seed in range(20):
        case = begun(seed, of)
        if case is None:
            continue
        if math.prod(len(rests(case, lesion)) for lesion in case.lesions) > MOST_RESTS:
            continue
        best = best_rest(case)
        assert agrees(solve(case, gap=1e-4, time_limit=30), best, 1e-4), seed
        if found["single"] < 3:
            assert agrees(solve(case, gap=1e-3, method="single", time_limit=60), best, 1e-3), seed
            found["single"] += 1
        found["rests"] += 1
        found["missed"] += seed % 2
        others = [limit for limit in case.limits if limit.kind != "one_plan"]
        alone = solve(case.unchecked({"limits": tuple(others)}), gap=1e-4, time_limit=30)
        found["decides"] += best is None or (alone.objective or 0.0) > best + 1e-3
    assert found["rests"] >= 8
    assert found["missed"] >= 3
    assert found["decides"] >= 3


def given(**rows: list[tuple[int, float]]) -> Raw:
    fractions = [
        {"lesion": name, "day": day, "dose_gy": dose}
        for name, course in rows.items()
        for day, dose in course
    ]
    return {"today": 2, "fractions": fractions}


def test_both_lesions_go_on_with_the_same_days_and_doses_in_the_ratio() -> None:
    case = with_past(build(two()), given(a=[(0, 8.0)], b=[(0, 4.0)]))
    answer = solve(case).schedule
    assert answer is not None
    of_a, of_b = answer.course("a"), answer.course("b")
    assert of_a[0] == (0, 8.0, 0)
    assert len(of_a) > 1
    assert [(day, dose, slot) for day, dose, slot in of_b] == [(t, d / 2, k) for t, d, k in of_a]
    apart = Schedule.of([f for f in answer.fractions if f.lesion == "a"], answer.infusions)
    assert not Judge(case).evaluate(apart).feasible


@pytest.mark.parametrize(
    ("of_a", "of_b", "words"),
    [
        ([(0, 8.0), (1, 8.0)], [(0, 4.0)], "on day 1 a received 8 Gy and b received nothing"),
        ([(0, 8.0)], [(0, 4.0), (1, 4.0)], "on day 1 a received nothing and b received 4 Gy"),
        ([(0, 8.0)], [(0, 4.5)], "on day 0 a received 8 Gy and b received 4.5 Gy"),
    ],
)
def test_a_past_that_no_plan_has_given_is_refused_with_its_day(
    of_a: list[tuple[int, float]], of_b: list[tuple[int, float]], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        with_past(build(two()), given(a=of_a, b=of_b))
    (problem,) = caught.value.problems
    assert problem.place == "limits[0].lesions"
    assert words in problem.rule
    assert "remove this limit" in problem.rule
