"""Combinations of kinds under several plans: where they are few, each is bounded by its own value.

A Lagrangian bound mixes the kinds of a lesion, so that it stays above the best schedule wherever
values are no concave function of loads: with a slope of control in place of a step (M23 of
docs/reference/model.md) many kinds remain, and their mixtures are better than each. Where few
combinations are left, one kind for each lesion, they are looked at one by one: each must keep the
hard rows, and is worth at most its value at the greatest systemic effect that any of its timings
under any of the plans could have (P16 of docs/reference/proofs.md).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.search.join import count_at_most, count_joined, joined
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.leaves.leaf import BOUND_SAFETY, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.bounds.bound import Dual
    from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive

ROUNDING = 1e-9
"""By which logarithms of systemic effects may err."""


class Combinations:
    """Combinations of the kinds alive, for a box that holds some cells.

    Attributes
    ----------
    low, high : (horizons,) the box
    kinds : per lesion (n,) kinds that count
    loss : per lesion (n,) by how much a kind's value at the box's upper end falls short of the best
    slack : summed losses that leave a combination above the threshold
    loads, right : per lesion (n, rows) least loads of kinds, and what hard rows allow
    pairs : which kinds of two lesions go together under a cap on days; None without a cap
    above : (n, lesions) combinations that `bounded` left, as places among the kinds
    """

    def __init__(self, dual: Dual, alive: Alive, cells: Cells, threshold: float):
        """loss[k] = max_j v_j(hi) - v_k(hi), slack = sum_s max_j v_j(hi) - cost - threshold."""
        self.dual, self.cells, self.threshold = dual, cells, threshold
        self.low, self.high = cells.low.min(axis=0), cells.high.max(axis=0)
        self.kinds: list[KindIds] = []
        self.loss: list[FloatArray] = []
        self.slack = BOUND_SAFETY - dual.set.cost - threshold
        for lesion, mask in zip(dual.values.lesions, alive, strict=True):
            kinds = KindIds(np.flatnonzero(mask))
            kinds = kinds[lesion.reaches(self.high, kinds)]
            value = lesion.at(self.high, kinds)
            top = float(value.max(initial=-math.inf))
            self.slack += top
            self.kinds.append(kinds)
            self.loss.append(top - value)
        self.top = self.slack + threshold
        for s, loss in enumerate(self.loss):
            near = loss <= self.slack
            self.kinds[s], self.loss[s] = self.kinds[s][near], loss[near]
        rows, together = dual.set.rows, dual.set.together
        self.right = np.where(rows.family < 0, rows.right, np.inf)
        self.pairs = None if together is None else together.most_shared(self.kinds)

    @cached_property
    def loads(self) -> list[FloatArray]:
        """Per lesion (n, rows) least loads of kinds: computed where combinations are joined."""
        return [
            courses.least_rows(kinds)
            for courses, kinds in zip(self.dual.set.courses, self.kinds, strict=True)
        ]

    @cached_property
    def count(self) -> float:
        """At most so many combinations are within the slack; infinite where they are too many."""
        if not all(len(kinds) for kinds in self.kinds):
            return 0.0
        count, most = count_at_most(self.loss, self.slack), settings.CURRENT.combinations
        if count <= most or not self.pairs:
            return count
        return count_joined(self.loss, self.loads, self.right, self.slack, self.pairs, most)

    def bounded(self, clock: Clock) -> tuple[Cells, Alive]:
        """The cells, each bounded by the combinations that may reach it, and the kinds above.

        A combination of at most the effect Z may reach a cell if Z >= lo, and is worth at most
        sum_s v_s(min(Z, hi)) - cost, hi the box's.
        """
        cells, bound = self.cells, np.full(len(self.cells), -np.inf)
        alive = tuple(np.zeros(len(s.kinds), dtype=bool) for s in self.dual.set.courses)
        self.above = np.empty((0, len(self.kinds)), dtype=np.int64)
        if self.count:
            self._state()
            log_low = np.log(cells.low) - ROUNDING
            chunk = settings.CURRENT.combination_chunk
            for rows in joined(self.loss, self.loads, self.right, self.slack, chunk, self.pairs):
                check(clock)
                log_kill = self._log_kill(rows)
                value = self.value(rows, log_kill)
                self._on_calendars(rows, log_kill, value)
                above = np.zeros(len(rows), dtype=bool)
                for i, low in enumerate(log_low):
                    inside = (log_kill >= low).all(axis=1)
                    bound[i] = max(bound[i], float(value[inside].max(initial=-np.inf)))
                    above |= inside
                above &= value + BOUND_SAFETY > self.threshold
                self.above = np.concatenate([self.above, rows[above]])
                for s, mask in enumerate(alive):
                    mask[self.kinds[s][rows[above, s]]] = True
        return replace(cells, bound=np.minimum(cells.bound, bound + BOUND_SAFETY)), alive

    def _on_calendars(self, rows: IntArray, log_kill: FloatArray, value: FloatArray) -> None:
        """Lower effect and value of combinations above the threshold to those of calendars.

        ln Z <= min_l [ ln G_l - 1 + ground/G_l - chemo + max_calendar sum_s term_s[h, l] ]
        """
        calendars, above = self.dual.set.calendars, value + BOUND_SAFETY > self.threshold
        if calendars is None or not above.any():
            return
        rows, levels = rows[above], self.coarse_levels
        most = calendars.most(rows, self.kinds, self.coarse)
        suited, lower = (most > -np.inf).all(axis=1), log_kill[above]
        if levels.size:
            most = most.reshape(len(rows), *levels.shape)
            offset = levels - 1.0 + self.dual.ground[:, None] * np.exp(-levels)
            lower = np.minimum(lower, (most + offset - self.dual.set.chemo).min(axis=2))
        worth = np.full(len(rows), -np.inf)
        worth[suited] = self.value(rows[suited], lower[suited])
        log_kill[above], value[above] = lower, worth

    def best(self) -> Iterator[tuple[float, list[KindIds]]]:
        """Combinations that `bounded` left, one kind for each lesion, by falling bound."""
        if not len(self.above):
            return
        log_kill = self._log_kill(self.above)
        value = self.value(self.above, log_kill)
        self._on_calendars(self.above, log_kill, value)
        for i in np.argsort(-value, kind="stable").tolist():
            row = self.above[i]
            chosen = [KindIds(k[[place]]) for k, place in zip(self.kinds, row, strict=True)]
            yield float(value[i]) + BOUND_SAFETY, chosen

    def inside(self, log_kill: FloatArray) -> BoolArray:
        """(n,) whether effects of at most ln Z (n, horizons) reach some cell."""
        log_low = np.log(self.cells.low) - ROUNDING
        by_cell: BoolArray = np.asarray((log_kill[:, None] >= log_low).all(axis=2))
        return np.asarray(by_cell.max(axis=1))

    def _state(self) -> None:
        """What kinds put into the effect, and their values at levels of it.

        term[s][k, h, l] = max_p (g[k, p, h] / G[h, l] - a_p) over the allowed timings p;
        value[s][h][j, k] at z[h, j], both grids geometric.
        """
        plans, count = self.dual.set, settings.CURRENT.combination_levels
        self.log_kills = np.linspace(np.log(self.low), np.log(self.high), count, axis=1)
        spread = plans.chemo + sum(courses.most_loss for courses in plans.courses)
        tangents = settings.CURRENT.combination_tangents
        ends = np.log(self.low) + plans.chemo, np.log(self.high) + spread
        self.log_levels = np.linspace(*ends, tangents, axis=1)
        horizons, rows = len(self.low), len(plans.rows.right)
        prices = [
            DualPrices(np.zeros(rows), unit, unit * math.exp(-self.log_levels[h, j]), 0.0)
            for h, unit in enumerate(np.eye(horizons))
            for j in range(tangents)
        ]
        step = settings.CURRENT.calendar_tangents
        self.coarse_levels = self.log_levels[:, ::step]
        self.coarse = [y for i, y in enumerate(prices) if i % tangents % step == 0]
        if not prices:
            self.coarse = [DualPrices(np.zeros(rows), np.zeros(0), np.zeros(0), 0.0)]
        self.terms, self.values = [], []
        for s, (courses, kinds) in enumerate(zip(plans.courses, self.kinds, strict=True)):
            mask = np.zeros(len(courses.kinds), dtype=bool)
            mask[kinds] = True
            term = courses.terms(prices, mask)[:, kinds] if prices else np.zeros((0, len(kinds)))
            self.terms.append(term.T.reshape(len(kinds), horizons, tangents))
            lesion = self.dual.values.lesions[s]
            self.values.append(lesion.by_horizon(np.exp(self.log_kills), kinds))

    def _log_kill(self, rows: IntArray) -> FloatArray:
        """(n, horizons) ln of the greatest effect before saturation of some combinations.

        min_l [ ln G_l - 1 + ground/G_l - chemo + sum_s term_s[h, l] ], l over tangents of ln G.
        """
        plans, levels = self.dual.set, self.log_levels
        offset = levels - 1.0 + self.dual.ground[:, None] * np.exp(-levels) - plans.chemo
        total = sum(term[rows[:, s]] for s, term in enumerate(self.terms))
        return np.asarray((total + offset).min(axis=2))

    def value(self, rows: IntArray, log_kill: FloatArray) -> FloatArray:
        """(n,) sum_s v_s(z) - cost, z the next level above the effect in each horizon, or hi."""
        value = -self._cost(rows)
        if not len(self.low):
            for s, of_kinds in enumerate(self.values):
                value += of_kinds[0, 0, rows[:, s]]
            return value
        last = settings.CURRENT.combination_levels - 1
        width = np.maximum(self.log_kills[:, -1] - self.log_kills[:, 0], ROUNDING)
        place = (log_kill + ROUNDING - self.log_kills[:, 0]) / width * last
        step = np.clip(np.floor(place) + 1, 0, last).astype(np.int64)
        for s, of_kinds in enumerate(self.values):
            for h in range(len(self.low)):
                value += of_kinds[h, step[:, h], rows[:, s]]
        return value

    def _cost(self, rows: IntArray) -> FloatArray:
        """(n,) what plan and soft rows cost at least: penalty . max(0, max_r load_r - right_r)."""
        plans = self.dual.set
        cost = np.full(len(rows), plans.cost)
        for number, penalty in enumerate(plans.rows.penalty):
            soft = np.flatnonzero(plans.rows.family == number)
            load = sum(loads[:, soft][rows[:, s]] for s, loads in enumerate(self.loads))
            excess = np.asarray(load - plans.rows.right[soft]).max(axis=1, initial=0.0)
            cost += penalty * np.maximum(excess, 0.0)
        return cost
