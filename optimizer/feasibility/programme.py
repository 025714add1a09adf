"""Feasibility of one plan as one integer programme without an objective.

    sum_c x[s, c] = 1 for each lesion s,   rows of limits and rules (`DateProgramme`),   x binary

HiGHS proves that there is no such choice, or finds one; what no row states is looked at in the
choice and cut off. Plans that allow the same courses in the same states are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, CourseRows, PlanId, plan_ids
from abscopt.optimizer.search.uniform.bounds.bound import Dual
from abscopt.optimizer.search.uniform.bounds.plan_set import PlanSet
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.leaves.dates import DateProgramme

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.progress import Clock

MOST_PLANS = 24
"""Plans that act differently: with more the search bounds them together."""
MOST_COURSES = 20_000
"""Of all lesions: HiGHS takes longer to read more than the search to split them."""
ANY_GAP = 1e9

Choice = tuple[PlanId, CourseIds]


def different_plans(candidates: Candidates) -> list[PlanId]:
    """One plan of each set whose courses, states of exposure and rules in time are the same."""
    plans: dict[tuple[object, ...], PlanId] = {}
    group = candidates.plan_effects.group
    for plan in plan_ids(len(candidates.plans)):
        states = [*candidates.allowed(plan), *candidates.exposed(plan)]
        key = (
            int(group[plan]),
            candidates.latest_end_needed(plan),
            candidates.earliest_start_needed(plan),
            *(np.packbits(state).tobytes() for state in states),
        )
        plans.setdefault(key, plan)
    return list(plans.values())


def choice_of(
    candidates: Candidates, plans: list[PlanId], clock: Clock
) -> tuple[Choice | None, bool]:
    """(plan and row of courses, whether all plans were decided); no row where there is none.

    Only for candidates whose limits and demands do not ask for a systemic effect.
    """
    undecided = False
    for plan in plans:
        row, decided = _of_plan(candidates, plan, clock)
        if row is not None:
            return (plan, row), True
        undecided |= not decided
    return None, not undecided


def _of_plan(candidates: Candidates, plan: PlanId, clock: Clock) -> tuple[CourseIds | None, bool]:
    dual, tabulated = Dual(PlanSet(candidates, (plan,))), Tabulated(candidates, plan)
    courses = [
        CourseIds(np.flatnonzero(mask[shared.kinds.of] & allowed))
        for mask, shared, allowed in zip(
            dual.set.usable, dual.set.shared, candidates.allowed(plan), strict=True
        )
    ]
    if any(not len(menu) for menu in courses):
        return None, True
    if sum(len(menu) for menu in courses) > MOST_COURSES:
        return None, False
    nothing, corner = np.zeros(dual.set.horizons), np.ones(dual.set.horizons)
    unpriced = DualPrices(np.zeros(len(dual.set.rows.right)), nothing, nothing, 0.0)
    programme = DateProgramme(dual, tabulated, courses, unpriced, corner, corner)
    programme.values[:] = 0.0
    answer = programme.solve(ANY_GAP, clock, lambda: -np.inf)
    for row in answer.rows[-1:]:
        if tabulated.feasible(CourseRows(row[None]))[0]:
            return CourseIds(row), True
    return None, answer.bound == -np.inf
