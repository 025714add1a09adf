"""What one solve leaves to the next of related cases: schedules, tables, bounds, the proof's tree.

Schedules are judged and repaired anew, tables serve only where the case is the same in all that
they depend on, Lagrangian bounds are valid for any prices, and the bound of a case holds for every
case with tighter limits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abscopt.instances.checks.restriction import restricts
from abscopt.optimizer.candidates.reuse import candidates_like
from abscopt.optimizer.search.uniform.bounds.grounds import Grounds, Proof
from abscopt.optimizer.search.uniform.branches import Trees

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.schedule import Schedule

MOST_SCHEDULES = 4
MOST_BOUNDS = 32


class Memory:
    """Hand the same one to `solve` for each case of a family: Pareto points, scenarios, replans.

    Every answer has the same proof as without; among schedules within the gap it may be another.

    Attributes
    ----------
    schedules : latest answers, newest first
    trees : how the searches split the cases, and with which prices they closed the parts
    """

    def __init__(self) -> None:
        self.schedules: tuple[Schedule, ...] = ()
        self.trees = Trees()
        self._candidates: Candidates | None = None
        self._bounds: tuple[tuple[Instance, float], ...] = ()
        self._proof: Proof | None = None

    def copy(self) -> Memory:
        """What is remembered now, for solves of which others shall learn nothing."""
        same = Memory()
        same.schedules, same.trees = self.schedules, self.trees.copy()
        same._candidates, same._bounds, same._proof = self._candidates, self._bounds, self._proof
        return same

    def candidates(self, instance: Instance) -> Candidates:
        """Candidates of a case, with the tables of the last one as far as they hold."""
        self._candidates = candidates_like(self._candidates, instance)
        if self._proof is not None and self._candidates.plans is not self._proof.candidates.plans:
            self._proof = None  # its tables are of no further use
        return self._candidates

    def bound(self, candidates: Candidates) -> float:
        """Least bound of a case that follows from what was proved before; else infinite.

        Proved for a case with wider limits, or for one with other caps by prices that say what
        these are worth.
        """
        instance = candidates.instance
        bounds = [bound for case, bound in self._bounds if restricts(instance, case)]
        if self._proof is not None:
            bounds.append(self._proof.bound_for(candidates))
        return min(bounds, default=math.inf)

    def keep(self, candidates: Candidates, grounds: Grounds) -> None:
        """Keep what a search has proved, if it says something of other caps."""
        if grounds.whole and math.isfinite(grounds.bound):
            self._proof = Proof(candidates, grounds)

    def remember(self, instance: Instance, schedule: Schedule | None, bound: float | None) -> None:
        """Keep an answer and what was proved; the oldest go."""
        if schedule is not None:
            earlier = tuple(remembered for remembered in self.schedules if remembered != schedule)
            self.schedules = (schedule, *earlier)[:MOST_SCHEDULES]
        if bound is not None:
            self._bounds = ((instance, bound), *self._bounds)[:MOST_BOUNDS]
