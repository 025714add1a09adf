"""The lesions that are irradiated: a free course is searched day by day, a menu is a list.

A part says what its courses do, which of them is worth most at given prices, and which of them may
be worth more than a threshold. `Look` is what it knows at one set of prices.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.schedule import Fraction
from abscopt.optimizer.search.free.days.courses import Courses, totals
from abscopt.optimizer.search.free.days.dual import (
    Steps,
    completion,
    followed,
    steps_of,
)
from abscopt.optimizer.search.free.days.exchanges import one_change, two_changes
from abscopt.optimizer.search.free.days.labels import explored
from abscopt.optimizer.search.free.days.span import Span
from abscopt.optimizer.search.free.days.suffix import Stage, stages_of
from abscopt.optimizer.search.free.part import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.instances.lesions import Lesion
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.free.days.dual import Prices
    from abscopt.optimizer.search.free.days.exchanges import Better
    from abscopt.optimizer.search.free.days.labels import Precision
    from abscopt.optimizer.search.free.days.terms import Terms, Whole


COARSE_PATTERNS = 4
FINE_PATTERNS = 0.5
ROOM = 1.5
"""Patterns of days: coarse per course day, fine per pair of them. Those of few fractions serve all
numbers up to the next power."""


class FreePart:
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
        self.coarse = stages_of(terms, COARSE_PATTERNS * len(terms.days))
        state, effect = terms.begin()
        most = np.einsum("bkh,k->bh", self.coarse[0].high, state[0]) + self.coarse[0].constant
        self._most_effect: FloatArray = most.max(axis=0) + self.coarse[0].survivor + effect[0]
        kill = np.where(terms.allowed[:, :, None], terms.kill, 0.0)
        self._most_kill = kill.max(axis=1).sum(axis=0)
        # what counts at the last horizon counts less at an earlier one by what comes after it
        self._later = (kill[:, :, -1:] - kill).max(axis=1).sum(axis=0)
        self._grown = terms.regrown[0, len(terms.days) - 1]

    def stages(self, fine: bool, fractions: int) -> list[Stage]:
        """Coarse stages join patterns of days more than fine ones, for the bounds that count.

        Fine ones have so many fractions at most: the fewer, the finer.
        """
        if not fine:
            return self.coarse
        days = len(self.terms.days)
        steps = math.ceil(math.log(max(fractions, 1)) / math.log(ROOM))
        cap = min(math.ceil(ROOM**steps), days)
        if cap not in self._fine:
            most = min(FINE_PATTERNS * days * days, days * (cap + 1.0))
            self._fine[cap] = stages_of(self.terms, most, cap)
        return self._fine[cap]

    @property
    def nothing(self) -> IntArray:
        """See `Part`."""
        return np.zeros((1, len(self.terms.days)), dtype=np.int64)

    @property
    def days(self) -> IntArray:
        """See `Part`."""
        return self.terms.days

    @property
    def most_effect(self) -> FloatArray:
        """See `Part`."""
        return self._most_effect

    @property
    def least_kept(self) -> float:
        """See `Part`."""
        return float(np.sort(self.terms.others_kept)[: self.terms.most_fractions].prod())

    @property
    def whole(self) -> Span:
        """See `Part`."""
        kill = (-float(self._grown[-1]), float(self._most_kill[-1]))
        return Span(kill, (0, self.terms.most_fractions))

    def kill_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """See `Part`."""
        least = -np.minimum(self._grown, self._later + self._grown - span.kill[0])
        most = np.minimum(self._most_kill, span.kill[1] + self._grown[-1])
        return least, most

    def of(self, actions: IntArray) -> tuple[Courses, BoolArray]:
        """See `Part`."""
        return totals(self.terms, self.coarse[-1], actions)

    @property
    def doses(self) -> FloatArray:
        """See `Part`."""
        return self.terms.dose

    def levels(self, actions: IntArray) -> IntArray:
        """See `Part`."""
        found = np.zeros((len(actions), self._days), dtype=np.int64)
        found[:, self.terms.days] = actions
        return found

    def obey(self, further: Sequence[FloatArray], room: FloatArray) -> None:
        """See `Part`."""
        terms = self.terms
        more = [one[terms.days] for one in further]
        load = np.stack([*np.moveaxis(terms.load, 2, 0)[: terms.told], *more], axis=2)
        self.terms = replace(terms, load=load, room=room)

    def steps(self, prices: Prices) -> Steps:
        """What doses do to the survivors in the form of the prices."""
        steep = prices.steep is not None
        if steep not in self._steps:
            self._steps[steep] = steps_of(self.terms, steep=steep)
        return self._steps[steep]

    def look(self, prices: Prices, span: Span, fine: bool) -> Look:
        """See `Part`."""
        stages = self.stages(fine, span.count[1])
        free = np.ones((len(self.terms.days), 2), dtype=bool)
        free[np.isin(self.terms.days, span.taken), 0] = False
        free[np.isin(self.terms.days, span.left), 1] = False
        one = completion(self.terms, stages, self.steps(prices), prices, span.count, free)
        return Look(prices, span, one.root, one.by_count, fine, one)

    def follow(self, look: Look) -> Courses:
        """See `Part`; limits are priced only."""
        assert look.completion is not None
        return followed(look.completion, self.terms, self.steps(look.prices))

    def near(
        self, look: Look, threshold: float, precision: Precision, stop: Callable[[], bool]
    ) -> tuple[Courses, float] | None:
        """See `Part`."""
        assert look.completion is not None
        return explored(self.terms, look.completion, look.span, threshold, precision, stop)

    def one_change(self, course: IntArray) -> IntArray:
        """See `Part`."""
        return one_change(self.terms, course)

    def two_changes(self, course: IntArray, room: FloatArray, better: Better) -> Courses:
        """See `Part`."""
        return two_changes(self.terms, self.coarse[-1], course, room, better)

    def count(self, actions: IntArray) -> IntArray:
        """See `Part`."""
        found: IntArray = (actions > 0).sum(axis=1)
        return found

    def fractions(self, course: IntArray) -> list[Fraction]:
        """See `Part`."""
        way = self._of.ways[0].name
        return [
            Fraction(int(day), self._of.name, float(self.terms.dose[action]), 0, way)
            for day, action in zip(self.terms.days, course, strict=True)
            if action > 0
        ]


class MenuPart:
    """A menu of uniform courses of one lesion under one plan; its actions are places on it."""

    def __init__(self, candidates: Candidates, whole: Whole, s: int, chemo: float):
        """All courses of the menu with what they do, by place.

        kill = local of no course - local of the course,  effect = chemo E,  kept = e^-loss
        """
        table, plan = candidates.lesions[s], whole.plan
        self.menu, self.lesion = table.menu, table.menu.lesion
        self._of = candidates.lesion_of(table)
        effects = candidates.effects(plan)[s]
        self._allowed = candidates.allowed(plan)[s]
        kill = effects.local[0, :, 0] - effects.local[:, :, 0]
        every = np.arange(len(self.menu))[:, None]
        self._all = Courses(
            every,
            kill[effects.kind],
            chemo * effects.effect,
            np.exp(-effects.loss),
            np.where(self._allowed[:, None], candidates.loads(plan)[s][effects.kind], 0.0)[
                :, whole.binding
            ],
            every,
        )
        self._good = self._allowed & (self._all.load <= whole.room).all(axis=1)
        self._told = len(whole.room)

    @property
    def nothing(self) -> IntArray:
        """See `Part`."""
        return np.zeros((1, 1), dtype=np.int64)

    @property
    def days(self) -> IntArray:
        """See `Part`."""
        return np.flatnonzero(self.menu.patterns.incidence.any(axis=0))

    @property
    def most_effect(self) -> FloatArray:
        """See `Part`."""
        most: FloatArray = self._all.effect.max(axis=0)
        return most

    @property
    def least_kept(self) -> float:
        """See `Part`."""
        return float(self._all.kept.min())

    @property
    def whole(self) -> Span:
        """See `Part`."""
        kill = self._all.kill[:, -1]
        return Span((float(kill.min()), float(kill.max())), (0, int(self.menu.fractions.max())))

    def kill_range(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """See `Part`."""
        kill = self._all.kill[self._inside(span)]
        if not len(kill):
            return np.full(kill.shape[1], span.kill[0]), np.full(kill.shape[1], span.kill[1])
        return kill.min(axis=0), kill.max(axis=0)

    def _inside(self, span: Span) -> BoolArray:
        kill, number = self._all.kill[:, -1], self.menu.fractions
        found: BoolArray = self._good & (kill >= span.kill[0] - 1e-9)
        found &= (kill <= span.kill[1] + 1e-9) & (number >= span.count[0])
        found &= number <= span.count[1]
        if span.taken or span.left:
            found &= span.holds(self.levels(self._all.actions) > 0)
        return found

    def of(self, actions: IntArray) -> tuple[Courses, BoolArray]:
        """See `Part`."""
        return self._all.take(actions[:, 0]), self._good[actions[:, 0]]

    @cached_property
    def doses(self) -> FloatArray:
        """See `Part`."""
        return np.concatenate([[0.0], np.unique(self.menu.dose[self.menu.dose > 0])])

    def levels(self, actions: IntArray) -> IntArray:
        """See `Part`."""
        given = self.menu.patterns.incidence[self.menu.pattern[actions[:, 0]]]
        level = np.searchsorted(self.doses, self.menu.dose[actions[:, 0]])
        return np.where(given, level[:, None], 0)

    def obey(self, further: Sequence[FloatArray], room: FloatArray) -> None:
        """See `Part`."""
        levels = self.levels(self._all.actions)
        days = np.arange(levels.shape[1])
        more = [one[days, levels].sum(axis=1) for one in further]
        load = np.stack([*self._all.load.T[: self._told], *more], axis=1)
        self._all = replace(self._all, load=load)
        self._good = self._allowed & (load <= room).all(axis=1)

    def look(self, prices: Prices, span: Span, fine: bool) -> Look:
        """See `Part`."""
        inside = self._inside(span)
        worth = prices.worth(self._all)[inside]
        by_count = np.full(int(self.menu.fractions.max()) + 1, -np.inf)
        np.maximum.at(by_count, self.menu.fractions[inside], worth)
        return Look(prices, span, float(by_count.max()), by_count, fine, None)

    def follow(self, look: Look) -> Courses:
        """See `Part`."""
        worth = np.where(self._inside(look.span), look.prices.worth(self._all), -np.inf)
        return self._all.take(np.array([int(worth.argmax())]))

    def near(
        self, look: Look, threshold: float, precision: Precision, stop: Callable[[], bool]
    ) -> tuple[Courses, float] | None:
        """See `Part`."""
        worth = np.where(self._inside(look.span), look.prices.worth(self._all), -np.inf)
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

    def two_changes(self, course: IntArray, room: FloatArray, better: Better) -> Courses:
        """See `Part`; none, since one change reaches all of them."""
        return self._all.take(slice(0, 0))

    def count(self, actions: IntArray) -> IntArray:
        """See `Part`."""
        found: IntArray = self.menu.fractions[actions[:, 0]]
        return found

    def fractions(self, course: IntArray) -> list[Fraction]:
        """See `Part`."""
        return list(self.menu.course(int(course[0]), self._of))
