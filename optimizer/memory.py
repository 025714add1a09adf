"""What one solve leaves to the next of related cases: schedules, tables, the tree of its proof.

Nothing of it is trusted: schedules are judged and repaired anew, tables serve only where the case
is the same in all that they depend on, and a bound is valid for any prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.optimizer.candidates.reuse import candidates_like
from abscopt.optimizer.search.branches import Trees

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.schedule import Schedule

MOST_SCHEDULES = 4


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

    def candidates(self, instance: Instance) -> Candidates:
        """Candidates of a case, with the tables of the last one as far as they hold."""
        self._candidates = candidates_like(self._candidates, instance)
        return self._candidates

    def remember(self, schedule: Schedule) -> None:
        """Keep an answer; the oldest goes."""
        others = tuple(known for known in self.schedules if known != schedule)
        self.schedules = (schedule, *others)[:MOST_SCHEDULES]
