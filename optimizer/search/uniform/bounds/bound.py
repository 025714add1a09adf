"""Upper bounds by Lagrangian duality, for every level of systemic effect at once.

For a systemic log kill z, no schedule with Z >= z in its rows and Z <= z in its values is better
than

    L(z; y) = y.right - cost - sum_h steep_h (ln z_h + chemo) - offset
              + sum_s max_kind [ value_s(kind, z) + term_s(kind; y) ],

because `ln G - A >= ln z + chemo` with G = sum e^a v and A = sum a, and
`ln G <= G/G0 - 1 + ln G0` for every G0 > 0, is linear in the choice. In a cell `lo <= Z <= hi` the
values lie below their chords in ln z, raised a little (`chords`), so that L is greatest in a
corner. Multipliers come from column generation at one z (HiGHS only supplies good ones: no solver
tolerance enters the bound); cells are halved until the multipliers at hand do not tell more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.mip import finite
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform.bounds.cells import (
    Cells,
    corners,
    halved,
    joined_cells,
    unknown,
)
from abscopt.optimizer.search.uniform.bounds.mixture import Mixture, Start
from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet
from abscopt.optimizer.search.uniform.bounds.priced import Prices
from abscopt.optimizer.search.uniform.bounds.values import LesionValues, Values
from abscopt.optimizer.solver import ColumnMaster

if TYPE_CHECKING:
    pass


NEW_COLUMNS = 12
MAX_ROUNDS = 60
KEPT_COLUMNS = 40
ELASTIC_PRICE = 200.0
STEEPEST = 5.0
MOST_CELLS = 300
MOST_HALVINGS = 2
SAMPLES = 4
AT_ONCE = 64
INHERITED = 4
LEVELS = 7
GROUND = 1e-9
NO_EFFECT = 1e-6
"""Systemic log kill (nats) that changes no value within any gap."""
EXCESS = 1e-7
"""A hard row counts as exceeded above this part of its right-hand side (LPs keep rows to 1e-7)."""


@dataclass(frozen=True)
class Multiplier:
    """Prices with what they charge the courses of one set of plans.

    Attributes
    ----------
    terms : per lesion (kinds,) greatest term of the courses of each kind
    constant : what does not depend on z
    """

    prices: Prices
    terms: tuple[FloatArray, ...]
    constant: float


class Dual:
    """Lagrangian function of one set of plans; a part of a set shares what does not change.

    Attributes
    ----------
    ground : (horizons,) added to the effect before losses where Z is not known to be positive
    low_and_high : (2, horizons) bounds of Z
    start : columns with which the next column generation begins
    exceeds : whether the last column generation ended with a hard row exceeded
    """

    def __init__(self, plan_set: PlanSet, parent: Dual | None = None):
        self.set = plan_set
        self.multipliers: list[Multiplier] = []
        self.exceeds = False
        if parent is None:
            low, high = plan_set.extent()
            self.ground = np.where(low > 0, 0.0, GROUND * np.maximum(high, GROUND))
            least = self.ground * math.exp(-plan_set.most_loss) * (1 - 1e-9)
            low = np.where(low > 0, low, least)  # of (G + ground) e^(-A - chemo), which is over Z
            high = (high + self.ground) * (1 + 1e-12) + GROUND
            self.low_and_high = np.stack([low, high])
        else:
            self.ground, self.low_and_high = parent.ground, parent.low_and_high
        alike = parent if parent and parent.set.candidates is plan_set.candidates else None
        self.start: Start = alike.start if alike else Start(plan_set.candidates)
        ruled = plan_set.instance.immune.burden_limit_cm3 is not None  # shares depend on the plan
        self.values: Values = (
            alike.values
            if alike and not ruled
            else Values(plan_set.candidates, plan_set.shared, plan_set.share)
        )

    @property
    def without_effect(self) -> bool:
        """Whether no systemic effect acts: each course has its value whatever the others are."""
        return bool(self.low_and_high[1].max(initial=0.0) < NO_EFFECT)

    def root(self, parts: int) -> Cells:
        """Geometric grid of cells that holds every schedule."""
        low, high = self.low_and_high
        edges = [np.geomspace(a, b, parts + 1) for a, b in zip(low, high, strict=True)]
        grid_low = np.meshgrid(*(edge[:-1] for edge in edges), indexing="ij")
        grid_high = np.meshgrid(*(edge[1:] for edge in edges), indexing="ij")
        shape = (parts ** len(edges), len(edges))
        lower = np.stack([g.reshape(-1) for g in grid_low], axis=1) if edges else np.zeros(shape)
        upper = np.stack([g.reshape(-1) for g in grid_high], axis=1) if edges else np.zeros(shape)
        return unknown(lower, upper, np.full(len(lower), math.inf))

    def add(self, prices: Prices, alive: Alive) -> Multiplier:
        """A further multiplier."""
        return self.add_all([prices], alive)[0]

    def add_all(self, prices: Sequence[Prices], alive: Alive) -> list[Multiplier]:
        """Further multipliers."""
        found = []
        for one, *terms in zip(prices, *self.set.terms(prices, alive), strict=True):
            constant = (
                float(one.rows @ self.set.rows.right)
                - self.set.cost
                - float(one.steep.sum()) * self.set.chemo
                - one.offset
                + float(one.worth @ self.ground)
            )
            finite("a Lagrangian bound", np.array([constant, *one.steep, *one.worth, *one.rows]))
            found.append(Multiplier(one, tuple(terms), constant))
        self.multipliers += found
        return found

    def bounds_at(self, numbers: Sequence[int], alive: Alive, kills: FloatArray) -> FloatArray:
        """(m, n) bounds by multipliers of schedules with some raw log kills (n, horizons)."""
        ones = [self.multipliers[j] for j in numbers]
        total = _without_courses(ones, kills)
        for lesion, terms in zip(self.values.lesions, _living(ones, alive), strict=True):
            total += lesion.best_at(kills, terms)
        return total

    def bounds(
        self, numbers: Sequence[int], alive: Alive, low: FloatArray, high: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(m, cells, corners) no schedule in a cell is better than the greatest of its corners.

        By each multiplier. Second, about how much of it is due to the width of the cell.
        """
        ones = [self.multipliers[j] for j in numbers]
        total = _without_courses(ones, corners(low, high))
        width = np.zeros_like(total)
        for lesion, terms in zip(self.values.lesions, _living(ones, alive), strict=True):
            value, rise = lesion.best(low, high, terms)
            total += value
            width += rise
        return total, width

    def losses(
        self, one: Multiplier, alive: Alive, high: FloatArray, demands: bool = True
    ) -> list[FloatArray]:
        """Per lesion (kinds,): what each kind loses against the best at a cell's upper corner.

        Infinite for kinds that are not alive or, where demands count, fall short of one there.
        """
        found = []
        for lesion, mask, term in zip(self.values.lesions, alive, one.terms, strict=True):
            own, loss = np.flatnonzero(mask), np.full(len(mask), np.inf)
            own = own[lesion.reaches(high, own)] if demands else own
            total = lesion.at(high, own) + term[own]
            loss[own] = total.max(initial=-np.inf) - total
            found.append(loss)
        return found

    def tighten(
        self, cells: Cells, alive: Alive, numbers: list[int], threshold: float, fine: float
    ) -> Cells:
        """Cells above the threshold by some multipliers, halved where that may tell more.

        A cell is halved while its bound exceeds the threshold only because of its width, down to
        a looseness of `fine`; its parts are bounded by the multipliers of all cells too.
        """
        kept, done = cells, [cells.take(slice(0, 0))]
        used = [int(j) for j in np.unique(cells.by) if j >= 0]
        for depth in range(MOST_HALVINGS + 1):
            left = list(numbers)
            while left:
                tick()
                most = max(1, AT_ONCE // len(kept))
                kept = self.bounded(kept, alive, left[:most]).take_above(threshold)
                left = left[most:]
                if not len(kept):
                    return joined_cells(done)
            split = (kept.point <= threshold) & (kept.bound - kept.point > fine)
            split &= depth < MOST_HALVINGS and len(kept) <= MOST_CELLS
            done.append(kept.take(~split))
            if not split.any():
                break
            kept = halved(kept.take(split))
            numbers = sorted({*numbers, *used})[::-1]
        return joined_cells(done)

    def bounded(self, cells: Cells, alive: Alive, numbers: Sequence[int]) -> Cells:
        """Cells with the bounds of further multipliers."""
        every, width = self.bounds(numbers, alive, cells.low, cells.high)
        each = every.max(axis=2)
        new, best = each.min(axis=0), np.array(numbers)[each.argmin(axis=0)]
        return Cells(
            cells.low,
            cells.high,
            np.minimum(new, cells.bound),
            np.minimum((every - width).min(axis=0), cells.known),
            np.where((new < cells.bound) | (cells.by < 0), best, cells.by),
        )

    def highest(self, cells: Cells, alive: Alive, numbers: list[int]) -> tuple[FloatArray, float]:
        """(horizons,) where in the worst cells some multipliers bound least, and how."""
        if not cells.low.shape[1]:
            return np.empty(0), cells.top
        worst = cells.take(np.argsort(-cells.bound, kind="stable")[:SAMPLES])
        marks = np.stack([worst.low, np.sqrt(worst.low * worst.high), worst.high])
        axes = range(cells.low.shape[1])
        which = np.stack(np.meshgrid(*([range(3)] * len(axes)), indexing="ij"), axis=-1)
        points = np.stack(
            [marks[which[..., h].reshape(-1)][:, :, h] for h in axes], axis=-1
        ).reshape(-1, len(axes))
        least = self.bounds_at(numbers, alive, points).min(axis=0)
        return points[int(least.argmax())], float(least.max())

    def alive(self, cells: Cells, alive: Alive, threshold: float) -> Alive:
        """Kinds that may belong to a schedule of some cell above the threshold."""
        found = tuple(np.zeros_like(mask) for mask in alive)
        for j in np.unique(cells.by):
            rooms = self.rooms(cells.take(cells.by == j), alive, int(j))
            for mask, room, term in zip(found, rooms, self.multipliers[j].terms, strict=True):
                mask |= room + term > threshold
        return found

    def rooms(self, cells: Cells, alive: Alive, j: int) -> list[FloatArray]:
        """Per lesion (kinds,): no bound by one multiplier with the kind exceeds it, its term apart.

        Of very many kinds those that are near each other have the room of their corner.
        """
        one = self.multipliers[j]
        pairs = list(zip(self.values.lesions, _living([one], alive), strict=True))
        best = [lesion.best(cells.low, cells.high, terms)[0][0] for lesion, terms in pairs]
        bound = _without_courses([one], corners(cells.low, cells.high))[0] + sum(best)
        held = np.isfinite(bound)  # a lesion without any kind leaves a cell empty
        return [
            lesion.rooms(
                cells.low,
                cells.high,
                terms[0],
                np.subtract(bound, most, where=held, out=np.full_like(bound, -np.inf)),
            )
            for (lesion, terms), most in zip(pairs, best, strict=True)
        ]

    def shortlist(
        self, one: Multiplier, alive: Alive, kill: FloatArray, most: int
    ) -> list[IntArray]:
        """Per lesion at most so many courses that lose least by a multiplier, best first."""
        found = []
        for s, loss in enumerate(self.losses(one, alive, kill, demands=False)):
            kinds = np.argsort(loss, kind="stable")[:most]
            kinds = np.sort(kinds[np.isfinite(loss[kinds])])
            course, kind, term = self.set.courses[s].courses(kinds, one.prices)
            lost = loss[kind] + (one.terms[s][kind] - term)
            found.append(course[np.argsort(lost, kind="stable")[:most]])
        return found

    def of_part(self, plans: PlanSet, cells: Cells, alive: Alive) -> Dual:
        """The same for a part of the plans, with the multipliers that bound the worst cells."""
        tops = {int(j): float(cells.bound[cells.by == j].max()) for j in np.unique(cells.by)}
        part = Dual(plans, self)
        best = sorted(tops, key=lambda j: -tops[j])[:INHERITED]
        part.add_all([self.multipliers[j].prices for j in best], alive)
        return part

    def prices_at(
        self, kill: FloatArray, alive: Alive, threshold: float, fine: float
    ) -> tuple[Multiplier, float, list[Mixture]]:
        """Multiplier for one systemic log kill by column generation on the LP relaxation.

        Returns the multiplier, which is added, its bound at the kill, and per lesion what the last
        LP mixes. It begins with the columns that the one before ended with.
        Every row may be exceeded at a high price (soft ones at their penalty), which keeps the
        master feasible; where that is needed the bound is so low that the cell is dropped. It ends
        when no column is missing, or when the bound is at most the threshold. `exceeds` then
        says whether the last LP exceeds a hard row: there may be nothing feasible (`infeasible`).
        """
        generation = _Generation(self, kill, alive)
        found = generation.run(threshold, fine)
        self.exceeds = generation.exceeds
        return found


class _Generation:
    """One column generation."""

    def __init__(self, dual: Dual, kill: FloatArray, alive: Alive):
        self.dual, self.set, self.kill, self.alive = dual, dual.set, kill, alive
        self.start = dual.start
        rows = self.set.rows
        self.lesions, self.rows = len(alive), len(rows.right)
        self.kinds = [
            _reaching(lesion, kill, np.flatnonzero(mask))
            for lesion, mask in zip(dual.values.lesions, alive, strict=True)
        ]
        self.scores = [
            lesion.at(kill, own)
            for lesion, own in zip(dual.values.lesions, self.kinds, strict=True)
        ]
        chemo, horizons = self.set.chemo, len(kill)
        spread = sum(courses.most_loss for courses in self.set.courses)
        self.levels = (
            np.stack(
                [
                    np.geomspace(z * math.exp(chemo), z * math.exp(chemo + spread), LEVELS)
                    for z in kill
                ]
            )
            if horizons
            else np.empty((0, LEVELS))
        )
        needs = -(np.log(kill)[:, None] + chemo + 1.0 - np.log(self.levels)).reshape(-1)
        right = np.concatenate([rows.right, needs])
        families = len(rows.penalty)
        family = np.concatenate([rows.family, families + np.repeat(np.arange(horizons), LEVELS)])
        self.master = ColumnMaster(
            np.concatenate([np.ones(self.lesions), np.full(len(right), -np.inf)]),
            np.concatenate([np.ones(self.lesions), right]),
        )
        relief = np.eye(len(right))[family < 0]
        shared = (family[None, :] == np.arange(families + horizons)[:, None]).astype(float)
        slack = -np.concatenate([relief, shared])
        cost = np.concatenate(
            [np.full(len(relief), ELASTIC_PRICE), rows.penalty, np.full(horizons, STEEPEST)]
        )
        none = np.zeros((len(slack), self.lesions))
        self.master.add(-cost, np.concatenate([none, slack], axis=1))
        self.slack, self.relief = len(slack), len(relief)
        self.known: list[dict[tuple[int, int], int]] = [{} for _ in alive]
        self.solved = False
        self.order: list[tuple[int, int, int]] = []  # lesion, kind, pattern of each column

    def _add(self, s: int, kinds: IntArray, patterns: IntArray) -> int:
        """Add the columns that are new, alive and allowed; how many they are."""
        place = np.searchsorted(self.kinds[s], kinds)
        inside = (place < len(self.kinds[s])) & np.array(
            [(int(k), int(p)) not in self.known[s] for k, p in zip(kinds, patterns, strict=True)],
            dtype=bool,
        )
        inside[inside] = self.kinds[s][place[inside]] == kinds[inside]
        kinds, patterns, place = kinds[inside], patterns[inside], place[inside]
        if not len(kinds):
            return 0
        course, rows, loss, gain = self.set.courses[s].columns(kinds, patterns)
        good = course >= 0
        if not good.any():
            return 0
        kinds, patterns, place = kinds[good], patterns[good], place[good]
        unit = np.zeros((len(kinds), self.lesions))
        unit[:, s] = 1.0
        tangents = loss[good, None, None] - gain[good][:, :, None] / self.levels
        parts = [unit, rows[good], tangents.reshape(len(kinds), -1)]
        self.master.add(self.scores[s][place], np.concatenate(parts, axis=1))
        for kind, pattern in zip(kinds.tolist(), patterns.tolist(), strict=True):
            self.known[s][kind, pattern] = len(self.order)
            self.order.append((s, kind, pattern))
        return len(kinds)

    def _prices(self, dual: FloatArray) -> Prices:
        rows = self.set.rows.capped(np.maximum(dual[: self.rows], 0.0))
        price = np.maximum(dual[self.rows :], 0.0).reshape(self.levels.shape)
        return Prices(
            rows=rows,
            steep=price.sum(axis=1),
            worth=(price / self.levels).sum(axis=1),
            offset=float((price * (1.0 - np.log(self.levels))).sum()),
        )

    def run(self, threshold: float, fine: float) -> tuple[Multiplier, float, list[Mixture]]:
        """See `Dual.prices_at`."""
        zero = np.zeros(self.rows + self.levels.size)
        for s, (kinds, patterns) in enumerate(self.start.columns):
            if len(kinds):
                self._add(s, kinds, patterns)
        prices, target = self._prices(zero), np.full(self.lesions, -np.inf)
        master = -math.inf
        if all(self.known):
            master, target, prices = self._solve()
        best: tuple[float, Multiplier] | None = None
        for _ in range(MAX_ROUNDS):
            tick()
            one = self.dual.add(prices, self.alive)
            self.dual.multipliers.pop()
            value, added = self._price(one, target)
            if best is None or value < best[0]:
                best = (value, one)
            if not added or best[0] <= threshold or best[0] - master <= fine:
                break
            master, target, prices = self._solve()
        assert best is not None
        self._keep(best[1])
        self.dual.multipliers.append(best[1])
        return best[1], best[0], self._mixture()

    @property
    def exceeds(self) -> bool:
        """Whether the last LP exceeds a hard row."""
        return self.solved and bool(self.master.weights()[: self.relief].max(initial=0.0) > EXCESS)

    def _solve(self) -> tuple[float, FloatArray, Prices]:
        dual = self.master.duals()
        self.solved = True
        target = dual[: self.lesions]
        return self.master.objective, target, self._prices(dual[self.lesions :])

    def _price(self, one: Multiplier, target: FloatArray) -> tuple[float, int]:
        """Bound at the kill by a multiplier, and how many columns were missing."""
        value = one.constant - float(np.log(self.kill) @ one.prices.steep)
        added = 0
        for s, kinds in enumerate(self.kinds):
            reduced = self.scores[s] + one.terms[s][kinds]
            value += float(reduced.max(initial=-math.inf))
            count = min(NEW_COLUMNS, len(reduced))
            if not count:
                continue
            top = np.argpartition(-reduced, count - 1)[:count]
            top = np.sort(top[reduced[top] > target[s] + 1e-7])
            if len(top):
                patterns = self.set.courses[s].best(kinds[top], one.prices)
                added += self._add(s, kinds[top], patterns)
        return value, added

    def _keep(self, one: Multiplier) -> None:
        """Columns of the highest value and term begin the next generation."""
        for s, known in enumerate(self.known):
            kinds, patterns = np.array(list(known), dtype=np.int64).reshape(-1, 2).T
            score = self.scores[s][np.searchsorted(self.kinds[s], kinds)] + one.terms[s][kinds]
            near = np.lexsort((patterns, kinds, -score))[:KEPT_COLUMNS]
            self.start.columns[s] = kinds[near], patterns[near]

    def _mixture(self) -> list[Mixture]:
        """Per lesion what the last LP mixes, heaviest first."""
        weights = self.master.weights()[self.slack :]
        found: list[Mixture] = []
        for s in range(self.lesions):
            own = [
                (-weights[i], kind, pattern)
                for i, (lesion, kind, pattern) in enumerate(self.order[: len(weights)])
                if lesion == s and weights[i] > 1e-9
            ]
            own.sort()
            kinds = np.array([kind for _, kind, _ in own], dtype=np.int64)
            patterns = np.array([pattern for _, _, pattern in own], dtype=np.int64)
            found.append(
                Mixture(
                    courses=self.set.courses[s].columns(kinds, patterns)[0],
                    kinds=kinds,
                    weights=np.array([-weight for weight, _, _ in own]),
                    scores=self.scores[s][np.searchsorted(self.kinds[s], kinds)],
                )
            )
        return found


def _reaching(lesion: LesionValues, kill: FloatArray, kinds: IntArray) -> IntArray:
    """Kinds that keep a demand at a raw log kill; all where none does."""
    good = lesion.reaches(kill, kinds)
    return kinds[good] if good.any() else kinds


def _living(ones: Sequence[Multiplier], alive: Alive) -> list[FloatArray]:
    """Per lesion (m, kinds) terms of multipliers; -inf for kinds that do not count."""
    terms = [np.stack(own) for own in zip(*(one.terms for one in ones), strict=True)]
    return [np.where(mask, own, -np.inf) for mask, own in zip(alive, terms, strict=True)]


def _without_courses(ones: Sequence[Multiplier], kills: FloatArray) -> FloatArray:
    """(m, ...) what multipliers say at raw log kills (..., horizons) apart from the courses."""
    logs = np.log(kills)
    return np.stack([one.constant - logs @ one.prices.steep for one in ones])
