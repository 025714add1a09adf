"""The lesions that are irradiated: a free course is searched day by day, a menu is a list.

An oracle says what the courses of its lesion do, which of them is worth most at given prices, and
which of them may be worth more than a threshold. `OracleBound` is its answer at one set of prices.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.schedule import Fraction
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.bounds.oracle import OracleBound
from abscopt.optimizer.search.free.days.courses import Courses, totals
from abscopt.optimizer.search.free.days.dual import (
    Steps,
    cost_to_go,
    followed,
    steps_of,
)
from abscopt.optimizer.search.free.days.exchanges import one_change, two_changes
from abscopt.optimizer.search.free.days.labels import explored
from abscopt.optimizer.search.free.days.span import Span
from abscopt.optimizer.search.free.days.suffix import Stage, stages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.free.days.cost_to_go import Prices
    from abscopt.optimizer.search.free.days.dominance import Precision
    from abscopt.optimizer.search.free.days.exchanges import Better
    from abscopt.optimizer.search.free.days.terms import Terms
    from abscopt.optimizer.search.free.problem import PlanProblem


class FreeOracle:
    """A free course of one lesion under one plan."""

    def __init__(self, terms: Terms, lesion: Lesion, days: int):
        """The coarse stages, and what no course exceeds.

            most effect = max_p [x_0 . high_0(p) + constant_0(p)] + survivor_0 + E_0          (H,)
            most kill   = sum_i max_a K_ia                                                    (H,)

        with x_0 and E_0 the state and effect before the first course day.
        """
        self.terms, self.lesion = terms, terms.lesion
        self._of, self._days = lesion, days
        self._steps: dict[bool, Steps] = {}
        self._fine: dict[int, list[Stage]] = {}
        self.coarse = stages_of(terms, settings.CURRENT.coarse_patterns * len(terms.days))
        state, effect = terms.begin()
        reach = np.einsum("bkh,k->bh", self.coarse[0].high, state[0]) + self.coarse[0].constant
        self._most_effect: FloatArray = reach.max(axis=0) + self.coarse[0].survivor + effect[0]
        kill = np.where(terms.allowed[:, :, None], terms.kill, 0.0)
        self._most_kill = kill.max(axis=1).sum(axis=0)
        # what counts at the last horizon counts less at an earlier one by what comes after it
        self._later = (kill[:, :, -1:] - kill).max(axis=1).sum(axis=0)
        self._grown = terms.taken_off[0, len(terms.days) - 1]

    def stages(self, fine: bool, fractions: int) -> list[Stage]:
        """Coarse stages join patterns of days more than fine ones, for the bounds that count.

        Fine ones have so many fractions at most: the fewer, the finer.
        """
        if not fine:
            return self.coarse
        days = len(self.terms.days)
        steps = math.ceil(math.log(max(fractions, 1)) / math.log(settings.CURRENT.count_ratio))
        cap = min(math.ceil(settings.CURRENT.count_ratio**steps), days)
        if cap not in self._fine:
            most_patterns = min(settings.CURRENT.fine_patterns * days * days, days * (cap + 1.0))
            self._fine[cap] = stages_of(self.terms, most_patterns, cap)
        return self._fine[cap]

    @property
    def nothing(self) -> IntArray:
        """See `LesionOracle`."""
        return np.zeros((1, len(self.terms.days)), dtype=np.int64)

    @property
    def days(self) -> IntArray:
        """See `LesionOracle`."""
        return self.terms.days

    @property
    def most_effect(self) -> FloatArray:
        """See `LesionOracle`."""
        return self._most_effect

    @property
    def least_kept(self) -> float:
        """See `LesionOracle`."""
        return float(np.sort(self.terms.others_kept)[: self.terms.most_fractions].prod())

    @property
    def full_span(self) -> Span:
        """See `LesionOracle`."""
        kill = (-float(self._grown[-1]), float(self._most_kill[-1]))
        return Span(kill, (0, self.terms.most_fractions))

    def kill_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """See `LesionOracle`."""
        lower = -np.minimum(self._grown, self._later + self._grown - span.kill[0])
        upper = np.minimum(self._most_kill, span.kill[1] + self._grown[-1])
        return lower, upper

    def growth_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """See `LesionOracle`.

        Growth never falls with the length of a course. With n days that are not skipped, at least c
        fractions and some days taken,

            max(min_i beside(i, i + c - 1), beside(first taken, last taken)) <= growth,
            growth <= beside(1, n)
        """
        least_count, most_count = span.count
        days = np.flatnonzero(~np.isin(self.terms.days, span.skipped))
        taken = np.flatnonzero(np.isin(self.terms.days, span.taken))
        least = np.zeros(len(self.terms.horizons))
        most = least.copy()
        if not self.terms.growth_apart or most_count < 2 or len(days) < max(least_count, 2):
            return least, most
        if least_count > 1:
            least = self.terms.beside[
                days[: len(days) - least_count + 1], days[least_count - 1 :]
            ].min(axis=0)
        if len(taken):
            least = np.maximum(least, self.terms.beside[taken[0], taken[-1]])
        return least, self.terms.beside[days[0], days[-1]]

    def of(self, actions: IntArray) -> tuple[Courses, BoolArray]:
        """See `LesionOracle`."""
        return totals(self.terms, self.coarse[-1], actions)

    @property
    def doses(self) -> FloatArray:
        """See `LesionOracle`."""
        return self.terms.dose

    def levels(self, actions: IntArray) -> IntArray:
        """See `LesionOracle`."""
        levels = np.zeros((len(actions), self._days), dtype=np.int64)
        levels[:, self.terms.days] = actions
        return levels

    def set_shared_rows(self, further: Sequence[FloatArray], rhs: FloatArray) -> None:
        """See `LesionOracle`."""
        terms = self.terms
        more = [row[terms.days] for row in further]
        load = np.stack([*np.moveaxis(terms.load, 2, 0)[: terms.organ_rows], *more], axis=2)
        self.terms = replace(terms, load=load, rhs=rhs)

    def steps(self, prices: Prices) -> Steps:
        """What doses do to the survivors in the form of the prices."""
        coupled = prices.log_kept is not None
        if coupled not in self._steps:
            self._steps[coupled] = steps_of(self.terms, coupled=coupled)
        return self._steps[coupled]

    def maximize(self, prices: Prices, span: Span, fine: bool) -> OracleBound:
        """See `LesionOracle`."""
        stages = self.stages(fine, span.count[1])
        free = np.ones((len(self.terms.days), 2), dtype=bool)
        free[np.isin(self.terms.days, span.taken), 0] = False
        free[np.isin(self.terms.days, span.skipped), 1] = False
        to_go = cost_to_go(self.terms, stages, self.steps(prices), prices, span.count, free)
        return OracleBound(prices, span, to_go.root, to_go.by_count, fine, to_go)

    def maximizer(self, oracle_bound: OracleBound) -> Courses:
        """See `LesionOracle`; limits are priced only."""
        assert oracle_bound.cost_to_go is not None
        return followed(oracle_bound.cost_to_go, self.terms, self.steps(oracle_bound.prices))

    def courses_above(
        self,
        oracle_bound: OracleBound,
        threshold: float,
        precision: Precision,
        stop: Callable[[], bool],
    ) -> tuple[Courses, float] | None:
        """See `LesionOracle`."""
        assert oracle_bound.cost_to_go is not None
        return explored(
            self.terms, oracle_bound.cost_to_go, oracle_bound.span, threshold, precision, stop
        )

    def one_change(self, course: IntArray) -> IntArray:
        """See `LesionOracle`."""
        return one_change(self.terms, course)

    def two_changes(self, course: IntArray, rhs: FloatArray, better: Better) -> Courses:
        """See `LesionOracle`."""
        return two_changes(self.terms, self.coarse[-1], course, rhs, better)

    def count(self, actions: IntArray) -> IntArray:
        """See `LesionOracle`."""
        fractions: IntArray = (actions > 0).sum(axis=1)
        return fractions

    def fractions(self, course: IntArray) -> list[Fraction]:
        """See `LesionOracle`."""
        way = self._of.ways[0].name
        return [
            Fraction(int(day), self._of.name, float(self.terms.dose[action]), 0, way)
            for day, action in zip(self.terms.days, course, strict=True)
            if action > 0
        ]


class MenuOracle:
    """A menu of uniform courses, or of phases, of one lesion under one plan.

    Its actions are places on it.
    """

    def __init__(self, candidates: Candidates, problem: PlanProblem, s: int, chemo: float):
        """All courses of the menu with what they do, by place.

        kill = local of no course - local of the course,  effect = chemo E,  kept = e^-loss

        with the kill of mean alpha where alpha is spread (`_kill_and_growth`).
        """
        table, plan = candidates.lesions[s], problem.plan
        self.menu, self.lesion = table.menu, table.menu.lesion
        self._of = candidates.lesion_of(table)
        effects = candidates.effects(plan)[s]
        self._allowed = candidates.allowed(plan)[s]
        kill, growth = self._kill_and_growth(effects.local)
        every = np.arange(len(self.menu))[:, None]
        self._all = Courses(
            every,
            kill[effects.kind],
            growth[effects.kind],
            chemo * effects.effect,
            np.exp(-effects.loss),
            np.where(self._allowed[:, None], candidates.loads(plan)[s][effects.kind], 0.0)[
                :, problem.binding
            ],
            every,
        )
        self._good = self._allowed & (self._all.load <= problem.rhs).all(axis=1)
        self._organ_rows = len(problem.rhs)

    def _kill_and_growth(self, local: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(kinds, H) kill, and growth beside it, of local log burdens (kinds, H, nodes), one clone.

        No course is the first kind. At the node of factor f_q of a spread

            left_q = local of no course - local of the course = f_q kill - growth,

        so that two nodes tell both; without a spread growth is taken off the kill, and without a
        change of growth by the course one node tells the kill.
        """
        change, factors = local[:1] - local, self._of.sensitivities[0]
        middle = len(factors) // 2
        if not self._of.spread or self._of.repopulation_doubling_time_days is None:
            kill = change[:, :, middle] / factors[middle]
            return kill, np.zeros_like(kill)
        kill = (change[:, :, -1] - change[:, :, 0]) / (factors[-1] - factors[0])
        return kill, factors[middle] * kill - change[:, :, middle]

    @property
    def nothing(self) -> IntArray:
        """See `LesionOracle`."""
        return np.zeros((1, 1), dtype=np.int64)

    @property
    def days(self) -> IntArray:
        """See `LesionOracle`."""
        return np.flatnonzero(self.menu.patterns.incidence.any(axis=0))

    @property
    def most_effect(self) -> FloatArray:
        """See `LesionOracle`."""
        greatest: FloatArray = self._all.effect.max(axis=0)
        return greatest

    @property
    def least_kept(self) -> float:
        """See `LesionOracle`."""
        return float(self._all.others_kept.min())

    @property
    def full_span(self) -> Span:
        """See `LesionOracle`."""
        kill = self._all.kill[:, -1]
        return Span((float(kill.min()), float(kill.max())), (0, int(self.menu.fractions.max())))

    def kill_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """See `LesionOracle`."""
        kill = self._all.kill[self._inside(span)]
        if not len(kill):
            return np.full(kill.shape[1], span.kill[0]), np.full(kill.shape[1], span.kill[1])
        return kill.min(axis=0), kill.max(axis=0)

    def growth_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """See `LesionOracle`."""
        growth = self._all.growth[self._inside(span)]
        if not len(growth):
            return np.zeros(growth.shape[1]), np.zeros(growth.shape[1])
        return growth.min(axis=0), growth.max(axis=0)

    def _inside(self, span: Span) -> BoolArray:
        kill, number = self._all.kill[:, -1], self.menu.fractions
        inside: BoolArray = self._good & (kill >= span.kill[0] - 1e-9)
        inside &= (kill <= span.kill[1] + 1e-9) & (number >= span.count[0])
        inside &= number <= span.count[1]
        if span.taken or span.skipped:
            inside &= span.holds(self.levels(self._all.actions) > 0)
        return inside

    def of(self, actions: IntArray) -> tuple[Courses, BoolArray]:
        """See `LesionOracle`."""
        return self._all.take(actions[:, 0]), self._good[actions[:, 0]]

    @cached_property
    def doses(self) -> FloatArray:
        """See `LesionOracle`."""
        return np.concatenate([[0.0], np.unique(self.menu.doses[self.menu.doses > 0])])

    def levels(self, actions: IntArray) -> IntArray:
        """See `LesionOracle`."""
        level: IntArray = np.searchsorted(self.doses, self.menu.gy_by_day[actions[:, 0]])
        return level

    def set_shared_rows(self, further: Sequence[FloatArray], rhs: FloatArray) -> None:
        """See `LesionOracle`."""
        levels = self.levels(self._all.actions)
        days = np.arange(levels.shape[1])
        more = [row[days, levels].sum(axis=1) for row in further]
        load = np.stack([*self._all.load.T[: self._organ_rows], *more], axis=1)
        self._all = replace(self._all, load=load)
        self._good = self._allowed & (load <= rhs).all(axis=1)

    def maximize(self, prices: Prices, span: Span, fine: bool) -> OracleBound:
        """See `LesionOracle`."""
        inside = self._inside(span)
        worth = prices.worth(self._all)[inside]
        by_count = np.full(int(self.menu.fractions.max()) + 1, -np.inf)
        np.maximum.at(by_count, self.menu.fractions[inside], worth)
        return OracleBound(prices, span, float(by_count.max()), by_count, fine, None)

    def _worth(self, oracle_bound: OracleBound) -> FloatArray:
        """(courses,) worth at the prices of a bound; -inf outside its span."""
        inside = self._inside(oracle_bound.span)
        return np.where(inside, oracle_bound.prices.worth(self._all), -np.inf)

    def maximizer(self, oracle_bound: OracleBound) -> Courses:
        """See `LesionOracle`."""
        worth = self._worth(oracle_bound)
        return self._all.take(np.array([int(worth.argmax())]))

    def courses_above(
        self,
        oracle_bound: OracleBound,
        threshold: float,
        precision: Precision,
        stop: Callable[[], bool],
    ) -> tuple[Courses, float] | None:
        """See `LesionOracle`."""
        worth = self._worth(oracle_bound)
        order = np.argsort(-worth, kind="stable")
        number = int((worth > threshold).sum())
        below = float(worth[order[number]]) if number < len(order) else -np.inf
        if number > precision.most:
            if precision.beyond == "stop" or stop():
                return None
            if precision.beyond == "drop":
                number = precision.most
        return self._all.take(order[:number]), below

    def one_change(self, course: IntArray) -> IntArray:
        """Every other course of the menu."""
        return np.flatnonzero(self._good & (np.arange(len(self.menu)) != course[0]))[:, None]

    def two_changes(self, course: IntArray, rhs: FloatArray, better: Better) -> Courses:
        """See `LesionOracle`; none, since one change reaches all of them."""
        return self._all.take(slice(0, 0))

    def count(self, actions: IntArray) -> IntArray:
        """See `LesionOracle`."""
        fractions: IntArray = self.menu.fractions[actions[:, 0]]
        return fractions

    def fractions(self, course: IntArray) -> list[Fraction]:
        """See `LesionOracle`."""
        return list(self.menu.course(int(course[0]), self._of))
