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

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.ids import CourseIds, KindIds
from abscopt.optimizer.mip import finite
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.ensemble.lattice import above, below

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.plan import PlanInMembers
    from abscopt.optimizer.search.ensemble.risk import Risk

Courses = list[CourseIds]
"""Per lesion the courses that a node leaves."""


@dataclass(frozen=True)
class Mixture:
    """Courses of each lesion with weights that sum to 1."""

    courses: tuple[CourseIds, ...]
    weights: tuple[FloatArray, ...]

    @classmethod
    def of_row(cls, row: CourseIds) -> Mixture:
        """One schedule."""
        return cls(tuple(row[[s]] for s in range(len(row))), (np.ones(1),) * len(row))


@dataclass(frozen=True)
class Ranges:
    """(M, H) least and greatest ln Z, with `ground` added to the effect before losses."""

    low: FloatArray
    high: FloatArray
    ground: FloatArray


def ranges(under: PlanInMembers, courses: Courses) -> Ranges:
    """Ranges of ln Z, Z = (ground + sum_s g_s) e^(-A - chemo), A = sum_s a_s, of all schedules.

    Z = sum_s v_s e^(-sum_{r != s} a_r - chemo) lies between the sums of the least v with the
    greatest a and of the greatest v with the least a.
    """
    gains = [gain[:, :, c] for gain, c in zip(under.gain, courses, strict=True)]
    losses = [loss[:, c] for loss, c in zip(under.loss, courses, strict=True)]
    least_loss = [loss.min(axis=1) for loss in losses]
    greatest_loss = [loss.max(axis=1) for loss in losses]
    ground = settings.CURRENT.ground * sum(gain.max(axis=2) for gain in gains)
    ground = np.maximum(ground, np.finfo(float).tiny ** 0.5)
    chemo = under.chemo
    low = ground * np.exp(-sum(greatest_loss) - chemo)[:, None]
    high = ground * np.exp(-sum(least_loss) - chemo)[:, None]
    for s, (gain, loss) in enumerate(zip(gains, losses, strict=True)):
        alone = gain * np.exp(-loss)[:, None, :]
        low = (
            low + alone.min(axis=2) * np.exp(greatest_loss[s] - sum(greatest_loss) - chemo)[:, None]
        )
        high = high + alone.max(axis=2) * np.exp(least_loss[s] - sum(least_loss) - chemo)[:, None]
    safety = 1e-9
    return Ranges(np.log(low) - safety, np.log(high) + safety, ground)


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


def linearized(
    under: PlanInMembers,
    risk: Risk,
    courses: Courses,
    span: Ranges,
    mixture: Mixture,
) -> Linear:
    """V and C with G and tau at a mixture.

    With x the weights of the mixture and s the slope of all lesions' values in ln Z there, for each
    member and horizon:

        G = ground + sum_sc gain_sc x_sc,    ln Z = ln G - sum_sc loss_sc x_sc - chemo
        C = sum_h [s_h (ln G_h - 1 - chemo) + s_h ground_h / G_h] - cost - offset
    """
    chosen = list(zip(mixture.courses, mixture.weights, strict=True))
    total = span.ground + sum(
        gain[:, :, c] @ x for gain, (c, x) in zip(under.gain, chosen, strict=True)
    )
    lost = sum(loss[:, c] @ x for loss, (c, x) in zip(under.loss, chosen, strict=True))
    at = np.clip(np.log(total) - (lost + under.chemo)[:, None], span.low, span.high)
    low, high = below(span.low), above(span.high)
    high = np.maximum(high, low + 1)
    horizons, lesions = range(at.shape[1]), range(len(courses))
    slopes = np.zeros((len(lesions), *at.shape))
    for m, of_member in enumerate(under.lattices):
        tick()
        for s, lattice in enumerate(of_member):
            if not len(horizons):
                continue
            lattice.cover(int(low[m].min()), int(high[m].max()))
            c, x = chosen[s]
            slopes[s, m] = x @ lattice.slopes(under.kinds[s][m, c], at[m])
    steep = slopes.sum(axis=0)
    worth = steep / total
    constant = (
        (steep * (np.log(total) - 1.0 - under.chemo[:, None]) + worth * span.ground).sum(axis=1)
        - under.cost
        - risk.offset
    )
    values = []
    for s in lesions:
        value = np.einsum("mh,mhc->mc", worth, under.gain[s][:, :, courses[s]])
        value -= steep.sum(axis=1)[:, None] * under.loss[s][:, courses[s]]
        for m, of_member in enumerate(under.lattices):
            tick()
            of = under.kinds[s][m, courses[s]]
            by_kind = np.zeros(len(of_member[s].local))
            by_kind[of] = 1.0
            kinds = KindIds(np.flatnonzero(by_kind))
            by_kind[kinds] = of_member[s].most(kinds, slopes[s, m], low[m], high[m])
            value[m] += by_kind[of]
        values.append(finite("values of courses in the members", value))
    return Linear(values, finite("constants of the members", constant))


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
