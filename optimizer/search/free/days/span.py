"""Which courses of a lesion a node holds: ranges of kill and of fraction number, days fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abscopt.models.arrays import BoolArray


@dataclass(frozen=True)
class Span:
    """Courses whose kill at the last horizon (growth taken off) and fractions are in a range.

    They have a fraction on all days that are `taken`, and none on those that are `skipped`.
    """

    kill: tuple[float, float]
    count: tuple[int, int]
    taken: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()

    def holds(self, dosed: BoolArray) -> BoolArray:
        """(n,) whether (n, days of the case) fraction days are those of the span."""
        taken, skipped = dosed[:, list(self.taken)], dosed[:, list(self.skipped)]
        matches: BoolArray = np.concatenate([taken, ~skipped], axis=1)
        inside: BoolArray = np.all(matches, axis=1)
        return inside
