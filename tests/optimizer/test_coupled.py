"""Days that couple lesions: slots of a machine, gaps, visits, lymphocytes; and what cannot be."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from plain_cases import EVERY_DAY, Raw, best_of_all, lesion, limit, plain_case, uniform
from tuning import tune

from abscopt.instances import build
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.infeasible import farkas_prices
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet, families

GAP = 1e-4
IMMUNE = {"use": "default", "effect_per_effector": 0.5}


def logistics(quantity: str, **sides: Any) -> Raw:
    return limit("logistics", f"{quantity}_{'_'.join(sides)}", quantity=quantity, **sides)


# (weight, fractions, Gy) of nine patients of a department
PATIENTS = (
    (8, 1, 8), (3, 15, 2.67), (1, 20, 3), (8, 5, 10), (3, 10, 3), (8, 20, 2.75), (3, 5, 4),
    (3, 5, 5.2), (3, 15, 2.67),
)  # fmt: skip


def department(patients: Any, slots: int, *limits: Raw, objective: str = "log_kill") -> Raw:
    """Patients who may start on weekdays of the first weeks, `slots` of them on a day."""
    lesions = [
        lesion(
            f"p{number}",
            weight=weight,
            clonogens=1e7,
            growth_doubling_time_days=30,
            course=uniform([fractions], [dose], first_start_day=2, last_start_day=23),
        )
        for number, (weight, fractions, dose) in enumerate(patients)
    ]
    holidays = ["2025-05-01", "2025-05-08", "2025-05-29", "2025-06-09"]
    calendar = {"start_date": "2025-04-22", "holidays": holidays}
    return plain_case(
        lesions,
        [logistics("lesions_per_day", cap=slots), *limits],
        horizon_days=[90],
        objective=objective,
        calendar=calendar,
    )


def test_nine_patients_on_three_slots() -> None:
    """The date-indexed programme of 126 binaries gives -97.8355, too."""
    result = solve(build(department(PATIENTS, 3)))
    assert result.status == "optimal"
    assert result.objective == pytest.approx(-97.8355, abs=1e-4)


def test_thirty_patients() -> None:
    patients = [PATIENTS[i % 9] for i in range(30)]
    result = solve(build(department(patients, 6)), gap=GAP)
    assert result.status == "optimal"
    one_day_more = solve(build(department(patients, 7)), gap=GAP)
    assert one_day_more.objective is not None and result.objective is not None
    assert one_day_more.objective > result.objective


@cache
def seven_on_two_slots() -> float:
    result = solve(build(department(PATIENTS[:7], 2)), gap=GAP)
    assert result.objective is not None
    return result.objective


@pytest.mark.parametrize(
    "further",
    [
        logistics("visits", cap=15),
        logistics("overall_days", cap=20),
        logistics("course_gap_days", floor=2),
        logistics("machine_days", cap=3, first_day=2, last_day=10),
        logistics("lesions", cap=3),
    ],
    ids=lambda one: one["quantity"],
)
def test_further_limits_on_days_are_proved(further: Raw) -> None:
    result = solve(build(department(PATIENTS[:7], 2, further)), gap=GAP)
    assert result.status == "optimal"
    assert result.evaluation is not None and result.evaluation.feasible
    assert result.objective is not None
    assert result.objective < seven_on_two_slots() - GAP, "the limit does not bind"


@pytest.mark.parametrize(
    "impossible",
    [
        (2, logistics("lesions", floor=9)),
        (1, logistics("lesions", floor=4), logistics("overall_days", cap=12)),
        (3, logistics("lesions", floor=9), logistics("machine_days", cap=60)),
    ],
)
def test_too_few_slots_for_a_floor_are_infeasible(impossible: Any) -> None:
    slots, *limits = impossible
    result = solve(build(department(PATIENTS, slots, *limits)))
    assert result.status == "infeasible"


def test_a_floor_above_what_lesions_can_get() -> None:
    """Every course of the vertebra breaks the cap, and all four must be treated."""
    lesions = [
        lesion(
            name,
            course=uniform([3, 5], [6.0, 8.0], last_start_day=14, interval_days=[1, 2]),
            sparing={"organ": {"max": 1.0 if name == "vertebra" else 0.05}},
        )
        for name in ("lung", "liver", "adrenal", "vertebra")
    ]
    limits = [
        limit("bed", "cap", organ="organ", alpha_beta_gy=3.0, cap_gy=10.0),
        logistics("lesions", floor=4),
    ]
    raw = plain_case(lesions, limits, horizon_days=[60], objective="default")
    assert solve(build(raw)).status == "infeasible"
    raw["limits"][1]["floor"] = 3
    assert solve(build(raw)).status == "optimal"


def long_courses(floor: float, *limits: Raw) -> Raw:
    """Eight fractions for three lesions, of which a lymphocyte floor allows two."""
    lesions = [
        lesion(
            name,
            volume_cm3=volume,
            immunogenicity=1.0,
            effector_share=0.3,
            precursor_share=0.3,
            lymphocyte_loss_per_fraction=0.06,
            course=uniform([8], [4.0, 5.0, 6.0], last_start_day=28, interval_days=[1, 2]),
        )
        for name, volume in (("a", 14.0), ("b", 9.0), ("c", 11.0))
    ]
    alc = limit("alc", "alc", floor_1e9_per_l=floor)
    return plain_case(
        lesions,
        [alc, *limits],
        horizon_days=[84],
        objective="default",
        immune=IMMUNE,
        lymphocytes={"initial_1e9_per_l": 1.5, "recovery_half_time_days": 35},
    )


def test_a_lymphocyte_floor_that_allows_two_of_three() -> None:
    result = solve(build(long_courses(0.7)))
    assert result.status == "optimal"
    assert result.schedule is not None
    assert len({fraction.lesion for fraction in result.schedule.fractions}) == 2
    assert solve(build(long_courses(0.7, logistics("lesions", floor=3)))).status == "infeasible"


def drawn(seed: int) -> Raw:
    """Three lesions, few days, caps on what they share by day; often nothing is feasible."""
    random = np.random.default_rng(seed)
    lesions = [
        lesion(
            f"l{number}",
            weight=float(random.choice([0.5, 1.0, 3.0])),
            clonogens=1e4,
            immunogenicity=float(seed % 2),
            effector_share=0.3,
            precursor_share=0.3,
            lymphocyte_loss_per_fraction=0.15,
            effector_kill_per_fraction=0.2,
            course=uniform(
                [int(random.integers(1, 4))],
                [4.0, 7.0],
                last_start_day=3,
                interval_days=[int(random.integers(1, 4))],
            ),
            sparing={"organ": {"max": 0.6}},
        )
        for number in range(3)
    ]
    every = [
        logistics("lesions_per_day", cap=int(random.integers(1, 3))),
        logistics("course_gap_days", floor=int(random.integers(1, 4))),
        logistics("visits", cap=int(random.integers(2, 7))),
        logistics("overall_days", cap=int(random.integers(3, 9))),
        logistics("machine_days", cap=int(random.integers(2, 7)), first_day=1, last_day=6),
        limit("alc", "alc", floor_1e9_per_l=float(random.uniform(0.6, 1.2))),
        limit("bed", "bed", organ="organ", alpha_beta_gy=3.0, cap_gy=float(random.uniform(20, 60))),
        logistics("lesions", floor=int(random.integers(1, 4))),
    ]
    chosen = random.choice(len(every), size=3, replace=False)
    objective = ("default", "log_kill", "expected_control", "tumor_bed", "log_control")[seed % 5]
    return plain_case(
        lesions,
        [every[i] for i in sorted(chosen)],
        horizon_days=[12, 30],
        objective=objective,
        calendar=EVERY_DAY,
        immune=IMMUNE if seed % 2 else {"use": "off"},
    )


@pytest.mark.parametrize("seed", range(30))
def test_days_couple_lesions_as_enumeration_says(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the shortcut for few schedules, so that rows, rays and programmes decide."""
    tune(monkeypatch, settings, few=0, course_limit=0)
    raw = drawn(seed)
    best = best_of_all(raw)
    result = solve(build(raw), gap=GAP)
    if best is None:
        assert result.status == "infeasible"
        return
    assert result.status == "optimal"
    assert result.objective is not None and result.bound is not None
    assert best - GAP <= result.objective <= best + 1e-9
    assert result.bound >= best - 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_farkas_prices_are_never_given_where_something_is_feasible(seed: int) -> None:
    candidates = Candidates(build(drawn(seed)))
    for plans in families(candidates, np.arange(len(candidates.plans))):
        dual = Dual(PlanSet(candidates, plans))
        price = farkas_prices(dual.set, dual.set.usable)
        menus = [np.arange(len(table.menu)) for table in candidates.lesions]
        rows = np.array(list(itertools.product(*menus)))
        some = any(Tabulated(candidates, plan).feasible(rows).any() for plan in plans)
        if price is not None:
            assert not some
            assert (price >= 0).all() and math.isfinite(float(price.sum()))


def test_days_are_decided_before_any_schedule_is_known() -> None:
    """A least number of lesions hides the first schedule; no systemic effect acts."""
    random = np.random.default_rng(3)
    for _ in range(6):
        lesions = []
        for number in range(12):
            first = int(random.integers(0, 10))
            course = uniform(
                [int(random.choice([3, 5, 8, 10]))],
                [float(random.choice([3.0, 4.0, 8.0]))],
                first_start_day=first,
                last_start_day=first + int(random.integers(4, 12)),
            )
            weight = int(random.choice([1, 3, 8]))
            lesions.append(lesion(f"l{number}", weight=weight, course=course))
        limits = [logistics("lesions_per_day", cap=3), logistics("lesions", floor=9)]
        raw = plain_case(lesions, limits, horizon_days=[60], objective="log_kill")
        assert solve(build(raw), time_limit=60).status in ("optimal", "infeasible")
