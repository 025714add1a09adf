"""Values of one combination of kinds, looked up at the next level above a systemic effect.

Where control is a mean over radiosensitivities each value costs an exponential per sensitivity, and
one combination may have millions of timings. Its value depends on the systemic effect alone and
does not fall with it, so that the value at the next of many levels is no less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.value import controllable, lesion_value
from abscopt.optimizer.search.uniform import settings

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.tabulated import Tabulated

ROUNDING = 1e-9
"""By which logarithms of systemic effects may err."""


class Lookup:
    """sum_s w_s v_s(kill) of one combination at levels of ln Z between two ends.

    Parameters
    ----------
    local, share : per lesion (horizons, clones) and (clones,) of its kind
    lowest, highest : (horizons,) ends of ln Z; what is below counts as the lowest level

    Attributes
    ----------
    values : (horizons, levels) what each horizon adds
    kept : (levels,) whether each demanded control is reached at a level of the last horizon
    """

    def __init__(
        self,
        tabulated: Tabulated,
        local: list[FloatArray],
        share: list[FloatArray],
        lowest: FloatArray,
        highest: FloatArray,
    ):
        """values[h, j] = sum_s w_s v_s(saturate(e^level[h, j])) / H, levels evenly spaced."""
        count, horizons = settings.CURRENT.timing_levels, len(highest)
        self.lowest, self.last = lowest, count - 1
        self.width = np.maximum(highest + ROUNDING - lowest, ROUNDING)
        levels = lowest[:, None] + self.width[:, None] * np.linspace(0.0, 1.0, count)
        kill = immune.saturate(np.exp(levels), tabulated.instance.immune.effect_maximum_nats)
        self.values = np.zeros((horizons, count))
        for s, (burden, factor) in enumerate(zip(local, share, strict=True)):
            for h in range(horizons):
                self.values[h] += tabulated.weights[s] * lesion_value(
                    tabulated.instance.objective,
                    tabulated.nodes[s],
                    np.broadcast_to(burden[h : h + 1], (count, 1, burden.shape[-1])),
                    np.broadcast_to(factor, (count, factor.shape[-1])),
                    kill[h][:, None],
                )
        self.values /= horizons
        self.kept = np.ones(count, dtype=bool)
        for s, most in tabulated.candidates.controlled.items():
            self.kept &= controllable(
                tabulated.nodes[s],
                np.broadcast_to(local[s], (count, *local[s].shape)),
                np.broadcast_to(share[s], (count, share[s].shape[-1])),
                kill[-1],
                most,
            )

    def ceiling(self, log_kill: FloatArray) -> FloatArray:
        """(n,) values at the next level above ln Z (n, horizons); -inf where a demand is missed."""
        place = np.ceil((log_kill + ROUNDING - self.lowest) / self.width * self.last)
        step = np.clip(place, 0, self.last).astype(np.int64)
        total = np.zeros(len(log_kill))
        for h, of_horizon in enumerate(self.values):
            total += of_horizon[step[:, h]]
        total[~self.kept[step[:, -1]]] = -np.inf
        return total
