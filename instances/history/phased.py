"""Courses of phases that continue a past: the phase that has begun goes on, later ones follow.

Fractions given are read as the beginning of a list of phases: by technique, dose and number, and
where no list begins like this, by technique and number alone, so that a fraction that went wrong
leaves the rest on offer. Days given are as they are; what follows is on the first open days.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.history.walks import days_with_two
from abscopt.instances.tables.calendar import first_open, is_open, is_start_day

if TYPE_CHECKING:
    from abscopt.instances.history.delivered import Rest
    from abscopt.instances.history.past import Course, Past
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.phases import Phase
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.calendar import Calendar

Given = tuple[int, float, int, str]
"""Day, Gy, position in the day and technique of a fraction."""
Whole = tuple[Given, ...]


@dataclass(frozen=True)
class Begun:
    """The phase that has begun: fractions of one time, how many times, and how many were given."""

    number: int
    times: int
    done: int


@dataclass(frozen=True)
class Rhythm:
    """When further fractions may be given."""

    calendar: Calendar
    earliest: int
    within_days: int
    weekends: bool

    def is_open(self, phase: Phase | None, day: int) -> bool:
        """Whether a fraction of a phase, or of any, may be on a day."""
        weekdays = None if phase is None else phase.weekdays
        return is_open(self.calendar, day, weekdays, self.weekends)

    def first(self, phase: Phase | None, day: int) -> int | None:
        """The first open day of a phase from a day on."""
        weekdays = None if phase is None else phase.weekdays
        return first_open(self.calendar, day, weekdays, self.weekends)

    def next_days(self, phase: Phase, day: int) -> list[int]:
        """Days on which the next fraction from today on may be: the first open one, or later."""
        first = self.first(phase, max(day, self.earliest))
        if first is None:
            return []
        return [t for t in range(first, first + self.within_days + 1) if self.is_open(phase, t)]

    def walk(self, phase: Phase, first: int, count: int, interval: int) -> list[int] | None:
        """Treatment days of some fractions from a day on."""
        days = [first]
        while len(days) < math.ceil(count / phase.fractions_per_day):
            following = self.first(phase, days[-1] + interval)
            if following is None:
                return None
            days.append(following)
        return days


def phased_rests(
    instance: Instance,
    lesion: Lesion,
    past: Past,
    rest: Rest,
    given: Whole,
    twice: tuple[int, ...],
) -> Iterator[Whole]:
    """Whole courses that begin with what was given and end as the menu says.

    Parameters
    ----------
    twice : numbers of days on which two fractions of the phase that has begun may be given
    """
    course = lesion.course
    assert course is not None and course.form == "phases"
    rhythm = Rhythm(
        instance.calendar, past.earliest(lesion.name), rest.start_within_days, rest.weekends
    )
    starts = [day for day in course.start_days if day >= rhythm.earliest]
    for exact in (True, False):
        found = False
        for phases in course.lists:
            for k, begun in dict.fromkeys(_matches(phases.phases, given, 0, 0, exact)):
                found = True
                later = _Continuation(lesion, phases.phases, rhythm, starts, instance.days, twice)
                yield from later.courses(given, k, begun)
        if found:
            return


def resumed_phases(instance: Instance, lesion: Lesion, past: Past) -> Course | None:
    """The plan of phases resumed: each run of one technique and dose keeps its least interval.

    Between two runs there are as many days as the menu asks for at most, if the plan had them. None
    without a plan, or where more was given than it has.
    """
    given, planned = past.course(lesion.name), past.planned(lesion.name)
    if not planned or len(planned) < len(given):
        return None
    ways = past.planned_ways(lesion.name)
    keys = [(way, gy) for (_, gy, _), way in zip(planned, ways, strict=True)]
    intervals = _least_intervals([day for day, _, _ in planned], keys)
    assert lesion.course is not None and lesion.course.form == "phases"
    gaps = {gap for phases in lesion.course.lists for p in phases.phases[1:] for gap in p.gap_days}
    rhythm = Rhythm(instance.calendar, past.earliest(lesion.name), 0, weekends=False)
    course = list(given)
    for i in range(len(given), len(planned)):
        planned_day, gy, _ = planned[i]
        if i > len(given) and planned_day == planned[i - 1][0]:
            course.append((course[-1][0], gy, course[-1][2] + 1))
            continue
        earliest = max(planned_day, rhythm.earliest)
        if i > 0:
            apart = planned_day - planned[i - 1][0]
            interval = max((gap for gap in gaps if gap <= apart), default=1)
            if keys[i] == keys[i - 1]:
                interval = intervals.get(keys[i], 1)
            earliest = max(earliest, course[-1][0] + interval)
        day = rhythm.first(None, earliest)
        if day is None:
            return None
        course.append((day, gy, 0))
    return tuple(course)


def _least_intervals(
    days: list[int], keys: list[tuple[str, float]]
) -> dict[tuple[str, float], int]:
    """Least days between successive treatment days of one technique and dose."""
    least: dict[tuple[str, float], int] = {}
    for (day, key), (after, next_key) in itertools.pairwise(zip(days, keys, strict=True)):
        if key == next_key and after > day:
            least[key] = min(least.get(key, after - day), after - day)
    return least


def _matches(
    phases: tuple[Phase, ...], given: Whole, k: int, used: int, exact: bool
) -> Iterator[tuple[int, Begun | None]]:
    """Phases that may come next, and the one that has begun, by the fractions from `used` on."""
    if used == len(given):
        yield k, None
        return
    if k == len(phases):
        return
    phase = phases[k]
    if phase.optional:
        yield from _matches(phases, given, k + 1, used, exact)
    for number, times in itertools.product(sorted(set(phase.fractions)), sorted(set(phase.times))):
        of_phase = given[used : used + number * times]
        ways, doses = {f[3] for f in of_phase}, {f[1] for f in of_phase}
        if len(ways) > 1 or phase.technique not in (None, *ways):
            continue
        if exact and (len(doses) > 1 or not any(_on_menu(phase, dose) for dose in doses)):
            continue
        if len(of_phase) < number * times:
            yield k, Begun(number, times, len(of_phase))
        else:
            yield from _matches(phases, given, k + 1, used + number * times, exact)


def _on_menu(phase: Phase, dose_gy: float) -> bool:
    return any(math.isclose(dose_gy, level, rel_tol=1e-9) for level in phase.levels_gy)


@dataclass(frozen=True)
class _Continuation:
    """How a list of phases goes on after a beginning."""

    lesion: Lesion
    phases: tuple[Phase, ...]
    rhythm: Rhythm
    starts: list[int]
    days: int
    twice: tuple[int, ...]

    def courses(self, given: Whole, k: int, begun: Begun | None) -> Iterator[Whole]:
        """Whole courses from phase k on, the rest of the phase that has begun first."""
        if begun is None:
            yield from self._from_phase(given, k, fresh=True)
            return
        for course in self._finished(given, self.phases[k], begun):
            yield from self._from_phase(course, k + 1, fresh=False)

    def _from_phase(self, before: Whole, k: int, fresh: bool) -> Iterator[Whole]:
        """Every way through the phases from k on.

        Parameters
        ----------
        fresh : whether the next fraction is the first from today on, which may wait
        """
        if k == len(self.phases):
            if before:
                yield before
            return
        phase = self.phases[k]
        if phase.optional:
            yield from self._from_phase(before, k + 1, fresh)
        choices = itertools.product(
            self._first_days(before, phase, fresh),
            sorted(set(phase.fractions)),
            sorted(set(phase.times)),
            sorted(set(phase.interval_days)),
            sorted(set(phase.every_days or (1,))),
        )
        courses = dict.fromkeys(
            tuple(days)
            for first, number, times, interval, every in choices
            if (days := self._clusters(phase, first, number, times, (interval, every))) is not None
        )
        names = [w.name for w in self.lesion.ways if phase.technique in (None, w.name)]
        for places, way, dose in itertools.product(courses, names, phase.levels_gy):
            further = tuple((day, dose, slot, way) for day, slot in places)
            yield from self._from_phase(before + further, k + 1, fresh=False)

    def _first_days(self, before: Whole, phase: Phase, fresh: bool) -> list[int]:
        """Days on which a phase may begin."""
        if not before:
            soon = self.rhythm.next_days(phase, self.rhythm.earliest)
            days = sorted({*soon, *self.starts})
            calendar = self.rhythm.calendar
            return [t for t in days if is_start_day(calendar, t) and self.rhythm.is_open(phase, t)]
        found: set[int] = set()
        for gap in phase.gap_days:
            day = before[-1][0] + gap
            if fresh:
                found |= set(self.rhythm.next_days(phase, day))
            elif (first := self.rhythm.first(phase, day)) is not None:
                found.add(first)
        return sorted(found)

    def _clusters(
        self, phase: Phase, first: int, number: int, times: int, apart: tuple[int, int]
    ) -> list[tuple[int, int]] | None:
        """(day, slot) of so many times of the fractions from a day on."""
        places: list[tuple[int, int]] = []
        interval, every = apart
        begin: int | None = first
        for _ in range(times):
            days = None if begin is None else self.rhythm.walk(phase, begin, number, interval)
            if days is None or days[-1] >= self.days:
                return None
            places += _filled(days, number, phase.fractions_per_day)
            begin = self.rhythm.first(phase, max(days[0] + every, days[-1] + 1))
        return places

    def _finished(self, given: Whole, phase: Phase, begun: Begun) -> Iterator[Whole]:
        """What was given and the fractions that the phase has left, at its dose."""
        last_day, last_gy, _, way = given[-1]
        levels = [last_gy] if _on_menu(phase, last_gy) else list(phase.levels_gy)
        lacking = -begun.done % begun.number  # of the time that has begun
        times = (begun.number * begun.times - begun.done - lacking) // begun.number
        opened = given[len(given) - ((begun.done - 1) % begun.number + 1)][0]
        for interval, every in itertools.product(
            sorted(set(phase.interval_days)), sorted(set(phase.every_days or (1,)))
        ):
            least = last_day + interval if lacking else max(opened + every, last_day + 1)
            for first in self.rhythm.next_days(phase, least):
                for places in self._lacking(phase, first, lacking, interval):
                    begin: int | None = first
                    if places:
                        begin = self.rhythm.first(phase, max(opened + every, places[-1][0] + 1))
                    if begin is None:
                        continue
                    clusters = self._clusters(phase, begin, begun.number, times, (interval, every))
                    for dose in levels if clusters is not None else ():
                        further = [
                            (day, dose, slot, way) for day, slot in [*places, *(clusters or ())]
                        ]
                        yield given + tuple(further)

    def _lacking(
        self, phase: Phase, first: int, number: int, interval: int
    ) -> Iterator[list[tuple[int, int]]]:
        """(day, slot) of the fractions that the time has left, in every way.

        As the phase says; of one on each treatment day also two on some of them.
        """
        if not number:
            yield []
            return
        for twice in self.twice if phase.fractions_per_day == interval == 1 else (0,):
            if number - twice < max(twice, 1):
                continue
            days = self.rhythm.walk(phase, first, number - twice, interval)
            if days is None or days[-1] >= self.days:
                continue
            if not twice:
                yield _filled(days, number, phase.fractions_per_day)
                continue
            for doubled in days_with_two(self.rhythm.calendar, days, twice):
                yield [(day, slot) for day in days for slot in range(1 + (day in doubled))]


def _filled(days: list[int], number: int, per_day: int) -> list[tuple[int, int]]:
    """(day, slot) of fractions on days that take so many each; the last may have fewer."""
    places = [(day, slot) for day in days for slot in range(per_day)]
    return places[:number]
