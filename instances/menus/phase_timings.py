"""The timings of courses of phases: days, places in the day and techniques, without doses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.history.rests import from_today
from abscopt.instances.tables.calendar import first_open, is_open, is_start_day

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.phases import Phase, PhaseList
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.calendar import Calendar

Place = tuple[int, int, int]
"""Day, position in the day, and technique by its number among `Lesion.ways`."""


@dataclass(frozen=True)
class PhaseTiming:
    """Fractions of one course without their doses.

    Attributes
    ----------
    places : of each fraction
    phases : those that are given, in their order
    owner : for each fraction the number of its phase among them
    """

    places: tuple[Place, ...]
    phases: tuple[Phase, ...]
    owner: tuple[int, ...]


def phase_timings(
    instance: Instance, lesion: Lesion, past_starts: bool = False
) -> Iterator[PhaseTiming]:
    """Every timing of a menu of phases that ends within the horizon, each once per list.

    Parameters
    ----------
    past_starts : whether start days before today count, too
    """
    course = lesion.course
    assert course is not None and course.form == "phases"
    starts = course.start_days if past_starts else from_today(instance, course.start_days)
    for phases in course.lists:
        known: set[tuple[tuple[Place, ...], tuple[int, ...]]] = set()
        for start in starts:
            for timing in _after(instance, lesion, phases, start):
                key = timing.places, tuple(map(id, timing.phases)) + timing.owner
                if timing.places and key not in known:
                    known.add(key)
                    yield timing


def _after(
    instance: Instance, lesion: Lesion, phases: PhaseList, start: int
) -> Iterator[PhaseTiming]:
    """Timings of a list of phases from a start day."""
    if not is_start_day(instance.calendar, start):
        return
    open_ended = [PhaseTiming((), (), ())]
    for phase in phases.phases:
        longer = [
            timing
            for before in open_ended
            for timing in _with_phase(instance, lesion, before, phase, start)
        ]
        open_ended = longer + (open_ended if phase.optional else [])
    yield from open_ended


def _with_phase(
    instance: Instance, lesion: Lesion, before: PhaseTiming, phase: Phase, start: int
) -> Iterator[PhaseTiming]:
    """A beginning of a course with one more phase, in every way that the horizon allows."""
    ways = [
        number
        for number, way in enumerate(lesion.ways)
        if phase.technique is None or way.name == phase.technique
    ]
    number_of_phase = len(before.phases)
    for days in dict.fromkeys(_days(instance, before, phase, start)):
        for way in ways:
            places = [(day, slot, way) for day in days for slot in range(phase.fractions_per_day)]
            yield PhaseTiming(
                before.places + tuple(places),
                (*before.phases, phase),
                before.owner + (number_of_phase,) * len(places),
            )


def _days(
    instance: Instance, before: PhaseTiming, phase: Phase, start: int
) -> Iterator[tuple[int, ...]]:
    """Treatment days of a phase after a beginning: all numbers, intervals, gaps and repeats."""
    calendar, per_day = instance.calendar, phase.fractions_per_day
    if before.places:
        last = before.places[-1][0]
        found = (
            first_open(calendar, last + gap, phase.weekdays) for gap in sorted(set(phase.gap_days))
        )
        firsts = dict.fromkeys(day for day in found if day is not None)
    else:
        firsts = dict.fromkeys([start] if is_open(calendar, start, phase.weekdays) else [])
    for first, number, interval in itertools.product(
        firsts, sorted(set(phase.fractions)), sorted(set(phase.interval_days))
    ):
        for times in sorted(set(phase.times)):
            for every in sorted(set(phase.every_days or (1,))) if times > 1 else (1,):
                days = _repeated(calendar, phase, first, number // per_day, interval, times, every)
                if days is not None and days[-1] < instance.days:
                    yield days


def _repeated(
    calendar: Calendar, phase: Phase, first: int, count: int, interval: int, times: int, every: int
) -> tuple[int, ...] | None:
    days: list[int] = []
    begin: int | None = first
    for again in range(times):
        if again:
            begin = first_open(calendar, max(days[-count] + every, days[-1] + 1), phase.weekdays)
        for _ in range(count):
            if begin is None:
                return None
            days.append(begin)
            begin = first_open(calendar, begin + interval, phase.weekdays)
    return tuple(days)
