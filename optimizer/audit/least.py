"""The courses of a menu that load organs least: if these fail, every course does.

With the days of a course fixed, the load of every limit grows with the dose per fraction; with its
start and interval fixed, it grows with the number of fractions, since a longer course has all days
of the shorter one. So of each block and technique only the smallest number of fractions at the
smallest dose needs to be looked at, on each start day and interval; every number where a table is
looked up that allows more per fraction in more fractions. Of phases all timings are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.calendar import course_days
from abscopt.instances.history.rests import from_today
from abscopt.instances.phase_timings import phase_timings
from abscopt.optimizer.schedule import Fraction

if TYPE_CHECKING:
    from abscopt.instances.courses import CourseBlock, UniformCourse
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance

Course = tuple[Fraction, ...]


def least_courses(instance: Instance, lesion: Lesion) -> Iterator[Iterator[Course]]:
    """Per block and technique (one group for a free course): its least courses, all timings."""
    menu = lesion.course
    assert menu is not None
    if menu.form == "free":
        dose = min(menu.levels_gy)
        yield ((Fraction(day, lesion.name, dose, 0, lesion.ways[0].name),) for day in menu.days)
        return
    if menu.form == "phases":
        yield _phased(instance, lesion)
        return
    every = any(limit.falls_with_fractions(instance) for limit in instance.limits)
    for block in menu.blocks:
        for count in sorted(set(block.fractions)) if every else [min(block.fractions)]:
            for way in lesion.ways:
                yield _timed(instance, lesion, menu, block, way, count)


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
