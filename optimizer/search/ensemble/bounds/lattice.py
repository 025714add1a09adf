"""Values of the kinds of all lesions on a fixed lattice of the systemic effect, member by member.

A value rises with the raw systemic log kill z. On points l_j = j step of ln z it is tabulated; in
between it lies below its chord plus a rise (`chords`, P2), so that

    max_{l_j <= l <= l_(j+1)} [phi(l) - tau l] <= max_{i = j, j + 1} [phi(l_i) - tau l_i] + rise_j

for every slope tau. Points are added as they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.search.uniform.bounds.levels.chords import above_chord_between, end_of

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance


def below(log_kill: FloatArray) -> IntArray:
    """The last point of the lattice at or below some ln z."""
    return np.floor(log_kill / settings.CURRENT.step).astype(np.int64)


def above(log_kill: FloatArray) -> IntArray:
    """The first point of the lattice at or above some ln z."""
    return np.ceil(log_kill / settings.CURRENT.step).astype(np.int64)


class LesionLattice:
    """Tabulated values of one lesion in one member, weight included, the mean over horizons.

    Parameters
    ----------
    local : (kinds, horizons, nodes x clones) log burden without systemic effect
    share : (kinds, nodes x clones) of the systemic effect
    constant : (kinds,) what is added whatever the effect; the BED where it is what is maximized,
        with no horizons then

    Attributes
    ----------
    first : the lattice point of the first column
    values : (kinds, horizons, points)
    rises : (kinds, horizons, points - 1)
    """

    def __init__(
        self,
        instance: Instance,
        lesion: Lesion,
        local: FloatArray,
        share: FloatArray,
        constant: FloatArray,
    ):
        self.instance, self.lesion, self.local, self.share = instance, lesion, local, share
        self.constant = constant
        kinds, horizons = local.shape[:2]
        self.factor = lesion.weight / max(1, horizons)
        self.first = 0
        self.values: FloatArray = np.empty((kinds, horizons, 0))
        self.rises: FloatArray = np.empty((kinds, horizons, 0))

    def cover(self, low: int, high: int) -> None:
        """Tabulate what is missing of the points from `low` to `high`."""
        count = self.values.shape[2]
        if not count:
            self.first = low
            self.values, self.rises = self._tables(low, high)
            return
        last = self.first + count - 1
        if low < self.first:
            values, rises = self._tables(low, self.first)
            self.values = np.concatenate([values[:, :, :-1], self.values], axis=2)
            self.rises = np.concatenate([rises, self.rises], axis=2)
            self.first = low
        if high > last:
            values, rises = self._tables(last, high)
            self.values = np.concatenate([self.values, values[:, :, 1:]], axis=2)
            self.rises = np.concatenate([self.rises, rises], axis=2)

    def _tables(self, low: int, high: int) -> tuple[FloatArray, FloatArray]:
        """(kinds, horizons, n + 1) values at points from low to high = low + n, n rises between."""
        goal, nodes = self.instance.objective, self.lesion.sensitivities[1]
        maximum, step = self.instance.immune.effect_maximum_nats, settings.CURRENT.step
        kill = immune.saturate(np.exp(np.arange(low, high + 1) * step), maximum)
        kinds, horizons = self.local.shape[:2]
        values = np.empty((kinds, horizons, len(kill)))
        rises = np.empty((kinds, horizons, len(kill) - 1))
        for h in range(horizons):
            tick()
            before = None
            for j, at in enumerate(kill):
                end = end_of(goal, nodes, self.local[:, h], self.share, np.full(kinds, at))
                values[:, h, j] = self.factor * end.value
                if before is not None:
                    rises[:, h, j - 1] = self.factor * above_chord_between(
                        goal, nodes, before, end, step, maximum
                    )
                before = end
        return values, rises

    def most(self, kinds: KindIds, slopes: FloatArray, low: IntArray, high: IntArray) -> FloatArray:
        """(n,) sum_h max_{low_h <= l / step <= high_h} [phi_h(l) - slope_h l], at most.

        Parameters
        ----------
        kinds : (n,)
        slopes : (horizons,) tau
        low, high : (horizons,) points of the lattice, low < high
        """
        step, total = settings.CURRENT.step, self.constant[kinds]
        for h, slope in enumerate(slopes):
            begin, end = int(low[h]), int(high[h])
            columns = slice(begin - self.first, end - self.first + 1)
            reduced = self.values[kinds, h, columns] - slope * step * np.arange(begin, end + 1)
            inside = slice(begin - self.first, end - self.first)
            ends = np.maximum(reduced[:, :-1], reduced[:, 1:])
            by_point = np.ascontiguousarray((ends + self.rises[kinds, h, inside]).T)
            total += by_point.max(axis=0)  # ten times as fast as over the last axis
        return total

    def slopes(self, kinds: KindIds, log_kill: FloatArray) -> FloatArray:
        """(n, horizons) slope in ln z of the chord at some ln z (horizons,)."""
        at = below(log_kill) - self.first
        at = np.clip(at, 0, self.rises.shape[2] - 1)
        h = np.arange(len(at))
        rise = self.values[kinds][:, h, at + 1] - self.values[kinds][:, h, at]
        return np.asarray(rise / settings.CURRENT.step)

    def ceilings(self, kinds: KindIds, log_kill: FloatArray) -> FloatArray:
        """(n,) what kinds (n,) are worth at most at ln z (n, horizons): chord plus rise."""
        place = log_kill / settings.CURRENT.step - self.first
        at = np.clip(np.floor(place).astype(np.int64), 0, self.rises.shape[2] - 1)
        part = np.clip(place - at, 0.0, 1.0)
        h = np.arange(log_kill.shape[1])
        low, high = self.values[kinds[:, None], h, at], self.values[kinds[:, None], h, at + 1]
        ceiling = low + part * (high - low) + self.rises[kinds[:, None], h, at]
        return np.asarray(self.constant[kinds] + ceiling.sum(axis=1))

    def exact(self, kinds: KindIds, kill: FloatArray) -> FloatArray:
        """(n,) what kinds (n,) are worth at a saturated kill (n, horizons)."""
        constant: FloatArray = self.constant[kinds]
        if not self.local.shape[1]:
            return constant
        return constant + self.lesion.weight * lesion_value(
            self.instance.objective,
            self.lesion.sensitivities[1],
            self.local[kinds],
            self.share[kinds],
            kill,
        )
