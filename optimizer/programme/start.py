"""A known schedule as columns of the programme, and as the point a solver begins with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.highs.solver import Matrix, solve_matrix
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme import settings
from abscopt.optimizer.programme.cuts import schedule_of

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.programme.data import Data
    from abscopt.optimizer.schedule import Fraction, Schedule


SAME_DOSE = 1e-9

Choice = tuple[list[int], PlanId]


def choice_of(candidates: Candidates, columns: Columns, schedule: Schedule) -> Choice | None:
    """Columns and plan that make a schedule; None if it is not among what is offered."""
    infusions = sorted((i.drug, i.day, i.dose_mg) for i in schedule.infusions)
    plans = [k for k in candidates.plan_ids if sorted(candidates.plans[k].doses) == infusions]
    picked: list[int] = []
    for s, lesion in enumerate(candidates.instance.lesions):
        fractions = tuple(f for f in schedule.fractions if f.lesion == lesion.name)
        columns_of_lesion = _columns_of(candidates, columns, s, fractions)
        if columns_of_lesion is None:
            return None
        picked += columns_of_lesion
    return (picked, plans[0]) if plans else None


def _columns_of(
    candidates: Candidates, columns: Columns, s: int, fractions: tuple[Fraction, ...]
) -> list[int] | None:
    members = np.flatnonzero(columns.lesion == s)
    if not fractions and (s in candidates.free or not len(members)):
        return []
    if s not in candidates.free:
        dose = max((fraction.dose_gy for fraction in fractions), default=0.0)
        alike = (columns.fractions[members] == len(fractions)) & _same(columns.dose[members], dose)
        wanted = _events(fractions)
        for j in members[alike].tolist():
            given = schedule_of(candidates, columns, [j], PlanId(0)).fractions
            if _events(given) == wanted and _equal_doses(given, fractions):
                return [j]
        return None
    counted = bool((columns.slots[members] > 1).any())
    picked = []
    for fraction in fractions:
        fits = _same(columns.dose[members], fraction.dose_gy)
        fits &= counted | (columns.day[members] == fraction.day)
        if not fits.any():
            return None
        picked.append(int(members[fits][0]))
    return picked


def _same(dose: FloatArray, wanted: float | FloatArray) -> NDArray[np.bool_]:
    return np.isclose(dose, wanted, SAME_DOSE, SAME_DOSE)


def _equal_doses(given: tuple[Fraction, ...], wanted: tuple[Fraction, ...]) -> bool:
    """Whether fractions of equal days and slots have equal doses, one by one."""
    doses = [
        np.array([f.dose_gy for f in sorted(fractions, key=lambda f: (f.day, f.slot))])
        for fractions in (given, wanted)
    ]
    return bool(_same(doses[0], doses[1]).all())


def _events(fractions: tuple[Fraction, ...]) -> Counter[tuple[int, int, str | None]]:
    return Counter((f.day, f.slot, f.technique) for f in fractions)


def point_of(
    data: Data, model: Any, matrix: Matrix, position: dict[int, int], choice: Choice
) -> FloatArray | None:
    """Point of the programme that makes a choice, the rest at its best; None if it is cut off."""
    picked, plan = choice
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    number = Counter(picked)
    for j in model.x:
        column = position.get(id(model.x[j]))
        if column is not None:
            lower[column] = upper[column] = number[j]
    for b in model.y:
        column = position.get(id(model.y[b]))
        if column is not None and data.refinement.bands[b][0] != plan:
            lower[column] = upper[column] = 0.0
    fixed = replace(matrix, lower=lower, upper=upper)
    return solve_matrix(fixed, time_limit=settings.CURRENT.start_seconds).x
