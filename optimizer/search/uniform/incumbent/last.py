"""The incumbent of a search that was stopped, improved for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.incumbent.local import climb, every_course

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


def improve_at_last(candidates: Candidates, state: SearchState, clock: Clock) -> None:
    """Offer best responses to the incumbent, first of lesions without a course.

    A search is stopped wherever it is, often within its first round over the lesions.
    """
    if state.plan is None or state.row is None:
        return
    plan, row = state.plan, state.row

    def offer(better: CourseIds, value: float) -> None:
        state.offer(plan, better, value)

    with clock.extended(settings.CURRENT.last_seconds):
        tabulated = Tabulated(candidates, plan)
        untreated_first = np.argsort(row > 0, kind="stable").tolist()
        climb(tabulated, row, state.value, untreated_first, every_course(tabulated), offer)
