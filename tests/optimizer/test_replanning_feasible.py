"""Whether a treatment that has begun has any rest: the quick proof against enumeration."""

from __future__ import annotations

from typing import Any

import pytest
from histories import all_rests, begun
from random_instances import random_case
from widened_instances import widened_case

from abscopt.instances import load
from abscopt.instances.history.doses import begun_doses
from abscopt.instances.history.past import past_of
from abscopt.instances.load import build
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.feasibility.least import least_loading
from abscopt.optimizer.feasibility.oracle import Oracle
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.replanning.started import with_past

MENUS = {"twice_daily_days": [0, 1], "compensating_fractions": [1]}
MOST_RESTS = 1500


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_a_rest_is_found_exactly_where_enumeration_has_one(make: Any) -> None:
    found = {"given": 0, True: 0, False: 0}
    for seed in range(60, 84):
        case = begun(build(make(seed)), seed, menus=MENUS)
        if case is None:
            continue
        schedules = all_rests(case)
        if len(schedules) > MOST_RESTS:
            continue
        judge = Judge(case)
        feasible = any(judge.worth(schedule) is not None for schedule in schedules)
        rest = Oracle(Clock()).schedule(case)
        assert (rest is not None) == feasible, seed
        found[feasible] += 1
        past = past_of(case)
        assert past is not None
        given = [agent for agent in case.agents if begun_doses(case, agent, past)]
        found["given"] += any(agent.optional for agent in given)
    assert found[True] >= 5
    assert found[False] >= 1
    assert found["given"] >= 1


def test_a_drug_that_was_given_is_not_left_out_of_the_proof() -> None:
    """Neither the plan resumed nor an early stop may be given, and drugs have begun."""
    case = with_past(
        load("sequencing"),
        {
            "today": 24,
            "fractions": [{"lesion": "liver", "day": d, "dose_gy": 12} for d in range(14, 18)],
            "doses_of_drugs": [
                {"agent": "ipilimumab", "day": 7, "dose_mg": 70},
                {"agent": "ivuxolimab", "day": 7, "dose_mg": 30},
                {"agent": "ivuxolimab", "day": 21, "dose_mg": 30},
            ],
        },
    )
    assert {agent.name for agent in least_loading(case).agents} >= {"ipilimumab", "OX40"}
    rest = Oracle(Clock()).schedule(case)
    assert rest is not None
    assert Judge(case).evaluate(rest).admissible
