"""One lesion's courses under several plans alike, block by block: what they do at best.

A course's Lagrangian term

    - prices . rows - steep . a + worth . e^a effect

is, block by block, a matrix product of release (kinds x fractions) and propagators (fractions x
patterns), so that millions of courses are priced without being written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.coefficients import released
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.coefficients import Shared
    from abscopt.optimizer.candidates.kinds import Block
    from abscopt.optimizer.search.uniform.bounds.rows import ByKind


SPARSE = 0.5


@dataclass(frozen=True)
class ByPattern:
    """What the patterns of one technique do at best under the plans.

    Attributes
    ----------
    unit : (patterns, fractions, horizons) greatest effect per unit of release
    resting, least_resting : (patterns, horizons) effect without release, at most and at least
    least, most : (patterns,) log loss of everybody else's effectors
    days : (patterns, rows) what the days alone put into rows
    """

    unit: FloatArray
    resting: FloatArray
    least_resting: FloatArray
    least: FloatArray
    most: FloatArray
    days: FloatArray

    def take(self, patterns: IntArray) -> ByPattern:
        """Some of the patterns."""
        return ByPattern(
            self.unit[patterns],
            self.resting[patterns],
            self.least_resting[patterns],
            self.least[patterns],
            self.most[patterns],
            self.days[patterns],
        )


def _joined(parts: Sequence[ByPattern]) -> ByPattern:
    return ByPattern(
        np.concatenate([part.unit for part in parts]),
        np.concatenate([part.resting for part in parts]),
        np.concatenate([part.least_resting for part in parts]),
        np.concatenate([part.least for part in parts]),
        np.concatenate([part.most for part in parts]),
        np.concatenate([part.days for part in parts]),
    )


@dataclass(frozen=True)
class _PricedBlock:
    """One block: its places among all kinds and among all patterns in the order of blocks.

    Attributes
    ----------
    dense : (K, P, horizons) effects where a drug acts on suppression; replaces the product
    dead : (K, P) pairs that no plan allows; None if all that the menu has are allowed
    """

    block: Block
    kinds: slice
    days: slice
    dense: FloatArray | None
    dead: BoolArray | None


class LesionPricing:
    """Courses of one lesion in the order of blocks.

    Parameters
    ----------
    by_way : what patterns do, per technique
    dead, dense : per block, see `_PricedBlock`
    by_kind : what the kinds put into rows

    Attributes
    ----------
    usable : (kinds,) whether some course of the kind is allowed
    """

    def __init__(
        self,
        shared: Shared,
        by_way: Sequence[ByPattern],
        dead: Sequence[BoolArray | None],
        dense: Sequence[FloatArray | None],
        by_kind: ByKind,
    ):
        blocks = shared.kinds.blocks
        self.block_of, self.by_kind = shared.kinds.block, by_kind
        self.kinds, self.release = shared.kinds.by_block, shared.release_by_block
        self.patterns = _joined([by_way[block.way].take(block.patterns) for block in blocks])
        ends = np.cumsum([[len(block.kinds), len(block.patterns)] for block in blocks], axis=0)
        self.starts = np.concatenate([[0], ends[:-1, 0]])
        self.parts = tuple(
            _PricedBlock(
                block,
                slice(int(kinds) - len(block.kinds), int(kinds)),
                slice(int(days) - len(block.patterns), int(days)),
                own,
                gone,
            )
            for block, (kinds, days), own, gone in zip(blocks, ends, dense, dead, strict=True)
        )
        self.usable = np.zeros(len(self.kinds), dtype=bool)
        for part in self.parts:
            alive = True if part.dead is None else ~part.dead.all(axis=1)
            self.usable[part.block.kinds] = alive

    @property
    def most_loss(self) -> float:
        """Greatest log loss of everybody else's effectors."""
        return float(self.patterns.most.max())

    def terms(self, prices: Sequence[DualPrices], alive: BoolArray) -> FloatArray:
        """(m, kinds) greatest Lagrangian term of each kind's courses; -inf if dead."""
        priced = _LagrangianTerms(self, prices)
        total, live = np.full((len(prices), len(self.kinds)), -np.inf), alive[self.kinds]
        count = np.add.reduceat(live, self.starts, dtype=np.int64)
        for number in np.flatnonzero(count):
            part = self.parts[number]
            rows: IntArray | None = None
            if count[number] < SPARSE * len(part.block.kinds):
                rows = np.flatnonzero(live[part.kinds])
            term = priced.of(part, rows)
            best = term[:, :, 0] if term.shape[2] == 1 else term.max(axis=2)
            if rows is None:
                total[:, part.kinds] = best
            else:
                total[:, part.kinds.start + rows] = best
        total[:, ~live] = -np.inf
        found = np.empty_like(total)
        found[:, self.kinds] = total
        found -= self.by_kind.charged(priced.rows)
        return found

    def best(self, kinds: IntArray, prices: DualPrices) -> IntArray:
        """(n,) pattern of the best course of some kinds."""
        priced = _LagrangianTerms(self, [prices])
        pattern = np.zeros(len(kinds), dtype=np.int64)
        for part, own in self._by_block(kinds):
            rows = np.searchsorted(part.block.kinds, kinds[own])
            pattern[own] = part.block.patterns[priced.of(part, rows)[0].argmax(axis=1)]
        return pattern

    def columns(
        self, kinds: IntArray, patterns: IntArray
    ) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """Course (-1 if no plan allows it), rows, loss and gain of pairs of kind and pattern.

        Shapes (n,), (n, rows), (n,), (n, horizons).
        """
        course = np.full(len(kinds), -1, dtype=np.int64)
        place = np.empty(len(kinds), dtype=np.int64)
        gain = np.zeros((len(kinds), self.patterns.resting.shape[1]))
        for part, own in self._by_block(kinds):
            row = np.searchsorted(part.block.kinds, kinds[own])
            day = np.searchsorted(part.block.patterns, patterns[own])
            alive = True if part.dead is None else ~part.dead[row, day]
            course[own] = np.where(alive, part.block.course[row, day], -1)
            place[own] = part.days.start + day
            gain[own] = self._effect(part, row, day)
        gain *= np.exp(self.patterns.most[place])[:, None]
        rows = self.by_kind.of(kinds) + self.patterns.days[place]
        return course, rows, self.patterns.least[place], gain

    def _effect(self, part: _PricedBlock, rows: IntArray, days: IntArray) -> FloatArray:
        """(n, horizons) greatest effect of pairs of kind and pattern (positions in the block)."""
        if part.dense is not None:
            return part.dense[rows, days]
        release = self.release[part.kinds.start + rows, : part.block.count]
        unit = self.patterns.unit[part.days.start + days, : part.block.count]
        product: FloatArray = np.einsum("cn,cnh->ch", release, unit)
        product += self.patterns.resting[part.days.start + days]
        return product

    def greatest_effect(self) -> FloatArray:
        """(horizons,) of any course."""
        most = np.zeros(self.patterns.resting.shape[1])
        for part in self.parts:
            rows = np.flatnonzero(self.usable[part.block.kinds])
            if not len(rows):
                continue
            if part.dense is not None:
                effect = part.dense[rows]
            else:
                release = self.release[part.kinds][rows, : part.block.count]
                unit = self.patterns.unit[part.days, : part.block.count]
                effect = released(release, unit, self.patterns.resting[part.days])
            most = np.maximum(most, effect.max(axis=(0, 1)))
        return most

    def used(self) -> ByPattern:
        """Patterns of blocks that have some course."""
        some = [bool(self.usable[part.block.kinds].any()) for part in self.parts]
        sizes = [len(part.block.patterns) for part in self.parts]
        return self.patterns.take(np.flatnonzero(np.repeat(some, sizes)))

    def courses(self, kinds: IntArray, prices: DualPrices) -> tuple[IntArray, IntArray, FloatArray]:
        """All allowed courses of some kinds in order, their kinds and Lagrangian terms."""
        priced = _LagrangianTerms(self, [prices])
        found: list[tuple[IntArray, IntArray, FloatArray]] = []
        charged = self.by_kind.charged(prices.rows)
        for part, own in self._by_block(kinds):
            term = priced.of(part, np.searchsorted(part.block.kinds, kinds[own]))[0]
            row, day = np.nonzero(np.isfinite(term))
            kind = kinds[own][row]
            place = np.searchsorted(part.block.kinds, kind)
            found.append((part.block.course[place, day], kind, term[row, day] - charged[kind]))
        course, kind, term = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(course)
        return course[order], kind[order], term[order]

    def _by_block(self, kinds: IntArray) -> Iterator[tuple[_PricedBlock, IntArray]]:
        """Blocks, and which of the kinds (positions) they hold."""
        block = self.block_of[kinds]
        order = np.argsort(block, kind="stable")
        numbers, count = np.unique(block, return_counts=True)
        for number, end, size in zip(numbers, np.cumsum(count), count, strict=True):
            yield self.parts[number], order[end - size : end]


class _LagrangianTerms:
    """Lagrangian terms of one lesion's courses at some prices, without what kinds put into rows.

    Attributes
    ----------
    rows : (m, rows) prices of the rows
    """

    def __init__(self, courses: LesionPricing, prices: Sequence[DualPrices]):
        self.courses = courses
        patterns = courses.patterns
        self.rows = np.stack([one.rows for one in prices])
        steep = np.array([one.log_kill.sum() for one in prices])
        worth = np.stack([one.effect for one in prices])
        self.weight = np.exp(patterns.most)[:, None] * worth[:, None]
        self.base = -(self.rows @ patterns.days.T) - steep[:, None] * patterns.least
        self.product_base = self.base + (patterns.resting * self.weight).sum(axis=2)
        self.product = np.einsum("pnh,mph->mnp", patterns.unit, self.weight)

    def of(self, part: _PricedBlock, rows: IntArray | None) -> FloatArray:
        """(m, rows, P) terms of some kinds of a block, or of all."""
        if part.dense is not None:
            dense = part.dense if rows is None else part.dense[rows]
            total: FloatArray = np.einsum("kph,mph->mkp", dense, self.weight[:, part.days])
            total = total + self.base[:, None, part.days]
        else:
            release = self.courses.release[part.kinds, : part.block.count]
            if rows is not None:
                release = release[rows]
            total = release @ self.product[:, : part.block.count, part.days]
            total += self.product_base[:, None, part.days]
        if part.dead is not None:
            total[:, part.dead if rows is None else part.dead[rows]] = -np.inf
        return total
