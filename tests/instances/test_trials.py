"""The library of trial arms: well formed, sourced, and what the publications say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from abscopt.instances import InputError, names
from abscopt.instances.load import library
from abscopt.instances.tables.fields import Status
from abscopt.instances.trials import TrialArm, TrialCourse, trial_arm, trial_arms
from abscopt.models.tumor import lq

ARMS = trial_arms()
PUBLISHED_BED10 = {
    "pacific": (72.0,),
    "rtog-0617-74": (88.8,),
    "nicolas": (79.2,),
    "increase": (60.0,),
    "pembro-rt": (43.2,),
    "mdacc-50-4": (112.5,),
    "mdacc-45-15": (58.5,),
    "formenti": (55.6,),
    "radvax-17-1": (45.9,),
    "schoenfeld-low-dose": (8.4,),
    "luke": (112.5,),
    "patel-high-low": (112.5, 8.0),
    "keynote-867": (151.2,),
    "rtog-0915-34-1": (149.6,),
    "rtog-0915-48-4": (105.6,),
    "rtog-0813": (132.0,),
    "ultracentral-60-8": (105.0,),
}
WITHOUT_RADIATION = {"pembro-rt-control", "schoenfeld-no-rt", "altorki-control"}
COURSE: dict[str, Any] = {
    "fractions": 2,
    "dose_gy": 8.0,
    "days": (0, 2),
    "min_sites": 1,
    "max_sites": 1,
    "status": "verified",
    "days_status": "verified",
}


def test_the_library_has_the_arms_and_leaves_the_placeholders_out() -> None:
    assert len(ARMS) == 54
    assert {"pacific", "pacific-2", "ea5181", "pembro-rt", "mdacc-50-4", "i-sabr"} <= set(ARMS)
    trials = {arm.trial for arm in ARMS.values()}
    assert not any(left_out in trial for left_out in ("LU002", "Gomez") for trial in trials)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_is_sourced_and_marked(name: str) -> None:
    arm = ARMS[name]
    assert arm.name == name
    assert arm.source and arm.setting and arm.trial
    assert arm.case in names()
    assert {status for _, *both in arm.statuses() for status in both} <= set(get_args(Status))
    entries = [*arm.radiation, *arm.infusions]
    assert all(entry.note for entry in entries if entry.days_status == "assumed")


@pytest.mark.parametrize("name", ARMS)
def test_every_course_has_a_day_for_each_fraction_from_day_zero_on(name: str) -> None:
    arm = ARMS[name]
    assert all(len(course.days) == course.fractions for course in arm.radiation)
    assert (not arm.radiation) == (name in WITHOUT_RADIATION)
    days = [day for course in arm.radiation for day in course.days]
    assert min(days + [day for entry in arm.infusions for day in entry.days]) == 0
    assert all(day % 7 < 5 for day in days)


@pytest.mark.parametrize("name", PUBLISHED_BED10)
def test_bed10_is_the_published_one(name: str) -> None:
    found = [c.fractions * float(lq.bed(c.dose_gy, 10.0)) for c in ARMS[name].radiation]
    assert found == pytest.approx(PUBLISHED_BED10[name], abs=0.05)


@pytest.mark.parametrize("name", ARMS)
def test_drugs_are_those_of_the_library(name: str) -> None:
    drugs = library("drugs")
    assert {entry.drug for entry in ARMS[name].infusions} <= set(drugs)
    assert all(drugs[e.drug]["kind"] == "chemotherapy" for e in ARMS[name].chemotherapy)
    assert all(drugs[e.drug]["kind"] == "checkpoint_inhibitor" for e in ARMS[name].drugs)


@pytest.mark.parametrize(
    ("name", "drug", "first_infusion", "first_fraction"),
    [
        ("keynote-799-a", "pembrolizumab", 0, 21),
        ("keynote-799-b", "cisplatin", 0, 21),
        ("nicolas", "nivolumab", 21, 21),
        ("s1914", "atezolizumab", 0, 42),
        ("radvax-24-3", "pembrolizumab", 0, 7),
        ("welsh-concurrent", "ipilimumab", 0, 0),
        ("welsh-sequential", "ipilimumab", 0, 28),
        ("pacific", "durvalumab", 53, 0),
        ("pacific-before-day-14", "durvalumab", 46, 0),
        ("pembro-rt", "pembrolizumab", 11, 0),
        ("altorki", "durvalumab", 2, 0),
    ],
)
def test_what_precedes_radiation_moves_it_by_whole_weeks(
    name: str, drug: str, first_infusion: int, first_fraction: int
) -> None:
    arm = ARMS[name]
    assert min(day for e in arm.infusions if e.drug == drug for day in e.days) == first_infusion
    assert arm.radiation[0].days[0] == first_fraction


def test_low_dose_arm_has_two_fractions_on_each_of_eight_days() -> None:
    (course,) = ARMS["schoenfeld-low-dose"].radiation
    assert Counter(course.days) == dict.fromkeys((7, 8, 35, 36, 63, 64, 91, 92), 2)


@pytest.mark.parametrize(
    ("name", "drug", "gaps", "doses"),
    [
        ("schoenfeld-24-3", "durvalumab", 28, 13),
        ("schoenfeld-24-3", "tremelimumab", 28, 4),
        ("cosinr-concurrent", "nivolumab", 14, 26),
        ("cosinr-concurrent", "ipilimumab", 42, 9),
        ("increase", "ipilimumab", None, 1),
        ("increase", "nivolumab", 21, 2),
    ],
)
def test_each_of_two_inhibitors_has_its_own_days(
    name: str, drug: str, gaps: int | None, doses: int
) -> None:
    (days,) = (entry.days for entry in ARMS[name].drugs if entry.drug == drug)
    assert len(days) == doses
    assert {b - a for a, b in pairwise(days)} == ({gaps} if gaps else set())


def test_only_what_the_source_gives_is_called_verified() -> None:
    verified = {
        name
        for name, arm in ARMS.items()
        if any(course.days_status == "verified" for course in arm.radiation)
    }
    assert verified == {"i-sabr", "i-sabr-control", "altorki", "radvax-17-1", "increase"}
    assert {e.status for e in ARMS["pacific"].chemotherapy} == {"assumed"}
    recalled = ARMS["rtog-0236"].published
    assert recalled is not None and recalled.status == "recalled"


def test_summary_names_the_days_and_the_doses_that_are_worse_known() -> None:
    assert ARMS["pacific-2"].days_summary() == (
        "radiation: derived; durvalumab: verified; cisplatin, etoposide: assumed"
    )
    assert "carboplatin (dose assumed)" in ARMS["ea5181"].days_summary()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"days": (0,)}, "one entry per fraction"),
        ({"days": (2, 0)}, "must not decrease"),
        ({"days": (0, 5)}, "weekdays"),
        ({"fractions": 4, "days": (0, 0, 0, 0)}, "at most 3 fractions a day"),
        ({"min_sites": 2}, "sites must lie"),
        ({"sites": 3}, "sites must lie"),
        ({"dose_gy": float("nan")}, "finite number"),
        ({"gy": 8.0}, "Extra inputs"),
    ],
)
def test_a_course_that_contradicts_itself_is_refused(change: dict[str, Any], rule: str) -> None:
    TrialCourse(**COURSE)
    with pytest.raises(ValidationError, match=rule):
        TrialCourse(**(COURSE | change))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"radiation": (TrialCourse(**(COURSE | {"days": (7, 9)})),)}, "must be on day 0"),
        ({"radiation": ()}, "must be on day 0"),
        ({"chemotherapy": ARMS["pacific"].drugs}, "given twice: durvalumab on day 53"),
    ],
)
def test_an_arm_that_contradicts_itself_is_refused(change: dict[str, Any], rule: str) -> None:
    given = {key: getattr(ARMS["pacific"], key) for key in TrialArm.model_fields}
    if change.keys() == {"radiation"}:
        given |= {"drugs": (), "chemotherapy": ()}
    with pytest.raises(ValidationError, match=rule):
        TrialArm(**(given | change))


def test_arms_of_induction_are_contested_and_give_drugs_before_radiation() -> None:
    contested = {name for name, arm in ARMS.items() if arm.contested}
    assert contested == {"aft-16", "apolo", "calgb-39801-induction", "calgb-39801-immediate"}
    for name in contested - {"calgb-39801-immediate"}:
        arm = ARMS[name]
        assert min(day for entry in arm.infusions for day in entry.days) == 0
        assert arm.radiation[0].days[0] >= 42


def test_an_unknown_arm_is_wrong_input() -> None:
    assert trial_arm("pacific") is ARMS["pacific"]
    with pytest.raises(InputError, match="case: regimen: atlantic: no such trial arm; known"):
        trial_arm("atlantic", "case")
