"""No small change of an answer is better by more than the gap, in the judge's view."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brute_force import courses
from random_instances import random_case

from abscopt import instances
from abscopt.instances import load
from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.lesions import Lesion
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import course_days
from abscopt.instances.tables.systemic import AgentChoice
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import Result
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

REFERENCE: dict[str, Any] = json.loads(
    (Path(instances.__file__).parent / "reference.json").read_text(encoding="utf-8")
)
ADDED_COURSES = 200
RANDOM_SEEDS = range(3000, 3024)


def adjacent(options: tuple[int, ...] | tuple[float, ...], value: float) -> list[float]:
    """The next smaller and the next larger option."""
    ranked = sorted(set(options))
    here = ranked.index(value)
    return [ranked[i] for i in (here - 1, here + 1) if 0 <= i < len(ranked)]


def other_courses(instance: Instance, lesion: Lesion, schedule: Schedule) -> Iterator[Schedule]:
    """One fraction or dose level more or less, the course dropped, or any course added."""
    menu = lesion.course
    assert menu is not None
    assert menu.form == "uniform"
    rest = [f for f in schedule.fractions if f.lesion != lesion.name]
    course = schedule.course(lesion.name)
    if not course:
        offered = courses(instance, lesion)[1:]
        for added in offered[:: max(1, len(offered) // ADDED_COURSES)]:
            yield Schedule.of([*rest, *added], schedule.infusions)
        return
    yield Schedule.of(rest, schedule.infusions)
    start, count, dose = course[0][0], len(course), course[0][1]
    days = tuple(day for day, _, _ in course)
    shapes = [(float(count), level) for level in adjacent(menu.levels_gy, dose)]
    shapes += [(number, dose) for number in adjacent(menu.fractions, count)]
    for (number, level), interval in itertools.product(shapes, menu.interval_days):
        if course_days(instance.calendar, start, count, interval) != days:
            continue
        given = course_days(instance.calendar, start, int(number), interval)
        if given is not None and given[-1] < instance.days:
            changed = [Fraction(day, lesion.name, level) for day in given]
            yield Schedule.of([*rest, *changed], schedule.infusions)


def other_starts(instance: Instance, agent: AgentChoice, schedule: Schedule) -> Iterator[Schedule]:
    """The same regimen a week earlier or later, or the agent left out."""
    drugs = {d.drug for name in agent.regimens for d in instance.regimens[name].doses}
    rest = [i for i in schedule.infusions if i.drug not in drugs]
    own = [i for i in schedule.infusions if i.drug in drugs]
    yield Schedule.of(schedule.fractions, rest)
    for name, start in itertools.product(agent.regimens, agent.start_days):
        given = [
            Infusion(day, drug, mg)
            for drug, day, mg in given_infusions(instance, agent, name, start, agent.cycles) or ()
        ]
        week = bool(own) and bool(given) and abs(given[0].day - own[0].day) == 7
        if given and (not own or week):
            yield Schedule.of(schedule.fractions, [*rest, *given])


def neighbors(instance: Instance, schedule: Schedule) -> Iterator[Schedule]:
    """Every neighbor of a schedule."""
    for index in instance.irradiable:
        yield from other_courses(instance, instance.lesions[index], schedule)
    for agent in instance.agents:
        yield from other_starts(instance, agent, schedule)


def check(instance: Instance, result: Result, gap: float) -> int:
    """Number of feasible neighbors of an answer; none is better by more than the gap."""
    if result.status == "infeasible":
        return 0
    assert result.schedule is not None
    assert result.objective is not None
    assert result.bound is not None
    judge = Judge(instance)
    feasible = 0
    for neighbor in neighbors(instance, result.schedule):
        verdict = judge.evaluate(neighbor)
        if verdict.feasible:
            feasible += 1
            assert verdict.objective <= result.objective + gap + 1e-9, neighbor
            assert verdict.objective <= result.bound + 1e-9, neighbor
    return feasible


@pytest.mark.parametrize(
    ("name", "fewest", "gap"),
    [
        ("toy-fractionation", 3, None),
        ("toy-two-lesions", 4, None),
        ("toy-blockade", 3, None),
        ("early-sabr", 3, None),
        ("stage3-crt", 3, None),
        ("pembro-rt", 3, None),
        ("oligomet-4", 3, 0.03),  # its own gap takes more than twice as long
    ],
)
def test_no_neighbor_of_a_bundled_answer_is_better(
    name: str, fewest: int, gap: float | None
) -> None:
    """Nor is the answer apart from the reference optimum by more than both gaps."""
    instance, reference = load(name), REFERENCE[name]
    gap = instance.objective.gap if gap is None else gap
    result = solve(instance, gap=gap)
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.bound is not None
    assert result.objective >= reference["bound"] - instance.objective.gap - gap
    assert result.bound >= reference["objective"] - 1e-9
    assert check(instance, result, gap) >= fewest


def test_no_neighbor_of_a_random_answer_is_better() -> None:
    cases = [build(random_case(seed)) for seed in RANDOM_SEEDS]
    counts = [check(case, solve(case, gap=1e-4), 1e-4) for case in cases]
    assert sum(counts) >= 50
    assert sum(count > 0 for count in counts) >= len(counts) // 2


def test_a_worse_schedule_has_a_better_neighbor() -> None:
    """The neighborhood is not empty of improvements: 3 x 8 Gy to one of two sites is beaten."""
    instance = load("toy-two-lesions")
    days = course_days(instance.calendar, 0, 3, 1)
    assert days is not None
    poor = Schedule.of([Fraction(day, "large", 8.0) for day in days], [])
    judge = Judge(instance)
    here = judge.evaluate(poor).objective
    verdicts = [judge.evaluate(neighbor) for neighbor in neighbors(instance, poor)]
    assert max(v.objective for v in verdicts if v.feasible) > here + 0.5
