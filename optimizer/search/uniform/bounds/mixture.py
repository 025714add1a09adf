"""What a column generation mixes, and what it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


@dataclass(frozen=True)
class Mixture:
    """What an LP mixes for one lesion: courses with their kinds, weights and scores."""

    courses: IntArray
    kinds: IntArray
    weights: FloatArray
    scores: FloatArray

    @property
    def spread(self) -> float:
        """Mean deviation of the scores."""
        if len(self.weights) < 2:
            return 0.0
        share = self.weights / self.weights.sum()
        return float(share @ np.abs(self.scores - share @ self.scores))


class Start:
    """Columns (kind, pattern) with which the next column generation begins, per lesion."""

    def __init__(self, candidates: Candidates):
        empty = np.empty(0, dtype=np.int64)
        self.columns: list[tuple[IntArray, IntArray]] = [(empty, empty) for _ in candidates.lesions]
