"""Wrong input in the tables of the widened model: place and rule of every problem."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import plain_cases as plain
import pytest

from abscopt.instances.load import InputError, build, load

Raw = dict[str, Any]
Edit = Callable[[Raw], Any]

PAIR = {
    "clearance_l_per_day": 0.3,
    "central_volume_l": 3,
    "intercompartmental_clearance_l_per_day": 0.5,
    "peripheral_volume_l": 3,
    "ec50_mg_per_l": 4,
}
AGENT = {"kind": "checkpoint_inhibitor", **PAIR, **plain.CITED}
PNEUMONITIS = {"organ": "organ", "model": "logistic", "intercept": -4.0, "slope_per_gy": 0.1}


def case() -> Raw:
    sparing = {"organ": {"mean": 0.4, "max": 0.5}}
    course = plain.uniform([2, 4], [4, 6], also=[{"fractions": [4], "doses_gy": [1.5]}])
    raw = plain.plain_case(
        [plain.lesion(sparing=sparing, course=course)],
        [plain.limit("mean", "organ_mean", organ="organ", cap_gy=20)],
        horizon_days=[30],
        objective="default",
        drugs={"drug": {"kind": "chemotherapy", **plain.CITED}},
    )
    return copy.deepcopy(raw)


def lesion(**values: Any) -> Edit:
    return lambda raw: raw["lesions"][0].update(values)


def course(**values: Any) -> Edit:
    return lambda raw: raw["lesions"][0]["course"].update(values)


def limit(kind: str, **values: Any) -> Edit:
    return lambda raw: raw["limits"].append(plain.limit(kind, "extra", **values))


def drug(**values: Any) -> Edit:
    return lambda raw: raw["drugs"]["drug"].update(values)


def top(**values: Any) -> Edit:
    return lambda raw: raw.update(values)


def ntcp(**values: Any) -> Edit:
    return limit("ntcp", **(PNEUMONITIS | {"cap": 0.2} | values))


EXPOSED = {"drugs": "chemotherapy", "days_before": 0, "days_after": 7}
FREE = plain.free([0, 1], [2.0])
CLONES = [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]


def regimen(*days: int) -> Edit:
    """A regimen of cycles of 21 days with a drug on some days of the cycle."""
    doses = [{"drug": "pembrolizumab", "day": t, "amount": 200, "unit": "mg"} for t in days]
    twice = {"cycle_days": 21, "max_cycles": 2, "doses": doses, "source": "x", "status": "assumed"}
    return top(regimens={"twice": twice})


SPOILED: dict[str, tuple[Edit, str, str]] = {
    "clones of half a lesion": (lesion(clones=CLONES[:1]), "lesions[0]", "add up to 0.5, not 1"),
    "clones of one name": (lesion(clones=[CLONES[0]] * 2), "lesions[0]", "must be unique"),
    "share of an unknown clone": (
        lesion(techniques=[{"name": "t", "irradiated_share": {"c": 0.5}}]),
        "lesions[0]", "unknown clones ['c']",
    ),
    "technique outside the beam": (
        lesion(techniques=[{"name": "t", "irradiated_share": 0.0}]),
        "lesions[0].techniques[0].irradiated_share", "greater than 0",
    ),
    "organ of a technique": (
        lesion(techniques=[{"name": "t", "sparing": {"toe": {"mean": 0.1}}}]),
        "lesions[0].techniques[0].sparing.toe", "unknown organ",
    ),
    "three fractions, two a day": (
        course(also=[{"fractions": [3], "doses_gy": [2], "fractions_per_day": 2}]),
        "lesions[0].course.also[0]", "3 fractions do not fill days of 2",
    ),
    "two a day above the transition": (
        lambda raw: (lesion(lql_transition_gy=5)(raw), course(fractions_per_day=2)(raw)),
        "lesions[0].course.doses_gy", "below the LQ-L transition",
    ),
    "oxygen below 1": (
        lesion(oxygen_modification_factor=0.9),
        "lesions[0].oxygen_modification_factor", "greater than or equal to 1",
    ),
    "reoxygenation of a free course": (
        lesion(course=FREE, reoxygenation_days=10), "lesions[0].reoxygenation_days", "no first",
    ),
    "techniques of a free course": (
        lesion(course=FREE, techniques=[{"name": "a"}, {"name": "b"}]),
        "lesions[0].techniques", "one technique",
    ),
    "equivalent BED and a free course": (
        lambda raw: (
            lesion(course=FREE)(raw),
            drug(equivalent_bed_gy_per_dose=2, sensitizing_days=7)(raw),
        ),
        "drugs", "needs uniform courses",
    ),
    "sensitizer and equivalent BED": (
        drug(sensitizer_enhancement_ratio=1.2, sensitizing_days=7, equivalent_bed_gy_per_dose=2),
        "drugs.drug", "not both",
    ),
    "equivalent BED without days": (
        drug(equivalent_bed_gy_per_dose=2), "drugs.drug", "need sensitizing_days",
    ),
    "phase without a sign": (
        top(drugs={"drug": {**AGENT, "target": "OX40", "phase": "priming"}}),
        "drugs.drug", "belong together",
    ),
    "target without a phase": (
        top(drugs={"drug": {**AGENT, "target": "TIGIT"}}), "drugs.drug", "needs phase",
    ),
    "negative phase": (
        top(
            drugs={
                "drug": {**AGENT, "target": "TIGIT", "phase": "effector", "sign": -1, "strength": 2}
            }
        ),
        "drugs.drug", "negative",
    ),
    "phase of chemotherapy": (
        drug(phase="priming", sign=1, strength=1), "drugs.drug", "belong to a checkpoint",
    ),
    "NTCP of a missing constant": (
        ntcp(model="lkb"), "limits[1]", "needs td50_gy and m",
    ),
    "NTCP of certainty": (ntcp(cap=1.0), "limits[1].cap", "less than 1"),
    "NTCP that nothing keeps": (
        ntcp(exposures=[{**EXPOSED, "risk_ratio": 50}]), "limits[1]", "no dose keeps the cap",
    ),
    "NTCP exposed twice": (
        ntcp(exposures=[EXPOSED, EXPOSED]), "limits[1]", "listed twice",
    ),
    "NTCP of voxels without second moment": (
        ntcp(dose="eqd2", alpha_beta_gy=3.0), "lesions.tumor.sparing.organ", "second_moment",
    ),
    "protective exposure": (
        ntcp(exposures=[{**EXPOSED, "odds_ratio": 0.5}]),
        "limits[1].exposures[0].odds_ratio", "greater than or equal to 1",
    ),
    "penalty of nothing": (
        limit("mean", organ="organ", cap_gy=10, penalty=0.0), "limits[1].penalty", "greater than 0",
    ),
    "soft floor": (
        limit("logistics", quantity="lesions", floor=1, penalty=1.0), "limits[1]", "no floor",
    ),
    "gap of a cap": (
        limit("logistics", quantity="course_gap_days", cap=3), "limits[1]", "has a floor",
    ),
    "window of a quantity without days": (
        limit("logistics", quantity="lesions", cap=1, first_day=3), "limits[1]", "belong to",
    ),
    "window backwards": (
        limit("logistics", quantity="visits", cap=1, first_day=3, last_day=2),
        "limits[1]", "must not be before",
    ),
    "risk of certainty": (
        limit("drug", quantity="irae_risk", cap=1.0), "limits[1]", "probability below 1",
    ),
    "doses of no drug": (limit("drug", quantity="doses", cap=3), "limits[1]", "drug is missing"),
    "prior dose that nothing counts": (
        top(
            prior_doses=[
                {"organ": "organ", "point": "rim", "fractions": 5, "dose_gy": 2, "source": "x"}
            ]
        ),
        "prior_doses[0]", "no limit counts",
    ),
    "tumor_bed with clones": (
        lambda raw: (lesion(clones=CLONES)(raw), top(objective={"kind": "tumor_bed"})(raw)),
        "lesions[0].clones", "plain BED",
    ),
    "combination": (
        top(immune={"use": "default", "combination": "vote"}), "immune.combination", "strongest",
    ),
    "a drug twice on one day": (
        regimen(0, 21), "regimens.twice", "given twice on one day",
    ),
    "extends nothing": (top(extends="atlantis"), "extends", "no such bundled case"),
    "scale of a word": (top(scale_caps="half"), "scale_caps", "between 0 and 100"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_wrong_table(name: str) -> None:
    edit, place, rule = SPOILED[name]
    raw = case()
    build(raw)
    edit(raw)
    with pytest.raises(InputError) as caught:
        build(raw)
    problems = caught.value.problems
    assert any(p.place == place and rule in p.rule for p in problems), list(map(str, problems))


def test_points_of_a_limit_are_limits_of_their_own() -> None:
    raw = case()
    raw["lesions"][0]["sparing"]["organ"] |= {"t6": 0.1, "t10": 0.3}
    points = {"organ": "organ", "alpha_beta_gy": 2.0, "cap_gy": 89}
    raw["limits"].append(plain.limit("bed", "cord", points=["t6", "t10"], **points))
    limits = build(raw).limits[1:]
    assert [(limit.name, limit.point) for limit in limits] == [
        ("cord@t6", "t6"),
        ("cord@t10", "t10"),
    ]


def test_extended_case_merges_by_name_and_scales_caps() -> None:
    base = load("toy-two-lesions")
    change = {"weight": 2.0, "name": "small"}
    raw = {"extends": "toy-two-lesions", "scale_caps": 0.5, "title": "x", "lesions": [change]}
    variant = build(raw)
    assert variant.title == "x" and variant.name == base.name
    assert [lesion.weight for lesion in variant.lesions] == [1.0, 2.0, 1.0]
    assert variant.limits[0].cap_gy == base.limits[0].cap_gy / 2
    assert variant.lesions[0] == base.lesions[0]


@pytest.mark.parametrize("cap", [True, "28", [28], 10**400])
def test_scaling_leaves_what_is_no_cap_to_the_schema(cap: object) -> None:
    raw = case() | {"scale_caps": 0.5}
    raw["limits"][0]["cap_gy"] = cap
    with pytest.raises(InputError) as caught:
        build(raw)
    assert any(problem.place.startswith("limits[0]") for problem in caught.value.problems)
