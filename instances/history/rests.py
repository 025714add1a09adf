"""Courses that continue a past: what was given, and what may follow it.

A lesion that has received fractions, or has missed its planned start, receives nothing more, its
plan resumed, or n further fractions of one dose (`Rest`). Any other lesion has its menu from today
on. All courses are whole ones, from the first fraction that was given.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from abscopt.instances.history.delivered import Rest
from abscopt.instances.history.past import Course, Past, past_of
from abscopt.instances.history.phased import Whole, phased_rests, resumed_phases
from abscopt.instances.history.walks import days_with_two, of_unknown_kill, walk
from abscopt.instances.reading.problems import refused
from abscopt.instances.tables.calendar import first_open, is_machine_day, is_open, is_start_day

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock
    from abscopt.instances.schema import Instance

MOST_RESTS = 200_000
"""Courses that may follow what one lesion has received: some seconds and 300 MB."""

Timing = tuple[tuple[int, int], ...]
"""Day of every fraction of a course, and its position in the day."""


@dataclass(frozen=True)
class Continued:
    """What may become of one lesion that has begun, or has missed its start.

    Many courses differ in their doses only: those share one tuple of days.

    Attributes
    ----------
    technique : of all its fractions
    timed : days and doses of whole courses, the one that stops here first
    must : whether some fractions were given, so that 'no course' is not among the choices
    ways : technique of each fraction of each course; None where all have `technique`
    """

    technique: str
    timed: tuple[tuple[Timing, tuple[float, ...]], ...]
    must: bool
    ways: tuple[tuple[str, ...], ...] | None = None

    @cached_property
    def courses(self) -> tuple[Course, ...]:
        """The courses, fraction by fraction."""
        return tuple(
            tuple((day, gy, slot) for (day, slot), gy in zip(timing, doses, strict=True))
            for timing, doses in self.timed
        )

    @property
    def fractions(self) -> tuple[Whole, ...]:
        """The courses with the technique of each fraction."""
        ways = self.ways or tuple((self.technique,) * len(course) for course in self.courses)
        return tuple(_with_ways(*pair) for pair in zip(self.courses, ways, strict=True))

    def on_days(self, timing: Timing) -> Iterator[tuple[tuple[float, ...], tuple[str, ...]]]:
        """Doses and techniques of the courses on some days."""
        for number in self._by_timing.get(timing, ()):
            ways = (self.technique,) * len(timing) if self.ways is None else self.ways[number]
            yield self.timed[number][1], ways

    @cached_property
    def _by_timing(self) -> dict[Timing, list[int]]:
        numbers = defaultdict(list)
        for number, (timing, _) in enumerate(self.timed):
            numbers[timing].append(number)
        return dict(numbers)


def continued(instance: Instance, lesion: Lesion) -> Continued | None:
    """What may follow the past of a lesion; None where its own menu holds, from today on."""
    past = past_of(instance)
    if past is None or not has_begun(instance, lesion):
        return None
    key = f"continued {lesion.name}"
    answer: Continued = instance.remembered(key, lambda: _continued(instance, lesion, past))
    return answer


def has_begun(instance: Instance, lesion: Lesion) -> bool:
    """Whether a lesion has fractions behind it, has missed its start or is stopped: `continued`."""
    past = past_of(instance)
    if past is None or lesion.course is None:
        return False
    stopped = rest_of(instance, lesion.name).stop
    return stopped or bool(past.course(lesion.name)) or _missed_start(instance, lesion, past)


def _missed_start(instance: Instance, lesion: Lesion, past: Past) -> bool:
    """Whether the planned first day is over, or the machine does not run then."""
    planned = past.planned(lesion.name)
    return (
        planned is not None
        and bool(planned)
        and (
            planned[0][0] < past.earliest(lesion.name)
            or not is_machine_day(instance.calendar, planned[0][0])
        )
    )


def from_today(instance: Instance, days: Iterable[int]) -> list[int]:
    """Days that are not over."""
    past = past_of(instance)
    return [day for day in days if past is None or day >= past.today]


def _continued(instance: Instance, lesion: Lesion, past: Past) -> Continued:
    given, planned = past.course(lesion.name), past.planned(lesion.name)
    technique = past.technique(lesion.name) or lesion.ways[0].name
    if rest_of(instance, lesion.name).stop:
        return _stopped(past, lesion)
    if lesion.course is not None and lesion.course.form == "phases":
        return _of_phases(instance, lesion, past)
    timed = dict.fromkeys([_timed_course(given)] if given else [])
    resumed = _resumed(instance, past, lesion.name, given, planned)
    timed |= dict.fromkeys(map(_timed_course, resumed))
    for rest in _rests(instance, lesion, past, given, planned):
        timed[rest] = None
        if len(timed) > MOST_RESTS:
            rule = f"at most {MOST_RESTS} courses may follow: fewer doses, numbers or start days"
            raise refused(instance.name, "delivered.rest", lesion.name, rule)
    inside = (course for course in timed if course[0][-1][0] < instance.days)
    offered = tuple(course for course in inside if not of_unknown_kill(lesion, *course))
    return Continued(technique, offered, bool(given))


def _stopped(past: Past, lesion: Lesion) -> Continued:
    """Nothing but what was given."""
    given, ways = past.course(lesion.name), past.ways(lesion.name)
    if not given:
        return Continued(lesion.ways[0].name, (), must=False)
    several = (ways,) if len(set(ways)) > 1 else None
    return Continued(ways[0], (_timed_course(given),), must=True, ways=several)


def _timed_course(course: Course) -> tuple[Timing, tuple[float, ...]]:
    return tuple((day, slot) for day, _, slot in course), tuple(gy for _, gy, _ in course)


def _of_phases(instance: Instance, lesion: Lesion, past: Past) -> Continued:
    """What may become of a course of phases: stopped, the plan resumed, the menu gone on with."""
    given = _with_ways(past.course(lesion.name), past.ways(lesion.name))
    courses = dict.fromkeys([given] if given else [])
    resumed = resumed_fractions(instance, lesion)
    courses |= dict.fromkeys([] if resumed is None else [resumed])
    rest = rest_of(instance, lesion.name)
    twice = _twice(rest, missed_days(instance, past, lesion.name))
    for whole in phased_rests(instance, lesion, past, rest, given, twice):
        courses[whole] = None
        if len(courses) > MOST_RESTS:
            rule = f"at most {MOST_RESTS} courses may follow: fewer doses, numbers or gaps"
            raise refused(instance.name, "delivered.rest", lesion.name, rule)
    inside = [course for course in courses if course and course[-1][0] < instance.days]
    timed = [_timed_course(tuple(fraction[:3] for fraction in course)) for course in inside]
    offered = [i for i, course in enumerate(timed) if not of_unknown_kill(lesion, *course)]
    return Continued(
        lesion.ways[0].name,
        tuple(timed[i] for i in offered),
        bool(given),
        tuple(tuple(way for _, _, _, way in inside[i]) for i in offered),
    )


def _with_ways(course: Course, ways: tuple[str, ...]) -> Whole:
    return tuple((day, gy, slot, way) for (day, gy, slot), way in zip(course, ways, strict=True))


def resumed_fractions(instance: Instance, lesion: Lesion) -> Whole | None:
    """`resumed_course` with the technique of each fraction."""
    past = past_of(instance)
    assert past is not None
    course = resumed_course(instance, lesion)
    if course is None:
        return None
    given = past.ways(lesion.name)
    planned = past.planned_ways(lesion.name)[len(given) :]
    if lesion.course is None or lesion.course.form != "phases":
        return _with_ways(course, (past.technique(lesion.name) or "",) * len(course))
    return _with_ways(course, given + planned)


def resumed_course(instance: Instance, lesion: Lesion) -> Course | None:
    """What was given and the rest of the plan, as soon as can be; None without a plan."""
    past = past_of(instance)
    assert past is not None
    given, planned = past.course(lesion.name), past.planned(lesion.name)
    if lesion.course is not None and lesion.course.form == "phases":
        return resumed_phases(instance, lesion, past)
    return next(iter(_resumed(instance, past, lesion.name, given, planned)), None)


def _resumed(
    instance: Instance, past: Past, lesion: str, given: Course, planned: Course | None
) -> Iterator[Course]:
    """The plan resumed: fractions that are left in their order, none before its planned day.

    Treatment days keep the least interval of the plan; each is on the first open day then.
    """
    if not planned or len(planned) < len(given):
        return
    days = sorted({day for day, _, _ in planned})
    interval = min((b - a for a, b in itertools.pairwise(days)), default=1)
    last = given[-1][0] if given else None
    left = planned[len(given) :]
    course = list(given)
    for planned_day, of_day in itertools.groupby(left, key=lambda f: f[0]):
        earliest = max(planned_day, past.earliest(lesion))
        if last is not None:
            earliest = max(earliest, last + interval)
        day = first_open(instance.calendar, earliest)
        if day is None:
            return
        course += [(day, gy, slot) for slot, (_, gy, _) in enumerate(of_day)]
        last = day
    yield tuple(course)


def missed_days(instance: Instance, past: Past, lesion: str) -> int:
    """Treatment days that a lesion missed, or will: stated, or planned without a fraction.

    Planned days from today on count where the machine does not run.
    """
    given = {day for day, _, _ in past.course(lesion)}
    stated = {day for day, what in past.missed if what == lesion and day not in given}
    planned = {day for day, _, _ in past.planned(lesion) or ()}
    due = {day for day in planned if day < past.today or not is_machine_day(instance.calendar, day)}
    return max(len(stated), len(due) - len(given))


def rest_of(instance: Instance, lesion: str) -> Rest:
    """What a case says may follow in a lesion; the usual rest if it says nothing."""
    assert instance.delivered is not None
    stated = (rest for rest in instance.delivered.rest if rest.lesion == lesion)
    return next(stated, Rest(lesion=lesion))


def _blocks(lesion: Lesion, given: Course) -> list[CourseBlock]:
    """Blocks of the menu that could have begun like this; all of them if none could."""
    assert lesion.course is not None and lesion.course.form == "uniform"
    doses = {gy for _, gy, _ in given}
    alike = [
        block
        for block in lesion.course.blocks
        if doses <= set(block.levels_gy) and max(block.fractions) >= len(given)
    ]
    return alike or list(lesion.course.blocks)


@dataclass(frozen=True)
class _Offer:
    """Numbers, doses and rhythm of what may follow."""

    numbers: tuple[int, ...]
    levels: tuple[float, ...]
    intervals: tuple[int, ...]
    per_day: int
    twice: tuple[int, ...]
    compensating: tuple[int, ...]
    own_starts: range


def _rests(
    instance: Instance, lesion: Lesion, past: Past, given: Course, planned: Course | None
) -> Iterator[tuple[Timing, tuple[float, ...]]]:
    """Whole courses with n further fractions of one dose, or of one dose and then the old one."""
    rest = rest_of(instance, lesion.name)
    days_given, doses_given = _timed_course(given)
    old = given[-1][1] if given else (planned[0][1] if planned else None)
    for offer in _offers(instance, lesion, past, given, planned):
        for places in dict.fromkeys(_places(instance, rest, offer, past, given)):
            timing, number = days_given + places, len(places)
            first = [n for n in offer.compensating if _between_days(places, n)]
            for level in offer.levels:
                yield timing, doses_given + (level,) * number
                if old is not None and level != old:
                    for n in first:
                        yield timing, doses_given + (level,) * n + (old,) * (number - n)


def _between_days(places: Timing, number: int) -> bool:
    """Whether another dose may follow the first fractions: not within one day."""
    return 0 < number < len(places) and places[number - 1][0] != places[number][0]


def _offers(
    instance: Instance, lesion: Lesion, past: Past, given: Course, planned: Course | None
) -> Iterator[_Offer]:
    rest, missed = rest_of(instance, lesion.name), missed_days(instance, past, lesion.name)
    left = 0 if planned is None else max(0, len(planned) - len(given))
    complete = given and (
        len(planned) <= len(given) if planned is not None else _is_whole(instance, lesion, given)
    )
    assert lesion.course is not None and lesion.course.form == "uniform"
    for block in _blocks(lesion, given):
        numbers = rest.fractions
        if numbers is None:
            further = {n - len(given) for n in block.fractions}
            further |= set(range(1, left + 1)) if given else set()
            numbers = () if complete else tuple(sorted(n for n in further if n > 0))
        levels = rest.levels_gy
        if levels is None:
            doses = {*block.levels_gy, *(gy for _, gy, _ in given[-1:])}
            levels = tuple(sorted(doses))
        compensating = rest.compensating_fractions
        if compensating is None:
            compensating = (missed,) if missed else ()
        yield _Offer(
            tuple(n for n in numbers if n > 0),
            levels,
            tuple(sorted(set(rest.interval_days or block.interval_days))),
            block.fractions_per_day,
            _twice(rest, missed),
            compensating,
            lesion.course.start_days,
        )


def _twice(rest: Rest, missed: int) -> tuple[int, ...]:
    """Numbers of days with two fractions: those stated and none, or up to those missed."""
    numbers = range(missed + 1) if rest.twice_daily_days is None else rest.twice_daily_days
    return tuple(sorted({0, *numbers}))


def _is_whole(instance: Instance, lesion: Lesion, given: Course) -> bool:
    """Whether what was given is a course of the lesion's menu in number, dose and days."""
    from abscopt.instances.tables.calendar import course_days

    assert lesion.course is not None and lesion.course.form == "uniform"
    places = [(day, slot) for day, _, slot in given]
    for block in lesion.course.blocks:
        doses = {gy for _, gy, _ in given}
        if len(doses) > 1 or not doses <= set(block.levels_gy) or len(given) not in block.fractions:
            continue
        number = block.fractions_per_day
        for interval in block.interval_days:
            days = course_days(instance.calendar, given[0][0], len(given) // number, interval)
            if [(day, slot) for day in days or () for slot in range(number)] == places:
                return True
    return False


def _places(
    instance: Instance, rest: Rest, offer: _Offer, past: Past, given: Course
) -> Iterator[Timing]:
    """(day, slot) of what may follow, every timing."""
    calendar = instance.calendar
    last = given[-1][0] if given else None
    for interval, off_days in itertools.product(
        offer.intervals, (False, True) if rest.weekends else (False,)
    ):
        earliest = past.earliest(rest.lesion)
        earliest = earliest if last is None else max(earliest, last + interval)
        first = first_open(calendar, earliest, weekends=off_days)
        if first is None:
            continue
        starts = set(range(first, first + rest.start_within_days + 1))
        if last is None:
            starts |= {day for day in offer.own_starts if day >= first}
        for start in sorted(starts):
            begins = is_open(calendar, start, weekends=off_days)
            if not begins or (last is None and not off_days and not is_start_day(calendar, start)):
                continue
            for number in offer.numbers:
                yield from _timed(instance, offer, start, number, interval, off_days)


def _timed(
    instance: Instance, offer: _Offer, start: int, number: int, interval: int, off_days: bool
) -> Iterator[Timing]:
    """n fractions from a day: m on every treatment day, or two on some and one on the others."""
    per_day = offer.per_day
    if per_day > 1 or interval > 1:
        if number % per_day == 0:
            days = walk(instance.calendar, start, number // per_day, interval, off_days)
            if days is not None and days[-1] < instance.days:
                yield tuple((day, slot) for day in days for slot in range(per_day))
        return
    for twice in offer.twice:
        count = number - twice
        if count < twice:
            continue
        days = walk(instance.calendar, start, count, interval, off_days)
        if days is None or days[-1] >= instance.days:
            continue
        for doubled in days_with_two(instance.calendar, days, twice):
            yield tuple((day, slot) for day in days for slot in range(1 + (day in doubled)))
