"""Loads of shared days, from below: rows that add up over lesions.

The load of a day is `sum_s A_s d_s + d M d` with d the doses of the lesions and M positive
semidefinite: the organ feels the dose of the day, not its parts. By lesion alone only the diagonal
of M is known. From below it is also linear: d M d >= 2 c M d - c M c for every c, so that each
row may take, day by day, the diagonal or such a tangent. They are taken at the mean doses of what
the master mixes, where that exceeds a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.candidates.loads import cross_factor, day_load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.free.multipliers import Pool
    from abscopt.optimizer.free.schedules import Schedules

FloatArray = NDArray[np.float64]

VIOLATED = 2e-3
ONE_GY = np.array([1.0])


@dataclass(frozen=True)
class Cut:
    """`sum over parts and days of linear d + square d^2 <= right`; arrays (P, days)."""

    linear: FloatArray
    square: FloatArray
    right: float


class SharedDays:
    """Quadratic organ loads of one plan.

    Attributes
    ----------
    limits : (M,) whether a binding limit has a quadratic load
    linear : (M, P, days) A above, as parts of the caps
    matrix : (M, P, P, days) M above
    """

    def __init__(self, candidates: Candidates, schedules: Schedules):
        instance, whole, parts = candidates.instance, schedules.whole, schedules.parts
        limits, number = schedules.limits, len(parts)
        sensitized = candidates.plan_effects.sensitizer[whole.plan] > 1
        self.room = whole.room
        self.linear = np.zeros((len(limits), number, instance.days))
        self.matrix = np.zeros((len(limits), number, number, instance.days))
        lesions = [instance.lesions[part.lesion] for part in parts]
        beams = [(lesion, lesion.ways[0], 1) for lesion in lesions]
        for i, part in enumerate(parts):
            for day in part.days.tolist():
                for m, limit in enumerate(limits):
                    own = cross_factor(instance, limit, beams[i], beams[i], day) / 2.0
                    whole_load = day_load(instance, beams[i], limit, ONE_GY, day, sensitized[day])
                    self.matrix[m, i, i, day] = own
                    self.linear[m, i, day] = float(whole_load[0]) - own
        for (i, j), factor in schedules.cross.items():
            self.matrix[:, i, j] = self.matrix[:, j, i] = factor.T / 2.0
        diagonal = np.einsum("miit->mit", self.matrix)
        self.limits = self.matrix.sum(axis=(1, 2, 3)) > diagonal.sum(axis=(1, 2))
        self.diagonal = diagonal

    def violated(self, pool: Pool, weights: Sequence[FloatArray]) -> list[Cut]:
        """Rows that a mixture of a pool's courses does not obey, at most one for each limit."""
        daily = [
            part.daily(one.actions) for part, one in zip(pool.parts, pool.courses, strict=True)
        ]
        mean = np.stack([w @ d for w, d in zip(weights, daily, strict=True)])
        square = np.stack([w @ d**2 for w, d in zip(weights, daily, strict=True)])
        found = []
        for m in np.flatnonzero(self.limits).tolist():
            apart = (self.diagonal[m] * square).sum(axis=0)
            joint = np.einsum("it,ijt,jt->t", mean, self.matrix[m], mean)
            tangent = joint > apart
            load = (self.linear[m] * mean).sum() + np.where(tangent, joint, apart).sum()
            if load > self.room[m] + VIOLATED:
                slope = 2.0 * np.einsum("ijt,jt->it", self.matrix[m], mean)
                found.append(
                    Cut(
                        self.linear[m] + np.where(tangent, slope, 0.0),
                        np.where(tangent, 0.0, self.diagonal[m]),
                        float(self.room[m] + joint[tangent].sum()),
                    )
                )
        return found
