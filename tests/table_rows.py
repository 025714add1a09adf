"""Schedules from rows of the engine's tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
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


def disagreements(instance: Instance, seed: int, trials: int = 40) -> dict[str, int]:
    """How many random schedules get another value or another feasibility from the tables."""
    judge, candidates = Judge(instance), Candidates(instance)
    rng = np.random.default_rng(seed)
    found = {"value": 0, "feasibility": 0, "kept": 0}
    if not candidates.plans:
        return found
    for _ in range(trials):
        plan = int(rng.integers(len(candidates.plans)))
        row = np.array([rng.integers(len(table.menu)) for table in candidates.lesions])
        tabulated = Tabulated(candidates, plan)
        verdict = judge.evaluate(schedule_of(candidates, plan, row))
        value = float(tabulated.value(row[None, :])[0])
        same = abs(value - verdict.objective) <= 1e-9 * max(1.0, abs(verdict.objective))
        found["value"] += not same
        kept = bool(tabulated.feasible(row[None, :])[0])
        found["feasibility"] += kept != verdict.admissible
        found["kept"] += verdict.admissible
    return found
