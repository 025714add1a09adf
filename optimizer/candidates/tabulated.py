"""Exact value and feasibility of many schedules at once, from the coefficient tables.

A schedule of uniform courses under one plan is a row of course indices, one per lesion table.
The judge has the last word; this is what search and enumeration use before it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import (
    AlcLimit,
    DoseByFractionsLimit,
    EdricLimit,
    LogisticsLimit,
)
from abscopt.models import immune, lymphocytes, outcome, toxicity
from abscopt.optimizer.candidates.table import CAP

if TYPE_CHECKING:
    from abscopt.instances.schema import Lesion
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class Tabulated:
    """Value and feasibility of rows of course indices under one plan."""

    def __init__(self, candidates: Candidates, plan: int):
        if candidates.free:
            raise ValueError("free courses cannot be tabulated")
        self.candidates = candidates
        self.instance = candidates.instance
        self.effects = candidates.effects(plan)
        self.allowed = candidates.allowed(plan)
        self.end_needed = candidates.latest_end_needed(plan)
        self.chemo = float(candidates.plan_effects.chemotherapy_log_loss[plan])
        lesions = [self.instance.lesions[t.menu.lesion] for t in candidates.lesions]
        self.weights = np.array([lesion.weight for lesion in lesions])
        self.shares = np.array([lesion.effector_share for lesion in lesions])

    def value(self, rows: IntArray) -> FloatArray:
        """(schedules,) exact objective of rows (schedules, lesions)."""
        columns = range(rows.shape[1])
        if self.instance.objective.kind == "tumor_bed":
            bed = np.stack([self.effects[s].tumor_bed[rows[:, s]] for s in columns], axis=1)
            total: FloatArray = bed @ self.weights
            return total
        return self.value_at(rows, self.systemic(rows))

    def systemic(self, rows: IntArray) -> FloatArray:
        """(schedules, horizons) saturated systemic log kill."""
        columns = range(rows.shape[1])
        loss = np.stack([self.effects[s].loss[rows[:, s]] for s in columns], axis=1)
        others = self.chemo + loss.sum(axis=1, keepdims=True) - loss
        own = np.stack([self.effects[s].effect[rows[:, s]] for s in columns], axis=1)
        raw = (np.exp(-others)[:, :, None] * own).sum(axis=1)
        return immune.saturate(raw, self.instance.immune.effect_maximum_nats)

    def value_at(self, rows: IntArray, systemic: FloatArray) -> FloatArray:
        """(schedules,) default objective for given systemic log kill (schedules, horizons)."""
        goal = self.instance.objective
        total = np.zeros(len(rows))
        for s, effect in enumerate(self.effects):
            burden = effect.local[rows[:, s]] - self.shares[s] * systemic
            value = outcome.conceding_value(burden, goal.conceded_at_nats, goal.conceded_slope)
            total += self.weights[s] * value.mean(axis=1)
        return total

    def feasible(self, rows: IntArray) -> BoolArray:
        """(schedules,) whether every limit and rule of the case is kept."""
        good = np.ones(len(rows), dtype=bool)
        for check in (self._rules, self._organs, self._logistics, self._alc, self._edric):
            left = np.flatnonzero(good)
            if len(left):
                good[left] = check(rows[left])
        return good

    def extendable(self, rows: IntArray, loads: FloatArray, alc_loss: FloatArray) -> BoolArray:
        """(schedules,) whether rows could be kept within caps with further courses added.

        Lesions still to come are 'no course' in the rows; all loads only grow.

        Parameters
        ----------
        loads : (organ limits,) at least what the lesions to come add, as parts of the caps
        alc_loss : (days,) at least what they add to the log loss of lymphocytes
        """
        good: BoolArray = np.asarray((self.organ_loads(rows) + loads <= CAP).all(axis=1))
        for limit in self.instance.limits:
            left = np.flatnonzero(good)
            if not len(left):
                return good
            if isinstance(limit, AlcLimit):
                good[left] = self._alc_use(rows[left], limit, alc_loss) <= CAP
            elif isinstance(limit, LogisticsLimit) and limit.cap is not None:
                good[left] = self.quantity(rows[left], limit.quantity) <= limit.cap
        return good

    def uses(self, rows: IntArray) -> FloatArray:
        """(schedules,) sum of load / cap over organ, ALC, EDRIC and capped logistics limits."""
        total: FloatArray = self.organ_loads(rows).sum(axis=1)
        for limit in self.instance.limits:
            if isinstance(limit, AlcLimit):
                total += self._alc_use(rows, limit)
            elif isinstance(limit, EdricLimit):
                total += self._edric_gy(rows) / limit.cap_gy
            elif isinstance(limit, LogisticsLimit) and limit.cap:
                total += self.quantity(rows, limit.quantity) / limit.cap
        return total

    def organ_loads(self, rows: IntArray) -> FloatArray:
        """(schedules, organ limits) exact loads as parts of the caps, shared days included."""
        tables = self.candidates.lesions
        loads = np.zeros((len(rows), len(self.candidates.limits)))
        for s, table in enumerate(tables):
            loads += table.loads[rows[:, s]]
        for i in range(len(tables)):
            for j in range(i):
                shared = self.shared_days(rows, i, j)
                busy = np.flatnonzero(shared)
                if not len(busy):
                    continue
                product = (
                    tables[i].menu.dose[rows[busy, i]] * tables[j].menu.dose[rows[busy, j]]
                ) * shared[busy]
                loads[busy] += product[:, None] * self.candidates.cross[:, i, j]
        self._miner(rows, loads)
        return loads

    def shared_days(self, rows: IntArray, i: int, j: int) -> FloatArray:
        """(schedules,) number of days on which lesions i and j both receive a fraction."""
        one, two = self.candidates.lesions[i].menu, self.candidates.lesions[j].menu
        if len(one) == 1 or len(two) == 1:
            return np.zeros(len(rows))
        common = self.candidates.common_days(i, j)
        result: FloatArray = common[one.pattern[rows[:, i]], two.pattern[rows[:, j]]]
        return result

    def _miner(self, rows: IntArray, loads: FloatArray) -> None:
        """Replace Miner sums of rows with shared days by the sum over whole organ days."""
        tables = self.candidates.lesions
        for column, limit in enumerate(self.candidates.limits):
            if not isinstance(limit, DoseByFractionsLimit):
                continue
            touching = [
                s
                for s, table in enumerate(tables)
                if self._lesion(s).sparing_factor(limit.organ, limit.point, 0) > 0
                and len(table.menu) > 1
            ]
            crowded = np.zeros(len(rows), dtype=bool)
            for a, i in enumerate(touching):
                for j in touching[:a]:
                    crowded |= self.shared_days(rows, i, j) > 0
            busy = np.flatnonzero(crowded & (loads[:, column] <= CAP))
            for part in np.array_split(busy, max(1, len(busy) // 20_000)):
                daily = np.zeros((len(part), self.instance.days))
                for s in touching:
                    menu = tables[s].menu
                    factor = self._lesion(s).sparing_factor(limit.organ, limit.point, 0)
                    chosen = rows[part, s]
                    daily += (factor * menu.dose[chosen])[:, None] * menu.patterns.incidence[
                        menu.pattern[chosen]
                    ]
                miner = toxicity.miner_fraction(daily, limit.fractions, limit.limits_gy)
                loads[part, column] = miner.sum(axis=1)

    def _lesion(self, s: int) -> Lesion:
        return self.instance.lesions[self.candidates.lesions[s].menu.lesion]

    def _organs(self, rows: IntArray) -> BoolArray:
        base = sum(
            table.loads[rows[:, s]] for s, table in enumerate(self.candidates.lesions)
        ) + np.zeros((len(rows), len(self.candidates.limits)))
        good: BoolArray = np.asarray((base <= CAP).all(axis=1))
        left = np.flatnonzero(good)
        if len(left):
            good[left] = (self.organ_loads(rows[left]) <= CAP).all(axis=1)
        return good

    def _rules(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        last = np.full(len(rows), -1)
        for s, table in enumerate(self.candidates.lesions):
            good &= self.allowed[s][rows[:, s]]
            last = np.maximum(last, table.menu.patterns.last[table.menu.pattern[rows[:, s]]])
        return good & ((last >= self.end_needed) | (last < 0))

    def _patterns(self, rows: IntArray, s: int) -> IntArray:
        return self.candidates.lesions[s].menu.pattern[rows[:, s]]

    def _alc_use(
        self, rows: IntArray, limit: AlcLimit, further: FloatArray | float = 0.0
    ) -> FloatArray:
        before = self.instance.lymphocytes.initial_1e9_per_l
        allowance = math.log(before / limit.floor_1e9_per_l)
        worst = np.empty(len(rows))
        start = 0
        for part in np.array_split(rows, max(1, len(rows) // 20_000)):
            loss = sum(
                table.alc_loss[self._patterns(part, s)]
                for s, table in enumerate(self.candidates.lesions)
            )
            worst[start : start + len(part)] = (np.asarray(loss) + further).max(axis=1) + self.chemo
            start += len(part)
        return worst / allowance

    def _alc(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        for limit in self.instance.limits:
            if isinstance(limit, AlcLimit):
                good &= self._alc_use(rows, limit) <= CAP
        return good

    def _edric_gy(self, rows: IntArray) -> FloatArray:
        lung, heart, integral = (np.zeros(len(rows)) for _ in range(3))
        fractions = np.zeros(len(rows))
        for s, table in enumerate(self.candidates.lesions):
            lesion, menu = self._lesion(s), table.menu
            dose = (menu.fractions * menu.dose)[rows[:, s]]
            lung += lesion.sparing_factor("lungs", "mean", 0) * dose
            heart += lesion.sparing_factor("heart", "mean", 0) * dose
            integral += (lesion.integral_dose_cm3 or 0.0) * dose
            fractions += menu.fractions[rows[:, s]]
        return lymphocytes.edric(lung, heart, integral, fractions)

    def _edric(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        for limit in self.instance.limits:
            if isinstance(limit, EdricLimit):
                good &= self._edric_gy(rows) <= limit.cap_gy * CAP
        return good

    def quantity(self, rows: IntArray, quantity: str) -> FloatArray:
        """(schedules,) lesions, visits, lesions_per_day or overall_days."""
        if quantity == "lesions":
            treated = [self._patterns(rows, s) > 0 for s in range(rows.shape[1])]
            result: FloatArray = np.sum(treated, axis=0).astype(float)
            return result
        if quantity == "overall_days":
            last = np.full(len(rows), -1)
            first = np.full(len(rows), self.instance.days)
            for s, table in enumerate(self.candidates.lesions):
                pattern = self._patterns(rows, s)
                given = pattern > 0
                last = np.where(given, np.maximum(last, table.menu.patterns.last[pattern]), last)
                first = np.where(
                    given, np.minimum(first, table.menu.patterns.first[pattern]), first
                )
            return np.where(last >= 0, last - first + 1, 0).astype(float)
        result = np.empty(len(rows))
        start = 0
        for part in np.array_split(rows, max(1, len(rows) // 20_000)):
            per_day = sum(
                table.menu.patterns.incidence[self._patterns(part, s)]
                for s, table in enumerate(self.candidates.lesions)
            ) + np.zeros((len(part), self.instance.days))
            count = (per_day > 0).sum(axis=1) if quantity == "visits" else per_day.max(axis=1)
            result[start : start + len(part)] = count
            start += len(part)
        return result

    def _logistics(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        for limit in self.instance.limits:
            if isinstance(limit, LogisticsLimit):
                quantity = self.quantity(rows, limit.quantity)
                if limit.cap is not None:
                    good &= quantity <= limit.cap
                if limit.floor is not None:
                    good &= quantity >= limit.floor
        return good
