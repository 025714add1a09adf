"""Which kinds of two lesions go together where a cap on visits makes lesions share days (P24).

Under at most V days with fractions, courses of m and m' days share at least m + m' - V of them, and
a shared day loads organs that both reach more than two days do.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.limits.protocol import CAP
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.ids import PlanId

MostShared = dict[tuple[int, int], IntArray]
ROUNDING = 1e-9
"""By which loads may err, as in `joined`."""


class Together:
    """Pairs of kinds of one group of plans within the days that a schedule may have at most.

    Attributes
    ----------
    most_days : V
    shared : per lesion the kinds of the group
    """

    def __init__(self, candidates: Candidates, plan: PlanId, most_days: int):
        self.candidates, self.most_days = candidates, most_days
        self.shared: tuple[Shared, ...] = candidates.shared(plan)
        self.loads = candidates.loads(plan)

    def most_shared(self, kinds: Sequence[KindIds]) -> MostShared:
        """By two lesions i > j: (n, m) days that some of their kinds may share; -1 for none.

        Those that the loads of both allow, where V days hold all of theirs with fewer: else -1.
        """
        return {
            (i, j): self._of_pair(i, kinds[i], j, kinds[j])
            for i in range(len(kinds))
            for j in range(i)
            if len(self.candidates.lesions[i].menu) > 1 and len(self.candidates.lesions[j].menu) > 1
        }

    def _of_pair(self, i: int, of_i: KindIds, j: int, of_j: KindIds) -> IntArray:
        """(n, m) max { x <= V : load_k + load_k' + x of_shared_day <= cap - prior }.

        -1 where that is below m_k + m_k' - V.
        """
        allowed = np.full((len(of_i), len(of_j)), float(self.most_days))
        right = np.where(self.candidates.hard, CAP - self.candidates.prior, np.inf) + ROUNDING
        for row in np.flatnonzero(np.isfinite(right)).tolist():
            added = self._added(row, i, of_i, j, of_j)
            if added is not None:
                alone = self.loads[i][of_i, row, None] + self.loads[j][None, of_j, row]
                room = right[row] - alone
                days = np.divide(room, added, where=added > 0, out=np.full(room.shape, np.inf))
                allowed = np.minimum(allowed, np.where(room < 0, -1.0, np.floor(days + ROUNDING)))
        needed = self._days(i, of_i)[:, None] + self._days(j, of_j)[None, :] - self.most_days
        return np.where(allowed >= needed, allowed, -1.0).astype(np.int64)

    def _days(self, s: int, kinds: KindIds) -> IntArray:
        """(n,) fewest days of the courses of some kinds."""
        patterns = self.candidates.lesions[s].menu.patterns
        visits = patterns.incidence.sum(axis=1).astype(np.int64)
        blocks = self.shared[s].kinds.blocks
        fewest = np.array([visits[block.patterns].min() for block in blocks])
        days: IntArray = fewest[self.shared[s].kinds.block[kinds]]
        return days

    def _added(self, row: int, i: int, of_i: KindIds, j: int, of_j: KindIds) -> FloatArray | None:
        """(n, m) what a day that kinds of two lesions share adds to one load; None for nothing."""
        if self.of_days(i) or self.of_days(j):
            return None
        first = np.repeat(of_i, len(of_j))
        added = self.added(row, (i, j), (KindIds(first), KindIds(np.tile(of_j, len(of_i)))))
        return added.reshape(len(of_i), len(of_j)) if added.any() else None

    def of_days(self, s: int) -> bool:
        """Whether fractions of one course may differ, so that a shared day is not looked at."""
        return self.candidates.lesions[s].menu.each is not None

    def added(self, row: int, lesions: Sequence[int], kinds: Sequence[KindIds]) -> FloatArray:
        """(n,) what a day that some lesions share adds to one load, kinds (n,) of each lesion."""
        tick()
        load = self.candidates.on_organs[row]
        gy = [self.shared[s].kinds.menu.dose[k] for s, k in zip(lesions, kinds, strict=True)]
        variants = np.stack(
            [self.variant[s][k] for s, k in zip(lesions, kinds, strict=True)], axis=1
        )
        total = np.zeros(len(gy[0]))
        if self._reaching(row, lesions) < 2:
            return total
        for beams_of in np.unique(variants, axis=0):
            at = np.flatnonzero((variants == beams_of).all(axis=1))
            beams = [
                self.candidates.lesions[s].beams[v]
                for s, v in zip(lesions, beams_of.tolist(), strict=True)
            ]
            total[at] = load.of_shared_day(self.candidates.instance, beams, [g[at] for g in gy])
        return total

    def _reaching(self, row: int, lesions: Sequence[int]) -> int:
        """Number of some lesions of which kinds load an organ."""
        return sum(bool(self.loads[s][:, row].any()) for s in lesions)

    @cached_property
    def variant(self) -> list[IntArray]:
        """Per lesion (kinds,) technique and number of fractions a day, among `beams`."""
        return [
            table.variant[np.unique(shared.kinds.of, return_index=True)[1]]
            for table, shared in zip(self.candidates.lesions, self.shared, strict=True)
        ]


def together(candidates: Candidates, plan: PlanId) -> Together | None:
    """What a cap on days says of the kinds under a plan's group; None where there is no cap."""
    most_days = candidates.most_days
    return None if most_days is None else Together(candidates, plan, most_days)
