"""Courses of all lesions together: which limits they keep, shared days included, and exchanges.

The judge has the last word; this is what the search uses before it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import lymphocytes
from abscopt.optimizer.search.free import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.candidates.limits.protocol import OrganLoad
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.free.bounds.objective import NodeDomain
    from abscopt.optimizer.search.free.bounds.oracle import LesionOracle
    from abscopt.optimizer.search.free.days.courses import Courses
    from abscopt.optimizer.search.free.days.exchanges import Better
    from abscopt.optimizer.search.free.problem import PlanProblem


BETTER = 1e-9
"""Objective that an exchange must gain, so that rounding makes no circles."""


VALUED = "kill", "growth", "effect", "others_kept"
"""What courses are valued by."""


class Schedules:
    """Rows of courses, one per lesion, under one plan.

    Attributes
    ----------
    limits : (M,) the organ limits that bind
    cross : per pair of lesions (days, M) extra load per d d' of fractions on one day
    """

    def __init__(
        self,
        candidates: Candidates,
        problem: PlanProblem,
        oracles: tuple[LesionOracle, ...],
        domain: NodeDomain,
    ):
        self.problem, self.oracles, self.domain = problem, oracles, domain
        self.instance, self._on_courses = candidates.instance, candidates.on_courses
        self._lesions = [self.instance.lesions[oracle.lesion] for oracle in oracles]
        self.limits = [candidates.on_organs[m] for m in np.flatnonzero(problem.binding)]
        self._sensitized = candidates.plan_effects.sensitizer[problem.plan] > 1
        self.cross = {
            (i, j): self._factors(i, j) for i, j in itertools.combinations(range(len(oracles)), 2)
        }

    def _factors(self, i: int, j: int) -> FloatArray:
        """(days, M) of two lesions."""
        beam, other_beam = ((self._lesions[s], self._lesions[s].ways[0], 1) for s in (i, j))
        factors = np.zeros((self.instance.days, len(self.limits)))
        for day in np.intersect1d(self.oracles[i].days, self.oracles[j].days).tolist():
            for m, limit in enumerate(self.limits):
                factors[day, m] = limit.cross_factor(self.instance, beam, other_beam, day)
        return factors

    def values(self, courses: Sequence[Courses], rows: IntArray | None = None) -> FloatArray:
        """(n,) objective of rows (n, P) of places among courses; limits are not looked at.

        Without rows of n courses per lesion, aligned.
        """
        at = [slice(None)] * len(courses) if rows is None else list(rows.T)
        together = [
            np.stack([getattr(lot, name)[i] for lot, i in zip(courses, at, strict=True)], axis=1)
            for name in VALUED
        ]
        return self.domain(*together)

    def within_limits(self, rows: Sequence[Courses]) -> BoolArray:
        """(n,) whether every limit is kept by courses that keep them by themselves.

            load_m = sum_s L_sm + sum_{i<j} sum_t d_it d_jt cross_ijtm <= rhs_m             (n, M)

        and the change of Miner sums, visits and lymphocyte counts. On shared days the least doses
        of what a course stands for count.
        """
        if len(rows) == 1:
            return np.ones(len(rows[0]), dtype=bool)
        daily = [
            oracle.doses[oracle.levels(lot.least)]
            for oracle, lot in zip(self.oracles, rows, strict=True)
        ]
        organ_rows = len(self.limits)  # what comes after them follows from shared days
        load = np.sum([lot.load[:, :organ_rows] for lot in rows], axis=0)
        for (i, j), factor in self.cross.items():
            load += (daily[i] * daily[j]) @ factor
        for m, limit in enumerate(self.limits):
            if limit.of_daily_dose:
                load[:, m] += self._change_on_shared_days(limit, daily)
        within: BoolArray = (load <= self.problem.rhs[:organ_rows]).all(axis=1)
        dosed = np.stack([dose > 0 for dose in daily])
        within &= self._logistics(dosed) & self._alc(dosed)
        return within

    def _change_on_shared_days(self, limit: OrganLoad[Any], daily: list[FloatArray]) -> FloatArray:
        """(n,) what shared days change where the organ feels the dose of the day.

        sum_t [f(sum_s D_st) - sum_s f(D_st)],     D_st = d_st sparing_st R_t
        """
        raised = np.where(self._sensitized, limit.enhancement(self.instance, True), 1.0)
        point = limit.limit.organ, limit.limit.evaluation_point
        felt = []
        for oracle, lesion, dose in zip(self.oracles, self._lesions, daily, strict=True):
            factors = np.zeros(dose.shape[1])
            for day in oracle.days.tolist():
                factors[day] = lesion.sparing_factor(*point, day, lesion.ways[0])
            felt.append(dose * (factors * raised))
        used = limit.use_of_daily_dose(np.array([np.sum(felt, axis=0), *felt]))
        change: FloatArray = (used[0] - used[1:].sum(axis=0)).sum(axis=1)
        return change

    def _logistics(self, dosed: BoolArray) -> BoolArray:
        """(n,) of (P, n, days) whether fractions are given."""
        within = np.ones(dosed.shape[1], dtype=bool)
        for limit in self._on_courses:
            within &= limit.kept_on_days(dosed)
        return within

    def _alc(self, dosed: BoolArray) -> BoolArray:
        """(n,) whether lymphocytes stay above the floor on every fraction day of (P, n, days).

        loss_t = loss_{t-1} kept + sum_s loss_s given_st <= alc_allowance
        """
        if not np.isfinite(self.problem.alc_allowance):
            return np.ones(dosed.shape[1], dtype=bool)
        half = self.instance.lymphocytes.recovery_half_time_days
        kept_per_day = float(lymphocytes.recovery(1.0, half))
        losses = [lesion.lymphocyte_loss(lesion.ways[0]) for lesion in self._lesions]
        lost = np.tensordot(np.array(losses), dosed, axes=1)
        loss, worst = np.zeros(len(lost)), np.zeros(len(lost))
        for day in range(lost.shape[1]):
            loss = loss * kept_per_day + lost[:, day]
            worst = np.where(dosed[:, :, day].any(axis=0), np.maximum(worst, loss), worst)
        within: BoolArray = worst <= self.problem.alc_allowance
        return within

    def best(
        self, courses: Sequence[Courses], rows: IntArray, floor: float
    ) -> tuple[int, float] | None:
        """Place and objective of the best feasible row above a floor; None without one.

        Rows with sum_s L_s <= rhs come in the order of falling objective, in lots; the first that
        keeps all limits is the best. `rows` (n, P) are places among the courses of each lesion.
        """
        value = self.values(courses, rows)
        load = np.sum([lot.load[i] for lot, i in zip(courses, rows.T, strict=True)], axis=0)
        order = np.flatnonzero((value > floor) & (load <= self.problem.rhs).all(axis=1))
        order = order[np.argsort(-value[order], kind="stable")]
        for begin in range(0, len(order), settings.CURRENT.checked):
            chunk = order[begin : begin + settings.CURRENT.checked]
            lots = [lot.take(i) for lot, i in zip(courses, rows[chunk].T, strict=True)]
            feasible = np.flatnonzero(self.within_limits(lots))
            if len(feasible):
                return int(chunk[feasible[0]]), float(value[chunk[feasible[0]]])
        return None

    def improved(
        self,
        row: list[IntArray],
        best: float,
        rng: np.random.Generator,
        stop: Callable[[], bool],
    ) -> tuple[list[IntArray], float]:
        """Courses that no change of two days of one lesion betters, nor small ones of two."""
        while not stop():
            better_row = (
                self._by_one(row, best, few=True)
                or self._by_one(row, best, few=False)
                or self._by_two(row, best, rng)
            )
            if better_row is None:
                break
            row, best = better_row
        return row, best

    def _by_one(
        self, row: list[IntArray], best: float, *, few: bool
    ) -> tuple[list[IntArray], float] | None:
        """The best that changes of one or two days make of the first lesion that they better."""
        fixed = [oracle.of(lot[None, :])[0] for oracle, lot in zip(self.oracles, row, strict=True)]
        slack = self.problem.rhs - np.sum([lot.load[0] for lot in fixed], axis=0)
        for s, oracle in enumerate(self.oracles):
            better = self._better(fixed, s, best + BETTER)
            if few:
                changed, allowed = oracle.of(oracle.one_change(row[s]))
                changed = changed.take(
                    allowed
                    & better(changed.kill, changed.growth, changed.effect, changed.others_kept)
                )
            else:
                changed = oracle.two_changes(row[s], slack + fixed[s].load[0], better)
            rows = np.zeros((len(changed), len(row)), dtype=np.int64)
            rows[:, s] = np.arange(len(changed))
            courses = [changed if i == s else lot for i, lot in enumerate(fixed)]
            best_row = self.best(courses, rows, best + BETTER)
            if best_row is not None:
                course = changed.actions[best_row[0]]
                return [course if i == s else lot for i, lot in enumerate(row)], best_row[1]
        return None

    def _better(self, fixed: list[Courses], s: int, floor: float) -> Better:
        """Whether courses of one lesion are above a floor beside those of the others."""

        def better(*changed: FloatArray) -> BoolArray:
            each = []
            for trial, name in zip(changed, VALUED, strict=True):
                others = [np.broadcast_to(getattr(lot, name), trial.shape) for lot in fixed]
                others[s] = trial
                each.append(np.stack(others, axis=1))
            above: BoolArray = self.domain(*each) > floor
            return above

        return better

    def _by_two(
        self, row: list[IntArray], best: float, rng: np.random.Generator
    ) -> tuple[list[IntArray], float] | None:
        """Small changes of two lesions at once, a sample of them where they are many."""
        fixed = [oracle.of(lot[None, :])[0] for oracle, lot in zip(self.oracles, row, strict=True)]
        small = []
        for oracle, lot in zip(self.oracles, row, strict=True):
            changed, allowed = oracle.of(oracle.one_change(lot))
            small.append(changed.take(allowed))
        for i, j in itertools.combinations(range(len(row)), 2):
            number = len(small[i]) * len(small[j])
            at = np.arange(number)
            if number > settings.CURRENT.exchange_pairs:
                at = rng.choice(number, settings.CURRENT.exchange_pairs, replace=False)
            rows = np.zeros((len(at), len(row)), dtype=np.int64)
            rows[:, i], rows[:, j] = np.divmod(at, max(1, len(small[j])))
            courses = [small[s] if s in (i, j) else lot for s, lot in enumerate(fixed)]
            best_row = self.best(courses, rows, best + BETTER)
            if best_row is not None:
                places = rows[best_row[0]]
                return [lot.actions[k] for lot, k in zip(courses, places, strict=True)], best_row[1]
        return None
