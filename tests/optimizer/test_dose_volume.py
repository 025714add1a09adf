"""Limits of dose and volume: against enumeration, the one programme, and voxels."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from brute_force import Enumeration, agrees, binding, enumerate_by_judge
from plain_cases import lesion, limit, plain_case, uniform
from random_instances import Raw, random_case

from abscopt.instances.dvh import measures
from abscopt.instances.dvh.measures import Curve
from abscopt.instances.load import InputError, build
from abscopt.models.tumor import lq
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

TURNED = ("bed", "mean")


def turned(seed: int) -> Raw | None:
    """A random case with its BED and mean caps as caps on D_v; None if it has none of them."""
    raw = random_case(seed)
    limits = [_turned(entry) for entry in raw["limits"]]
    changed = [entry for entry in limits if entry["kind"] == "dose_volume"]
    return {**raw, "limits": limits} if changed else None


def _turned(entry: Raw) -> Raw:
    if entry["kind"] not in TURNED:
        return entry
    kept = {key: value for key, value in entry.items() if key not in ("kind", "alpha_beta_gy")}
    if entry["kind"] == "mean":
        return {**kept, "kind": "dose_volume", "point": "mean"}
    ratio = entry["alpha_beta_gy"]
    cap = entry["cap_gy"] / (1 + 2 / ratio)
    point = {"point": entry.get("point", "max")}
    return {**kept, **point, "kind": "dose_volume", "dose": "eqd2", "alpha_beta_gy": ratio,
            "cap_gy": cap}  # fmt: skip


CASES = {seed: raw for seed in range(110) if (raw := turned(seed)) is not None}
SOLVED = list(CASES)[:52]


@cache
def enumerated(seed: int) -> Enumeration:
    """All schedules of a case, judged."""
    instance = build(CASES[seed])
    return enumerate_by_judge(instance, Judge(instance))


@pytest.mark.parametrize("seed", SOLVED)
def test_random_cases_are_solved_as_by_enumeration(seed: int) -> None:
    assert agrees(solve(build(CASES[seed]), gap=1e-4), enumerated(seed).best, 1e-4)


def test_enough_cases_bind() -> None:
    assert len(SOLVED) >= 50
    seeds = SOLVED[:30]
    names = {
        seed: {entry["name"] for entry in CASES[seed]["limits"] if entry["kind"] == "dose_volume"}
        for seed in seeds
    }
    assert sum(bool(binding(enumerated(seed)) & names[seed]) for seed in seeds) >= 8


@pytest.mark.parametrize("seed", SOLVED[:3])
def test_the_one_programme_finds_the_same(seed: int) -> None:
    found = solve(build(CASES[seed]), gap=1e-3, method="single")
    assert agrees(found, enumerated(seed).best, 1e-3)


@pytest.mark.parametrize("dose", ["physical", "eqd2"])
def test_free_courses_and_soft_caps_agree_with_the_programme(dose: str) -> None:
    course = {"form": "free", "days": [0, 1, 2, 4], "doses_gy": [2.0, 4.0, 6.0]}
    tumor = lesion(course=course, sparing={"organ": {"d2cm3": 0.5}})
    ratio = {"alpha_beta_gy": 3.0} if dose == "eqd2" else {}
    rule = limit("dose_volume", "d2", organ="organ", point="d2cm3", dose=dose, cap_gy=7.3, **ratio)
    for extra in ({}, {"penalty": 2.0}):
        instance = build(plain_case([tumor], [{**rule, **extra}], horizon_days=[6]))
        best = enumerate_by_judge(instance, Judge(instance)).best
        assert best is not None
        for method in ("auto", "single"):
            assert agrees(solve(instance, gap=1e-3, method=method), best, 1e-3)


@pytest.mark.parametrize("dose", ["physical", "eqd2"])
def test_the_judge_says_what_voxels_say(dose: str) -> None:
    """D_v of a course is that of its voxels, each with its own EQD2; V_cap <= v is the same."""
    voxels = np.sort(np.random.default_rng(5).gamma(2.0, 0.15, 4000))
    above = 1.0 - np.arange(len(voxels)) / len(voxels)
    curve = Curve("organ", np.append([0.0], voxels), np.append(above, 0.0), 400.0)
    factor = measures.hottest(curve, 0.35)
    doses = [8.0, 8.0, 12.0]
    total = sum(
        d * voxels if dose == "physical" else np.asarray(lq.eqd2(lq.bed(d * voxels, 3.0), 3.0))
        for d in doses
    )
    expected = float(np.quantile(total, 0.65))
    ratio = {"alpha_beta_gy": 3.0} if dose == "eqd2" else {}
    course = uniform([3], [8.0])
    tumor = lesion(course=course, sparing={"organ": {"d35pct": factor}})
    for cap in (0.99 * expected, 1.01 * expected):
        rule = limit(
            "dose_volume", "v", organ="organ", point="d35pct", dose=dose, cap_gy=cap, **ratio
        )
        instance = build(plain_case([tumor], [rule], horizon_days=[6]))
        fractions = tuple(Fraction(day, tumor["name"], d) for day, d in enumerate(doses))
        use = Judge(instance).evaluate(Schedule(fractions)).limits[0]
        assert use.value == pytest.approx(expected, rel=2e-3)
        assert use.kept == (np.mean(total > cap) <= 0.35)


def test_a_ratio_belongs_to_eqd2() -> None:
    rule = limit("dose_volume", "v", organ="organ", point="max", alpha_beta_gy=3.0, cap_gy=5.0)
    tumor = lesion(course=uniform([1], [8.0]), sparing={"organ": {"max": 0.5}})
    with pytest.raises(InputError, match="alpha_beta_gy belongs to dose = 'eqd2'"):
        build(plain_case([tumor], [rule], horizon_days=[3]))
