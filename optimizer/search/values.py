"""Values of all kinds of course at systemic log kills, remembered by horizon.

A lesion's value is a mean over horizons, each of which depends on the kill up to that day alone;
and cells, halved geometrically, meet at few kills.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune
from abscopt.optimizer.candidates.value import lesion_value

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.coefficients import Shared
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_BYTES = 400_000_000
FIRST_ROWS = 64
FEW = 0.2


class Values:
    """Weighted values of the kinds of one group of plans.

    Parameters
    ----------
    share : per lesion (kinds, clones) of the systemic effect
    """

    def __init__(
        self, candidates: Candidates, shared: tuple[Shared, ...], share: tuple[FloatArray, ...]
    ):
        self.instance = candidates.instance
        self.systemic = self.instance.objective.kind != "tumor_bed"
        self.weights = [candidates.lesion_of(table).weight for table in candidates.lesions]
        self.shared, self.share = shared, share
        self.horizons = len(self.instance.horizon_days) if self.systemic else 0
        self._clear()

    def _clear(self) -> None:
        self._place: list[dict[float, int]] = [{} for _ in range(self.horizons)]
        self._known = [
            [np.empty((FIRST_ROWS, len(one.kinds))) for _ in range(self.horizons)]
            for one in self.shared
        ]

    def at(self, kills: FloatArray, kinds: Sequence[IntArray]) -> list[FloatArray]:
        """Per lesion (cells, n): weighted values of n kinds at raw log kills (cells, horizons).

        Remembered for all kinds, or computed anew where few are asked for.
        """
        if not self.systemic:
            return [
                np.broadcast_to(weight * one.tumor_bed[own], (len(kills), len(own)))
                for weight, one, own in zip(self.weights, self.shared, kinds, strict=True)
            ]
        whole = sum(len(one.kinds) for one in self.shared)
        if 8 * whole * sum(len(place) + len(kills) for place in self._place) > MOST_BYTES:
            self._clear()
        if sum(len(own) for own in kinds) < FEW * whole:
            levels = [np.unique(kills[:, h], return_inverse=True) for h in range(self.horizons)]
            return [
                np.sum([self._part(s, h, z, own)[at] for h, (z, at) in enumerate(levels)], axis=0)
                for s, own in enumerate(kinds)
            ]
        rows = [self._rows(h, kills[:, h]) for h in range(self.horizons)]
        found = []
        for known, own in zip(self._known, kinds, strict=True):
            total = np.zeros((len(kills), len(own)))
            for h, place in enumerate(rows):
                total += (
                    known[h][place[:, None], own]
                    if len(own) < known[h].shape[1]
                    else (known[h][place])
                )
            found.append(total)
        return found

    def _rows(self, h: int, kills: FloatArray) -> IntArray:
        """Where the values at some kills up to one horizon are kept; new ones are computed."""
        place, keys = self._place[h], kills.tolist()
        new = [key for key in dict.fromkeys(keys) if key not in place]
        begin, end = len(place), len(place) + len(new)
        place.update({key: begin + i for i, key in enumerate(new)})
        for s, known in enumerate(self._known if new else ()):
            while len(known[h]) < end:
                known[h] = np.concatenate([known[h], np.empty_like(known[h])])
            known[h][begin:end] = self._part(s, h, np.array(new))
        return np.array([place[key] for key in keys], dtype=np.int64)

    def _part(
        self, s: int, h: int, kills: FloatArray, kinds: IntArray | slice = slice(None)
    ) -> FloatArray:
        """(kills, kinds) what one horizon adds to the weighted values of a lesion."""
        kill = immune.saturate(kills, self.instance.immune.effect_maximum_nats)
        local = self.shared[s].local[kinds][:, [h]]
        share = self.share[s][kinds]
        values = lesion_value(
            self.instance.objective, local[None], share[None], kill[:, None, None]
        )
        part: FloatArray = (self.weights[s] / self.horizons) * values
        return part
