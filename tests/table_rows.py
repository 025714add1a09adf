"""Schedules from rows of the engine's tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule


def schedule_of(candidates: Candidates, plan: int, row: np.ndarray) -> Schedule:
    """Schedule of one row of course indices."""
    fractions: list[Fraction] = []
    for table, index in zip(candidates.lesions, row, strict=True):
        fractions += table.menu.course(int(index), candidates.lesion_of(table))
    doses = (Infusion(day, drug, mg) for drug, day, mg in candidates.plans[plan].doses)
    return Schedule.of(fractions, doses)


def unsaturated(tabulated: Tabulated, rows: NDArray[np.int64]) -> FloatArray:
    """(schedules, horizons) systemic log kill before saturation."""
    loss = np.stack([e.loss[rows[:, s]] for s, e in enumerate(tabulated.effects)], axis=1)
    effect = np.stack([e.effect[rows[:, s]] for s, e in enumerate(tabulated.effects)], axis=1)
    others = tabulated.chemo + loss.sum(axis=1, keepdims=True) - loss
    raw: FloatArray = (np.exp(-others)[:, :, None] * effect).sum(axis=1)
    return raw
