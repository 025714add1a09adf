"""Lagrangian bounds of one plan, and what a partial course may still reach.

With u the log burden of a lesion at a horizon and K, Z kill and effect, for all prices >= 0

    phi(u) <= max_u' [phi(u') + k u'] - k u,        sat(Z) <= max_Z' [sat(Z') - s Z'] + s Z,

whatever the shape of phi. What is left is linear in kill, effect and loads, and is maximized over
all courses by dynamic programming: before each course day and for each pattern of later fraction
days the best is a convex function of the survivors, stored at grid points. Between them it is
interpolated, which for a convex function is never too low.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune, outcome
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.free.terms import SURVIVORS

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.free.suffix import Stage
    from abscopt.optimizer.free.terms import Terms

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GRID_STEP = 0.4
GRID_END = 12.0
AT_ONCE = 400_000
GRID = np.append(np.exp(-np.arange(0.0, GRID_END + 1e-9, GRID_STEP)), 0.0)
"""Survivors at which the best is stored; falling, the last is none."""


@dataclass(frozen=True)
class Prices:
    """Worth of a nat of kill and of effect at each horizon, of room in the limits, and a constant.

    `constant + kill . K + effect . Z - load . L` bounds the value of every course that keeps the
    limits.
    """

    constant: float
    kill: FloatArray
    effect: FloatArray
    load: FloatArray


@dataclass(frozen=True)
class Completion:
    """What may still be added from each stage on, at some prices.

    `best[i]` (B, grid) is the part of doses of the stage's patterns, `worth[i]`, `constant[i]`,
    `none[i]`, `given[i]` and `release[i]` are those of the stage at the prices of effect;
    `barred[i]` (T + 1, B) is -inf where so many fractions before and the pattern's are not in
    the range, `None` where all are.
    """

    prices: Prices
    reward: FloatArray
    best: list[FloatArray]
    worth: list[FloatArray]
    constant: list[FloatArray]
    none: list[tuple[FloatArray, FloatArray]]
    given: list[tuple[FloatArray, FloatArray]]
    release: list[FloatArray]
    barred: list[FloatArray] | None

    def root(self, state: FloatArray, effect: FloatArray) -> float:
        """Bound of all courses from the state before the first course day, (1, N) and (1, H)."""
        linear = self.worth[0] @ state[0] + self.constant[0] + self.best[0][:, 0]
        if self.barred is not None:
            linear = linear + self.barred[0][0]
        return float(linear.max() + effect[0] @ self.prices.effect) + self.prices.constant


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
    zeta = prices.effect
    best: list[FloatArray] = [np.zeros((1, len(GRID)))] * (number + 1)
    release = [stage.release @ zeta for stage in stages[:-1]]
    for i in range(number - 1, -1, -1):
        after = best[i + 1]
        none, given = stages[i].to
        found = np.full((len(stages[i].high), len(GRID)), -np.inf)
        np.maximum.at(found, none, after)
        actions = np.flatnonzero(terms.allowed[i, 1:]) + 1
        if len(actions):
            value = _between(after, np.outer(terms.survival[i, actions], GRID))
            gain = terms.release[i, actions][:, None] * GRID
            value += gain * release[i][:, None, None] + reward[i, actions][:, None]
            np.maximum.at(found, given, value.max(axis=1))
        best[i] = found
    return Completion(
        prices=prices,
        reward=reward,
        best=best,
        worth=[stage.high @ zeta for stage in stages],
        constant=[stage.constant @ zeta for stage in stages],
        none=[(s.none[0] @ zeta, s.none[1] @ zeta) for s in stages[:-1]],
        given=[(s.given[0] @ zeta, s.given[1] @ zeta) for s in stages[:-1]],
        release=release,
        barred=None
        if count == (0, number)
        else [_barred(stage, number, count) for stage in stages],
    )


def _barred(stage: Stage, number: int, count: tuple[int, int]) -> FloatArray:
    total = np.arange(number + 1)[:, None] + stage.count
    return np.where((total >= count[0]) & (total <= count[1]), 0.0, -np.inf)


def choices(
    one: Completion, terms: Terms, stage: int, state: FloatArray, count: IntArray
) -> FloatArray:
    """(n, A) what each action of a course day may still add, all later days included.

    `count` (n,) are the fractions given before.
    """
    actions = np.flatnonzero(terms.allowed[stage, 1:]) + 1
    found = np.full((len(state), terms.allowed.shape[1]), -np.inf)
    at_once = max(1, AT_ONCE // (len(one.best[stage + 1]) * max(1, len(actions))))
    for begin in range(0, len(state), at_once):
        part = slice(begin, begin + at_once)
        survivors = state[part, SURVIVORS]
        none, given = (
            worth @ state[part].T + constant[:, None]
            for worth, constant in (one.none[stage], one.given[stage])
        )
        if one.barred is not None:
            none += one.barred[stage + 1][count[part]].T
            given += one.barred[stage + 1][count[part] + 1].T
        none += _between(one.best[stage + 1], survivors)
        found[part, 0] = none.max(axis=0)
        if len(actions):
            left = survivors[:, None] * terms.survival[stage, actions]
            later = _between(one.best[stage + 1], left)
            released = survivors[:, None] * terms.release[stage, actions]
            later += one.release[stage][:, None, None] * released
            later += given[:, :, None]
            found[part, actions] = later.max(axis=0) + one.reward[stage, actions]
    return found


def _between(best: FloatArray, survivors: FloatArray) -> FloatArray:
    """(B, ...) interpolated between grid points, at survivors of any shape."""
    index, weight = place(survivors)
    found: FloatArray = best[:, index]
    found += (best[:, index + 1] - found) * weight
    return found


@dataclass(frozen=True)
class Slopes:
    """Worth of a nat of each log burden (lesions, H) and of effect (H,), and of room (M,)."""

    burden: FloatArray
    effect: FloatArray
    load: FloatArray

    def towards(self, other: Slopes, step: float) -> Slopes:
        """A part of the way to others."""
        mine, theirs = 1.0 - step, step
        return Slopes(
            mine * self.burden + theirs * other.burden,
            mine * self.effect + theirs * other.effect,
            mine * self.load + theirs * other.load,
        )


@dataclass(frozen=True)
class Span:
    """Courses whose kill at the last horizon (growth taken off) and fractions are in a range."""

    kill: tuple[float, float]
    count: tuple[int, int]


class Value:
    """The objective as a function of kill and effect, and its bounds at prices.

    Only courses of a span count; their log burdens stay between `low` and `high` (lesions, H).
    """

    def __init__(
        self,
        instance: Instance,
        terms: Terms,
        most_kill: FloatArray,
        most_effect: FloatArray,
        span: Span | None = None,
    ):
        self.instance, self.goal, self.terms = instance, instance.objective, terms
        self.maximum = instance.immune.effect_maximum_nats
        self.most_kill, self.most_effect = most_kill, most_effect
        self.per = terms.weight / len(terms.horizons)
        grown = terms.regrown(terms.days[:1], terms.days[-1:])[0]
        whole = Span((-float(grown[-1]), float(most_kill[-1])), (0, terms.most_fractions))
        self.span = whole if span is None else span
        # what counts at the last horizon counts less at an earlier one by what comes after it
        later = np.where(terms.allowed[:, :, None], terms.kill[:, :, -1:] - terms.kill, 0.0)
        later = later.max(axis=1).sum(axis=0)
        systemic = immune.saturate(most_effect, self.maximum)
        self.low = terms.local - terms.share[:, None] * systemic
        self.high = terms.local.copy()
        self.low[0] -= np.minimum(most_kill, self.span.kill[1] + grown[-1])
        self.high[0] += np.minimum(grown, later + grown - self.span.kill[0])
        self.low = np.minimum(self.low, self.high)

    def within(self, span: Span) -> Value:
        """The same for a smaller span."""
        return Value(self.instance, self.terms, self.most_kill, self.most_effect, span)

    def burdens(self, kill: FloatArray, effect: FloatArray) -> FloatArray:
        """(n, lesions, H) log burdens at (n, H) kill of the free lesion and effect."""
        terms = self.terms
        systemic = immune.saturate(effect, self.maximum)
        burden = terms.local[None] - terms.share[None, :, None] * systemic[:, None, :]
        burden[:, 0] -= kill
        found: FloatArray = burden
        return found

    def __call__(self, kill: FloatArray, effect: FloatArray) -> FloatArray:
        """(n,) objective at (n, H) kill of the free lesion, growth taken off, and effect."""
        worth = value_of_burden(self.goal, self.burdens(kill, effect))
        total: FloatArray = (worth * self.per[None, :, None]).sum(axis=(1, 2)) - self.terms.cost
        return total

    def prices(self, slopes: Slopes) -> Prices:
        """A bound of the objective that is linear in kill, effect and loads."""
        terms = self.terms
        total = float(slopes.load @ terms.room) - terms.cost
        for (s, h), k in np.ndenumerate(slopes.burden):
            above = self._intercept(float(k), s, h) - float(k * terms.local[s, h])
            total += float(self.per[s]) * above
        marginal = ((self.per * terms.share)[:, None] * slopes.burden).sum(axis=0)
        zeta = np.maximum(slopes.effect, 0.0 if self.maximum is not None else marginal)
        if self.maximum is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                root = np.where(marginal > zeta, np.sqrt(zeta / marginal), 1.0)
            total += float(marginal @ (self.maximum * (1.0 - root) ** 2))
        return Prices(total, self.per[0] * slopes.burden[0], zeta, slopes.load)

    def _intercept(self, k: float, s: int, h: int) -> float:
        """max phi(u) + k u over the burdens that some course reaches."""
        low, high = float(self.low[s, h]), float(self.high[s, h])
        points = [low, high]
        if self.goal.kind == "expected_control":
            if 0.0 < k < 0.25:  # stationary where p (1 - p) = k; the greater p is the maximum
                p = 0.5 * (1.0 + math.sqrt(1.0 - 4.0 * k))
                points.append(math.log1p(-p) - math.log(p) if p < 1.0 else low)
            points.append(0.0)
        elif self.goal.kind != "log_kill":
            points.append(outcome.concession_burden(self.goal.conceded_at_nats))
            if 0.0 < k < 1.0:
                points.append(math.log(k) - math.log1p(-k))
        at = np.clip(np.array(points), low, high)
        return float((value_of_burden(self.goal, at) + k * at).max())
