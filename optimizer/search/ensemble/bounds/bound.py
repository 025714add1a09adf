"""Upper bound of the risk of every schedule of one plan and some courses, by Lagrangian duality.

Members m with weights q_m in Q (`risk`), horizons h, lesions s with courses c. With phi the value
of a lesion, l = ln Z, g = e^a v the effect of a course before losses, a its log loss of the others'
effectors, chemo that of drugs, A its entries in the rows A x <= b and tau >= 0 any slopes, every
schedule of the node has (P15)

    risk <= sum_m q_m C_m + y . b + sum_s max_c [ sum_m q_m V_ms(c) - y . A_c ]

    V_ms(c) = sum_h max_{l in [l-, l+]} [phi_msh(c, l) - tau_msh l]
              + sum_h worth_mh g_mh(c) - (sum_h steep_mh) a_m(c)
    C_m     = sum_h [steep_mh (ln G_mh - 1 - chemo_m) + worth_mh ground_mh] - cost_m - best_m

    steep_mh = sum_s tau_msh,    worth_mh = steep_mh / G_mh,    any G_mh > 0,    y >= 0,

where [l-, l+] holds l_mh of every schedule of the node. Nothing is left of l: its slopes cancel
against the price of l = ln G - A - chemo. G and tau are taken at a mixture of courses, y, q and the
next mixture from a linear program over columns (Dantzig and Wolfe 1960, Decomposition principle for
linear programs), whose tolerances do not enter the bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.highs.mip import finite
from abscopt.optimizer.ids import CourseIds, KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.bounds.lattice import above, below

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.plan import PlanInMembers, Tables
    from abscopt.optimizer.search.ensemble.risk import Risk

Courses = list[CourseIds]
"""Per lesion the courses that a node leaves."""
SAFETY = 1e-9
"""[nat] by which ranges of ln Z are widened: far over rounding."""


@dataclass(frozen=True)
class Mixture:
    """Courses of each lesion with weights that sum to 1."""

    courses: tuple[CourseIds, ...]
    weights: tuple[FloatArray, ...]

    @classmethod
    def of_row(cls, row: CourseIds) -> Mixture:
        """One schedule."""
        return cls(tuple(row[[s]] for s in range(len(row))), (np.ones(1),) * len(row))

    @property
    def heaviest(self) -> CourseIds:
        """(lesions,) the course of the greatest weight of each lesion."""
        pairs = zip(self.courses, self.weights, strict=True)
        return CourseIds(np.array([c[int(x.argmax())] for c, x in pairs]))

    @classmethod
    def among(cls, courses: Courses, earlier: Mixture | None) -> Mixture:
        """What some courses leave of an earlier mixture; of lesions of which nothing is left one.

        x_c / sum_c x_c,    c among the courses
        """
        chosen, weights = [], []
        for s, c in enumerate(courses):
            inside = np.zeros(0, dtype=bool)
            if earlier is not None:
                inside = np.isin(earlier.courses[s], c)
            if earlier is not None and inside.any():
                x = earlier.weights[s][inside]
                chosen.append(earlier.courses[s][inside])
                weights.append(x / x.sum())
            else:
                chosen.append(c[[len(c) // 2]])
                weights.append(np.ones(1))
        return cls(tuple(chosen), tuple(weights))


@dataclass(frozen=True)
class Ranges:
    """(M, H) least and greatest ln Z, with `ground` added to the effect before losses."""

    low: FloatArray
    high: FloatArray
    ground: FloatArray

    @classmethod
    def of(
        cls,
        greatest: list[FloatArray],
        alone: list[tuple[FloatArray, FloatArray]],
        losses: list[tuple[FloatArray, FloatArray]],
        chemo: FloatArray,
        share: float,
    ) -> Ranges:
        """Ranges of ln Z, Z = (ground + sum_s g_s) e^(-A - chemo), A = sum_s a_s.

        Z = sum_s v_s e^(-sum_{r != s} a_r - chemo) lies between the sums of the least v with the
        greatest a and of the greatest v with the least a.

        Parameters
        ----------
        greatest : per lesion (M, H) greatest g
        alone, losses : per lesion least and greatest v (M, H) and a (M,)
        chemo : (M,)
        share : of the greatest effect: the ground
        """
        ground = np.maximum(share * sum(greatest), np.finfo(float).tiny ** 0.5)
        least_lost = sum(least for least, _ in losses) + chemo
        most_lost = sum(most for _, most in losses) + chemo
        low, high = (ground * np.exp(-lost)[:, None] for lost in (most_lost, least_lost))
        for (least, most), (least_loss, most_loss) in zip(alone, losses, strict=True):
            low = low + least * np.exp(most_loss - most_lost)[:, None]
            high = high + most * np.exp(least_loss - least_lost)[:, None]
        return cls(np.log(low) - SAFETY, np.log(high) + SAFETY, ground)


def ranges(tables: Tables, chemo: FloatArray) -> Ranges:
    """Ranges of ln Z of all schedules of some courses: v = g e^(-a), least and greatest of each.

    Parameters
    ----------
    chemo : (M,) of the members of the tables
    """
    alone = [g * np.exp(-a)[:, None, :] for g, a in zip(tables.gain, tables.loss, strict=True)]
    return Ranges.of(
        [gain.max(axis=2) for gain in tables.gain],
        [(v.min(axis=2), v.max(axis=2)) for v in alone],
        [(loss.min(axis=1), loss.max(axis=1)) for loss in tables.loss],
        chemo,
        settings.CURRENT.ground,
    )


@dataclass(frozen=True)
class Linear:
    """Values of the courses of a node at one linearization.

    Attributes
    ----------
    values : per lesion (M, courses of the node) V
    constant : (M,) C
    """

    values: list[FloatArray]
    constant: FloatArray


@dataclass(frozen=True)
class Tangent:
    """What members' values are priced by at a mixture.

    Attributes
    ----------
    worth, steep : (M, H)
    slopes : (lesions, M, H) tau
    low, high : (M, H) points of the lattice around the ranges of ln Z
    constant : (M,) C
    """

    worth: FloatArray
    steep: FloatArray
    slopes: FloatArray
    low: IntArray
    high: IntArray
    constant: FloatArray


def tangent(
    under: PlanInMembers, risk: Risk, counted: IntArray, span: Ranges, mixture: Mixture
) -> Tangent:
    """G and tau of some members at a mixture; the risk is over all.

    With x the weights of the mixture and s the slope of all lesions' values in ln Z there, for each
    member and horizon:

        G = ground + sum_sc gain_sc x_sc,    ln Z = ln G - sum_sc loss_sc x_sc - chemo
        C = sum_h [s_h (ln G_h - 1 - chemo) + s_h ground_h / G_h] - cost - offset
    """
    chemo = under.chemo[counted]
    total, lost = span.ground, np.zeros(len(counted))
    for of_lesion, c, x in zip(under.effects, mixture.courses, mixture.weights, strict=True):
        gain, loss = of_lesion.gains(c, counted)
        total, lost = total + gain @ x, lost + loss @ x
    at = np.clip(np.log(total) - (lost + chemo)[:, None], span.low, span.high)
    low, high = below(span.low), above(span.high)
    high = np.maximum(high, low + 1)
    slopes = np.zeros((len(mixture.courses), *at.shape))
    for s, (c, x) in enumerate(zip(mixture.courses, mixture.weights, strict=True)):
        kinds = under.kinds(s, c, counted)
        for number, m in enumerate(counted):
            tick()
            lattice = under.lattices[m][s]
            if at.shape[1]:
                lattice.cover(int(low[number].min()), int(high[number].max()))
                slopes[s, number] = x @ lattice.slopes(kinds[number], at[number])
    steep = slopes.sum(axis=0)
    worth = steep / total
    constant = (steep * (np.log(total) - 1.0 - chemo[:, None]) + worth * span.ground).sum(axis=1)
    constant = finite("constants of members", constant - under.cost[counted] - risk.offset[counted])
    return Tangent(worth, steep, slopes, low, high, constant)


def linearized(
    under: PlanInMembers, tables: Tables, risk: Risk, span: Ranges, mixture: Mixture
) -> Linear:
    """V and C of the members of the tables with G and tau at a mixture.

    V_ms(c) = sum_h max_l [phi(c, l) - tau l] + sum_h worth_mh g_mh(c) - (sum_h steep_mh) a_m(c)
    """
    at = tangent(under, risk, tables.counted, span, mixture)
    values = []
    for s, kinds in enumerate(tables.kinds):
        value = np.einsum("mh,mhc->mc", at.worth, tables.gain[s])
        value -= at.steep.sum(axis=1)[:, None] * tables.loss[s]
        for number, m in enumerate(tables.counted):
            tick()
            lattice = under.lattices[m][s]
            by_kind = np.zeros(len(lattice.local))
            by_kind[kinds[number]] = 1.0
            present = KindIds(np.flatnonzero(by_kind))
            by_kind[present] = lattice.most(
                present, at.slopes[s, number], at.low[number], at.high[number]
            )
            value[number] += by_kind[kinds[number]]
        values.append(finite("values of courses in the members", value))
    return Linear(values, at.constant)


@dataclass(frozen=True)
class Bound:
    """A bound of the risk of every schedule of a node.

    Attributes
    ----------
    value : no schedule has a greater risk
    losses : per lesion (courses of the node,) what a course costs it at least, >= 0
    mixture : what the linear program chose
    weights : (M,) q
    prices : (rows,) y
    """

    value: float
    losses: list[FloatArray]
    mixture: Mixture
    weights: FloatArray
    prices: FloatArray
    exceeds: bool = field(default=False)
