"""The case with the courses and plans that load least: feasible exactly if the case is (P19).

With the days of a course fixed, the load of every limit grows with the dose; a longer course of the
same start and rhythm has all days of the shorter one; drugs only add to loads. So where nothing
asks for more, the smallest dose and number of fractions stand in for the rest of a menu, and an
agent that may be left out is, unless it has given a dose. What asks for more: a BED (the least dose
that has it without drugs stands in for higher ones), radiation that must not end long before a drug
starts (numbers of fractions stay), and control (nothing is left out). Numbers stay as well where a
published table allows more per fraction in more fractions; lesions of one plan and lesions with a
past keep their menus, whose courses depend on each other and on what was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.history.doses import begun_doses
from abscopt.instances.history.past import past_of
from abscopt.instances.history.rests import has_begun
from abscopt.instances.menus.courses import CourseBlock, UniformCourse
from abscopt.instances.tables.calendar import course_days, is_machine_day, is_start_day
from abscopt.instances.tables.sparing import varies_by_day
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import FreeCourse
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice


@dataclass(frozen=True)
class _Needs:
    """What a case asks of courses beside their loads.

    Attributes
    ----------
    every_number : whether more fractions may be what keeps a rule or a limit
    matched : names of lesions whose courses another lesion's must match
    """

    every_number: bool
    matched: frozenset[str]


def least_loading(instance: Instance) -> Instance:
    """The case with the menus that decide whether it is feasible; doses alone are its objective."""
    if any(lesion.least_control is not None for lesion in instance.lesions):
        return instance.unchecked({"standard": None})
    agents = instance.agents
    if not _drugs_add_bed(instance):
        agents = tuple(a for a in agents if not a.optional or _has_given(instance, a))
    needs = _Needs(
        any(agent.max_days_after_radiation is not None for agent in agents)
        or any(limit.falls_with_fractions(instance) for limit in instance.limits),
        frozenset(name for limit in instance.limits for name in limit.matched),
    )
    lesions = tuple(_least(instance, lesion, needs) for lesion in instance.lesions)
    objective = instance.objective.unchecked({"kind": "tumor_bed"})
    return instance.unchecked(
        {"lesions": lesions, "agents": agents, "objective": objective, "standard": None}
    )


def _has_given(instance: Instance, agent: AgentChoice) -> bool:
    """Whether some dose of an agent is in the past: then it cannot be left out."""
    past = past_of(instance)
    return past is not None and bool(begun_doses(instance, agent, past))


def _drugs_add_bed(instance: Instance) -> bool:
    """Whether drugs may help a lesion to the BED that it demands."""
    return any(lesion.least_bed is not None for lesion in instance.lesions) and any(
        drug.sensitizer_enhancement_ratio > 1 or drug.equivalent_bed_gy_per_dose > 0
        for drug in instance.drugs.values()
    )


def _least(instance: Instance, lesion: Lesion, needs: _Needs) -> Lesion:
    course = lesion.course
    if course is None or lesion.name in needs.matched or has_begun(instance, lesion):
        return lesion
    if course.form == "free":
        uniform = None if needs.every_number else _one_fraction(instance, lesion, course)
        return lesion if uniform is None else lesion.unchecked({"course": uniform})
    if course.form == "phases":
        return lesion
    if lesion.least_bed is not None and lesion.oxygen_modification_factor > 1:
        return lesion  # the dose that has a BED depends on the days
    blocks = [
        block for offered in course.blocks for block in _blocks(instance, lesion, offered, needs)
    ]
    if not blocks:
        return lesion
    head = course.unchecked({key: getattr(blocks[0], key) for key in BLOCK})
    return lesion.unchecked({"course": head.unchecked({"also": tuple(blocks[1:])})})


BLOCK = ("fractions", "doses_gy", "fractions_per_day", "interval_days")


def _blocks(
    instance: Instance, lesion: Lesion, block: CourseBlock, needs: _Needs
) -> Iterator[CourseBlock]:
    """Of each number of fractions the doses that may be the least; of some numbers, none."""
    for fractions in sorted(set(block.fractions)):
        levels, least_is_enough = _levels(instance, lesion, block, fractions)
        yield CourseBlock.model_construct(
            fractions=(fractions,),
            doses_gy=levels,
            fractions_per_day=block.fractions_per_day,
            interval_days=block.interval_days,
        )
        if least_is_enough and not needs.every_number:
            return  # every longer course has these days and doses, and more


def _levels(
    instance: Instance, lesion: Lesion, block: CourseBlock, fractions: int
) -> tuple[tuple[float, ...], bool]:
    """Doses up to the least one that has the demanded BED without drugs; whether all have it."""
    levels, asked = block.levels_gy, lesion.least_bed
    if asked is None:
        return levels[:1], True
    days = some_days(instance, lesion, block, fractions)
    if days is None:
        return levels, False
    first, last = 0, len(levels)  # the least dose that reaches is at first ... last
    while first < last:
        middle = (first + last) // 2
        reaches = bed_gy(instance, lesion, days, block.fractions_per_day, levels[middle]) >= asked
        first, last = (first, middle) if reaches else (middle + 1, last)
    return levels[: first + 1], first == 0


def some_days(
    instance: Instance, lesion: Lesion, block: CourseBlock, fractions: int
) -> tuple[int, ...] | None:
    """Days of some course of a menu; None if there is none."""
    course = lesion.course
    assert course is not None and course.form == "uniform"
    number, interval = fractions // block.fractions_per_day, min(block.interval_days)
    days = (course_days(instance.calendar, s, number, interval) for s in course.start_days)
    return next((d for d in days if d is not None and d[-1] < instance.days), None)


def bed_gy(
    instance: Instance, lesion: Lesion, days: tuple[int, ...], per_day: int, dose_gy: float
) -> float:
    """BED of one course of a lesion alone, without drugs, by the judge."""
    alone = instance.unchecked(
        {
            "lesions": (lesion,), "limits": (), "agents": (), "prior_doses": (), "standard": None,
            "horizon_days": (days[-1] + 1,),
        }
    )  # fmt: skip
    way = lesion.ways[0].name
    fractions = [
        Fraction(day, lesion.name, dose_gy, slot, way) for day in days for slot in range(per_day)
    ]
    return Judge(alone).evaluate(Schedule.of(fractions, ())).lesions[0].bed_gy


def _one_fraction(instance: Instance, lesion: Lesion, course: FreeCourse) -> UniformCourse | None:
    """One fraction of the least dose on any day of a free course; None where it would not do.

    A uniform course starts on every start day of its window, so these must be the free days; it has
    no factors by day.
    """
    by_day = varies_by_day(lesion)
    if lesion.least_bed is not None or by_day:
        return None
    window = range(course.days[0], course.days[-1] + 1)
    offered = {day for day in window if is_start_day(instance.calendar, day)}
    if offered != {day for day in course.days if is_machine_day(instance.calendar, day)}:
        return None
    return UniformCourse.model_construct(
        form="uniform",
        fractions=(1,),
        doses_gy=course.levels_gy[:1],
        first_start_day=course.days[0],
        last_start_day=course.days[-1],
    )
