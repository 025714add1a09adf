"""What the restricted master LP of a column generation chooses, and the columns it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.ids import CourseIds, KindIds, PatternIds

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class FractionalChoice:
    """Fractional choice of an LP for one lesion, heaviest course first.

    Attributes
    ----------
    courses, kinds : (n,) with a positive weight in the last restricted master
    weights : (n,) LP values x, which sum to 1 over the courses of a lesion
    scores : (n,) values at the log kill of the LP, before any price
    """

    courses: CourseIds
    kinds: KindIds
    weights: FloatArray
    scores: FloatArray

    @property
    def spread(self) -> float:
        """Mean deviation of the scores, sum_i w_i |v_i - sum_j w_j v_j| with w = x / sum x."""
        if len(self.weights) < 2:
            return 0.0
        share = self.weights / self.weights.sum()
        return float(share @ np.abs(self.scores - share @ self.scores))


class InitialColumns:
    """Columns (kind, pattern) with which the next column generation begins, per lesion."""

    def __init__(self, candidates: Candidates):
        empty = np.empty(0, dtype=np.int64)
        none = KindIds(empty), PatternIds(empty)
        self.columns: list[tuple[KindIds, PatternIds]] = [none for _ in candidates.lesions]
