"""Courses that differ little from one: other doses on one or two days, or all days moved.

Of two changes only the states between them and what a state is worth under the days after them
matter, both linear: all pairs of days and doses are valued exactly by products of the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.free.courses import Courses, by_days, together, totals
from abscopt.optimizer.free.suffix import before
from abscopt.optimizer.free.terms import OTHERS, SURVIVORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.free.suffix import Stage
    from abscopt.optimizer.free.terms import Terms

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Better: TypeAlias = "Callable[[FloatArray, FloatArray, FloatArray], BoolArray]"

MOVED = 3


def one_change(terms: Terms, course: IntArray) -> IntArray:
    """(n, T) every other dose of every day, and the course moved."""
    other = np.arange(terms.allowed.shape[1]) != course[:, None]
    stages, actions = np.nonzero(terms.allowed & other)
    tries = np.repeat(course[None, :], len(stages), axis=0)
    tries[np.arange(len(stages)), stages] = actions
    return np.concatenate([tries, moved(course)])


def moved(course: IntArray) -> IntArray:
    """(n, T) the course moved by a few of its days."""
    by = range(1, min(MOVED, len(course) - 1) + 1)
    later = [np.pad(course[:-days], (days, 0)) for days in by]
    found: IntArray = np.array([*later, *(np.pad(course[days:], (0, days)) for days in by)])
    return found.reshape(-1, len(course))


def two_changes(
    terms: Terms,
    end: Stage,
    course: IntArray,
    room: FloatArray,
    better: Better,
) -> Courses:
    """Courses with other doses on two days that fit a room (M,) and are wanted.

    `end` is the stage after the last course day; `better` says which of n courses are wanted by
    kill (n, H), effect (n, H) and what they leave of the others' effect (n,). All of them keep the
    limits of their lesion.
    """
    days, actions = terms.allowed.shape
    worth, constant = _worth(terms, end, course)
    whole = totals(terms, end, course[None, :])[0]
    load = whole.load[0]
    kill = terms.kill[np.arange(days), course].sum(axis=0)
    base, so_far = terms.begin()
    states, effects = np.zeros((0, base.shape[1])), np.zeros((0, len(kill)))
    found = [whole.take(slice(0, 0))]
    for j in range(days):
        i, a, b = np.indices((j, actions, actions)).reshape(3, -1)
        more = terms.load[i, a] - terms.load[i, course[i]]
        more += terms.load[j, b] - terms.load[j, course[j]]
        given = _patterns(course, j)
        fine, grown = by_days(terms, given)
        pattern = i * 4 + (a > 0) * 2 + (b > 0)
        good = (load + more <= room).all(axis=1) & terms.allowed[i, a] & terms.allowed[j, b]
        good &= (a != course[i]) & (b != course[j]) & fine[pattern]
        i, a, b, more, pattern = i[good], a[good], b[good], more[good], pattern[good]
        total = np.tensordot(states, worth[j], axes=(1, 1)) + (effects + constant[j])[:, None]
        effect = total[i * actions + a, b]
        killed = kill + terms.kill[i, a] - terms.kill[i, course[i]]
        killed += terms.kill[j, b] - terms.kill[j, course[j]] - grown[pattern]
        kept = np.where(given, terms.others_kept, 1.0).prod(axis=1)[pattern]
        wanted = better(killed, effect, kept)
        i, a, b = i[wanted], a[wanted], b[wanted]
        changed = np.repeat(course[None, :], len(i), axis=0)
        changed[np.arange(len(i)), i], changed[:, j] = a, b
        found.append(
            Courses(
                changed, killed[wanted], effect[wanted], kept[wanted], load + more[wanted], changed
            )
        )
        terms.give(states, effects, j, np.full(len(states), course[j]))
        begun, earned = np.repeat(base, actions, axis=0), np.repeat(so_far, actions, axis=0)
        terms.give(begun, earned, j, np.arange(actions))
        states, effects = np.concatenate([states, begun]), np.concatenate([effects, earned])
        terms.give(base, so_far, j, course[j : j + 1])
    return together(found)


def _patterns(course: IntArray, j: int) -> BoolArray:
    """(4 j, T) fraction days of a course with day i < j and day j left out or taken."""
    given = np.repeat((course > 0)[None, :], 4 * j, axis=0)
    i, one, two = np.indices((j, 2, 2)).reshape(3, -1)
    given[np.arange(4 * j), i], given[:, j] = one == 1, two == 1
    return given


def _worth(terms: Terms, end: Stage, course: IntArray) -> tuple[FloatArray, FloatArray]:
    """(T, A, N, H) worth of a state before each day under each action of it, and (T, H) of inflow.

    Days after it are those of the course.
    """
    days, actions = terms.allowed.shape
    after, constant = end.high, end.constant
    worth = np.zeros((days, actions, *after.shape[1:]))
    steady = np.zeros((days, after.shape[2]))
    for stage in range(days - 1, -1, -1):
        day = int(terms.days[stage])
        last = day if stage + 1 == days else int(terms.days[stage + 1]) - 1
        for later in range(last, day, -1):
            after, constant, _ = before(terms, later, after, constant)
        none, steady_before, _ = before(terms, day, after, constant)
        given, _, released = before(terms, day, after, constant, terms.effectors_kept)
        given[:, OTHERS] *= terms.others_kept[stage]
        worth[stage, 0], worth[stage, 1:] = none[0], given[0]
        worth[stage, :, SURVIVORS] = (
            terms.survival[stage, :, None] * after[0, SURVIVORS]
            + terms.release[stage, :, None] * released[0]
        )
        after, constant = worth[stage, course[stage]][None], steady_before
        steady[stage] = constant[0]
    return worth, steady
