"""Where the programme approximates: lymphocyte bands and tangent points, refined on demand."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.columns import Columns

FloatArray = NDArray[np.float64]

FIRST_BAND_WIDTH = 0.25
SPLIT_MARGIN = 1e-6
SAME_POINT = 1e-7
FIRST_BURDENS = (-12.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.5, 6.0)


@dataclass(frozen=True)
class Refinement:
    """Approximation of one programme; finer ones only ever lower its optimum.

    Attributes
    ----------
    bands : (plan, low, high) of lymphocyte log loss A; exp(-low) is used in the whole band
    effects : systemic log kills at which the saturation curve has a tangent
    burdens : log burdens at which log control has a tangent
    excluded : sets of columns that no schedule may contain together
    """

    bands: tuple[tuple[int, float, float], ...]
    effects: tuple[float, ...]
    burdens: tuple[float, ...] = FIRST_BURDENS
    excluded: tuple[tuple[tuple[int, ...], ...], ...] = ()

    def with_point(
        self, plan: int, loss: float, effects: list[float], burdens: list[float]
    ) -> Refinement:
        """Approximation made exact (to the split margin) at one schedule."""
        return replace(
            self,
            bands=_split_band(self.bands, plan, loss),
            effects=_extended(self.effects, effects),
            burdens=_extended(self.burdens, burdens),
        )


def first_refinement(instance: Instance, columns: Columns) -> Refinement:
    """Bands of moderate width over the losses each plan can reach, and a few tangents."""
    bands = []
    lesions = np.unique(columns.lesion)
    for plan in range(len(columns.loss)):
        most = 0.0
        for lesion in lesions:
            own = columns.lesion == lesion
            loss = columns.loss[plan][own]
            free = columns.course[own] < 0
            most += float(loss[free].sum()) if free.any() else float(loss.max())
        edges = np.linspace(0.0, most, max(1, math.ceil(most / FIRST_BAND_WIDTH)) + 1)
        bands += [(plan, float(a), float(b)) for a, b in itertools.pairwise(edges)]
    most_effect = float(columns.gain.sum(axis=1).max()) if columns.gain.size else 0.0
    maximum = instance.immune.effect_maximum_nats
    if maximum is None:
        return Refinement(tuple(bands), (0.0,))
    saturated = np.linspace(0.0, float(immune.saturate(most_effect, maximum)), 12)
    raw = saturated * maximum / np.maximum(maximum - saturated, 1e-9)
    return Refinement(tuple(bands), tuple(float(z) for z in raw))


def _split_band(
    bands: tuple[tuple[int, float, float], ...], plan: int, loss: float
) -> tuple[tuple[int, float, float], ...]:
    result = []
    for k, low, high in bands:
        edge = loss - SPLIT_MARGIN
        if k == plan and low + SPLIT_MARGIN < edge < high and loss <= high + SPLIT_MARGIN:
            result += [(k, low, edge), (k, edge, high)]
        else:
            result.append((k, low, high))
    return tuple(result)


def _extended(points: tuple[float, ...], new: list[float]) -> tuple[float, ...]:
    result = list(points)
    for value in new:
        if all(abs(value - point) > SAME_POINT * (1 + abs(value)) for point in result):
            result.append(value)
    return tuple(sorted(result))
