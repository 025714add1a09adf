"""Courses of several phases and techniques: the judge by hand, and every search against it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from brute_force import courses, enumerate_by_judge
from histories import all_rests, begun, continued_doses, rests
from hypothesis import given
from hypothesis import strategies as st
from phased_cases import phased
from plain_cases import CITED, EVERY_DAY, Raw, lesion, limit, plain_case, uniform
from random_instances import random_case
from table_rows import disagreements
from widened_instances import widened_case

from abscopt.instances import InputError, build
from abscopt.instances.schema import Instance
from abscopt.models.tumor import lq
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.menus.courses import enumerate_menu
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.replanning.started import with_past
from abscopt.optimizer.schedule import Fraction, Schedule, read_schedule, resumed_schedule

LN_N = math.log(1e7)
"""Log clonogens of `plain_lq`, which has alpha 0.3 / Gy and alpha/beta 10 Gy."""
DAILY = [day for day in range(33) if day % 7 < 5]
WEEKLY = [35, 42, 49, 56]


def judged(raw: Raw, fractions: Iterable[Fraction]) -> Evaluation:
    return Judge(build(raw)).evaluate(Schedule.of(fractions, []))


def two_ways(first: Raw | None = None, second: Raw | None = None) -> list[Raw]:
    return [{"name": "ebrt"} | (first or {}), {"name": "hdr"} | (second or {})]


def case(ways: list[Raw], limits: Iterable[Raw] = (), **fields: Any) -> Raw:
    site = lesion(techniques=ways, course=uniform([25], [1.8])) | fields
    organs = {"rectum": {"alpha_beta_gy": 3.0} | CITED}
    return plain_case([site], list(limits), organs=organs, horizon_days=[84], objective="log_kill")


def ebrt_then_hdr() -> list[Fraction]:
    return [Fraction(day, "tumor", 1.8, 0, "ebrt") for day in DAILY] + [
        Fraction(day, "tumor", 7.0, 0, "hdr") for day in WEEKLY
    ]


# The judge


def test_external_beam_and_then_brachytherapy_by_hand() -> None:
    """BED10 25 x 1.8 x 1.18 + 4 x 7 x 1.7; rectum at 1.0 and at 0.6 of the dose."""
    cap = limit("bed", "rectum", organ="rectum", point="d2cm3", alpha_beta_gy=3.0, cap_gy=125.0)
    ways = two_ways(
        {"sparing": {"rectum": {"d2cm3": 1.0}}}, {"sparing": {"rectum": {"d2cm3": 0.6}}}
    )
    raw = case(ways, [cap])
    verdict = judged(raw, ebrt_then_hdr())
    (outcome,), (use,) = verdict.lesions, verdict.limits
    assert outcome.bed_gy == pytest.approx(25 * 1.8 * 1.18 + 4 * 7 * 1.7, abs=1e-9)
    assert outcome.bed_gy / 1.2 == pytest.approx(83.9, abs=0.05)
    assert use.value == pytest.approx(25 * 1.8 * 1.6 + 4 * 4.2 * (1 + 4.2 / 3), abs=1e-9)
    assert outcome.technique == "ebrt+hdr"
    assert outcome.log_burden == pytest.approx((LN_N - 0.3 * outcome.bed_gy,))
    assert verdict.feasible and not verdict.admissible
    assert verdict.off_menu == ("tumor: more than one technique",)


def test_beams_of_different_sizes_lie_within_each_other() -> None:
    """1 - 0.9 spared, 0.9 - 0.6 by the first beam alone, 0.6 by both."""
    raw = case(two_ways({"irradiated_share": 0.9}, {"irradiated_share": 0.6}))
    given_fractions = [Fraction(0, "tumor", 4.0, 0, "ebrt"), Fraction(1, "tumor", 6.0, 0, "hdr")]
    first, second = 0.3 * 4.0 * 1.4, 0.3 * 6.0 * 1.6
    left = 0.1 + 0.3 * math.exp(-first) + 0.6 * math.exp(-first - second)
    (outcome,) = judged(raw, given_fractions).lesions
    assert outcome.log_burden == pytest.approx((LN_N + math.log(left),), abs=1e-12)


def test_each_fraction_loses_what_its_technique_says() -> None:
    raw = case(
        two_ways({"lymphocyte_loss_per_fraction": 0.05}, {"lymphocyte_loss_per_fraction": 0.2})
    ) | {"calendar": EVERY_DAY, "lymphocytes": {"recovery_half_time_days": 2000.0}}
    given_fractions = [
        Fraction(t, "tumor", 2.0, 0, way) for t, way in enumerate(("ebrt", "ebrt", "hdr"))
    ]
    verdict = judged(raw, given_fractions)
    before = verdict.lymphocytes["initial_1e9_per_l"]
    nadir, half = verdict.lymphocytes["nadir_1e9_per_l"], 2 ** (-1 / 2000)
    assert math.log(before / nadir) == pytest.approx(0.2 + 0.05 * (half + half**2), rel=1e-9)


def test_techniques_that_differ_in_name_alone_are_one() -> None:
    both = two_ways(*[{"irradiated_share": 0.8, "node_factor": 0.7}] * 2)
    raw = case(both, effector_share=0.5, effector_kill_per_fraction=0.1) | {
        "immune": {"use": "default"}
    }
    mixed = judged(raw, ebrt_then_hdr())
    plain = judged(raw, [Fraction(f.day, "tumor", f.dose_gy, 0, "hdr") for f in ebrt_then_hdr()])
    assert mixed.objective == pytest.approx(plain.objective, abs=1e-10)
    assert mixed.immune["systemic_effect_nats"] == pytest.approx(
        plain.immune["systemic_effect_nats"], rel=1e-10
    )


def test_schedules_of_several_techniques_are_read_back() -> None:
    instance = build(case(two_ways()))
    schedule = Schedule.of(ebrt_then_hdr(), [])
    assert read_schedule(schedule.to_json(instance), instance, "file") == schedule
    assert schedule.technique("tumor") == "ebrt+hdr"


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 1)), min_size=1, max_size=4),
    st.randoms(),
)
def test_nested_beams(parts: list[tuple[float, float]], shuffled: Any) -> None:
    kills, shares = zip(*parts, strict=True)
    left = float(lq.nested_survival(kills, shares))
    lost = float(lq.nested_log_kill(kills, shares))
    assert math.exp(-sum(kills)) * (1 - 1e-9) <= left <= 1 + 1e-9
    assert math.exp(-lost) == pytest.approx(left, rel=1e-9)
    again = list(parts)
    shuffled.shuffle(again)
    assert float(lq.nested_survival(*zip(*again, strict=True))) == pytest.approx(left, rel=1e-9)
    one = lq.partial_survival(np.exp(-kills[0]), shares[0])
    assert float(lq.nested_survival(kills[:1], shares[:1])) == pytest.approx(float(one), rel=1e-12)
    assert float(lq.nested_log_kill([900.0, 50.0], [0.5, 1.0])) == pytest.approx(50 - math.log(0.5))


# Menus, tables and search on random cases

GAP = 0.001


def random_phased(make: Any, seed: int) -> Instance | None:
    """A random case with phases; None where it has a term that phases do not go with."""
    try:
        return build(phased(make(seed), seed))
    except InputError:
        return None


def test_menus_have_what_enumeration_has_and_the_judge_offers() -> None:
    seen = mutated = 0
    for seed in range(30):
        instance = random_phased(random_case, seed)
        if instance is None:
            continue
        judge, rng = Judge(instance), np.random.default_rng(seed)
        for index, site in enumerate(instance.lesions):
            if site.course is None or site.course.form != "phases":
                continue
            menu = enumerate_menu(instance, index)
            listed = {tuple(menu.course(c, site)) for c in range(len(menu))}
            assert len(listed) == len(menu)
            assert listed == set(courses(instance, site)), seed
            seen += len(listed)
            for course in sorted(listed)[:: 1 + len(listed) // 20]:
                assert not judge.evaluate(Schedule.of(course, [])).off_menu or instance.agents
                other = _mutated(rng, course, instance)
                words = judge.evaluate(Schedule.of(other, [])).off_menu
                off = any(text.startswith(f"{site.name}: ") for text in words)
                assert off == (tuple(sorted(other)) not in listed), seed
                mutated += off
    assert seen > 500 and mutated > 100


def _mutated(
    rng: np.random.Generator, course: tuple[Fraction, ...], instance: Instance
) -> tuple[Fraction, ...]:
    """A course with one fraction moved, dropped, of another dose or technique."""
    if not course:
        return course
    place = int(rng.integers(len(course)))
    changed = list(course)
    fraction = changed.pop(place)
    site = next(one for one in instance.lesions if one.name == fraction.lesion)
    what = int(rng.integers(4))
    if what == 1 and fraction.day + 1 < instance.days:
        changed.append(replace(fraction, day=fraction.day + 1))
    elif what == 2:
        changed.append(replace(fraction, dose_gy=fraction.dose_gy + 0.5))
    elif what == 3:
        changed.append(replace(fraction, technique=site.ways[-1].name))
    return tuple(sorted(set(changed)))


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_tables_and_judge_agree(make: Any) -> None:
    cases = kept = 0
    for seed in range(25):
        instance = random_phased(make, seed)
        if instance is None:
            continue
        found = disagreements(instance, seed, 12)
        assert (found["value"], found["feasibility"]) == (0, 0), seed
        cases, kept = cases + 1, kept + found["kept"]
    assert cases >= 12 and kept >= 30


@pytest.mark.parametrize("make", [random_case, widened_case])
def test_the_search_finds_what_enumeration_finds(make: Any) -> None:
    optimal = 0
    for seed in range(100, 115):
        instance = random_phased(make, seed)
        if instance is None or _number(instance) > 300:
            continue
        best = enumerate_by_judge(instance, Judge(instance)).best
        result = solve(instance, gap=GAP, time_limit=60)
        if best is None:
            assert result.status == "infeasible", seed
            continue
        assert result.objective is not None and result.bound is not None
        assert best - GAP - 1e-9 <= result.objective <= best + 1e-9 <= result.bound + 2e-9, seed
        optimal += 1
    assert optimal >= 4


def _number(instance: Instance) -> int:
    plans = math.prod(1 + len(a.regimens) * len(a.start_days) for a in instance.agents)
    return plans * math.prod(len(courses(instance, site)) for site in instance.lesions)


# A course of phases that has begun


def test_tables_and_judge_agree_on_histories() -> None:
    histories = kept = 0
    for seed in range(24):
        instance = random_phased((random_case, widened_case)[seed % 2], seed)
        started = None if instance is None else begun(instance, seed)
        if started is None:
            continue
        found = disagreements(started, seed, 12)
        assert (found["value"], found["feasibility"]) == (0, 0), seed
        histories, kept = histories + 1, kept + found["kept"]
    assert histories >= 8 and kept >= 15


def test_the_best_rest_is_that_of_enumeration() -> None:
    optimal = doubled = 0
    for seed in (*range(40, 60), 94, 115):  # the last two have missed days to make up for
        instance = random_phased((random_case, widened_case)[seed % 2], seed)
        started = None if instance is None else begun(instance, seed)
        if started is None or _rests(started) > 250:
            continue
        judge = Judge(started)
        verdicts = [judge.evaluate(schedule) for schedule in all_rests(started)]
        assert not any(verdict.off_menu for verdict in verdicts), seed
        best = max((v.objective for v in verdicts if v.admissible), default=None)
        result = solve(started, gap=GAP, time_limit=60)
        if best is None:
            assert result.status == "infeasible", seed
            continue
        assert result.objective is not None and result.bound is not None
        assert best - GAP - 1e-9 <= result.objective <= best + 1e-9 <= result.bound + 2e-9, seed
        optimal += 1
        doubled += any(
            len(set(days)) < len(days)
            for schedule in all_rests(started)
            for site in started.lesions
            if site.course
            and site.course.form == "phases"
            and (days := [f.day for f in schedule.fractions if f.lesion == site.name])
        )
    assert optimal >= 4 and doubled >= 1


def _rests(instance: Instance) -> int:
    plans = math.prod(len(continued_doses(instance, agent)) for agent in instance.agents)
    return plans * math.prod(len(rests(instance, site)) for site in instance.lesions)


def boosted(**fields: Any) -> Instance:
    """25 x 1.8 Gy, then 3 or 4 fractions of 6 or 7 Gy a week apart, at least three days later."""
    course = {
        "form": "phases",
        "last_start_day": 4,
        "phases": [
            {"fractions": [25], "doses_gy": [1.8], "technique": "ebrt"},
            {"fractions": [3, 4], "doses_gy": [6.0, 7.0], "technique": "hdr",
             "interval_days": [7], "gap_days": [3]},
        ],
    }  # fmt: skip
    return build(case(two_ways(), course=course) | {"horizon_days": [100]} | fields)


def _rows(fractions: Iterable[Fraction]) -> list[Raw]:
    return [
        {"lesion": f.lesion, "day": f.day, "dose_gy": f.dose_gy, "technique": f.technique}
        for f in fractions
    ]


def _rests_of(today: int, given_fractions: list[Fraction]) -> set[tuple[Fraction, ...]]:
    plan = {"fractions": _rows(ebrt_then_hdr())}
    table = {"today": today, "fractions": _rows(given_fractions), "plan": plan}
    started = with_past(boosted(), table)
    found = rests(started, started.lesions[0])
    judge = Judge(started)
    assert all(not judge.evaluate(Schedule.of(course, [])).obstacles for course in found)
    return set(found)


def test_a_phase_that_has_begun_is_finished_and_the_next_follows() -> None:
    given_fractions = ebrt_then_hdr()[:10]
    found = _rests_of(12, given_fractions)
    stopped = [course for course in found if len(course) == 10]
    assert stopped == [tuple(given_fractions)]
    resumed = tuple(ebrt_then_hdr())
    assert resumed in found
    others = found - {tuple(given_fractions)}
    assert {len(course) for course in others} == {28, 29}
    for course in others:
        assert course[:10] == tuple(given_fractions)
        assert {(f.technique, f.dose_gy) for f in course[:25]} == {("ebrt", 1.8)}
        boost = course[25:]
        assert len({f.dose_gy for f in boost}) == 1 and boost[0].dose_gy in (6.0, 7.0)
        assert boost[0].day - course[24].day >= 3
        assert all(b.day - a.day == 7 for a, b in itertools.pairwise(boost))


def test_a_missed_week_puts_the_boost_off() -> None:
    days = [f for f in ebrt_then_hdr()[:25] if not 14 <= f.day <= 18]
    later = [replace(f, day=35 + i) for i, f in enumerate(days[:5])]
    started = with_past(
        boosted(),
        {"today": 33, "fractions": _rows(days), "plan": {"fractions": _rows(ebrt_then_hdr())}},
    )
    again = resumed_schedule(started)
    assert again is not None
    assert [f.day for f in again.fractions] == [
        *(f.day for f in days), *(f.day for f in later), 42, 49, 56, 63,
    ]  # fmt: skip
    assert again.techniques("tumor") == ("ebrt",) * 25 + ("hdr",) * 4
    assert Judge(started).evaluate(again).admissible


def test_a_fraction_of_the_boost_that_is_missed_is_given_a_week_later() -> None:
    given_fractions = ebrt_then_hdr()[:26]
    found = _rests_of(43, given_fractions)
    others = {course for course in found if len(course) > 26}
    assert {len(course) for course in others} == {28, 29}
    assert {course[26].dose_gy for course in others} == {7.0}
    assert min(course[26].day for course in others) == 43
    assert all(course[27].day - course[26].day == 7 for course in others)


def test_missed_days_of_a_phase_may_be_made_up_for_by_two_fractions_a_day() -> None:
    days = [f for f in ebrt_then_hdr() if f.day not in (9, 10)][:18]  # day 28 is the next one
    plan = {"fractions": _rows(ebrt_then_hdr())}
    table = {"today": days[-1].day + 1, "fractions": _rows(days), "plan": plan}
    today = table["today"]
    for stated, most in ((None, 2), ([0, 1], 1), ([0], 0)):
        rest = {"lesion": "tumor", "start_within_days": 0}
        rest |= {} if stated is None else {"twice_daily_days": stated}
        started = with_past(boosted(), table | {"rest": [rest]})
        judge, doubled = Judge(started), set()
        for course in rests(started, started.lesions[0]):
            assert not judge.evaluate(Schedule.of(course, [])).obstacles
            further = [f.day for f in course if f.technique == "ebrt" and f.day >= today]
            if len(further) == 7 and course != tuple(resumed_schedule(started).fractions):
                doubled.add(tuple(further))
        assert doubled == _made_up(today, 7, most), stated


def _made_up(today: int, number: int, most: int) -> set[tuple[int, ...]]:
    """Days of so many fractions on the next working days, two on up to `most` of them, by hand.

    Two fractions on the first days, on the last ones, spread evenly, or on the last day of a week.
    """
    ways = set()
    for twice in range(most + 1):
        days = [day for day in range(today, today + 30) if day % 7 < 5][: number - twice]
        ends = [day for day in days if day + 1 not in days]
        even = [days[(i + 1) * len(days) // twice - 1] for i in range(twice)]
        choices = [days[:twice], days[len(days) - twice :], even]
        choices += [ends[:twice]] if len(ends) >= twice else []
        ways |= {tuple(sorted(days + choice)) for choice in choices}
    return ways


def test_a_fraction_that_went_wrong_leaves_the_rest_on_offer() -> None:
    given_fractions = [*ebrt_then_hdr()[:9], replace(ebrt_then_hdr()[9], dose_gy=0.9)]
    lengths = {len(course) for course in _rests_of(12, given_fractions)}
    assert lengths == {10, 28, 29}


def test_what_says_something_of_uniform_courses_only_is_refused() -> None:
    table = {"today": 12, "fractions": _rows(ebrt_then_hdr()[:10])}
    with pytest.raises(InputError, match="phases go on as their menu says"):
        with_past(boosted(), table | {"rest": [{"lesion": "tumor", "doses_gy": [2.0]}]})


def test_a_technique_that_nobody_stated_is_named() -> None:
    phases = [{"fractions": [5], "doses_gy": [2.0], "technique": "hdr"}]
    site = lesion(course={"form": "phases", "phases": phases})
    with pytest.raises(InputError, match="technique: hdr: no techniques stated"):
        build(plain_case([site], [], horizon_days=[20]))


def test_a_second_fraction_of_a_day_says_its_place() -> None:
    raw = case(two_ways())
    row = {"lesion": "tumor", "day": 0, "dose_gy": 1.8, "technique": "ebrt"}
    with pytest.raises(InputError, match="a second fraction has fraction_of_day 2"):
        read_schedule({"fractions": [row, row]}, build(raw), "file")
