"""Infusion days of the calendar: the rule by hand, and three separate writings of it agree."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any

import pytest
from brute_force import plans
from drawn_calendars import EVERY_DAY, with_calendar

from abscopt.instances import InputError, build, load, names
from abscopt.instances.checks.windows import infusion_rule, not_offered, unplaced_plans
from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.regimens import infusions
from abscopt.instances.schema import Instance
from abscopt.instances.tables.calendar import course_days, date_of, is_infusion_day
from abscopt.optimizer.candidates.menus.courses import enumerate_menu
from abscopt.optimizer.candidates.systemic.plans import enumerate_plans
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

Raw = dict[str, Any]

CITED = {"source": "test", "status": "assumed"}
MICE = {"pulsar", "pulsar-daily", "young-timing"}
"""Cases of laboratories, which work every day."""


def regimen(cycle_days: int, cycles: int, *doses: tuple[str, int]) -> Raw:
    rows = [{"drug": d, "day": day, "amount": 100.0, "unit": "mg"} for d, day in doses]
    return {"cycle_days": cycle_days, "max_cycles": cycles, "doses": rows, **CITED}


def case(
    regimens: dict[str, Raw] | None = None,
    calendar: Raw | None = None,
    agent: Raw | None = None,
    **fields: Any,
) -> Instance:
    """One hidden lesion and one agent; day 0 is Monday 2026-01-05."""
    regimens = regimens or {"q3w": regimen(21, 4, ("pembrolizumab", 0))}
    window = {"first_start_day": 0, "last_start_day": 20, "optional": True}
    occult = {
        "use": "nsclc_occult",
        "name": "occult",
        "organ": "hidden",
        "clonogens": 3,
        "effector_share": 0.5,
        "precursor_share": 0.5,
    }
    return build(
        {
            "format": 1,
            "name": "c",
            "title": "c",
            "provenance": {"source": "test"},
            "horizon_days": [84],
            "calendar": calendar or {},
            "immune": {"use": "default"},
            "lesions": [occult],
            "regimens": regimens,
            "agents": [{"name": "agent", "regimens": list(regimens), **window, **(agent or {})}],
        }
        | fields
    )


def days_of(instance: Instance, start: int, name: str = "q3w") -> list[int] | None:
    given = given_infusions(instance, instance.agents[0], name, start)
    return None if given is None else [day for _, day, _ in given]


@pytest.mark.parametrize(
    ("holidays", "tolerance", "start", "days"),
    [
        ([], 3, 0, [0, 21, 42, 63]),
        (["2026-01-26"], 3, 0, [0, 22, 42, 63]),  # the later doses stay on their planned days
        (["2026-01-26"], 0, 0, None),
        (["2026-01-26"], 3, 1, [1, 22, 43, 64]),
        (["2026-01-30"], 3, 4, [4, 28, 46, 67]),  # Friday to Monday
        (["2026-01-30"], 2, 4, None),
        (["2026-01-30", "2026-02-02"], 3, 4, None),
        (["2026-01-30", "2026-02-02"], 4, 4, [4, 29, 46, 67]),
        ([], 28, 5, None),  # an agent does not start on a Saturday
        (["2026-01-05"], 3, 0, None),
    ],
)
def test_each_dose_moves_alone_to_the_next_infusion_day(
    holidays: list[str], tolerance: int, start: int, days: list[int] | None
) -> None:
    calendar = {"holidays": holidays, "infusion_tolerance_days": tolerance}
    assert days_of(case(calendar=calendar), start) == days


def test_without_a_rule_every_day_is_an_infusion_day() -> None:
    calendar = {"holidays": ["2026-01-26"], "infusion_weekdays": EVERY_DAY, "infusion_holidays": []}
    instance = case(calendar=calendar)
    assert days_of(instance, 0) == [0, 21, 42, 63]
    assert days_of(instance, 6) == [6, 27, 48, 69]
    assert len(enumerate_plans(instance)) == 1 + 21
    assert not not_offered(instance)


def test_doses_of_one_drug_stay_apart() -> None:
    etoposide = {"e": regimen(28, 1, *(("etoposide", day) for day in range(5)))}
    assert days_of(case(etoposide), 0, "e") == [0, 1, 2, 3, 4]
    assert days_of(case(etoposide), 2, "e") == [2, 3, 4, 7, 8]  # Wed Thu Fri, Mon Tue
    assert days_of(case(etoposide, {"infusion_tolerance_days": 1}), 2, "e") is None


def test_drugs_of_one_day_move_together() -> None:
    weekly = {"w": regimen(7, 3, ("carboplatin", 0), ("paclitaxel", 0))}
    calendar = {"infusion_holidays": ["2026-01-12"]}
    given = given_infusions(case(weekly, calendar), case(weekly).agents[0], "w", 0)
    assert given is not None
    assert [(drug, day) for drug, day, _ in given] == [
        (drug, day) for day in (0, 8, 14) for drug in ("carboplatin", "paclitaxel")
    ]


def test_what_is_taken_at_home_is_never_moved() -> None:
    daily = {"d": regimen(1, 60, ("cisplatin", 0))}
    assert len(enumerate_plans(case(daily))) == 1  # infused, weekends are more than it can make up
    tablets = {"cisplatin": {"use": "cisplatin", "taken_at_home": True}}
    instance = case(daily, {"holidays": ["2026-01-26"]}, drugs=tablets)
    assert days_of(instance, 5, "d") == list(range(5, 65))
    assert len(enumerate_plans(instance)) == 1 + 21
    both = {"b": regimen(7, 2, ("cisplatin", 0), ("cisplatin", 6), ("paclitaxel", 6))}
    given = given_infusions(case(both, drugs=tablets), case(both).agents[0], "b", 0)
    assert given is not None
    assert [(drug, day) for drug, day, _ in given] == [
        ("cisplatin", 0), ("cisplatin", 6), ("cisplatin", 7), ("paclitaxel", 7),
        ("cisplatin", 13), ("paclitaxel", 14),
    ]  # fmt: skip


def test_a_dose_that_moves_past_the_last_horizon_is_not_given() -> None:
    instance = case(calendar={"holidays": ["2026-01-26"]}, horizon_days=[22])
    assert days_of(instance, 0) == [0]
    schedule = Schedule.of([], [Infusion(0, "pembrolizumab", 100.0)])
    assert not Judge(instance).evaluate(schedule).obstacles
    assert days_of(case(calendar={"holidays": ["2026-01-26"]}, horizon_days=[23]), 0) == [0, 22]


def test_an_agent_may_have_days_of_its_own() -> None:
    agent = {"infusion_weekdays": [1, 3], "infusion_tolerance_days": 2}
    instance = case(calendar={"holidays": ["2026-01-27"]}, agent=agent)
    assert days_of(instance, 0) is None
    assert days_of(instance, 1) == [1, 24, 43, 64]
    broken = Judge(instance).evaluate(
        Schedule.of([], [Infusion(t, "pembrolizumab", 100.0) for t in (1, 24, 43, 65)])
    )
    assert "pembrolizumab: day 65 (Wed 2026-03-11) is not an infusion day" in broken.obstacles
    infusion_days = {t for t in range(7) if is_infusion_day(instance.calendar, t)}
    assert infusion_days == {0, 1, 2, 3, 4}


def test_the_judge_names_doses_on_days_without_infusions() -> None:
    instance = case(calendar={"holidays": ["2026-01-26"]})

    def rules(days: tuple[int, ...]) -> tuple[str, ...]:
        given = [Infusion(day, "pembrolizumab", 100.0) for day in days]
        return Judge(instance).evaluate(Schedule.of([], given)).obstacles

    assert rules((0, 22, 42, 63)) == ()
    assert rules((1, 22, 43, 64)) == ()
    not_a_regimen = "agent: the infusions are not a regimen the case offers in its window"
    assert rules((0, 21, 42, 63)) == (
        "pembrolizumab: day 21 (Mon 2026-01-26) is not an infusion day",
        not_a_regimen,
    )
    assert rules((6, 27, 48, 69))[:-1] == tuple(
        f"pembrolizumab: day {day} (Sun {date}) is not an infusion day"
        for day, date in zip(
            (6, 27, 48, 69), ("2026-01-11", "2026-02-01", "2026-02-22", "2026-03-15"), strict=True
        )
    )
    assert rules((0, 22, 43, 64)) == (not_a_regimen,)  # each dose moves alone
    assert rules((0, 23, 42, 63)) == (not_a_regimen,)  # to the next infusion day


def test_what_is_not_offered_is_said() -> None:
    instance = case(calendar={"holidays": ["2026-01-30", "2026-02-02"]})
    assert infusion_rule(instance) == (
        "Infusions on Mon Tue Wed Thu Fri but not on 2026-01-30, 2026-02-02; a dose planned for "
        "another day is given on the next of these, at most 3 days later"
    )
    lost = (
        "agent (q3w): 1 of 21 start days not offered: a later dose has no infusion day from its "
        "planned day to 3 days later (first day 4, Fri 2026-01-09)"
    )
    weekends = "agent (q3w): 6 of 21 start days not offered: no infusion day (first day 5, Sat "
    assert not_offered(instance) == [lost, weekends + "2026-01-10)"]
    assert unplaced_plans(instance)[0] == lost
    assert not unplaced_plans(case())
    closed = case(agent={"first_start_day": 5, "last_start_day": 6})
    assert unplaced_plans(closed) == [
        "agent (q3w): 2 of 2 start days not offered: no infusion day (first day 5, Sat 2026-01-10)"
    ]


@pytest.mark.parametrize(
    ("window", "calendar"),
    [
        ({"first_start_day": 5, "last_start_day": 6}, {}),
        ({"last_start_day": 0}, {"holidays": ["2026-01-05"]}),
        ({"last_start_day": 0}, {"holidays": ["2026-01-26"], "infusion_tolerance_days": 0}),
    ],
)
def test_an_agent_that_must_be_given_and_cannot_is_wrong_input(window: Raw, calendar: Raw) -> None:
    with pytest.raises(InputError) as raised:
        case(calendar=calendar, agent={**window, "optional": False})
    (problem,) = raised.value.problems
    assert problem.place == "agents[0].first_start_day"
    assert "starts on infusion days" in problem.rule


@pytest.mark.parametrize(
    ("start", "calendar"), [(6, {}), (0, {"infusion_holidays": ["2026-01-05"]})]
)
def test_a_standard_regimen_keeps_to_infusion_days(start: int, calendar: Raw) -> None:
    standard = {"name": "s", "source": "t", "agents": [{"agent": "agent", "start_day": start}]}
    with pytest.raises(InputError) as raised:
        case(calendar=calendar, standard=standard)
    (problem,) = raised.value.problems
    assert problem.place == "standard.agents[0].start_day"


LESION: Raw = {
    "use": "plain_lq",
    "name": "site",
    "organ": "site",
    "volume_cm3": 10,
    "course": {
        "form": "uniform",
        "fractions": [3],
        "doses_gy": [8.0],
        "first_start_day": 0,
        "last_start_day": 13,
    },
}


def test_courses_start_on_their_own_days() -> None:
    calendar = {"course_start_weekdays": [0, 1], "course_start_holidays": ["2026-01-12"]}
    instance = case(calendar=calendar, lesions=[LESION], agents=[])
    patterns = enumerate_menu(instance, 0).patterns
    assert [int(day) for day in patterns.first[1:]] == [0, 1, 8]
    assert course_days(instance.calendar, 1, 8, 1) == (1, 2, 3, 4, 7, 8, 9, 10)  # goes on daily
    late = Schedule.of([Fraction(day, "site", 8.0) for day in (2, 3, 4)], [])
    assert Judge(instance).evaluate(late).obstacles == (
        "site: no course starts on day 2",
        "site: the course is not on the lesion's menu",
    )
    timely = Schedule.of([Fraction(day, "site", 8.0) for day in (8, 9, 10)], [])
    assert not Judge(instance).evaluate(timely).obstacles
    standard = {"lesion": "site", "fractions": 3, "dose_gy": 8.0, "start_day": 2}
    regular = {"name": "s", "source": "t", "courses": [standard]}
    with pytest.raises(InputError, match="no day on which courses start"):
        case(calendar=calendar, lesions=[LESION], agents=[], standard=regular)


def test_bundled_cases_infuse_on_working_days() -> None:
    weekend = set()
    for name in names():
        instance = load(name)
        days = {day for plan in enumerate_plans(instance) for _, day, _ in plan.doses}
        assert all(is_infusion_day(instance.calendar, day) for day in days)
        if any(date_of(instance.calendar, day).weekday() > 4 for day in days):
            weekend.add(name)
    assert weekend == MICE


def drawn(seed: int) -> Instance:
    """A case of one to two agents with a drawn calendar."""
    regimens = {
        "daily": regimen(28, 2, *(("etoposide", day) for day in range(4)), ("cisplatin", 1)),
        "weekly": regimen(7, 4, ("carboplatin", 0), ("paclitaxel", 2)),
        "pd1": regimen(20, 3, ("pembrolizumab", 1)),
    }
    agents = [
        {
            "name": name,
            "regimens": [name],
            "first_start_day": (seed * 5 + i) % 9,
            "last_start_day": (seed * 5 + i) % 9 + 9,
        }
        for i, name in enumerate(("pd1", ("daily", "weekly")[seed % 2]))
    ]
    if seed % 3 == 0:
        agents[0] |= {"infusion_weekdays": [0, 2], "infusion_tolerance_days": 2}
    drugs = {"paclitaxel": {"use": "paclitaxel", "taken_at_home": seed % 4 == 1}}
    raw = {
        "format": 1,
        "name": "drawn",
        "title": "drawn",
        "provenance": {"source": "test"},
        "horizon_days": [45],
        "immune": {"use": "default"},
        "lesions": [{**LESION, "course": {**LESION["course"], "last_start_day": 0}}],
        "drugs": drugs,
        "regimens": regimens,
        "agents": agents,
    }
    return build(with_calendar(raw, seed))


def test_plans_enumeration_and_judge_agree() -> None:
    """Three writings of the rule: of the plans, of the judge and of the enumeration in tests."""
    moved = refused = 0
    for seed in range(24):
        instance = drawn(seed)
        judge = Judge(instance)
        found = enumerate_plans(instance)
        ours = {tuple(sorted(Infusion(t, drug, mg) for drug, t, mg in p.doses)) for p in found}
        assert ours == {tuple(sorted(plan)) for plan in plans(instance)}
        moved += sum(plan.moved > 0 for plan in found)
        for plan in list(ours)[:: max(1, len(ours) // 12)]:
            assert not judge.evaluate(Schedule.of([], plan)).obstacles
        everything = itertools.product(*(_unmoved(instance, a) for a in range(2)))
        for options in itertools.islice(everything, 0, None, 7):
            plan = tuple(sorted(itertools.chain(*options)))
            offered = not judge.evaluate(Schedule.of([], plan)).obstacles
            assert offered == (plan in ours)
            refused += not offered
    print(moved, refused)
    assert moved > 100
    assert refused > 100


def _unmoved(instance: Instance, index: int) -> list[tuple[Infusion, ...]]:
    """Every plan of one agent as its cycles count, whatever the calendar says; or none."""
    agent = instance.agents[index]
    return [()] + [
        tuple(
            Infusion(t, drug, mg)
            for drug, t, mg in infusions(instance, agent.regimens[0], start, agent.cycles)
        )
        for start in agent.start_days
    ]


def test_dates_in_the_readme_are_working_days() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = text.split("\nDrugs\n")[1].split("\nLesions\n")[0]
    dates = [word.strip("(,") for word in block.split() if word.startswith("2026-")]
    assert len(dates) >= 8
    assert all(datetime.date.fromisoformat(date).weekday() < 5 for date in dates)
