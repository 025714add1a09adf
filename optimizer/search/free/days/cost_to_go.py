"""Prices of a lesion's course, and what a partial course may still add to its worth at them.

The recursion and its proof are in `dual`; this is what it leaves: tables on a grid of survivors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.search.free.days.terms import OTHERS, SURVIVORS

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.days.courses import Courses
    from abscopt.optimizer.search.free.days.suffix import Stage


# A chord of the grid is less loose the smaller the step, in time as 1 / step; survivors below
# e^-GRID_END release nothing of weight and share one chord down to none. Both numbers are round.
GRID_STEP = 0.4


GRID_END = 12.0


GRID = np.append(np.exp(-np.arange(0.0, GRID_END + 1e-9, GRID_STEP)), 0.0)
"""Survivors at which the best is stored, as parts of the most; falling, the last is none."""


@dataclass(frozen=True)
class Prices:
    """What one lesion's course is worth: per nat of kill and of effect, of load, of ln O.

    `growth` is the price of a nat of accelerated growth that is not taken off the kill.

    `log_kept` is None in the first form.
    """

    kill: FloatArray
    effect: FloatArray
    load: FloatArray
    log_kept: float | None
    growth: FloatArray

    def worth(self, courses: Courses) -> FloatArray:
        """(n,) of whole courses."""
        total: FloatArray = courses.kill @ self.kill - courses.load @ self.load
        total -= courses.growth @ self.growth
        if self.log_kept is None:
            return total + courses.effect @ self.effect
        others_kept = courses.others_kept
        return (
            total + courses.effect @ self.effect / others_kept + self.log_kept * np.log(others_kept)
        )


@dataclass(frozen=True)
class Ahead:
    """(B, N + 2) and (B,) worth of a state, its effect so far and 1 (`seen`), and a constant."""

    worth: FloatArray
    constant: FloatArray

    def of(self, seen: FloatArray, patterns: IntArray | slice = slice(None)) -> FloatArray:
        """(B, n) for n states, and some patterns."""
        bounds: FloatArray = self.worth[patterns] @ seen.T + self.constant[patterns, None]
        return bounds


@dataclass(frozen=True)
class CostToGo:
    """What may still be added from each stage on, at some prices.

    `best[i]` (B, grid) is the part of doses of the stage's patterns at `top` times the grid,
    `no_dose[i]` and `with_dose[i]` those of the next one's patterns without and with a fraction;
    `release[i]` is the worth of a unit released, `survival` (T, A) per survivor in the unit of the
    grid; `barred[i]` (T + 1, B) is -inf where so many fractions before and the pattern's are not
    in the range, `None` where all are; `grown` (T + 1, T + 1) is the worth of regrowth by positions
    of the first and the last fraction day. `begun[i]` bounds the courses that begin on day i, with
    the pattern `begun_as[i]` of the next stage; `empty` is the worth of none. `by_count` (T + 1,)
    bounds the courses of each number of fractions. `free` (T, 2) says which days may go without and
    with a fraction.
    """

    prices: Prices
    stages: list[Stage]
    reward: FloatArray
    grown: FloatArray
    survival: FloatArray
    top: float
    best: list[FloatArray]
    begun: FloatArray
    begun_as: IntArray
    by_count: FloatArray
    empty: float
    no_dose: list[Ahead]
    with_dose: list[Ahead]
    release: list[FloatArray]
    barred: list[FloatArray] | None
    free: BoolArray

    @property
    def root(self) -> float:
        """Bound of all courses."""
        return max(self.empty, float(self.begun.max()))

    def seen(self, state: FloatArray, effect: FloatArray) -> FloatArray:
        """(n, N + 2) what later days multiply."""
        earned = (effect @ self.prices.effect)[:, None]
        features = np.concatenate([state, earned, np.ones_like(earned)], axis=1)
        return features if self.prices.log_kept is None else features / state[:, OTHERS, None]

    def survivors(self, state: FloatArray) -> FloatArray:
        """(n,) in the unit of the grid."""
        surviving = state[:, SURVIVORS]
        return surviving if self.prices.log_kept is None else surviving / state[:, OTHERS]

    def so_far(
        self, kill: FloatArray, growth: FloatArray, others_kept: FloatArray, load: FloatArray
    ) -> FloatArray:
        """(n,) what partial courses have earned, effect aside."""
        total: FloatArray = kill @ self.prices.kill - load @ self.prices.load
        total -= growth @ self.prices.growth
        return (
            total
            if self.prices.log_kept is None
            else total + self.prices.log_kept * np.log(others_kept)
        )

    def between(self, best: FloatArray, survivors: FloatArray) -> FloatArray:
        """(B, ...) interpolated between grid points, at survivors of any shape."""
        index, weight = place(survivors / self.top)
        interpolated: FloatArray = best[:, index] * (1.0 - weight)
        interpolated += best[:, index + 1] * weight
        return interpolated


def place(survivors: FloatArray) -> tuple[IntArray, FloatArray]:
    """Grid point at or above each number of survivors, and the weight of the next one.

        S = (1 - w) s_k + w s_{k+1},     s_k = exp(-k step) >= S >= s_{k+1},     0 <= w <= 1

    so that k = floor(-ln S / step); the last grid point is 0.
    """
    with np.errstate(divide="ignore"):
        steps = np.minimum(-np.log(survivors) / GRID_STEP, len(GRID) - 1.5)
    index = np.clip(np.floor(steps).astype(np.int64), 0, len(GRID) - 2)
    above, below = GRID[index], GRID[index + 1]
    return index, np.clip((above - survivors) / (above - below), 0.0, 1.0)
