"""Exact value and feasibility of many schedules at once, from the coefficient tables.

A schedule of uniform courses under one plan is a row of course indices, one per lesion table.
The judge has the last word; this is what search and enumeration use before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.models.tumor.population import population_log_burden
from abscopt.optimizer.candidates.limits.calendar.counted import visits
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.candidates.value import controllable, lesion_value
from abscopt.optimizer.ids import CourseIds, CourseRows, PatternIds, PlanId

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.coefficients import CourseEffects
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class CourseDays:
    """Courses of one lesion, day by day.

    Attributes
    ----------
    gy, number : (n, days) Gy of each fraction, and how many on the day
    technique : (n, days) or (n, 1)
    """

    gy: FloatArray
    number: FloatArray
    technique: IntArray

    @property
    def beams(self) -> list[tuple[int, int]]:
        """Techniques, and numbers of fractions a day."""
        numbers = np.unique(self.number[self.number > 0]).astype(int).tolist()
        return [(way, m) for way in np.unique(self.technique).tolist() for m in numbers]

    def under(self, way: int, number: int) -> BoolArray:
        """(n, days) days with so many fractions of a technique."""
        mask: BoolArray = (self.number == number) & (self.technique == way)
        return mask


class Tabulated:
    """Value and feasibility of rows of course indices under one plan.

    Attributes
    ----------
    nodes : per lesion the weights of its radiosensitivities
    allowed : per lesion (courses,) what rules, limits and demands allow
    begun : the same with 'no course', which stands for a course still to be chosen
    """

    def __init__(self, candidates: Candidates, plan: PlanId):
        if candidates.free:
            raise ValueError("free courses cannot be tabulated")
        self.candidates, self.plan = candidates, plan
        self.instance = candidates.instance
        self.allowed = candidates.allowed(plan)
        self.begun = tuple(mask | (np.arange(len(mask)) == 0) for mask in self.allowed)
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
        self.soft = any(limit.penalty is not None for limit in self.instance.limits)
        hard = [limit for limit in candidates.on_courses if limit.hard]
        self._hard_limits = sorted(hard, key=lambda limit: limit.effort)
        self._used_up = [limit for limit in hard if limit.counts]

    @cached_property
    def effects(self) -> tuple[CourseEffects, ...]:
        """Per lesion: effects of its courses under the plan; feasibility does without."""
        return self.candidates.effects(self.plan)

    def value(self, rows: CourseRows) -> FloatArray:
        """(schedules,) exact objective of rows (schedules, lesions)."""
        columns = range(rows.shape[1])
        if self.instance.objective.of_dose_alone:
            bed = np.stack(
                [self.effects[s].tumor_bed[self.kinds[s][rows[:, s]]] for s in columns], axis=1
            )
            return np.asarray(bed @ self.weights) - self.cost(rows)
        return self.value_at(rows, self.systemic(rows)) - self.cost(rows)

    def cost(self, rows: CourseRows) -> FloatArray:
        """(schedules,) what soft limits cost the objective."""
        total = np.full(len(rows), self.plan_cost)
        if not self.soft:
            return total
        loads = self.organ_loads(rows) if not self.candidates.hard.all() else None
        for column, on_organ in enumerate(self.candidates.on_organs):
            penalty = on_organ.limit.penalty
            if penalty is not None and loads is not None:
                total += penalty * np.maximum(0.0, loads[:, column] - 1.0)
        for on_courses in self.candidates.on_courses:
            penalty = on_courses.limit.penalty
            if penalty is not None:
                total += penalty * np.maximum(0.0, on_courses.use(self, rows) - 1.0)
        return total

    def systemic(self, rows: CourseRows) -> FloatArray:
        """(schedules, horizons) saturated systemic log kill."""
        columns = range(rows.shape[1])
        loss = np.stack([self.effects[s].loss[rows[:, s]] for s in columns], axis=1)
        loss_of_others = self.chemo + loss.sum(axis=1, keepdims=True) - loss
        alone = np.stack([self.effects[s].effect[rows[:, s]] for s in columns], axis=1)
        raw = (np.exp(-loss_of_others)[:, :, None] * alone).sum(axis=1)
        return immune.saturate(raw, self.instance.immune.effect_maximum_nats)

    def value_at(self, rows: CourseRows, systemic: FloatArray) -> FloatArray:
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

    def feasible(self, rows: CourseRows, floors: bool = True, organs: bool = True) -> BoolArray:
        """(schedules,) whether every limit and rule of the case is kept.

        Parameters
        ----------
        floors : whether a least number of lesions and demands that ask for a course count
        organs : whether caps of organs count
        """
        within = np.ones(len(rows), dtype=bool)
        further = [partial(limit.kept, self) for limit in self._hard_limits]
        for check in (self._rules, *((self._organs,) if organs else ()), *further):
            undecided = np.flatnonzero(within)
            if len(undecided):
                within[undecided] = check(rows[undecided])
        if floors:
            within &= self.sites_reached(rows)
            undecided = np.flatnonzero(within)
            if self.candidates.controlled and len(undecided):
                within[undecided] = self._controlled(rows[undecided])
        return within

    def _controlled(self, rows: CourseRows) -> BoolArray:
        """(schedules,) whether every lesion has the control at the last horizon that it demands."""
        kill, reached = self.systemic(rows)[:, -1], np.ones(len(rows), dtype=bool)
        for s, most_burden in self.candidates.controlled.items():
            effect = self.effects[s]
            chosen = effect.kind[rows[:, s]]
            local, share = effect.local[chosen], effect.share[chosen]
            reached &= controllable(self.nodes[s], local, share, kill, most_burden)
        return reached

    def shortfall(self, rows: CourseRows) -> FloatArray:
        """(schedules,) nats of log burden by which demands for control are missed, summed."""
        kill, total = self.systemic(rows)[:, -1], np.zeros(len(rows))
        for s, most_burden in self.candidates.controlled.items():
            effect = self.effects[s]
            chosen = effect.kind[rows[:, s]]
            burden = effect.local[chosen, -1] - effect.share[chosen] * kill[:, None]
            total += np.maximum(0.0, population_log_burden(burden, self.nodes[s]) - most_burden)
        return total

    def beside(self, row: CourseIds, s: int, courses: CourseIds) -> BoolArray:
        """(n,) whether some courses of a lesion are allowed and fit beside the others of a row.

        By the loads that add up alone: what does not fit is infeasible, what fits may be.
        """
        allowed: BoolArray = self.begun[s][courses]
        if self.candidates.exposures:  # caps depend on what the schedule does
            return allowed
        loads_of_others = [self.loads[t][self.kinds[t][row[t]]] for t in range(len(row)) if t != s]
        return allowed & self.candidates.within(
            self.loads[s][self.kinds[s][courses]] + sum(loads_of_others)
        )

    def sites_reached(self, rows: CourseRows) -> BoolArray:
        """(schedules,) whether the least number of lesions is treated, and all that must be."""
        needed = max((limit.least_lesions for limit in self.instance.limits), default=0)
        treated: BoolArray = np.asarray((rows > 0).sum(axis=1) >= needed)
        treated = treated & (rows[:, self.candidates.demanding] > 0).all(axis=1)
        for limit in self._hard_limits:
            treated = treated & limit.complete(self, rows)
        return treated

    def extendable(self, rows: CourseRows, loads: FloatArray, alc_loss: FloatArray) -> BoolArray:
        """(schedules,) whether rows could be kept within caps with further courses added.

        Lesions still to come are 'no course' in the rows; all loads only grow.

        Parameters
        ----------
        loads : (organ limits,) at least what the lesions to come add, as parts of the caps
        alc_loss : (days,) at least what they add to the log loss of lymphocytes
        """
        total = self.organ_loads(rows) + loads
        within: BoolArray = np.asarray(((total <= CAP) | ~self.candidates.hard).all(axis=1))
        for limit in self._hard_limits:
            undecided = np.flatnonzero(within)
            if not len(undecided):
                return within
            within[undecided] = limit.extendable(self, rows[undecided], alc_loss)
        return within

    def uses(self, rows: CourseRows) -> FloatArray:
        """(schedules,) sum of load / cap over hard limits on organs and courses."""
        total: FloatArray = self.organ_loads(rows)[:, self.candidates.hard].sum(axis=1)
        return total + sum(limit.use(self, rows) for limit in self._used_up)

    def least_uses(self, rows: CourseRows, s: int) -> FloatArray:
        """(schedules,) the same for rows that differ in lesion s alone, at least.

            sum_r (prior_r + sum_i load_ir),  r the hard rows,  + what other limits use of each row

        Days that two lesions share add to the organ loads; here they do not.
        """
        total = np.zeros(len(rows))
        hard, menu = self.candidates.hard, self.candidates.lesions[s].menu
        if not self.candidates.exposures:  # else each state has a cap of its own
            total += self.candidates.prior[hard].sum()
            for i, load in enumerate(self.loads):
                total += load[:, hard].sum(axis=1)[self.kinds[i][rows[:, i]]]
        courses = rows[:, s]
        days = menu.pattern[courses] * (int(menu.technique.max()) + 1) + menu.technique[courses]
        _, first, of = np.unique(days, return_index=True, return_inverse=True)
        for limit in self._used_up:
            if limit.of_doses:
                total += limit.use(self, rows)
            else:
                total += limit.use(self, CourseRows(rows[first]))[of.reshape(-1)]
        return total

    def organ_loads(self, rows: CourseRows) -> FloatArray:
        """(schedules, organ limits) exact loads as parts of the caps.

        Prior doses, shared days and states of exposure included.
        """
        tables = self.candidates.lesions
        loads = np.zeros((len(rows), len(self.candidates.on_organs)))
        for s, load in enumerate(self.loads):
            loads += load[self.kinds[s][rows[:, s]]]
        for i, j in self._crossing:
            shared = self.shared_days(rows, i, j)
            busy = np.flatnonzero(shared)
            if not len(busy):
                continue
            if tables[i].menu.each is not None or tables[j].menu.each is not None:
                loads[busy] += self._shared_loads(rows[busy], i, j)
                continue
            of_i, of_j = rows[busy, i], rows[busy, j]
            product = tables[i].menu.dose[of_i] * tables[j].menu.dose[of_j] * shared[busy]
            factor = self.candidates.cross[i, j][
                :, tables[i].variant[of_i], tables[j].variant[of_j]
            ]
            loads[busy] += product[:, None] * factor.T
        for column, limit in enumerate(self.candidates.on_organs):
            limit.add_shared_days(self, rows, column, loads)
        if self.candidates.exposures:
            exposed = np.any([met[rows[:, s]] for s, met in enumerate(self.exposed)], axis=0)
            loads = self.candidates.in_state(loads, exposed)
        return loads + self.candidates.prior

    def _shared_loads(self, rows: CourseRows, i: int, j: int) -> FloatArray:
        """(schedules, organ limits) what the days add that lesions i and j share, day by day.

        sum_t d_i(t) d_j(t) cross(fractions of i on day t, fractions of j on day t)
        """
        total = np.zeros((len(rows), len(self.candidates.on_organs)))
        days_i, days_j = (self.days_of(rows, s) for s in (i, j))
        product = days_i.gy * days_j.gy
        for way_i, number_i in days_i.beams:
            for way_j, number_j in days_j.beams:
                here = days_i.under(way_i, number_i) & days_j.under(way_j, number_j)
                sums = np.where(here, product, 0.0).sum(axis=1)
                if sums.any():
                    factor = self.candidates.cross_of(i, (way_i, number_i), j, (way_j, number_j))
                    total += sums[:, None] * factor
        return total

    def days_of(self, rows: CourseRows, s: int) -> CourseDays:
        """What lesion s receives day by day."""
        menu = self.candidates.lesions[s].menu
        number = menu.patterns.number[menu.pattern[rows[:, s]]]
        return CourseDays(menu.gy_by_day[rows[:, s]], number, menu.way_by_day[rows[:, s]])

    @cached_property
    def _crossing(self) -> list[tuple[int, int]]:
        """Pairs of lesions that load some organ more on a day that they share."""
        cross, tables = self.candidates.cross, self.candidates.lesions
        return [(i, j) for i in range(len(tables)) for j in range(i) if cross[i, j].any()]

    def shared_days(self, rows: CourseRows, i: int, j: int) -> FloatArray:
        """(schedules,) number of days on which lesions i and j both receive a fraction."""
        menu_i, menu_j = self.candidates.lesions[i].menu, self.candidates.lesions[j].menu
        if len(menu_i) == 1 or len(menu_j) == 1:
            return np.zeros(len(rows))
        return self.candidates.common_days(
            i, j, menu_i.pattern[rows[:, i]], menu_j.pattern[rows[:, j]]
        )

    def _organs(self, rows: CourseRows) -> BoolArray:
        base = (
            self.candidates.prior
            + sum(load[self.kinds[s][rows[:, s]]] for s, load in enumerate(self.loads))
            + np.zeros((len(rows), len(self.candidates.on_organs)))
        )
        within: BoolArray = np.asarray(((base <= CAP) | ~self.candidates.hard).all(axis=1))
        undecided = np.flatnonzero(within)
        if len(undecided):
            total = self.organ_loads(rows[undecided])
            within[undecided] = ((total <= CAP) | ~self.candidates.hard).all(axis=1)
            within[undecided] &= np.isfinite(total).all(axis=1)
        return within

    def _rules(self, rows: CourseRows) -> BoolArray:
        within = np.ones(len(rows), dtype=bool)
        last = np.full(len(rows), -1)
        first = np.full(len(rows), self.instance.days)
        for s, table in enumerate(self.candidates.lesions):
            within &= self.begun[s][rows[:, s]]
            patterns, pattern = table.menu.patterns, self.patterns_of(rows, s)
            last = np.maximum(last, patterns.last[pattern])
            first = np.where(pattern > 0, np.minimum(first, patterns.first[pattern]), first)
        within &= (last >= self.end_needed) | (last < 0)
        if self.start_needed >= 0:
            within &= (first <= self.start_needed) | (last < 0)
        return within

    def patterns_of(self, rows: CourseRows, s: int) -> PatternIds:
        """(schedules,) day pattern of lesion s."""
        return self.candidates.lesions[s].menu.pattern[rows[:, s]]

    def ends(self, rows: CourseRows, s: int) -> tuple[IntArray, IntArray, BoolArray]:
        """(schedules,) first and last day of lesion s, and whether it is treated."""
        pattern, patterns = self.patterns_of(rows, s), self.candidates.lesions[s].menu.patterns
        return patterns.first[pattern], patterns.last[pattern], pattern > 0

    def visits(self, rows: CourseRows) -> FloatArray:
        """(schedules,) days with any fraction."""
        return visits(self, rows, range(self.instance.days))
