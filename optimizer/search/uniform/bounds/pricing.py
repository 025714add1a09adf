"""One lesion's courses under several plans alike, block by block: what they do at best.

A course's Lagrangian term

    - rows . A - (sum_h log_kill_h) a + effect . e^a v

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
from abscopt.optimizer.ids import CourseIds, KindIds, PatternIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.menus.kinds import Block
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.search.uniform.bounds.rows import ByKind


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

    def take(self, patterns: PatternIds) -> ByPattern:
        """Some of the patterns."""
        return ByPattern(
            self.unit[patterns],
            self.resting[patterns],
            self.least_resting[patterns],
            self.least[patterns],
            self.most[patterns],
            self.days[patterns],
        )


def joined_patterns(of_blocks: Sequence[ByPattern]) -> ByPattern:
    """The patterns of blocks side by side."""
    return ByPattern(
        np.concatenate([of_block.unit for of_block in of_blocks]),
        np.concatenate([of_block.resting for of_block in of_blocks]),
        np.concatenate([of_block.least_resting for of_block in of_blocks]),
        np.concatenate([of_block.least for of_block in of_blocks]),
        np.concatenate([of_block.most for of_block in of_blocks]),
        np.concatenate([of_block.days for of_block in of_blocks]),
    )


@dataclass(frozen=True)
class _PricedBlock:
    """One block: its places among all kinds and among all patterns in the order of blocks.

    Attributes
    ----------
    dense : (K, P, horizons) effects where a drug acts on suppression; replaces the product
    dead : (K, P) pairs that no plan allows; None if all that the menu has are allowed
    """

    source: Block
    kinds: slice
    days: slice
    dense: FloatArray | None
    dead: BoolArray | None


class LesionPricing:
    """Courses of one lesion in the order of blocks.

    Parameters
    ----------
    patterns : what patterns do, in the order of blocks
    dead, dense : per block, see `_PricedBlock`
    by_kind : what the kinds put into rows

    Attributes
    ----------
    usable : (kinds,) whether some course of the kind is allowed
    """

    def __init__(
        self,
        shared: Shared,
        patterns: ByPattern,
        dead: Sequence[BoolArray | None],
        dense: Sequence[FloatArray | None],
        by_kind: ByKind,
    ):
        """Kinds side by side in the order of blocks, with the slice of each block.

        A kind is usable where some pattern of its block is allowed, any_p not dead[k, p].
        """
        blocks = shared.kinds.blocks
        self.block_of, self.by_kind = shared.kinds.block, by_kind
        self.kinds, self.release = shared.kinds.by_block, shared.release_by_block
        self.patterns = patterns
        ends = np.cumsum([[len(block.kinds), len(block.patterns)] for block in blocks], axis=0)
        self.starts = np.concatenate([[0], ends[:-1, 0]])
        self.blocks = tuple(
            _PricedBlock(
                block,
                slice(int(kinds) - len(block.kinds), int(kinds)),
                slice(int(days) - len(block.patterns), int(days)),
                dense_effects,
                dead_pairs,
            )
            for block, (kinds, days), dense_effects, dead_pairs in zip(
                blocks, ends, dense, dead, strict=True
            )
        )
        self.usable = np.zeros(len(self.kinds), dtype=bool)
        for priced in self.blocks:
            usable = True if priced.dead is None else ~priced.dead.all(axis=1)
            self.usable[priced.source.kinds] = usable

    @property
    def most_loss(self) -> float:
        """Greatest log loss of everybody else's effectors."""
        return float(self.patterns.most.max())

    def terms(self, prices: Sequence[DualPrices], alive: BoolArray) -> FloatArray:
        """(m, kinds) term[m, k] = max_p [ - y_m . A[:, k p] - w_m a_p + effect_m . g[k, p] ].

        The pricing problem of each kind k over its patterns p, for m vectors of multipliers with
        w = sum_h log_kill[h]; -inf for kinds that are dead or without an allowed pattern.
        """
        priced = _LagrangianTerms(self, prices)
        total, live = np.full((len(prices), len(self.kinds)), -np.inf), alive[self.kinds]
        count = np.add.reduceat(live, self.starts, dtype=np.int64)
        for number in np.flatnonzero(count):
            block = self.blocks[number]
            rows: IntArray | None = None
            if count[number] < settings.CURRENT.sparse * len(block.source.kinds):
                rows = np.flatnonzero(live[block.kinds])
            term = priced.of(block, rows)
            best = term[:, :, 0] if term.shape[2] == 1 else term.max(axis=2)
            if rows is None:
                total[:, block.kinds] = best
            else:
                total[:, block.kinds.start + rows] = best
        total[:, ~live] = -np.inf
        by_kind = np.empty_like(total)
        by_kind[:, self.kinds] = total
        by_kind -= self.by_kind.charged(priced.rows)
        return by_kind

    def by_pattern(self, block: int, kinds: KindIds, prices: Sequence[DualPrices]) -> FloatArray:
        """(m, kinds, P) terms of some kinds of one block under its patterns; -inf for others."""
        source = self.blocks[block].source
        inside = np.flatnonzero(self.block_of[kinds] == block)
        terms = np.full((len(prices), len(kinds), len(source.patterns)), -np.inf)
        rows = np.searchsorted(source.kinds, kinds[inside])
        terms[:, inside] = _LagrangianTerms(self, prices).of(self.blocks[block], rows)
        return terms

    def least_rows(self, kinds: KindIds) -> FloatArray:
        """(n, rows) least load of some kinds in each row, over the patterns of their blocks."""
        days = [self.patterns.days[block.days].min(axis=0) for block in self.blocks]
        load: FloatArray = self.by_kind.of(kinds) + np.stack(days)[self.block_of[kinds]]
        return load

    def best(self, kinds: KindIds, prices: DualPrices) -> PatternIds:
        """(n,) pattern of the best course of some kinds."""
        priced = _LagrangianTerms(self, [prices])
        pattern = np.zeros(len(kinds), dtype=np.int64)
        for block, positions in self._by_block(kinds):
            rows = np.searchsorted(block.source.kinds, kinds[positions])
            pattern[positions] = block.source.patterns[priced.of(block, rows)[0].argmax(axis=1)]
        return PatternIds(pattern)

    def columns(
        self, kinds: KindIds, patterns: PatternIds
    ) -> tuple[CourseIds, FloatArray, FloatArray, FloatArray]:
        """Course (-1 if no plan allows it), rows, loss and gain of pairs of kind k and pattern p.

        A[:, k p] = by_kind[k] + days[p],  a_p = least[p],  g[k, p] = e^(most[p]) v[k, p]

        with the own effect v. Shapes (n,), (n, rows), (n,), (n, horizons).
        """
        course = np.full(len(kinds), -1, dtype=np.int64)
        place = np.empty(len(kinds), dtype=np.int64)
        gain = np.zeros((len(kinds), self.patterns.resting.shape[1]))
        for block, positions in self._by_block(kinds):
            row = np.searchsorted(block.source.kinds, kinds[positions])
            day = np.searchsorted(block.source.patterns, patterns[positions])
            alive = True if block.dead is None else ~block.dead[row, day]
            course[positions] = np.where(alive, block.source.course[row, day], -1)
            place[positions] = block.days.start + day
            gain[positions] = self._effect(block, row, day)
        gain *= np.exp(self.patterns.most[place])[:, None]
        rows = self.by_kind.of(kinds) + self.patterns.days[place]
        return CourseIds(course), rows, self.patterns.least[place], gain

    def _effect(self, block: _PricedBlock, rows: IntArray, days: IntArray) -> FloatArray:
        """(n, horizons) v[k, p] = sum_i release[k, i] unit[p, i] + resting[p], i over fractions.

        Greatest effect of pairs of kind and pattern (positions in the block).
        """
        if block.dense is not None:
            return block.dense[rows, days]
        release = self.release[block.kinds.start + rows, : block.source.count]
        unit = self.patterns.unit[block.days.start + days, : block.source.count]
        product: FloatArray = np.einsum("cn,cnh->ch", release, unit)
        product += self.patterns.resting[block.days.start + days]
        return product

    def greatest_effect(self) -> FloatArray:
        """(horizons,) max over usable k, p of sum_i release[k, i] unit[p, i] + resting[p]."""
        greatest = np.zeros(self.patterns.resting.shape[1])
        for block in self.blocks:
            rows = np.flatnonzero(self.usable[block.source.kinds])
            if not len(rows):
                continue
            if block.dense is not None:
                effect = block.dense[rows]
            else:
                release = self.release[block.kinds][rows, : block.source.count]
                unit = self.patterns.unit[block.days, : block.source.count]
                effect = released(release, unit, self.patterns.resting[block.days])
            greatest = np.maximum(greatest, effect.max(axis=(0, 1)))
        return greatest

    def used(self) -> ByPattern:
        """Patterns of blocks that have some course."""
        has_course = [bool(self.usable[block.source.kinds].any()) for block in self.blocks]
        sizes = [len(block.source.patterns) for block in self.blocks]
        return self.patterns.take(PatternIds(np.flatnonzero(np.repeat(has_course, sizes))))

    def courses(self, kinds: KindIds, prices: DualPrices) -> tuple[CourseIds, KindIds, FloatArray]:
        """All allowed courses of some kinds in order, their kinds and Lagrangian terms, each (n,).

        term[k p] = - y . A[:, k p] - w a_p + effect . g[k, p], finite where (k, p) is allowed.
        """
        priced = _LagrangianTerms(self, [prices])
        by_block: list[tuple[CourseIds, KindIds, FloatArray]] = []
        charged = self.by_kind.charged(prices.rows)
        for block, positions in self._by_block(kinds):
            term = priced.of(block, np.searchsorted(block.source.kinds, kinds[positions]))[0]
            row, day = np.nonzero(np.isfinite(term))
            kind = kinds[positions][row]
            place = np.searchsorted(block.source.kinds, kind)
            by_block.append((block.source.course[place, day], kind, term[row, day] - charged[kind]))
        course, of, terms = (np.concatenate(arrays) for arrays in zip(*by_block, strict=True))
        order = np.argsort(course)
        return CourseIds(course[order]), KindIds(of[order]), terms[order]

    def _by_block(self, kinds: KindIds) -> Iterator[tuple[_PricedBlock, IntArray]]:
        """Blocks, and which of the kinds (positions) they hold."""
        block = self.block_of[kinds]
        order = np.argsort(block, kind="stable")
        numbers, count = np.unique(block, return_counts=True)
        for number, end, size in zip(numbers, np.cumsum(count), count, strict=True):
            yield self.blocks[number], order[end - size : end]


class _LagrangianTerms:
    """Lagrangian terms of one lesion's courses at some prices, without what kinds put into rows.

    Attributes
    ----------
    rows : (m, rows) prices of the rows
    """

    def __init__(self, courses: LesionPricing, prices: Sequence[DualPrices]):
        """Prices of m vectors of multipliers: rows (m, rows), log_kill (m,), effect (m, horizons).

        log_kill[m] = sum_h log_kill_m[h]
        """
        self.courses = courses
        self.rows = np.stack([y.rows for y in prices])
        self.log_kill = np.array([y.log_kill.sum() for y in prices])
        self.effect = np.stack([y.effect for y in prices])

    def of(self, block: _PricedBlock, rows: IntArray | None) -> FloatArray:
        """(m, rows, P) terms of some kinds of a block, or of all, without what kinds put into rows.

        base[m, p] = - rows_m . days[p] - log_kill_m least[p]     (m, P)
        weight[m, p, h] = e^(most[p]) effect_m[h]                 (m, P, horizons)
        product[m, i, p] = sum_h unit[p, i, h] weight[m, p, h]    (m, N, P)

        release (rows, N) @ product + sum_h resting[p, h] weight + base, or where a drug acts on
        suppression sum_h dense[k, p, h] weight[m, p, h] + base; -inf for pairs that no plan allows.
        Only for the patterns of the block: most nodes are left with few blocks.
        """
        patterns, days = self.courses.patterns, block.days
        weight = np.exp(patterns.most[days])[:, None] * self.effect[:, None]
        base = -(self.rows @ patterns.days[days].T)
        base -= self.log_kill[:, None] * patterns.least[days]
        if block.dense is not None:
            dense = block.dense if rows is None else block.dense[rows]
            total: FloatArray = np.einsum("kph,mph->mkp", dense, weight)
            total = total + base[:, None]
        else:
            count = block.source.count
            product = np.einsum("pnh,mph->mnp", patterns.unit[days, :count], weight)
            release = self.courses.release[block.kinds, :count]
            total = (release if rows is None else release[rows]) @ product
            total += (base + (patterns.resting[days] * weight).sum(axis=2))[:, None]
        if block.dead is not None:
            total[:, block.dead if rows is None else block.dead[rows]] = -np.inf
        return total
