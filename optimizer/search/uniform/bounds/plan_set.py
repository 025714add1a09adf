"""One systemic plan, or several alike: what their courses do at best, priced all at once.

Several plans of one group are bounded together with the best of each coefficient: the greatest
effect per unit of release, the least lymphocyte loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.coefficients import (
    block_effects,
    patterns_under,
    relieves,
    shares_of,
    siphoned,
    units,
)
from abscopt.optimizer.candidates.systemic.plans import allowed_patterns
from abscopt.optimizer.ids import PlanId, PlanIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.calendars import MOST_LESIONS, Calendars
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.bounds.pricing import (
    ByPattern,
    LesionPricing,
    joined_patterns,
)
from abscopt.optimizer.search.uniform.bounds.rows import Rows, rows_of
from abscopt.optimizer.search.uniform.bounds.together import Together, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.systemic.propagators import OwnLoss, Propagators
    from abscopt.optimizer.candidates.table import Candidates

Alive = tuple[BoolArray, ...]
"""Per lesion (kinds,) the kinds that still count."""


def families(candidates: Candidates, plans: PlanIds) -> list[tuple[PlanId, ...]]:
    """Those of some plans that may be bounded together; very many of a group in lots."""
    groups, lot_size = candidates.plan_effects.group[plans], candidates.plans_at_once
    lots = []
    for g in np.unique(groups):
        in_group = plans[groups == g]
        lots += [
            tuple(lot.tolist()) for lot in np.array_split(in_group, -(-len(in_group) // lot_size))
        ]
    return lots


def plan_halves(plans: tuple[PlanId, ...]) -> tuple[tuple[PlanId, ...], tuple[PlanId, ...]]:
    """Plans in two parts that follow each other."""
    return plans[: len(plans) // 2], plans[len(plans) // 2 :]


@dataclass(frozen=True)
class _Best:
    """What the courses of one lesion do at best under some plans, whatever the limits.

    Attributes
    ----------
    patterns : in the order of blocks, nothing in rows
    dense : per block (K, P, horizons) effects where a drug acts on suppression; None elsewhere
    fits : (patterns,) whether some plan allows a day pattern
    """

    patterns: ByPattern
    dense: list[FloatArray | None]
    fits: BoolArray

    @property
    def bytes(self) -> int:
        """About how much it holds."""
        arrays = [self.patterns.unit, *(effect for effect in self.dense if effect is not None)]
        return sum(array.nbytes for array in arrays)


class BestOfSets:
    """What was computed of sets of plans, for cases that differ in limits alone.

    Nothing more is kept beyond `settings.CURRENT.best_bytes`.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[PlanId, ...], int], _Best] = {}
        self._tables: tuple[object, ...] = ()
        self._bytes = 0

    def fit(self, candidates: Candidates) -> bool:
        """Forget what holds for other tables; whether these are the same."""
        tables = candidates.lesions, candidates.plans, candidates.parts.effects.common
        same = bool(self._tables) and all(
            before is table for before, table in zip(self._tables, tables, strict=True)
        )
        if not same:
            self._known, self._tables, self._bytes = {}, tables, 0
        return same

    def copy(self) -> BestOfSets:
        """The same, to be added to apart."""
        same = BestOfSets()
        same._known, same._tables, same._bytes = dict(self._known), self._tables, self._bytes
        return same

    def get(self, plans: tuple[PlanId, ...], s: int) -> _Best | None:
        """What is known of a lesion's courses under some plans."""
        return self._known.get((plans, s))

    def keep(self, plans: tuple[PlanId, ...], s: int, best: _Best) -> None:
        """Keep it while there is room."""
        if self._bytes + best.bytes <= settings.CURRENT.best_bytes:
            self._known[plans, s] = best
            self._bytes += best.bytes


class PlanSet:
    """Plans of one group, with the best of their coefficients.

    Parameters
    ----------
    whole : a set that the plans are a part of
    remembered : what was computed of sets in related cases; that of the whole set, if there is one

    Attributes
    ----------
    family : the plans that this set is a part of; all its parts have the same rows
    chemo, cost : least log loss of lymphocytes by chemotherapy, least cost of soft drug limits
    share : per lesion (kinds, clones) greatest share of the systemic effect
    courses : per lesion
    """

    def __init__(
        self,
        candidates: Candidates,
        plans: tuple[PlanId, ...],
        whole: PlanSet | None = None,
        remembered: BestOfSets | None = None,
    ):
        """Best coefficients over the plans, so that a bound with them holds for each.

        chemo = min_k chemo_k, cost = min_k cost_k, share[s] = max_k share_k[s] (kinds, clones).
        """
        self.candidates = candidates
        self.instance: Instance = candidates.instance
        self.plans = plans
        self.family: tuple[PlanId, ...] = plans if whole is None else whole.family
        same = whole is not None and whole.candidates is candidates
        self.whole: PlanSet | None = whole if same else None
        rows = whole.rows if whole is not None and same else None
        self.remembered: BestOfSets | None = whole.remembered if whole and same else remembered
        self.rows: Rows = rows_of(candidates, plans, self.family, rows)
        self.systemic = not self.instance.objective.of_dose_alone
        self.horizons = len(self.instance.horizon_days) if self.systemic else 0
        effects = candidates.plan_effects
        self.chemo = float(effects.chemotherapy_log_loss[list(plans)].min())
        self.cost = min(candidates.plan_cost(k) for k in plans)
        self.shared = candidates.shared(plans[0])
        self.share = tuple(
            np.max(
                [
                    shares_of(self.instance, candidates.lesion_of(table), shared, top)
                    for top in np.unique(effects.greatest_occupancy[list(plans)])
                ],
                axis=0,
            )
            for table, shared in zip(candidates.lesions, self.shared, strict=True)
        )
        self._unit: dict[tuple[int, int, OwnLoss], FloatArray] = {}
        self.courses = tuple(self._lesion(s) for s in range(len(candidates.lesions)))

    @cached_property
    def together(self) -> Together | None:
        """Which kinds of two lesions go together under a cap on days; None without a cap."""
        if self.whole is not None:
            return self.whole.together
        return together(self.candidates, self.plans[0])

    @cached_property
    def calendars(self) -> Calendars | None:
        """Which days lesions may share under a cap on days; None without a cap."""
        if self.whole is not None:
            return self.whole.calendars
        coupled = sum(len(table.menu) > 1 for table in self.candidates.lesions) <= MOST_LESIONS
        return Calendars(self, self.together) if self.together is not None and coupled else None

    @property
    def usable(self) -> Alive:
        """Per lesion (kinds,) whether some course of the kind is allowed."""
        return tuple(courses.usable for courses in self.courses)

    def _lesion(self, s: int) -> LesionPricing:
        """Courses of lesion s under the plans, with what limits say of them."""
        best = None if self.remembered is None else self.remembered.get(self.plans, s)
        if best is None:
            best = self._best_of(s)
            if self.remembered is not None:
                self.remembered.keep(self.plans, s, best)
        by_days, shared = self.rows.by_days[s], self.shared[s]
        blocks = shared.kinds.blocks
        days = np.concatenate([by_days[block.way][block.patterns] for block in blocks])
        fits = best.fits & self.candidates.kept_alone[s]
        patterns, dead = replace(best.patterns, days=days), self._dead(s, fits)
        return LesionPricing(shared, patterns, dead, best.dense, self.rows.by_kind[s])

    def _best_of(self, s: int) -> _Best:
        """What the courses of lesion s do at best under the plans k.

        loss[p, k] = loss of one fraction . sum_t number[p, t] weight[k, t]  (patterns, plans), of
        which the least and the greatest count; resting[p] = max_k, unit = max_k (`_units`). Where a
        drug acts on suppression effects are no product: dense[k, p, h] (K, P, horizons), max over
        plans.
        """
        tick()
        candidates, shared = self.candidates, self.shared[s]
        effects, plans = candidates.plan_effects, list(self.plans)
        table, props = candidates.lesions[s], candidates.propagators(s)
        lesion, patterns = candidates.lesion_of(table), table.menu.patterns
        weights = patterns.number @ effects.effect_weights[plans].T
        by_way = []
        for way, prop in enumerate(props):
            resting = prop.resting_of(PlanIds(np.array(plans)))[:, :, : self.horizons]
            if patterns.way is None:
                loss = lesion.effect_loss(lesion.ways[way]) * weights
            else:
                by_day = patterns.weighted([lesion.effect_loss(w) for w in lesion.ways])
                loss = by_day @ effects.effect_weights[plans].T
            loss = loss + siphoned(self.instance, lesion, patterns.count)[:, None]
            by_way.append(
                ByPattern(
                    unit=self._units(prop, patterns)[:, :, : self.horizons],
                    resting=resting.max(axis=0),
                    least_resting=resting.min(axis=0),
                    least=loss.min(axis=1),
                    most=loss.max(axis=1),
                    days=np.empty((len(patterns.count), 0)),
                )
            )
        dense: list[FloatArray | None] = [None] * len(shared.kinds.blocks)
        if any(relieves(self.instance, effects, k) for k in plans):
            for k in plans:
                tick()
                under = [patterns_under(self.instance, patterns, effects, p, k) for p in props]
                for number, block in enumerate(shared.kinds.blocks):
                    through = under[block.way]
                    effect = block_effects(self.instance, shared, block, effects, through, k)
                    effect, best = effect[..., : self.horizons], dense[number]
                    dense[number] = effect if best is None else np.maximum(best, effect)
        fits = [allowed_patterns(self.instance, candidates.plans[k], patterns) for k in plans]
        blocks = [by_way[block.way].take(block.patterns) for block in shared.kinds.blocks]
        return _Best(joined_patterns(blocks), dense, np.any(fits, axis=0))

    def _dead(self, s: int, patterns_fit: BoolArray) -> list[BoolArray | None]:
        """Per block (K, P) pairs that no plan allows; None if all are allowed.

        dead[k, p] = not (load_k within the caps and p kept by itself and by some plan), or missing,
        or not reached; 'no course' is never dead for its load. With exposures each plan's own state
        counts.
        """
        candidates, kinds = self.candidates, self.shared[s].kinds
        reached = candidates.reached(self.plans[0])[s]
        if candidates.exposures:  # each plan's own state of exposure counts
            open_ = np.any([candidates.allowed(k)[s] for k in self.plans], axis=0)
        else:
            fits = candidates.within(candidates.loads(self.plans[0])[s])
        masks: list[BoolArray | None] = []
        for block in kinds.blocks:
            if candidates.exposures:
                dead = ~(open_[block.course] & patterns_fit[block.patterns])
            else:
                dead = ~(fits[block.kinds, None] & patterns_fit[block.patterns])
            if block.missing is not None:
                dead |= block.missing
            dead[block.course == 0] = False
            dead |= ~reached[block.kinds, None]
            masks.append(dead if dead.any() else None)
        return masks

    def _units(self, prop: Propagators, patterns: Patterns) -> FloatArray:
        """(patterns, fractions, horizons) greatest effect per unit of release of the plans.

        unit[p, i, h] = max_k unit_k[p, i, h]. Computed once for all lesions that share propagators.
        """
        key = id(prop.store), id(prop.patterns), prop.own
        if key not in self._unit:
            effects = self.candidates.plan_effects
            best = None
            for lot in prop.blocks(PlanIds(np.array(self.plans))):
                prop.store.of(lot)
                for k in lot.tolist():
                    of_plan = units(self.instance, patterns.days, effects, prop, k)
                    best = of_plan if best is None else np.maximum(best, of_plan)
            assert best is not None
            self._unit[key] = best
        return self._unit[key]

    def terms(self, prices: Sequence[DualPrices], alive: Alive) -> tuple[FloatArray, ...]:
        """Per lesion (m, kinds) greatest Lagrangian term of each kind's courses; -inf if dead."""
        terms = []
        for courses, mask in zip(self.courses, alive, strict=True):
            tick()
            terms.append(courses.terms(prices, mask))
        return tuple(terms)

    def extent(self) -> tuple[FloatArray, FloatArray]:
        """(horizons,) bounds of Z_h = sum_s v[s, h] e^(- sum_(j != s) a_j - chemo) of any schedule.

        Greatest effect with least losses, least resting effect with greatest losses, s over
        lesions.
        """
        shape = len(self.courses), self.horizons
        low_effect, high_effect = np.zeros(shape), np.zeros(shape)
        low_loss, high_loss = np.zeros(shape[0]), np.zeros(shape[0])
        for s, courses in enumerate(self.courses if self.systemic else ()):
            used = courses.used()
            if not len(used.least):  # no schedule at all
                continue
            low_effect[s], high_effect[s] = (
                used.least_resting.min(axis=0),
                courses.greatest_effect(),
            )
            low_loss[s], high_loss[s] = used.least.min(), used.most.max(initial=0.0)
        chemo = self.candidates.plan_effects.chemotherapy_log_loss[list(self.plans)]
        high = np.exp(low_loss - low_loss.sum() - self.chemo) @ high_effect
        low = np.exp(high_loss - high_loss.sum() - float(chemo.max())) @ low_effect
        return low, high

    @property
    def most_loss(self) -> float:
        """No schedule's total log loss, chemotherapy included, is greater."""
        chemo = self.candidates.plan_effects.chemotherapy_log_loss[list(self.plans)]
        return float(chemo.max()) + sum(courses.most_loss for courses in self.courses)

    def halves(self) -> tuple[PlanSet, PlanSet]:
        """Two sets of plans that follow each other."""
        first, second = plan_halves(self.plans)
        return PlanSet(self.candidates, first, self), PlanSet(self.candidates, second, self)
