"""A node whose courses have become few gets tables of its own, in which all that follows is cheap.

Of the courses left under some plans only those are kept that may belong to a schedule above the
threshold in some cell. What was proved of the cells stays; multipliers are charged anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.ids import CourseIds, KindIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.levels.cells import Cells
from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet

if TYPE_CHECKING:
    pass


def narrow(
    dual: Dual, alive: Alive, cells: Cells, threshold: float
) -> tuple[Dual, Alive, Cells] | None:
    """The node in tables of its own; None where that does not pay.

    Parameters
    ----------
    alive : kinds that may belong to a schedule above the threshold
    cells : each bounded by a Lagrangian function; `by` is renumbered, by[i] -> place among the used
    """
    kinds = sum(len(mask) for mask in alive)
    limit = settings.CURRENT.narrow_share * kinds
    if kinds <= settings.CURRENT.narrow_from or sum(int(mask.sum()) for mask in alive) > limit:
        return None
    courses = _courses(dual, alive, cells, threshold)
    if all(
        len(menu) == len(shared.kinds.of)
        for menu, shared in zip(courses, dual.set.shared, strict=True)
    ):
        return None
    candidates = dual.set.candidates.narrowed(courses)
    plans = PlanSet(candidates, dual.set.plans, dual.set)
    if len(plans.rows.right) != len(dual.set.rows.right):  # prices would mean something else
        return None
    small = Dual(plans, dual)
    living = tuple(usable.copy() for usable in plans.usable)
    for mask, before in zip(living, alive, strict=True):
        mask[0] &= before[0]
    numbers = np.unique(cells.by)
    small.add_all([dual.lagrangians[int(j)].prices for j in numbers], living)
    by = np.searchsorted(numbers, cells.by)
    return small, living, Cells(cells.low, cells.high, cells.bound, cells.known, by)


def _courses(dual: Dual, alive: Alive, cells: Cells, threshold: float) -> list[CourseIds]:
    """Per lesion 'no course' and courses c of kinds k, ceiling_k + term_c > threshold somewhere."""
    masks = [np.zeros(len(shared.kinds.of), dtype=bool) for shared in dual.set.shared]
    for j in np.unique(cells.by):
        prices = dual.lagrangians[int(j)].prices
        ceilings = dual.ceilings(cells.take(cells.by == j), alive, int(j))
        for s, ceiling in enumerate(ceilings):
            kinds = KindIds(np.flatnonzero(ceiling + dual.lagrangians[int(j)].terms[s] > threshold))
            if len(kinds):
                course, kind, term = dual.set.courses[s].courses(kinds, prices)
                masks[s][course[ceiling[kind] + term > threshold]] = True
    for mask in masks:
        mask[0] = True
    return [CourseIds(np.flatnonzero(mask)) for mask in masks]
