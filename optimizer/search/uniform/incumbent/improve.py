"""Better schedules while the bounds are tightened: the multipliers say which courses to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.by_rows import kill_of_row, values_of_rows
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, PlanId, PlanIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.incumbent.local import (
    climbed,
    local_search,
    reaching,
    rounded,
    worth,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.uniform.bounds.bound import Dual
    from abscopt.optimizer.search.uniform.bounds.columns import FractionalChoice
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive
    from abscopt.optimizer.search.uniform.bounds.prices import Lagrangian
    from abscopt.optimizer.search.uniform.leaves.leaf import SearchState


class Improver:
    """Looks for schedules better than the incumbent, seldom once several looks were in vain.

    Parameters
    ----------
    state : holds the incumbent
    report : tells the user of the incumbent and of the bound

    Attributes
    ----------
    tries, idle : looks so far, and looks in vain since the last better schedule
    suited : the incumbent's courses, and what they are worth under plans
    patience, shortlist : looks in vain before they become seldom, and courses of a lesion in each
    """

    def __init__(
        self,
        candidates: Candidates,
        state: SearchState,
        rng: np.random.Generator,
        report: Callable[[], None],
    ):
        self.candidates, self.state, self.rng, self.report = candidates, state, rng, report
        self.idle = self.tries = 0
        self.suited: tuple[bytes, dict[PlanId, float]] = (b"", {})
        self.patience, self.shortlist = settings.CURRENT.patience, settings.CURRENT.shortlist

    def go_on(self) -> None:
        """Look less: of a treatment that has begun the plan resumed is at hand."""
        self.tries = settings.CURRENT.thorough - settings.CURRENT.begun_thorough
        self.patience = settings.CURRENT.begun_patience
        self.shortlist = settings.CURRENT.begun_shortlist

    def hint(self, dual: Dual) -> FloatArray:
        """(horizons,) systemic log kill of the incumbent under a plan of the set."""
        horizons = len(dual.ground)
        if self.state.row is None or not horizons:
            middle: FloatArray = np.sqrt(dual.low_and_high[0] * dual.low_and_high[1])
            return middle
        plan = self.best_plan(dual.set.plans, self.state.row)
        kill = kill_of_row(self.candidates, plan, self.state.row)
        return np.clip(kill, *dual.low_and_high)

    def attempt(
        self,
        dual: Dual,
        lagrangian: Lagrangian,
        alive: Alive,
        kill: FloatArray,
        mixture: list[FractionalChoice] | None,
        plan: PlanId | None = None,
    ) -> None:
        """Look for a better schedule under one of the plans, led by the multipliers.

        Parameters
        ----------
        plan : None for that under which the incumbent does best
        """
        self.tries += 1
        if self.idle > self.patience and self.tries % settings.CURRENT.seldom:
            return
        before, plans, candidates = self.state.value, dual.set.plans, dual.set.candidates
        if plan is None and self.state.row is not None:
            plan = self.best_plan(plans, self.state.row)
        plan = plans[len(plans) // 2] if plan is None else plan
        tabulated = Tabulated(candidates, plan)
        choices = dual.shortlist(lagrangian, alive, kill, self.shortlist)
        options = [CourseIds(np.union1d(c, [0])) for c in choices]
        spread = [choice.spread for choice in mixture] if mixture else [0.0] * len(choices)
        first = sorted(range(len(choices)), key=lambda s: (-spread[s], s))
        starts = [rounded(tabulated, choices, first), rounded(tabulated, choices, first[::-1])]
        incumbent = None if self.state.row is None else candidates.of_case(self.state.row)
        if incumbent is None and candidates.controlled:
            starts.append(reaching(tabulated, first, options))
        if incumbent is not None:
            starts.append(incumbent)
            options = [CourseIds(np.union1d(o, c)) for o, c in zip(options, incumbent, strict=True)]

        def offer(row: CourseIds, value: float) -> None:
            self.state.offer(plan, candidates.in_case(row), value)

        if mixture and self.tries <= settings.CURRENT.thorough:
            row, value = local_search(tabulated, choices, starts, options, self.rng, offer)
        else:
            row, value = climbed(tabulated, starts, options, offer)
        if row is not None:
            self.state.offer(plan, candidates.in_case(row), value)
        if self.state.row is not None and self.state.value > before:
            self._adopt(plans)
        self.idle = 0 if self.state.value > before else self.idle + 1
        self.report()

    def _adopt(self, plans: tuple[PlanId, ...]) -> None:
        """The incumbent's courses under the plan that suits them best."""
        assert self.state.row is not None
        plan = self.best_plan(plans, self.state.row)
        if plan != self.state.plan:
            tabulated = Tabulated(self.candidates, plan)
            self.state.offer(plan, self.state.row, worth(tabulated, self.state.row))

    def best_plan(self, plans: tuple[PlanId, ...], row: CourseIds) -> PlanId:
        """The plan of a set under which the incumbent's courses do best, limits aside."""
        if self.suited[0] != row.tobytes():
            self.suited = row.tobytes(), {}
        value_of = self.suited[1]
        unvalued = [k for k in plans if k not in value_of]
        if unvalued:
            worth_of = values_of_rows(self.candidates, PlanIds(np.array(unvalued)), row[None])[:, 0]
            value_of.update(zip(unvalued, worth_of.tolist(), strict=True))
        return max(plans, key=lambda k: (value_of[k], -k))
