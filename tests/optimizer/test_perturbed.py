"""One coefficient off by one percent in a binding row: every constraint family notices it.

Each family has a case of a few lesions and days in which its rows bind. The case is solved by
HiGHS as it is; then again, one coefficient of one row multiplied by 1.01 or 0.99 in every
programme that has this row. The two findings must disagree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_cases import CITED, EVERY_DAY, Raw, free, lesion, limit, plain_case, uniform

import abscopt.optimizer.programme as programme
from abscopt.instances import build
from abscopt.instances.schema import Instance
from abscopt.models import lymphocytes
from abscopt.optimizer.crosscheck.compare import Finding, binding_rows, find, scaled, verdict
from abscopt.optimizer.crosscheck.engines import ENGINES
from abscopt.optimizer.crosscheck.naming import Programme
from abscopt.optimizer.solver import Matrix, Outcome

HIGHS = ENGINES["highs"]
GAP = 1e-5
PATIENCE = 20.0
MOST_TRIED = 12
FACTORS = (1.01, 0.99)
BINDS = 2e-5
USED = 1e-9

STATED = re.compile(r"model\.(\w+) = (?:pyo\.Constraint|_needs_one)\(")
SOURCES = sorted(Path(programme.__path__[0]).glob("*.py"))
FAMILIES = sorted({name for path in SOURCES for name in STATED.findall(path.read_text())})


def logistics(quantity: str, **sides: Any) -> Raw:
    """A cap or floor on one quantity."""
    return limit("logistics", f"{quantity}_{'_'.join(sides)}", quantity=quantity, **sides)


def one_day(day: int, dose_gy: float) -> Raw:
    """One fraction on one day, or none."""
    return uniform([1], [dose_gy], first_start_day=day, last_start_day=day)


def drug(name: str, day: int, **rules: Any) -> tuple[Raw, Raw]:
    """One infusion on one day that must be given, and its regimen."""
    agent = {"name": name, "regimens": [name], "first_start_day": day, "last_start_day": day}
    dose = {"drug": name, "day": 0, "amount": 200, "unit": "mg"}
    regimen = {"cycle_days": 1, "max_cycles": 1, "doses": [dose], **CITED}
    return agent | {"optional": False} | rules, regimen


def with_drugs(raw: Raw, *drugs: tuple[Raw, Raw]) -> Raw:
    """The case with obligatory drugs."""
    regimens = {agent["name"]: regimen for agent, regimen in drugs}
    return raw | {"agents": [agent for agent, _ in drugs], "regimens": regimens}


def logistics_case() -> Raw:
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


def gaps_case() -> Raw:
    """Lesions on days 3, 1 and 5: two days between any two of them."""
    lesions = [
        lesion(name, course=one_day(day, 6)) for name, day in (("a", 3), ("b", 1), ("c", 5))
    ]
    return plain_case(lesions, [logistics("course_gap_days", floor=2)], horizon_days=[7], calendar=EVERY_DAY)


def intervals_case() -> Raw:
    """Lesions on days 0 and 3; drugs that want fractions near, and none on their own day."""
    lesions = [
        lesion("early", course=one_day(0, 6)),
        lesion("late", course=uniform([1], [6], first_start_day=3, last_start_day=4)),
    ]
    return with_drugs(
        plain_case(lesions, [], horizon_days=[7]),
        drug("pembrolizumab", 4, max_days_after_radiation=1, min_days_between_dose_and_fraction=1),
        drug("cisplatin", 1, max_days_before_radiation=1),
    )


def toxicity_case() -> Raw:
    """One fraction uses up the complication probability under a drug, EDRIC and lymphocytes."""
    probability = 1.0 / (1.0 + math.exp(5.0 - 0.2 * 0.5 * 8.0) / 2.0)
    exposure = {"drugs": "chemotherapy", "days_before": 0, "days_after": 1, "odds_ratio": 2.0}
    tumor = lesion(
        course=uniform([1], [4, 8, 12]),
        integral_dose_cm3=400.0,
        lymphocyte_loss_per_fraction=0.3,
        sparing={"organ": {"mean": 0.5}, "lungs": {"mean": 0.1}, "heart": {"mean": 0.1}},
    )
    limits = [
        limit(
            "ntcp", "ntcp", organ="organ", model="logistic", intercept=-5.0, slope_per_gy=0.2,
            cap=probability, exposures=[exposure],
        ),
        limit("edric", "edric", cap_gy=float(lymphocytes.edric(0.8, 0.8, 3200.0, 1))),
        limit("alc", "alc", floor_1e9_per_l=1.7 * math.exp(-0.35)),
    ]  # fmt: skip
    return with_drugs(plain_case([tumor], limits, horizon_days=[3]), drug("cisplatin", 0))


def shared_day(**fields: Any) -> Raw:
    """Two lesions on one day, whose doses together load an organ more than their sum."""
    lesions = [
        lesion(name, weight=weight, course=one_day(0, 6.0), sparing={"organ": {"max": 0.9}})
        for name, weight in (("one", 1.0), ("two", 0.8))
    ]
    cap = {"organ": "organ", "alpha_beta_gy": 3.0, "cap_gy": 31.0}
    return plain_case(lesions, [limit("bed", "bed", **cap, **fields)], horizon_days=[2])


def free_case() -> Raw:
    """A free course with a greatest number of fractions, and repopulation."""
    tumor = lesion(
        growth_doubling_time_days=40.0,
        repopulation_doubling_time_days=1.1,
        kick_off_days=0.5,
        course=free([1, 2, 4], [2.0, 6.0], max_fractions=2),
    )
    return plain_case([tumor], [], horizon_days=[6])


IMMUNE = {"use": "default", "gate_low_gy": 4.0, "clearance_per_day": 0.6,
    "priming_delay_days": 0, "effect_per_effector": 0.4, "effect_maximum_nats": 6.0,
    "precursors_initial": 1.0}
CLONES = [
    {"name": "sensitive", "share": 0.9},
    {"name": "resistant", "share": 0.1, "alpha_per_gy": 0.15},
]


def releasing(name: str, course: Raw, **fields: Any) -> Raw:
    """A lesion that releases antigen and loses lymphocytes."""
    constants = {
        "clonogens": 1e4,
        "immunogenicity": 2.0,
        "effector_share": 0.4,
        "precursor_share": 0.4,
        "lymphocyte_loss_per_fraction": 0.3,
        "course": course,
    }
    return lesion(name, **(constants | fields))


def immune_case(lesions: list[Raw], **fields: Any) -> Raw:
    """Lesions with systemic effect under pembrolizumab."""
    fields = {"horizon_days": [6], "objective": "default"} | fields
    immune = IMMUNE | fields.pop("immune", {})
    raw = plain_case(lesions, fields.pop("limits", []), immune=immune, **fields)
    return with_drugs(raw, drug("pembrolizumab", 0))


def uniform_immune_case() -> Raw:
    lesions = [
        releasing("one", uniform([1, 2], [6])),
        releasing("two", uniform([1], [5, 8]), clones=CLONES),
        lesion("hopeless", clonogens=1e9, effector_share=0.2, course=one_day(0, 6)),
    ]
    return immune_case(lesions)


def control_case() -> Raw:
    lesions = [
        lesion("one", clonogens=1e2, course=uniform([1], [6])),
        lesion("two", clonogens=1e3, course=uniform([1], [6])),
        lesion("occult", irradiable=False, clonogens=5.0),
    ]
    return plain_case(lesions, [], horizon_days=[3], objective="expected_control")


def log_kill_case() -> Raw:
    return plain_case([lesion(course=uniform([1], [6]))], [], horizon_days=[3], objective="log_kill")


def free_immune_case() -> Raw:
    one = releasing("one", free([0, 1, 3], [6.0], max_fractions=2), effector_kill_per_fraction=0.5)
    two = releasing("two", free([0, 2], [6.0]))
    return immune_case([one, two])


def unsaturated_case() -> Raw:
    return immune_case([releasing("one", uniform([1], [6]))], immune={"effect_maximum_nats": None})


def burden_uniform_case() -> Raw:
    """Only the greater dose makes the lesion small enough to be credited."""
    one = releasing("one", uniform([1], [6, 12]), lymphocyte_loss_per_fraction=0.0)
    return immune_case([one], immune={"burden_limit_cm3": 0.1})


def burden_free_case() -> Raw:
    kill = 1.0 * 12.0 * (1.0 + 12.0 / 10.0)
    one = releasing(
        "one",
        free([0], [6.0, 12.0]),
        alpha_per_gy=1.0,
        clonogens=1e13,
        lymphocyte_loss_per_fraction=0.0,
    )
    return immune_case([one], immune={"burden_limit_cm3": 10.0 * math.exp(-kill)})


def conceding_case() -> Raw:
    tumor = lesion(clonogens=math.exp(0.3 * 6.0 * 1.6 - 1.0), course=uniform([1], [6]))
    raw = plain_case([tumor], [], horizon_days=[3])
    raw["objective"] = {"kind": "default", "conceded_at_nats": 1.0, "conceded_slope": 0.499}
    return raw


Case = Callable[[], Raw]
CASES: list[Case] = [logistics_case, gaps_case, intervals_case, toxicity_case, shared_day, lambda: shared_day(penalty=1.0), free_case,
  uniform_immune_case, control_case, log_kill_case, free_immune_case, unsaturated_case, burden_uniform_case, burden_free_case, conceding_case]
