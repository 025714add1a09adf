"""Loads of shared days, from below: rows that add up over lesions.

The load of a day is `sum_s A_s d_s + d M d` with d the doses of the lesions and M positive
semidefinite: the organ feels the dose of the day, not its shares. By lesion alone only the diagonal
of M is known. The products of two lesions' doses are at least

    d d' >= f(d) + g(d'),        f, g the prices of the least that the product can be

over all ways in which two lesions give the doses that each of them has in a mixture: the greatest
doses of one with the least of the other. Where more than two meet, the tangent `2 c M d - c M c` of
the whole quadratic may be more. Each row takes, day by day, the greater at what the master mixes,
where that exceeds a limit.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.search.free import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.free.bounds.pool import Pool
    from abscopt.optimizer.search.free.schedules import Schedules


ONE_GY = np.array([1.0])
RARE = 1e-9
"""Weight of a mixture that is rounding of the solver."""


@dataclass(frozen=True)
class SharedDayRow:
    """`sum over lesions and days of load <= rhs`.

    `load` are (days, A) by lesion: of each dose of each day, none without one, never negative.
    """

    load: tuple[FloatArray, ...]
    rhs: float


@dataclass(frozen=True)
class Shares:
    """What a mixture gives: by lesion (days, A) how often which dose, (P, days) mean doses."""

    often: tuple[FloatArray, ...]
    mean: FloatArray


class SharedDays:
    """Quadratic organ loads of one plan.

    Attributes
    ----------
    limits : (M,) whether a binding limit has a quadratic load that lesions share
    linear : (M, P, days) A above, as parts of the caps
    matrix : (M, P, P, days) M above
    """

    def __init__(self, candidates: Candidates, schedules: Schedules):
        """A and M of the module from the loads of single fractions and of pairs on one day.

        load of 1 Gy by lesion i alone = A_i + M_ii,  cross factor (i, j) = M_ij + M_ji = 2 M_ij
        """
        instance, problem, oracles = candidates.instance, schedules.problem, schedules.oracles
        limits, number = schedules.limits, len(oracles)
        sensitized = candidates.plan_effects.sensitizer[problem.plan] > 1
        self.rhs, self.doses = problem.rhs, [oracle.doses for oracle in oracles]
        self.linear = np.zeros((len(limits), number, instance.days))
        self.matrix = np.zeros((len(limits), number, number, instance.days))
        lesions = [instance.lesions[oracle.lesion] for oracle in oracles]
        beams = [(lesion, lesion.ways[0], 1) for lesion in lesions]
        for i, oracle in enumerate(oracles):
            for day in oracle.days.tolist():
                for m, limit in enumerate(limits):
                    square = limit.cross_factor(instance, beams[i], beams[i], day) / 2.0
                    single_load = limit.day_load(
                        instance, beams[i], ONE_GY, day, bool(sensitized[day])
                    )
                    self.matrix[m, i, i, day] = square
                    self.linear[m, i, day] = float(single_load[0]) - square
        for (i, j), factor in schedules.cross.items():
            self.matrix[:, i, j] = self.matrix[:, j, i] = factor.T / 2.0
        self.diagonal = np.einsum("miit->mit", self.matrix)
        self.limits = self.matrix.sum(axis=(1, 2, 3)) > self.diagonal.sum(axis=(1, 2))

    def shares(self, pool: Pool, weights: Sequence[FloatArray]) -> Shares:
        """What a mixture of a pool's courses gives: often (days, A) by lesion, mean = often . dose
        (P, days).
        """
        often, days = [], self.linear.shape[2]
        for oracle, courses, w, dose in zip(
            pool.oracles, pool.courses, weights, self.doses, strict=True
        ):
            mixed = np.flatnonzero(w > RARE)
            levels = oracle.levels(courses.actions[mixed])
            at = np.zeros((days, len(dose)))
            for level, weight in zip(levels, w[mixed], strict=True):
                at[np.arange(days), level] += weight
            often.append(at)
        mean = np.stack([at @ dose for at, dose in zip(often, self.doses, strict=True)])
        return Shares(tuple(often), mean)

    def violated(self, pool: Pool, weights: Sequence[FloatArray]) -> list[SharedDayRow]:
        """Rows that a mixture of a pool's courses breaks, at most one for each limit."""
        shares = self.shares(pool, weights)
        square = np.stack([at @ d**2 for at, d in zip(shares.often, self.doses, strict=True)])
        least_products: dict[tuple[int, int, int], tuple[FloatArray, FloatArray]] = {}
        rows = []
        for m in np.flatnonzero(self.limits).tolist():
            row = self._cut(m, shares, square, least_products)
            if row is not None:
                rows.append(row)
        return rows

    def _cut(
        self,
        m: int,
        shares: Shares,
        square: FloatArray,
        least_products: dict[tuple[int, int, int], tuple[FloatArray, FloatArray]],
    ) -> SharedDayRow | None:
        """The row of one limit, None where it is obeyed; `least` remembers the prices by pair.

        Day by day, with d the doses, c their means (P,) in the mixture, D = diag(M), the greater of

            A . d + 2 c^T M d - c^T M c                                 (tangent at c), or
            A . d + D . d^2 + 2 sum_{i<j} M_ij (f_ij(d_i) + g_ij(d_j))  (least products),

        where both are compared at the mixture; constants go to the right-hand side, so that no load
        is negative and none is left without a dose.
        """
        mean, matrix, days = shares.mean, self.matrix[m], self.linear.shape[2]
        load = [
            np.outer(self.linear[m, s], dose) + np.outer(self.diagonal[m, s], dose**2)
            for s, dose in enumerate(self.doses)
        ]
        rhs = float(self.rhs[m])
        joint = np.einsum("it,ijt,jt->t", mean, matrix, mean)
        apart = (self.diagonal[m] * square).sum(axis=0)
        for t in range(days):
            products = []
            for i, j in itertools.combinations(np.flatnonzero(mean[:, t] > 0).tolist(), 2):
                if matrix[i, j, t] > 0:
                    if (i, j, t) not in least_products:
                        often = shares.often[i][t], shares.often[j][t]
                        least_products[i, j, t] = least_product(
                            *often, self.doses[i], self.doses[j]
                        )
                    price, other_price = (
                        2.0 * matrix[i, j, t] * f for f in least_products[i, j, t]
                    )
                    apart[t] += shares.often[i][t] @ price + shares.often[j][t] @ other_price
                    products += [(i, price), (j, other_price)]
            if joint[t] > apart[t]:
                rhs += float(joint[t])
                slope = 2.0 * matrix[:, :, t] @ mean[:, t] + self.linear[m, :, t]
                for s, dose in enumerate(self.doses):
                    load[s][t] = slope[s] * dose
            else:
                for s, more in products:
                    rhs -= float(more[0])
                    load[s][t] += more - more[0]
        mixed = sum(float((at * row).sum()) for at, row in zip(shares.often, load, strict=True))
        return SharedDayRow(tuple(load), rhs) if mixed > rhs + settings.CURRENT.violated else None


def least_product(
    often: FloatArray, other: FloatArray, dose: FloatArray, others: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(A,) and (A',) prices f, g: f + g is at most the product, and most where doses are `often`.

    The dual of a transportation problem with marginals p and q (how often which dose):

        min sum_ab pi_ab d_a d'_b,  sum_b pi_ab = p_a,  sum_a pi_ab = q_b,  pi >= 0
            = max sum_a p_a f_a + sum_b q_b g_b,  f_a + g_b <= d_a d'_b for all a, b.

    With the doses of one falling the costs have the Monge property, so that the north-west-corner
    rule is optimal (Hoffman 1963, On simple linear programming problems): the greatest doses of one
    with the least of the other. Its staircase of basic cells with f_a + g_b = d_a d'_b gives the
    prices of the doses in use; those of all others are the greatest that hold, g_b = min_a (d_a
    d'_b - f_a) and f_a = min_b (d_a d'_b - g_b).
    """
    rows, columns = np.flatnonzero(often > RARE), np.flatnonzero(other > RARE)[::-1]
    f = np.zeros(len(rows))
    g = np.zeros(len(columns))
    g[0] = dose[rows[0]] * others[columns[0]]
    i = j = 0
    supply, demand = often[rows[0]], other[columns[0]]
    while i + 1 < len(rows) or j + 1 < len(columns):
        if j + 1 == len(columns) or (i + 1 < len(rows) and supply <= demand):
            demand -= supply
            i += 1
            supply = often[rows[i]]
            f[i] = dose[rows[i]] * others[columns[j]] - g[j]
        else:
            supply -= demand
            j += 1
            demand = other[columns[j]]
            g[j] = dose[rows[i]] * others[columns[j]] - f[i]
    all_g = (np.outer(dose[rows], others) - f[:, None]).min(axis=0)
    all_f: FloatArray = (np.outer(dose, others) - all_g).min(axis=1)
    return all_f, all_g
