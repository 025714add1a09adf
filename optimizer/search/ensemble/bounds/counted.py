"""Members that bounds are made of, where a measure depends on the worst ones only.

A weight q in Q that is zero outside some members bounds the risk of every schedule as any other
does (`risk`), and needs values in those members alone. The tail of good schedules mostly lies
among the same members: these are counted, and others once they are seen in a tail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.search.ensemble import settings

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.risk import Risk


class Counted:
    """Members that count, in their order; for the mean all that have a weight.

    Attributes
    ----------
    members : (M',) never fewer than before
    """

    def __init__(self, risk: Risk):
        self.risk = risk
        self._every = np.flatnonzero(risk.weights > 0.0)
        self.members: IntArray = self._every if risk.most is None else self._every[:0]

    @property
    def all_count(self) -> bool:
        """Whether no member is left out."""
        return self.every_one(self.members)

    def every_one(self, counted: IntArray) -> bool:
        """Whether some members are all that have a weight."""
        return len(counted) == len(self._every)

    def notice(self, values: FloatArray) -> None:
        """Count the lowest of some values (members,), `tail_reach` times what the tail holds."""
        shares = self.risk.most
        if shares is None or self.all_count:
            return
        order = np.argsort(values - self.risk.offset, kind="stable")
        caps = shares[order]
        within = np.cumsum(caps) - caps < settings.CURRENT.tail_reach
        self.members = np.union1d(self.members, order[within & (caps > 0.0)])

    def begin(self) -> None:
        """Count all, where no schedule has shown a tail."""
        if not len(self.members):
            self.members = self._every

    def spread(self, weights: FloatArray, counted: IntArray) -> FloatArray:
        """(members,) weights of some members, zero elsewhere."""
        every = np.zeros(len(self.risk.weights))
        every[counted] = weights
        return every

    def lowered(self, values: FloatArray, counted: IntArray) -> float:
        """By how much the risk of values (members,) is less than that over some members."""
        return float(self.risk.among(counted).of(values[counted]) - self.risk.of(values))
