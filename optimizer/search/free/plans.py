"""What is computed once for each plan: its problem, lesion oracles, node domain and shared days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.systemic.flows import flows_of
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.search.free.bounds.cuts import SharedDays
from abscopt.optimizer.search.free.bounds.lesion_oracles import FreeOracle, MenuOracle
from abscopt.optimizer.search.free.bounds.objective import NodeDomain
from abscopt.optimizer.search.free.node import Planned
from abscopt.optimizer.search.free.problem import chemo_factor, plan_problem_of, terms_of
from abscopt.optimizer.search.free.schedules import Schedules

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.search.free.bounds.oracle import LesionOracle


class Plans:
    """Plans of a case, each made when it is first asked for."""

    def __init__(self, candidates: Candidates):
        self.candidates = candidates
        self.columns = columns_of(candidates, by_day=True)
        self.flows = flows_of(candidates, self.columns)
        self._planned: dict[PlanId, Planned] = {}

    def of(self, plan: PlanId) -> Planned:
        """A plan's numbers."""
        if plan not in self._planned:
            self._planned[plan] = self._made(plan)
        return self._planned[plan]

    def _made(self, plan: PlanId) -> Planned:
        candidates, instance = self.candidates, self.candidates.instance
        problem = plan_problem_of(candidates, self.columns, plan)
        tables = {table.menu.lesion: s for s, table in enumerate(candidates.lesions)}
        oracles: list[LesionOracle] = []
        for i in problem.irradiated:
            if i in tables:
                chemo = chemo_factor(candidates, plan)
                oracles.append(MenuOracle(candidates, problem, tables[i], chemo))
            else:
                terms = terms_of(candidates, self.columns, self.flows.get(i), problem, i)
                oracles.append(FreeOracle(terms, instance.lesions[i], instance.days))
        domain = NodeDomain(instance, problem, tuple(oracles))
        schedules = Schedules(candidates, problem, tuple(oracles), domain)
        shared = SharedDays(candidates, schedules)
        return Planned(problem, tuple(oracles), domain, schedules, shared)
