"""All courses on a lesion's menu, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.calendar import course_days
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.ids import PatternIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.courses import CourseBlock, UniformCourse
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Fraction


BLOCK = 4096
"""Patterns between two looks at the clock: some hundredths of a second."""

Pattern = tuple[tuple[int, ...], int]
"""Treatment days and fractions on each of them."""


@dataclass(frozen=True)
class Patterns:
    """Sets of treatment days; pattern 0 has none.

    Attributes
    ----------
    days : (patterns, most fractions) day of each fraction, padded with -1
    slot : (patterns, most fractions) position of each fraction in its day, from 0
    count : (patterns,) fractions of each
    per_day : (patterns,) fractions on each treatment day
    incidence : (patterns, days of the case), 1 on treatment days
    """

    days: IntArray
    slot: IntArray
    count: IntArray
    per_day: IntArray
    incidence: FloatArray

    @classmethod
    def of(cls, patterns: list[Pattern], horizon: int) -> Patterns:
        """Arrays from tuples of days with a number of fractions per day."""
        most_fractions = max((len(days) * number for days, number in patterns), default=0) or 1
        days = np.full((len(patterns), most_fractions), -1, dtype=np.int64)
        slot = np.zeros((len(patterns), most_fractions), dtype=np.int64)
        incidence = np.zeros((len(patterns), horizon))
        for row, (pattern, number) in enumerate(patterns):
            if row % BLOCK == 0:
                tick()
            count = len(pattern) * number
            days[row, :count] = np.repeat(np.array(pattern, dtype=np.int64), number)
            slot[row, :count] = np.tile(np.arange(number), len(pattern))
            incidence[row, list(pattern)] = 1.0
        return cls(
            days,
            slot,
            np.array([len(days) * number for days, number in patterns], dtype=np.int64),
            np.array([number for _, number in patterns], dtype=np.int64),
            incidence,
        )

    @property
    def first(self) -> IntArray:
        """First fraction day; -1 for pattern 0."""
        return self.days[:, 0]

    @cached_property
    def last(self) -> IntArray:
        """Last fraction day; -1 for pattern 0."""
        result: IntArray = self.days.max(axis=1)
        return result

    @cached_property
    def number(self) -> FloatArray:
        """(patterns, days of the case) fractions on each day."""
        number: FloatArray = self.incidence * self.per_day[:, None]
        return number


@dataclass(frozen=True)
class Menu:
    """Uniform courses of one lesion; course 0 is 'no course' (pattern 0, dose 0).

    Attributes
    ----------
    lesion : index of the lesion in the case
    pattern, dose : (courses,) day pattern and Gy per fraction of each course
    technique : (courses,) index into the lesion's techniques (`Lesion.ways`)
    """

    lesion: int
    patterns: Patterns
    pattern: PatternIds
    dose: FloatArray
    technique: IntArray

    def __len__(self) -> int:
        return len(self.dose)

    @property
    def fractions(self) -> IntArray:
        """(courses,) number of fractions."""
        count: IntArray = self.patterns.count[self.pattern]
        return count

    @property
    def per_day(self) -> IntArray:
        """(courses,) fractions on each treatment day."""
        number: IntArray = self.patterns.per_day[self.pattern]
        return number

    def take(self, keep: BoolArray | IntArray) -> Menu:
        """Menu with some of the courses."""
        return Menu(
            self.lesion,
            self.patterns,
            self.pattern[keep],
            self.dose[keep],
            self.technique[keep],
        )

    def course(self, index: int, lesion: Lesion) -> list[Fraction]:
        """Fractions of one course."""
        from abscopt.optimizer.schedule import Fraction

        pattern, dose = self.pattern[index], float(self.dose[index])
        technique = lesion.ways[int(self.technique[index])].name
        return [
            Fraction(int(day), lesion.name, dose, int(slot), technique)
            for day, slot in zip(
                self.patterns.days[pattern], self.patterns.slot[pattern], strict=True
            )
            if day >= 0
        ]


def enumerate_menu(instance: Instance, index: int) -> Menu:
    """Every uniform course of a lesion; courses with equal days, dose and technique appear once."""
    lesion = instance.lesions[index]
    menu = lesion.course
    patterns: dict[Pattern, int] = {((), 1): 0}
    rows, doses = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    if menu is not None and menu.form == "uniform":
        for block in menu.blocks:
            tick()
            numbers = [
                patterns.setdefault(o, len(patterns)) for o in _stated(instance, menu, block)
            ]
            levels = np.array(block.levels_gy)
            rows.append(np.repeat(np.array(numbers, dtype=np.int64), len(levels)))
            doses.append(np.tile(levels, len(numbers)))
    row, dose = np.concatenate(rows), np.concatenate(doses)
    tick()  # each of the following takes tenths of a second for a million courses
    doses_of_menu, level = np.unique(dose, return_inverse=True)
    tick()
    first = np.sort(np.unique(row * max(1, len(doses_of_menu)) + level, return_index=True)[1])
    row, dose, ways = row[first], dose[first], len(lesion.ways)
    tick()
    return Menu(
        lesion=index,
        patterns=Patterns.of(list(patterns), instance.days),
        pattern=PatternIds(np.concatenate([[0], np.tile(row, ways)]).astype(np.int64)),
        dose=np.concatenate([[0.0], np.tile(dose, ways)]),
        technique=np.concatenate([[0], np.repeat(np.arange(ways), len(row))]).astype(np.int64),
    )


def _stated(instance: Instance, menu: UniformCourse, block: CourseBlock) -> list[Pattern]:
    number = block.fractions_per_day
    stated: list[Pattern] = []
    for fractions in sorted(set(block.fractions)):
        for interval in sorted(set(block.interval_days)):
            tick()
            for start in menu.start_days:
                days = course_days(instance.calendar, start, fractions // number, interval)
                if days is not None and days[-1] < instance.days:
                    stated.append((days, number))
    return stated
