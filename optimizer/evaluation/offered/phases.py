"""Whether a course is one that a menu of phases offers: read from its fractions, phase by phase."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING

from abscopt.instances.tables.calendar import LONGEST_WAIT, is_machine_day, is_start_day

if TYPE_CHECKING:
    from abscopt.instances.menus.phases import Phase, PhasesCourse
    from abscopt.instances.tables.calendar import Calendar

Given = tuple[tuple[int, float, int, str], ...]
"""Day, Gy, position in the day and technique of each fraction."""


def phases_offer(calendar: Calendar, menu: PhasesCourse, course: Given) -> bool:
    """Whether some list of phases of the menu gives exactly these fractions."""
    start = course[0][0]
    if start not in menu.start_days or not is_start_day(calendar, start):
        return False
    return any(_read(calendar, phases.phases, course, None) for phases in menu.lists)


def _read(
    calendar: Calendar, phases: tuple[Phase, ...], course: Given, last_day: int | None
) -> bool:
    """Whether the fractions that are left are those of the phases that are left."""
    if not phases:
        return not course
    phase, later = phases[0], phases[1:]
    if phase.optional and _read(calendar, later, course, last_day):
        return True
    if not course or not _begins(calendar, phase, course[0][0], last_day):
        return False
    for times in phase.times:
        for number in phase.fractions:
            of_phase, remaining = course[: times * number], course[times * number :]
            if len(of_phase) < times * number or not _is_phase(calendar, phase, of_phase, times):
                continue
            if remaining and remaining[0][0] == of_phase[-1][0]:
                continue
            if _read(calendar, later, remaining, of_phase[-1][0]):
                return True
    return False


def _begins(calendar: Calendar, phase: Phase, day: int, last_day: int | None) -> bool:
    """Whether a phase may begin on a day: the first open one after one of its gaps."""
    if last_day is None:
        return _open(calendar, phase, day)
    return any(_first_open(calendar, phase, last_day + gap) == day for gap in phase.gap_days)


def _is_phase(calendar: Calendar, phase: Phase, fractions: Given, times: int) -> bool:
    """Whether fractions are a number of times of one phase, all of one dose and technique."""
    doses, ways = {gy for _, gy, _, _ in fractions}, {way for _, _, _, way in fractions}
    if len(doses) > 1 or len(ways) > 1 or phase.technique not in (None, *ways):
        return False
    dose = min(doses)
    if not any(math.isclose(dose, level, rel_tol=1e-9) for level in phase.levels_gy):
        return False
    number = len(fractions) // times
    for every in phase.every_days or (1,):
        for interval in phase.interval_days:
            days = _days(calendar, phase, fractions[0][0], (number, times, interval, every))
            expected = [(day, slot) for day in days for slot in range(phase.fractions_per_day)]
            if [(day, slot) for day, _, slot, _ in fractions] == expected:
                return True
    return False


def _days(
    calendar: Calendar, phase: Phase, first: int, rhythm: tuple[int, int, int, int]
) -> list[int]:
    """Treatment days from the first one; fewer where the calendar has none for long."""
    number, times, interval, every = rhythm
    days: list[int] = []
    begin: int | None = first
    while begin is not None and len(days) < times * number // phase.fractions_per_day:
        cluster = [begin]
        while len(cluster) < number // phase.fractions_per_day:
            following = _first_open(calendar, phase, cluster[-1] + interval)
            if following is None:
                return days
            cluster.append(following)
        days += cluster
        begin = _first_open(calendar, phase, max(begin + every, cluster[-1] + 1))
    return days


def _open(calendar: Calendar, phase: Phase, day: int) -> bool:
    weekday = (calendar.start_date + datetime.timedelta(days=day)).weekday()
    return is_machine_day(calendar, day) and (phase.weekdays is None or weekday in phase.weekdays)


def _first_open(calendar: Calendar, phase: Phase, day: int) -> int | None:
    return next((t for t in range(day, day + LONGEST_WAIT) if _open(calendar, phase, t)), None)
