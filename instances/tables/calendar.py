"""Days and dates: machine days, infusion days, fraction days of a course, printed dates."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from abscopt.instances.tables.fields import (
    Table,
    Weekdays,
)
from abscopt.instances.tables.start import START_DATE

LONGEST_WAIT = 400
"""Days without an open one after which a course is given up: more than a year of holidays."""


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


def is_open(
    calendar: Calendar, day: int, weekdays: tuple[int, ...] | None = None, weekends: bool = False
) -> bool:
    """Whether a fraction may be on this day: a machine day, or with `weekends` any but holidays.

    Parameters
    ----------
    weekdays : to which it is confined; all if None
    """
    date = date_of(calendar, day)
    runs = is_machine_day(calendar, day) or (weekends and date not in calendar.holidays)
    return runs and (weekdays is None or date.weekday() in weekdays)


def first_open(
    calendar: Calendar,
    earliest: int,
    weekdays: tuple[int, ...] | None = None,
    weekends: bool = False,
) -> int | None:
    """The first day from `earliest` on that `is_open`; None where there is none for long."""
    days = range(earliest, earliest + LONGEST_WAIT)
    return next((day for day in days if is_open(calendar, day, weekdays, weekends)), None)


@lru_cache(maxsize=262144)
def course_days(
    calendar: Calendar, start_day: int, fractions: int, interval_days: int
) -> tuple[int, ...] | None:
    """Fraction days of a uniform course; None if no course may start on the start day.

    The next fraction is on the first machine day at least `interval_days` after the previous.
    """
    if not is_start_day(calendar, start_day):
        return None
    return treatment_days(calendar, start_day, fractions, interval_days)


def treatment_days(
    calendar: Calendar, first_day: int, fractions: int, interval_days: int
) -> tuple[int, ...] | None:
    """The same from any machine day, as a later phase of a course has them."""
    if not is_machine_day(calendar, first_day):
        return None
    days = [first_day]
    while len(days) < fractions:
        day = days[-1] + interval_days
        latest = day + LONGEST_WAIT
        while not is_machine_day(calendar, day):
            day += 1
            if day > latest:
                return None
        days.append(day)
    return tuple(days)


class Calendar(Table):
    """Day 0, the days on which the machine runs, courses start and drugs are infused.

    Weekdays count from 0 = Monday to 6 = Sunday. A dose planned for a day without infusions is
    given on the next infusion day; a plan with a dose that would move by more than
    `infusion_tolerance_days` is not offered. An agent starts on an infusion day.
    """

    start_date: Annotated[
        datetime.date, Field(ge=datetime.date(1900, 1, 1), le=datetime.date(2200, 1, 1))
    ] = Field(default=START_DATE, description="date of day 0")
    hours_between_fractions: Annotated[float, Field(gt=0, le=12)] = Field(
        default=6.0, description="between two fractions of one day"
    )
    machine_weekdays: Weekdays = Field(
        default=(0, 1, 2, 3, 4), description="days of the week on which the machine runs"
    )
    holidays: tuple[datetime.date, ...] = Field(
        default=(), description="days on which the machine does not run"
    )
    course_start_weekdays: Weekdays | None = Field(
        default=None,
        description="machine days on which a uniform course may start; all of them if absent",
    )
    course_start_holidays: tuple[datetime.date, ...] = Field(
        default=(), description="machine days on which no uniform course starts"
    )
    infusion_weekdays: Weekdays = Field(
        default=(0, 1, 2, 3, 4), description="all seven: drugs may be infused on any day"
    )
    infusion_holidays: tuple[datetime.date, ...] | None = Field(
        default=None, description="days without infusions; `holidays` if absent"
    )
    infusion_tolerance_days: Annotated[int, Field(ge=0, le=28)] = Field(
        # Label and trial protocols of three-weekly inhibitors allow a dose 3 days late (recalled);
        # it takes a dose from Friday, a holiday, to Monday.
        default=3,
        description="most days by which a dose may move to the next infusion day",
    )
