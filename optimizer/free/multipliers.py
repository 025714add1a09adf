"""Prices at which the Lagrangian bound of a plan is low, by column generation.

Columns are courses of the parts. The master mixes them within the limits and values the mixture on
concave majorants of the objective, broken at points; its duals are the next prices, taken part of
the way from the best ones known. Whatever the prices are, the bound they give is a bound: no
tolerance of the master enters it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.free.courses import Courses, together
from abscopt.optimizer.free.master import Master, Mixture
from abscopt.optimizer.free.objective import Slopes, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.free.parts import Look, Part

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROUNDS = 40
STEP = 0.6
CLOSE = 2e-4
FAIR = 0.1
IDLE = 8


class Pool:
    """Courses met so far, by part, the empty one among them."""

    def __init__(self, parts: Sequence[Part], actions: Sequence[IntArray] | None = None):
        self.parts, self.courses = parts, list[Courses]()
        for s, part in enumerate(parts):
            known = [part.nothing] if actions is None else [part.nothing, actions[s]]
            self.courses.append(part.of(np.unique(np.concatenate(known), axis=0))[0])

    @property
    def actions(self) -> list[IntArray]:
        """(n, T) by part."""
        return [one.actions for one in self.courses]

    def add(self, row: Sequence[IntArray]) -> bool:
        """Add a course of each part; False if all are known."""
        new = False
        for s, (part, course) in enumerate(zip(self.parts, row, strict=True)):
            if not (self.courses[s].actions == course).all(axis=1).any():
                self.courses[s] = together([self.courses[s], part.of(course[None, :])[0]])
                new = True
        return new


@dataclass(frozen=True)
class Priced:
    """Best bound of a plan with what the parts know at its prices; `constant` is theirs to add to.

    `mixed` is the master's value, `mixture` its mixture of courses.
    """

    bound: float
    constant: float
    looks: tuple[Look, ...]
    slopes: Slopes
    mixed: float
    mixture: Mixture


def priced(
    value: Value,
    parts: Sequence[Part],
    pool: Pool,
    stop: Callable[[], bool],
    target: float = -np.inf,
    rounds: int = ROUNDS,
    first: Slopes | None = None,
    *,
    fine: bool = True,
) -> Priced:
    """Prices for some spans and a cell of one plan.

    Stops at a bound <= target, or when better prices would lower it by a small part of what it is
    above the target.
    """
    best: Priced | None = None
    master = Master(value)
    wanted, mixed, mixture = master.solve(pool)
    tried, idle = wanted if first is None else first, 0
    for turn in range(rounds):
        constant, prices = value.prices(tried)
        looks = tuple(
            part.look(price, span, fine)
            for part, price, span in zip(parts, prices, value.spans, strict=True)
        )
        bound = constant + sum(look.bound for look in looks)
        idle += 1
        if best is None or bound < best.bound:
            idle = 0 if best is None or bound < best.bound - CLOSE else idle
            best = Priced(bound, constant, looks, tried, mixed, mixture)
        if best.bound <= target or stop() or turn + 1 == rounds or idle > IDLE:
            break
        new = pool.add([part.follow(look) for part, look in zip(parts, looks, strict=True)])
        wanted, mixed, mixture = master.solve(pool)
        fair = 0.0 if value.alone else FAIR * min(best.bound - target, 1.0)
        if best.bound - mixed < max(CLOSE, fair):
            break
        tried = best.slopes.towards(wanted, STEP if new else 1.0)
    assert best is not None
    return Priced(best.bound, best.constant, best.looks, best.slopes, mixed, mixture)
