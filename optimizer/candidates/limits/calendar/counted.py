"""What limits on the calendar have in common: a number of days or lesions, at most and at least."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import LogisticsLimit
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.protocol import CourseLoad
from abscopt.optimizer.ids import CourseRows

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.tabulated import Tabulated

CHUNK = 20_000
"""Schedules whose days are laid out at once: some MB."""


class CalendarLoad(CourseLoad[LogisticsLimit]):
    """`floor <= number <= cap`."""

    on_calendar = True
    effort = 1

    @property
    def grows(self) -> bool:
        """Unless there is a floor."""
        return self.limit.floor is None

    @property
    def counts(self) -> bool:
        """Where there is a cap above 0."""
        return bool(self.limit.cap)

    @property
    def most_fractions(self) -> int | None:
        """None at all under a cap of 0."""
        return 0 if self.limit.cap == 0 else None

    def number(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) what is counted."""
        raise NotImplementedError

    def number_on_days(self, dosed: BoolArray) -> IntArray:
        """(n,) the same by days with fractions (lesions, n, days)."""
        raise NotImplementedError

    def use(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) number over the cap."""
        assert self.limit.cap
        return self.number(tabulated, rows) / self.limit.cap

    def kept(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) within cap and floor."""
        number, within = self.number(tabulated, rows), np.ones(len(rows), dtype=bool)
        if self.limit.cap is not None:
            within &= number <= self.limit.cap
        if self.limit.floor is not None:
            within &= number >= self.limit.floor
        return within

    def extendable(self, tabulated: Tabulated, rows: CourseRows, log_loss: FloatArray) -> BoolArray:
        """(schedules,) within the cap: more courses only add."""
        if self.limit.cap is None:
            return np.ones(len(rows), dtype=bool)
        within: BoolArray = self.number(tabulated, rows) <= self.limit.cap
        return within

    def kept_on_days(self, dosed: BoolArray) -> BoolArray:
        """(n,) within the cap."""
        if self.limit.cap is None:
            return np.ones(dosed.shape[1], dtype=bool)
        within: BoolArray = self.number_on_days(dosed) <= self.limit.cap
        return within

    def kept_alone(self, patterns: Patterns) -> BoolArray:
        """(patterns,) within a hard cap: courses of other lesions only add."""
        if not self.hard:
            return np.ones(len(patterns.count), dtype=bool)
        window = self.limit.days(patterns.incidence.shape[1])
        return self.kept_on_days(patterns.incidence[None, :, window.start : window.stop] > 0)

    @property
    def counts_freely(self) -> bool:
        """Whether a hard cap on all days is the whole limit, which free courses can keep."""
        limit = self.limit
        return self.hard and limit.cap is not None and not limit.floor and not limit.windowed


class CappedDays(CalendarLoad):
    """Days with fractions that a cap bounds, whatever lesion they are of."""

    @property
    def tied_to_days(self) -> bool:
        """Where only some days count."""
        return self.limit.windowed

    @property
    def covered_by_free_search(self) -> bool:
        """A cap on all days."""
        return self.counts_freely

    @property
    def most_fractions(self) -> int | None:
        """The cap."""
        return self.limit.cap


def over_days(
    tabulated: Tabulated,
    rows: CourseRows,
    days: range,
    reduced: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """(schedules,) something of the numbers of lesions (schedules, days) treated on some days."""
    result = np.zeros(len(rows))
    if not len(days):
        return result
    window, tables = slice(days.start, days.stop), tabulated.candidates.lesions
    start = 0
    for chunk in np.array_split(rows, max(1, len(rows) // CHUNK)):
        per_day = sum(
            table.menu.patterns.incidence[tabulated.patterns_of(CourseRows(chunk), s), window]
            for s, table in enumerate(tables)
        ) + np.zeros((len(chunk), len(days)))
        result[start : start + len(chunk)] = reduced(per_day)
        start += len(chunk)
    return result


def visits(tabulated: Tabulated, rows: CourseRows, days: range) -> FloatArray:
    """(schedules,) days among some with any fraction."""
    return over_days(tabulated, rows, days, lambda per_day: (per_day > 0).sum(axis=1))
