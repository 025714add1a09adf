"""Few courses under few plans: all schedules are valued at once, and decided best plan first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import IntArray
from abscopt.optimizer.candidates.by_rows import values_of_rows
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.search.join import every_row
from abscopt.optimizer.search.uniform.leaf import check, decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.search.uniform.leaf import Found


FEW = 100_000


def are_few(plans: Sequence[int], courses: Sequence[IntArray]) -> bool:
    """Whether the schedules of some courses, one per lesion, under some plans are few."""
    return len(plans) * math.prod(len(own) for own in courses) <= FEW


def evaluate(
    candidates: Candidates,
    plans: Sequence[int],
    courses: Sequence[IntArray],
    gap: float,
    clock: Clock,
    found: Found,
) -> None:
    """Decide every schedule that is better than the best by more than `gap`.

    Costs of plans are known at once; only plans under which some schedule would then matter are
    looked at with limits and the costs of soft ones.
    """
    rows = every_row(list(courses))
    worths = values_of_rows(candidates, np.array(plans), rows)
    most = worths.max(axis=1) - [candidates.plan_cost(k) for k in plans]
    for i in np.argsort(-most, kind="stable"):
        check(clock)
        if most[i] <= found.value + gap:
            return
        own = worths[i] > found.value + gap
        tabulated = Tabulated(candidates, plans[i])
        value = worths[i][own] - tabulated.cost(rows[own])
        decide(tabulated, rows[own], value, gap, found)
