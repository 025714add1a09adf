"""Courses grouped by kind: ceilings over all timings of a kind.

Organ loads and local kill depend on the kind alone; timing moves the systemic effect, lymphocytes
and the calendar. `Shapes` keeps per kind the best that any of its timings could do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.table import CAP
from abscopt.optimizer.candidates.value import controllable, lesion_value
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.timings.lookup import Lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abscopt.optimizer.candidates.tabulated import Tabulated


class Shapes:
    """Kinds of some courses, with ceilings under one plan.

    The systemic log kill of a schedule obeys, for every level G0 > 0 and horizon,
    `ln Z <= ln G0 - 1 - chemo + sum_s (g_s / G0 - a_s)` (see `bound`); its right side is a sum
    over lesions, so the largest term over the timings of each kind gives a ceiling.

    Attributes
    ----------
    courses : per lesion the courses that count
    kinds, members : per lesion the kinds, and for each the positions in `courses`
    loss : per lesion (kinds,) least Lagrangian loss
    loads : per lesion (kinds, organ limits) loads without shared days
    """

    def __init__(
        self,
        tabulated: Tabulated,
        courses: list[CourseIds],
        losses: list[FloatArray],
        low: FloatArray,
        high: FloatArray,
    ):
        """Levels G_l, geometric from max(lo, 1e-3 hi, 1e-12) to hi e^(chemo + sum_s max a_s)."""
        self.tabulated = tabulated
        self.systemic = not tabulated.instance.objective.of_dose_alone
        self.courses = courses
        self.kinds: list[KindIds] = []
        self.members: list[list[IntArray]] = []
        self.loss: list[FloatArray] = []
        self.loads: list[FloatArray] = []
        self.local: list[FloatArray] = []
        self.share: list[FloatArray] = []
        self.prior = tabulated.candidates.prior
        limits = [load.limit for load in tabulated.candidates.on_organs]
        self.penalty = np.array([limit.penalty or 0.0 for limit in limits])
        self.term: list[FloatArray] = []
        self.timing_term: list[FloatArray] = []
        spread = sum(
            float(e.loss[c].max()) for e, c in zip(tabulated.effects, courses, strict=True)
        )
        if self.systemic:
            low_kill, high_kill = float(low.min()), float(high.max())
            ends = (
                max(low_kill, 1e-3 * high_kill, 1e-12),
                max(high_kill, 1e-12) * math.exp(tabulated.chemo + spread),
            )
            self.levels = np.geomspace(*ends, settings.CURRENT.ceiling_levels)
        for s, chosen in enumerate(courses):
            self._group(s, chosen, losses[s])

    def _group(self, s: int, chosen: CourseIds, losses: FloatArray) -> None:
        """Kinds k of the chosen courses c of lesion s, with the best of their timings.

        timing_term[c, h, l] = e^(a_c) v[c, h] / G_l - a_c, term[k, h, l] = max_(c of k)
        timing_term, loss[k] = min_(c of k) loss[c]; shapes (n, horizons, levels), (kinds, horizons,
        levels), (kinds,).
        """
        effect = self.tabulated.effects[s]
        kind = effect.kind[chosen]
        order = np.argsort(kind, kind="stable")
        starts = np.flatnonzero(np.diff(kind[order], prepend=-1))
        first = kind[order][starts]
        self.members.append(np.split(order, starts[1:]))
        self.loss.append(np.minimum.reduceat(losses[order], starts))
        self.kinds.append(first)
        self.loads.append(self.tabulated.loads[s][first])
        if not self.systemic:
            self.local.append(self.tabulated.weights[s] * effect.tumor_bed[first])
            return
        self.local.append(effect.local[first])
        self.share.append(effect.share[first])
        loss = effect.loss[chosen]
        gain = (np.exp(loss)[:, None] * effect.effect[chosen])[:, :, None] / self.levels
        term = gain - loss[:, None, None]
        self.timing_term.append(term)
        self.term.append(np.maximum.reduceat(term[order], starts, axis=0))

    def ceiling(self, rows: IntArray) -> FloatArray:
        """(combinations,) no timing of these shapes is better; shared days are ignored."""
        cost = self._cost(rows)
        if not self.systemic:
            total = -cost
            for s in range(rows.shape[1]):
                total += self.local[s][rows[:, s]]
            return total
        term = sum(self.term[s][rows[:, s]] for s in range(rows.shape[1]))
        local = [self.local[s][rows[:, s]] for s in range(rows.shape[1])]
        share = [self.share[s][rows[:, s]] for s in range(rows.shape[1])]
        return self._value(local, share, np.asarray(term)) - cost

    def _cost(self, rows: IntArray) -> FloatArray:
        """(combinations,) what soft organ limits and the plan cost at least."""
        total = np.full(len(rows), self.tabulated.plan_cost)
        if self.penalty.any():
            load = self.prior + sum(self.loads[s][rows[:, s]] for s in range(rows.shape[1]))
            total += np.maximum(0.0, load - CAP) @ self.penalty
        return total

    def _value(
        self, local: list[FloatArray], share: list[FloatArray], term: FloatArray
    ) -> FloatArray:
        """(combinations,) sum_s w_s v_s(kill).

        kill_h = saturate(min_l e^(sum_s term_s[h, l] + ln G_l - 1 - chemo)).

        Parameters
        ----------
        term : (combinations, horizons, levels) sum_s term_s
        local, share : per lesion (combinations, ...) local log burdens and shares of the effect
        """
        instance = self.tabulated.instance
        raw = np.exp((term + self._offset).min(axis=2))
        kill = immune.saturate(raw, instance.immune.effect_maximum_nats)
        total, nodes = np.zeros(len(term)), self.tabulated.nodes
        for s, burden in enumerate(local):
            total += self.tabulated.weights[s] * lesion_value(
                instance.objective, nodes[s], burden, share[s], kill
            )
        for s, burden_limit in self.tabulated.candidates.controlled.items():
            held = controllable(nodes[s], local[s], share[s], kill[:, -1], burden_limit)
            total[~held] = -np.inf
        return total

    def timings(self, row: IntArray, threshold: Callable[[], float]) -> Iterator[CourseRows]:
        """Rows of course indices of one combination of kinds that could exceed the threshold.

        In lots, by depth-first search lesion by lesion: a partial choice stays while

            value( sum_(decided) timing_term + sum_(undecided) term ) - cost > threshold.

        The clock is read at every step.

        Parameters
        ----------
        threshold : what a schedule must exceed to matter by now
        """
        lesions = len(row)
        members = [self.members[s][row[s]] for s in range(lesions)]
        if not self.systemic:
            yield from self._all_timings(members)
            return
        best = [self.term[s][row[s]] for s in range(lesions)]
        lookup = self._lookup(row, members, best)
        cost = float(self._cost(row[None, :])[0])
        members = [
            m[self._alive(s, m, row, best, lookup, threshold() + cost)]
            for s, m in enumerate(members)
        ]
        order = self._coupled_first(row)
        stack = [
            (0, CourseRows(np.zeros((1, lesions), dtype=np.int64)), np.zeros((1, *best[0].shape)))
        ]
        while stack:
            tick()
            depth, rows, partial = stack.pop()
            if depth == lesions:
                yield rows
                continue
            s, undecided = order[depth], order[depth + 1 :]
            lot_size = max(1, settings.CURRENT.timing_lot // max(1, len(members[s])))
            if len(rows) > lot_size:
                stack.append((depth, rows[lot_size:], partial[lot_size:]))
                rows, partial = rows[:lot_size], partial[:lot_size]
            parent = np.repeat(np.arange(len(rows)), len(members[s]))
            child = np.tile(members[s], len(rows))
            rows, partial = rows[parent], partial[parent] + self.timing_term[s][child]
            rows[:, s] = self.courses[s][child]
            best_ahead = sum((best[lesion] for lesion in undecided), np.zeros_like(best[0]))
            keep = self._repeated(row, partial + best_ahead, lookup) > threshold() + cost
            rows, partial = rows[keep], partial[keep]
            keep = self._extendable(rows, row, undecided, members)
            if keep.any():
                stack.append((depth + 1, rows[keep], partial[keep]))

    def _coupled_first(self, row: IntArray) -> list[int]:
        """Lesions, those that share the fullest organs first: their days conflict first."""
        load = np.stack([self.loads[s][row[s]] for s in range(len(row))])
        pair = np.where(
            (load[:, None] > 0) & (load[None, :] > 0), load[:, None] + load[None, :], 0.0
        )
        fullest = pair.max(axis=2, initial=0.0)
        np.fill_diagonal(fullest, 0.0)
        order = [int(np.argmax(fullest.max(axis=1)))]
        while len(order) < len(row):
            unordered = [s for s in range(len(row)) if s not in order]
            order.append(max(unordered, key=lambda s: (float(fullest[s, order].max()), -s)))
        return order

    def _extendable(
        self, rows: CourseRows, row: IntArray, undecided: list[int], members: list[IntArray]
    ) -> NDArray[np.bool_]:
        """Whether a choice for some lesions leaves room for any timing of the lesions left."""
        loads = sum((self.loads[s][row[s]] for s in undecided), np.zeros(self.loads[0].shape[1]))
        alc = np.zeros(self.tabulated.instance.days)
        for s in undecided:
            table = self.tabulated.candidates.lesions[s]
            chosen = self.courses[s][members[s]]
            first = np.unique(table.menu.pattern[chosen], return_index=True)[1]
            if len(first):
                alc += table.alc_loss(chosen[first]).min(axis=0)
        return self.tabulated.extendable(rows, loads, alc)

    def _lookup(
        self, row: IntArray, members: list[IntArray], best: list[FloatArray]
    ) -> Lookup | None:
        """Values of one combination by level of ln Z; None where values themselves cost less.

        Ends min_l [ln G_l - 1 - chemo + sum_s (min_c or max_c) term_c[h, l]] (horizons,).
        """
        if all(len(nodes) == 1 for nodes in self.tabulated.nodes):
            return None
        if math.prod(len(m) for m in members) < settings.CURRENT.looked_up:
            return None
        least = sum(self.timing_term[s][m].min(axis=0) for s, m in enumerate(members))
        offset = self._offset
        return Lookup(
            self.tabulated,
            [self.local[s][row[s]] for s in range(len(row))],
            [self.share[s][row[s]] for s in range(len(row))],
            np.asarray((least + offset).min(axis=1)),
            np.asarray((sum(best) + offset).min(axis=1)),
        )

    @property
    def _offset(self) -> FloatArray:
        """(levels,) ln G_l - 1 - chemo."""
        return np.asarray(np.log(self.levels) - 1.0 - self.tabulated.chemo)

    def _repeated(self, row: IntArray, term: FloatArray, lookup: Lookup | None) -> FloatArray:
        """Value of one combination of shapes for many sums of terms, or no less."""
        if lookup is not None:
            return lookup.ceiling((term + self._offset).min(axis=2))
        local, share = (
            [
                np.broadcast_to(by_lesion[s][row[s]], (len(term), *by_lesion[s].shape[1:]))
                for s in range(len(row))
            ]
            for by_lesion in (self.local, self.share)
        )
        return self._value(local, share, term)

    def _alive(
        self,
        s: int,
        members: IntArray,
        row: IntArray,
        best: list[FloatArray],
        lookup: Lookup | None,
        threshold: float,
    ) -> NDArray[np.bool_]:
        """Which timings of lesion s could exceed the threshold with the others at their best."""
        terms_beside = sum((b for i, b in enumerate(best) if i != s), np.zeros_like(best[0]))
        alive: NDArray[np.bool_] = (
            self._repeated(row, self.timing_term[s][members] + terms_beside, lookup) > threshold
        )
        return alive

    def _all_timings(self, members: list[IntArray]) -> Iterator[CourseRows]:
        """Every timing, in lots."""
        number = math.prod(len(m) for m in members)
        for begin in range(0, number, settings.CURRENT.timing_lot):
            tick()
            which = np.arange(begin, min(begin + settings.CURRENT.timing_lot, number))
            places = np.unravel_index(which, [len(m) for m in members])
            timings = [
                self.courses[s][member[p]]
                for s, (member, p) in enumerate(zip(members, places, strict=True))
            ]
            yield CourseRows(np.stack(timings, axis=1))
