"""The incumbent of a search that was stopped, improved for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.uniform.local import climb, every_course

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.leaf import SearchState

LAST_SECONDS = 0.3
"""Most time once the limit is over: a best response takes 25 ms on a menu of 20 000 courses, a
round of them with eight lesions 0.2 s."""


def improve_at_last(candidates: Candidates, state: SearchState, clock: Clock) -> None:
    """Offer best responses to the incumbent, first of lesions without a course.

    A search is stopped wherever it is, often within its first round over the lesions.
    """
    if state.plan is None or state.row is None:
        return
    plan, row = state.plan, state.row

    def offer(better: IntArray, value: float) -> None:
        state.offer(plan, better, value)

    with clock.extended(LAST_SECONDS):
        tabulated = Tabulated(candidates, plan)
        untreated_first = np.argsort(row > 0, kind="stable").tolist()
        climb(tabulated, row, state.value, untreated_first, every_course(tabulated), offer)
