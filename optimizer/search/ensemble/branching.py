"""How a node is split: the courses of one lesion in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.search.ensemble.bounds.bound import Courses, Mixture

if TYPE_CHECKING:
    from abscopt.optimizer.search.ensemble.plan import PlanInMembers

DECIDED = 1e-6
"""A course with so little less than the whole weight of a mixture is its lesion's."""


def parts(under: PlanInMembers, courses: Courses, mixture: Mixture) -> list[Courses]:
    """The courses of one lesion in two: treated or not, by local kill, or by days.

    The lesion is the one that the mixture leaves most undecided.
    """
    menus = [table.menu for table in under.members.nominal.lesions]
    several = [s for s, c in enumerate(courses) if len(c) > 1]
    undecided = {s: 1.0 - float(mixture.weights[s].max()) for s in several}
    s = max(several, key=lambda i: (undecided[i] > DECIDED, undecided[i], len(courses[i])))
    c, mixed = courses[s], mixture.courses[s]
    local = under.members.nominal.shared(under.plan)[s].local
    kill = -local[under.nominal.kinds[s]][:, -1, 0]
    day = menus[s].patterns.first[menus[s].pattern].astype(float)
    treated = (np.arange(len(day)) > 0).astype(float)
    cuts = (_cut(measure[c], measure[mixed]) for measure in (treated, kill, day))
    first = next((cut for cut in cuts if cut is not None), np.arange(len(c)) < len(c) // 2)
    sides = []
    for side in (c[first], c[~first]):
        split = list(courses)
        split[s] = side
        sides.append(split)
    return sides


def _cut(measure: FloatArray, mixed: FloatArray) -> BoolArray | None:
    """Which of some numbers lie below the middle of what is mixed; None if that parts nothing."""
    middle = 0.5 * (mixed.min() + mixed.max()) if mixed.min() < mixed.max() else np.median(measure)
    lower: BoolArray = np.asarray(measure <= middle)
    return lower if lower.any() and not lower.all() else None
