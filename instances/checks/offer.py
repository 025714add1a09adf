"""Which courses of a uniform menu end within the case: from the calendar alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.tables.calendar import course_days, is_machine_day

if TYPE_CHECKING:
    from abscopt.instances.menus.courses import CourseBlock, UniformCourse
    from abscopt.instances.schema import Instance

Days = tuple[int, ...]

MOST_TIMINGS = 400
"""Numbers of fractions times intervals of a block that are looked at (a millisecond each at most);
beyond, the smallest interval alone, which is enough to know whether a number fits at all."""


@dataclass(frozen=True)
class Timing:
    """One number of fractions of a block at one interval, at its first and last start.

    `first` and `last` are the treatment days from the first and the last machine day of the
    window, whether or not they end within the horizon.
    """

    block: CourseBlock
    fractions: int
    interval: int
    first: Days
    last: Days

    def offered(self, horizon: int) -> bool:
        """Whether the earliest course ends within the horizon.

        Days of a later start are never earlier, so no other start does where this one does not.
        """
        return self.first[-1] < horizon

    def cut(self, horizon: int) -> bool:
        """Whether the horizon cuts some start."""
        return self.last[-1] >= horizon


def timings(instance: Instance, course: UniformCourse) -> list[Timing]:
    """Every number of fractions and interval of a menu; none without a machine day to start on."""
    starts = [day for day in course.start_days if is_machine_day(instance.calendar, day)]
    found = []
    for block in course.blocks if starts else ():
        numbers, intervals = sorted(set(block.fractions)), sorted(set(block.interval_days))
        if len(numbers) * len(intervals) > MOST_TIMINGS:
            intervals = intervals[:1]
        for fractions in numbers:
            for interval in intervals:
                count = fractions // block.fractions_per_day
                first, last = (
                    course_days(instance.calendar, start, count, interval)
                    for start in (starts[0], starts[-1])
                )
                if first is not None and last is not None:
                    found.append(Timing(block, fractions, interval, first, last))
    return found
