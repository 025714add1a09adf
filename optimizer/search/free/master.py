"""The master of the Lagrangian bound: the best mixture of courses, as a linear programme.

It grows by columns, the courses met so far, and keeps its basis. Rows come first, in the order
log burdens, effect, limits, fraction numbers; then what sums to 1: the courses of each part, the
points of each burden and of each horizon's effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.search.free.objective import Slopes
from abscopt.optimizer.solver import ColumnMaster

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.days.courses import Courses
    from abscopt.optimizer.search.free.objective import Value
    from abscopt.optimizer.search.free.pool import Pool


BREAKS = 31
WIDE_BREAKS = 9
CURVED = 6.0
MISSED = 20.0
LEVELS = 16
DEEP = 1e-3


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


class Master:
    """Best mixture of courses on concave majorants of the objective, broken at points.

    Variables: weights of points of each log burden and of the effect of each horizon (of a lesion
    alone Z, else ln Z), what kills, fractions and effects lack to reach their ranges, at a high
    cost, and weights of courses by part.
    """

    def __init__(self, value: Value):
        self.value = value
        lesions, horizons = value.whole.local.shape
        wide = np.linspace(value.low, value.high, WIDE_BREAKS, axis=-1)
        near = np.broadcast_to(np.linspace(-CURVED, CURVED, BREAKS), (lesions, horizons, BREAKS))
        near = np.clip(near, value.low[..., None], value.high[..., None])
        self.points = np.concatenate([wide, near], axis=-1).reshape(lesions * horizons, -1)
        self.worth = value_of_burden(value.goal, self.points)
        if value.alone:
            self.at = np.linspace(np.zeros(horizons), value.most_effect, BREAKS, axis=1)
            self.levels, self.saturated = np.ones((horizons, 1)), self.at
        else:
            low, high = value.cell
            most = high - sum(np.log(part.least_kept) for part in value.parts)
            low = np.maximum(low, high + np.log(DEEP))
            self.at = np.linspace(value.cell[0], high, BREAKS, axis=1)
            self.levels = np.exp(np.linspace(low, most, LEVELS, axis=1))
            self.saturated = np.exp(self.at)
        self.saturated = immune.saturate(self.saturated, value.maximum)
        self._master = self._begun()
        self._known = [0] * len(value.parts)
        self._part_of = np.zeros(0, dtype=np.int64)

    def _begun(self) -> ColumnMaster:
        """All rows, and all columns but those of courses."""
        value, whole = self.value, self.value.whole
        cells, parts, horizons = self.points.shape[0], len(value.parts), len(self.at)
        above = np.zeros_like(self.levels)
        if not value.alone:
            above = value.rest[:, None] / self.levels - 1.0 + np.log(self.levels)
        counts = [np.array([span.count[1], -span.count[0]], dtype=float) for span in value.spans]
        right = [-whole.local.reshape(-1), above.reshape(-1), whole.room, *counts]
        sizes = [cells, above.size, len(whole.room), 2 * parts, parts, cells, horizons]
        places = np.cumsum([0, *sizes]).tolist()
        burden, effect, limit, count, part, point, level, rows = places
        self._rows = {"burden": burden, "effect": effect, "limit": limit, "count": count,
                      "part": part, "end": rows}  # fmt: skip
        upper = np.concatenate([*right, np.ones(rows - part)])
        master = ColumnMaster(np.where(np.arange(rows) < part, -np.inf, upper), upper)
        points = np.zeros((cells, self.points.shape[1], rows))
        every = np.arange(cells)
        points[every, :, every] = -self.points  # -u <= K + share sat - local
        points[every, :, point + every] = 1.0
        weight = np.repeat(value.per, horizons)[:, None]
        master.add((self.worth * weight).reshape(-1), points.reshape(-1, rows))
        levels = np.zeros((horizons, BREAKS, rows))
        for h in range(horizons):
            levels[h][:, burden + h : effect : horizons] = -np.outer(self.saturated[h], whole.share)
            own = slice(effect + h * self.levels.shape[1], effect + (h + 1) * self.levels.shape[1])
            levels[h][:, own] = self.at[h][:, None]
        levels[np.arange(horizons), :, level + np.arange(horizons)] = 1.0
        master.add(np.zeros(horizons * BREAKS), levels.reshape(-1, rows))
        lacks = np.zeros((parts * horizons + parts + horizons, rows))
        lacks[np.arange(parts * horizons), np.arange(parts * horizons)] = -1.0
        every = np.arange(parts)
        lacks[parts * horizons + every, count + 1 + 2 * every] = -1.0
        for h in range(horizons):
            first = effect + h * self.levels.shape[1]
            lacks[len(lacks) - horizons + h, first : first + self.levels.shape[1]] = -1.0
        master.add(np.full(len(lacks), -MISSED), lacks)
        return master

    def _columns(self, s: int, one: Courses) -> FloatArray:
        """(n, rows) of courses of a part."""
        rows, horizons, number = self._rows, one.kill.shape[1], len(one)
        found = np.zeros((number, rows["end"]))
        found[:, s * horizons : (s + 1) * horizons] = -one.kill
        gain = np.repeat(one.effect[:, :, None], self.levels.shape[1], axis=2)
        if not self.value.alone:
            gain = gain / one.kept[:, None, None] / self.levels + np.log(one.kept)[:, None, None]
        found[:, rows["effect"] : rows["limit"]] = -gain.reshape(number, -1)
        found[:, rows["limit"] : rows["count"]] = one.load
        count = self.value.parts[s].count(one.actions)
        found[:, rows["count"] + 2 * s], found[:, rows["count"] + 2 * s + 1] = count, -count
        found[:, rows["part"] + s] = 1.0
        return found

    def solve(self, pool: Pool) -> tuple[Slopes, float, Mixture]:
        """Duals of the best mixture of the pool's courses, its value and what it mixes.

        The pool may only have grown since the last call.
        """
        for s, one in enumerate(pool.courses):
            new = one.take(slice(self._known[s], None))
            if len(new):
                self._master.add(np.zeros(len(new)), self._columns(s, new))
                self._part_of = np.append(self._part_of, np.full(len(new), s))
                self._known[s] = len(one)
        dual = np.maximum(self._master.duals(), 0.0)
        rows, value = self._rows, self.value
        shape = value.whole.local.shape
        slopes = Slopes(
            dual[: rows["effect"]].reshape(shape) / value.per[:, None],
            self._slopes(dual[rows["effect"] : rows["limit"]].reshape(self.levels.shape)),
            dual[rows["limit"] : rows["count"]],
        )
        mixture = self._mixture(pool, self._master.weights())
        return slopes, self._master.objective - value.whole.cost, mixture

    def _slopes(self, dual: FloatArray) -> FloatArray:
        """(3, H) prices of effect from duals (H, levels)."""
        price = dual.sum(axis=1)
        if self.value.alone:
            return np.stack([price, np.zeros_like(price), np.zeros_like(price)])
        offset = (dual * (np.log(self.levels) - 1.0)).sum(axis=1)
        return np.stack([(dual / self.levels).sum(axis=1), price, offset])

    def _mixture(self, pool: Pool, x: FloatArray) -> Mixture:
        value, shape = self.value, self.points.shape
        points = x[: self.points.size].reshape(shape)
        levels = x[self.points.size : self.points.size + self.at.size].reshape(self.at.shape)
        own = x[len(x) - len(self._part_of) :]
        mix = [own[self._part_of == s] for s in range(len(value.parts))]
        effect = (levels * self.at).sum(axis=1)
        worth = (points * self.worth).sum(axis=1)
        by_part = list(zip(mix, pool.courses, strict=True))
        return Mixture(
            np.stack([w @ one.kill for w, one in by_part]),
            np.array(
                [
                    w @ part.count(one.actions)
                    for (w, one), part in zip(by_part, value.parts, strict=True)
                ]
            ),
            effect if value.alone else np.exp(effect),
            (levels * self.saturated).sum(axis=1),
            worth.reshape(-1, len(self.at)).sum(axis=1) * value.per,
            tuple(mix),
        )
