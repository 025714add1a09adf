"""Kinds near each other form leaves; numbers of all leaves are remembered by key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings


@dataclass(frozen=True)
class Leaves:
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


def leaves_of(features: FloatArray, leaf_limit: int) -> Leaves:
    """Leaves of at most ceil(kinds / leaf_limit) kinds: features (kinds, n) halved at the median.

    Each step halves a set along its widest feature, argmax_n (max - min): a k-d tree (Bentley 1975,
    Multidimensional binary search trees used for associative searching).
    """
    kinds = len(features)
    if kinds <= leaf_limit:
        identity = np.arange(kinds)
        return Leaves(identity, identity, np.ones(kinds, dtype=np.int64), identity)
    size = -(-kinds // leaf_limit)
    stack, leaves = [np.arange(kinds)], []
    while stack:
        tick()
        members = stack.pop()
        if len(members) <= size:
            leaves.append(np.sort(members))
            continue
        member_features = features[members]
        widest = member_features[:, int(np.ptp(member_features, axis=0).argmax())]
        middle = len(members) // 2
        halves = np.argpartition(widest, middle)
        stack += [members[halves[middle:]], members[halves[:middle]]]
    sizes = np.array([len(members) for members in leaves])
    of = np.empty(kinds, dtype=np.int64)
    order = np.concatenate(leaves)
    of[order] = np.repeat(np.arange(len(leaves)), sizes)
    return Leaves(order, np.cumsum(sizes) - sizes, sizes, of)


class Memo:
    """Rows of numbers for all leaves by key; forgotten when they take too much memory."""

    def __init__(self, leaves: int, memos: int):
        self.leaves, self.row_limit = leaves, settings.CURRENT.memo_bytes // (16 * memos * leaves)
        self._place: dict[tuple[float, ...], int] = {}
        self._known = np.empty((0, leaves))

    def rows(
        self,
        keys: FloatArray,
        live: IntArray,
        of: Callable[[FloatArray, slice], FloatArray],
    ) -> FloatArray:
        """(n, live) rows of keys (n, m); `of` computes what is new.

        table[place[key]], place: key -> row; the table (rows, leaves) doubles when it is full.
        """
        if len(self._place) + len(keys) > max(self.row_limit, len(keys)):
            self._place.clear()
        asked = list(zip(*keys.T.tolist(), strict=True))
        missing = [key for key in dict.fromkeys(asked) if key not in self._place]
        begin, end = len(self._place), len(self._place) + len(missing)
        self._place.update({key: begin + i for i, key in enumerate(missing)})
        if len(self._known) < end:
            grown = np.empty((max(end, 2 * len(self._known)), self.leaves))
            grown[:begin] = self._known[:begin]
            self._known = grown
        if missing:
            self._known[begin:end] = of(np.array(missing), slice(None))
        rows = np.array([self._place[key] for key in asked], dtype=np.int64)
        return self._known[rows] if len(live) == self.leaves else self._known[rows[:, None], live]
