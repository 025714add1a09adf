"""The courses of a menu that load organs least: if these fail, every course does.

With the days of a course fixed, the load of every limit grows with the dose per fraction; with its
start and interval fixed, it grows with the number of fractions, since a longer course has all days
of the shorter one. So of each block and technique only the smallest number of fractions at the
smallest dose needs to be looked at, on each start day and interval; every number where a table is
looked up that allows more per fraction in more fractions. Of phases all timings are looked at.

Courses of one group differ in their days alone: what one of them loads on a limit that does not
depend on days, all of them do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from abscopt.instances.history.rests import from_today
from abscopt.instances.menus.phase_timings import phase_timings
from abscopt.instances.tables.calendar import course_days
from abscopt.instances.tables.sparing import varies_by_day
from abscopt.optimizer.schedule import Fraction

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.menus.courses import CourseBlock, UniformCourse
    from abscopt.instances.schema import Instance

Course = tuple[Fraction, ...]


def least_courses(instance: Instance, lesion: Lesion) -> Iterator[Iterable[Course]]:
    """Groups of least courses that differ in their days alone, all timings of each."""
    menu = lesion.course
    assert menu is not None
    if menu.form == "free":
        dose, name = min(menu.levels_gy), lesion.ways[0].name
        singles = [(Fraction(day, lesion.name, dose, 0, name),) for day in menu.days]
        apart = varies_by_day(lesion)
        yield from ([single] for single in singles) if apart else [singles]
        return
    if menu.form == "phases":
        yield from (group for _, group in itertools.groupby(_phased(instance, lesion), _given))
        return
    every = any(limit.falls_with_fractions(instance) for limit in instance.limits)
    for block in menu.blocks:
        for count in sorted(set(block.fractions)) if every else [min(block.fractions)]:
            for way in lesion.ways:
                yield _timed(instance, lesion, menu, block, way, count)


def _given(course: Course) -> tuple[tuple[float, int, str], ...]:
    """Everything of a course but its days."""
    return tuple((f.dose_gy, f.slot, f.technique) for f in course)


def _phased(instance: Instance, lesion: Lesion) -> Iterator[Course]:
    """Every timing of a menu of phases at the least dose of each phase."""
    for timing in phase_timings(instance, lesion):
        doses = [phase.levels_gy[0] for phase in timing.phases]
        yield tuple(
            Fraction(day, lesion.name, doses[phase], slot, lesion.ways[way].name)
            for (day, slot, way), phase in zip(timing.places, timing.owner, strict=True)
        )


def _timed(
    instance: Instance,
    lesion: Lesion,
    menu: UniformCourse,
    block: CourseBlock,
    way: Technique,
    fractions: int,
) -> Iterator[Course]:
    """A number of fractions at the smallest dose on every start day and interval."""
    dose, number = min(block.levels_gy), block.fractions_per_day
    for interval in sorted(set(block.interval_days)):
        for start in from_today(instance, menu.start_days):
            days = course_days(instance.calendar, start, fractions // number, interval)
            if days is not None and days[-1] >= instance.days:
                break  # later starts end later still
            if days is not None:
                yield tuple(
                    Fraction(day, lesion.name, dose, slot, way.name)
                    for day in days
                    for slot in range(number)
                )
