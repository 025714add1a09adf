"""Audit by courses and judge: what fails alone, floors out of reach, reasons beside an answer."""

from __future__ import annotations

import itertools

import pytest
from plain_cases import (
    EVERY_DAY,
    Raw,
    all_schedules,
    free,
    lesion,
    limit,
    plain_case,
    uniform,
)
from widened_instances import widened_case

from abscopt.instances import build
from abscopt.instances.checks.notes import Note
from abscopt.instances.limits import LogisticsLimit
from abscopt.instances.load import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import evaluate, solve
from abscopt.optimizer.audit import case_audit, evaluation_notes, lesions_alone
from abscopt.optimizer.candidates.menus.courses import enumerate_menu
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.limits import limit_uses
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.results.text.report import solve_report
from abscopt.optimizer.schedule import Fraction, Schedule


def table(organ: str, limits_gy: list[float]) -> Raw:
    """TG-101-like table of an organ's maximum."""
    return limit(
        "dose_by_fractions", f"{organ}_max", organ=organ, fractions=[1, 3, 5], limits_gy=limits_gy
    )


def of_kind(notes: tuple[Note, ...], kind: str) -> list[Note]:
    """Notes of one kind."""
    return [note for note in notes if note.kind == kind]


def total_as_fraction_dose() -> Raw:
    """54 Gy in 3 fractions written as 3 x 54 Gy."""
    sparing = {"esophagus": {"max": 0.4}, "cord": {"max": 0.3}}
    lung = lesion("lung", course=uniform([3], [54.0], interval_days=[2]), sparing=sparing)
    limits = [table("esophagus", [15.4, 25.2, 35.0]), table("cord", [14.0, 21.9, 30.0])]
    return plain_case([lung], limits, horizon_days=[84])


def test_every_course_fails_alone_and_the_report_says_which_limit() -> None:
    instance = build(total_as_fraction_dose())
    result = solve(instance)
    (found,) = of_kind(result.notes, "fails_alone")
    assert result.status == "optimal" and result.schedule == Schedule()
    for words in ("3 x 54 Gy", "cord_max 222 %", "16.2 Gy", "esophagus_max 257 %", "21.6 Gy"):
        assert words in found.text
    report = " ".join(solve_report(result, instance).split())
    assert "No radiation: every course of lung breaks a limit" in report
    assert report.index("Note ") < report.index("No radiation")
    assert result.to_json(instance)["notes"][-1]["kind"] == "fails_alone"


def test_an_empty_menu_is_the_reason_for_no_radiation() -> None:
    raw = plain_case([lesion(course=uniform([30], [2.0]))], [], horizon_days=[28])
    instance = build(raw)
    result = solve(instance)
    assert of_kind(result.notes, "menu_empty")
    assert "No radiation: tumor has no course" in " ".join(solve_report(result, instance).split())


def floor_case(floor: int) -> Raw:
    """Two lesions, one of which no course can reach."""
    easy = lesion("easy", course=uniform([3], [4.0]), sparing={"organ": {"max": 0.1}})
    hard = lesion("hard", course=uniform([3, 5], [4.0, 6.0]), sparing={"organ": {"max": 0.9}})
    rules = [
        table("organ", [5.0, 6.0, 7.0]),
        limit("logistics", "all_sites", quantity="lesions", floor=floor),
    ]
    return plain_case([easy, hard], rules, horizon_days=[42])


@pytest.mark.parametrize("method", ["auto", "single"])
def test_a_floor_above_what_fits_is_infeasible_with_its_reason(method: str) -> None:
    instance = build(floor_case(2))
    result = solve(instance, method=method)  # type: ignore[arg-type]
    assert result.status == "infeasible" and result.solver.nodes == 0
    assert "all_sites" in result.certificate.claim and "hard" in result.certificate.claim
    assert case_audit(build(floor_case(1))).infeasible is None
    assert solve(build(floor_case(1))).status == "optimal"


def test_a_demand_of_a_lesion_without_a_course_is_infeasible() -> None:
    raw = floor_case(1)
    raw["lesions"][1]["least_bed_gy"] = 10.0
    result = solve(build(raw))
    assert result.status == "infeasible" and "hard demands" in result.certificate.claim


def test_floor_of_four_where_the_vertebra_has_no_course() -> None:
    base = load("oligomet-4")
    limits = tuple(
        one.unchecked({"limits_gy": (5.0, 5.0, 5.0)}) if one.name == "esophagus_max" else one
        for one in base.limits
    )
    floor = limit("logistics", "all_sites", quantity="lesions", floor=4)
    case = base.unchecked({"limits": (*limits, LogisticsLimit(**floor))})
    audit = case_audit(case)
    assert audit.infeasible is not None and "vertebra" in audit.infeasible.text
    assert [case.lesions[one.lesion].name for one in audit.alone if one.excluded] == ["vertebra"]
    assert solve(case).status == "infeasible"


def test_lymphocyte_floor_leaves_room_for_two_of_three_courses() -> None:
    sites = [
        lesion(name, course=uniform([8], [6.0, 8.0]), lymphocyte_loss_per_fraction=0.05)
        for name in ("a", "b", "c")
    ]
    rule = limit("alc", "alc", floor_1e9_per_l=0.7)
    raw = plain_case(sites, [rule], horizon_days=[84], calendar=EVERY_DAY) | {
        "lymphocytes": {"initial_1e9_per_l": 1.5, "recovery_half_time_days": 35}
    }
    (found,) = of_kind(solve(build(raw)).notes, "untreated")
    assert "alc leaves room for 2 of 3 lesions here, whatever the doses" in found.text


def test_doses_of_the_others_that_leave_no_room_are_told_apart() -> None:
    sites = [
        lesion(name, weight=weight, course=uniform([3], doses), sparing={"organ": {"mean": 0.5}})
        for name, weight, doses in (("a", 1.0, [4.0, 10.0]), ("b", 0.01, [2.0]))
    ]
    rule = limit("mean", "cap", organ="organ", cap_gy=15.5)
    (found,) = of_kind(
        solve(build(plain_case(sites, [rule], horizon_days=[42]))).notes, "untreated"
    )
    assert "cap leaves room for 1 of 2 lesions here at these doses" in found.text


def test_a_course_that_fits_but_does_not_pay_is_named_with_its_change() -> None:
    rule = limit("mean", "soft", organ="organ", cap_gy=0.5) | {"penalty": 100.0}
    site = lesion(course=uniform([3], [4.0]), sparing={"organ": {"mean": 0.5}})
    (found,) = of_kind(
        solve(build(plain_case([site], [rule], horizon_days=[42]))).notes, "untreated"
    )
    assert "no course of it improves the objective" in found.text
    assert "3 x 4 Gy from day 0 changes it by -" in found.text


def test_a_course_without_control_is_said_to_gain_nothing() -> None:
    instance = build(plain_case([lesion(course=uniform([3], [4.0]))], [], horizon_days=[42]))
    schedule = Schedule.of([Fraction(day, "tumor", 4.0) for day in (0, 1, 2)], [])
    (found,) = of_kind(evaluation_notes(instance, evaluate(instance, schedule)), "no_gain")
    assert "3 x 4 Gy (12 Gy)" in found.text and "below 1 %" in found.text
    control = evaluate(instance, schedule).lesions[0].control_probability[0]
    assert f"{100 * control:.2g} %" in found.text


def tightened(instance: Instance, factor: float) -> Instance:
    """The case with its caps in Gy times a factor."""
    limits = tuple(
        one.unchecked({"cap_gy": one.cap_gy * factor})
        if isinstance(getattr(one, "cap_gy", None), float)
        else one
        for one in instance.limits
    )
    return instance.unchecked({"limits": limits})


def test_no_feasible_schedule_irradiates_an_excluded_lesion() -> None:
    looked_at = 0
    for seed in range(40):
        instance = build(widened_case(seed))
        for factor in (1.0, 0.2, 0.05):
            case = tightened(instance, factor)
            excluded = {case.lesions[x.lesion].name for x in lesions_alone(case) if x.excluded}
            judge = Judge(case)
            for schedule in itertools.islice(all_schedules(case) if excluded else (), 150):
                if excluded & {fraction.lesion for fraction in schedule.fractions}:
                    assert not judge.evaluate(schedule).feasible
                    looked_at += 1
    assert looked_at > 500


def test_a_lesion_with_a_feasible_schedule_of_its_own_is_not_excluded() -> None:
    """And one without any is: the least courses decide for the whole menu."""
    counts = {True: 0, False: 0}
    for seed in range(40):
        for factor in (1.0, 0.2, 0.05):
            case = tightened(build(widened_case(seed)), factor)
            floors = [x for x in case.limits if getattr(x, "floor", None) is None]
            case = case.unchecked({"limits": tuple(floors)})
            state = systemic_state(case, ())
            for one in lesions_alone(case):
                menu = enumerate_menu(case, one.lesion)
                lesion_of = case.lesions[one.lesion]
                courses = [menu.course(i, lesion_of) for i in range(1, len(menu))]
                fits = any(
                    not any(use.broken for use in limit_uses(case, Schedule.of(c, []), state))
                    for c in courses
                )
                if lesion_of.course is not None and lesion_of.course.form == "uniform":
                    assert one.excluded is not fits
                    counts[fits] += 1
    assert min(counts.values()) > 10


@pytest.mark.parametrize("kind", ["mean", "bed", "dose_volume"])
def test_another_day_may_fit_where_factors_differ_from_day_to_day(kind: str) -> None:
    by_day = {"days": [0, 1, 2], "values": [1.0, 0.1, 0.5]}
    cap = limit(kind, "cap", organ="organ", cap_gy=3.0)
    cap |= {"alpha_beta_gy": 3.0} if kind == "bed" else {}
    cap |= {"point": "max"} if kind == "dose_volume" else {}
    tumor = lesion(
        course=free([0, 1, 2], [8.0]),
        sparing={"organ": {"max": by_day, "mean": by_day}},
        least_bed_gy=5.0,
    )
    case = build(plain_case([tumor], [cap], horizon_days=[30], calendar=EVERY_DAY))
    assert not lesions_alone(case)[0].excluded
    result = solve(case)
    assert result.schedule is not None and [f.day for f in result.schedule.fractions] == [1]


def test_a_shorter_list_of_phases_may_fit_where_a_longer_one_does_not() -> None:
    """The mean does not depend on days, but on whether the second phase is given."""
    first = {"fractions": [2], "doses_gy": [4.0]}
    second = {"fractions": [2], "doses_gy": [4.0], "optional": True}
    course = {"form": "phases", "phases": [first, second]}
    tumor = lesion(course=course, sparing={"organ": {"mean": 0.5}}, least_bed_gy=5.0)
    cap = limit("mean", "cap", organ="organ", cap_gy=5.0)
    case = build(plain_case([tumor], [cap], horizon_days=[30]))
    assert not lesions_alone(case)[0].excluded
    result = solve(case)
    assert result.schedule is not None and len(result.schedule.fractions) == 2
