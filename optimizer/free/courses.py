"""Whole courses with what they do, valued exactly and changed by exchanges."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.free.terms import OTHERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.free.suffix import Stage
    from abscopt.optimizer.free.terms import Terms

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

MOVED = 3


@dataclass(frozen=True)
class Courses:
    """n courses of one lesion.

    Attributes
    ----------
    actions : (n, T) dose of each course day, 0 for none; (n, 1) places on a menu
    kill : (n, H) log kill that counts at each horizon, accelerated growth taken off
    effect : (n, H) own effect; of a lesion alone with that of the lesions at rest
    kept : (n,) what lymphocyte losses leave of the others' effect
    load : (n, M) parts of the caps
    least : (n, T) actions, or the least of those that a course stands for
    """

    actions: IntArray
    kill: FloatArray
    effect: FloatArray
    kept: FloatArray
    load: FloatArray
    least: IntArray

    def __len__(self) -> int:
        return len(self.kept)

    def take(self, rows: IntArray | BoolArray | slice) -> Courses:
        """Some of them."""
        return Courses(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def together(parts: Sequence[Courses]) -> Courses:
    """All courses of several lots."""
    return Courses(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Courses)
        }
    )


def totals(terms: Terms, end: Stage, actions: IntArray) -> tuple[Courses, BoolArray]:
    """What (n, T) actions do, and which of them keep the limits by themselves.

    `end` is the stage after the last course day.
    """
    n, stages = len(actions), np.arange(len(terms.days))
    state, effect = terms.begin(n)
    kill = np.zeros((n, len(terms.horizons)))
    alc, worst = np.zeros(n), np.zeros(n)
    for stage in stages.tolist():
        action = actions[:, stage]
        if stage:
            alc *= terms.alc_kept ** float(terms.days[stage] - terms.days[stage - 1])
        alc += np.where(action > 0, terms.alc_loss, 0.0)
        worst = np.where(action > 0, np.maximum(worst, alc), worst)
        kill += terms.give(state, effect, stage, action)
    effect += end.constant + state @ end.high[0]
    given = actions > 0
    treated = given.any(axis=1)
    first = np.where(treated, terms.days[given.argmax(axis=1)], -1)
    last = np.where(treated, terms.days[::-1][given[:, ::-1].argmax(axis=1)], -1)
    kill -= terms.regrown(first, last)
    load = terms.load[stages, actions].sum(axis=1)
    good = (load <= terms.room).all(axis=1) & (worst <= terms.alc_room)
    good &= terms.allowed[stages, actions].all(axis=1)
    good &= given.sum(axis=1) <= terms.most_fractions
    return Courses(actions, kill, effect, state[:, OTHERS], load, actions), good


def changes_of_one_day(terms: Terms, course: IntArray) -> IntArray:
    """(n, T) every other dose of every day, and the course moved by a few days."""
    days, actions = terms.allowed.shape
    tries = np.repeat(course[None, :], days * actions, axis=0)
    tries[np.arange(days * actions), np.repeat(np.arange(days), actions)] = np.tile(
        np.arange(actions), days
    )
    good = terms.allowed.reshape(-1) & (tries != course).any(axis=1)
    moved = []
    for by in range(1, min(MOVED, days - 1) + 1):
        moved += [np.pad(course[by:], (0, by)), np.pad(course[:-by], (by, 0))]
    found: IntArray = np.concatenate([tries[good], *(one[None, :] for one in moved)])
    return found


def changes_of_two_days(
    terms: Terms, course: IntArray, room: FloatArray, most: int, rng: np.random.Generator
) -> IntArray:
    """(n, T) two days exchanged or given other doses, within a room; a sample of so many."""
    days, actions = terms.allowed.shape
    tries = [np.zeros((0, days), dtype=np.int64)]
    one, two = np.indices((actions, actions)).reshape(2, -1)
    load = terms.load[np.arange(days), course].sum(axis=0)
    for i, j in itertools.combinations(range(days), 2):
        if not (course[i] or course[j]):
            continue
        less = load - terms.load[i, course[i]] - terms.load[j, course[j]]
        fits = (less + terms.load[i, one] + terms.load[j, two] <= room).all(axis=1)
        fits &= terms.allowed[i, one] & terms.allowed[j, two]
        part = np.repeat(course[None, :], int(fits.sum()), axis=0)
        part[:, i], part[:, j] = one[fits], two[fits]
        tries.append(part)
    joined = np.concatenate(tries)
    if len(joined) > most:
        joined = joined[rng.choice(len(joined), most, replace=False)]
    return joined
