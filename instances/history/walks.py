"""Treatment days that continue a past, one after the other, and those with two fractions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from abscopt.instances.tables.calendar import first_open

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.tables.calendar import Calendar

BELOW_TRANSITION = "several fractions a day must stay below the LQ-L transition dose"


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


def most_of_a_pair(lesion: Lesion) -> float:
    """Dose in Gy above which fractions of one day may not be: their pairs have no formula.

    Where repair between them is complete there are no pairs.
    """
    transition = lesion.lql_transition_gy
    if transition is None or lesion.repair_half_time_hours is None:
        return math.inf
    return transition


def of_unknown_kill(
    lesion: Lesion, timing: Sequence[tuple[int, int]], doses_gy: Sequence[float]
) -> bool:
    """Whether a day has several fractions above `most_of_a_pair`.

    Parameters
    ----------
    timing : day of every fraction and its position in the day, in order
    """
    most = most_of_a_pair(lesion)
    return math.isfinite(most) and any(
        day == before and gy > most
        for ((before, _), (day, _)), gy in zip(pairwise(timing), doses_gy[1:], strict=True)
    )
