"""What a horizon rewards: courses that end before it, and the note that says so."""

from __future__ import annotations

import dataclasses

import pytest
from plain_cases import Raw, lesion, plain_case, uniform

from abscopt.instances import build, load, names
from abscopt.instances.menus.courses import UniformCourse
from abscopt.instances.tables.calendar import course_days
from abscopt.optimizer import solve
from abscopt.optimizer.audit.horizons import days_until_expressed, horizon_notes
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

NEAR = {"oligomet-4", "oligomet-4-relaxed", "oligomet-4-tight"}
"""Cases whose menus reach a horizon: their optima end weeks before it (docs/waiting.md)."""
DRUG = {
    "name": "drug",
    "regimens": ["pembrolizumab-200-q3w"],
    "first_start_day": 0,
    "last_start_day": 0,
}


def waiting(horizon_days: list[int]) -> Raw:
    """Fractions kill effectors, so that the later the course the better."""
    course = uniform([10], [3.0], first_start_day=0, last_start_day=42, start_step_days=7)
    tumor = lesion(
        course=course, clonogens=1e4, effector_share=1.0, precursor_share=1.0,
        effector_kill_per_fraction=1.0, growth_doubling_time_days=200,
    )  # fmt: skip
    fields = {"objective": "default", "immune": {"use": "default"}, "agents": [DRUG]}
    return plain_case([tumor], [], horizon_days=horizon_days, **fields)


@pytest.mark.parametrize(
    ("horizons", "last", "noted"),
    [([50, 112], 46, True), ([84, 112], 53, False), ([112], 53, False)],
)
def test_a_course_ends_before_a_horizon_that_cuts_it_and_only_then(
    horizons: list[int], last: int, noted: bool
) -> None:
    result = solve(build(waiting(horizons)), gap=1e-5)
    assert result.schedule is not None
    assert max(fraction.day for fraction in result.schedule.fractions) == last
    texts = [note.text for note in result.notes if note.kind == "ends_before_horizon"]
    assert bool(texts) == noted
    assert all("tumor ends on day 46, 4 days before the horizon of day 50" in t for t in texts)
    assert all(note.level == "note" for note in result.notes if note.kind == "ends_before_horizon")


def test_the_note_stands_within_the_days_in_which_dying_cells_are_cleared() -> None:
    instance = build(waiting([50, 112]))
    wanted = days_until_expressed(instance)
    assert wanted == pytest.approx(17.37, abs=0.01)
    for last in (32, 33, 49, 50):
        found = list(horizon_notes(instance, Schedule((Fraction(last, "tumor", 3.0),), ())))
        assert bool(found) == (last in (33, 49))
    dose = build(waiting([50, 112]) | {"objective": {"kind": "tumor_bed"}})
    assert not list(horizon_notes(dose, Schedule((Fraction(49, "tumor", 3.0),), ())))


def last_day_on_offer(course: UniformCourse, calendar: object) -> int:
    """Of all courses of a menu."""
    starts = [course.first_start_day, course.start_days[-1]]
    days = [
        course_days(calendar, start, fractions // block.fractions_per_day, interval)  # type: ignore[arg-type]
        for block in course.blocks
        for start in starts
        for fractions in block.fractions
        for interval in block.interval_days
    ]
    return max(each[-1] for each in days if each)


@pytest.mark.parametrize("name", [name for name in names() if load(name).days >= 180])
def test_no_bundled_course_ends_where_a_horizon_rewards_it(name: str) -> None:
    instance = load(name)
    if name in NEAR:
        return
    for i in instance.irradiable:
        course = instance.lesions[i].course
        if isinstance(course, UniformCourse):
            last = last_day_on_offer(course, instance.calendar)
            assert last + days_until_expressed(instance) <= instance.horizon_days[0], name


def test_a_week_costs_as_much_at_a_horizon_as_before_it_where_horizons_are_late() -> None:
    """The standard regimen of `stage3-crt` without drugs, moved over day 84 by weeks."""
    now = load("stage3-crt")
    former = now.model_copy(update={"horizon_days": (84, 180)})

    def values(horizons_of: object) -> list[float]:
        judge = Judge(horizons_of)  # type: ignore[arg-type]
        base = [Fraction(day + 2 * (day // 5), "primary", 2.0) for day in range(30)]
        by = 84 - 1 - base[-1].day
        moved = [
            tuple(dataclasses.replace(f, day=f.day + by + week) for f in base)
            for week in (-7, 0, 7)
        ]
        return [judge.evaluate(Schedule(each, ())).objective for each in moved]

    late, early = values(now), values(former)
    assert early[1] - early[2] > 3 * abs(early[0] - early[1])
    assert late[1] - late[2] == pytest.approx(late[0] - late[1], rel=0.1)
