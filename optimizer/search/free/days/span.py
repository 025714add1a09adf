"""Which courses of a lesion a node holds: ranges of kill and of fraction number, days fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Span:
    """Courses whose kill at the last horizon (growth taken off) and fractions are in a range.

    They have a fraction on all days that are `taken`, and none on those that are `left`.
    """

    kill: tuple[float, float]
    count: tuple[int, int]
    taken: tuple[int, ...] = ()
    left: tuple[int, ...] = ()

    def holds(self, given: BoolArray) -> BoolArray:
        """(n,) whether (n, days of the case) fraction days are those of the span."""
        taken, left = given[:, list(self.taken)], given[:, list(self.left)]
        kept: BoolArray = np.concatenate([taken, ~left], axis=1)
        found: BoolArray = np.all(kept, axis=1)
        return found
