"""Multipliers at which the Lagrangian bound of a plan is low, by column generation.

Lagrangian relaxation (Geoffrion 1974, Lagrangean relaxation for integer programming; Fisher 1981,
The Lagrangian relaxation method for solving integer programming problems): for any multipliers
(k, effect, y) >= 0

    L = constant(k, effect, y) + sum_s max_{c in span of s} worth_s(c; k, effect, y)

bounds every schedule of the node. Columns are courses of the lesions, each with the effect that the
bound counted it for. The master mixes them within the limits and values the mixture on concave
majorants of the objective, broken at points; its duals are the next multipliers, taken some of the
way from the best ones known. Whatever they are, the bound they give is a bound: no tolerance of
the master enters it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.highs.mip import DoubtError, finite
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.bounds.master import Master, Mixture
from abscopt.optimizer.search.free.bounds.objective import Multipliers, NodeDomain
from abscopt.optimizer.search.free.bounds.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.search.free.bounds.oracle import LesionOracle, OracleBound


@dataclass(frozen=True)
class TriedMultipliers:
    """Prices, and what the lesions of a node and of all within it are worth at them at most.

    By lesion and number of fractions.
    """

    multipliers: Multipliers
    worth: tuple[FloatArray, ...]

    def with_rows(self, number: int) -> TriedMultipliers:
        """The same with so many rows more, without a price."""
        return replace(self, multipliers=self.multipliers.with_rows(number))


@dataclass(frozen=True)
class NodeBound:
    """Best bound of a node, the answers of the oracles at its multipliers, and their `constant`.

    `mixture` is the master's of the courses of the pool; `tried` are prices that hold for the node,
    the last ones last.
    """

    bound: float
    constant: float
    oracle_bounds: tuple[OracleBound, ...]
    multipliers: Multipliers
    mixture: Mixture
    pool: Pool
    tried: tuple[TriedMultipliers, ...] = ()


def lagrangian_bound(
    domain: NodeDomain,
    oracles: Sequence[LesionOracle],
    pool: Pool,
    stop: Callable[[], bool],
    target: float = -np.inf,
    rounds: int | None = None,
    first: Multipliers | None = None,
    before: tuple[TriedMultipliers, ...] = (),
    *,
    fine: bool = True,
) -> NodeBound:
    """Multipliers for some spans and a cell of one plan, with columns from and into a pool.

    In each round, L as in the module by the oracles, their maximizers as columns, the master's
    duals, and the next multipliers between the best and those, smoothed against oscillation as in
    stabilized column generation (Desaulniers, Desrosiers and Solomon 2005, Column Generation):

        tried = best + step (duals - best),     all the way when no column was new

    Stops at a bound <= target, when better multipliers would lower it by a small share of what it
    is above the target (the master's value is the lowest that the columns allow), or after some
    rounds without gain.
    """
    rounds = settings.CURRENT.rounds if rounds is None else rounds
    best: NodeBound | None = None
    master = Master(domain)
    wanted, mixed, mixture = master.solve(pool)
    tried, idle = wanted if first is None else first, 0
    known = list(before)
    for turn in range(rounds):
        constant, prices = domain.prices(tried)
        oracle_bounds = tuple(
            oracle.maximize(price, span, fine)
            for oracle, price, span in zip(oracles, prices, domain.spans, strict=True)
        )
        bound = constant + sum(oracle_bound.bound for oracle_bound in oracle_bounds)
        finite("a Lagrangian bound", np.array(constant))
        if math.isnan(bound):
            raise DoubtError("a Lagrangian bound is NaN")
        known.append(
            TriedMultipliers(tried, tuple(oracle_bound.by_count for oracle_bound in oracle_bounds))
        )
        idle += 1
        if best is None or bound < best.bound:
            idle = 0 if best is None or bound < best.bound - settings.CURRENT.close else idle
            best = NodeBound(bound, constant, oracle_bounds, tried, mixture, pool)
        if best.bound <= target or stop() or turn + 1 == rounds or idle > settings.CURRENT.idle:
            break
        new = pool.add(
            [
                oracle.maximizer(oracle_bound)
                for oracle, oracle_bound in zip(oracles, oracle_bounds, strict=True)
            ]
        )
        wanted, mixed, mixture = master.solve(pool)
        fair = settings.CURRENT.fair * min(best.bound - target, 1.0)
        if best.bound - mixed < max(settings.CURRENT.close, fair):
            break
        tried = best.multipliers.towards(wanted, settings.CURRENT.step if new else 1.0)
    assert best is not None
    return replace(best, mixture=mixture, tried=tuple(known[-settings.CURRENT.remembered :]))
