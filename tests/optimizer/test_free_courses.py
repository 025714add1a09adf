"""Free courses against the judge asked about every schedule of the case."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from plain_cases import (
    CITED,
    EVERY_DAY,
    Raw,
    bed_limit,
    best_of_all,
    free,
    lesion,
    limit,
    plain_case,
    uniform,
)

from abscopt.instances import InputError, build
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.columns import countable
from abscopt.optimizer.candidates.table import Candidates

GAP = 1e-5


def assert_best(raw: Raw) -> None:
    """The engine's optimum is the best of all schedules, and its bound is true."""
    result = solve(build(raw), gap=GAP)
    best = best_of_all(raw)
    if best is None:
        assert result.status == "infeasible"
        return
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.bound is not None
    assert best - GAP <= result.objective <= best + 1e-9
    assert result.bound >= best - 1e-9


def doses(random: np.random.Generator, count: int) -> list[float]:
    return sorted(round(float(d), 2) for d in random.uniform(1, 14, size=count))


def by_day(random: np.random.Generator, days: list[int]) -> Raw:
    values = [round(float(v), 3) for v in random.uniform(0.4, 1.1, size=len(days))]
    return {"days": days, "values": values}


@pytest.mark.parametrize("seed", range(5))
def test_daily_sparing_factors_in_two_organs(seed: int) -> None:
    random, days = np.random.default_rng(seed), [0, 1, 2, 4]
    sparing = {"organ": {"max": by_day(random, days)}, "second": {"max": by_day(random, days)}}
    tumor = lesion(course=free(days, doses(random, 3)), sparing=sparing)
    limits = [bed_limit(float(random.uniform(20, 90))), bed_limit(50.0, 2.0, organ="second")]
    assert_best(plain_case([tumor], limits, horizon_days=[5], calendar=EVERY_DAY))


@pytest.mark.parametrize("seed", range(3))
def test_most_fractions(seed: int) -> None:
    random, days = np.random.default_rng(seed), list(range(5))
    course = free(days, doses(random, 3), max_fractions=1 + seed)
    tumor = lesion(course=course, sparing={"organ": {"max": by_day(random, days)}})
    assert_best(plain_case([tumor], [bed_limit(70.0)], horizon_days=[5]))


@pytest.mark.parametrize("objective", ["tumor_bed", "default"])
@pytest.mark.parametrize("kick_off", [0.0, 1.5, 3.0, 30.0])
def test_repopulation_after_kick_off(kick_off: float, objective: str) -> None:
    """Gains of later fractions compete with the days they cost; one horizon cuts the course."""
    tumor = lesion(
        growth_doubling_time_days=40.0,
        repopulation_doubling_time_days=1.1,
        kick_off_days=kick_off,
        course=free([1, 2, 4, 7], [2.0, 4.5, 6.0]),
        sparing={"organ": {"max": 0.7}},
    )
    assert_best(
        plain_case(
            [tumor],
            [bed_limit(45.0)],
            horizon_days=[5, 12],
            objective=objective,
            calendar=EVERY_DAY,
        )
    )


@pytest.mark.parametrize("objective", ["tumor_bed", "default", "log_kill", "expected_control"])
@pytest.mark.parametrize("kick_off", [0.0, 2.0, 4.5, 30.0])
@pytest.mark.parametrize("days", [[0, 1, 2, 3, 7], [0, 3, 4, 5, 9], [0, 5]])
def test_repopulation_by_the_number_of_fractions(
    days: list[int], kick_off: float, objective: str
) -> None:
    """Only the days from first to last matter: fractions lie as close as the days allow."""
    tumor = lesion(
        growth_doubling_time_days=40.0,
        repopulation_doubling_time_days=1.3,
        kick_off_days=kick_off,
        course=free(days, [1.5, 3.0, 6.5], max_fractions=4),
        sparing={"organ": {"max": 0.7}, "other": {"mean": 0.4}},
    )
    limits = [bed_limit(38.0), limit("mean", "other", organ="other", cap_gy=5.1)]
    raw = plain_case(
        [tumor], limits, horizon_days=[11, 20], objective=objective, calendar=EVERY_DAY
    )
    assert countable(Candidates(build(raw)))
    assert_best(raw)


def test_a_month_of_free_days_with_repopulation_is_proved() -> None:
    """Thirty weekdays, 32 doses, two BED caps, 0.66 Gy lost on each day after day 28.

    21 fractions in 28 days give 54.5 Gy and 68.85 Gy BED10 with 61.588 of 61.6 Gy3.
    """
    tumor = lesion(
        repopulation_doubling_time_days=math.log(2) / (0.3 * 0.66),
        kick_off_days=28.0,
        course=free(
            [day for day in range(40) if day % 7 < 5], [0.25 * level for level in range(1, 33)]
        ),
        sparing={"one": {"max": 0.7}, "two": {"max": 0.5}},
    )
    caps = {"one": (3.0, 61.6), "two": (2.0, 52.5)}
    limits = [
        limit("bed", name, organ=name, alpha_beta_gy=ratio, cap_gy=cap)
        for name, (ratio, cap) in caps.items()
    ]
    result = solve(build(plain_case([tumor], limits, horizon_days=[200]) | {"objective": GOAL}))
    assert result.status == "optimal"
    assert result.objective == pytest.approx(68.85, abs=1e-6)
    assert result.evaluation is not None
    assert result.evaluation.limits[0].value == pytest.approx(61.588, abs=1e-3)


GOAL = {"kind": "tumor_bed", "gap": 1e-4}


def test_repopulation_slower_than_growth_is_refused() -> None:
    """Then an accelerated day would be a gain, which the programme must not invent."""
    tumor = lesion(
        growth_doubling_time_days=2.0,
        repopulation_doubling_time_days=6.0,
        course=free([0, 1, 4], [2.0, 4.0]),
        sparing={"organ": {"max": 0.7}},
    )
    with pytest.raises(InputError, match="must not be slower than untreated growth"):
        build(plain_case([tumor], [bed_limit(18.0)], horizon_days=[9], objective="default"))


LOGISTICS: tuple[tuple[str, int], ...] = (
    ("lesions", 1),
    ("visits", 2),
    ("lesions_per_day", 1),
    ("overall_days", 2),
    ("machine_days", 3),
)


def two_free_lesions(seed: int) -> tuple[list[Raw], list[Raw]]:
    random, days = np.random.default_rng(seed), [0, 1, 3]
    lesions = [
        lesion(
            name,
            weight=weight,
            clonogens=1e4,
            integral_dose_cm3=300.0,
            lymphocyte_loss_per_fraction=0.08,
            course=free(days, doses(random, 2)),
            sparing={
                "organ": {"max": by_day(random, days)},
                "lungs": {"mean": 0.1},
                "heart": {"mean": 0.05},
            },
        )
        for name, weight in (("one", 1.0), ("two", 0.7))
    ]
    return lesions, [bed_limit(float(random.uniform(60, 140)))]


@pytest.mark.parametrize(("quantity", "cap"), LOGISTICS)
@pytest.mark.parametrize("objective", ["tumor_bed", "default"])
def test_logistics(quantity: str, cap: int, objective: str) -> None:
    lesions, limits = two_free_lesions(1)
    limits = [*limits, limit("logistics", "rule", quantity=quantity, cap=cap)]
    assert_best(plain_case(lesions, limits, horizon_days=[6], objective=objective))


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_gap_between_courses(gap: int) -> None:
    lesions, limits = two_free_lesions(2)
    apart = limit("logistics", "gap", quantity="course_gap_days", floor=gap)
    assert_best(plain_case(lesions, [*limits, apart], horizon_days=[6]))


def test_windowed_visits_prior_dose_and_soft_limits() -> None:
    lesions, limits = two_free_lesions(0)
    limits = [
        limits[0] | {"penalty": 30.0},
        bed_limit(130.0, 8.0),
        limit("logistics", "early", quantity="visits", cap=1, last_day=1, penalty=4.0),
        limit("logistics", "late", quantity="lesions_per_day", cap=1, first_day=2),
    ]
    prior = {"organ": "organ", "point": "max", "fractions": 3, "dose_gy": 2.0, "source": "test"}
    assert_best(plain_case(lesions, limits, horizon_days=[6], prior_doses=[prior]))


@pytest.mark.parametrize("seed", range(3))
def test_lymphocyte_count_edric_and_shared_days(seed: int) -> None:
    lesions, limits = two_free_lesions(seed)
    floor = 1.7 * math.exp(-0.08 * (2.5 + seed))
    limits = [
        *limits,
        limit("alc", "alc", floor_1e9_per_l=floor),
        limit("edric", "edric", cap_gy=0.5 + 0.3 * seed),
    ]
    assert_best(plain_case(lesions, limits, horizon_days=[6]))


def test_edric_with_daily_sparing_factors() -> None:
    """The lung dose per Gy may vary by day, and day 0 need not be a day of the course."""
    tumor = lesion(
        integral_dose_cm3=100.0,
        course=free([1, 2, 3], [4.0, 8.0]),
        sparing={"lungs": {"mean": {"days": [1, 2, 3], "values": [0.9, 0.3, 0.6]}}},
    )
    limits = [limit("edric", "edric", cap_gy=1.2)]
    assert_best(plain_case([tumor], limits, horizon_days=[5]))


def test_shared_days_with_a_floor_on_the_lesions_treated() -> None:
    """Each lesion keeps the cap alone; together only if they avoid each other's days."""
    lesions = [
        lesion(name, course=free([0, 1], [5.0, 6.0]), sparing={"organ": {"max": 0.9}})
        for name in ("one", "two")
    ]
    both = limit("logistics", "both", quantity="lesions", floor=2)
    assert_best(plain_case(lesions, [bed_limit(30.0), both], horizon_days=[5]))


def mixed(seed: int, **free_fields: Any) -> Raw:
    """A free lesion beside a uniform one that releases antigen, with a checkpoint inhibitor."""
    random, days = np.random.default_rng(seed), [0, 1, 2]
    first = lesion(
        "free",
        clonogens=float(10 ** random.uniform(2, 6)),
        effector_share=0.3,
        lymphocyte_loss_per_fraction=0.05,
        course=free(days, doses(random, 2)),
        sparing={"organ": {"max": by_day(random, days)}},
        **free_fields,
    )
    second = lesion(
        "uniform",
        clonogens=float(10 ** random.uniform(2, 6)),
        immunogenicity=1.0,
        effector_share=0.4,
        precursor_share=0.6,
        effector_kill_per_fraction=0.1,
        lymphocyte_loss_per_fraction=0.07,
        course=uniform([1, 3], doses(random, 2), last_start_day=2, start_step_days=2),
        sparing={"organ": {"max": 0.6}},
    )
    agent = {
        "name": "pembrolizumab",
        "regimens": ["pembrolizumab-200-q3w"],
        "first_start_day": 0,
        "last_start_day": 7,
        "start_step_days": 7,
    }
    return plain_case(
        [first, second],
        [bed_limit(float(random.uniform(40, 110)))],
        horizon_days=[15, 30],
        objective="default",
        immune={"use": "default"},
        agents=[agent],
    )


@pytest.mark.parametrize("seed", range(5))
def test_free_and_uniform_lesion_with_systemic_effect(seed: int) -> None:
    assert_best(mixed(seed))


def with_cross_terms(raw: Raw) -> Raw:
    """Mean EQD2 of an organ that both lesions load on shared days."""
    for one in raw["lesions"]:
        one["sparing"] = {"organ": {"mean": 0.5, "second_moment": 0.4}}
    raw["limits"] = [
        limit("mean_eqd2", "organ", organ="organ", alpha_beta_gy=3.0, cap_gy=24.0),
    ]
    raw["cross_second_moments"] = [
        {"organ": "organ", "lesions": ["free", "uniform"], "value": 0.35}
    ]
    return raw


def with_miner_table(raw: Raw) -> Raw:
    """Doses of both lesions on one day add before the table is read."""
    for one in raw["lesions"]:
        one["sparing"] = {"organ": {"max": 0.6}}
    raw["limits"] = [
        limit(
            "dose_by_fractions",
            "organ",
            organ="organ",
            fractions=[1, 3, 5],
            limits_gy=[10.0, 18.0, 23.0],
        )
    ]
    return raw


def with_spacing(raw: Raw) -> Raw:
    """The drug only after radiation, and soon after it."""
    raw["agents"][0] |= {"min_days_after_radiation": 1, "max_days_after_radiation": 5}
    return raw


def with_obligatory_drug_apart(raw: Raw) -> Raw:
    """The drug must be given, two days from any fraction."""
    raw["agents"][0] |= {"min_days_between_dose_and_fraction": 2, "optional": False}
    return raw


VARIANTS = (with_cross_terms, with_miner_table, with_spacing, with_obligatory_drug_apart)


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("variant", VARIANTS)
def test_mixed_case_variants(variant: Callable[[Raw], Raw], seed: int) -> None:
    assert_best(variant(mixed(seed)))


def test_mixed_case_with_repopulation_of_the_free_lesion() -> None:
    assert_best(mixed(5, repopulation_doubling_time_days=1.5, kick_off_days=1.0))


# uniform courses through the programme, on the same terms


def assert_both_methods_best(raw: Raw) -> None:
    best = best_of_all(raw)
    for method in ("auto", "single"):
        result = solve(build(raw), gap=GAP, method=method)
        assert result.status == ("infeasible" if best is None else "optimal")
        if best is not None:
            assert result.objective == pytest.approx(best, abs=GAP)


@pytest.mark.parametrize("last_start_day", [0, 1])
def test_floor_on_lesions_where_shared_days_break_a_cap(last_start_day: int) -> None:
    """Both lesions must be treated; on one day they break the cap together."""
    lesions = [
        lesion(
            name,
            course=uniform([1], [5.0, 6.0], last_start_day=last_start_day),
            sparing={"organ": {"max": 0.9}},
        )
        for name in ("one", "two")
    ]
    both = limit("logistics", "both", quantity="lesions", floor=2)
    assert_both_methods_best(plain_case(lesions, [bed_limit(30.0), both], horizon_days=[5]))


@pytest.mark.parametrize("first_infusion", [0, 3])
@pytest.mark.parametrize("interval", ["min_days_after_radiation", "max_days_after_radiation"])
def test_interval_counts_the_same_day_of_a_regimen(interval: str, first_infusion: int) -> None:
    """The start of an agent is one day for judge and engine, wherever its first infusion lies."""
    tumor = lesion(course=uniform([1], [5.0], last_start_day=4), sparing={"organ": {"max": 0.5}})
    drug = {"kind": "chemotherapy", "sensitizer_enhancement_ratio": 1.5, "sensitizing_days": 9}
    cycle = {
        "cycle_days": 20,
        "max_cycles": 1,
        "doses": [{"drug": "drug", "day": first_infusion, "amount": 40, "unit": "mg"}],
    }
    agent = {
        "name": "chemo",
        "regimens": ["cycle"],
        "first_start_day": 0,
        "last_start_day": 3,
        "optional": False,
        interval: 2,
    }
    raw = plain_case(
        [tumor],
        [bed_limit(30.0)],
        horizon_days=[12],
        drugs={"drug": drug | CITED},
        regimens={"cycle": cycle | CITED},
        agents=[agent],
    )
    assert_both_methods_best(raw)
