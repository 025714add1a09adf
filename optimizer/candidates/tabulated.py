"""Exact value and feasibility of many schedules at once, from the coefficient tables.

A schedule of uniform courses under one plan is a row of course indices, one per lesion table.
The judge has the last word; this is what search and enumeration use before it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import (
    AlcLimit,
    DoseByFractionsLimit,
    EdricLimit,
    LogisticsLimit,
)
from abscopt.models import immune, lymphocytes, toxicity
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.population import population_log_burden
from abscopt.optimizer.candidates.courses import ADDED
from abscopt.optimizer.candidates.loads import alc_allowance
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.candidates.value import controllable, lesion_value

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.optimizer.candidates.coefficients import CourseEffects
    from abscopt.optimizer.candidates.table import Candidates


CHUNK = 20_000


class Tabulated:
    """Value and feasibility of rows of course indices under one plan.

    Attributes
    ----------
    nodes : per lesion the weights of its radiosensitivities
    allowed : per lesion (courses,) what rules, limits and demands allow
    begun : the same with 'no course', which stands for a course still to be chosen
    """

    def __init__(self, candidates: Candidates, plan: int):
        if candidates.free:
            raise ValueError("free courses cannot be tabulated")
        self.candidates, self.plan = candidates, plan
        self.instance = candidates.instance
        self.allowed = candidates.allowed(plan)
        self.begun = tuple(own | (np.arange(len(own)) == 0) for own in self.allowed)
        self.kinds = [one.kinds.of for one in candidates.shared(plan)]
        self.loads = candidates.loads(plan)
        self.exposed = candidates.exposed(plan)
        self.end_needed = candidates.latest_end_needed(plan)
        self.start_needed = candidates.earliest_start_needed(plan)
        self.plan_cost = candidates.plan_cost(plan)
        self.chemo = float(candidates.plan_effects.chemotherapy_log_loss[plan])
        self.sensitized = candidates.plan_effects.sensitizer[plan] > 1
        lesions = [self.instance.lesions[t.menu.lesion] for t in candidates.lesions]
        self.weights = np.array([lesion.weight for lesion in lesions])
        self.nodes = [lesion.sensitivities[1] for lesion in lesions]
        limits = self.instance.limits
        self.soft = any(limit.penalty is not None for limit in limits)

    @cached_property
    def effects(self) -> tuple[CourseEffects, ...]:
        """Per lesion: effects of its courses under the plan; feasibility does without."""
        return self.candidates.effects(self.plan)

    def value(self, rows: IntArray) -> FloatArray:
        """(schedules,) exact objective of rows (schedules, lesions)."""
        columns = range(rows.shape[1])
        if self.instance.objective.kind == "tumor_bed":
            bed = np.stack(
                [self.effects[s].tumor_bed[self.kinds[s][rows[:, s]]] for s in columns], axis=1
            )
            return np.asarray(bed @ self.weights) - self.cost(rows)
        return self.value_at(rows, self.systemic(rows)) - self.cost(rows)

    def cost(self, rows: IntArray) -> FloatArray:
        """(schedules,) what soft limits cost the objective."""
        total = np.full(len(rows), self.plan_cost)
        if not self.soft:
            return total
        loads = self.organ_loads(rows) if not self.candidates.hard.all() else None
        for row, limit in enumerate(self.candidates.limits):
            if limit.penalty is not None and loads is not None:
                total += limit.penalty * np.maximum(0.0, loads[:, row] - 1.0)
        for other in self.instance.limits:
            if other.penalty is not None and isinstance(
                other, AlcLimit | EdricLimit | LogisticsLimit
            ):
                total += other.penalty * np.maximum(0.0, self._use(rows, other) - 1.0)
        return total

    def _use(self, rows: IntArray, limit: AnyLimit) -> FloatArray:
        """(schedules,) load / cap of an ALC, EDRIC or capped logistics limit."""
        if isinstance(limit, AlcLimit):
            return self._alc_use(rows, limit)
        if isinstance(limit, EdricLimit):
            return self._edric_gy(rows) / limit.cap_gy
        assert isinstance(limit, LogisticsLimit) and limit.cap
        return self.quantity(rows, limit) / limit.cap

    def systemic(self, rows: IntArray) -> FloatArray:
        """(schedules, horizons) saturated systemic log kill."""
        columns = range(rows.shape[1])
        loss = np.stack([self.effects[s].loss[rows[:, s]] for s in columns], axis=1)
        others = self.chemo + loss.sum(axis=1, keepdims=True) - loss
        own = np.stack([self.effects[s].effect[rows[:, s]] for s in columns], axis=1)
        raw = (np.exp(-others)[:, :, None] * own).sum(axis=1)
        return immune.saturate(raw, self.instance.immune.effect_maximum_nats)

    def value_at(self, rows: IntArray, systemic: FloatArray) -> FloatArray:
        """(schedules,) objective without costs at a systemic log kill (schedules, horizons)."""
        total = np.zeros(len(rows))
        for s, effect in enumerate(self.effects):
            chosen = effect.kind[rows[:, s]]
            total += self.weights[s] * lesion_value(
                self.instance.objective,
                self.nodes[s],
                effect.local[chosen],
                effect.share[chosen],
                systemic,
            )
        return total

    def feasible(self, rows: IntArray, floors: bool = True, organs: bool = True) -> BoolArray:
        """(schedules,) whether every limit and rule of the case is kept.

        Parameters
        ----------
        floors : whether a least number of lesions and demands that ask for a course count
        organs : whether caps of organs count
        """
        good, others = np.ones(len(rows), dtype=bool), (self._logistics, self._alc, self._edric)
        for check in (self._rules, *((self._organs,) if organs else ()), *others):
            left = np.flatnonzero(good)
            if len(left):
                good[left] = check(rows[left])
        if floors:
            good &= self.sites_reached(rows)
            left = np.flatnonzero(good)
            if self.candidates.controlled and len(left):
                good[left] = self._controlled(rows[left])
        return good

    def _controlled(self, rows: IntArray) -> BoolArray:
        """(schedules,) whether every lesion has the control at the last horizon that it demands."""
        kill, good = self.systemic(rows)[:, -1], np.ones(len(rows), dtype=bool)
        for s, most in self.candidates.controlled.items():
            effect = self.effects[s]
            chosen = effect.kind[rows[:, s]]
            local, share = effect.local[chosen], effect.share[chosen]
            good &= controllable(self.nodes[s], local, share, kill, most)
        return good

    def shortfall(self, rows: IntArray) -> FloatArray:
        """(schedules,) nats of log burden by which demands for control are missed, summed."""
        kill, total = self.systemic(rows)[:, -1], np.zeros(len(rows))
        for s, most in self.candidates.controlled.items():
            effect = self.effects[s]
            chosen = effect.kind[rows[:, s]]
            left = effect.local[chosen, -1] - effect.share[chosen] * kill[:, None]
            total += np.maximum(0.0, population_log_burden(left, self.nodes[s]) - most)
        return total

    def beside(self, row: IntArray, s: int, courses: IntArray) -> BoolArray:
        """(n,) whether some courses of a lesion are allowed and fit beside the others of a row.

        By the loads that add up alone: what does not fit is infeasible, what fits may be.
        """
        allowed: BoolArray = self.begun[s][courses]
        if self.candidates.exposures:  # caps depend on what the schedule does
            return allowed
        others = [self.loads[t][self.kinds[t][row[t]]] for t in range(len(row)) if t != s]
        return allowed & self.candidates.within(self.loads[s][self.kinds[s][courses]] + sum(others))

    def sites_reached(self, rows: IntArray) -> BoolArray:
        """(schedules,) whether the least number of lesions is treated, and all that must be."""
        needed = [
            limit.floor or 0
            for limit in self.instance.limits
            if isinstance(limit, LogisticsLimit) and limit.quantity == "lesions"
        ]
        treated: BoolArray = np.asarray((rows > 0).sum(axis=1) >= max(needed, default=0))
        return treated & (rows[:, self.candidates.demanding] > 0).all(axis=1)

    def extendable(self, rows: IntArray, loads: FloatArray, alc_loss: FloatArray) -> BoolArray:
        """(schedules,) whether rows could be kept within caps with further courses added.

        Lesions still to come are 'no course' in the rows; all loads only grow.

        Parameters
        ----------
        loads : (organ limits,) at least what the lesions to come add, as parts of the caps
        alc_loss : (days,) at least what they add to the log loss of lymphocytes
        """
        total = self.organ_loads(rows) + loads
        good: BoolArray = np.asarray(((total <= CAP) | ~self.candidates.hard).all(axis=1))
        for limit in self.instance.limits:
            left = np.flatnonzero(good)
            if not len(left):
                return good
            if limit.penalty is not None:
                continue
            if isinstance(limit, AlcLimit):
                good[left] = self._alc_use(rows[left], limit, alc_loss) <= CAP
            elif isinstance(limit, LogisticsLimit) and limit.cap is not None:
                good[left] = self.quantity(rows[left], limit) <= limit.cap
            elif isinstance(limit, LogisticsLimit) and limit.quantity == "course_gap_days":
                good[left] = self._gap(rows[left]) >= (limit.floor or 0)
        return good

    def uses(self, rows: IntArray) -> FloatArray:
        """(schedules,) sum of load / cap over hard organ, ALC, EDRIC and logistics limits."""
        total: FloatArray = self.organ_loads(rows)[:, self.candidates.hard].sum(axis=1)
        return total + sum(self._use(rows, limit) for limit in self._counted_limits())

    def least_uses(self, rows: IntArray, s: int) -> FloatArray:
        """(schedules,) the same for rows that differ in lesion s alone, at least.

        Days that two lesions share add to the organ loads; here they do not.
        """
        total = np.zeros(len(rows))
        hard, menu = self.candidates.hard, self.candidates.lesions[s].menu
        if not self.candidates.exposures:  # else each state has a cap of its own
            total += self.candidates.prior[hard].sum()
            for i, load in enumerate(self.loads):
                total += load[:, hard].sum(axis=1)[self.kinds[i][rows[:, i]]]
        own = rows[:, s]
        days = menu.pattern[own] * (int(menu.technique.max()) + 1) + menu.technique[own]
        _, first, of = np.unique(days, return_index=True, return_inverse=True)
        for limit in self._counted_limits():
            if isinstance(limit, EdricLimit):
                total += self._use(rows, limit)
            else:  # the same whatever the dose
                total += self._use(rows[first], limit)[of.reshape(-1)]
        return total

    def _counted_limits(self) -> list[AnyLimit]:
        """Hard limits of other things than organs."""
        return [
            limit
            for limit in self.instance.limits
            if limit.penalty is None
            and (
                isinstance(limit, AlcLimit | EdricLimit)
                or (isinstance(limit, LogisticsLimit) and limit.cap)
            )
        ]

    def organ_loads(self, rows: IntArray) -> FloatArray:
        """(schedules, organ limits) exact loads as parts of the caps.

        Prior doses, shared days and states of exposure included.
        """
        tables = self.candidates.lesions
        loads = np.zeros((len(rows), len(self.candidates.limits)))
        for s, load in enumerate(self.loads):
            loads += load[self.kinds[s][rows[:, s]]]
        for i, j in self._crossing:
            shared = self.shared_days(rows, i, j)
            busy = np.flatnonzero(shared)
            if not len(busy):
                continue
            one, two = rows[busy, i], rows[busy, j]
            product = tables[i].menu.dose[one] * tables[j].menu.dose[two] * shared[busy]
            factor = self.candidates.cross[i, j][:, tables[i].variant[one], tables[j].variant[two]]
            loads[busy] += product[:, None] * factor.T
        self._miner(rows, loads)
        if self.candidates.exposures:
            exposed = np.any([met[rows[:, s]] for s, met in enumerate(self.exposed)], axis=0)
            loads = self.candidates.in_state(loads, exposed)
        return loads + self.candidates.prior

    @cached_property
    def _crossing(self) -> list[tuple[int, int]]:
        """Pairs of lesions that load some organ more on a day that they share."""
        cross, tables = self.candidates.cross, self.candidates.lesions
        return [(i, j) for i in range(len(tables)) for j in range(i) if cross[i, j].any()]

    def shared_days(self, rows: IntArray, i: int, j: int) -> FloatArray:
        """(schedules,) number of days on which lesions i and j both receive a fraction."""
        one, two = self.candidates.lesions[i].menu, self.candidates.lesions[j].menu
        if len(one) == 1 or len(two) == 1:
            return np.zeros(len(rows))
        return self.candidates.common_days(i, j, one.pattern[rows[:, i]], two.pattern[rows[:, j]])

    def _miner(self, rows: IntArray, loads: FloatArray) -> None:
        """Correct Miner sums for shared days: the organ feels the dose of the day, not its parts.

        Each shared day adds `f(sum of doses) - sum of f(dose)`.
        """
        tables = self.candidates.lesions
        for column, limit in enumerate(self.candidates.limits):
            if not isinstance(limit, DoseByFractionsLimit):
                continue
            daily = [
                np.array(
                    [
                        number * lesion.sparing_factor(limit.organ, limit.point, 0, way)
                        for lesion, way, number in table.beams
                    ]
                )
                for table in tables
            ]
            touching = [s for s, t in enumerate(tables) if daily[s].any() and len(t.menu) > 1]
            crowded = np.zeros(len(rows), dtype=bool)
            for a, i in enumerate(touching):
                for j in touching[:a]:
                    crowded |= self.shared_days(rows, i, j) > 0
            near = (loads[:, column] <= CAP) | (not self.candidates.hard[column])
            busy = np.flatnonzero(crowded & near)
            if not len(busy):
                continue
            for part in np.array_split(busy, max(1, len(busy) // CHUNK)):
                self._shared_miner(
                    limit, column, [(s, daily[s]) for s in touching], rows, part, loads
                )

    def _shared_miner(
        self,
        limit: DoseByFractionsLimit,
        column: int,
        touching: list[tuple[int, FloatArray]],
        rows: IntArray,
        part: IntArray,
        loads: FloatArray,
    ) -> None:
        """Add what the shared days of some schedules change in one Miner sum.

        `touching` has the lesions that reach the organ, with Gy there per Gy prescribed and beam.
        """
        tables, treated = self.candidates.lesions, self.candidates.treated
        given = []
        for s, _ in touching:
            given.append(treated[s][tables[s].menu.pattern[rows[part, s]]])
        row, day = np.nonzero(np.sum(given, axis=0, dtype=np.int8) > 1)
        ratio = self.instance.organs[limit.organ].sensitizer_enhancement_ratio
        raised = np.where(self.sensitized[day], ratio, 1.0)
        doses = []
        for (s, height), days in zip(touching, given, strict=True):
            chosen = rows[part[row], s]
            dose = height[tables[s].variant[chosen]] * tables[s].menu.dose[chosen]
            doses.append(np.where(days[row, day], dose, 0.0) * raised)
        whole = np.array([np.sum(doses, axis=0), *doses])
        used = toxicity.miner_fraction(whole, limit.fractions, limit.limits_gy)
        change = used[0] - used[1:].sum(axis=0)
        loads[part, column] += np.bincount(row, change, minlength=len(part))

    def _organs(self, rows: IntArray) -> BoolArray:
        base = (
            self.candidates.prior
            + sum(load[self.kinds[s][rows[:, s]]] for s, load in enumerate(self.loads))
            + np.zeros((len(rows), len(self.candidates.limits)))
        )
        good: BoolArray = np.asarray(((base <= CAP) | ~self.candidates.hard).all(axis=1))
        left = np.flatnonzero(good)
        if len(left):
            total = self.organ_loads(rows[left])
            good[left] = ((total <= CAP) | ~self.candidates.hard).all(axis=1)
            good[left] &= np.isfinite(total).all(axis=1)
        return good

    def _rules(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        last = np.full(len(rows), -1)
        first = np.full(len(rows), self.instance.days)
        for s, table in enumerate(self.candidates.lesions):
            good &= self.begun[s][rows[:, s]]
            patterns, pattern = table.menu.patterns, self._patterns(rows, s)
            last = np.maximum(last, patterns.last[pattern])
            first = np.where(pattern > 0, np.minimum(first, patterns.first[pattern]), first)
        good &= (last >= self.end_needed) | (last < 0)
        if self.start_needed >= 0:
            good &= (first <= self.start_needed) | (last < 0)
        return good

    def _patterns(self, rows: IntArray, s: int) -> IntArray:
        return self.candidates.lesions[s].menu.pattern[rows[:, s]]

    def _alc_use(
        self, rows: IntArray, limit: AlcLimit, further: FloatArray | float = 0.0
    ) -> FloatArray:
        worst = np.empty(len(rows))
        start = 0
        for part in np.array_split(rows, max(1, len(rows) // CHUNK)):
            loss = sum(
                table.alc_loss(part[:, s]) for s, table in enumerate(self.candidates.lesions)
            )
            worst[start : start + len(part)] = (np.asarray(loss) + further).max(axis=1) + self.chemo
            start += len(part)
        return worst / alc_allowance(self.instance, limit)

    def _alc(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        for limit in self.instance.limits:
            if isinstance(limit, AlcLimit) and limit.penalty is None:
                good &= self._alc_use(rows, limit) <= CAP
        return good

    def _edric_gy(self, rows: IntArray) -> FloatArray:
        parts = zip(self.candidates.edric_parts, rows.T, strict=True)
        total: FloatArray = np.sum([own[:, chosen] for own, chosen in parts], axis=0)
        return lymphocytes.edric(*total)

    def _edric(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        for limit in self.instance.limits:
            if isinstance(limit, EdricLimit) and limit.penalty is None:
                good &= self._edric_gy(rows) <= limit.cap_gy * CAP
        return good

    def visits(self, rows: IntArray) -> FloatArray:
        """(schedules,) days with any fraction."""
        return self._counted(rows, "visits", range(self.instance.days))

    def quantity(self, rows: IntArray, limit: LogisticsLimit) -> FloatArray:
        """(schedules,) what a logistics limit counts."""
        if limit.quantity in ADDED:
            own = [table.menu.patterns.added(limit) for table in self.candidates.lesions]
            chosen = [one[self._patterns(rows, s)] for s, one in enumerate(own)]
            total: FloatArray = np.sum(chosen, axis=0)
            return total
        if limit.quantity == "course_gap_days":
            return self._gap(rows)
        if limit.quantity == "overall_days":
            last = np.full(len(rows), -1)
            first = np.full(len(rows), self.instance.days)
            for s in range(rows.shape[1]):
                begin, end, given = self._ends(rows, s)
                last = np.where(given, np.maximum(last, end), last)
                first = np.where(given, np.minimum(first, begin), first)
            return np.where(last >= 0, last - first + 1, 0).astype(float)
        return self._counted(rows, limit.quantity, limit.days(self.instance.days))

    def _ends(self, rows: IntArray, s: int) -> tuple[IntArray, IntArray, BoolArray]:
        """(schedules,) first and last day of lesion s, and whether it is treated."""
        pattern, patterns = self._patterns(rows, s), self.candidates.lesions[s].menu.patterns
        return patterns.first[pattern], patterns.last[pattern], pattern > 0

    def _gap(self, rows: IntArray) -> FloatArray:
        """(schedules,) least days from the end of a course to the start of a later one."""
        least = np.full(len(rows), np.inf)
        active = [s for s, t in enumerate(self.candidates.lesions) if len(t.menu) > 1]
        for a, i in enumerate(active):
            one, end, given = self._ends(rows, i)
            for j in active[:a]:
                two, stop, treated = self._ends(rows, j)
                gap = np.maximum(one - stop, two - end)
                least = np.where(given & treated, np.minimum(least, gap), least)
        return least

    def _counted(self, rows: IntArray, quantity: str, days: range) -> FloatArray:
        """(schedules,) visits or lesions_per_day within some days."""
        result = np.zeros(len(rows))
        if not len(days):
            return result
        window = slice(days.start, days.stop)
        start = 0
        for part in np.array_split(rows, max(1, len(rows) // CHUNK)):
            per_day = sum(
                table.menu.patterns.incidence[self._patterns(part, s), window]
                for s, table in enumerate(self.candidates.lesions)
            ) + np.zeros((len(part), len(days)))
            count = (per_day > 0).sum(axis=1) if quantity == "visits" else per_day.max(axis=1)
            result[start : start + len(part)] = count
            start += len(part)
        return result

    def _logistics(self, rows: IntArray) -> BoolArray:
        good = np.ones(len(rows), dtype=bool)
        for limit in self.instance.limits:
            if isinstance(limit, LogisticsLimit) and limit.penalty is None:
                quantity = self.quantity(rows, limit)
                if limit.cap is not None:
                    good &= quantity <= limit.cap
                if limit.floor is not None and limit.quantity != "lesions":
                    good &= quantity >= limit.floor
        return good
