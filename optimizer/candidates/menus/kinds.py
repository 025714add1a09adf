"""Courses that differ in their days only: one kind, whose kill, release and loads are the same.

Days matter to kill, antigen and organ loads in few ways (chemotherapy on fraction days, growth
between fractions, horizons); patterns alike in all of them form a class. A kind is a class with a
dose and a technique. Kinds and patterns of one class and technique form a block: nearly every pair
is on the menu, so that a block is a matrix and what its courses do is a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.tumor import repopulation
from abscopt.optimizer.candidates.systemic.plans import direct_doses
from abscopt.optimizer.ids import CourseIds, KindIds, PatternIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Menu, Patterns
    from abscopt.optimizer.candidates.systemic.plans import Plan


@dataclass(frozen=True)
class Block:
    """Kinds x patterns of one class and technique.

    Attributes
    ----------
    way, per_day : technique and fractions a day of all its courses
    count : number of fractions of all its courses
    kinds, patterns : (K,), (P,)
    course : (K, P) course of the menu; -1 where the menu has none
    """

    way: int
    per_day: int
    count: int
    kinds: KindIds
    patterns: PatternIds
    course: CourseIds

    @cached_property
    def missing(self) -> BoolArray | None:
        """(K, P) pairs that the menu lacks; None where it has all."""
        lacking = self.course < 0
        return lacking if lacking.any() else None


@dataclass(frozen=True)
class Kinds:
    """Kinds of one menu under the plans of one group; kind 0 is 'no course'.

    Attributes
    ----------
    of : (courses,) kind of each course
    menu : one course of every kind
    every_course, alike : the whole menu, and (patterns,) class of each of its day patterns
    """

    of: KindIds
    menu: Menu
    every_course: Menu
    alike: IntArray

    def __len__(self) -> int:
        return len(self.menu)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks that together hold every course once."""
        return _blocks(self.every_course, self.of, self.menu, self.alike)

    @cached_property
    def block(self) -> IntArray:
        """(kinds,) number of the block that holds each kind."""
        owner = np.empty(len(self), dtype=np.int64)
        for number, block in enumerate(self.blocks):
            owner[block.kinds] = number
        return owner

    @cached_property
    def by_block(self) -> KindIds:
        """(kinds,) all kinds in the order of blocks."""
        return KindIds(np.concatenate([block.kinds for block in self.blocks]))


def kinds_of(instance: Instance, menu: Menu, sensitizer: FloatArray, plan: Plan) -> Kinds:
    """Kinds of a menu's courses under the chemotherapy of one plan.

    Parameters
    ----------
    sensitizer : (days,) sensitizer enhancement ratio of tumors under the plan
    """
    lesion = instance.lesions[menu.lesion]
    alike = _classes(instance, lesion, menu.patterns, sensitizer, plan)
    levels, dose = np.unique(menu.level, return_inverse=True)
    ways = len(lesion.ways)
    key = (alike[menu.pattern] * len(levels) + dose) * ways + menu.technique
    _, first, of = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # kinds in the order of their first course
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    kind_of_course, chosen = KindIds(rank[of.reshape(-1)]), menu.take(first[order])
    return Kinds(kind_of_course, chosen, menu, alike)


def _blocks(menu: Menu, of: KindIds, chosen: Menu, alike: IntArray) -> tuple[Block, ...]:
    """Blocks of a menu: for each class and technique the matrix course[kind, pattern], -1 if none.

    Parameters
    ----------
    of : (courses,) kind of each
    chosen : one course of every kind
    alike : (patterns,) class of each
    """
    patterns = menu.patterns
    classes, by_class = alike[chosen.pattern], np.argsort(alike, kind="stable")
    edges = np.searchsorted(alike[by_class], np.arange(int(alike.max()) + 2))
    place = np.empty(len(alike), dtype=np.int64)  # of a pattern in its class
    place[by_class] = np.arange(len(alike)) - edges[alike[by_class]]
    ways = int(chosen.technique.max()) + 1
    owner = classes * ways + chosen.technique
    rank = np.zeros(len(chosen), dtype=np.int64)  # of a kind in its block
    matrices: dict[int, IntArray] = {}
    for block in np.unique(owner):
        tick()
        members = np.flatnonzero(owner == block)
        rank[members] = np.arange(len(members))
        size_of_class = edges[block // ways + 1] - edges[block // ways]
        matrices[int(block)] = np.full((len(members), int(size_of_class)), -1, dtype=np.int64)
    course_owner = owner[of]
    order = np.argsort(course_owner, kind="stable")
    cuts = np.searchsorted(course_owner[order], sorted(matrices))
    blocks = []
    for (block, matrix), courses in zip(
        sorted(matrices.items()), np.split(order, cuts[1:]), strict=True
    ):
        matrix[rank[of[courses]], place[menu.pattern[courses]]] = courses
        rows = by_class[edges[block // ways] : edges[block // ways + 1]]
        used = (matrix >= 0).any(axis=0)
        blocks.append(
            Block(
                way=block % ways,
                per_day=int(patterns.per_day[rows[0]]),
                count=int(patterns.count[rows[0]]),
                kinds=KindIds(np.flatnonzero(owner == block)),
                patterns=PatternIds(rows[used]),
                course=CourseIds(matrix[:, used]),
            )
        )
    return tuple(blocks)


def _classes(
    instance: Instance, lesion: Lesion, patterns: Patterns, sensitizer: FloatArray, plan: Plan
) -> IntArray:
    """(patterns,) class of each: equal where kill, antigen and loads of every dose are equal.

        class(p) = class(q)  <=>  marks(p) = marks(q)

    marks: fractions in all, a day and before each horizon, techniques in their order; where they
    matter also days since the first fraction, enhancement by day, accelerated days, concurrent
    doses.
    """
    c, has_fraction = instance.immune, patterns.days >= 0
    marks: list[NDArray[Any]] = [patterns.count[:, None], patterns.per_day[:, None]]
    if patterns.by_day is not None:
        marks.append(patterns.slot)
    if patterns.way is not None:
        marks.append(patterns.way)
    marks += [
        (has_fraction & (patterns.days < h)).sum(axis=1)[:, None] for h in instance.horizon_days
    ]
    since = np.where(has_fraction, patterns.days - patterns.days[:, :1], 0)
    if (
        lesion.oxygen_modification_factor != 1
        or lesion.regrowth_per_day(c) > 0
        or c.repeat_release != 0
    ):
        marks.append(since)
    elif c.suppression_per_day > 0:
        marks.append(np.maximum(0.0, since - c.suppression_after_days))
    if (sensitizer != 1).any():
        marks.append(np.where(has_fraction, sensitizer[patterns.days], 1.0))
    if lesion.repopulation_doubling_time_days is not None:
        marks += [
            np.where(
                patterns.count > 0,
                repopulation.accelerated_days(
                    patterns.first, patterns.last, lesion.kick_off_days, until
                ),
                0.0,
            )[:, None]
            for until in (*instance.horizon_days, None)
        ]
    for name, day, _ in direct_doses(instance, plan):
        drug = instance.drugs[name]
        if drug.equivalent_bed_gy_per_dose > 0:
            window = patterns.incidence[:, day : day + drug.sensitizing_days]
            marks.append(np.asarray(window.any(axis=1))[:, None])
    table = np.concatenate([np.asarray(mark, dtype=np.float64) for mark in marks], axis=1)
    alike: IntArray = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)
    return alike.astype(np.int64)
