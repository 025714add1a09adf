"""The master of the Lagrangian bound: the best mixture of courses, as a linear programme.

The restricted master of a Dantzig-Wolfe decomposition by lesion (Dantzig and Wolfe 1960,
Decomposition principle for linear programs; Desaulniers, Desrosiers and Solomon 2005, Column
Generation). Lesions j with weights per_j at each horizon h, irradiated lesions s among them with
the courses c met so far: kill K, growth beside it, own effect E, others' effect kept O, loads L, n
fractions.

Variables, all >= 0:

    x_sc        weight of course c of lesion s
    mu_jhb      weight of the point u_b of a log burden, nu_hb that of the point z_b of the effect
                (Z of a lesion alone, else ln Z)
    a, b, c     what kills (s, h), fractions s and effects h lack to reach their ranges

    maximize  sum_jh per_j sum_b phi(u_b) mu_jhb - missed (sum a + sum b + sum c)

    burden  (j, h)   - sum_b u_b mu_jhb - sum_c K_ch x_jc - share_j sum_b sat_hb nu_hb - a_jh
                                                                           <= - local_jh
    or, where control is a mean over radiosensitivities and a point has a kill k_b and an effect v_b
            (j, h)     sum_b k_b mu_jhb - sum_c K_ch x_jc - a_jh <= 0
    felt    (j, h)     sum_b v_b mu_jhb - share_j sum_b sat_hb nu_hb + sum_c growth_ch x_jc <= 0
    effect  (h)        sum_b z_b nu_hb - sum_sc E_sch x_sc - c_h <= 0                   alone
    effect  (h, g)     sum_b z_b nu_hb - sum_sc (E_sch / (O_sc g) + ln O_sc) x_sc - c_h
                                                       <= rest_h / g - 1 + ln g      several
    limit   m          sum_sc L_scm x_sc <= rhs_m
    count   s          sum_c n_c x_sc <= many_s,        - sum_c n_c x_sc - b_s <= - few_s
    convexity s        sum_c x_sc = 1
    point   (j, h)     sum_b mu_jhb = 1
    level   h          sum_b nu_hb = 1

The rows of effect with several lesions are tangents of the logarithm at levels g (Kelley 1960, The
cutting-plane method for solving convex programs): ln Z = ln G + sum_s ln O_s and
ln G <= G / g - 1 + ln g with G = rest + sum_s E_s / O_s. Between points, phi and the saturation
are replaced by their concave majorants, since the maximum mixes the points freely.

The duals are the next multipliers: those of burden k per_j, of felt likewise, of effect t with
w = sum t_g / g and offset = sum t_g (ln g - 1), of limits y. The pricing problem of lesion s,
maximize per_s k . K + w . E / O + t ln O - y . L over its courses, is the lesion oracle; the duals
of the counts have no part in it, as the oracle looks at these ranges itself.

The master grows by columns and keeps its basis. Rows are in the order above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.highs.solver import ColumnMaster
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.bounds.objective import Multipliers

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.bounds.objective import NodeDomain
    from abscopt.optimizer.search.free.bounds.pool import Pool
    from abscopt.optimizer.search.free.days.courses import Courses


@dataclass(frozen=True)
class Mixture:
    """What a master mixes: (P, H) kill and growth, (P,) fractions, (H,) systemic effect, saturated.

    The effect is the one that the master counts, at the mean of its logarithm for several;
    `systemic` what it takes the saturated one for, `worth` (lesions,) what each lesion's burdens;
    `weights` are those of the pool's courses by lesion.
    """

    kill: FloatArray
    growth: FloatArray
    count: FloatArray
    effect: FloatArray
    systemic: FloatArray
    worth: FloatArray
    weights: tuple[FloatArray, ...]


class Master:
    """Best mixture of courses on concave majorants of the objective, broken at points.

    Variables: weights of points of each log burden and of the effect of each horizon (of a lesion
    alone Z, else ln Z), what kills, fractions and effects lack to reach their ranges, at a high
    cost, and weights of courses by lesion.
    """

    def __init__(self, domain: NodeDomain):
        """Points of the piecewise linear majorants, and the rows.

        Burdens (lesions H, points): some over the whole range [low, high], more where phi is
        curved, near u = 0. Effects (H, breaks): Z from 0 to the most it can be, or ln Z over the
        cell; levels g of the tangents (H, tangent_levels) from the cell's lower end to
        e^high / prod_s least O_s, the most that G can be.
        """
        self.domain = domain
        lesions, horizons = domain.problem.local.shape
        wide = np.linspace(domain.low, domain.high, settings.CURRENT.wide_breaks, axis=-1)
        near = np.broadcast_to(
            np.linspace(-settings.CURRENT.curved, settings.CURRENT.curved, settings.CURRENT.breaks),
            (lesions, horizons, settings.CURRENT.breaks),
        )
        near = np.clip(near, domain.low[..., None], domain.high[..., None])
        self.points = np.concatenate([wide, near], axis=-1).reshape(lesions * horizons, -1)
        self.worth = value_of_burden(domain.goal, self.points)
        self.spread = list(domain.problem.spread)
        if self.spread:
            self._two_numbers()
        if domain.alone:
            self.at = np.linspace(
                np.zeros(horizons), domain.most_effect, settings.CURRENT.breaks, axis=1
            )
            self.levels, self.saturated = np.ones((horizons, 1)), self.at
        else:
            low, high = domain.cell
            greatest = high - sum(np.log(oracle.least_kept) for oracle in domain.oracles)
            low = np.maximum(low, high + np.log(settings.CURRENT.deep))
            self.at = np.linspace(domain.cell[0], high, settings.CURRENT.breaks, axis=1)
            self.levels = np.exp(
                np.linspace(low, greatest, settings.CURRENT.tangent_levels, axis=1)
            )
            self.saturated = np.exp(self.at)
        self.saturated = immune.saturate(self.saturated, domain.maximum)
        self._master = self._begun()
        self._known = [0] * len(domain.oracles)
        self._lesion_of = np.zeros(0, dtype=np.int64)

    def _two_numbers(self) -> None:
        """Points of lesions with a spread: a grid of kill and effect felt, Psi its worth.

        `points` are then -k, `felt` (spread lesions H, points) are v, growth taken off; all have as
        many points.
        """
        domain, horizons = self.domain, self.domain.cell.shape[1]
        size = settings.CURRENT.spread_kills, settings.CURRENT.spread_felt
        padding = ((0, 0), (0, max(0, size[0] * size[1] - self.points.shape[1])))
        self.points = np.pad(self.points, padding, mode="edge")
        self.worth = np.pad(self.worth, padding, mode="edge")
        self.felt = np.zeros((len(self.spread) * horizons, self.points.shape[1]))
        for place, s in enumerate(self.spread):
            spread = domain.problem.spread[s]
            lower, upper = domain.oracles[s].kill_range(domain.spans[s])
            for h in range(horizons):
                kill = np.linspace(lower[h], upper[h], size[0])
                low, high = domain.felt[s][:, h].tolist()
                felt = np.linspace(low, high, size[1])
                grid = [axis.reshape(-1) for axis in np.meshgrid(kill, felt, indexing="ij")]
                grid = [np.pad(k, (0, self.points.shape[1] - len(k)), "edge") for k in grid]
                burden = spread.burden(domain.problem.local[s, h] - grid[1], grid[0])
                self.points[s * horizons + h], self.felt[place * horizons + h] = -grid[0], grid[1]
                self.worth[s * horizons + h] = value_of_burden(domain.goal, burden)

    def _begun(self) -> ColumnMaster:
        """All rows, and all columns but those of courses: the programme of the module.

        Row offsets `burden`, `effect`, .. are cumulated sizes, in the order of the module: lesions
        H, H levels, M, 2 P, P, lesions H, H, those of `felt` before the sums. Inequalities come
        first and have no lower end; the rows of sums are 1 on both sides. A burden's points are
        columns (points, rows) with -u in their burden row and 1 in their point row; an effect's
        have -share sat in the burden rows of their horizon, z in all its effect rows and 1 in its
        level row; with z_l the levels of an effect, the right-hand side of an effect row is

            rest / z_l - 1 + ln(z_l)        (ln z <= z / z_l - 1 + ln z_l, tangents of ln)
        """
        domain, problem = self.domain, self.domain.problem
        cells, irradiated, horizons = self.points.shape[0], len(domain.oracles), len(self.at)
        above = np.zeros_like(self.levels)
        if not domain.alone:
            above = domain.rest[:, None] / self.levels - 1.0 + np.log(self.levels)
        counts = [np.array([span.count[1], -span.count[0]], dtype=float) for span in domain.spans]
        number = horizons * len(self.spread)
        rested, share = -problem.local, problem.share.copy()
        rested[self.spread], share[self.spread] = 0.0, 0.0
        rhs = [rested.reshape(-1), above.reshape(-1), problem.rhs, *counts, np.zeros(number)]
        sizes = [cells, above.size, len(problem.rhs), 2 * irradiated, number, irradiated, cells]
        places = np.cumsum([0, *sizes, horizons]).tolist()
        burden, effect, limit, count, felt, convexity, point, level, rows = places
        self._rows = {"burden": burden, "effect": effect, "limit": limit, "count": count,
                      "felt": felt, "convexity": convexity, "end": rows}  # fmt: skip
        upper = np.concatenate([*rhs, np.ones(rows - convexity)])
        master = ColumnMaster(np.where(np.arange(rows) < convexity, -np.inf, upper), upper)
        points = np.zeros((cells, self.points.shape[1], rows))
        cell = np.arange(cells)
        points[cell, :, cell] = -self.points  # -u <= K + share sat - local
        points[cell, :, point + cell] = 1.0
        for place, s in enumerate(self.spread):
            for h in range(horizons):
                row = place * horizons + h
                points[s * horizons + h, :, felt + row] = self.felt[row]
        weight = np.repeat(domain.per, horizons)[:, None]
        master.add((self.worth * weight).reshape(-1), points.reshape(-1, rows))
        levels = np.zeros((horizons, settings.CURRENT.breaks, rows))
        for h in range(horizons):
            levels[h][:, burden + h : effect : horizons] = -np.outer(self.saturated[h], share)
            levels[h][:, felt + h : convexity : horizons] = -np.outer(
                self.saturated[h], problem.share[self.spread]
            )
            effect_rows = slice(
                effect + h * self.levels.shape[1], effect + (h + 1) * self.levels.shape[1]
            )
            levels[h][:, effect_rows] = self.at[h][:, None]
        levels[np.arange(horizons), :, level + np.arange(horizons)] = 1.0
        master.add(np.zeros(horizons * settings.CURRENT.breaks), levels.reshape(-1, rows))
        lacks = np.zeros((irradiated * horizons + irradiated + horizons, rows))
        lacks[np.arange(irradiated * horizons), np.arange(irradiated * horizons)] = -1.0
        cell = np.arange(irradiated)
        lacks[irradiated * horizons + cell, count + 1 + 2 * cell] = -1.0
        for h in range(horizons):
            first = effect + h * self.levels.shape[1]
            lacks[len(lacks) - horizons + h, first : first + self.levels.shape[1]] = -1.0
        master.add(np.full(len(lacks), -settings.CURRENT.missed), lacks)
        return master

    def _columns(self, s: int, courses: Courses) -> FloatArray:
        """(n, rows) of courses of a lesion.

        -K in the burden rows, -(E / (O g) + ln O) (or -E alone) in the effect rows, L in the
        limits, n and -n in the counts, growth in its rows of effect felt, 1 in its convexity row.
        """
        rows, horizons, number = self._rows, courses.kill.shape[1], len(courses)
        columns = np.zeros((number, rows["end"]))
        columns[:, s * horizons : (s + 1) * horizons] = -courses.kill
        gain = np.repeat(courses.effect[:, :, None], self.levels.shape[1], axis=2)
        if not self.domain.alone:
            gain = (
                gain / courses.others_kept[:, None, None] / self.levels
                + np.log(courses.others_kept)[:, None, None]
            )
        columns[:, rows["effect"] : rows["limit"]] = -gain.reshape(number, -1)
        columns[:, rows["limit"] : rows["count"]] = courses.load
        count = self.domain.oracles[s].count(courses.actions)
        columns[:, rows["count"] + 2 * s], columns[:, rows["count"] + 2 * s + 1] = count, -count
        if s in self.spread:
            first = rows["felt"] + self.spread.index(s) * horizons
            columns[:, first : first + horizons] = courses.growth
        columns[:, rows["convexity"] + s] = 1.0
        return columns

    def solve(self, pool: Pool) -> tuple[Multipliers, float, Mixture]:
        """Duals of the best mixture of the pool's courses, its value and what it mixes.

            k = dual of burden / per,  (w, t, offset) by `_slopes`,  y = dual of limits,  all >= 0

        The pool may only have grown since the last call.
        """
        for s, courses in enumerate(pool.courses):
            added = courses.take(slice(self._known[s], None))
            if len(added):
                self._master.add(np.zeros(len(added)), self._columns(s, added))
                self._lesion_of = np.append(self._lesion_of, np.full(len(added), s))
                self._known[s] = len(courses)
        dual = np.maximum(self._master.duals(), 0.0)
        rows, domain = self._rows, self.domain
        shape = domain.problem.local.shape
        price = dual[: rows["effect"]].reshape(shape) / domain.per[:, None]
        felt = price.copy()
        felt[self.spread] = dual[rows["felt"] : rows["convexity"]].reshape(-1, shape[1])
        felt[self.spread] /= domain.per[self.spread, None]
        multipliers = Multipliers(
            price,
            felt,
            self._slopes(dual[rows["effect"] : rows["limit"]].reshape(self.levels.shape)),
            dual[rows["limit"] : rows["count"]],
        )
        mixture = self._mixture(pool, self._master.weights())
        return multipliers, self._master.objective - domain.problem.cost, mixture

    def _slopes(self, dual: FloatArray) -> FloatArray:
        """(3, H) prices of effect from duals (H, levels): a sum of tangents at levels g with
        weights t_g.

            sum_g t_g ln G <= sum_g t_g (G / g - 1 + ln g) = w G + offset,     t = sum_g t_g
        """
        price = dual.sum(axis=1)
        if self.domain.alone:
            return np.stack([price, np.zeros_like(price), np.zeros_like(price)])
        offset = (dual * (np.log(self.levels) - 1.0)).sum(axis=1)
        return np.stack([(dual / self.levels).sum(axis=1), price, offset])

    def _mixture(self, pool: Pool, x: FloatArray) -> Mixture:
        """What the weights x of all columns say: points first, then levels, what is lacking,
        courses.

            K_s = sum_c x_sc K_c,  n_s = sum_c x_sc n_c,  effect_h = sum_b nu_hb z_b (or e^ of it),
            systemic_h = sum_b nu_hb sat_hb,    worth_j = per_j sum_hb mu_jhb phi(u_b)
        """
        domain, shape = self.domain, self.points.shape
        points = x[: self.points.size].reshape(shape)
        levels = x[self.points.size : self.points.size + self.at.size].reshape(self.at.shape)
        course_weights = x[len(x) - len(self._lesion_of) :]
        mix = [course_weights[self._lesion_of == s] for s in range(len(domain.oracles))]
        effect = (levels * self.at).sum(axis=1)
        worth = (points * self.worth).sum(axis=1)
        by_part = list(zip(mix, pool.courses, strict=True))
        return Mixture(
            np.stack([w @ courses.kill for w, courses in by_part]),
            np.stack([w @ courses.growth for w, courses in by_part]),
            np.array(
                [
                    w @ oracle.count(courses.actions)
                    for (w, courses), oracle in zip(by_part, domain.oracles, strict=True)
                ]
            ),
            effect if domain.alone else np.exp(effect),
            (levels * self.saturated).sum(axis=1),
            worth.reshape(-1, len(self.at)).sum(axis=1) * domain.per,
            tuple(mix),
        )
