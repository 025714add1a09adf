"""First stages: what plans and courses have in common before a day, and boxes of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.evaluation.observed import before_day
from abscopt.optimizer.ids import CourseIds, PlanId, PlanIds

if TYPE_CHECKING:
    from abscopt.models.arrays import IntArray
    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.schedule import Schedule

Key = tuple[int, ...]
"""A first stage: number of what a plan gives before the day, then of what each lesion gets."""


@dataclass(frozen=True)
class FirstStages:
    """Plans and courses by what they give before a day.

    Attributes
    ----------
    of : first the plans, then the courses of each lesion: (plans or courses,) number of their
        first stage; 0 of a lesion: no fraction before the day
    """

    candidates: Candidates
    day: int
    of: tuple[IntArray, ...]

    @classmethod
    def before(cls, candidates: Candidates, day: int) -> FirstStages:
        """All first stages of a case."""
        early = [tuple(d for d in plan.doses if d[1] < day) for plan in candidates.plans]
        numbers = {doses: number for number, doses in enumerate(sorted(set(early)))}
        of_plans = np.array([numbers[doses] for doses in early], dtype=np.int64)
        of_courses = [_of_courses(table.menu, day) for table in candidates.lesions]
        return cls(candidates, day, (of_plans, *of_courses))

    def key(self, plan: PlanId, row: CourseIds) -> Key:
        """First stage of a schedule."""
        chosen = (plan, *(int(c) for c in row))
        return tuple(int(of[c]) for of, c in zip(self.of, chosen, strict=True))

    def schedule(self, key: Key) -> Schedule:
        """What a first stage gives."""
        first = [int(np.flatnonzero(of == k)[0]) for of, k in zip(self.of, key, strict=True)]
        row = CourseIds(np.array(first[1:], dtype=np.int64))
        return before_day(schedule_of_row(self.candidates, PlanId(first[0]), row), self.day)

    @cached_property
    def whole(self) -> Box:
        """All of them."""
        return Box(tuple(np.unique(of) for of in self.of))

    def box_of(self, key: Key) -> Box:
        """One first stage."""
        return Box(tuple(np.array([k], dtype=np.int64) for k in key))

    def plans(self, box: Box) -> PlanIds:
        """Plans whose first stages are in a box."""
        return PlanIds(np.flatnonzero(np.isin(self.of[0], box.parts[0])))

    def courses(self, box: Box) -> list[CourseIds]:
        """Per lesion the courses whose first stages are in a box, and 'no course', the first."""
        chosen = []
        for of, numbers in zip(self.of[1:], box.parts[1:], strict=True):
            inside = np.isin(of, numbers)
            inside[0] = True
            chosen.append(CourseIds(np.flatnonzero(inside)))
        return chosen


def _of_courses(menu: Menu, day: int) -> IntArray:
    """(courses,) number of the first stage: days, slots, dose and technique before a day."""
    early = (menu.patterns.days >= 0) & (menu.patterns.days < day)
    days = np.where(early, menu.patterns.days, -1)
    slots = np.where(early, menu.patterns.slot, 0)
    _, pattern = np.unique(np.hstack([days, slots]), axis=0, return_inverse=True)
    begun = np.asarray(early.any(axis=1))[menu.pattern]
    keys = [begun, pattern.reshape(-1)[menu.pattern], np.where(begun, menu.technique, 0)]
    if menu.each is None:
        keys.append(np.where(begun, menu.dose, 0.0))
    else:
        keys += list(np.where(early[menu.pattern], menu.each, 0.0).T)
    if menu.patterns.way is not None:
        keys += list(np.where(early, menu.patterns.way, 0)[menu.pattern].T)
    _, number = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    return np.asarray(number.reshape(-1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Box:
    """A product of first stages of plans and of each lesion's courses."""

    parts: tuple[IntArray, ...]

    @property
    def size(self) -> int:
        """Number of first stages."""
        return math.prod(map(len, self.parts))

    def __contains__(self, key: Key) -> bool:
        """Whether a first stage is in the box."""
        return all(bool(np.isin(k, numbers)) for numbers, k in zip(self.parts, key, strict=True))

    def stages(self) -> Iterator[Key]:
        """All first stages of the box."""
        return itertools.product(*(numbers.tolist() for numbers in self.parts))

    def halves(self, place: int, last: int) -> tuple[Box, Box]:
        """The box with the numbers up to `last` at a place, and with the others."""
        numbers = self.parts[place]
        below = np.asarray(numbers <= last)
        before, after = self.parts[:place], self.parts[place + 1 :]
        low, high = numbers[below], numbers[~below]
        return Box((*before, low, *after)), Box((*before, high, *after))
