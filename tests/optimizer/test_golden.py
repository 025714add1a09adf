"""The LP text of every constraint family, on instances of two days and two lesions.

`ABSCOPT_GOLDEN=write pytest tests/optimizer/test_golden.py` writes the files anew; read the
difference before you keep it. Words must be the same; numbers may differ by the last digits in
which processors differ, and no more.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plain_cases as plain
import pyomo.environ as pyo
import pytest

import abscopt.optimizer.programme as programme
from abscopt.instances import build as build_case
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import offered
from abscopt.optimizer.candidates.systemic.flows import flows_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.programme.build import build
from abscopt.optimizer.programme.data import data_of
from abscopt.optimizer.programme.ensemble.joint import joint_programme
from abscopt.optimizer.programme.ensemble.sides import member_sides, stated_side
from abscopt.optimizer.programme.refinement import Cut, first_refinement
from abscopt.optimizer.programme.refining import first
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.risk import Risk, RiskKind

Raw = dict[str, Any]

GOLDEN = Path(__file__).parent.parent / "golden"
WRITE = os.environ.get("ABSCOPT_GOLDEN") == "write"
STATED = re.compile(r"(?:model|block)\.(\w+) = (?:pyo\.Constraint|_needs_one)\(")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
SOURCES = sorted(Path(programme.__path__[0]).rglob("*.py"))
FAMILIES = sorted({name for path in SOURCES for name in STATED.findall(path.read_text())})

SPARING = {"organ": {"mean": 0.4, "max": 0.5}, "lungs": {"mean": 0.1}, "heart": {"mean": 0.1}}
PNEUMONITIS = {
    "organ": "organ",
    "model": "logistic",
    "intercept": -5.0,
    "slope_per_gy": 0.2,
    "cap": 0.03,
    "exposures": [
        {"drugs": "checkpoint_inhibitor", "days_before": 0, "days_after": 1, "risk_ratio": 1.4},
        {"drugs": "chemotherapy", "days_before": 0, "days_after": 1, "odds_ratio": 2.0},
    ],
}
IMMUNE = {"use": "default", "effect_per_effector": 0.5}


def drug(name: str, **rules: Any) -> Raw:
    one = {"drug": name, "day": 0, "amount": plain.AMOUNTS.get(name, 200), "unit": "mg"}
    return {
        "agent": {"name": name, "regimens": [name], "first_start_day": 0, **rules},
        "regimen": {"cycle_days": 1, "max_cycles": 1, "doses": [one], **plain.CITED},
    }


def two(course: Raw, **fields: Any) -> list[Raw]:
    """Two lesions; the second has two clones where courses are uniform."""
    constants = {
        "immunogenicity": 1.0,
        "effector_share": 0.4,
        "precursor_share": 0.4,
        "effector_kill_per_fraction": 0.3,
        "lymphocyte_loss_per_fraction": 0.3,
        "integral_dose_cm3": 400,
        "clonogens": 1e3,
        "sparing": SPARING,
        "course": course,
    }
    clones = [{"name": "sensitive", "share": 0.9}, {"name": "resistant", "share": 0.1}]
    clones[1]["alpha_per_gy"] = 0.1
    return [
        plain.lesion("one", **(constants | fields)),
        plain.lesion("two", **(constants | {"clones": clones} | fields)),
    ]


def case(course: Raw, limits: list[Raw], objective: str = "default", **fields: Any) -> Raw:
    lesion_fields = fields.pop("lesion", {})
    agents = [
        drug("pembrolizumab", last_start_day=1, min_days_between_dose_and_fraction=1),
        drug(
            "cisplatin", last_start_day=1, max_days_after_radiation=0, max_days_before_radiation=0
        ),
    ]
    return plain.plain_case(
        two(course, **lesion_fields),
        limits,
        objective=objective,
        horizon_days=[2],
        regimens={entry["agent"]["name"]: entry["regimen"] for entry in agents},
        agents=[entry["agent"] for entry in agents],
        **({"immune": IMMUNE} | fields),
    )


def logistics(quantity: str, **sides: Any) -> Raw:
    return plain.limit("logistics", quantity, quantity=quantity, **sides)


UNIFORM = plain.uniform([1, 2], [4, 8], last_start_day=1)
FREE = plain.free([0, 1], [4, 8], max_fractions=2)
COUNTED = plain.free([0, 1, 4], [4, 8])
LIMITS = [
    plain.limit("ntcp", "pneumonitis", **PNEUMONITIS),
    plain.limit("mean", "organ_mean", organ="organ", cap_gy=5),
    plain.limit("alc", "alc", floor_1e9_per_l=1.0),
    plain.limit("edric", "edric", cap_gy=0.2),
    logistics("lesions", cap=1),
    logistics("visits", cap=1),
    logistics("machine_days", cap=1),
    logistics("lesions_per_day", cap=1),
    logistics("overall_days", cap=1),
    logistics("course_gap_days", floor=1),
]
SEEDING = {"rate_per_day": 0.01, "reference_cm3": 20.0, "exponent": 1.0}
FLOOR = [logistics("lesions", floor=1)]
SOFT = [plain.limit("bed", "organ_bed", organ="organ", alpha_beta_gy=3, cap_gy=9, penalty=0.5)]
ON_MAX = {"organ": "organ", "point": "max"}
DOSE_VOLUME = [
    plain.limit("dose_volume", "physical", **ON_MAX, cap_gy=9),
    plain.limit("dose_volume", "eqd2", **ON_MAX, dose="eqd2", alpha_beta_gy=3, cap_gy=9),
]
BINS = {"doses": [0.1, 0.4, 0.7], "shares": [0.3, 0.4, 0.3], "source": "test"}
BY_BINS = [
    plain.limit(
        "ntcp",
        "by_bins",
        **(PNEUMONITIS | {"volume_exponent": 0.5, "dose": "eqd2", "alpha_beta_gy": 3.0}),
    )
]
BURDEN = {"immune": IMMUNE | {"burden_limit_cm3": 5.0}}

VARIANTS: dict[str, Raw] = {
    "uniform": case(UNIFORM, LIMITS),
    "unsaturated": case(UNIFORM, [], immune=IMMUNE | {"effect_maximum_nats": None}),
    "soft": case(UNIFORM, SOFT + FLOOR, **BURDEN),
    "expected": case(UNIFORM, [], "expected_control"),
    "log_kill": case(UNIFORM, [], "log_kill"),
    "free": case(FREE, LIMITS, lesion={"repopulation_doubling_time_days": 3}),
    "free burden": case(FREE, SOFT, **BURDEN),
    "pairs": case(UNIFORM, LIMITS, **BURDEN),
    "tumor_bed": case(UNIFORM, LIMITS[:2], "tumor_bed", lesion={"clones": []}),
    "demands": case(UNIFORM, [], lesion={"least_bed_gy": 9.0, "least_control": 0.1}),
    "waiting": case(UNIFORM, [plain.limit("new_sites", "new_sites", cap=0.1, **SEEDING)]),
    "spread": case(UNIFORM, [], lesion={"alpha_cv": 0.3}),
    "dose_volume": case(UNIFORM, DOSE_VOLUME),
    "by_bins": case(UNIFORM, BY_BINS, lesion={"histograms": {"organ": BINS}}),
    "one_plan": case(
        UNIFORM,
        [plain.limit("one_plan", "plan", lesions=["one", "two"])],
        lesion={"integral_dose_cm3": None},
    ),
    "counted": plain.plain_case(
        [plain.lesion("one", repopulation_doubling_time_days=3, kick_off_days=1, course=COUNTED)],
        [],
        horizon_days=[6],
    ),
}

MEMBERS: dict[str, tuple[Raw, RiskKind, Raw]] = {
    "members": (
        case(UNIFORM, LIMITS[1:2], lesion={"least_control": 0.1}),
        "cvar",
        {"lesions.*.alpha_per_gy": 0.25, "lesions.*.sparing.organ.mean": 0.7},
    ),
    "free members": (case(FREE, LIMITS[1:2]), "worst", {"lesions.*.sparing.organ.mean": 0.7}),
}
"""Cases, measures of risk, and what a second member of equal weight has otherwise."""
INNER_EFFECTS = (0.02, 0.05)
"""Two judged effects, so that cells have edges between them."""

FURTHER = {
    "dose_volume": ("organ_loads", "dose_volume"),
    "ntcp_by_bins": ("organ_loads", "by_bins"),
}
"""Golden files of a family in another variant than its first."""


def members_model(variant: str) -> Any:
    """The first programme over two members, with edges inside."""
    raw, kind, changes = MEMBERS[variant]
    stated_case, weights = build_case(raw), np.full(2, 0.5)
    cases = (stated_case, stated_case.with_(changes))
    members = Members.of(stated_case, cases, weights, searched=False)
    stated = stated_side(members.nominal, Judge(stated_case))
    sides = member_sides(stated, members, range(2), [Judge(member) for member in cases])
    refined = [
        side.refined(dataclasses.replace(side.data.refinement, effects=INNER_EFFECTS))
        if side.data.paired
        else side
        for side in sides
    ]
    return joint_programme(stated, refined, Risk(kind, weights, 0.5))


@cache
def model_of(variant: str) -> Any:
    """The first programme of a variant, with one cut of each sort."""
    if variant in MEMBERS:
        return members_model(variant)
    candidates = Candidates(build_case(VARIANTS[variant]))
    kept = offered(candidates) if variant == "pairs" else None
    columns = columns_of(candidates, kept=kept)
    active = tuple(
        s
        for s in flows_of(candidates, columns)
        if candidates.instance.lesions[s].immune_active(candidates.instance.immune)
    )
    refinement = first_refinement(candidates.instance, columns, active)
    if kept is not None:
        refinement = dataclasses.replace(first(candidates, columns, kept), gains=(0.5, 1.0))
    plans = tuple(range(len(candidates.plans)))
    given = [int(j) for j in range(len(columns)) if columns.fractions[j] > 0]
    pair = ((given[0],), (given[-1],))
    cuts = [Cut(plans, pair)]
    if candidates.instance.limits and candidates.instance.limits[0].penalty is not None:
        cuts.append(Cut(plans, pair, 0, 0.25))
    refinement = dataclasses.replace(refinement, cuts=tuple(cuts))
    return build(data_of(candidates, columns, refinement, kept))


def families_of(variant: str) -> list[str]:
    components = model_of(variant).component_objects(pyo.Constraint)
    return [component.local_name for component in components if len(component)]


def variant_of(family: str) -> str | None:
    """The first variant in which a family has rows."""
    return next((name for name in (*VARIANTS, *MEMBERS) if family in families_of(name)), None)


def text_of(family: str, variant: str, folder: Path) -> str:
    """LP text of one family alone, with the objective."""
    model = model_of(variant)
    stated = model.component_objects(pyo.Constraint, active=True)
    others = [component for component in stated if component.local_name != family]
    for component in others:
        component.deactivate()
    path = folder / "family.lp"
    try:
        model.write(str(path), io_options={"symbolic_solver_labels": True})
    finally:
        for component in others:
            component.activate()
    lines = path.read_text().splitlines()
    return "\n".join([f"\\* {family}: two days, two lesions, variant {variant} *\\", *lines]) + "\n"


def number(word: str) -> float | None:
    """Value of a word of an LP file that is a number."""
    return float(word) if NUMBER.fullmatch(word) else None


def differences(text: str, golden: str) -> list[str]:
    """Lines that are not the same: other words, or numbers more than 1e-9 (relative) apart."""
    here, there = text.splitlines(), golden.splitlines()
    if len(here) != len(there):
        return [f"{len(here)} lines instead of {len(there)}"]
    return [
        f"{one!r} was {other!r}"
        for one, other in zip(here, there, strict=True)
        if not same_line(one, other)
    ]


def same_line(one: str, other: str) -> bool:
    """Whether two lines have the same words and nearly the same numbers."""
    words = one.split(), other.split()
    return len(words[0]) == len(words[1]) and all(
        mine == theirs or close(number(mine), number(theirs))
        for mine, theirs in zip(*words, strict=True)
    )


def close(one: float | None, other: float | None) -> bool:
    """Whether both are numbers that differ in the last digits only."""
    return (
        one is not None
        and other is not None
        and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    )


def test_programme_states_families() -> None:
    assert len(FAMILIES) > 40


@pytest.mark.parametrize("family", FAMILIES)
def test_golden_text(family: str, tmp_path: Path) -> None:
    variant = variant_of(family)
    assert variant is not None, f"{family} has no rows in any variant: add one"
    check_golden(family, text_of(family, variant, tmp_path))


@pytest.mark.parametrize("name", FURTHER)
def test_golden_text_of_further_variants(name: str, tmp_path: Path) -> None:
    check_golden(name, text_of(*FURTHER[name], tmp_path))


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.lp"
    if WRITE:
        path.write_text(text)
    assert path.exists(), f"{name} has no golden file"
    assert differences(text, path.read_text()) == []


def test_golden_text_tolerates_last_digits_only() -> None:
    text = "c_u_row(0)_:\n+0.3126574918264 x(0_1)\n-2 x(1_1)\n<= 9.5\n"
    first, last = "+0.3126574918264", "9.5"
    assert differences(text, text) == []
    assert differences(text.replace(first, "+0.3126574918261"), text) == []
    assert differences(text.replace(last, "9.500000000000002"), text) == []
    for number_before, number_after in ((first, "+0.3126578"), (last, "9.5000095"), ("-2", "+2")):
        assert len(differences(text.replace(number_before, number_after), text)) == 1
    for other in (text.replace("x(1_1)", "x(1_2)"), text.replace("<=", ">="), text + "end\n"):
        assert len(differences(other, text)) == 1


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.lp")} <= {*FAMILIES, *FURTHER}
