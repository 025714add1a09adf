"""Lesions that one plan serves: against enumeration, the one programme, and the judge by hand."""

from __future__ import annotations

from functools import cache

import pytest
from brute_force import Enumeration, agrees, enumerate_by_judge
from one_plan_cases import drawn, phased, two
from plain_cases import Raw, limit

from abscopt.instances.load import InputError, build
from abscopt.optimizer import frontier, solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

SEEDS = range(20)


@cache
def enumerated(seed: int) -> Enumeration:
    instance = build(drawn(seed))
    return enumerate_by_judge(instance, Judge(instance))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_cases_are_solved_as_by_enumeration(seed: int) -> None:
    assert agrees(solve(build(drawn(seed)), gap=1e-4, time_limit=60), enumerated(seed).best, 1e-4)


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_the_one_programme_finds_the_same(seed: int) -> None:
    result = solve(build(drawn(seed)), gap=1e-3, method="single", time_limit=60)
    assert agrees(result, enumerated(seed).best, 1e-3)


def test_plans_decide_in_many_of_them() -> None:
    differ = 0
    for seed in list(SEEDS)[:12]:
        raw = drawn(seed)
        rest = build(raw | {"limits": raw["limits"][1:]})
        free_of_it = solve(rest, gap=1e-4, time_limit=60).objective
        best = enumerated(seed).best
        differ += best is None or free_of_it is None or free_of_it > best + 1e-3
    assert differ >= 6


@pytest.mark.parametrize(
    ("of_a", "of_b", "kept"),
    [
        ([(0, 8.0), (1, 8.0)], [(0, 4.0), (1, 4.0)], True),
        ([], [], True),
        ([(0, 8.0), (1, 8.0)], [(0, 4.0), (2, 4.0)], False),
        ([(0, 8.0), (1, 8.0)], [(0, 4.0)], False),
        ([(0, 8.0), (1, 8.0)], [(0, 4.0), (1, 4.5)], False),
        ([(0, 8.0)], [], False),
    ],
)
def test_the_judge(
    of_a: list[tuple[int, float]], of_b: list[tuple[int, float]], kept: bool
) -> None:
    fractions = [Fraction(d, name, gy) for name, c in (("a", of_a), ("b", of_b)) for d, gy in c]
    use = Judge(build(two())).evaluate(Schedule(tuple(fractions))).limits[0]
    assert use.kept == kept and use.broken != kept


WRONG: dict[str, tuple[Raw, str]] = {
    "one": ({"lesions": ["a"]}, "at least 2"),
    "unknown": ({"lesions": ["a", "c"]}, "unknown lesion"),
    "twice": ({"lesions": ["a", "a"]}, "a lesion is listed twice"),
    "ratios": ({"dose_ratios": [1]}, "one number for each lesion"),
    "soft": ({"penalty": 1.0}, "no penalty"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_plans(what: str) -> None:
    fields, rule = WRONG[what]
    raw = two()
    raw["limits"][0] |= fields
    with pytest.raises(InputError, match=rule):
        build(raw)


def test_no_lesion_is_excluded_because_it_is_not_alone() -> None:
    raw = two()
    raw["limits"].append(limit("logistics", "both", quantity="lesions", floor=2))
    result = solve(build(raw), gap=1e-4, time_limit=60)
    assert result.status == "optimal" and len(result.schedule.fractions) == 6
    assert not any(note.kind in ("fails_alone", "floor_unreachable") for note in result.notes)


# Courses of phases


@pytest.mark.parametrize("seed", [1, 3, 5, 6, 7])
def test_phases_of_one_plan_are_solved_as_by_enumeration(seed: int) -> None:
    instance = build(phased(seed))
    best = enumerate_by_judge(instance, Judge(instance)).best
    assert agrees(solve(instance, gap=1e-4, time_limit=60), best, 1e-4)


@pytest.mark.parametrize("seed", [1, 3])
def test_the_one_programme_finds_the_same_for_phases_of_one_plan(seed: int) -> None:
    instance = build(phased(seed))
    best = enumerate_by_judge(instance, Judge(instance)).best
    assert agrees(solve(instance, gap=1e-3, method="single", time_limit=60), best, 1e-3)


def test_phases_of_one_plan_have_equal_doses_one_by_one() -> None:
    """8 then 9 Gy is not 9 then 8, though days, number and greatest dose are equal."""
    raw = two()
    for one in raw["lesions"]:
        doses = one["course"]["doses_gy"]
        phase = {"fractions": [1], "doses_gy": doses}
        one["course"] = {"form": "phases", "phases": [phase, phase]}
    instance = build(raw)
    judge = Judge(instance)
    for of_a, of_b in (((8, 9), (4, 4.5)), ((8, 9), (4.5, 4)), ((9, 8), (4, 4.5))):
        fractions = [
            Fraction(day, name, float(gy))
            for name, doses in (("a", of_a), ("b", of_b))
            for day, gy in enumerate(doses)
        ]
        verdict = judge.evaluate(Schedule.of(fractions, []))
        assert verdict.off_menu == ()
        assert verdict.feasible == (of_a[0] / of_b[0] == of_a[1] / of_b[1])


def test_a_limit_that_is_kept_or_not_has_no_frontier() -> None:
    with pytest.raises(InputError, match=r"limits.*plan.*nothing to vary"):
        frontier(build(two()), "plan", [1.0])
