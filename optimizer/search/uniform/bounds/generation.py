"""Column generation: multipliers that bound well at one systemic log kill.

Restricted master at a log kill z, over the columns c (courses of lesion s) met so far:

    maximize    sum_s sum_c v_s(c, z) x[s,c] - sum_r M e[r] - sum_f p_f e'[f] - sum_h U u[h]

    subject to  sum_c x[s,c] = 1                                          (sigma_s)  lesion s
                sum_sc A[r,c] x[s,c] - e[r]  <= b_r                       (y_r)      hard row r
                sum_sc A[r,c] x[s,c] - e'[f] <= b_r                       (y_r)      r of soft f
                sum_sc (a_c - g[c,h] / G[h,l]) x[s,c] - u[h]
                                     <= ln G[h,l] - 1 - chemo - ln z_h    (mu_hl)    level l of h
                x, e, e', u >= 0

with v the value, A the loads (`rows`), a the log loss of everybody else's effectors and g the
effect before losses. The last block asks for Z >= z: ln G - A >= ln z + chemo, where the concave
ln G lies below each of its tangents, ln G <= G / G[h,l] - 1 + ln G[h,l] (outer approximation by
tangents: Kelley 1960, The cutting-plane method for solving convex programs), on a fixed grid of
levels. e and u keep the master feasible: M = `elastic_price` for hard rows, U = `steepest` for the
effect; a soft limit pays its own penalty p_f.

Pricing problem of lesion s: the column of the greatest reduced cost

    max_c  v_s(c, z) - y . A[:,c] - (sum_h log_kill[h]) a_c + sum_h effect[h] g[c,h]  -  sigma_s

with log_kill[h] = sum_l mu_hl and effect[h] = sum_l mu_hl / G[h,l]: all but sigma_s is the summand
of the Lagrangian function (`bound`) at z. So each pricing gives a valid bound, and where no reduced
cost is positive the LP and the bound agree (Dantzig and Wolfe 1960, Decomposition principle for
linear programs; Geoffrion 1974, Lagrangean relaxation for integer programming; Desaulniers,
Desrosiers and Solomon 2005, Column generation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.highs.solver import ColumnMaster
from abscopt.optimizer.ids import KindIds, PatternIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.columns import FractionalChoice, InitialColumns
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices, Lagrangian

if TYPE_CHECKING:
    from abscopt.optimizer.search.uniform.bounds.levels.values import LesionValues, Values
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet


EXCESS = 1e-7
"""A hard row counts as exceeded above this part of its right-hand side (LPs keep rows to 1e-7)."""


class ColumnGeneration:
    """One column generation.

    Parameters
    ----------
    plan_set : rows and courses of the plans
    values : values of their kinds
    initial : columns to begin with; those that end well replace them
    kill : (horizons,) the systemic log kill z
    alive : kinds that count

    Attributes
    ----------
    kinds : per lesion (n,) the kinds that are priced, rising
    scores : per lesion (n,) their values v_s(., z)
    levels : (horizons, levels) G[h, l]
    slack, relief : number of the columns e, e', u, and of the e among them, which come first
    column_of : per lesion the column of a pair of kind and pattern, without the slack columns
    order : lesion, kind and pattern of each such column
    """

    def __init__(
        self,
        plan_set: PlanSet,
        values: Values,
        initial: InitialColumns,
        kill: FloatArray,
        alive: Alive,
    ):
        self.set, self.initial, self.kill = plan_set, initial, kill
        self.lesions, self.rows = len(alive), len(plan_set.rows.right)
        self.kinds = [
            _reaching(lesion, kill, KindIds(np.flatnonzero(mask)))
            for lesion, mask in zip(values.lesions, alive, strict=True)
        ]
        self.scores = [
            lesion.at(kill, kinds) for lesion, kinds in zip(values.lesions, self.kinds, strict=True)
        ]
        self.levels = self._levels()
        self.master, self.slack, self.relief = self._master()
        self.column_of: list[dict[tuple[int, int], int]] = [{} for _ in alive]
        self.solved = False
        self.order: list[tuple[int, int, int]] = []

    def _levels(self) -> FloatArray:
        """(horizons, levels) G[h, l], geometric from z_h e^chemo to z_h e^(chemo + sum_s max a).

        Z = G e^(-A - chemo) = z with 0 <= A <= sum_s max a leaves no other G.
        """
        count = settings.CURRENT.levels
        if not len(self.kill):
            return np.empty((0, count))
        chemo, spread = self.set.chemo, sum(courses.most_loss for courses in self.set.courses)
        return np.stack(
            [
                np.geomspace(z * math.exp(chemo), z * math.exp(chemo + spread), count)
                for z in self.kill
            ]
        )

    def _master(self) -> tuple[ColumnMaster, int, int]:
        """The master without courses, and how many columns e, e', u and e alone it has.

        Rows: sum_c x[s,c] = 1, (lesions,); loads <= b, (rows,); tangents <= needs, (horizons *
        levels,). Column of slack i: -1 in every row whose family is i, 0 elsewhere.
        """
        rows, horizons = self.set.rows, len(self.kill)
        needs = -(np.log(self.kill)[:, None] + self.set.chemo + 1.0 - np.log(self.levels))
        right = np.concatenate([rows.right, needs.reshape(-1)])
        limits = len(rows.penalty)
        of_level = limits + np.repeat(np.arange(horizons), settings.CURRENT.levels)
        family = np.concatenate([rows.family, of_level])
        master = ColumnMaster(
            np.concatenate([np.ones(self.lesions), np.full(len(right), -np.inf)]),
            np.concatenate([np.ones(self.lesions), right]),
        )
        relief = np.eye(len(right))[family < 0]
        shared = (family[None, :] == np.arange(limits + horizons)[:, None]).astype(float)
        slack = -np.concatenate([relief, shared])
        cost = np.concatenate(
            [
                np.full(len(relief), settings.CURRENT.elastic_price),
                rows.penalty,
                np.full(horizons, settings.CURRENT.steepest),
            ]
        )
        in_lesions = np.zeros((len(slack), self.lesions))
        master.add(-cost, np.concatenate([in_lesions, slack], axis=1))
        return master, len(slack), len(relief)

    def _add(self, s: int, kinds: KindIds, patterns: PatternIds) -> int:
        """Add the columns that are new, alive and allowed; how many they are.

        Column of a course c of lesion s: cost v_s(c, z), entries unit vector of s (lesions,),
        A[:, c] (rows,) and a_c - g[c, h] / G[h, l] (horizons * levels,).
        """
        place = np.searchsorted(self.kinds[s], kinds)
        inside = (place < len(self.kinds[s])) & np.array(
            [
                (int(k), int(p)) not in self.column_of[s]
                for k, p in zip(kinds, patterns, strict=True)
            ],
            dtype=bool,
        )
        inside[inside] = self.kinds[s][place[inside]] == kinds[inside]
        kinds, patterns, place = kinds[inside], patterns[inside], place[inside]
        if not len(kinds):
            return 0
        course, rows, loss, gain = self.set.courses[s].columns(kinds, patterns)
        allowed = course >= 0
        if not allowed.any():
            return 0
        kinds, patterns, place = kinds[allowed], patterns[allowed], place[allowed]
        unit = np.zeros((len(kinds), self.lesions))
        unit[:, s] = 1.0
        tangents = loss[allowed, None, None] - gain[allowed][:, :, None] / self.levels
        entries = [unit, rows[allowed], tangents.reshape(len(kinds), -1)]
        self.master.add(self.scores[s][place], np.concatenate(entries, axis=1))
        for kind, pattern in zip(kinds.tolist(), patterns.tolist(), strict=True):
            self.column_of[s][kind, pattern] = len(self.order)
            self.order.append((s, kind, pattern))
        return len(kinds)

    def _prices(self, dual: FloatArray) -> DualPrices:
        """Multipliers from LP duals (y, mu) (rows + horizons * levels,); see `DualPrices`."""
        rows = self.set.rows.capped(np.maximum(dual[: self.rows], 0.0))
        price = np.maximum(dual[self.rows :], 0.0).reshape(self.levels.shape)
        return DualPrices(
            rows=rows,
            log_kill=price.sum(axis=1),
            effect=(price / self.levels).sum(axis=1),
            offset=float((price * (1.0 - np.log(self.levels))).sum()),
        )

    def run(
        self, charged: Callable[[DualPrices], Lagrangian], threshold: float, fine: float
    ) -> tuple[Lagrangian, float, list[FractionalChoice]]:
        """The Lagrangian function that bounds least at z, its bound, and what the last LP chose.

        Master and pricing alternate until no column is missing, the bound is at most the threshold
        or within `fine` of the master: master <= LP <= bound, the best over all rounds.

        Parameters
        ----------
        charged : the Lagrangian function at some multipliers
        """
        for s, (kinds, patterns) in enumerate(self.initial.columns):
            if len(kinds):
                self._add(s, kinds, patterns)
        prices = self._prices(np.zeros(self.rows + self.levels.size))
        sigma, master = np.full(self.lesions, -np.inf), -math.inf
        if all(self.column_of):
            master, sigma, prices = self._solve()
        best: tuple[float, Lagrangian] | None = None
        for _ in range(settings.CURRENT.most_rounds):
            tick()
            lagrangian = charged(prices)
            bound, added = self._price(lagrangian, sigma)
            if best is None or bound < best[0]:
                best = (bound, lagrangian)
            if not added or best[0] <= threshold or best[0] - master <= fine:
                break
            master, sigma, prices = self._solve()
        assert best is not None
        self._remember(best[1])
        return best[1], best[0], self._choice()

    @property
    def exceeds(self) -> bool:
        """Whether the last LP exceeds a hard row."""
        return self.solved and bool(self.master.weights()[: self.relief].max(initial=0.0) > EXCESS)

    def _solve(self) -> tuple[float, FloatArray, DualPrices]:
        """Objective of the master, sigma (lesions,) and the multipliers of its duals."""
        dual = self.master.duals()
        self.solved = True
        sigma = dual[: self.lesions]
        return self.master.objective, sigma, self._prices(dual[self.lesions :])

    def _price(self, lagrangian: Lagrangian, sigma: FloatArray) -> tuple[float, int]:
        """Bound L(z; y) = constant - log_kill . ln z + sum_s max_c (v + term), and columns added.

        A column is missing where v + term > sigma_s, its reduced cost positive; per lesion the
        `new_columns` of the greatest are added.
        """
        bound = lagrangian.constant - float(np.log(self.kill) @ lagrangian.prices.log_kill)
        added = 0
        for s, kinds in enumerate(self.kinds):
            summand = self.scores[s] + lagrangian.terms[s][kinds]
            bound += float(summand.max(initial=-math.inf))
            count = min(settings.CURRENT.new_columns, len(summand))
            if not count:
                continue
            top = np.argpartition(-summand, count - 1)[:count]
            top = np.sort(top[summand[top] > sigma[s] + 1e-7])
            if len(top):
                patterns = self.set.courses[s].best(kinds[top], lagrangian.prices)
                added += self._add(s, kinds[top], patterns)
        return bound, added

    def _remember(self, lagrangian: Lagrangian) -> None:
        """Columns of the greatest v_s(kind, z) + term begin the next generation."""
        for s, column_of in enumerate(self.column_of):
            kinds, patterns = np.array(list(column_of), dtype=np.int64).reshape(-1, 2).T
            score = self.scores[s][np.searchsorted(self.kinds[s], kinds)]
            score = score + lagrangian.terms[s][kinds]
            first = np.lexsort((patterns, kinds, -score))[: settings.CURRENT.kept_columns]
            self.initial.columns[s] = KindIds(kinds[first]), PatternIds(patterns[first])

    def _choice(self) -> list[FractionalChoice]:
        """Per lesion the columns with x > 0 in the last LP, by falling weight x (n,)."""
        weights = self.master.weights()[self.slack :]
        choice: list[FractionalChoice] = []
        for s in range(self.lesions):
            chosen = [
                (-weights[i], kind, pattern)
                for i, (lesion, kind, pattern) in enumerate(self.order[: len(weights)])
                if lesion == s and weights[i] > 1e-9
            ]
            chosen.sort()
            kinds = KindIds(np.array([kind for _, kind, _ in chosen], dtype=np.int64))
            patterns = PatternIds(np.array([pattern for _, _, pattern in chosen], dtype=np.int64))
            choice.append(
                FractionalChoice(
                    courses=self.set.courses[s].columns(kinds, patterns)[0],
                    kinds=kinds,
                    weights=np.array([-weight for weight, _, _ in chosen]),
                    scores=self.scores[s][np.searchsorted(self.kinds[s], kinds)],
                )
            )
        return choice


def _reaching(lesion: LesionValues, kill: FloatArray, kinds: KindIds) -> KindIds:
    """Kinds that keep a demand at a raw log kill; all where none does."""
    reaches = lesion.reaches(kill, kinds)
    return kinds[reaches] if reaches.any() else kinds
