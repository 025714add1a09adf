"""What the judge says in short of a schedule is what it says at length, bit by bit."""

from __future__ import annotations

import itertools

import pytest
from brute_force import schedules
from demanding_instances import demanding_case
from random_instances import Raw, random_case

from abscopt.instances import build, load
from abscopt.optimizer.audit.patients import factors, gains, patient
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule, standard_schedule


def with_soft_limits(raw: Raw) -> Raw:
    """The same case, every second limit exceeded at a cost."""
    for limit in raw["limits"][::2]:
        limit["penalty"] = 0.3
    return raw


def in_short(raw: Raw) -> tuple[int, int]:
    """Compare both on schedules of a case; how many are admissible, and how many are not."""
    instance = build(raw)
    short, long = Judge(instance), Judge(instance)
    name = instance.lesions[0].name
    off_menu = Schedule.of([Fraction(1, name, 3.14159)], [])
    admissible = count = 0
    for schedule in [off_menu, *itertools.islice(schedules(instance), 150)]:
        verdict = long.evaluate(schedule)
        assert short.worth(schedule) == (verdict.objective if verdict.admissible else None)
        assert Judge(instance).objective(schedule) == verdict.objective
        admissible += verdict.admissible
        count += 1
    return admissible, count - admissible


def test_worth_and_objective_are_those_of_the_whole_verdict() -> None:
    of_rules = [in_short(with_soft_limits(random_case(seed))) for seed in range(8)]
    of_demands = [
        in_short(demanding_case(seed, ("least_bed_gy", "least_control"))) for seed in range(6)
    ]
    for counts in (of_rules, of_demands):
        assert all(sum(column) > 8 for column in zip(*counts, strict=True))


@pytest.mark.parametrize("name", ["co-targets", "resistant-clone", "stage3-crt"])
def test_gains_of_patients_are_those_of_judges_that_share_nothing(name: str) -> None:
    case = load(name)
    standard, nothing = standard_schedule(case), Schedule.of([], [])
    assert standard is not None
    found, (values, _) = gains(case, nothing, standard), factors(3)
    for i, j in itertools.product(range(3), repeat=2):
        judge = Judge(patient(case, float(values[i]), float(values[j])))
        apart = judge.evaluate(nothing).objective - judge.evaluate(standard).objective
        assert found.gain[i, j] == apart
