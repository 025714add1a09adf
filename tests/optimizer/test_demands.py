"""Demands of lesions: the judge's verdict, the optimum of brute force, proofs that nothing fits."""

from __future__ import annotations

import copy
import math
from collections import Counter
from functools import cache

import plain_cases as plain
import pytest
from brute_force import Enumeration, enumerate_by_judge
from demanding_instances import BED, demanding_case
from hypothesis import given, settings
from hypothesis import strategies as st
from random_instances import Raw
from tuning import tune

from abscopt.instances import InputError, build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.pipeline import Method
from abscopt.optimizer.results.result import Result
from abscopt.optimizer.schedule import Fraction, Schedule
from abscopt.optimizer.search.uniform import settings as searching

GAP = 1e-4
CONTROL = ("least_control",)
ALL = (*BED, *CONTROL)
SEEDS = range(300, 340)
CONTROL_SEEDS = range(420, 456)
CHUNKS = 4
METHODS: tuple[Method, ...] = ("auto", "single")
TOLERANCE = {"auto": 1e-9, "single": 1e-5}
"""The bound of the one programme is as exact as the rows of a MILP are in HiGHS."""


@cache
def enumerated(seed: int, keys: tuple[str, ...]) -> tuple[Instance, Enumeration]:
    instance = build(demanding_case(seed, keys))
    return instance, enumerate_by_judge(instance, Judge(instance))


def agrees(result: Result, best: float | None, tolerance: float) -> bool:
    """Same status, objective within the gap of the best and bound not below it."""
    if best is None:
        return result.status == "infeasible" and result.schedule is None
    if result.status != "optimal" or result.objective is None or result.bound is None:
        return False
    slack = tolerance * max(1.0, abs(best))
    return best - GAP - slack <= result.objective <= best + slack <= result.bound + 2 * slack


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_cases_that_demand_bed_are_solved_as_by_enumeration(chunk: int, method: Method) -> None:
    wrong = []
    for seed in SEEDS[chunk::CHUNKS]:
        instance, found = enumerated(seed, BED)
        result = solve(instance, gap=GAP, method=method)
        if not agrees(result, found.best, TOLERANCE[method]):
            wrong.append((seed, result.status, result.objective, result.bound, found.best))
    assert not wrong


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_cases_that_demand_control_are_solved_as_by_enumeration(chunk: int, method: Method) -> None:
    wrong = []
    for seed in CONTROL_SEEDS[chunk::CHUNKS]:
        instance, found = enumerated(seed, CONTROL if seed % 3 else ALL)
        result = solve(instance, gap=GAP, method=method)
        if not agrees(result, found.best, TOLERANCE[method]):
            wrong.append((seed, result.status, result.objective, result.bound, found.best))
    assert not wrong


@pytest.mark.parametrize("seed", [*SEEDS[::5], *CONTROL_SEEDS])
def test_the_search_proves_demands_by_bounds_too(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small cases are enumerated by the search itself; here it has to bound, split and join."""
    tune(monkeypatch, searching, few=0)
    instance, found = enumerated(seed, BED if seed in SEEDS else CONTROL if seed % 3 else ALL)
    assert agrees(solve(instance, gap=GAP), found.best, TOLERANCE["auto"])


@pytest.mark.parametrize("seed", CONTROL_SEEDS[:6])
def test_large_cases_are_reduced_before_the_one_programme(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(monkeypatch, searching, plain_coefficients=0)
    instance, found = enumerated(seed, CONTROL if seed % 3 else ALL)
    result = solve(instance, gap=GAP, method="single")
    assert agrees(result, found.best, TOLERANCE["single"])


@pytest.mark.parametrize(("keys", "seeds"), [(BED, SEEDS), (CONTROL, CONTROL_SEEDS)])
def test_the_demands_matter(keys: tuple[str, ...], seeds: range) -> None:
    """Demands are met, cost something, or cannot be met at all; each often enough."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        _, found = enumerated(seed, keys)
        counts["feasible"] += found.best is not None
        counts["infeasible"] += found.best is None
        asked = [value for name, value in found.without.items() if ".least_" in name]
        counts["costly"] += found.best is not None and max(asked, default=-math.inf) > found.best
    assert counts["feasible"] >= 15
    assert counts["infeasible"] >= 3
    assert counts["costly"] >= 3


def one_lesion(**fields: object) -> Raw:
    """Five fractions of 2 to 8 Gy; an organ allows 6 Gy, and nothing asks for more than little."""
    sparing = {"organ": {"max": 0.5}}
    course = plain.uniform([5], [2, 4, 6, 8])
    tumor = plain.lesion(course=course, sparing=sparing, **fields)
    return plain.plain_case([tumor], [plain.bed_limit(30.0)], horizon_days=[30])


def given_gy(result: Result) -> float:
    assert result.schedule is not None
    return max((fraction.dose_gy for fraction in result.schedule.fractions), default=0.0)


def costly(raw: Raw) -> Raw:
    """The same with every Gy to the organ at a price, so that no radiation is best."""
    raw["limits"].append(plain.bed_limit(0.01, 2.0) | {"penalty": 10.0})
    return raw


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("demand", "dose_gy"),
    [
        ({}, 0.0),
        ({"least_bed_gy": 5 * 2 * 1.2}, 2.0),
        ({"least_bed_gy": 12.001}, 4.0),
        ({"least_eqd2_gy": 28.0 / 1.2}, 4.0),
        ({"least_eqd2_gy": 28.0 / 1.2, "least_bed_gy": 40.0}, 6.0),
    ],
)
def test_the_least_course_that_meets_a_demand_is_given(
    demand: dict[str, float], dose_gy: float, method: Method
) -> None:
    result = solve(build(costly(one_lesion(**demand))), method=method)
    assert result.status == "optimal"
    assert given_gy(result) == dose_gy


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("free", [False, True])
def test_a_demand_beyond_every_course_is_proven_infeasible(method: Method, free: bool) -> None:
    """The organ allows 5 x 6 Gy, BED10 48: 8 Gy, BED10 72, is on the menu but breaks it."""
    raw = one_lesion(least_bed_gy=48.1)
    if free:
        raw["lesions"][0]["course"] = plain.free(range(5), [2, 4, 6])
    result = solve(build(raw), method=method)
    assert result.status == "infeasible"
    raw["lesions"][0]["least_bed_gy"] = 48.0
    assert given_gy(solve(build(raw), method=method)) == 6.0


def judged(raw: Raw, doses_gy: list[float]) -> tuple[Instance, Schedule]:
    return build(raw), Schedule.of(
        [Fraction(day, "tumor", dose, 0, "") for day, dose in enumerate(doses_gy)], []
    )


def test_the_judge_reports_demands_after_the_limits() -> None:
    instance, schedule = judged(one_lesion(least_bed_gy=30.0, least_eqd2_gy=20.0), [4.0] * 5)
    verdict = Judge(instance).evaluate(schedule)
    bed, eqd2 = verdict.limits[1:]
    assert (bed.name, bed.kind, bed.unit) == ("tumor.least_bed_gy", "least_bed", "Gy BED10")
    assert (bed.value, bed.bound) == (pytest.approx(28.0), 30.0)
    assert bed.use == pytest.approx(30.0 / 28.0)
    assert bed.broken
    assert eqd2.value == pytest.approx(28.0 / 1.2)
    assert not eqd2.broken
    assert verdict.broken_limits == ("tumor.least_bed_gy",)
    assert not verdict.feasible


def test_an_untreated_lesion_breaks_its_demand() -> None:
    instance, schedule = judged(one_lesion(least_bed_gy=1.0), [])
    use = Judge(instance).evaluate(schedule).limits[-1]
    assert (use.value, use.use, use.kept) == (0.0, None, False)


def test_repopulation_is_not_taken_off_the_demanded_bed() -> None:
    """5 x 4 Gy are 28 Gy BED10, whatever grows back meanwhile."""
    fast = {"repopulation_doubling_time_days": 2.0, "kick_off_days": 0.0}
    instance, schedule = judged(one_lesion(least_bed_gy=28.0, **fast), [4.0] * 5)
    verdict = Judge(instance).evaluate(schedule)
    assert verdict.feasible
    assert verdict.lesions[0].tumor_bed_gy < 28.0


def test_a_lesion_that_may_not_be_irradiated_has_no_least_bed() -> None:
    raw = one_lesion()
    occult = {"use": "plain_lq", "name": "occult", "organ": "any", "irradiable": False}
    raw["lesions"].append(occult | {"clonogens": 10.0, "least_bed_gy": 20.0})
    with pytest.raises(InputError, match="least_bed_gy and least_eqd2_gy need irradiable = true"):
        build(raw)


@settings(max_examples=25)
@given(seed=st.integers(0, 200), demand=st.floats(1.0, 120.0), more=st.floats(1.0, 2.0))
def test_raising_a_demand_never_improves_the_optimum(seed: int, demand: float, more: float) -> None:
    raw = demanding_case(seed, ())
    values = []
    for least in (None, demand, demand * more):
        harder = copy.deepcopy(raw)
        if least is not None:
            harder["lesions"][0]["least_bed_gy"] = least
        result = solve(build(harder), gap=GAP)
        values.append(-math.inf if result.objective is None else result.objective)
    assert values[0] >= values[1] - 2 * GAP
    assert values[1] >= values[2] - 2 * GAP
