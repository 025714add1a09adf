"""One coefficient off by one percent in a binding row: in every constraint family it is noticed.

Each family has a case of a few lesions and days in which a row of it binds. The case is solved as
it is, then with one coefficient of a binding row multiplied by 1.01 or 0.99 in every programme
that has this row. The wrong programme's finding and the true one must disagree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from one_percent import Rounds, Wrong, with_wrong, wrong_coefficients
from plain_cases import (
    AMOUNTS,
    CITED,
    EVERY_DAY,
    Raw,
    best_of_all,
    free,
    lesion,
    limit,
    plain_case,
    uniform,
)

import abscopt.optimizer.programme as programme
from abscopt.instances import build
from abscopt.models.immunity import lymphocytes
from abscopt.models.tumor import outcome
from abscopt.optimizer.crosscheck.compare import Finding, find, verdict
from abscopt.optimizer.crosscheck.engines import ENGINES
from abscopt.optimizer.crosscheck.handover.naming import Programme
from abscopt.optimizer.highs.solver import Matrix, Outcome

Case = Callable[[], Raw]

HIGHS = ENGINES["highs"]
GAP = 1e-5
SECONDS = 30.0

STATED = re.compile(r"model\.(\w+) = (?:pyo\.Constraint|_needs_one)\(")
SOURCES = sorted(Path(programme.__path__[0]).rglob("*.py"))
PAIRS = ("credited_pairs", "exposed_pairs")  # with those of pairs.py: see test_perturbed_pairs.py
APART = ("pairs", "cells", "joint")
"""Modules whose families are perturbed in `test_perturbed_pairs.py` and `_members.py`."""
FAMILIES = sorted(
    {
        name
        for path in SOURCES
        if path.stem not in APART
        for name in STATED.findall(path.read_text())
        if name not in PAIRS
    }
)


def logistics(quantity: str, **sides: Any) -> Raw:
    """A cap or floor on one quantity."""
    return limit("logistics", f"{quantity}_{'_'.join(sides)}", quantity=quantity, **sides)


def one_day(day: int, dose_gy: float) -> Raw:
    """One fraction on one day, or none."""
    return uniform([1], [dose_gy], first_start_day=day, last_start_day=day)


def with_drugs(raw: Raw, **rules_of_drug: Raw) -> Raw:
    """The case with one obligatory infusion of each drug, on day 0 unless the rules say more."""
    agents, regimens = [], {}
    for name, rules in rules_of_drug.items():
        dose = {"drug": name, "day": 0, "amount": AMOUNTS.get(name, 200), "unit": "mg"}
        regimens[name] = {"cycle_days": 1, "max_cycles": 1, "doses": [dose], **CITED}
        day = {"first_start_day": 0, "last_start_day": 0}
        agents.append({"name": name, "regimens": [name], "optional": False} | day | rules)
    return raw | {"agents": agents, "regimens": regimens}


def used_up() -> Raw:
    """Two fractions of 6 Gy for the first of two lesions use up every cap."""
    lesions = [
        lesion(name, weight=weight, course=uniform([1, 2], [6]), sparing={"organ": {"mean": 0.5}})
        for name, weight in (("one", 1.0), ("two", 0.5))
    ]
    limits = [
        limit("mean", "organ", organ="organ", cap_gy=6.0),
        logistics("lesions", cap=1),
        logistics("lesions", floor=1),
        logistics("visits", cap=2),
        logistics("machine_days", cap=2),
        logistics("lesions_per_day", cap=1),
        logistics("overall_days", cap=2),
    ]
    return plain_case(lesions, limits, horizon_days=[4])


def shared_plan() -> Raw:
    """Two lesions of one plan; alone the first would take the dose that the second lacks."""
    lesions = [
        lesion("one", course=uniform([1], [6, 9]), sparing={"organ": {"mean": 0.5}}),
        lesion("two", weight=0.5, course=uniform([1], [6]), sparing={"organ": {"mean": 0.5}}),
    ]
    return plain_case(
        lesions, [limit("one_plan", "plan", lesions=["one", "two"])], horizon_days=[4]
    )


def gaps() -> Raw:
    """Lesions on days 3, 1 and 5, two days between any two of them."""
    lesions = [lesion(name, course=one_day(day, 6)) for name, day in (("a", 3), ("b", 1), ("c", 5))]
    apart = logistics("course_gap_days", floor=2)
    return plain_case(lesions, [apart], horizon_days=[7], calendar=EVERY_DAY)


def intervals() -> Raw:
    """Drugs that want a fraction just before or after them, and none on their own day."""
    lesions = [
        lesion("early", course=one_day(0, 6)),
        lesion("late", course=uniform([1], [6], first_start_day=3, last_start_day=4)),
    ]
    day_4 = {"first_start_day": 4, "last_start_day": 4}
    return with_drugs(
        plain_case(lesions, [], horizon_days=[7]),
        pembrolizumab=day_4
        | {"max_days_after_radiation": 1, "min_days_between_dose_and_fraction": 1},
        cisplatin={"max_days_before_radiation": 1},
    )


def toxicity() -> Raw:
    """One fraction of 8 Gy uses up complication probability, EDRIC and lymphocytes."""
    probability = 1.0 / (1.0 + math.exp(5.0 - 0.2 * 0.5 * 8.0) / 2.0)
    exposure = {"drugs": "chemotherapy", "days_before": 0, "days_after": 1, "odds_ratio": 2.0}
    logistic = {"model": "logistic", "intercept": -5.0, "slope_per_gy": 0.2}
    edric = float(lymphocytes.edric(0.1 * 8.0, 0.1 * 8.0, 400.0 * 8.0, 1))
    fraction_and_cisplatin = 0.3 + 0.05
    tumor = lesion(
        course=uniform([1], [4, 8, 12]),
        integral_dose_cm3=400.0,
        lymphocyte_loss_per_fraction=0.3,
        sparing={"organ": {"mean": 0.5}, "lungs": {"mean": 0.1}, "heart": {"mean": 0.1}},
    )
    limits = [
        limit("ntcp", "ntcp", organ="organ", cap=probability, exposures=[exposure], **logistic),
        limit("edric", "edric", cap_gy=edric),
        limit("alc", "alc", floor_1e9_per_l=1.7 * math.exp(-fraction_and_cisplatin)),
    ]
    return with_drugs(plain_case([tumor], limits, horizon_days=[3]), cisplatin={})


def shared_day(**fields: Any) -> Raw:
    """Two lesions on one day: each keeps the cap, and so does the sum of their loads."""
    lesions = [
        lesion(name, weight=weight, course=one_day(0, 6), sparing={"organ": {"max": 0.9}})
        for name, weight in (("one", 1.0), ("two", 0.8))
    ]
    cap = limit("bed", "bed", organ="organ", alpha_beta_gy=3.0, cap_gy=31.0, **fields)
    return plain_case(lesions, [cap], horizon_days=[2])


def shared_day_soft() -> Raw:
    """The same where the excess is worth its penalty."""
    return shared_day(penalty=1.0)


def repopulating() -> Raw:
    """A free course of at most two fractions, with repopulation and a limit that asks for days."""
    return plain_case([growing()], [logistics("overall_days", cap=6)], horizon_days=[6])


def repopulating_counted() -> Raw:
    """The same where only the number of fractions tells how far they lie apart."""
    return plain_case([growing()], [], horizon_days=[6])


def growing() -> Raw:
    """A lesion with accelerated repopulation and a free course of at most two fractions."""
    return lesion(
        growth_doubling_time_days=40.0,
        repopulation_doubling_time_days=1.1,
        kick_off_days=0.5,
        course=free([1, 2, 4], [2, 6], max_fractions=2),
    )


def immune_case(*lesions: Raw, **immune: Any) -> Raw:
    """Lesions with systemic effect under pembrolizumab."""
    constants = {"gate_low_gy": 4.0, "clearance_per_day": 0.6, "priming_delay_days": 0}
    strong = {"use": "default", "effect_per_effector": 0.4, "effect_maximum_nats": 6.0}
    fields = {"immune": strong | constants | immune, "objective": "default"}
    return with_drugs(plain_case(lesions, [], horizon_days=[6], **fields), pembrolizumab={})


def releasing(name: str, course: Raw, **fields: Any) -> Raw:
    """A lesion that releases antigen and costs lymphocytes."""
    constants = {
        "clonogens": 1e4,
        "immunogenicity": 2.0,
        "effector_share": 0.4,
        "precursor_share": 0.4,
        "lymphocyte_loss_per_fraction": 0.3,
        "course": course,
    }
    return lesion(name, **(constants | fields))


def systemic() -> Raw:
    """Uniform courses with systemic effect: one clone, two clones, and a hopeless lesion."""
    sensitive = {"name": "sensitive", "share": 0.9}
    resistant = {"name": "resistant", "share": 0.1, "alpha_per_gy": 0.15}
    return immune_case(
        releasing("one", uniform([1, 2], [6])),
        releasing("two", uniform([1], [5, 8]), clones=[sensitive, resistant]),
        lesion("hopeless", clonogens=1e9, effector_share=0.2, course=one_day(0, 6)),
    )


def spread() -> Raw:
    """Uniform courses with systemic effect of tumors that differ in radiosensitivity."""
    return immune_case(
        releasing("one", uniform([1, 2], [6]), alpha_cv=0.3),
        releasing("two", uniform([1], [5, 8]), alpha_cv=0.4),
    )


def spread_once() -> Raw:
    """One course and so little effect that one piece of kill ends where the effect does."""
    course = one_day(0, 6)
    fields = {"effector_share": 0.05, "lymphocyte_loss_per_fraction": 0.0, "weight": 5.0}
    return immune_case(releasing("one", course, alpha_cv=0.02, **fields), effect_per_effector=0.1)


def unsaturated() -> Raw:
    """Systemic effect without a maximum."""
    return immune_case(releasing("one", uniform([1], [6])), effect_maximum_nats=None)


def systemic_free() -> Raw:
    """Free courses with systemic effect, whose fractions kill effectors of the first lesion."""
    course = free([0, 1, 3], [6], max_fractions=2)
    return immune_case(
        releasing("one", course, effector_kill_per_fraction=0.5),
        releasing("two", free([0, 2], [6])),
    )


def burden() -> Raw:
    """Only the greater dose leaves a lesion small enough to be credited with systemic effect."""
    tumor = releasing("tumor", uniform([1], [6, 12]), lymphocyte_loss_per_fraction=0.0)
    return immune_case(tumor, burden_limit_cm3=0.1)


def burden_free() -> Raw:
    """The same for a free course, whose greater dose leaves just the volume that is credited."""
    kill = 12.0 * (1.0 + 12.0 / 10.0)
    rest = {"alpha_per_gy": 1.0, "clonogens": 1e13, "lymphocyte_loss_per_fraction": 0.0}
    tumor = releasing("tumor", free([0], [6, 12]), **rest)
    case = immune_case(tumor, burden_limit_cm3=10.0 * math.exp(-kill))
    return case | {"allow_unusual": True}  # a burden of less than one cell


def control() -> Raw:
    """Expected control: two lesions at the ends of their ranges, and one that is not treated."""
    lesions = [
        lesion("one", clonogens=1e2, course=uniform([1], [6])),
        lesion("two", clonogens=1e3, course=uniform([1], [6])),
        lesion("occult", irradiable=False, clonogens=5.0),
    ]
    return plain_case(lesions, [], horizon_days=[3], objective="expected_control")


def log_kill() -> Raw:
    """Log kill of one lesion."""
    tumor = lesion(course=uniform([1], [6]))
    return plain_case([tumor], [], horizon_days=[3], objective="log_kill")


def just_conceded() -> Raw:
    """A lesion just beyond the burden of concession, where the line is almost at its floor."""
    left = outcome.concession_burden(4.6) + 0.01
    tumor = lesion(clonogens=math.exp(left + 0.3 * 6.0 * (1.0 + 6.0 / 10.0)), course=one_day(0, 6))
    line = {"kind": "default", "conceded_at_nats": 4.6, "conceded_slope": 1e-4}
    return plain_case([tumor], [], horizon_days=[3]) | {"objective": line}


def waiting() -> Raw:
    """An organ's dose has a price; without a fraction on day 1 too many sites are seeded."""
    tumor = lesion(
        course=uniform([1], [4], first_start_day=1, last_start_day=2),
        sparing={"organ": {"max": 1.0}},
        volume_cm3=20.0,
    )
    dear = limit("bed", "organ", organ="organ", alpha_beta_gy=3.0, cap_gy=0.01, penalty=1.0)
    seeding = {"rate_per_day": 0.1, "reference_cm3": 20.0, "exponent": 1.0}
    return plain_case(
        [tumor], [dear, limit("new_sites", "sites", cap=0.1, **seeding)], horizon_days=[4]
    )


def demanding() -> Raw:
    """An organ's dose has a price; the lesion demands 5.6 Gy of BED, one fraction of 4 Gy."""
    tumor = lesion(course=free([0, 1], [2, 4]), sparing={"organ": {"max": 1.0}}, least_bed_gy=5.6)
    dear = limit("bed", "organ", organ="organ", alpha_beta_gy=3.0, cap_gy=0.01, penalty=1.0)
    return plain_case([tumor], [dear], horizon_days=[3])


def demanding_control() -> Raw:
    """The same price; one fraction of 4 Gy leaves the one nat of burden that is demanded."""
    kill = 0.3 * 4.0 * (1.0 + 4.0 / 10.0)
    sparing = {"organ": {"max": 1.0}}
    chance = {"clonogens": math.exp(kill + 1.0), "least_control": 1.0 / (1.0 + math.exp(1.0))}
    tumor = lesion(course=uniform([1, 2], [2, 4]), sparing=sparing, **chance)
    dear = limit("bed", "organ", organ="organ", alpha_beta_gy=3.0, cap_gy=0.1, penalty=1.0)
    return plain_case([tumor], [dear], horizon_days=[3], objective="log_kill")


BINDING: dict[Case, tuple[str, ...]] = {
    used_up: (
        "begin_before", "end_after", "lesions_per_day", "lesions_treated", "lesions_treated_floor",
        "machine_days", "one_course", "one_plan", "organ_loads", "overall_days",
        "treated_if_fraction", "treated_only_if_fraction", "tumor_bed_row", "visit_if_fraction",
        "visits",
    ),
    shared_plan: ("lesions_of_one_plan",),
    gaps: ("first_then_second", "lesion_begins", "lesion_ends", "second_then_first"),
    intervals: ("early_enough", "intervals", "late_enough"),
    toxicity: (
        "edric", "edric_level", "edric_number", "exposed_caps", "exposures", "lymphocyte_count",
    ),
    shared_day: ("excluded",),
    shared_day_soft: ("excess_together",),
    repopulating: (
        "accelerated", "course_begins", "fraction_number", "one_level", "tumor_bed_row",
    ),
    repopulating_counted: ("accelerated_by_number", "number_of_fractions", "one_number"),
    systemic: (
        "band_above", "band_below", "conceded_line", "log_burden", "pursued", "saturation",
        "systemic_effect", "total_burden",
    ),
    spread: ("population_from_start",),
    spread_once: ("kill_of_pieces", "one_kill_piece", "population_at_end"),
    unsaturated: ("saturation",),
    systemic_free: (
        "effect_parts", "effectors_present", "log_burden", "other_band_above", "other_band_below",
        "other_band_of_plan", "own_effect_row", "rest_days", "rest_of_plan", "survivor_balance",
        "survivors_given", "systemic_effect",
    ),
    burden: ("credit_at_most", "credited_courses"),
    burden_free: ("burden_rule_free", "credited_kill", "effect_part_of_band"),
    control: ("control_lines", "gains", "one_piece", "part_above", "part_below", "parts"),
    log_kill: ("log_kill",),
    just_conceded: ("conceded_floor",),
    demanding: ("least_bed",),
    waiting: ("new_sites",),
    demanding_control: ("least_control",),
}  # fmt: skip


@cache
def solved(case: Case) -> tuple[Finding, Rounds]:
    """The true finding, and every programme on the way to it with its optimum."""
    programmes: list[Programme] = []
    outcomes: list[Outcome] = []

    def seen(one: Programme) -> Matrix:
        programmes.append(one)
        return one.matrix

    def solve(matrix: Matrix, **options: Any) -> Outcome:
        outcomes.append(HIGHS.solve(matrix, **options))
        return outcomes[-1]

    found = find(build(case()), replace(HIGHS, solve=solve), gap=GAP, transform=seen)
    points = [one.x for one in outcomes]
    return found, list(zip(programmes, points, strict=True))


def perturbed(case: Case, wrong: Wrong) -> Finding:
    """What the programme says with one wrong coefficient."""
    change = with_wrong(wrong)
    return find(build(case()), HIGHS, gap=GAP, time_limit=SECONDS, transform=change)


def test_every_family_has_a_case_in_which_it_binds() -> None:
    assert sorted({family for families in BINDING.values() for family in families}) == FAMILIES


@pytest.mark.parametrize("case", BINDING, ids=lambda case: case.__name__)
def test_the_true_programme_is_right(case: Case) -> None:
    reference, _ = solved(case)
    assert reference.status == "optimal"
    assert reference.value == pytest.approx(best_of_all(case()), abs=GAP)


@pytest.mark.parametrize(
    ("case", "family"),
    [
        pytest.param(case, family, id=f"{family}-{case.__name__}")
        for case, families in BINDING.items()
        for family in families
    ],
)
def test_one_percent_of_a_binding_coefficient_is_a_disagreement(case: Case, family: str) -> None:
    reference, rounds = solved(case)
    tried = []
    for wrong in wrong_coefficients(rounds, family):
        found = verdict(perturbed(case, wrong), reference, GAP)
        if found.verdict == "disagree":
            return
        tried.append((wrong, found))
    pytest.fail(f"no wrong coefficient of {family} is noticed: {tried or 'no row binds'}")
