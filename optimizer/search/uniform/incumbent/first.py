"""A first schedule within moments, whatever the number of plans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.search.uniform.incumbent.local import (
    climb,
    constructions,
    every_course,
    worth,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


def first_schedule(candidates: Candidates, plans: Sequence[PlanId], state: SearchState) -> None:
    """Offer a schedule of one of some plans: best responses of one lesion, from few lesions."""
    names = list(plans)
    spread = names[:: max(1, len(names) // 8)] if candidates.controlled else ()
    for plan in dict.fromkeys((names[len(names) // 2], names[0], names[-1], *spread)):
        if _climbed_under(candidates, plan, plan, state):
            return


def first_of_many(candidates: Candidates, state: SearchState) -> None:
    """Offer a schedule of a few plans before the tables of very many are begun."""
    count = len(candidates.plans)
    if count <= candidates.plans_at_once:
        return
    sample = [PlanId(k) for k in (count // 2, 0, count - 1)]
    sampled = candidates.of_plans(sample)
    for number, plan in zip(sampled.plan_ids, sample, strict=True):
        if _climbed_under(sampled, number, plan, state):
            return


def _climbed_under(
    candidates: Candidates, number: PlanId, plan: PlanId, state: SearchState
) -> bool:
    """Offer what best responses reach under one plan, whose name is given; False if nothing."""
    tabulated = Tabulated(candidates, number)
    lesions, options = list(range(len(candidates.lesions))), every_course(tabulated)
    for begin in constructions(tabulated):
        row = begin(tabulated, lesions, options)
        row, value = climb(
            tabulated, row, worth(tabulated, row), lesions, options,
            lambda better, its: state.offer(plan, better, its),
        )  # fmt: skip
        if math.isfinite(value):
            state.offer(plan, row, value)
            return True
    return False
