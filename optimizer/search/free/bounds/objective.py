"""The objective of a plan as a function of what its courses do, and bounds of it that add up.

With u the log burden of a lesion at a horizon, for all prices k, s >= 0

    phi(u) <= max_u' [phi(u') + k u'] - k u,        sat(Z) <= max_Z' [sat(Z') - s Z'] + s Z,

whatever the shape of phi (each maximum is a conjugate, each inequality Fenchel's). Where control
is a mean over radiosensitivities, kill and the effect felt have prices of their own (`spread`), and
accelerated growth that of the effect, of which it undoes a nat for a nat. For a lesion alone, whose
effect holds that of the lesions at rest, this is linear in kill, growth and effect.
The effect of several is Z = G prod O, G = rest + sum E / O, where O is what a course's lymphocyte
losses leave of the others' effect. There

    m sat(Z) <= max_l' [m sat(e^l') - t l'] + t ln Z,
    t ln Z = t ln G + t sum ln O <= w G + offset + t sum ln O,

with w and offset from tangents of the logarithm, adds up over lesions. The first maximum is taken
over a cell of ln Z only, and the burdens over a span of courses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.models.tumor import outcome
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.days.cost_to_go import Prices
from abscopt.optimizer.search.free.days.span import Span
from abscopt.optimizer.search.free.spread import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.search.free.bounds.oracle import LesionOracle
    from abscopt.optimizer.search.free.problem import PlanProblem


@dataclass(frozen=True)
class Multipliers:
    """Worth of a nat of each log burden (lesions, H), of effect and of a unit of each load (M,).

    `burden` is that of a nat of kill, `felt` (lesions, H) that of a nat of the systemic effect that
    a lesion feels, less growth: the same, but where control is a mean over radiosensitivities.
    `effect` (3, H)
    are w, t and offset of the module's docstring; for a lesion alone s, 0 and 0.
    """

    burden: FloatArray
    felt: FloatArray
    effect: FloatArray
    load: FloatArray

    def towards(self, other: Multipliers, step: float) -> Multipliers:
        """A share of the way to others."""
        mine, theirs = 1.0 - step, step
        return Multipliers(
            mine * self.burden + theirs * other.burden,
            mine * self.felt + theirs * other.felt,
            mine * self.effect + theirs * other.effect,
            mine * self.load + theirs * other.load,
        )

    def with_rows(self, number: int) -> Multipliers:
        """The same with so many rows more, without a price."""
        return replace(self, load=np.append(self.load, np.zeros(number)))


class NodeDomain:
    """The objective of a plan, and its bounds at prices.

    Only courses of the spans (one per lesion) and effects of the cell ((2, H), ln Z from and to; 0
    for a lesion alone) count; log burdens then stay between `low` and `high` (lesions, H).
    `systemic` (2, H) is the least and greatest saturated effect.
    """

    def __init__(
        self,
        instance: Instance,
        problem: PlanProblem,
        oracles: tuple[LesionOracle, ...],
        spans: tuple[Span, ...] | None = None,
        cell: FloatArray | None = None,
        tables: dict[tuple[float, ...], Table] | None = None,
    ):
        """Ranges of effect and burden that the spans and the cell leave.

            systemic = sat(e^cell - (rest - resting))                            (2, H)
            low  = local - share systemic_max - greatest kill of the span        (lesions, H)
            high = local - share systemic_min - least kill of the span

        `rest` is the effect of lesions at rest, raised above 0 a little so that its logarithm
        exists; the cell of a whole plan reaches from ln rest + sum ln least O to ln of the most
        effect of all.
        """
        self.instance, self.goal, self.problem, self.oracles = (
            instance,
            instance.objective,
            problem,
            oracles,
        )
        self.maximum = instance.immune.effect_maximum_nats
        self.per = problem.weight / len(problem.horizons)
        self.spans = tuple(oracle.full_span for oracle in oracles) if spans is None else spans
        self.alone = len(oracles) == 1
        most_effect = np.sum([oracle.most_effect for oracle in oracles], axis=0)
        if not self.alone:
            most_effect = most_effect + problem.resting
        ground = settings.CURRENT.ground * most_effect + settings.CURRENT.least_ground
        self.rest = np.where(problem.resting > ground, problem.resting, problem.resting + ground)
        self.most_effect = most_effect
        if self.alone:
            self.cell = np.zeros((2, len(most_effect)))
            self.systemic = np.stack(
                [np.zeros(len(most_effect)), immune.saturate(most_effect, self.maximum)]
            )
        else:
            if cell is None:
                log_kept = math.fsum(math.log(oracle.least_kept) for oracle in oracles)
                cell = np.stack([np.log(self.rest) + log_kept, np.log(most_effect + ground)])
            self.cell = cell
            lower = np.maximum(np.exp(cell[0]) - (self.rest - problem.resting), 0.0)
            self.systemic = immune.saturate(np.stack([lower, np.exp(cell[1])]), self.maximum)
        self.low = problem.local - problem.share[:, None] * self.systemic[1]
        self.high = problem.local - problem.share[:, None] * self.systemic[0]
        for s, (oracle, span) in enumerate(zip(oracles, self.spans, strict=True)):
            lower, upper = oracle.kill_range(span)
            self.low[s] -= upper
            self.high[s] -= lower
        self.low = np.minimum(self.low, self.high)
        self.felt = {s: self._felt(s) for s in problem.spread}
        self._tables = {} if tables is None else tables

    def _felt(self, s: int) -> FloatArray:
        """(2, H) least and greatest effect that a lesion feels, growth taken off."""
        growth = np.stack(self.oracles[s].growth_range(self.spans[s])[::-1])
        felt: FloatArray = self.problem.share[s] * self.systemic - growth
        return felt

    def within(self, spans: tuple[Span, ...], cell: FloatArray | None = None) -> NodeDomain:
        """The same for smaller spans and a smaller cell."""
        cell = self.cell if cell is None else cell
        return NodeDomain(self.instance, self.problem, self.oracles, spans, cell, self._tables)

    def with_span(self, s: int, **changed: Any) -> NodeDomain:
        """The same with other fields of the span of a lesion."""
        spans = list(self.spans)
        spans[s] = replace(spans[s], **changed)
        return self.within(tuple(spans))

    def under(self, problem: PlanProblem) -> NodeDomain:
        """The same with other rows."""
        return NodeDomain(self.instance, problem, self.oracles, self.spans, self.cell, self._tables)

    def effect(self, effect: FloatArray, others_kept: FloatArray) -> FloatArray:
        """(n, H) unsaturated systemic effect of (n, P, H) own effects and (n, P) others' kept.

        Z = (resting + sum_s E_s / O_s) prod_s O_s;    Z = E of a lesion alone
        """
        if self.alone:
            total: FloatArray = effect[:, 0]
            return total
        unscaled = (effect / others_kept[:, :, None]).sum(axis=1) + self.problem.resting
        total = unscaled * others_kept.prod(axis=1)[:, None]
        return total

    def worth(self, kill: FloatArray, growth: FloatArray, systemic: FloatArray) -> FloatArray:
        """(n, lesions) at (n, P, H) kills and growth apart, and (n, H) saturated effect.

        per_j sum_h phi(u_jh),    u_jh = local_jh - share_j sat_h - K_jh, or U of a spread, whose
                                  tumors have local_jh + growth_jh - share_j sat_h - f_q K_jh
        """
        problem = self.problem
        burden = problem.local[None] - problem.share[None, :, None] * systemic[:, None, :]
        averaged = {
            s: spread.burden(burden[:, s] + growth[:, s], kill[:, s])
            for s, spread in problem.spread.items()
        }
        burden[:, : kill.shape[1]] -= kill
        for s, of_population in averaged.items():
            burden[:, s] = of_population
        worths: FloatArray = value_of_burden(self.goal, burden).sum(axis=2) * self.per
        return worths

    def __call__(
        self, kill: FloatArray, growth: FloatArray, effect: FloatArray, others_kept: FloatArray
    ) -> FloatArray:
        """(n,) objective of courses by lesion: three of (n, P, H), and (n, P)."""
        systemic = immune.saturate(self.effect(effect, others_kept), self.maximum)
        total: FloatArray = self.worth(kill, growth, systemic).sum(axis=1) - self.problem.cost
        return total

    def prices(self, multipliers: Multipliers) -> tuple[float, list[Prices]]:
        """A constant and the prices of each lesion: a bound of all courses that keep the limits.

        With m_h = sum_j per_j share_j felt_jh the worth of a nat of saturated effect:

            constant = y . rhs - cost
                       + sum_jh per_j (max_{low <= u <= high} [phi(u) + k_jh u] - k_jh local_jh)
                         (with a spread per_j max [Psi_jh(k', v) - k_jh k' - felt_jh v])
                       + sum_h max_Z [m_h sat(Z) - s_h Z]  alone, or
                       + sum_h (w_h rest_h + offset_h + max_{l in cell} [m_h sat(e^l) - t_h l])
            worth_s(c) = per_s (k_s . K_c - felt_s . growth_c) - y . L_c + s . E_c  alone, or
                       = .. - y . L_c + w . E_c / O_c + (sum_h t_h) ln O_c
        """
        problem = self.problem
        total = float(multipliers.load @ problem.rhs) - problem.cost
        for (s, h), k in np.ndenumerate(multipliers.burden):
            if s in problem.spread:
                total += float(self.per[s] * self._by_kill(multipliers, s, h).max())
                continue
            above = self._intercept(float(k), self.low[s, h, None], self.high[s, h, None])
            total += float(self.per[s] * (above[0] - k * problem.local[s, h]))
        marginal = self._marginal(multipliers)
        if self.alone:
            worth, log_kept = self._linear(multipliers.effect[0], marginal), None
            total += self._concave(marginal, worth)
        else:
            worth, price, offset = multipliers.effect
            log_kept = float(price.sum())
            total += float(offset.sum() + worth @ self.rest)
            for h, pair in enumerate(zip(marginal, price, strict=True)):
                total += float(self._logistic(*pair, *self.cell[:, h, None])[0])
        kills, growths = (self.per[:, None] * k for k in (multipliers.burden, multipliers.felt))
        return total, [
            Prices(kills[s], worth, multipliers.load, log_kept, growths[s])
            for s in range(len(self.oracles))
        ]

    def _linear(self, worth: FloatArray, marginal: FloatArray) -> FloatArray:
        return np.maximum(worth, 0.0 if self.maximum is not None else marginal)

    def _concave(self, marginal: FloatArray, worth: FloatArray) -> float:
        """max m sat(Z) - s Z over all Z >= 0, summed over horizons.

        With sat(Z) = Zmax Z / (Z + Zmax), sat' = (1 + Z / Zmax)^-2 = s / m at the maximum, hence

            m Zmax (1 - sqrt(s / m))^2     for s < m, else 0.
        """
        if self.maximum is None:
            return 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.where(marginal > worth, np.sqrt(worth / marginal), 1.0)
        return float(marginal @ (self.maximum * (1.0 - root) ** 2))

    def _logistic(
        self, marginal: float, price: float, low: FloatArray, high: FloatArray
    ) -> FloatArray:
        """max m sat(e^l) - t l in cells (n,): a logistic function of l, or an exponential one.

        sat(e^l) = Zmax p with p = 1 / (1 + e^-(l - ln Zmax)), so that it is stationary where

            m Zmax p (1 - p) = t,     p = 1/2 + sqrt(1/4 - t / (m Zmax)) at the maximum,
            l = ln Zmax + ln p - ln(1 - p);

        the maximum of a cell is there or at one of its ends (the exponential is convex: at an end).
        """
        points = [low, high]
        if self.maximum is not None and 0.0 < price < 0.25 * marginal * self.maximum:
            ratio = price / (marginal * self.maximum)
            p = 0.5 * (1.0 + math.sqrt(1.0 - 4.0 * ratio))
            if p < 1.0:
                level = math.log(self.maximum) + math.log(p) - math.log1p(-p)
                points.append(np.clip(level, low, high))
        at = np.array(points)
        worth = marginal * immune.saturate(np.exp(at), self.maximum) - price * at
        best: FloatArray = worth.max(axis=0)
        return best

    def _intercept(self, k: float, low: FloatArray, high: FloatArray) -> FloatArray:
        """max phi(u) + k u over ranges (n,) of burdens: the conjugate of -phi in the range.

        At an end, or where phi' = -k: for -ln(1 + e^u), e^u / (1 + e^u) = k; for the control
        probability p = 1 / (1 + e^u), p (1 - p) = k; or at the kink where a lesion is conceded.
        """
        points: list[float] = []
        if self.goal.kind == "expected_control":
            if 0.0 < k < 0.25:  # stationary where p (1 - p) = k; the greater p is the maximum
                p = 0.5 * (1.0 + math.sqrt(1.0 - 4.0 * k))
                if p < 1.0:
                    points.append(math.log1p(-p) - math.log(p))
            points.append(0.0)
        elif self.goal.kind != "log_kill":
            points.append(outcome.concession_burden(self.goal.conceded_at_nats))
            if 0.0 < k < 1.0:
                points.append(math.log(k) - math.log1p(-k))
        at = np.array([low, high, *(np.clip(point, low, high) for point in points)])
        best: FloatArray = (value_of_burden(self.goal, at) + k * at).max(axis=0)
        return best

    def _marginal(self, multipliers: Multipliers) -> FloatArray:
        """(H,) worth of a nat of saturated effect."""
        marginal: FloatArray = ((self.per * self.problem.share)[:, None] * multipliers.felt).sum(
            axis=0
        )
        return marginal

    def table(self, s: int, h: int) -> Table:
        """Values of a lesion with a spread over its kills and the effect that it feels."""
        local = float(self.problem.local[s, h])
        lower, upper = (float(ends[h]) for ends in self.oracles[s].kill_range(self.spans[s]))
        felt = (float(self.felt[s][0, h]), float(self.felt[s][1, h]))
        key = (s, h, lower, upper, *felt)
        if key not in self._tables:
            while len(self._tables) >= settings.CURRENT.tables:
                del self._tables[next(iter(self._tables))]
            spread, kill = self.problem.spread[s], (lower, max(lower, upper))
            felt = (felt[0], max(felt))
            self._tables[key] = Table(self.goal, spread, local, kill, felt)
        return self._tables[key]

    def _by_kill(self, multipliers: Multipliers, s: int, h: int) -> FloatArray:
        """(n,) value less prices at the kills of the table."""
        price, felt = float(multipliers.burden[s, h]), float(multipliers.felt[s, h])
        return self.table(s, h).by_kill(price, felt)

    def conceded_kill(self, s: int, systemic: FloatArray, growth: FloatArray) -> float:
        """Kill at which a lesion is conceded at the last horizon.

        At (H,) saturated effect and growth beside the kill.
        """
        conceded = outcome.concession_burden(self.goal.conceded_at_nats)
        burden = self.problem.local[s] - self.problem.share[s] * systemic + growth
        if s not in self.problem.spread:
            return float((burden - conceded)[-1])
        low, high = self.spans[s].kill
        kills = np.linspace(low, high, settings.CURRENT.pieces + 1)
        burdens = self.problem.spread[s].burden(np.full(len(kills), burden[-1]), kills)
        return float(np.interp(-conceded, -burdens, kills))

    def at_levels(self, multipliers: Multipliers, h: int, edges: FloatArray) -> FloatArray:
        """(n,) what the constant gains where ln Z of a horizon is between two of n + 1 edges.

        max_{l in piece} [m sat(e^l) - t l] - max_{l in cell} [m sat(e^l) - t l]  <= 0
        """
        marginal, price = float(self._marginal(multipliers)[h]), float(multipliers.effect[1, h])
        pieces = self._logistic(marginal, price, edges[:-1], edges[1:])
        gains: FloatArray = pieces - self._logistic(marginal, price, *self.cell[:, h, None])
        return gains

    def at_kills(self, multipliers: Sequence[Multipliers], s: int, edges: FloatArray) -> FloatArray:
        """(prices, n) the same where a lesion's kill is between two of n + 1 edges.

            per_s sum_h {max_{u in piece} [phi(u) + k_sh u] - max_{u in node} [phi(u) + k_sh u]}

        with the piece of burdens (H, n) local - share systemic - kill, clipped to the range of the
        node; cells of the table that reach into the piece, with a spread.
        """
        oracle, span = self.oracles[s], self.spans[s]
        pairs = itertools.pairwise(edges.tolist())
        kills = [oracle.kill_range(replace(span, kill=pair)) for pair in pairs]
        local, share = self.problem.local[s], self.problem.share[s]
        low = local - share * self.systemic[1] - np.array([upper for _, upper in kills])
        high = local - share * self.systemic[0] - np.array([lower for lower, _ in kills])
        low = np.clip(low, self.low[s], self.high[s])
        high = np.clip(high, low, self.high[s])
        gains = np.zeros((len(multipliers), len(kills)))
        if s in self.problem.spread:
            for gain, trial in zip(gains, multipliers, strict=True):
                for h in range(len(self.systemic[0])):
                    by_kill = self._by_kill(trial, s, h)
                    lower, upper = (np.array([pair[i][h] for pair in kills]) for i in (0, 1))
                    gain += self.table(s, h).pieces(by_kill, lower, upper) - by_kill.max()
            gains *= self.per[s]
            return gains
        for gain, trial in zip(gains, multipliers, strict=True):
            for h, k in enumerate(trial.burden[s].tolist()):
                gain += self._intercept(k, low[:, h], high[:, h])
                gain -= self._intercept(k, self.low[s, h, None], self.high[s, h, None])
        gains *= self.per[s]
        return gains
