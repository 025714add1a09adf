"""The linear program over mixtures of courses, by column generation.

Over the columns (courses c of lesion s) met so far, with V and C of `bound`:

    maximize    t - sum_r M e_r - sum_f p_f e'_f
    subject to  sum_c x_sc = 1                                      (sigma_s)   lesion s
                sum_sc A_r(c) x_sc - e_r  <= b_r                    (y_r)       hard row r
                sum_sc A_r(c) x_sc - e'_f <= b_r                    (y_r)       r of soft limit f
                eta - xi_m - sum_sc V_ms(c) x_sc <= C_m + K         (q_m)       member m
                t = eta - K - sum_m most_m xi_m,    x, e, e', xi, eta >= 0

for risks that are the least mean over weights q of at most `most`, which are the duals of the last
rows (Rockafellar and Uryasev 2000, Optimization of conditional value-at-risk; K is so large that
eta >= 0 excludes nothing); for the mean t is
sum_m w_m [C_m + sum_sc V_ms(c) x_sc] and these rows are left out. Pricing finds the column of the
greatest sum_m q_m V_ms(c) - y . A_c - sigma_s in each lesion, and each pricing gives a valid bound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.highs.solver import ColumnMaster
from abscopt.optimizer.ids import CourseIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bounds.bound import Bound, Courses, Linear, Mixture

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.plan import Entries, PlanInMembers
    from abscopt.optimizer.search.ensemble.risk import Risk

EXCESS = 1e-7
"""A hard row counts as exceeded above this part of its right-hand side (LPs keep rows to 1e-7)."""
PRESENT = 1e-9
"""Weights of columns below it are rounding."""


class Master:
    """One column generation over the courses of a node, with K = max(0, -min_m (C_m + V_m)).

    V_m is the sum over lesions of the least value of a course, so that eta >= 0 excludes nothing.

    Parameters
    ----------
    entries : per lesion, of the courses of the node
    linear : values at one linearization
    """

    def __init__(
        self,
        under: PlanInMembers,
        risk: Risk,
        courses: Courses,
        entries: list[Entries],
        linear: Linear,
    ):
        self.risk, self.courses, self.linear = risk, courses, linear
        rows = under.rows
        soft = not under.members.own_limits.any()  # else members pay for other loads
        self.kept = np.flatnonzero((rows.family < 0) | soft)
        self.right, self.family = rows.right[self.kept], rows.family[self.kept]
        self.capped, self.every = rows.capped, len(rows.right)
        self.entries = entries
        self.tail = risk.most is not None
        self.weights = risk.projected(risk.weights)
        lesions, members = len(courses), len(self.weights) if self.tail else 0
        lowest = linear.constant + sum(value.min(axis=1) for value in linear.values)
        self.shift = max(0.0, -float(lowest.min()))
        lower = np.concatenate([np.ones(lesions), np.full(len(self.right) + members, -np.inf)])
        upper = np.concatenate(
            [np.ones(lesions), self.right, (linear.constant + self.shift)[:members]]
        )
        self.master = ColumnMaster(lower, upper)
        self.hard = int((self.family < 0).sum())
        self.slack = self._slack(rows.penalty, members)
        self.order: list[tuple[int, int]] = []
        self.present = [np.zeros(len(c), dtype=bool) for c in courses]

    def _slack(self, penalty: FloatArray, members: int) -> int:
        """Add e, e', eta and xi; how many they are."""
        lesions, rows = len(self.courses), len(self.right)
        relief = -np.eye(rows)[self.family < 0]
        shared = -(self.family[None, :] == np.arange(len(penalty))[:, None]).astype(float)
        blocks = [np.concatenate([relief, shared])]
        cost = [np.full(len(relief), settings.CURRENT.elastic_price), penalty]
        entries = [
            np.concatenate(
                [
                    np.zeros((len(blocks[0]), lesions)),
                    blocks[0],
                    np.zeros((len(blocks[0]), members)),
                ],
                axis=1,
            )
        ]
        if self.tail:
            caps = self.risk.most
            assert caps is not None
            of_members = np.concatenate([np.ones((1, members)), -np.eye(members)])
            entries.append(
                np.concatenate([np.zeros((members + 1, lesions + rows)), of_members], axis=1)
            )
            cost.append(np.concatenate([[-1.0], caps]))
        columns = np.concatenate(entries)
        self.master.add(-np.concatenate(cost), columns)
        return len(columns)

    def add(self, s: int, places: IntArray) -> int:
        """Add columns of lesion s by their places among its courses; how many are new."""
        places = np.unique(places)
        places = places[~self.present[s][places]]
        if not len(places):
            return 0
        self.present[s][places] = True
        unit = np.zeros((len(places), len(self.courses)))
        unit[:, s] = 1.0
        value = self.linear.values[s][:, places]
        blocks = [unit, self.entries[s].at(places)[:, self.kept]]
        cost = np.zeros(len(places)) if self.tail else self.weights @ value
        if self.tail:
            blocks.append(-value.T)
        self.master.add(cost, np.concatenate(blocks, axis=1))
        self.order += [(s, int(place)) for place in places]
        return len(places)

    def run(self, begin: Mixture, threshold: float, fine: float) -> Bound:
        """The least bound of all rounds.

        Ends when no column is missing, or the bound is within `fine` of the program or at most the
        threshold.
        """
        lesions = len(self.courses)
        for s, (chosen, courses) in enumerate(zip(begin.courses, self.courses, strict=True)):
            self.add(s, np.flatnonzero(np.isin(courses, chosen)))
            if not self.present[s].any():
                self.add(s, np.array([0]))
        best: Bound | None = None
        weights, prices, sigma, objective = self._solved()
        for _ in range(settings.CURRENT.most_rounds):
            tick()
            value, losses, added = self._price(weights, prices, sigma)
            if best is None or value < best.value:
                best = Bound(value, losses, begin, weights, prices)
            if not added or best.value <= threshold or best.value - objective <= fine:
                break
            weights, prices, sigma, objective = self._solved()
        assert best is not None
        choice, exceeds = self._choice(lesions)
        return Bound(best.value, best.losses, choice, best.weights, best.prices, exceeds)

    def _solved(self) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """q (M,), y (rows,), sigma (lesions,) and objective of the program."""
        dual = self.master.duals()
        lesions, rows = len(self.courses), len(self.right)
        prices = np.zeros(self.every)
        prices[self.kept] = np.maximum(dual[lesions : lesions + rows], 0.0)
        prices = self.capped(prices)[self.kept]
        weights = self.weights
        if self.tail:
            weights = self.risk.projected(np.maximum(dual[lesions + rows :], 0.0))
        aside = -self.shift if self.tail else float(weights @ self.linear.constant)
        objective = self.master.objective + aside
        return weights, prices, dual[:lesions], objective

    def _price(
        self, weights: FloatArray, prices: FloatArray, sigma: FloatArray
    ) -> tuple[float, list[FloatArray], int]:
        """Bound at q and y, losses of all courses, and how many columns were missing."""
        total = float(weights @ self.linear.constant + prices @ self.right)
        losses, added = [], 0
        of_all = np.zeros(self.every)
        of_all[self.kept] = prices
        for s, value in enumerate(self.linear.values):
            reduced = weights @ value - self.entries[s].charged(of_all)
            best = float(reduced.max())
            total += best
            losses.append(best - reduced)
            count = min(settings.CURRENT.new_columns, len(reduced))
            top = np.argpartition(-reduced, count - 1)[:count]
            added += self.add(s, top[reduced[top] > sigma[s] + 1e-7])
        return total, losses, added

    def _choice(self, lesions: int) -> tuple[Mixture, bool]:
        """What the last program chose, and whether it exceeds a hard row."""
        solution = self.master.weights()
        exceeds = bool(solution[: self.hard].max(initial=0.0) > EXCESS)
        chosen: list[list[tuple[int, float]]] = [[] for _ in range(lesions)]
        for (s, place), x in zip(self.order, solution[self.slack :], strict=False):
            if x > PRESENT:
                chosen[s].append((int(self.courses[s][place]), float(x)))
        courses, weights = [], []
        for of_lesion in chosen:
            x = np.array([weight for _, weight in of_lesion])
            courses.append(CourseIds(np.array([course for course, _ in of_lesion], dtype=np.int64)))
            weights.append(x / math.fsum(x))
        return Mixture(tuple(courses), tuple(weights)), exceeds
