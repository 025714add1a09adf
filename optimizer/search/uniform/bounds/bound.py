"""Upper bounds by Lagrangian duality, for every level of systemic effect at once.

The schedules x of a set of plans choose one course c per lesion s. With v_s(c, z) its value at the
raw systemic log kill z, A the loads of the rows with right-hand sides b, a_c the log loss of
everybody else's effectors and g[c,h] the effect before losses, each of them has

    A x <= b,   Z_h = G_h e^(-a - chemo),   G_h = ground_h + sum_c g[c,h] x_c,   a = sum_c a_c x_c

Relaxing the rows and Z_h >= z_h with multipliers y = (rows, log_kill, effect, offset) >= 0, and
ln G <= G / G0 - 1 + ln G0 for every G0 > 0, no schedule with Z >= z in its rows and Z <= z in its
values is better than

    L(z; y) = rows . b - cost - sum_h log_kill_h (ln z_h + chemo) - offset + effect . ground
              + sum_s max_c [ v_s(c, z) + term_s(c; y) ]

    term_s(c; y) = - rows . A[:,c] - (sum_h log_kill_h) a_c + effect . g[c]

(Lagrangian relaxation: Geoffrion 1974, Lagrangean relaxation for integer programming; Fisher 1981,
The Lagrangian relaxation method for solving integer programming problems). The maximum over c
falls apart by lesion, there over kinds of course (doses, technique), and per kind over timings.

In a cell `lo <= Z <= hi` the values lie below their chords in ln z, raised a little (`chords`), so
that L is convex in ln z and greatest in a corner. Multipliers come from column generation at one z
(`generation` states the restricted master LP, `pricing` the pricing problem): HiGHS only supplies
good ones, no solver tolerance enters the bound. Cells are halved until the multipliers at hand do
not tell more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.highs.mip import finite
from abscopt.optimizer.ids import CourseIds, KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.columns import FractionalChoice, InitialColumns
from abscopt.optimizer.search.uniform.bounds.generation import ColumnGeneration
from abscopt.optimizer.search.uniform.bounds.levels.cells import (
    Cells,
    corners,
    halved,
    joined_cells,
    unknown,
)
from abscopt.optimizer.search.uniform.bounds.levels.values import Values
from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices, Lagrangian

NO_EFFECT = 1e-6
"""Systemic log kill (nats) that changes no value within any gap."""


class Dual:
    """Lagrangian dual of one set of plans; a part of a set shares what does not change.

    Attributes
    ----------
    lagrangians : Lagrangian functions at the multipliers at hand
    ground : (horizons,) added to the effect before losses where Z is not known to be positive
    low_and_high : (2, horizons) bounds of Z
    initial : columns with which the next column generation begins
    exceeds : whether the last column generation ended with a hard row exceeded
    """

    def __init__(self, plan_set: PlanSet, parent: Dual | None = None, earlier: Dual | None = None):
        """Bounds of Z; where low is 0, ground = 1e-9 max(high, 1e-9), low = ground e^(-max a).

        Parameters
        ----------
        earlier : of the same plans in a case that differs in limits alone: with its bounds of Z,
            where they are no narrower, cells meet at the kills whose values it knows
        """
        self.set = plan_set
        self.lagrangians: list[Lagrangian] = []
        self.exceeds = False
        if parent is None:
            low, high = plan_set.extent()
            ground = settings.CURRENT.ground
            self.ground = np.where(low > 0, 0.0, ground * np.maximum(high, ground))
            of_ground = self.ground * math.exp(-plan_set.most_loss) * (1 - 1e-9)
            low = np.where(low > 0, low, of_ground)  # of (G + ground) e^(-A - chemo), over Z
            high = (high + self.ground) * (1 + 1e-12) + ground
            self.low_and_high = np.stack([low, high])
            if earlier is not None and _as_wide(earlier, self.ground, low, high):
                self.low_and_high = earlier.low_and_high
        else:
            self.ground, self.low_and_high = parent.ground, parent.low_and_high
        alike = parent if parent and parent.set.candidates is plan_set.candidates else None
        self.initial: InitialColumns = (
            alike.initial if alike else InitialColumns(plan_set.candidates)
        )
        ruled = plan_set.instance.immune.burden_limit_cm3 is not None  # shares depend on the plan
        of_same = alike or earlier
        self.values: Values = (
            of_same.values
            if of_same and not ruled
            else Values(plan_set.candidates, plan_set.shared, plan_set.share)
        )

    @property
    def without_effect(self) -> bool:
        """Whether no systemic effect acts: each course has its value whatever the others are."""
        return bool(self.low_and_high[1].max(initial=0.0) < NO_EFFECT)

    def root(self, intervals: int) -> Cells:
        """Grid of cells that holds every schedule, edges z_i = low (high / low)^(i / intervals).

        Arrays (intervals^horizons, horizons), the last horizon fastest.
        """
        low, high = self.low_and_high
        edges = [np.geomspace(a, b, intervals + 1) for a, b in zip(low, high, strict=True)]
        grid_low = np.meshgrid(*(edge[:-1] for edge in edges), indexing="ij")
        grid_high = np.meshgrid(*(edge[1:] for edge in edges), indexing="ij")
        shape = (intervals ** len(edges), len(edges))
        lower = np.stack([g.reshape(-1) for g in grid_low], axis=1) if edges else np.zeros(shape)
        upper = np.stack([g.reshape(-1) for g in grid_high], axis=1) if edges else np.zeros(shape)
        return unknown(lower, upper, np.full(len(lower), math.inf))

    def add(self, prices: DualPrices, alive: Alive) -> Lagrangian:
        """Take a further Lagrangian function in."""
        return self.add_all([prices], alive)[0]

    def add_all(self, prices: Sequence[DualPrices], alive: Alive) -> list[Lagrangian]:
        """Take further Lagrangian functions in."""
        lagrangians = self._charged(prices, alive)
        self.lagrangians += lagrangians
        return lagrangians

    def _charged(self, prices: Sequence[DualPrices], alive: Alive) -> list[Lagrangian]:
        """Lagrangian functions at some multipliers, not taken in.

        constant = rows . b - cost - (sum_h log_kill_h) chemo - offset + effect . ground
        """
        lagrangians = []
        for y, *terms in zip(prices, *self.set.terms(prices, alive), strict=True):
            constant = (
                float(y.rows @ self.set.rows.right)
                - self.set.cost
                - float(y.log_kill.sum()) * self.set.chemo
                - y.offset
                + float(y.effect @ self.ground)
            )
            finite("a Lagrangian bound", np.array([constant, *y.log_kill, *y.effect, *y.rows]))
            lagrangians.append(Lagrangian(y, tuple(terms), constant))
        return lagrangians

    def bounds_at(self, numbers: Sequence[int], alive: Alive, kills: FloatArray) -> FloatArray:
        """(m, n) L(z; y) of m Lagrangian functions at raw log kills z (n, horizons)."""
        chosen = [self.lagrangians[j] for j in numbers]
        total = _without_courses(chosen, kills)
        for lesion, terms in zip(self.values.lesions, _masked(chosen, alive), strict=True):
            total += lesion.best_at(kills, terms)
        return total

    def bounds(
        self, numbers: Sequence[int], alive: Alive, low: FloatArray, high: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(m, cells, corners) no schedule in a cell is better than the greatest of its corners.

        By each Lagrangian function. Second, about how much of it is due to the width of the cell.
        """
        chosen = [self.lagrangians[j] for j in numbers]
        total = _without_courses(chosen, corners(low, high))
        width = np.zeros_like(total)
        for lesion, terms in zip(self.values.lesions, _masked(chosen, alive), strict=True):
            value, rise = lesion.best(low, high, terms)
            total += value
            width += rise
        return total, width

    def losses(
        self, lagrangian: Lagrangian, alive: Alive, high: FloatArray, demands: bool = True
    ) -> list[FloatArray]:
        """Per lesion (kinds,) loss_k = max_j [v_j(hi) + term_j] - v_k(hi) - term_k >= 0.

        What each kind k loses against the best at a cell's upper corner hi (horizons,), its reduced
        cost. Infinite for kinds that are not alive or, where demands count, miss one there.
        """
        losses = []
        for lesion, mask, term in zip(self.values.lesions, alive, lagrangian.terms, strict=True):
            kinds, loss = KindIds(np.flatnonzero(mask)), np.full(len(mask), np.inf)
            kinds = kinds[lesion.reaches(high, kinds)] if demands else kinds
            total = lesion.at(high, kinds) + term[kinds]
            loss[kinds] = total.max(initial=-np.inf) - total
            losses.append(loss)
        return losses

    def tighten(
        self, cells: Cells, alive: Alive, numbers: list[int], threshold: float, fine: float
    ) -> Cells:
        """Cells above the threshold by some Lagrangian functions, halved where that may tell more.

        A cell is halved while its bound exceeds the threshold only because of its width, down to
        a looseness of `fine`; its children are bounded by the functions of all cells too.
        """
        above, closed = cells, [cells.take(slice(0, 0))]
        used = cells.numbers
        most_halvings = settings.CURRENT.most_halvings
        for depth in range(most_halvings + 1):
            untried = list(numbers)
            while untried:
                tick()
                lot = max(1, settings.CURRENT.prices_at_once // len(above))
                above = self.bounded(above, alive, untried[:lot]).take_above(threshold)
                untried = untried[lot:]
                if not len(above):
                    return joined_cells(closed)
            split = (above.point <= threshold) & (above.bound - above.point > fine)
            split &= depth < most_halvings and len(above) <= settings.CURRENT.most_cells
            closed.append(above.take(~split))
            if not split.any():
                break
            above = halved(above.take(split))
            numbers = sorted({*numbers, *used})[::-1]
        return joined_cells(closed)

    def bounded(self, cells: Cells, alive: Alive, numbers: Sequence[int]) -> Cells:
        """Cells with bound min_j max_corner L_j(corner) over some functions j and the known one."""
        at_corners, width = self.bounds(numbers, alive, cells.low, cells.high)
        by_function = at_corners.max(axis=2)
        lowest, best = by_function.min(axis=0), np.array(numbers)[by_function.argmin(axis=0)]
        return Cells(
            cells.low,
            cells.high,
            np.minimum(lowest, cells.bound),
            np.minimum((at_corners - width).min(axis=0), cells.known),
            np.where((lowest < cells.bound) | (cells.by < 0), best, cells.by),
        )

    def highest(self, cells: Cells, alive: Alive, numbers: list[int]) -> tuple[FloatArray, float]:
        """(horizons,) arg max and max of min_j L_j(z), z over a 3^horizons grid of the worst cells.

        Per axis the marks low, sqrt(low high), high (3, cells, horizons).
        """
        if not cells.low.shape[1]:
            return np.empty(0), cells.top
        worst = cells.take(np.argsort(-cells.bound, kind="stable")[: settings.CURRENT.worst_cells])
        marks = np.stack([worst.low, np.sqrt(worst.low * worst.high), worst.high])
        axes = range(cells.low.shape[1])
        which = np.stack(np.meshgrid(*([range(3)] * len(axes)), indexing="ij"), axis=-1)
        points = np.stack(
            [marks[which[..., h].reshape(-1)][:, :, h] for h in axes], axis=-1
        ).reshape(-1, len(axes))
        lowest = self.bounds_at(numbers, alive, points).min(axis=0)
        return points[int(lowest.argmax())], float(lowest.max())

    def alive(self, cells: Cells, alive: Alive, threshold: float) -> Alive:
        """Kinds k that may belong to a schedule of some cell above the threshold.

        ceiling_k + term_k > threshold by the function that bounds the cell (reduced-cost fixing).
        """
        remaining = tuple(np.zeros_like(mask) for mask in alive)
        for j in np.unique(cells.by):
            ceilings = self.ceilings(cells.take(cells.by == j), alive, int(j))
            terms = self.lagrangians[j].terms
            for mask, ceiling, term in zip(remaining, ceilings, terms, strict=True):
                mask |= ceiling + term > threshold
        return remaining

    def ceilings(self, cells: Cells, alive: Alive, j: int) -> list[FloatArray]:
        """Per lesion s (kinds,) no bound by function j with kind k exceeds it, its term apart.

        ceiling_k = max over cells and corners z of L_j(z) - max_i [v_i(z) + term_i] + v_k(z),
        i over the kinds of s. Of very many kinds those near each other have that of their leaf.
        """
        lagrangian = self.lagrangians[j]
        pairs = list(zip(self.values.lesions, _masked([lagrangian], alive), strict=True))
        best = [lesion.best(cells.low, cells.high, terms)[0][0] for lesion, terms in pairs]
        bound = _without_courses([lagrangian], corners(cells.low, cells.high))[0] + sum(best)
        possible = np.isfinite(bound)  # a lesion without any kind leaves a cell empty
        return [
            lesion.ceilings(
                cells.low,
                cells.high,
                terms[0],
                np.subtract(bound, of_lesion, where=possible, out=np.full_like(bound, -np.inf)),
            )
            for (lesion, terms), of_lesion in zip(pairs, best, strict=True)
        ]

    def shortlist(
        self, lagrangian: Lagrangian, alive: Alive, kill: FloatArray, count: int
    ) -> list[CourseIds]:
        """Per lesion at most `count` courses of least reduced loss, best first."""
        courses_of = []
        for s, loss in enumerate(self.losses(lagrangian, alive, kill, demands=False)):
            tick()
            kinds = np.argsort(loss, kind="stable")[:count]
            kinds = KindIds(np.sort(kinds[np.isfinite(loss[kinds])]))
            course, kind, term = self.set.courses[s].courses(kinds, lagrangian.prices)
            of_course = loss[kind] + (lagrangian.terms[s][kind] - term)
            courses_of.append(course[np.argsort(of_course, kind="stable")[:count]])
        return courses_of

    def of_subset(self, plans: PlanSet, cells: Cells, alive: Alive) -> Dual:
        """The dual of a subset of the plans, with the multipliers that bound the worst cells."""
        tops = {int(j): float(cells.bound[cells.by == j].max()) for j in np.unique(cells.by)}
        dual = Dual(plans, self)
        best = sorted(tops, key=lambda j: -tops[j])[: settings.CURRENT.inherited]
        dual.add_all([self.lagrangians[j].prices for j in best], alive)
        return dual

    def prices_at(
        self, kill: FloatArray, alive: Alive, threshold: float, fine: float
    ) -> tuple[Lagrangian, float, list[FractionalChoice]]:
        """Lagrangian function for one systemic log kill by column generation on the LP relaxation.

        Returns the function, which is added, its bound at the kill, and per lesion what the last
        LP chose. It begins with the columns that the one before ended with.
        Every row may be exceeded at a high price (soft ones at their penalty), which keeps the
        master feasible; where that is needed the bound is so low that the cell is dropped. It ends
        when no column is missing, or when the bound is at most the threshold. `exceeds` then
        says whether the last LP exceeds a hard row: there may be nothing feasible (`infeasible`).
        """
        generation = ColumnGeneration(self.set, self.values, self.initial, kill, alive)
        lagrangian, bound, choice = generation.run(
            lambda prices: self._charged([prices], alive)[0], threshold, fine
        )
        self.lagrangians.append(lagrangian)
        self.exceeds = generation.exceeds
        return lagrangian, bound, choice


def _as_wide(earlier: Dual, ground: FloatArray, low: FloatArray, high: FloatArray) -> bool:
    """Whether bounds of Z of an earlier case hold those of this one, with the same ground."""
    before_low, before_high = earlier.low_and_high
    same = np.array_equal(earlier.ground, ground)
    return bool(same and (before_low <= low).all() and (before_high >= high).all())


def _masked(lagrangians: Sequence[Lagrangian], alive: Alive) -> list[FloatArray]:
    """Per lesion (m, kinds) terms of Lagrangian functions; -inf for kinds that do not count."""
    by_lesion = zip(*(lagrangian.terms for lagrangian in lagrangians), strict=True)
    return [
        np.where(mask, terms, -np.inf)
        for mask, terms in zip(alive, map(np.stack, by_lesion), strict=True)
    ]


def _without_courses(lagrangians: Sequence[Lagrangian], kills: FloatArray) -> FloatArray:
    """(m, ...) constant - log_kill . ln z at raw log kills z (..., horizons)."""
    logs = np.log(kills)
    return np.stack(
        [lagrangian.constant - logs @ lagrangian.prices.log_kill for lagrangian in lagrangians]
    )
