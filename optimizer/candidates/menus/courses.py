"""All courses on a lesion's menu, as arrays: those of a uniform menu, and listed ones.

A listed course has a dose of its own for every fraction: one of several phases, or one that has
begun, and what may follow it. Fractions of one day have equal doses and one technique in every
course.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.history.rests import Continued, continued, from_today
from abscopt.instances.menus.phase_timings import phase_timings
from abscopt.instances.tables.calendar import course_days
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.ids import PatternIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.menus.courses import CourseBlock, UniformCourse
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Fraction


BLOCK = 4096
"""Patterns between two looks at the clock: some hundredths of a second."""

Pattern = tuple[tuple[int, ...], int]
"""Treatment days and fractions on each of them."""
Places = tuple[tuple[int, ...], ...]
"""Day and slot of each fraction, and its technique where courses are of several."""


@dataclass(frozen=True)
class Patterns:
    """Sets of treatment days; pattern 0 has none.

    Attributes
    ----------
    days : (patterns, most fractions) day of each fraction, padded with -1
    slot : (patterns, most fractions) position of each fraction in its day, from 0
    count : (patterns,) fractions of each
    per_day : (patterns,) fractions on each treatment day; the most of any day in listed courses
    incidence : (patterns, days of the case), 1 on treatment days
    by_day : (patterns, days of the case) fractions on each day of listed courses; None where every
        treatment day has `per_day`
    way : (patterns, most fractions) technique of each fraction; None where a course has one
    """

    days: IntArray
    slot: IntArray
    count: IntArray
    per_day: IntArray
    incidence: FloatArray
    by_day: FloatArray | None = None
    way: IntArray | None = None

    @classmethod
    def listed(
        cls, patterns: Sequence[Places], horizon: int, several_ways: bool = False
    ) -> Patterns:
        """Arrays from (day, slot) of every fraction; the first pattern has none.

        by_day[p, t] = sum_(fractions i of p) [day_i = t]

        Parameters
        ----------
        several_ways : whether fractions have techniques of their own, (day, slot, technique)
        """
        most_fractions = max(map(len, patterns), default=0) or 1
        days = np.full((len(patterns), most_fractions), -1, dtype=np.int64)
        slot = np.zeros((len(patterns), most_fractions), dtype=np.int64)
        by_day = np.zeros((len(patterns), horizon))
        way = np.zeros((len(patterns), most_fractions), dtype=np.int64)
        for row, places in enumerate(patterns):
            if row % BLOCK == 0:
                tick()
            if places:
                of_row = np.array(places).T
                days[row, : len(places)], slot[row, : len(places)] = of_row[:2]
                way[row, : len(places)] = of_row[2] if several_ways else 0
                np.add.at(by_day[row], days[row, : len(places)], 1.0)
        count = (days >= 0).sum(axis=1)
        per_day = np.maximum(1, by_day.max(axis=1, initial=0)).astype(np.int64)
        incidence = (by_day > 0).astype(float)
        return cls(days, slot, count, per_day, incidence, by_day, way if several_ways else None)

    def take(self, used: PatternIds) -> Patterns:
        """Some of the patterns."""
        return Patterns(
            self.days[used],
            self.slot[used],
            self.count[used],
            self.per_day[used],
            self.incidence[used],
            None if self.by_day is None else self.by_day[used],
            None if self.way is None else self.way[used],
        )

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
        if self.by_day is not None:
            return self.by_day
        number: FloatArray = self.incidence * self.per_day[:, None]
        return number

    @cached_property
    def way_by_day(self) -> IntArray | None:
        """(patterns, days of the case) technique of each day's fractions; 0 on days without."""
        if self.way is None:
            return None
        by_day = np.zeros(self.incidence.shape, dtype=np.int64)
        rows, places = np.nonzero(self.days >= 0)
        by_day[rows, self.days[rows, places]] = self.way[rows, places]
        return by_day

    def weighted(self, by_way: Sequence[float]) -> FloatArray:
        """(patterns, days of the case) sum over each day's fractions of a constant of technique.

        Only where fractions have techniques of their own.
        """
        assert self.way_by_day is not None
        weighted: FloatArray = self.number * np.array(by_way)[self.way_by_day]
        return weighted


@dataclass(frozen=True)
class Menu:
    """Courses of one lesion; course 0 is 'no course' (pattern 0, dose 0).

    Attributes
    ----------
    lesion : index of the lesion in the case
    pattern, dose : (courses,) day pattern and Gy per fraction of each course; of a listed course
        the greatest dose
    technique : (courses,) index into the lesion's techniques (`Lesion.ways`); 0 where fractions
        have techniques of their own (`Patterns.way`)
    each : (courses, most fractions) Gy of each fraction of listed courses; None where all fractions
        of a course have `dose`, one technique and equal numbers on their days
    """

    lesion: int
    patterns: Patterns
    pattern: PatternIds
    dose: FloatArray
    technique: IntArray
    each: FloatArray | None = None

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
            None if self.each is None else self.each[keep],
        )

    @property
    def doses(self) -> FloatArray:
        """(courses, most fractions) Gy of each fraction, or (courses, 1) where all are equal."""
        return self.dose[:, None] if self.each is None else self.each

    @property
    def total(self) -> FloatArray:
        """(courses,) Gy of all fractions together."""
        if self.each is not None:
            return np.asarray(self.each.sum(axis=1))
        return np.asarray(self.fractions * self.dose)

    @cached_property
    def level(self) -> FloatArray | IntArray:
        """(courses,) equal for courses with equal doses of their first, second, ... fraction."""
        if self.each is None:
            return self.dose
        number: IntArray = np.unique(self.each, axis=0, return_inverse=True)[1].reshape(-1)
        return number

    @property
    def way_by_day(self) -> IntArray:
        """(courses, days of the case) technique of each day's fractions, or (courses, 1)."""
        by_day = self.patterns.way_by_day
        return self.technique[:, None] if by_day is None else by_day[self.pattern]

    @cached_property
    def gy_by_day(self) -> FloatArray:
        """(courses, days of the case) Gy of each fraction of a day; 0 on days without."""
        patterns = self.patterns
        gy: FloatArray = np.zeros((len(self), patterns.incidence.shape[1]))
        days = patterns.days[self.pattern]
        rows, places = np.nonzero(days >= 0)
        gy[rows, days[rows, places]] = np.broadcast_to(self.doses, days.shape)[rows, places]
        return gy

    def course(self, index: int, lesion: Lesion) -> list[Fraction]:
        """Fractions of one course."""
        from abscopt.optimizer.schedule import Fraction

        pattern = self.pattern[index]
        days, slots = self.patterns.days[pattern], self.patterns.slot[pattern]
        doses = np.broadcast_to(self.doses[index], days.shape)
        way = self.patterns.way
        ways = np.full(days.shape, self.technique[index]) if way is None else way[pattern]
        return [
            Fraction(int(day), lesion.name, float(dose), int(slot), lesion.ways[int(number)].name)
            for day, slot, dose, number in zip(days, slots, doses, ways, strict=True)
            if day >= 0
        ]


def enumerate_menu(instance: Instance, index: int) -> Menu:
    """Every course of a lesion: of its uniform menu or its phases, or what may follow its past."""
    lesion = instance.lesions[index]
    begun = continued(instance, lesion)
    if begun is not None:
        return _listed_menu(instance, index, begun)
    if lesion.course is not None and lesion.course.form == "phases":
        return phased_menu(instance, index)
    return _uniform_menu(instance, index)


def _listed_menu(instance: Instance, index: int, begun: Continued) -> Menu:
    """Courses that continue a past, each with its own doses."""
    names = [way.name for way in instance.lesions[index].ways]
    several = begun.ways is not None and len(names) > 1
    patterns: dict[Places, int] = {(): 0}
    rows = [
        patterns.setdefault(
            tuple(
                (day, slot, names.index(way))
                for (day, slot), way in zip(timing, begun.ways[i], strict=True)
            )
            if begun.ways is not None and several
            else timing,
            len(patterns),
        )
        for i, (timing, _) in enumerate(begun.timed)
    ]
    tick()
    arrays = Patterns.listed(list(patterns), instance.days, several)
    each = np.zeros((1 + len(rows), arrays.days.shape[1]))
    for i, (_, doses) in enumerate(begun.timed):
        each[1 + i, : len(doses)] = doses
    way = 0 if several else names.index(begun.technique)
    return Menu(
        lesion=index,
        patterns=arrays,
        pattern=PatternIds(np.array([0, *rows], dtype=np.int64)),
        dose=each.max(axis=1),
        technique=np.array([0, *[way] * len(rows)], dtype=np.int64),
        each=each,
    )


def phased_menu(instance: Instance, index: int) -> Menu:
    """Every course of a menu of phases: each timing with each combination of its phases' doses."""
    lesion = instance.lesions[index]
    patterns: dict[Places, int] = {(): 0}
    rows: list[IntArray] = [np.zeros(1, dtype=np.int64)]
    doses: list[FloatArray] = [np.zeros((1, 0))]
    for number, timing in enumerate(phase_timings(instance, lesion)):
        if number % BLOCK == 0:
            tick()
        combined = np.array(list(itertools.product(*(p.levels_gy for p in timing.phases))))
        doses.append(combined[:, list(timing.owner)])
        row = patterns.setdefault(timing.places, len(patterns))
        rows.append(np.full(len(combined), row, dtype=np.int64))
    arrays = Patterns.listed(list(patterns), instance.days, len(lesion.ways) > 1)
    longest = arrays.days.shape[1]
    each = np.concatenate([np.pad(lot, ((0, 0), (0, longest - lot.shape[1]))) for lot in doses])
    tick()
    pattern = np.concatenate(rows)
    _, first = np.unique(np.column_stack([pattern, each]), axis=0, return_index=True)
    first = np.sort(first)  # courses that two lists of phases have in common appear once
    pattern, each = pattern[first], each[first]
    return Menu(
        lesion=index,
        patterns=arrays,
        pattern=PatternIds(pattern),
        dose=each.max(axis=1),
        technique=np.zeros(len(pattern), dtype=np.int64),
        each=each,
    )


def _uniform_menu(instance: Instance, index: int) -> Menu:
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
            for start in from_today(instance, menu.start_days):
                days = course_days(instance.calendar, start, fractions // number, interval)
                if days is not None and days[-1] < instance.days:
                    stated.append((days, number))
    return stated
