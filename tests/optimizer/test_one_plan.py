"""Lesions that one plan serves: against enumeration, the one programme, and the judge by hand."""

from __future__ import annotations

import copy
import random
from functools import cache

import pytest
from brute_force import Enumeration, agrees, enumerate_by_judge
from plain_cases import EARLY_IMMUNE, Raw, lesion, limit, plain_case, uniform

from abscopt.instances.load import InputError, build
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

NAMES = ("a", "b", "c")


def drawn(seed: int) -> Raw:
    """Two lesions of one plan (three in every fourth case), a third beside it, some limits."""
    rng = random.Random(seed)
    served = NAMES[: 3 if seed % 4 == 3 else 2]
    ratios = [1.0, *(rng.choice([1.0, 0.5, 2.0]) for _ in served[1:])]
    immune = seed % 2 == 1
    lesions, interval = [], rng.choice([1, 2])
    for i, name in enumerate(NAMES):
        ratio = ratios[i] if i < len(served) else 1.0
        doses = sorted(rng.sample([3, 4, 6, 8, 10, 12], 2))
        if i == 0:
            common = doses
        elif name in served:
            doses = sorted({rng.choice(common) * ratio, rng.choice([*common, 5, 7]) * ratio})
        menu = uniform(
            [2, rng.choice([1, 3])], doses, last_start_day=1, interval_days=[interval],
        )  # fmt: skip
        factor = 0.0 if 0 < i < len(served) else rng.choice([0.2, 0.5])
        fields: Raw = {"sparing": {"organ": {"max": factor, "mean": factor / 3}}}
        if immune:
            fields |= {
                "immunogenicity": 1,
                "effector_share": 0.3,
                "precursor_share": 0.2,
                "effector_kill_per_fraction": 0.2,
                "lymphocyte_loss_per_fraction": 0.05,
            }
        lesions.append(lesion(name, course=menu, weight=rng.choice([0.5, 1, 2]), **fields))
    limits = [
        limit("one_plan", "plan", lesions=list(served), dose_ratios=ratios),
        limit(
            "bed", "organ_bed", organ="organ", alpha_beta_gy=3.0, cap_gy=rng.choice([15, 30, 60])
        ),
    ]
    if rng.random() < 0.5:
        limits.append(limit("logistics", "days", quantity="visits", cap=rng.choice([2, 3, 4])))
    if rng.random() < 0.3:
        limits.append(limit("logistics", "some", quantity="lesions", floor=rng.choice([1, 2])))
    kind = rng.choice(["default", "log_control", "expected_control", "tumor_bed"])
    more: Raw = {"immune": EARLY_IMMUNE} if immune else {}
    return plain_case(lesions, limits, horizon_days=[10], objective=kind, **more)


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


def two(**fields: object) -> Raw:
    """Two lesions whose second receives half of the dose."""
    first = lesion("a", course=uniform([3], [8.0, 9.0]), sparing={"organ": {"max": 0.5}})
    second = lesion("b", course=uniform([3], [4.0, 4.5]), sparing={"organ": {"max": 0.0}})
    rule = limit("one_plan", "plan", lesions=["a", "b"], **({"dose_ratios": [2, 1]} | fields))
    return plain_case([first, second], [rule], horizon_days=[8])


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


def phased(seed: int) -> Raw:
    """A random case whose lesions of one plan have one or two fractions, and then others."""
    raw, rng = copy.deepcopy(drawn(seed)), random.Random(seed)
    gap, per_day = rng.choice([1, 3]), rng.choice([1, 1, 2])
    served = raw["limits"][0]["lesions"]
    for one in raw["lesions"]:
        if one["name"] not in served:
            continue
        doses = one["course"]["doses_gy"]
        one["course"] = {
            "form": "phases",
            "last_start_day": 1,
            "phases": [
                {"fractions": [1] if per_day == 2 else [1, 2], "doses_gy": doses},
                {"fractions": [per_day], "doses_gy": doses[-1:] if per_day == 2 else doses,
                 "fractions_per_day": per_day, "gap_days": [gap], "optional": True},
            ],
        }  # fmt: skip
    return raw


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
