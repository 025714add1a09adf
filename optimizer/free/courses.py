"""Whole courses of one plan, valued exactly and improved by exchanges."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from abscopt.optimizer.free.dual import Value
    from abscopt.optimizer.free.suffix import Stage
    from abscopt.optimizer.free.terms import Terms

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

MOST_AT_ONCE = 20_000
PAIRS_PER_TURN = 60_000


def totals(
    terms: Terms, end: Stage, courses: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Kill (n, H) without regrowth, effect (n, H), loads (n, M) and feasibility of (n, T) courses.

    `end` is the stage after the last course day.
    """
    n, stages = len(courses), np.arange(len(terms.days))
    state, effect = terms.begin(n)
    kill = np.zeros((n, len(terms.horizons)))
    alc, worst = np.zeros(n), np.zeros(n)
    for stage in stages.tolist():
        action = courses[:, stage]
        if stage:
            alc *= terms.alc_kept ** float(terms.days[stage] - terms.days[stage - 1])
        alc += np.where(action > 0, terms.alc_loss, 0.0)
        worst = np.where(action > 0, np.maximum(worst, alc), worst)
        kill += terms.give(state, effect, stage, action)
    effect += end.constant + state @ end.high[0]
    given = courses > 0
    treated = given.any(axis=1)
    first = np.where(treated, terms.days[given.argmax(axis=1)], -1)
    last = np.where(treated, terms.days[::-1][given[:, ::-1].argmax(axis=1)], -1)
    kill -= terms.regrown(first, last)
    load = terms.load[stages, courses].sum(axis=1)
    good = (load <= terms.room).all(axis=1) & (worst <= terms.alc_room)
    good &= terms.allowed[stages, courses].all(axis=1)
    good &= given.sum(axis=1) <= terms.most_fractions
    return kill, effect, load, good


def values(terms: Terms, end: Stage, value: Value, courses: IntArray) -> FloatArray:
    """(n,) objective of each course, -inf where it breaks a limit."""
    found = np.empty(len(courses))
    for begin in range(0, len(courses), MOST_AT_ONCE):
        part = courses[begin : begin + MOST_AT_ONCE]
        kill, effect, _, good = totals(terms, end, part)
        found[begin : begin + len(part)] = np.where(good, value(kill, effect), -np.inf)
    return found


def improved(
    terms: Terms,
    end: Stage,
    value: Value,
    course: IntArray,
    best: float,
    rng: np.random.Generator,
    turns: int = 30,
) -> tuple[IntArray, float]:
    """A course that no change of one day betters, nor a sample of changes of two days."""
    for _ in range(turns):
        course, best = _by_one_day(terms, end, value, course, best)
        pairs = _changes_of_two_days(terms, course, rng)
        found = values(terms, end, value, pairs)
        at = int(found.argmax())
        if not found[at] > best + 1e-9:
            break
        course, best = pairs[at], float(found[at])
    return course, best


def _by_one_day(
    terms: Terms, end: Stage, value: Value, course: IntArray, best: float
) -> tuple[IntArray, float]:
    days, actions = terms.allowed.shape
    while True:
        tries = np.repeat(course[None, :], days * actions, axis=0)
        tries[np.arange(days * actions), np.repeat(np.arange(days), actions)] = np.tile(
            np.arange(actions), days
        )
        found = values(terms, end, value, tries)
        at = int(found.argmax())
        if not found[at] > best + 1e-9:
            return course, best
        course, best = tries[at], float(found[at])


def _changes_of_two_days(terms: Terms, course: IntArray, rng: np.random.Generator) -> IntArray:
    """Two days exchanged, or both given other doses; loads that surely exceed the room left out."""
    days, actions = terms.allowed.shape
    tries = []
    grid = np.indices((actions, actions)).reshape(2, -1)
    load = terms.load[np.arange(days), course].sum(axis=0)
    for i, j in itertools.combinations(range(days), 2):
        if not (course[i] or course[j]):
            continue
        one, two = grid
        less = load - terms.load[i, course[i]] - terms.load[j, course[j]]
        fits = (less + terms.load[i, one] + terms.load[j, two] <= terms.room).all(axis=1)
        fits &= terms.allowed[i, one] & terms.allowed[j, two]
        part = np.repeat(course[None, :], int(fits.sum()), axis=0)
        part[:, i], part[:, j] = one[fits], two[fits]
        tries.append(part)
    if not tries:
        return course[None, :]
    joined = np.concatenate(tries)
    if len(joined) > PAIRS_PER_TURN:
        joined = joined[rng.choice(len(joined), PAIRS_PER_TURN, replace=False)]
    return joined
