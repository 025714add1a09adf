"""One systemic plan, or several alike: what their courses do at best, priced all at once.

Several plans of one group are bounded together with the best of each coefficient: the greatest
effect per unit of release, the least lymphocyte loss. A course's Lagrangian term

    - prices . rows - steep . a + worth . e^a effect

is, block by block, a matrix product of release (kinds x fractions) and propagators (fractions x
patterns), so that millions of courses are priced without being written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.candidates.coefficients import (
    block_effects,
    relieves,
    shares_of,
    units,
)
from abscopt.optimizer.candidates.plans import allowed_patterns
from abscopt.optimizer.search.branches import plan_halves
from abscopt.optimizer.search.rows import Rows, rows_of

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.courses import Patterns
    from abscopt.optimizer.candidates.kinds import Block
    from abscopt.optimizer.candidates.propagators import Propagators
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Alive = tuple[BoolArray, ...]
"""Per lesion (kinds,) the kinds that still count."""


@dataclass(frozen=True)
class Prices:
    """Multipliers of the rows and of `Z >= z` in its linear form.

    Attributes
    ----------
    rows : (rows,)
    steep : (horizons,) price of a unit of ln Z
    worth : (horizons,) price of a unit of unsaturated effect before everybody's losses
    offset : sum over the tangents, price (1 - ln level)
    """

    rows: FloatArray
    steep: FloatArray
    worth: FloatArray
    offset: float


@dataclass(frozen=True)
class _Part:
    """One block under the plans: what its courses do at best.

    Attributes
    ----------
    release : (K, fractions)
    unit, resting, least_resting : (P, fractions, horizons), (P, horizons) twice
    dense : (K, P, horizons) effects where a drug acts on suppression; replaces the product
    least, most : (P,) log loss of everybody else's effectors
    dead : (K, P) pairs that no plan allows; None if all that the menu has are allowed
    days : (P, rows)
    """

    block: Block
    release: FloatArray
    unit: FloatArray
    resting: FloatArray
    least_resting: FloatArray
    dense: FloatArray | None
    least: FloatArray
    most: FloatArray
    dead: BoolArray | None
    days: FloatArray

    def at(self, rows: IntArray, days: IntArray) -> FloatArray:
        """(n, horizons) greatest effect of pairs of kind and pattern (positions in the block)."""
        if self.dense is not None:
            return self.dense[rows, days]
        product: FloatArray = np.einsum("cn,cnh->ch", self.release[rows], self.unit[days])
        return product + self.resting[days]

    def effect(self, rows: IntArray) -> FloatArray:
        """(rows, P, horizons) greatest effect of some kinds (positions in the block)."""
        if self.dense is not None:
            return self.dense[rows]
        flat = self.unit.transpose(1, 0, 2).reshape(self.unit.shape[1], self.resting.size)
        product: FloatArray = (self.release[rows] @ flat).reshape(len(rows), *self.resting.shape)
        return product + self.resting

    def terms(self, rows: IntArray, prices: Prices) -> FloatArray:
        """(rows, P) Lagrangian terms of some kinds, without what depends on the kind alone."""
        weight = np.exp(self.most)[:, None] * prices.worth
        base = -(self.days @ prices.rows) - float(prices.steep.sum()) * self.least
        if self.dense is not None:
            total: FloatArray = np.einsum("kph,ph->kp", self.dense[rows], weight) + base
        else:
            base = base + (self.resting * weight).sum(axis=1)
            total = self.release[rows] @ np.einsum("pnh,ph->np", self.unit, weight) + base
        if self.dead is not None:
            total[self.dead[rows]] = -np.inf
        return total


def families(candidates: Candidates, plans: IntArray) -> list[tuple[int, ...]]:
    """Those of some plans that may be bounded together."""
    groups = candidates.plan_effects.group[plans]
    return [tuple(plans[groups == g].tolist()) for g in np.unique(groups)]


class PlanSet:
    """Plans of one group, with the best of their coefficients.

    Attributes
    ----------
    family : the plans that this set is a part of; all its parts have the same rows
    chemo, cost : least log loss of lymphocytes by chemotherapy, least cost of soft drug limits
    share : per lesion (kinds, clones) greatest share of the systemic effect
    usable : per lesion (kinds,) whether some course of the kind is allowed
    """

    def __init__(
        self, candidates: Candidates, plans: tuple[int, ...], family: tuple[int, ...] | None = None
    ):
        self.candidates = candidates
        self.instance: Instance = candidates.instance
        self.plans = plans
        self.family = family or plans
        self.rows: Rows = rows_of(candidates, plans, self.family)
        self.systemic = self.instance.objective.kind != "tumor_bed"
        self.horizons = len(self.instance.horizon_days) if self.systemic else 0
        effects = candidates.plan_effects
        self.chemo = float(effects.chemotherapy_log_loss[list(plans)].min())
        self.cost = min(candidates.plan_cost(k) for k in plans)
        self.shared = candidates.shared(plans[0])
        self.share = tuple(
            np.max(
                [
                    shares_of(self.instance, candidates.lesion_of(table), one, top)
                    for top in np.unique(effects.greatest_occupancy[list(plans)])
                ],
                axis=0,
            )
            for table, one in zip(candidates.lesions, self.shared, strict=True)
        )
        self._best: dict[int, FloatArray] = {}
        self.parts = tuple(self._lesion(s) for s in range(len(candidates.lesions)))
        self.usable = tuple(
            self._usable(parts, len(one.kinds))
            for parts, one in zip(self.parts, self.shared, strict=True)
        )

    def _lesion(self, s: int) -> tuple[_Part, ...]:
        candidates, one = self.candidates, self.shared[s]
        effects, plans, horizons = candidates.plan_effects, list(self.plans), self.horizons
        table = candidates.lesions[s]
        lesion, patterns = candidates.lesion_of(table), table.menu.patterns
        loads, open_ = candidates.loads(plans[0])[s], None
        if candidates.exposures:  # each plan's own state of exposure counts
            open_ = np.any([candidates.allowed(k)[s] for k in plans], axis=0)
        given = np.stack(
            [allowed_patterns(self.instance, candidates.plans[k], patterns) for k in plans]
        )
        relieved = any(relieves(self.instance, effects, k) for k in plans)
        weights = patterns.number @ effects.effect_weights[plans].T
        best = [self._units(prop, patterns) for prop in candidates.propagators(s)]
        found = []
        for number, block in enumerate(one.kinds.blocks):
            prop = candidates.propagators(s)[block.way]
            loss = lesion.effect_loss(lesion.ways[block.way]) * weights[block.patterns]
            if open_ is not None:
                dead = ~open_[block.course]
            else:
                fits = candidates.within(loads[block.kinds])
                days = np.asarray(given[:, block.patterns].any(axis=0))
                dead = ~(fits[:, None] & days[None, :])
            if block.missing is not None:
                dead |= block.missing
            dead[block.course == 0] = False
            resting = prop.resting[plans][:, block.patterns, :horizons]
            dense = [
                block_effects(self.instance, lesion, one, block, effects, prop, k)
                for k in (plans if relieved else ())
            ]
            found.append(
                _Part(
                    block=block,
                    release=one.release[block.kinds, : block.count],
                    unit=best[block.way][block.patterns, : block.count, :horizons],
                    resting=resting.max(axis=0),
                    least_resting=resting.min(axis=0),
                    dense=np.max(dense, axis=0)[..., :horizons] if dense else None,
                    least=loss.min(axis=1),
                    most=loss.max(axis=1),
                    dead=dead if dead.any() else None,
                    days=self.rows.by_days[s][number],
                )
            )
        return tuple(found)

    def _units(self, prop: Propagators, patterns: Patterns) -> FloatArray:
        """(patterns, fractions, horizons) greatest effect per unit of release of the plans.

        Computed once for all lesions that share propagators.
        """
        key = id(prop.release)
        if key not in self._best:
            effects = self.candidates.plan_effects
            self._best[key] = np.max(
                [units(self.instance, patterns, effects, prop, k) for k in self.plans], axis=0
            )
        return self._best[key]

    @staticmethod
    def _usable(parts: tuple[_Part, ...], kinds: int) -> BoolArray:
        usable = np.zeros(kinds, dtype=bool)
        for part in parts:
            alive = True if part.dead is None else ~part.dead.all(axis=1)
            usable[part.block.kinds] = alive
        return usable

    def terms(self, prices: Prices, alive: Alive) -> tuple[FloatArray, ...]:
        """Per lesion (kinds,) greatest Lagrangian term of each kind's courses; -inf if dead."""
        found = []
        for s, parts in enumerate(self.parts):
            total = np.full(len(alive[s]), -np.inf)
            for part in parts:
                rows = np.flatnonzero(alive[s][part.block.kinds])
                if len(rows):
                    total[part.block.kinds[rows]] = part.terms(rows, prices).max(axis=1)
            found.append(total - self.rows.by_kind[s] @ prices.rows)
        return tuple(found)

    def best(self, s: int, kinds: IntArray, prices: Prices) -> IntArray:
        """(n,) pattern of the best course of some kinds."""
        pattern = np.zeros(len(kinds), dtype=np.int64)
        for number, own in self._by_block(s, kinds):
            part = self.parts[s][number]
            row = np.searchsorted(part.block.kinds, kinds[own])
            pattern[own] = part.block.patterns[part.terms(row, prices).argmax(axis=1)]
        return pattern

    def columns(
        self, s: int, kinds: IntArray, patterns: IntArray
    ) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """Course (-1 if no plan allows it), rows, loss and gain of pairs of kind and pattern.

        Shapes (n,), (n, rows), (n,), (n, horizons).
        """
        course = np.full(len(kinds), -1, dtype=np.int64)
        rows = self.rows.by_kind[s][kinds].copy()
        loss = np.zeros(len(kinds))
        gain = np.zeros((len(kinds), self.horizons))
        for number, own in self._by_block(s, kinds):
            part = self.parts[s][number]
            row = np.searchsorted(part.block.kinds, kinds[own])
            day = np.searchsorted(part.block.patterns, patterns[own])
            alive = True if part.dead is None else ~part.dead[row, day]
            course[own] = np.where(alive, part.block.course[row, day], -1)
            rows[own] += part.days[day]
            loss[own] = part.least[day]
            gain[own] = np.exp(part.most[day])[:, None] * part.at(row, day)
        return course, rows, loss, gain

    def _by_block(self, s: int, kinds: IntArray) -> Iterator[tuple[int, IntArray]]:
        """Blocks, and which of the kinds (positions) they hold."""
        block = self.shared[s].kinds.block[kinds]
        for number in np.unique(block):
            yield int(number), np.flatnonzero(block == number)

    def courses(
        self, s: int, kinds: IntArray, prices: Prices
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """All allowed courses of some kinds in order, their kinds and Lagrangian terms."""
        found: list[tuple[IntArray, IntArray, FloatArray]] = []
        charged = self.rows.by_kind[s] @ prices.rows
        for number, own in self._by_block(s, kinds):
            part = self.parts[s][number]
            term = part.terms(np.searchsorted(part.block.kinds, kinds[own]), prices)
            row, day = np.nonzero(np.isfinite(term))
            kind = kinds[own][row]
            place = np.searchsorted(part.block.kinds, kind)
            found.append((part.block.course[place, day], kind, term[row, day] - charged[kind]))
        course, kind, term = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(course)
        return course[order], kind[order], term[order]

    def extent(self) -> tuple[FloatArray, FloatArray]:
        """(horizons,) bounds of the unsaturated systemic log kill of any schedule."""
        horizons = self.horizons
        least, most = np.zeros((len(self.parts), horizons)), np.zeros((len(self.parts), horizons))
        low_loss, high_loss = np.zeros(len(self.parts)), np.zeros(len(self.parts))
        for s, parts in enumerate(self.parts if self.systemic else ()):
            least[s], low_loss[s] = np.inf, np.inf
            for part in parts:
                rows = np.flatnonzero(self.usable[s][part.block.kinds])
                if not len(rows):
                    continue
                least[s] = np.minimum(least[s], part.least_resting.min(axis=0))
                most[s] = np.maximum(most[s], part.effect(rows).max(axis=(0, 1)))
                low_loss[s] = min(low_loss[s], float(part.least.min()))
                high_loss[s] = max(high_loss[s], float(part.most.max()))
        chemo = self.candidates.plan_effects.chemotherapy_log_loss[list(self.plans)]
        high = np.exp(low_loss - low_loss.sum() - self.chemo) @ most
        low = np.exp(high_loss - high_loss.sum() - float(chemo.max())) @ least
        return low, high

    @property
    def most_loss(self) -> float:
        """No schedule's total log loss, chemotherapy included, is greater."""
        chemo = self.candidates.plan_effects.chemotherapy_log_loss[list(self.plans)]
        most = (max(float(part.most.max()) for part in parts) for parts in self.parts)
        return float(chemo.max()) + sum(most)

    def halves(self) -> tuple[PlanSet, PlanSet]:
        """Two sets of plans that follow each other."""
        one, two = plan_halves(self.plans)
        return PlanSet(self.candidates, one, self.family), PlanSet(
            self.candidates, two, self.family
        )
