"""Values of all kinds of course at systemic log kills, and the greatest Lagrangian value of a cell.

A lesion's value falls with its log burdens without systemic effect and rises with its shares of
the effect. Kinds near each other in both form a leaf, whose corner - the least burdens, the
greatest shares - is worth at least as much as any of them: of very many kinds only those of a few
leaves are looked at one by one. Values of leaves are remembered by horizon, as a value is a mean
over horizons and cells, halved geometrically, meet at few kills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.value import controllable, lesion_value
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform.bounds.cells import corners
from abscopt.optimizer.search.uniform.bounds.chords import above_chord

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.coefficients import Shared
    from abscopt.optimizer.candidates.table import Candidates


MOST_BYTES = 60_000_000
MOST_LEAVES = 2048
FIRST_ROWS = 64
CHUNK = 128
FEW = 0.2


@dataclass(frozen=True)
class _Leaves:
    """Groups of kinds that are near each other.

    Attributes
    ----------
    order : (kinds,) leaf by leaf; in a leaf rising
    starts, sizes : (leaves,)
    of : (kinds,) leaf of each kind
    """

    order: IntArray
    starts: IntArray
    sizes: IntArray
    of: IntArray

    @property
    def single(self) -> bool:
        """Whether every leaf is one kind."""
        return len(self.starts) == len(self.order)

    def least(self, values: FloatArray) -> FloatArray:
        """(leaves, ...) least of values of the kinds."""
        return values if self.single else np.minimum.reduceat(values[self.order], self.starts)

    def greatest(self, values: FloatArray) -> FloatArray:
        """(leaves, ...) greatest of values of the kinds."""
        return values if self.single else np.maximum.reduceat(values[self.order], self.starts)


def _leaves(features: FloatArray, most: int) -> _Leaves:
    """Halve kinds along their widest feature until a leaf has at most kinds / `most` of them."""
    kinds = len(features)
    if kinds <= most:
        each = np.arange(kinds)
        return _Leaves(each, each, np.ones(kinds, dtype=np.int64), each)
    size = -(-kinds // most)
    stack, found = [np.arange(kinds)], []
    while stack:
        own = stack.pop()
        if len(own) <= size:
            found.append(np.sort(own))
            continue
        part = features[own]
        widest = part[:, int(np.ptp(part, axis=0).argmax())]
        middle = len(own) // 2
        halves = np.argpartition(widest, middle)
        stack += [own[halves[middle:]], own[halves[:middle]]]
    sizes = np.array([len(own) for own in found])
    of = np.empty(kinds, dtype=np.int64)
    order = np.concatenate(found)
    of[order] = np.repeat(np.arange(len(found)), sizes)
    return _Leaves(order, np.cumsum(sizes) - sizes, sizes, of)


class _Memo:
    """Rows of numbers for all leaves by key; forgotten when they take too much memory."""

    def __init__(self, leaves: int, memos: int):
        self.leaves, self.most = leaves, MOST_BYTES // (16 * memos * leaves)
        self._place: dict[tuple[float, ...], int] = {}
        self._known = np.empty((FIRST_ROWS, leaves))

    def rows(
        self,
        keys: FloatArray,
        live: IntArray,
        of: Callable[[FloatArray, slice], FloatArray],
    ) -> FloatArray:
        """(n, live) rows of keys (n, m); `of` computes what is new."""
        if len(self._place) + len(keys) > max(self.most, len(keys)):
            self._place.clear()
        asked = list(zip(*keys.T.tolist(), strict=True))
        new = [key for key in dict.fromkeys(asked) if key not in self._place]
        begin, end = len(self._place), len(self._place) + len(new)
        self._place.update({key: begin + i for i, key in enumerate(new)})
        if len(self._known) < end:
            grown = np.empty((max(end, 2 * len(self._known)), self.leaves))
            grown[:begin] = self._known[:begin]
            self._known = grown
        if new:
            self._known[begin:end] = of(np.array(new), slice(None))
        rows = np.array([self._place[key] for key in asked], dtype=np.int64)
        return self._known[rows] if len(live) == self.leaves else self._known[rows[:, None], live]


class LesionValues:
    """Weighted values of one lesion's kinds.

    Parameters
    ----------
    weight : of the lesion in the objective
    shared : of the kinds under one group of plans
    share : (kinds, clones) of the systemic effect
    most : log burden that the lesion may have at the last horizon, if it demands control
    """

    def __init__(
        self,
        instance: Instance,
        weight: float,
        shared: Shared,
        share: FloatArray,
        most: float | None = None,
    ):
        self.instance, self.weight, self.most = instance, weight, most
        self.systemic = instance.objective.kind != "tumor_bed"
        self.horizons = len(instance.horizon_days) if self.systemic else 0
        self.local, self.share, self.tumor_bed = shared.local, share, shared.tumor_bed
        if not self.systemic:
            self.leaves = _leaves(self.tumor_bed[:, None], len(self.tumor_bed))
            self._values, self._rises = [], []
            return
        features = [shared.local.reshape(len(shared.local), -1), share]
        self.leaves = _leaves(np.concatenate(features, axis=1), MOST_LEAVES)
        self.corner = self.leaves.least(shared.local), self.leaves.greatest(share)
        leaves = len(self.leaves.starts)
        self._values = [_Memo(leaves, self.horizons) for _ in range(self.horizons)]
        self._rises = [_Memo(leaves, self.horizons) for _ in range(self.horizons)]

    def at(self, kill: FloatArray, kinds: IntArray) -> FloatArray:
        """(n,) values of some kinds at a raw log kill (horizons,)."""
        if not self.systemic:
            return self.weight * self.tumor_bed[kinds]
        local, share = self.local[kinds], self.share[kinds]
        parts = [self._part(h, local, share, kill[h]) for h in range(self.horizons)]
        total: FloatArray = np.sum(parts, axis=0)
        return total

    def reaches(self, kill: FloatArray, kinds: IntArray) -> BoolArray:
        """(n,) whether some kinds keep what the lesion demands at a raw log kill (horizons,)."""
        if self.most is None:
            return np.ones(len(kinds), dtype=bool)
        return self._reaches(self.local[kinds], self.share[kinds], kill[-1])

    def _reaches(self, local: FloatArray, share: FloatArray, kill: FloatArray | float) -> BoolArray:
        """Whether burdens keep the demand at raw log kills of the last horizon."""
        assert self.most is not None
        saturated = immune.saturate(kill, self.instance.immune.effect_maximum_nats)
        return controllable(local, share, np.asarray(saturated), self.most)

    def best_at(self, kills: FloatArray, terms: FloatArray) -> FloatArray:
        """(m, n) greatest value + term of any kind at raw log kills (n, horizons).

        Parameters
        ----------
        terms : (m, kinds) of multipliers; -inf for kinds that do not count
        """
        return self.best(kills, None, terms)[0][:, :, 0]

    def best(
        self, low: FloatArray, high: FloatArray | None, terms: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(m, cells, corners) no kind's chord, raised over its value, + term is greater.

        Kinds that fall short of a demand even at a cell's upper end do not count there. Corners
        of the cells (cells, horizons) in the order of `cells.corners`. Second, by how much the
        chord of the leaf that is greatest was raised. Without an upper end: of points.
        """
        greatest = self.leaves.greatest(terms.T).T
        live = np.flatnonzero((greatest > -np.inf).any(axis=0))
        shape = len(terms), len(low), 1 if high is None else 2**self.horizons
        value, rise = np.full(shape, -np.inf), np.zeros(shape)
        step = max(1, CHUNK // len(terms))
        for begin in range(0, len(low) if len(live) else 0, step):
            tick()
            part = slice(begin, begin + step)
            ends = None if high is None else high[part]
            found = self._opened(low[part], ends, terms, live, greatest[:, live])
            value[:, part], rise[:, part] = found
        return value, rise

    def _opened(
        self,
        low: FloatArray,
        high: FloatArray | None,
        terms: FloatArray,
        live: IntArray,
        greatest: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Greatest value of the kinds; only leaves that may hold it are looked into."""
        upper = self._leaf_values(low, high, live)
        rises = None if high is None else self._rises_of(low, high, live)
        if rises is not None:
            upper = upper + rises[:, None]
        if self.most is not None:
            upper = np.where(self._leaves_reach(low, high, live)[:, None], upper, -np.inf)
        cells, number, leaves = upper.shape
        flat = (upper + greatest[:, None, None]).reshape(-1, leaves)
        every, leaf = np.arange(len(flat)), flat.argmax(axis=1)
        one, place = np.divmod(every, cells * number)
        cell = place // number
        if not self.leaves.single:
            kills = low if high is None else corners(low, high).reshape(-1, self.horizons)
            rows, known = every, np.zeros(flat.shape, dtype=bool)
            while len(rows):
                rows = rows[~known[rows, leaf[rows]]]
                own = None if high is None else (low[cell[rows]], high[cell[rows]])
                flat[rows, leaf[rows]] = self._exact(
                    kills[place[rows]], own, live[leaf[rows]], terms, one[rows]
                )
                known[rows, leaf[rows]] = True
                leaf[rows] = flat[rows].argmax(axis=1)
        rise = np.zeros(len(every)) if rises is None else rises[cell, leaf]
        shape = len(terms), cells, number
        return flat[every, leaf].reshape(shape), rise.reshape(shape)

    def _leaves_reach(self, low: FloatArray, high: FloatArray | None, live: IntArray) -> BoolArray:
        """(cells, live) whether the corner of a leaf keeps the demand at a cell's upper end."""
        local, share = self.corner
        end = (low if high is None else high)[:, [-1]]
        return self._reaches(local[live][None], share[live][None], end)

    def ceilings(
        self, low: FloatArray, high: FloatArray, terms: FloatArray, others: FloatArray
    ) -> FloatArray:
        """(kinds,) greatest of others + chord, raised, in any cell; that of a kind's leaf.

        Parameters
        ----------
        low, high : (cells, horizons)
        terms : (kinds,) -inf for kinds that do not count
        others : (cells, corners)
        """
        live = np.flatnonzero(self.leaves.greatest(terms) > -np.inf)
        room = np.full(len(self.leaves.starts), -np.inf)
        for begin in range(0, len(low), CHUNK):
            tick()
            part = slice(begin, begin + CHUNK)
            value = self._leaf_values(low[part], high[part], live) + others[part][:, :, None]
            most = value.max(axis=1) + self._rises_of(low[part], high[part], live)
            if self.most is not None:
                most = np.where(self._leaves_reach(low[part], high[part], live), most, -np.inf)
            room[live] = np.maximum(room[live], most.max(axis=0, initial=-np.inf))
        return np.where(terms > -np.inf, room[self.leaves.of], -np.inf)

    def _exact(
        self,
        kills: FloatArray,
        ends: tuple[FloatArray, FloatArray] | None,
        leaf: IntArray,
        terms: FloatArray,
        one: IntArray,
    ) -> FloatArray:
        """(n,) greatest value + term of the kinds of one leaf each, at one kill each.

        Parameters
        ----------
        one : (n,) which of the terms (m, kinds)
        """
        sizes = self.leaves.sizes[leaf]
        offset = np.minimum(np.arange(int(sizes.max(initial=1))), sizes[:, None] - 1)
        kinds = self.leaves.order[self.leaves.starts[leaf][:, None] + offset]
        local, share = self.local[kinds], self.share[kinds]
        total = terms[one[:, None], kinds]
        for h in range(self.horizons):
            total += self._part(h, local, share, kills[:, h][:, None])
            if ends is not None:
                total += self._rise(h, local, share, *(end[:, h][:, None] for end in ends))
        if self.most is not None:
            end = kills if ends is None else ends[1]
            total = np.where(self._reaches(local, share, end[:, [-1]]), total, -np.inf)
        return np.asarray(total.max(axis=1))

    def _leaf_values(self, low: FloatArray, high: FloatArray | None, live: IntArray) -> FloatArray:
        """(cells, corners, live) no kind of some leaves is worth more in a corner of a cell."""
        number = 1 if high is None else 2**self.horizons
        if not self.systemic:
            shape = len(low), number, len(live)
            return np.broadcast_to(self.weight * self.tumor_bed[live], shape)
        total = np.zeros((len(low), number, len(live)))
        for h in range(self.horizons):
            ends = low[None, :, h] if high is None else np.stack([low[:, h], high[:, h]])
            found = self._rows(
                self._values[h], ends.reshape(-1, 1), live, partial(self._leaf_part, h)
            )
            upper = np.arange(number) >> h & 1
            total += found.reshape(len(ends), len(low), -1)[upper].swapaxes(0, 1)
        return total

    def _rises_of(self, low: FloatArray, high: FloatArray, live: IntArray) -> FloatArray:
        """(cells, live) how far the values of some leaves rise above their chords."""
        total = np.zeros((len(low), len(live)))
        for h in range(self.horizons):
            ends = np.stack([low[:, h], high[:, h]], axis=1)
            total += self._rows(self._rises[h], ends, live, partial(self._leaf_rise, h))
        return total

    def _rows(
        self, memo: _Memo, keys: FloatArray, live: IntArray, of: Callable[..., FloatArray]
    ) -> FloatArray:
        """(n, live) numbers of some leaves; remembered for all, or of few computed anew."""
        if len(live) < FEW * len(self.leaves.starts):
            return of(keys, live)
        return memo.rows(keys, live, of)

    def _leaf_part(self, h: int, keys: FloatArray, live: IntArray | slice) -> FloatArray:
        local, share = self.corner
        return self._part(h, local[live][None], share[live][None], keys)

    def _leaf_rise(self, h: int, keys: FloatArray, live: IntArray | slice) -> FloatArray:
        local, share = self.corner
        return self._rise(h, local[live][None], share[live][None], keys[:, :1], keys[:, 1:])

    def _part(
        self, h: int, local: FloatArray, share: FloatArray, kill: FloatArray | float
    ) -> FloatArray:
        """What one horizon adds to weighted values; the arrays broadcast before their last axes."""
        saturated = immune.saturate(kill, self.instance.immune.effect_maximum_nats)
        part: FloatArray = (self.weight / self.horizons) * lesion_value(
            self.instance.objective, local[..., [h], :], share, np.asarray(saturated)[..., None]
        )
        return part

    def _rise(
        self, h: int, local: FloatArray, share: FloatArray, low: FloatArray, high: FloatArray
    ) -> FloatArray:
        """How far what one horizon adds rises above its chord between two kills."""
        goal, most = self.instance.objective, self.instance.immune.effect_maximum_nats
        rise = above_chord(goal, local[..., h, :], share, low, high, most)
        return (self.weight / self.horizons) * rise


class Values:
    """Values of the kinds of all lesions under one group of plans.

    Parameters
    ----------
    share : per lesion (kinds, clones) of the systemic effect
    """

    def __init__(
        self, candidates: Candidates, shared: tuple[Shared, ...], share: tuple[FloatArray, ...]
    ):
        self.lesions = tuple(
            LesionValues(
                candidates.instance,
                candidates.lesion_of(table).weight,
                one,
                own,
                candidates.controlled.get(s),
            )
            for s, (table, one, own) in enumerate(
                zip(candidates.lesions, shared, share, strict=True)
            )
        )
