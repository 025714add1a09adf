"""What a search over members holds: the schedule in hand, nodes, what is known before any bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.ceilings import ceiling_of_case
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.search.ensemble.bound import Cell, Courses, Mixture

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.members import Members
    from abscopt.optimizer.search.ensemble.risk import Risk

BOUND_SAFETY = 1e-9


@dataclass
class EnsembleState:
    """Incumbent and what is proved.

    Attributes
    ----------
    value : risk of the incumbent
    values : (members,) its value in each member
    bound : no schedule has a greater risk; infinite if nothing is known
    complete : whether everything above the threshold was examined
    """

    plan: PlanId | None = None
    row: CourseIds | None = None
    value: float = -math.inf
    values: FloatArray | None = None
    bound: float = math.inf
    complete: bool = False
    nodes: int = 0
    members: Members | None = None


@dataclass(frozen=True)
class Node:
    """One plan, courses and a cell; `mixture` is what the bound of its parent chose."""

    plan: PlanId
    courses: Courses
    cell: Cell | None
    mixture: Mixture | None = field(default=None)


def ceiling_of_members(members: Members, risk: Risk) -> float:
    """What holds for every schedule before anything is bounded."""
    ceilings = np.array([ceiling_of_case(instance) for instance in members.instances])
    if not np.isfinite(ceilings).all():
        return math.inf
    return float(risk.of(ceilings)) + BOUND_SAFETY


def within(mixture: Mixture, courses: Courses) -> Mixture:
    """What is left of a mixture; lesions of which nothing is left have none."""
    inside = [
        (c[np.isin(c, of_node)], x[np.isin(c, of_node)])
        for c, x, of_node in zip(mixture.courses, mixture.weights, courses, strict=True)
    ]
    return Mixture(tuple(c for c, _ in inside), tuple(x for _, x in inside))
