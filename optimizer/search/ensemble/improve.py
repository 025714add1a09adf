"""Local search for schedules of a great measure over members, from what a bound has chosen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.plan import AcrossMembers, PlanInMembers
from abscopt.optimizer.search.uniform.incumbent.local import climb, pair_moves, rounded, worth

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.bounds.bound import Courses, Mixture
    from abscopt.optimizer.search.ensemble.bounds.counted import Counted
    from abscopt.optimizer.search.ensemble.risk import Risk

Offer = Callable[[PlanInMembers, CourseIds, float], float]
"""Told a feasible row and what its risk is at most; the risk of the schedule in hand."""


class Improvement:
    """Best responses by the measure over the members that count."""

    def __init__(self, risk: Risk, counted: Counted, offer: Offer):
        self.risk, self.counted, self.offer = risk, counted, offer
        self._tried: set[tuple[PlanId, bytes]] = set()

    def around(
        self,
        under: PlanInMembers,
        courses: Courses,
        losses: list[FloatArray],
        mixture: Mixture,
        weights: FloatArray,
        in_hand: CourseIds | None,
    ) -> None:
        """Best responses among the courses of least loss, from the mixture and the incumbent.

        Parameters
        ----------
        weights : (members,) q of the bound
        """
        count = settings.CURRENT.shortlist
        options = [
            c[np.argsort(loss, kind="stable")[:count]]
            for c, loss in zip(courses, losses, strict=True)
        ]
        heaviest = [
            c[np.argsort(-x, kind="stable")]
            for c, x in zip(mixture.courses, mixture.weights, strict=True)
        ]
        choices = [
            CourseIds(np.concatenate([h, o[~np.isin(o, h)]]))
            for h, o in zip(heaviest, options, strict=True)
        ]
        across = AcrossMembers(under, self.risk, self.counted.members)
        begins = [rounded(across, choices, list(range(len(choices))))]
        if in_hand is not None:
            begins.append(in_hand)
        for row in begins:
            if self._new(under.plan, row):
                self._climb(across, row, weights, choices)

    def _new(self, plan: PlanId, row: CourseIds) -> bool:
        """Whether a local search has not begun or ended here."""
        key = (plan, row.tobytes())
        if key in self._tried:
            return False
        self._tried.add(key)
        return True

    def _climb(
        self, across: AcrossMembers, row: CourseIds, weights: FloatArray, choices: Courses
    ) -> None:
        """Best responses by the measure; for a tail, by weighted means in between.

        A least mean over weights has kinks where no single course improves it. Means with fixed
        weights have none: each round takes those half way to the weights of the row it has
        reached (Frank and Wolfe 1956, An algorithm for quadratic programming, on the dual).
        """
        order, under = list(range(len(row))), across.under
        rounds = settings.CURRENT.weighted_rounds if self.risk.most is not None else 0
        for _ in range(rounds):
            tick()
            mean = AcrossMembers(under, self.risk.at(weights), np.flatnonzero(weights > 0.0))
            row, _value = climb(mean, row, worth(mean, row), order, choices)
            self.offer(under, row, worth(across, row))
            weights = 0.5 * (weights + self.risk.weights_at(under.values(row[None, :]))[0])

        def told(better: CourseIds, its: float) -> None:
            self.offer(under, better, its)

        row, value = climb(across, row, worth(across, row), order, choices, told)
        if math.isfinite(value) and value >= self.offer(under, row, value):
            count = settings.CURRENT.pair_courses
            row, value = pair_moves(across, row, value, [c[:count] for c in choices])
        self.offer(under, row, value)
        self._new(under.plan, row)
