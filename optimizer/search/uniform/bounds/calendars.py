"""Which days lesions may share where a cap on days couples them: whole calendars of blocks (P24).

A calendar takes one day pattern for each lesion, each of its block of kinds. It counts where its
days are within the cap and keep the rows of days alone (lymphocytes, gaps, lesions a day); doses
enter by how many days two kinds may share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.limits.protocol import CAP
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseRows, KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.together import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
    from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
    from abscopt.optimizer.search.uniform.bounds.together import Together

Blocks = tuple[int, ...]
Bits = NDArray[np.uint8]

LOT = 200_000
"""Pairs of combination and calendar whose loads are added up at once: some MB."""
MOST_LESIONS = 8
"""Lesions with a menu: so many have 247 groups, with each of which days may be shared."""


ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
"""(256,) bits that are set in a byte: NumPy counts them by itself from 2.0 on only."""


@dataclass(frozen=True)
class Listed:
    """Calendars of one block for each lesion.

    Attributes
    ----------
    shared : (m, groups) days that exactly a group of lesions shares, each row once
    group : (calendars,) row of `shared` of each
    patterns : per lesion (calendars,) places of patterns in the block
    """

    shared: IntArray
    group: IntArray
    patterns: tuple[IntArray, ...]

    def greatest(
        self, suits: BoolArray, terms: Sequence[tuple[FloatArray, IntArray]]
    ) -> FloatArray:
        """(n, m) max over calendars that suit of sum_s term_s[m, place of kind, pattern]."""
        count = len(terms[0][0])
        highest = np.full((len(suits), count), -np.inf)
        unfit = np.where(suits[:, self.group], 0.0, -np.inf)
        for number in range(count if unfit.size else 0):
            total = unfit.copy()
            for (term, places), pattern in zip(terms, self.patterns, strict=True):
                total += term[number][places][:, pattern]
            highest[:, number] = total.max(axis=1)
        return highest


class Calendars:
    """Calendars of the blocks of kinds of a set of plans, kept as they are asked for.

    Attributes
    ----------
    groups : lesions of which a day may be shared, two at least
    hard, right : rows of days alone, and what they allow
    """

    def __init__(self, plans: PlanSet, together: Together):
        self.plans, self.together, self.most_days = plans, together, together.most_days
        menus = [table.menu for table in plans.candidates.lesions]
        dosed = [s for s, menu in enumerate(menus) if len(menu) > 1 and menu.each is None]
        self.groups = [
            group for size in range(2, len(dosed) + 1) for group in combinations(dosed, size)
        ]
        self.hard = plans.rows.family < 0
        for by_kind in plans.rows.by_kind:  # rows that kinds have a part in are left to their join
            self.hard[by_kind.number] = False
        self.right = plans.rows.right[self.hard] + ROUNDING
        self._lists: dict[Blocks, Listed | None] = {}
        self._bits: dict[int, Bits] = {}

    def most(
        self, rows: IntArray, kinds: Sequence[KindIds], prices: Sequence[DualPrices]
    ) -> FloatArray:
        """(n, m) greatest sum of terms of some combinations of kinds (n, lesions), as places.

        max over calendars (p_s) that suit of sum_s term_s(k_s, p_s) at m prices without rows: their
        shared days load no organ beyond its cap. -inf where none suits, inf where calendars are too
        many to be looked at.
        """
        chosen = [KindIds(kinds[s][rows[:, s]]) for s in range(len(kinds))]
        courses = self.plans.courses
        blocks = np.stack([courses[s].block_of[k] for s, k in enumerate(chosen)], axis=1)
        highest = np.full((len(rows), len(prices)), np.inf)
        distinct, of = np.unique(blocks, axis=0, return_inverse=True)
        for number, of_lesions in enumerate(distinct.tolist()):
            listed = self._listed(tuple(of_lesions))
            if listed is None:
                continue
            members = np.flatnonzero(of.reshape(-1) == number)
            terms = [courses[s].by_pattern(b, kinds[s], prices) for s, b in enumerate(of_lesions)]
            for lot in np.array_split(members, 1 + len(members) * len(listed.group) // LOT):
                tick()
                suits = self._suits(listed.shared, [KindIds(k[lot]) for k in chosen])
                highest[lot] = listed.greatest(
                    suits, [(t, rows[lot, s]) for s, t in enumerate(terms)]
                )
        return highest

    def timings(self, kinds: Sequence[KindIds]) -> CourseRows | None:
        """(n, lesions) courses of one kind for each lesion (1,), on every calendar that suits.

        None where calendars are too many to be looked at.
        """
        courses = self.plans.courses
        blocks = [courses[s].block_of[k[0]] for s, k in enumerate(kinds)]
        listed = self._listed(tuple(int(b) for b in blocks))
        if listed is None:
            return None
        suits = self._suits(listed.shared, kinds)[0][listed.group]
        rows = []
        for s, (b, k) in enumerate(zip(blocks, kinds, strict=True)):
            source = courses[s].blocks[b].source
            of_kind = source.course[np.searchsorted(source.kinds, k[0])]
            rows.append(of_kind[listed.patterns[s][suits]])
        timed = np.stack(rows, axis=1)
        return CourseRows(timed[(timed >= 0).all(axis=1)])

    def _suits(self, shared: IntArray, kinds: Sequence[KindIds]) -> BoolArray:
        """(n, m) whether shared days of a calendar keep the caps of organs.

        load_k + sum_S days_S added_k(S) <= cap - prior, S the groups of lesions that share days
        """
        together, candidates = self.together, self.plans.candidates
        right = np.where(candidates.hard, CAP - candidates.prior, np.inf) + ROUNDING
        suits = np.ones((len(kinds[0]), len(shared)), dtype=bool)
        for row in np.flatnonzero(np.isfinite(right)).tolist():
            alone = sum(together.loads[s][k, row] for s, k in enumerate(kinds))
            more = np.zeros(suits.shape)
            for group, days in zip(self.groups, shared.T, strict=True):
                if not days.any():
                    continue
                added = together.added(row, group, [kinds[s] for s in group])
                if added.any():
                    of_group = np.broadcast_to(added[:, None], suits.shape)
                    more += np.multiply(of_group, days, where=days > 0, out=np.zeros(suits.shape))
            suits &= alone[:, None] + more <= right[row]
        return suits

    def _listed(self, blocks: Blocks) -> Listed | None:
        """Calendars of some blocks; None where they are too many to be looked at."""
        if blocks not in self._lists:
            patterns = self._joined(blocks)
            if patterns is None or len(patterns[0]) > settings.CURRENT.most_calendars:
                self._lists[blocks] = None
            else:
                patterns = self._within_limits(blocks, patterns)
                shared, group = self._by_group(patterns)
                starts = [self.plans.courses[s].blocks[b].days.start for s, b in enumerate(blocks)]
                inside = [p - start for p, start in zip(patterns, starts, strict=True)]
                self._lists[blocks] = Listed(shared, group, tuple(inside))
        return self._lists[blocks]

    def _by_group(self, patterns: list[IntArray]) -> tuple[IntArray, IntArray]:
        """(m, groups) days that exactly a group of lesions shares, and which of them each has."""
        days = [self._of_lesion(s)[chosen] for s, chosen in enumerate(patterns)]
        counts = [np.zeros(len(patterns[0]), dtype=np.int64)]  # of no lesion
        for group in self.groups:
            shared = np.bitwise_and.reduce([days[s] for s in group])
            for s in set(range(len(days))) - set(group):
                shared = shared & ~days[s]
            counts.append(_number(shared))
        shared, of = np.unique(np.stack(counts, axis=1), axis=0, return_inverse=True)
        return shared[:, 1:], of.reshape(-1)

    def _joined(self, blocks: Blocks) -> list[IntArray] | None:
        """Per lesion (m,) places of patterns, in the order of blocks, of every calendar.

        Lesion by lesion, most days first: |union of days| <= V, sum_s days_s[p] <= right - to_come.
        """
        courses = self.plans.courses
        places = [
            np.arange(courses[s].blocks[b].days.start, courses[s].blocks[b].days.stop)
            for s, b in enumerate(blocks)
        ]
        loads = [self._loads(s, b) for s, b in enumerate(blocks)]
        order = sorted(range(len(blocks)), key=lambda s: -courses[s].blocks[blocks[s]].source.count)
        to_come = np.sum([load.min(axis=0) for load in loads], axis=0)
        chosen: list[IntArray] = [np.zeros(1, dtype=np.int64) for _ in blocks]
        union = np.zeros((1, self._of_lesion(0).shape[1]), dtype=np.uint8)
        total = np.zeros((1, len(to_come)))
        for s in order:
            tick()
            to_come = to_come - loads[s].min(axis=0)
            if len(union) * len(places[s]) > settings.CURRENT.joined_calendars:
                return None
            parent = np.repeat(np.arange(len(union)), len(places[s]))
            child = np.tile(np.arange(len(places[s])), len(union))
            days = union[parent] | self._of_lesion(s)[places[s][child]]
            load = total[parent] + loads[s][child]
            within = _number(days) <= self.most_days
            within &= (load + to_come <= self.right).all(axis=1)
            parent, child, union, total = parent[within], child[within], days[within], load[within]
            chosen = [places[s][child] if t == s else c[parent] for t, c in enumerate(chosen)]
        return chosen

    def _within_limits(self, blocks: Blocks, patterns: list[IntArray]) -> list[IntArray]:
        """Calendars that keep the hard limits that ask for days alone, with least chemotherapy."""
        rows = []
        for s, (b, places) in enumerate(zip(blocks, patterns, strict=True)):
            block = self.plans.courses[s].blocks[b]
            rows.append(block.source.course.max(axis=0)[places - block.days.start])
        calendars = CourseRows(np.stack(rows, axis=1))
        within = np.ones(len(calendars), dtype=bool)
        for limit in self.plans.candidates.on_courses:
            if limit.hard and not limit.of_doses:
                none = np.zeros(self.plans.instance.days)
                within &= limit.extendable(self.tabulated, calendars, none)
        return [places[within] for places in patterns]

    @cached_property
    def tabulated(self) -> Tabulated:
        """Limits under the plan of least chemotherapy."""
        chemo = self.plans.candidates.plan_effects.chemotherapy_log_loss[list(self.plans.plans)]
        return Tabulated(self.plans.candidates, self.plans.plans[int(chemo.argmin())])

    def _loads(self, s: int, block: int) -> FloatArray:
        """(P, hard rows of days alone) what the patterns of a block put into them."""
        courses = self.plans.courses[s]
        load = courses.patterns.days[courses.blocks[block].days][:, self.hard]
        return np.asarray(load)

    def _of_lesion(self, s: int) -> Bits:
        """(patterns in the order of blocks, bytes) days with fractions, one bit each."""
        if s not in self._bits:
            candidates, courses = self.plans.candidates, self.plans.courses[s]
            incidence = candidates.lesions[s].menu.patterns.incidence > 0
            number = np.concatenate([block.source.patterns for block in courses.blocks])
            self._bits[s] = np.packbits(incidence[number], axis=1)
        return self._bits[s]


def _number(days: Bits) -> IntArray:
    """(n,) days that are set in (n, bytes), one bit each."""
    return np.asarray(ONES[days].sum(axis=1, dtype=np.int64))
