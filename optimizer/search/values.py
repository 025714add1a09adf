"""Values of all kinds of course at systemic log kills, and the greatest Lagrangian value of a cell.

A lesion's value falls with its log burdens without systemic effect and rises with its shares of
the effect. Kinds near each other in both form a leaf, whose corner - the least burdens, the
greatest shares - is worth at least as much as any of them: of very many kinds only those of a few
leaves are looked at one by one. Values of corners are remembered by horizon, as a value is a mean
over horizons and cells, halved geometrically, meet at few kills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune
from abscopt.optimizer.candidates.value import lesion_value

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.coefficients import Shared
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_BYTES = 60_000_000
MOST_LEAVES = 2048
FIRST_ROWS = 64
CHUNK = 256
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


class LesionValues:
    """Weighted values of one lesion's kinds.

    Parameters
    ----------
    weight : of the lesion in the objective
    shared : of the kinds under one group of plans
    share : (kinds, clones) of the systemic effect
    """

    def __init__(self, instance: Instance, weight: float, shared: Shared, share: FloatArray):
        self.instance, self.weight = instance, weight
        self.systemic = instance.objective.kind != "tumor_bed"
        self.horizons = len(instance.horizon_days) if self.systemic else 0
        self.local, self.share, self.tumor_bed = shared.local, share, shared.tumor_bed
        if not self.systemic:
            self.leaves = _leaves(self.tumor_bed[:, None], len(self.tumor_bed))
            return
        features = [shared.local.reshape(len(shared.local), -1), share]
        self.leaves = _leaves(np.concatenate(features, axis=1), MOST_LEAVES)
        self.corner = self.leaves.least(shared.local), self.leaves.greatest(share)
        self._clear()

    def _clear(self) -> None:
        self._place: list[dict[float, int]] = [{} for _ in range(self.horizons)]
        leaves = len(self.leaves.starts)
        self._known = [np.empty((FIRST_ROWS, leaves)) for _ in range(self.horizons)]

    def at(self, kill: FloatArray, kinds: IntArray) -> FloatArray:
        """(n,) values of some kinds at a raw log kill (horizons,)."""
        if not self.systemic:
            return self.weight * self.tumor_bed[kinds]
        local, share = self.local[kinds], self.share[kinds]
        parts = [self._part(h, local, share, kill[h]) for h in range(self.horizons)]
        total: FloatArray = np.sum(parts, axis=0)
        return total

    def best(self, kills: FloatArray, terms: FloatArray) -> FloatArray:
        """(cells,) greatest value + term of any kind at raw log kills (cells, horizons).

        Parameters
        ----------
        terms : (kinds,) of a multiplier; -inf for kinds that do not count
        """
        greatest = self.leaves.greatest(terms)
        live = np.flatnonzero(greatest > -np.inf)
        if not len(live):
            return np.full(len(kills), -np.inf)
        parts = [
            self._best(part, terms, live, greatest[live])
            for part in np.array_split(kills, max(1, -(-len(kills) // CHUNK)))
        ]
        return np.concatenate(parts)

    def _best(
        self, kills: FloatArray, terms: FloatArray, live: IntArray, greatest: FloatArray
    ) -> FloatArray:
        upper: FloatArray = self.corners(kills, live) + greatest
        if self.leaves.single:
            return np.asarray(upper.max(axis=1))
        known = np.zeros(upper.shape, dtype=bool)
        cells = np.arange(len(kills))
        while len(cells):
            leaf = upper[cells].argmax(axis=1)
            unknown = ~known[cells, leaf]
            cells, leaf = cells[unknown], leaf[unknown]
            upper[cells, leaf] = self._exact(kills[cells], live[leaf], terms)
            known[cells, leaf] = True
        return np.asarray(upper.max(axis=1))

    def rooms(self, kills: FloatArray, terms: FloatArray, others: FloatArray) -> FloatArray:
        """(kinds,) greatest of others + value in any cell; of a kind's corner. -inf if dead.

        Parameters
        ----------
        kills : (cells, horizons)
        terms : (kinds,) -inf for kinds that do not count
        others : (cells,)
        """
        live = np.flatnonzero(self.leaves.greatest(terms) > -np.inf)
        room = np.full(len(self.leaves.starts), -np.inf)
        for part in np.array_split(np.arange(len(kills)), max(1, -(-len(kills) // CHUNK))):
            value = others[part, None] + self.corners(kills[part], live)
            room[live] = np.maximum(room[live], value.max(axis=0, initial=-np.inf))
        return np.where(terms > -np.inf, room[self.leaves.of], -np.inf)

    def _exact(self, kills: FloatArray, leaf: IntArray, terms: FloatArray) -> FloatArray:
        """(n,) greatest value + term of the kinds of one leaf each, at one kill each."""
        sizes = self.leaves.sizes[leaf]
        offset = np.minimum(np.arange(int(sizes.max(initial=1))), sizes[:, None] - 1)
        kinds = self.leaves.order[self.leaves.starts[leaf][:, None] + offset]
        local, share = self.local[kinds], self.share[kinds]
        total = terms[kinds]
        for h in range(self.horizons):
            total += self._part(h, local, share, kills[:, h][:, None])
        return np.asarray(total.max(axis=1))

    def corners(self, kills: FloatArray, live: IntArray) -> FloatArray:
        """(cells, n) no kind of n leaves is worth more at raw log kills (cells, horizons).

        Remembered for all leaves, or computed anew where few are asked for.
        """
        if not self.systemic:
            return np.broadcast_to(self.weight * self.tumor_bed[live], (len(kills), len(live)))
        leaves = len(self.leaves.starts)
        total = np.zeros((len(kills), len(live)))
        if len(live) < FEW * leaves:
            for h in range(self.horizons):
                levels, at = np.unique(kills[:, h], return_inverse=True)
                total += self._corner_part(h, levels, live)[at]
            return total
        if 8 * leaves * sum(len(place) + len(kills) for place in self._place) > MOST_BYTES:
            self._clear()
        for h in range(self.horizons):
            rows = self._rows(h, kills[:, h])
            known = self._known[h]
            total += known[rows] if len(live) == leaves else known[rows[:, None], live]
        return total

    def _rows(self, h: int, kills: FloatArray) -> IntArray:
        """Where the corners at some kills up to one horizon are kept; new ones are computed."""
        place, keys = self._place[h], kills.tolist()
        new = [key for key in dict.fromkeys(keys) if key not in place]
        begin, end = len(place), len(place) + len(new)
        place.update({key: begin + i for i, key in enumerate(new)})
        while len(self._known[h]) < end:
            self._known[h] = np.concatenate([self._known[h], np.empty_like(self._known[h])])
        if new:
            self._known[h][begin:end] = self._corner_part(h, np.array(new), slice(None))
        return np.array([place[key] for key in keys], dtype=np.int64)

    def _corner_part(self, h: int, kills: FloatArray, live: IntArray | slice) -> FloatArray:
        """(kills, leaves) what one horizon adds to the values of corners."""
        local, share = self.corner
        return self._part(h, local[live][None], share[live][None], kills[:, None])

    def _part(
        self, h: int, local: FloatArray, share: FloatArray, kill: FloatArray | float
    ) -> FloatArray:
        """What one horizon adds to weighted values; the arrays broadcast before their last axes."""
        saturated = immune.saturate(kill, self.instance.immune.effect_maximum_nats)
        part: FloatArray = (self.weight / self.horizons) * lesion_value(
            self.instance.objective, local[..., [h], :], share, np.asarray(saturated)[..., None]
        )
        return part


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
            LesionValues(candidates.instance, candidates.lesion_of(table).weight, one, own)
            for table, one, own in zip(candidates.lesions, shared, share, strict=True)
        )
