"""All courses on a lesion's menu, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.calendar import course_days

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance, Lesion, UniformCourse
    from abscopt.optimizer.schedule import Fraction

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Patterns:
    """Sets of fraction days; pattern 0 has none.

    Attributes
    ----------
    days : (patterns, most fractions), padded with -1
    count : (patterns,) fractions of each
    incidence : (patterns, days of the case), 1 on fraction days
    """

    days: IntArray
    count: IntArray
    incidence: FloatArray

    @classmethod
    def of(cls, patterns: list[tuple[int, ...]], horizon: int) -> Patterns:
        """Arrays from tuples of days."""
        most = max((len(p) for p in patterns), default=0) or 1
        days = np.full((len(patterns), most), -1, dtype=np.int64)
        incidence = np.zeros((len(patterns), horizon))
        for row, pattern in enumerate(patterns):
            days[row, : len(pattern)] = pattern
            incidence[row, list(pattern)] = 1.0
        return cls(days, np.array([len(p) for p in patterns], dtype=np.int64), incidence)

    @property
    def first(self) -> IntArray:
        """First fraction day; -1 for pattern 0."""
        return self.days[:, 0]

    @property
    def last(self) -> IntArray:
        """Last fraction day; -1 for pattern 0."""
        result: IntArray = self.days.max(axis=1)
        return result


@dataclass(frozen=True)
class Menu:
    """Uniform courses of one lesion; course 0 is 'no course' (pattern 0, dose 0).

    Attributes
    ----------
    lesion : index of the lesion in the case
    pattern, dose : (courses,) day pattern and Gy per fraction of each course
    """

    lesion: int
    patterns: Patterns
    pattern: IntArray
    dose: FloatArray

    def __len__(self) -> int:
        return len(self.dose)

    @property
    def fractions(self) -> IntArray:
        """(courses,) number of fractions."""
        count: IntArray = self.patterns.count[self.pattern]
        return count

    def take(self, keep: BoolArray | IntArray) -> Menu:
        """Menu with some of the courses."""
        return Menu(self.lesion, self.patterns, self.pattern[keep], self.dose[keep])

    def course(self, index: int, name: str) -> list[Fraction]:
        """Fractions of one course."""
        from abscopt.optimizer.schedule import Fraction

        days = self.patterns.days[self.pattern[index]]
        dose = float(self.dose[index])
        return [Fraction(int(day), name, dose) for day in days if day >= 0]


def enumerate_menu(instance: Instance, index: int) -> Menu:
    """Every uniform course of a lesion; courses with equal days and dose appear once."""
    lesion = instance.lesions[index]
    patterns = _patterns(instance, lesion)
    levels = np.array(lesion.course.levels_gy if lesion.course else (), dtype=float)
    real = np.arange(1, len(patterns), dtype=np.int64)
    return Menu(
        lesion=index,
        patterns=Patterns.of(patterns, instance.days),
        pattern=np.concatenate([[0], np.repeat(real, len(levels))]).astype(np.int64),
        dose=np.concatenate([[0.0], np.tile(levels, len(real))]),
    )


def _patterns(instance: Instance, lesion: Lesion) -> list[tuple[int, ...]]:
    """Distinct day patterns, the empty one first."""
    menu = lesion.course
    found: dict[tuple[int, ...], None] = {(): None}
    if menu is not None and menu.form == "uniform":
        for days in _stated(instance, menu):
            found.setdefault(days)
    return list(found)


def _stated(instance: Instance, menu: UniformCourse) -> list[tuple[int, ...]]:
    starts = range(menu.first_start_day, menu.last_start_day + 1, menu.start_step_days)
    stated = (
        course_days(instance.calendar, start, fractions, interval)
        for fractions in sorted(set(menu.fractions))
        for interval in sorted(set(menu.interval_days))
        for start in starts
    )
    return [days for days in stated if days is not None and days[-1] < instance.days]
