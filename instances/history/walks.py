"""Treatment days that continue a past, one after the other, and those with two fractions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from abscopt.instances.calendar import first_open

if TYPE_CHECKING:
    from abscopt.instances.calendar import Calendar


def days_with_two(calendar: Calendar, days: Sequence[int], twice: int) -> Iterable[frozenset[int]]:
    """Days with two fractions: the first, the last, the last of each week, or spread evenly."""
    if twice == 0:
        return [frozenset()]
    start = calendar.start_date.weekday()
    weeks = {(day + start) // 7: day for day in days}
    by_week = sorted(weeks.values())
    even = frozenset(days[(i + 1) * len(days) // twice - 1] for i in range(twice))
    choices = [frozenset(days[:twice]), frozenset(days[-twice:]), even]
    if len(by_week) >= twice:
        choices.append(frozenset(by_week[:twice]))
    return dict.fromkeys(choices)


def walk(
    calendar: Calendar, start: int, count: int, interval: int, off_days: bool
) -> tuple[int, ...] | None:
    """Treatment days, each the first open one at least `interval` after the one before."""
    days = [start]
    while len(days) < count:
        day = first_open(calendar, days[-1] + interval, weekends=off_days)
        if day is None:
            return None
        days.append(day)
    return tuple(days)
