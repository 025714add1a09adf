"""Prices at which the Lagrangian bound of a plan is low, by column generation.

Columns are courses of the parts. The master mixes them within the limits and values the mixture on
concave majorants of the objective, broken at points; its duals are the next prices, taken part of
the way from the best ones known. Whatever the prices are, the bound they give is a bound: no
tolerance of the master enters it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.free.courses import Courses, together
from abscopt.optimizer.free.objective import Slopes, Value
from abscopt.optimizer.solver import SolverError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.free.parts import Look, Part

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROUNDS = 40
STEP = 0.6
BREAKS = 31
WIDE_BREAKS = 9
CURVED = 6.0
MISSED = 20.0
CLOSE = 2e-4
FAIR = 0.1
IDLE = 8
LEVELS = 16
DEEP = 1e-3


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
class Mixture:
    """What a master mixes: (P, H) kill, (P,) fractions, (H,) systemic effect and its saturation.

    The effect is the one that the master counts, at the mean of its logarithm for several parts;
    `systemic` what it takes the saturated one for, `worth` (lesions,) what each lesion's burdens;
    `weights` are those of the pool's courses by part.
    """

    kill: FloatArray
    count: FloatArray
    effect: FloatArray
    systemic: FloatArray
    worth: FloatArray
    weights: tuple[FloatArray, ...]


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


class Master:
    """Best mixture of courses on majorants of the objective, as a linear programme.

    Variables: weights of courses by part, of points of each log burden, the systemic effect of
    each horizon (of a lesion alone its saturated value, else weights of points of ln Z), and what
    kills, fractions and effects lack to reach their ranges, at a high cost. Rows: log burdens,
    tangents (of the saturation, or of the logarithm of G), limits, fractions.
    """

    def __init__(self, value: Value):
        self.value = value
        lesions, horizons = value.whole.local.shape
        wide = np.linspace(value.low, value.high, WIDE_BREAKS, axis=-1)
        near = np.broadcast_to(np.linspace(-CURVED, CURVED, BREAKS), (lesions, horizons, BREAKS))
        near = np.clip(near, value.low[..., None], value.high[..., None])
        self.points = np.concatenate([wide, near], axis=-1).reshape(lesions * horizons, -1)
        if value.alone:
            self.levels = np.linspace(np.zeros(horizons), value.most_effect, BREAKS, axis=1)
            if value.maximum is None:
                self.levels = self.levels[:, :1]
        else:
            low, high = value.cell
            most = high - sum(np.log(part.least_kept) for part in value.parts)
            low = np.maximum(low, high + np.log(DEEP))
            self.levels = np.exp(np.linspace(low, most, LEVELS, axis=1))
        self.logs = np.linspace(value.cell[0], value.cell[1], BREAKS, axis=1)

    def solve(self, pool: Pool) -> tuple[Slopes, float, Mixture]:
        """Duals of the best mixture of the pool's courses, its value and what it mixes."""
        from scipy.optimize import linprog  # type: ignore[import-untyped]

        value, whole = self.value, self.value.whole
        lesions, horizons = whole.local.shape
        parts, sizes = len(pool.courses), [len(one) for one in pool.courses]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        number, cells, breaks = int(begins[-1]), lesions * horizons, self.points.shape[1]
        saved = number + cells * breaks  # where the systemic effect begins
        width = horizons if value.alone else horizons * BREAKS
        lacks = saved + width
        total = lacks + parts * horizons + parts + horizons
        weight = np.repeat(value.per, horizons)
        cost = np.zeros(total)
        cost[number:saved] = (value_of_burden(value.goal, self.points) * weight[:, None]).reshape(
            -1
        )
        cost[lacks:] = -MISSED
        saturated = immune.saturate(np.exp(self.logs), value.maximum)
        equal = np.zeros((parts + cells + (0 if value.alone else horizons), total))
        burdens = np.zeros((cells, total))
        for cell in range(cells):
            s, h = divmod(cell, horizons)
            piece = slice(number + cell * breaks, number + (cell + 1) * breaks)
            equal[parts + cell, piece] = 1.0
            burdens[cell, piece] = -self.points[cell]  # -u <= K + share sat - local
            if value.alone:
                burdens[cell, saved + h] = -whole.share[s]
            else:
                points = slice(saved + h * BREAKS, saved + (h + 1) * BREAKS)
                burdens[cell, points] = -whole.share[s] * saturated[h]
            if s < parts:
                burdens[cell, begins[s] : begins[s + 1]] = -pool.courses[s].kill[:, h]
                burdens[cell, lacks + cell] = -1.0
        limits = np.zeros((len(whole.room) + 2 * parts, total))
        right = list(whole.room)
        tangents, above = self._tangents(pool, begins, saved, total)
        for s, (part, one, span) in enumerate(
            zip(value.parts, pool.courses, value.spans, strict=True)
        ):
            own, row = slice(begins[s], begins[s + 1]), len(whole.room) + 2 * s
            equal[s, own] = 1.0
            count = part.count(one.actions)
            limits[: len(whole.room), own] = one.load.T
            limits[row, own], limits[row + 1, own] = count, -count
            limits[row + 1, lacks + parts * horizons + s] = -1.0
            right += [span.count[1], -span.count[0]]
        if not value.alone:
            for h in range(horizons):
                equal[parts + cells + h, saved + h * BREAKS : saved + (h + 1) * BREAKS] = 1.0
        solved = linprog(
            -cost,
            A_ub=np.concatenate([burdens, tangents, limits]),
            b_ub=np.concatenate([-whole.local.reshape(-1), above, right]),
            A_eq=equal,
            b_eq=np.ones(len(equal)),
            method="highs",
        )
        if solved.status != 0:
            raise SolverError(f"the master of free courses ended with {solved.message}")
        dual = np.maximum(-np.asarray(solved.ineqlin.marginals), 0.0)
        ends = cells + len(tangents)
        slopes = Slopes(
            (dual[:cells] / weight).reshape(lesions, horizons),
            self._effect(dual[cells:ends].reshape(horizons, -1)),
            dual[ends : ends + len(whole.room)],
        )
        mixture = self._mixture(pool, np.asarray(solved.x), begins, saved, saturated)
        return slopes, float(-solved.fun) - whole.cost, mixture

    def _tangents(
        self, pool: Pool, begins: IntArray, saved: int, total: int
    ) -> tuple[FloatArray, FloatArray]:
        """Rows of the effect at every level of every horizon, and their right-hand sides."""
        value, rows, right = self.value, [], []
        for h, levels in enumerate(self.levels):
            for level in levels.tolist():
                row = np.zeros(total)
                if value.alone:
                    slope = self._slope(level)
                    row[saved + h] = 1.0
                    row[begins[0] : begins[1]] = -slope * pool.courses[0].effect[:, h]
                    right.append(float(immune.saturate(level, value.maximum)) - slope * level)
                else:
                    row[saved + h * BREAKS : saved + (h + 1) * BREAKS] = self.logs[h]
                    for s, one in enumerate(pool.courses):
                        gain = one.effect[:, h] / one.kept / level + np.log(one.kept)
                        row[begins[s] : begins[s + 1]] = -gain
                    row[total - len(self.levels) + h] = -1.0
                    right.append(float(value.rest[h] / level - 1.0 + np.log(level)))
                rows.append(row)
        return np.array(rows), np.array(right)

    def _slope(self, level: float) -> float:
        maximum = self.value.maximum
        return 1.0 if maximum is None else (maximum / (level + maximum)) ** 2

    def _effect(self, dual: FloatArray) -> FloatArray:
        """(3, H) of the slopes from the duals (H, levels)."""
        if self.value.alone:
            slopes = np.vectorize(self._slope)(self.levels)
            worth = (dual * slopes).sum(axis=1)
            return np.stack([worth, np.zeros_like(worth), np.zeros_like(worth)])
        found: FloatArray = np.stack(
            [
                (dual / self.levels).sum(axis=1),
                dual.sum(axis=1),
                (dual * (np.log(self.levels) - 1.0)).sum(axis=1),
            ]
        )
        return found

    def _mixture(
        self, pool: Pool, x: FloatArray, begins: IntArray, saved: int, saturated: FloatArray
    ) -> Mixture:
        value, parts = self.value, pool.parts
        mix = [x[a:b] for a, b in itertools.pairwise(begins)]
        kill = np.stack([w @ one.kill for w, one in zip(mix, pool.courses, strict=True)])
        count = [
            float(w @ part.count(one.actions))
            for w, part, one in zip(mix, parts, pool.courses, strict=True)
        ]
        horizons = len(value.whole.horizons)
        if value.alone:
            effect = mix[0] @ pool.courses[0].effect
            systemic = x[saved : saved + horizons]
        else:
            weights = x[saved : saved + horizons * BREAKS].reshape(horizons, BREAKS)
            effect = np.exp((weights * self.logs).sum(axis=1))
            systemic = (weights * saturated).sum(axis=1)
        points = x[begins[-1] : begins[-1] + self.points.size].reshape(self.points.shape)
        worth = (points * value_of_burden(value.goal, self.points)).sum(axis=1)
        by_lesion = worth.reshape(-1, horizons).sum(axis=1) * value.per
        return Mixture(kill, np.array(count), effect, systemic, by_lesion, tuple(mix))
