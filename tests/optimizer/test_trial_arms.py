"""Trial arms on cases: what is given to whom, what is refused, and the verdict."""

from __future__ import annotations

import datetime
import math
from functools import cache
from typing import Any

import pytest

from abscopt.instances import InputError, load
from abscopt.instances.load import library
from abscopt.instances.schema import Instance
from abscopt.instances.trials import trial_arm, trial_arms
from abscopt.optimizer import evaluate
from abscopt.optimizer.trials import ArmVerdict, dropped, fitted, judged_arm, on_menu

ARMS = trial_arms()
case = cache(load)


@cache
def judged(name: str) -> ArmVerdict:
    """An arm on its own case."""
    arm = trial_arm(name)
    return judged_arm(case(arm.case), arm)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_fits_its_case_and_is_judged(name: str) -> None:
    arm, verdict = ARMS[name], judged(name)
    evaluation = verdict.evaluation
    assert math.isfinite(evaluation.objective)
    assert verdict.gain is not None and math.isfinite(verdict.gain)
    assert arm.least_sites <= len(verdict.lesions) <= arm.most_sites
    for course in arm.radiation:
        days = [
            [f.day for f in verdict.schedule.fractions if f.lesion == lesion]
            for lesion in verdict.lesions
        ]
        assert list(course.days) in days
    assert verdict.limits_hold == (not evaluation.broken_limits)
    listed = sum(len(entry.days) for entry in arm.infusions)
    assert len(verdict.schedule.infusions) == listed - verdict.dropped
    assert all(infusion.day < verdict.instance.days for infusion in verdict.schedule.infusions)


def test_four_of_five_arms_are_a_choice_of_the_case_they_resemble() -> None:
    off = {arm.name for arm in ARMS.values() if not on_menu(case(arm.case), arm)}
    assert len(off) <= 0.2 * len(ARMS), off
    assert "schoenfeld-low-dose" in off  # comes back every four weeks: no uniform course
    assert not off & {name for name, arm in ARMS.items() if arm.contested}


def test_an_arm_on_the_menu_breaks_no_rule_and_others_do() -> None:
    assert not judged("aft-16").evaluation.obstacles
    assert "contested: " in "\n".join(judged("aft-16").lines())
    assert on_menu(case("pembro-rt"), ARMS["pembro-rt"])
    assert not on_menu(case("pembro-rt"), ARMS["pacific"])
    assert not on_menu(case("stage3-crt"), ARMS["aft-16"])


@pytest.mark.parametrize(
    ("name", "bed_gy"), [("pembro-rt", 43.2), ("mdacc-45-15", 58.5), ("ultracentral-60-8", 105.0)]
)
def test_below_the_transition_dose_the_judge_gives_the_published_bed(
    name: str, bed_gy: float
) -> None:
    verdict = judged(name)
    first = next(x for x in verdict.evaluation.lesions if x.name == verdict.lesions[0])
    assert first.bed_gy == pytest.approx(bed_gy)


def test_edric_is_its_formula_on_the_prescribed_dose() -> None:
    lung, heart, integral = 0.125 * 24, 0.03 * 24, 450 * 24 / 62_000
    by_hand = 0.12 * lung + 0.08 * heart + (0.45 + 0.35 * 0.85 * math.sqrt(3 / 45)) * integral
    assert judged("pembro-rt").evaluation.lymphocytes["edric_gy"] == pytest.approx(by_hand)
    assert judged("pembro-rt-control").evaluation.lymphocytes["edric_gy"] == 0
    longer, shorter = judged("rtog-0617-74"), judged("rtog-0617-60")
    assert (
        longer.evaluation.lymphocytes["edric_gy"] > shorter.evaluation.lymphocytes["edric_gy"] > 0
    )


def test_i_sabr_is_the_standard_of_its_case() -> None:
    verdict = judged("i-sabr")
    assert verdict.gain == pytest.approx(0.0, abs=1e-12)
    assert verdict.evaluation.feasible
    assert verdict.instance is case("early-sabr")


def test_an_arm_off_the_menu_still_says_whether_the_limits_hold() -> None:
    verdict = judged_arm(case("pembro-rt"), ARMS["mdacc-45-15"])
    assert not verdict.evaluation.admissible
    assert verdict.evaluation.feasible == (not verdict.evaluation.broken_limits)
    assert verdict.evaluation.off_menu
    assert verdict.limits_hold == (not any(use.broken for use in verdict.evaluation.limits))
    text = "\n".join(verdict.lines())
    assert "mdacc-45-15" in text and "hard limit" in text and "published (verified)" in text
    assert "not one of the case's own choices" in text
    assert f"{verdict.dropped} infusions on or after day 180 are left out" in text


def test_broken_limits_are_named() -> None:
    verdict = judged("rtog-0617-74")
    assert not verdict.limits_hold
    assert "cord_max" in verdict.lines()[1]


def test_low_dose_arm_gives_two_fractions_a_day() -> None:
    course = judged("schoenfeld-low-dose").schedule.course("lung")
    assert [(day, slot) for day, _, slot in course[:4]] == [(7, 0), (7, 1), (8, 0), (8, 1)]
    assert {dose for _, dose, _ in course} == {0.5}


def test_doses_are_milligrams_for_the_patient_of_the_case() -> None:
    instance = case("stage3-crt").unchecked(
        {
            "patient": case("stage3-crt").patient.unchecked(
                {"weight_kg": 80.0, "bsa_m2": 2.0, "gfr_ml_per_min": 75.0}
            )
        }
    )
    given = {
        (i.drug, i.day): i.dose_mg
        for name in ("pacific", "rtog-0617-60")
        for i in fitted(instance, ARMS[name])[1].infusions
    }
    assert given["durvalumab", 53] == 800
    assert given["cisplatin", 7] == 100
    assert given["carboplatin", 0] == 200
    assert given["paclitaxel", 0] == 90


def test_drugs_that_the_case_lacks_come_from_the_library_and_no_others() -> None:
    instance = case("pembro-rt")
    complete, _ = fitted(instance, ARMS["formenti"])
    assert set(complete.drugs) == {"pembrolizumab", "ipilimumab"}
    assert complete.drugs["ipilimumab"].source == library("drugs")["ipilimumab"]["source"]
    assert set(instance.drugs) == {"pembrolizumab"}
    assert complete.unchecked({"drugs": instance.drugs}) == instance


def test_the_drug_of_the_case_goes_before_that_of_the_library() -> None:
    complete, _ = fitted(case("dual-checkpoint"), ARMS["welsh-sequential"])
    assert complete.drugs["ipilimumab"].irae_risk_per_dose == 0.08
    verdict = judged_arm(case("dual-checkpoint"), ARMS["welsh-sequential"])
    assert verdict.gain == pytest.approx(0.0, abs=1e-12)


def test_infusions_past_the_last_horizon_are_counted() -> None:
    instance = case("stage3-crt")
    assert dropped(instance, ARMS["pacific"]) == sum(day >= 180 for day in range(53, 404, 14)) == 16


@pytest.mark.parametrize(
    ("name", "treated"),
    [
        ("mdacc-50-4", ["lung"]),
        ("luke", ["lung", "liver"]),
        ("nrg-br001", ["lung", "liver", "adrenal"]),
        ("sabr-comet", ["lung", "liver", "adrenal", "vertebra"]),
        ("pembro-rt-control", []),
    ],
)
def test_as_many_lesions_as_the_arm_usually_has_in_the_order_of_the_case(
    name: str, treated: list[str]
) -> None:
    assert list(judged_arm(case("oligomet-4"), ARMS[name]).lesions) == treated


def test_high_and_low_dose_go_to_different_lesions() -> None:
    verdict = judged("patel-high-low")
    doses = {x.name: x.dose_gy for x in verdict.evaluation.lesions if x.fractions}
    assert doses == pytest.approx({"lung_a": 50, "lung_b": 7, "liver": 7, "adrenal": 7, "node": 7})
    _, few = fitted(case("high-low-dose"), ARMS["patel-high-low"], ["pelvis", "node"])
    assert {(f.lesion, f.dose_gy) for f in few.fractions} == {("pelvis", 12.5), ("node", 1.4)}


def test_named_lesions_go_before_the_usual_ones() -> None:
    _, schedule = fitted(case("pembro-rt"), ARMS["mdacc-50-4"], ["node", "liver"])
    assert {f.lesion for f in schedule.fractions} == {"node", "liver"}
    standard = judged_arm(case("pembro-rt"), ARMS["pembro-rt"], ["liver"])
    assert standard.gain == pytest.approx(0.0, abs=1e-12)


def test_a_lesion_with_techniques_uses_its_first() -> None:
    _, schedule = fitted(case("hfrt-crt"), ARMS["pacific"])
    assert {f.technique for f in schedule.fractions} == {"three-dimensional"}


def changed(name: str, **update: Any) -> Instance:
    """A case with some fields replaced."""
    return case(name).unchecked(update)


WEDNESDAY = case("stage3-crt").calendar.unchecked({"start_date": datetime.date(2026, 1, 7)})
OCCULT = tuple(x for x in case("pembro-rt").lesions if not x.irradiable)


@pytest.mark.parametrize(
    ("instance", "name", "lesions", "rule"),
    [
        (case("stage3-crt"), "luke", None, "luke.radiation: 1: the arm irradiates at least 2"),
        (changed("pembro-rt", lesions=OCCULT), "pembro-rt", None, "at least 1; 0 irradiable"),
        (case("pembro-rt"), "pembro-rt", ["lung", "liver"], "at most 1 lesions"),
        (case("pembro-rt"), "pembro-rt-control", ["lung"], "at most 0 lesions"),
        (case("pembro-rt"), "pembro-rt", [], "at least 1; 0 lesions named"),
        (case("pembro-rt"), "pembro-rt", ["occult"], "pembro-rt.lesions: occult: must be one of"),
        (case("pembro-rt"), "mdacc-50-4", ["lung", "lung"], "lung: named twice"),
        (case("toy-fractionation"), "pacific", None, "14: outside the horizon of 14 days"),
        (
            changed("stage3-crt", calendar=WEDNESDAY),
            "pacific",
            None,
            r"pacific.radiation\[0\].days: 3: not a machine day",
        ),
        (case("capacity"), "pacific", None, "days: 7: not a machine day"),
        (case("mr-linac-1"), "rtog-0813", None, "outside the horizon"),
        (case("hfrt-crt"), "proclaim-etoposide", None, "must not be mixed"),
    ],
)
def test_an_arm_that_does_not_fit_is_wrong_input(
    instance: Instance, name: str, lesions: list[str] | None, rule: str
) -> None:
    with pytest.raises(InputError, match=rule) as raised:
        fitted(instance, ARMS[name], lesions)
    assert all(problem.file == instance.name for problem in raised.value.problems)
    assert all(problem.place.startswith(name) for problem in raised.value.problems)


def test_a_case_of_daily_factors_takes_an_arm_on_its_days_only() -> None:
    instance = case("mr-linac-1")
    complete, schedule = fitted(instance, ARMS["mdacc-50-4"])
    verdict = evaluate(complete, schedule)
    assert verdict.unit == "Gy"
    assert verdict.lesions[0].dose_gy == 50
    lesion = instance.lesions[0]
    factors = {
        organ: {
            point: factor.unchecked({"days": factor.days[1:], "values": factor.values[1:]})
            for point, factor in points.items()
            if not isinstance(factor, float)
        }
        for organ, points in lesion.sparing.items()
    }
    later = lesion.unchecked({"sparing": factors})
    with pytest.raises(InputError, match=r"0: .* has no sparing factor on this day"):
        fitted(instance.unchecked({"lesions": (later,)}), ARMS["mdacc-50-4"])
