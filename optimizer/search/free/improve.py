"""Better schedules on the way: what masters mix and beams keep, improved by exchanges, judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.schedule import Infusion, Schedule
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.combine import most_promising
from abscopt.optimizer.search.free.days.dominance import Precision
from abscopt.optimizer.search.join import every_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.answer import Answer
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.free.days.courses import Courses
    from abscopt.optimizer.search.free.node import Node, Planned
    from abscopt.optimizer.search.free.plans import Plans
    from abscopt.optimizer.search.tree import Tree

MIXED = 1e-6
"""Weights at or below it are rounding of the solver, whose tolerance is 1e-7."""


class Improver:
    """Offers schedules to the judge.

    Parameters
    ----------
    in_hand : the best schedule so far; better ones are put there
    """

    def __init__(
        self,
        plans: Plans,
        judge: Judge,
        in_hand: Answer,
        tree: Tree[Node],
        seed: int,
        clock: Clock,
    ):
        self.plans, self.judge, self.in_hand = plans, judge, in_hand
        self.tree, self.clock = tree, clock
        self.rng = np.random.default_rng(seed)

    def stop(self) -> bool:
        """Whether to stop."""
        return self.clock.expired

    def schedule(self, planned: Planned, row: Sequence[IntArray]) -> Schedule:
        """The schedule of a course of each lesion under its plan."""
        fractions = [
            fraction
            for oracle, course in zip(planned.oracles, row, strict=True)
            for fraction in oracle.fractions(course)
        ]
        doses = self.plans.candidates.plans[planned.problem.plan].doses
        return Schedule.of(fractions, [Infusion(day, drug, mg) for drug, day, mg in doses])

    def take(self, schedule: Schedule) -> bool:
        """Judge a schedule and keep it if it is better; whether the limits are kept."""
        verdict = self.judge.evaluate(schedule)
        self.in_hand.take(schedule, verdict)
        return verdict.admissible

    def offer(self, planned: Planned, row: Sequence[IntArray]) -> None:
        """Judge a course of each lesion and keep them if they are better."""
        if self.take(self.schedule(planned, row)):
            planned.known.append(row)

    def take_nothing(self, plan: PlanId) -> None:
        """Judge a plan by itself, without a fraction."""
        planned = self.plans.of(plan)
        self.take(self.schedule(planned, [oracle.nothing[0] for oracle in planned.oracles]))

    def polish(
        self,
        node: Node,
        courses: Sequence[Courses],
        rows: IntArray,
        limit: int | None = None,
        *,
        worse: bool = True,
    ) -> float:
        """Offer the best of some rows, improved by exchanges; their objective before those.

        No more of them once the node's bound is reached.

        Parameters
        ----------
        rows : (n, P) places among the courses of each lesion
        worse : whether rows that are no better than the answer are improved too
        """
        planned = self.plans.of(node.plan)
        schedules, first = planned.schedules, -math.inf
        exact, allowed = [], np.ones(len(rows), dtype=bool)
        for s, (oracle, lot) in enumerate(zip(planned.oracles, courses, strict=True)):
            course, fine = oracle.of(lot.actions)
            exact.append(course)
            allowed &= fine[rows[:, s]]
        rows = rows[allowed]
        for _ in range(settings.CURRENT.polished if limit is None else limit):
            best_row = schedules.best(exact, rows, -math.inf)
            if best_row is None:
                break
            row = [lot.actions[k] for lot, k in zip(exact, rows[best_row[0]], strict=True)]
            rows = np.delete(rows, best_row[0], axis=0)
            first = max(first, best_row[1])
            if worse or best_row[1] > self.in_hand.value:
                self.offer(planned, row)
                begun = b"".join(lot.tobytes() for lot in row)
                if node.bound > self.tree.threshold and begun not in planned.begun:
                    planned.begun.add(begun)
                    row, _ = schedules.improved(row, best_row[1], self.rng, self.stop)
                    self.offer(planned, row)
            if node.bound <= self.tree.threshold:
                break
        return first

    def climb(self, node: Node) -> None:
        """The best of what the master mixes, improved by exchanges."""
        if node.bound <= self.tree.threshold:
            return
        each = [np.append(0, np.flatnonzero(w > MIXED)) for w in node.lagrangian.mixture.weights]
        rows = every_row([np.unique(places) for places in each])
        self.polish(node, node.lagrangian.pool.courses, rows[: settings.CURRENT.promising], 1)

    def dive(self, node: Node) -> None:
        """Good courses of a node: the most promising partial ones only, then exchanges."""
        if node.bound <= self.tree.threshold:
            return
        planned = self.plans.of(node.plan)
        precision = Precision(
            settings.CURRENT.dive * self.tree.gap, 1e-3, 1e-2, settings.CURRENT.beam, "drop"
        )
        promising = most_promising(
            planned.schedules, node.lagrangian, precision, settings.CURRENT.promising, self.stop
        )
        if promising is not None:
            self.polish(node, *promising)
