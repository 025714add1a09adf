"""What a partial course may still reach at given prices: dynamic programming over days.

What a lesion adds to a Lagrangian bound is linear in its kill K and loads L, and with E its own
effect and O what its lymphocyte losses leave of the others' one of

    worth . E                         where E holds the others' effect, linear in O,
    worth . E / O + steep ln O        where several lesions have effect (`objective`).

It is maximized over all courses: before each course day and for each pattern of later fraction
days the best is a convex function of the survivors (over O in the second form), stored at grid
points. Between them it is interpolated, which for a convex function is never too low.

`followed` is the course that the maximum takes, with the effect that the maximum counts for it: as
a column of the master it makes the bound that of the programme over such columns.
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
NEVER = -1e200
"""Worth of what is impossible: finite, so that it can be interpolated."""


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

    def root(self, state: FloatArray, effect: FloatArray) -> FloatArray:
        """(B,) bounds of all courses by pattern of fraction days.

        `state` (1, N) and `effect` (1, H) are those before the first course day.
        """
        linear = self.first.of(self.seen(state, effect))
        linear += self.between(self.best[0], self.survivors(state))
        if self.barred is not None:
            linear += self.barred[0][0][:, None]
        return np.where(linear > NEVER / 2, linear, -np.inf)[:, 0]

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
        found: FloatArray = best[:, index] * (1.0 - weight)
        found += best[:, index + 1] * weight
        return found


def place(survivors: FloatArray) -> tuple[IntArray, FloatArray]:
    """Grid point at or above each number of survivors, and the weight of the next one."""
    with np.errstate(divide="ignore"):
        steps = np.minimum(-np.log(survivors) / GRID_STEP, len(GRID) - 1.5)
    index = np.clip(np.floor(steps).astype(np.int64), 0, len(GRID) - 2)
    above, below = GRID[index], GRID[index + 1]
    return index, np.clip((above - survivors) / (above - below), 0.0, 1.0)


@dataclass(frozen=True)
class Steps:
    """What doses do to the survivors, in the unit of the grid, for one of the two forms.

    `kept` (T,), `survival` and `top` are as in `Completion`. Per course day `actions` are the doses
    that are allowed, `table` (grid + 1, actions times grid) takes what is worth after the day at
    the grid and a unit released to what is worth before it at the grid.
    """

    kept: FloatArray
    survival: FloatArray
    top: float
    actions: list[IntArray]
    table: list[FloatArray]


def steps_of(terms: Terms, *, steep: bool) -> Steps:
    """The second form where `steep`."""
    number, size = len(terms.days), len(GRID)
    kept, survival, top = np.ones(number), terms.survival, 1.0
    if steep:
        kept = terms.others_kept
        survival = survival / kept[:, None]
        survival[:, 0] = 1.0
        top = float(np.maximum(survival.max(axis=1), 1.0).prod()) * (1.0 + 1e-12)
    actions = [np.flatnonzero(terms.allowed[i, 1:]) + 1 for i in range(number)]
    table = []
    for i, own in enumerate(actions):
        one = np.zeros((size + 1, len(own) * size))
        index, weight = place(np.outer(survival[i, own], GRID).reshape(-1))
        column = np.arange(one.shape[1])
        one[index, column], one[index + 1, column] = 1.0 - weight, weight
        one[size] = np.outer(terms.release[i, own], top * GRID).reshape(-1)
        table.append(one)
    return Steps(kept, survival, top, actions, table)


def completion(
    terms: Terms, stages: list[Stage], steps: Steps, prices: Prices, count: tuple[int, int]
) -> Completion:
    """Dynamic programming over the course days, backward, for a range of fraction numbers."""
    number, kept = len(terms.days), steps.kept
    reward = terms.kill @ prices.kill - terms.load @ prices.load
    reward = np.where(terms.allowed, reward, -np.inf)
    one = Completion(
        prices=prices,
        reward=reward,
        survival=steps.survival,
        top=steps.top,
        best=[np.zeros((1, len(GRID)))] * (number + 1),
        first=_ahead(stages[0].high, stages[0].constant, stages[0].kept, prices),
        none=[_ahead(*s.none, later.kept, prices) for s, later in _pairs(stages)],
        given=[
            _ahead(*s.given, later.kept * k, prices)
            for (s, later), k in zip(_pairs(stages), kept, strict=True)
        ],
        release=[
            _released(s, later, k, prices) @ prices.effect
            for (s, later), k in zip(_pairs(stages), kept, strict=True)
        ],
        barred=None
        if count == (0, number)
        else [_barred(stage, number, count) for stage in stages],
    )
    for i in range(number - 1, -1, -1):
        after, own, stage = one.best[i + 1], steps.actions[i], stages[i]
        given = np.full_like(after, NEVER)
        if len(own):
            told = np.concatenate([after, one.release[i][:, None]], axis=1)
            worth = (told @ steps.table[i]).reshape(len(after), len(own), len(GRID))
            worth += reward[i, own][:, None]
            worth.max(axis=1, out=given)
        both = np.concatenate([after, given])[stage.order]
        one.best[i] = np.maximum.reduceat(both, stage.begins, axis=0)
    return one


def _released(stage: Stage, later: Stage, kept: float, prices: Prices) -> FloatArray:
    """(B', H) worth of a unit released on the day of a stage, by the pattern of the next one."""
    if prices.steep is None:
        return stage.release
    found: FloatArray = stage.release / (later.kept[1] * kept)[:, None]
    return found


def followed(
    one: Completion, terms: Terms, stages: list[Stage], steps: Steps
) -> tuple[IntArray, FloatArray, float]:
    """(T,) actions that the maximum takes, (H,) effect and the others' effect kept it counts."""
    state, effect = terms.begin()
    pattern = int(one.root(state, effect).argmax())
    high, constant, kept = stages[0].high, stages[0].constant, stages[0].kept
    earned = state[0] @ high[pattern] + constant[pattern] + effect[0]
    left, kept_of = one.survivors(state), 1.0
    if one.prices.steep is not None:
        kept_of = float(state[0, OTHERS] * kept[0, pattern])
        earned = earned * kept[0, pattern] / kept[1, pattern]
    actions = np.zeros(len(terms.days), dtype=np.int64)
    for i, (stage, later) in enumerate(_pairs(stages)):
        best, own = one.best[i + 1], steps.actions[i]
        none, given = (np.flatnonzero(to == pattern) for to in stage.to)
        stay = one.between(best[none], left)[:, 0]
        worth = one.between(best[given], left * one.survival[i, own])
        worth += one.release[i][given, None] * left * terms.release[i, own] + one.reward[i, own]
        if worth.max(initial=NEVER) <= stay.max(initial=NEVER):
            pattern = int(none[stay.argmax()])
            continue
        at, a = np.unravel_index(int(worth.argmax()), worth.shape)
        pattern, actions[i] = int(given[at]), own[a]
        unit = _released(stage, later, float(steps.kept[i]), one.prices)[pattern]
        earned = earned + kept_of * left * terms.release[i, actions[i]] * unit
        left = left * one.survival[i, actions[i]]
    return actions, earned, kept_of


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
    return np.where(found > NEVER / 2, found, -np.inf)


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
