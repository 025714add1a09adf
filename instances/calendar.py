"""Days and dates: machine days, infusion days, fraction days of a course, printed dates."""

from __future__ import annotations

import datetime
from functools import lru_cache

from abscopt.instances.schema import Calendar


def date_of(calendar: Calendar, day: int) -> datetime.date:
    """Calendar date of a day counted from day 0."""
    return calendar.start_date + datetime.timedelta(days=day)


@lru_cache(maxsize=65536)
def is_machine_day(calendar: Calendar, day: int) -> bool:
    """Whether the treatment machine runs on this day."""
    date = date_of(calendar, day)
    return date.weekday() in calendar.machine_weekdays and date not in calendar.holidays


@lru_cache(maxsize=65536)
def is_start_day(calendar: Calendar, day: int) -> bool:
    """Whether a uniform course may start on this day."""
    date, weekdays = date_of(calendar, day), calendar.course_start_weekdays
    return (
        is_machine_day(calendar, day)
        and (weekdays is None or date.weekday() in weekdays)
        and date not in calendar.course_start_holidays
    )


@lru_cache(maxsize=65536)
def is_infusion_day(calendar: Calendar, day: int, weekdays: tuple[int, ...] | None = None) -> bool:
    """Whether drugs are infused on this day; `weekdays` of an agent replace the calendar's."""
    date, holidays = date_of(calendar, day), calendar.infusion_holidays
    return date.weekday() in (
        calendar.infusion_weekdays if weekdays is None else weekdays
    ) and date not in (calendar.holidays if holidays is None else holidays)


@lru_cache(maxsize=262144)
def course_days(
    calendar: Calendar, start_day: int, fractions: int, interval_days: int
) -> tuple[int, ...] | None:
    """Fraction days of a uniform course; None if no course may start on the start day.

    The next fraction is on the first machine day at least `interval_days` after the previous.
    """
    if not is_start_day(calendar, start_day):
        return None
    days = [start_day]
    while len(days) < fractions:
        day = days[-1] + interval_days
        latest = day + 400
        while not is_machine_day(calendar, day):
            day += 1
            if day > latest:
                return None
        days.append(day)
    return tuple(days)
