"""Multipliers at which the Lagrangian bound of a plan is low, by column generation.

Lagrangian relaxation (Geoffrion 1974, Lagrangean relaxation for integer programming; Fisher 1981,
The Lagrangian relaxation method for solving integer programming problems): for any multipliers
(k, effect, y) >= 0

    L = constant(k, effect, y) + sum_s max_{c in span of s} worth_s(c; k, effect, y)

bounds every schedule of the node. Columns are courses of the lesions, each with the effect that the
bound counted it for. The master mixes them within the limits and values the mixture on concave
majorants of the objective, broken at points; its duals are the next multipliers, taken part of the
way from the best ones known. Whatever they are, the bound they give is a bound: no tolerance of
the master enters it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.mip import DoubtError, finite
from abscopt.optimizer.search.free.master import Master, Mixture
from abscopt.optimizer.search.free.objective import Slopes, Value
from abscopt.optimizer.search.free.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.search.free.part import Look, Part


ROUNDS = 40
STEP = 0.6
CLOSE = 2e-4
FAIR = 0.1
IDLE = 8
TOLD = 30


@dataclass(frozen=True)
class Tried:
    """Prices, and what the parts of a node and of all within it are worth at them at most.

    By part and number of fractions.
    """

    slopes: Slopes
    worth: tuple[FloatArray, ...]

    def with_rows(self, number: int) -> Tried:
        """The same with so many rows more, without a price."""
        return replace(self, slopes=self.slopes.with_rows(number))


@dataclass(frozen=True)
class Priced:
    """Best bound of a plan with what the parts know at its prices; `constant` is theirs to add to.

    `mixture` is the master's of the courses of the pool; `tried` are prices that hold for the node,
    the last ones last.
    """

    bound: float
    constant: float
    looks: tuple[Look, ...]
    slopes: Slopes
    mixture: Mixture
    pool: Pool
    tried: tuple[Tried, ...] = ()


def priced(
    value: Value,
    parts: Sequence[Part],
    pool: Pool,
    stop: Callable[[], bool],
    target: float = -np.inf,
    rounds: int = ROUNDS,
    first: Slopes | None = None,
    before: tuple[Tried, ...] = (),
    *,
    fine: bool = True,
) -> Priced:
    """Multipliers for some spans and a cell of one plan, with columns from and into a pool.

    In each round, L as in the module by the oracles, their maximizers as columns, the master's
    duals, and the next multipliers between the best and those, smoothed against oscillation as in
    stabilized column generation (Desaulniers, Desrosiers and Solomon 2005, Column Generation):

        tried = best + STEP (duals - best),     all the way when no column was new

    Stops at a bound <= target, when better multipliers would lower it by a small share of what it
    is above the target (the master's value is the lowest that the columns allow), or after some
    rounds without gain.
    """
    best: Priced | None = None
    master = Master(value)
    wanted, mixed, mixture = master.solve(pool)
    tried, idle = wanted if first is None else first, 0
    known = list(before)
    for turn in range(rounds):
        constant, prices = value.prices(tried)
        looks = tuple(
            part.look(price, span, fine)
            for part, price, span in zip(parts, prices, value.spans, strict=True)
        )
        bound = constant + sum(look.bound for look in looks)
        finite("a Lagrangian bound", np.array(constant))
        if math.isnan(bound):
            raise DoubtError("a Lagrangian bound is NaN")
        known.append(Tried(tried, tuple(look.by_count for look in looks)))
        idle += 1
        if best is None or bound < best.bound:
            idle = 0 if best is None or bound < best.bound - CLOSE else idle
            best = Priced(bound, constant, looks, tried, mixture, pool)
        if best.bound <= target or stop() or turn + 1 == rounds or idle > IDLE:
            break
        new = pool.add([part.follow(look) for part, look in zip(parts, looks, strict=True)])
        wanted, mixed, mixture = master.solve(pool)
        fair = FAIR * min(best.bound - target, 1.0)
        if best.bound - mixed < max(CLOSE, fair):
            break
        tried = best.slopes.towards(wanted, STEP if new else 1.0)
    assert best is not None
    return replace(best, mixture=mixture, tried=tuple(known[-TOLD:]))
