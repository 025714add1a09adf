"""Distinct random schedules of a case that keep all its hard limits and rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.schema import Instance
from abscopt.models.arrays import IntArray
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

MOST_DRAWS = 1_000_000
ENUMERATED = 20_000
"""Products of menus up to which every schedule is looked at, so that none is missed."""


@dataclass(frozen=True)
class Sample:
    """Distinct feasible schedules of a case.

    `rows` holds plan and course of every lesion, shape (schedules, 1 + lesions), None for free
    courses; `sizes` the number of plans and of each lesion's courses that they refer to. `every`
    tells whether the case offers no others.
    """

    schedules: tuple[Schedule, ...]
    rows: IntArray | None
    sizes: tuple[int, ...]
    every: bool


def sizes_of(candidates: Candidates) -> tuple[int, ...]:
    """Number of plans and of each lesion's courses."""
    return (len(candidates.plans), *(len(table.menu) for table in candidates.lesions))


def sample(instance: Instance, number: int, seed: int) -> Sample:
    """Distinct random feasible schedules, in the order in which they are drawn.

    The plan of the drugs is uniform; so is, over the sets that are not empty, the set of lesions
    to treat; for each of them the course is uniform over its menu, 'no course' included. Where the
    whole menu is small, or offers fewer schedules, all of them are looked at.
    """
    candidates = Candidates(instance)
    if candidates.free:
        return _free_sample(instance, candidates, number, seed)
    generator = np.random.default_rng(seed)
    sizes = list(sizes_of(candidates))
    tables: dict[int, Tabulated] = {}
    if math.prod(sizes) <= ENUMERATED:
        flat = generator.permutation(math.prod(sizes))
        rows = np.stack(np.unravel_index(flat, sizes), axis=1)
        kept = _distinct(rows[_feasible(candidates, tables, rows)], candidates)
        every = len(kept) <= number
    else:
        every, kept = False, np.empty((0, len(sizes)), dtype=np.int64)
        drawn = 0
        while len(kept) < number and drawn < MOST_DRAWS:
            rows = _drawn(generator, sizes, 4 * number)
            drawn += len(rows)
            good = rows[_feasible(candidates, tables, rows)]
            kept = _distinct(np.concatenate([kept, good]), candidates)
    kept = kept[:number]
    schedules = tuple(schedule_of_row(candidates, int(row[0]), row[1:]) for row in kept)
    return Sample(schedules, kept, tuple(sizes), every)


def _drawn(generator: np.random.Generator, sizes: list[int], number: int) -> IntArray:
    rows = generator.integers(0, sizes, size=(number, len(sizes)))
    offered = np.flatnonzero(np.array(sizes[1:]) > 1)
    subset = generator.integers(1, 2 ** len(offered), size=number)
    for place, lesion in enumerate(offered):
        rows[subset >> place & 1 == 0, 1 + lesion] = 0
    return rows


def _feasible(
    candidates: Candidates, tables: dict[int, Tabulated], rows: IntArray
) -> NDArray[np.bool_]:
    good = np.zeros(len(rows), dtype=bool)
    for plan in np.unique(rows[:, 0]).tolist():
        if plan not in tables:
            tables[plan] = Tabulated(candidates, plan)
        mine = rows[:, 0] == plan
        good[mine] = tables[plan].feasible(rows[mine, 1:])
    return good


def _distinct(rows: IntArray, candidates: Candidates) -> IntArray:
    """First of each schedule: no course twice, no two plans of the same doses."""
    first: dict[tuple[Any, ...], int] = {}
    same = [tuple(sorted(plan.doses)) for plan in candidates.plans]
    for place, row in enumerate(rows.tolist()):
        first.setdefault((same[row[0]], *row[1:]), place)
    return rows[list(first.values())]


def _free_sample(instance: Instance, candidates: Candidates, number: int, seed: int) -> Sample:
    """As `sample`; a free course has a uniform number of fractions, days and levels, judged."""
    generator = np.random.default_rng(seed)
    judge = Judge(instance)
    found: dict[Schedule, None] = {}
    for _ in range(MOST_DRAWS):
        plan = candidates.plans[int(generator.integers(len(candidates.plans)))]
        fractions: list[Fraction] = []
        for table in candidates.lesions:
            index = int(generator.integers(len(table.menu)))
            fractions += table.menu.course(index, instance.lesions[table.menu.lesion])
        for lesion in (instance.lesions[place] for place in candidates.free):
            course = lesion.course
            assert course is not None and course.form == "free"
            most = min(course.max_fractions or len(course.days), len(course.days))
            count = int(generator.integers(most + 1))
            for day in generator.choice(course.days, count, replace=False).tolist():
                level = float(generator.choice(course.levels_gy))
                fractions.append(Fraction(day, lesion.name, level, 0, lesion.ways[0].name))
        one = Schedule.of(fractions, [Infusion(day, drug, mg) for drug, day, mg in plan.doses])
        if one not in found and judge.evaluate(one).admissible:
            found[one] = None
        if len(found) == number:
            break
    return Sample(tuple(found), None, (), every=False)
