"""Few courses under few plans: all schedules are valued at once, and decided best plan first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.by_rows import rows_above
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, PlanIds
from abscopt.optimizer.search.join import every_row
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.leaves.leaf import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


def are_few(plans: Sequence[PlanId], courses: Sequence[CourseIds]) -> bool:
    """Whether the schedules of some courses, one per lesion, under some plans are few."""
    return len(plans) * math.prod(len(menu) for menu in courses) <= settings.CURRENT.few


def evaluate(
    candidates: Candidates,
    plans: Sequence[PlanId],
    courses: Sequence[CourseIds],
    gap: float,
    clock: Clock,
    state: SearchState,
) -> None:
    """Decide every schedule that is better than the best by more than `gap`.

    worths[k, i] (plans, rows) values before limits; plan k matters while max_i worths[k, i] -
    cost_k > incumbent + gap. Plans by falling ceiling; only rows that would matter are looked at
    with limits and the costs of soft ones. Rows that no plan makes good enough are not valued.
    """
    every = CourseRows(every_row(list(courses)))
    rows, worths = rows_above(candidates, PlanIds(np.array(plans)), every, state.value + gap)
    if not len(rows):
        return
    ceilings = worths.max(axis=1) - [candidates.plan_cost(k) for k in plans]
    for i in np.argsort(-ceilings, kind="stable"):
        check(clock)
        if ceilings[i] <= state.value + gap:
            return
        above = worths[i] > state.value + gap
        tabulated = Tabulated(candidates, plans[i])
        value = worths[i][above] - tabulated.cost(rows[above])
        state.decide(tabulated, rows[above], value, gap)
