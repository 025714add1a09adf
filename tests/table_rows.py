"""Schedules from rows of the engine's tables."""

from __future__ import annotations

import numpy as np

from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule


def schedule_of(candidates: Candidates, plan: int, row: np.ndarray) -> Schedule:
    """Schedule of one row of course indices."""
    fractions: list[Fraction] = []
    for table, index in zip(candidates.lesions, row, strict=True):
        fractions += table.menu.course(int(index), candidates.lesion_of(table))
    doses = (Infusion(day, drug, mg) for drug, day, mg in candidates.plans[plan].doses)
    return Schedule.of(fractions, doses)
