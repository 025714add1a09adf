"""What a partial course may still reach at given prices: dynamic programming over days.

What a lesion adds to a Lagrangian bound is linear in its kill K and loads L, and with E its own
effect and O what its lymphocyte losses leave of the others' one of

    worth . E                         where E holds the others' effect, linear in O,
    worth . E / O + steep ln O        where several lesions have effect (`objective`).

It is maximized over all courses: before each course day and for each pattern of later fraction
days the best is a convex function of the survivors (over O in the second form), stored at grid
points. Between them it is interpolated, which for a convex function is never too low.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.free.terms import OTHERS, SURVIVORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.optimizer.free.courses import Courses
    from abscopt.optimizer.free.suffix import Stage
    from abscopt.optimizer.free.terms import Terms

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GRID_STEP = 0.4
GRID_END = 12.0
AT_ONCE = 400_000
GRID = np.append(np.exp(-np.arange(0.0, GRID_END + 1e-9, GRID_STEP)), 0.0)
"""Survivors at which the best is stored, as parts of the most; falling, the last is none."""


@dataclass(frozen=True)
class Prices:
    """What one lesion's course is worth: per nat of kill and of effect, of room, of log loss.

    `steep` is None in the first form.
    """

    kill: FloatArray
    effect: FloatArray
    load: FloatArray
    steep: float | None

    def worth(self, courses: Courses) -> FloatArray:
        """(n,) of whole courses."""
        total: FloatArray = courses.kill @ self.kill - courses.load @ self.load
        if self.steep is None:
            return total + courses.effect @ self.effect
        kept = courses.kept
        return total + courses.effect @ self.effect / kept + self.steep * np.log(kept)


@dataclass(frozen=True)
class Ahead:
    """(B, N + 2) and (B,) worth of a state, its effect so far and 1 (`seen`), and a constant."""

    worth: FloatArray
    constant: FloatArray

    def of(self, seen: FloatArray, patterns: IntArray | slice = slice(None)) -> FloatArray:
        """(B, n) for n states, and some patterns."""
        found: FloatArray = self.worth[patterns] @ seen.T + self.constant[patterns, None]
        return found


@dataclass(frozen=True)
class Completion:
    """What may still be added from each stage on, at some prices.

    `best[i]` (B, grid) is the part of doses of the stage's patterns at `top` times the grid,
    `none[i]` and `given[i]` are those of the next one's patterns without and with a fraction;
    `release[i]` is the worth of a unit released, `survival` (T, A) per survivor in the unit of the
    grid; `barred[i]` (T + 1, B) is -inf where so many fractions before and the pattern's are not
    in the range, `None` where all are.
    """

    prices: Prices
    reward: FloatArray
    survival: FloatArray
    top: float
    best: list[FloatArray]
    first: Ahead
    none: list[Ahead]
    given: list[Ahead]
    release: list[FloatArray]
    barred: list[FloatArray] | None

    def root(self, state: FloatArray, effect: FloatArray) -> float:
        """Bound of all courses from the state before the first course day, (1, N) and (1, H)."""
        linear = self.first.of(self.seen(state, effect))
        linear += self.between(self.best[0], self.survivors(state))
        if self.barred is not None:
            linear += self.barred[0][0][:, None]
        return float(linear.max())

    def seen(self, state: FloatArray, effect: FloatArray) -> FloatArray:
        """(n, N + 2) what later days multiply."""
        earned = (effect @ self.prices.effect)[:, None]
        found = np.concatenate([state, earned, np.ones_like(earned)], axis=1)
        return found if self.prices.steep is None else found / state[:, OTHERS, None]

    def survivors(self, state: FloatArray) -> FloatArray:
        """(n,) in the unit of the grid."""
        own = state[:, SURVIVORS]
        return own if self.prices.steep is None else own / state[:, OTHERS]

    def so_far(self, kill: FloatArray, kept: FloatArray, load: FloatArray) -> FloatArray:
        """(n,) what partial courses have earned, effect aside."""
        total: FloatArray = kill @ self.prices.kill - load @ self.prices.load
        return total if self.prices.steep is None else total + self.prices.steep * np.log(kept)

    def between(self, best: FloatArray, survivors: FloatArray) -> FloatArray:
        """(B, ...) interpolated between grid points, at survivors of any shape."""
        index, weight = place(survivors / self.top)
        rise = np.diff(np.where(np.isneginf(best), 0.0, best), axis=1)  # whole rows are impossible
        found: FloatArray = best[:, index]
        found += rise[:, index] * weight
        return found


def place(survivors: FloatArray) -> tuple[IntArray, FloatArray]:
    """Grid point at or above each number of survivors, and the weight of the next one."""
    with np.errstate(divide="ignore"):
        steps = np.minimum(-np.log(survivors) / GRID_STEP, len(GRID) - 1.5)
    index = np.clip(np.floor(steps).astype(np.int64), 0, len(GRID) - 2)
    above, below = GRID[index], GRID[index + 1]
    return index, np.clip((above - survivors) / (above - below), 0.0, 1.0)


def completion(
    terms: Terms, stages: list[Stage], prices: Prices, count: tuple[int, int]
) -> Completion:
    """Dynamic programming over the course days, backward, for a range of fraction numbers."""
    number = len(terms.days)
    reward = terms.kill @ prices.kill - terms.load @ prices.load
    reward = np.where(terms.allowed, reward, -np.inf)
    kept, survival, top = np.ones(number), terms.survival, 1.0
    if prices.steep is not None:
        kept = terms.others_kept
        survival = survival / kept[:, None]
        survival[:, 0] = 1.0
        top = float(np.maximum(survival.max(axis=1), 1.0).prod()) * (1.0 + 1e-12)
    one = Completion(
        prices=prices,
        reward=reward,
        survival=survival,
        top=top,
        best=[np.zeros((1, len(GRID)))] * (number + 1),
        first=_ahead(stages[0].high, stages[0].constant, stages[0].kept, prices),
        none=[_ahead(*s.none, later.kept, prices) for s, later in _pairs(stages)],
        given=[
            _ahead(*s.given, later.kept * k, prices)
            for (s, later), k in zip(_pairs(stages), kept, strict=True)
        ],
        release=[
            s.release @ prices.effect / (1.0 if prices.steep is None else later.kept[1] * k)
            for (s, later), k in zip(_pairs(stages), kept, strict=True)
        ],
        barred=None
        if count == (0, number)
        else [_barred(stage, number, count) for stage in stages],
    )
    for i in range(number - 1, -1, -1):
        after = one.best[i + 1]
        none, given = stages[i].to
        found = np.full((len(stages[i].high), len(GRID)), -np.inf)
        np.maximum.at(found, none, after)
        actions = np.flatnonzero(terms.allowed[i, 1:]) + 1
        if len(actions):
            value = one.between(after, top * np.outer(survival[i, actions], GRID))
            gain = terms.release[i, actions][:, None] * (top * GRID)
            value += gain * one.release[i][:, None, None] + reward[i, actions][:, None]
            np.maximum.at(found, given, value.max(axis=1))
        one.best[i] = found
    return one


def _pairs(stages: list[Stage]) -> list[tuple[Stage, Stage]]:
    return list(itertools.pairwise(stages))


def _ahead(high: FloatArray, constant: FloatArray, kept: FloatArray, prices: Prices) -> Ahead:
    """Worth of a state by pattern; `kept` (2, B) as of a stage."""
    ones = np.ones((len(high), 1))
    steady = (constant @ prices.effect)[:, None]
    worth = np.concatenate([high @ prices.effect, ones, steady], axis=1)
    if prices.steep is None:
        return Ahead(worth, np.zeros(len(high)))
    return Ahead(worth / kept[1][:, None], prices.steep * np.log(kept[0]))


def _barred(stage: Stage, number: int, count: tuple[int, int]) -> FloatArray:
    total = np.arange(number + 1)[:, None] + stage.count
    return np.where((total >= count[0]) & (total <= count[1]), 0.0, -np.inf)


def choices(
    one: Completion,
    terms: Terms,
    stage: int,
    state: FloatArray,
    effect: FloatArray,
    count: IntArray,
) -> FloatArray:
    """(n, A) effect so far and what each action of a course day may still add.

    All later days are included; `count` (n,) are the fractions given before.
    """
    actions = np.flatnonzero(terms.allowed[stage, 1:]) + 1
    found = np.full((len(state), terms.allowed.shape[1]), -np.inf)
    best, release = one.best[stage + 1], one.release[stage]
    seen, survivors = one.seen(state, effect), one.survivors(state)
    for rows, none, given in _by_count(one, stage, count):
        at_once = max(1, AT_ONCE // max(1, max(len(none), len(given)) * max(1, len(actions))))
        for part in np.split(rows, range(at_once, len(rows), at_once)):
            if len(none):
                stay = one.none[stage].of(seen[part], none)
                stay += one.between(best[none], survivors[part])
                found[part, 0] = stay.max(axis=0)
            if len(actions) and len(given):
                left = survivors[part, None] * one.survival[stage, actions]
                released = survivors[part, None] * terms.release[stage, actions]
                later = one.between(best[given], left)
                later += release[given][:, None, None] * released
                later += one.given[stage].of(seen[part], given)[:, :, None]
                found[part[:, None], actions] = later.max(axis=0) + one.reward[stage, actions]
    return found


def _by_count(
    one: Completion, stage: int, count: IntArray
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Rows of a number of fractions, and patterns they may follow without and with another one."""
    if one.barred is None:
        every = np.arange(len(one.best[stage + 1]))
        yield np.arange(len(count)), every, every
        return
    barred = one.barred[stage + 1]
    for number in np.unique(count).tolist():
        none, given = (np.flatnonzero(barred[n] == 0.0) for n in (number, number + 1))
        yield np.flatnonzero(count == number), none, given
