"""Whether a case has a schedule that keeps every limit, rule and demand: one of them, or a proof.

By the exact search with a gap that any schedule closes, over the courses that load least
(`least`); free courses that these do not cover go to the programme. The judge has the last word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.lesions import DEMANDS
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.candidates.reuse import candidates_like
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.limits import limit_uses
from abscopt.optimizer.evaluation.offered.menu import obstacles
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.feasibility.demanded import ANY_DOSE_GY
from abscopt.optimizer.feasibility.least import least_loading
from abscopt.optimizer.feasibility.members import asks, members_of
from abscopt.optimizer.feasibility.programme import (
    ANY_GAP,
    MOST_PLANS,
    choice_of,
    different_plans,
)
from abscopt.optimizer.highs.solver import SolverError
from abscopt.optimizer.progress import Clock, Stopped
from abscopt.optimizer.search.uniform.explore import explore

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

MOST_KNOWN = 6
"""Schedules that are judged before a search: some milliseconds each."""


def keeps(instance: Instance, schedule: Schedule) -> bool:
    """Whether the judge finds a schedule feasible; outcome is looked at only where it counts."""
    treated = {fraction.lesion for fraction in schedule.fractions}
    if any(x.course is None and x.name in treated for x in instance.lesions):
        return False  # known of a case that offers the lesion, with techniques of its own
    demands = (getattr(lesion, key) for lesion in instance.lesions for key in DEMANDS)
    if any(demand is not None and demand > ANY_DOSE_GY for demand in demands):
        return Judge(instance).evaluate(schedule).admissible
    if any(x.least_bed is not None and x.name not in treated for x in instance.lesions):
        return False
    state = systemic_state(instance, schedule.infusions)
    uses = limit_uses(instance, schedule, state)
    return not any(use.broken for use in uses) and not obstacles(instance, schedule)


def proved_infeasible(instance: Instance, clock: Clock, seed: int) -> bool:
    """Whether a case asks for what is quickly proved to be impossible.

    A case that asks for nothing is feasible. The time is a part of what a solve has left.
    """
    if not any(asks(instance, member) for member in members_of(instance)):
        return False
    seconds_left = clock.remaining
    seconds = MOST_SECONDS if seconds_left is None else min(MOST_SECONDS, MOST_SHARE * seconds_left)
    try:
        return Oracle(Clock(seconds), seed).schedule(instance) is None
    except Stopped:
        return False


MOST_SECONDS = 20.0
"""Of a proof before the search: most take a tenth of a second."""
MOST_SHARE = 0.3


class Oracle:
    """Decides the feasibility of cases that differ in limits, rules, demands and menus.

    Attributes
    ----------
    known : schedules that it met, newest first; each may be feasible in the next case, too
    searches : how many cases no known schedule answered
    """

    def __init__(self, clock: Clock, seed: int = 0):
        self.clock, self.seed = clock, seed
        self.known: list[Schedule] = []
        self._candidates: Candidates | None = None
        self.searches = 0

    def schedule(self, instance: Instance) -> Schedule | None:
        """A schedule that the judge finds feasible; None if it is proved that there is none.

        Raises
        ------
        Stopped
            If the time is over before either is known.
        """
        known = self.among_known(instance)
        if known is not None:
            return known
        judge = Judge(instance)
        self.searches += 1
        schedule = self._searched(instance)
        if schedule is None:
            return None
        verdict = judge.evaluate(schedule)
        if not verdict.admissible:
            broken = ", ".join((*verdict.obstacles, *verdict.broken_limits))
            raise SolverError(f"the judge rejects the schedule: {broken}")
        self.known = [schedule, *self.known][:MOST_KNOWN]
        return schedule

    def among_known(self, instance: Instance) -> Schedule | None:
        """A schedule met before that is feasible in this case; None if none is."""
        return next((known for known in self.known if keeps(instance, known)), None)

    def _searched(self, instance: Instance) -> Schedule | None:
        """By search or programme, unjudged."""
        if self.clock.expired:
            raise Stopped
        candidates = candidates_like(self._candidates, least_loading(instance))
        self._candidates = candidates
        if candidates.free:
            return self._by_programme(instance)
        self.clock.report(f"explaining, case {self.searches}", None, None)
        clock = Clock(self.clock.remaining)
        if not candidates.controlled and len(candidates.plans):
            plans = different_plans(candidates)
            if len(plans) <= MOST_PLANS:
                choice, decided = choice_of(candidates, plans, clock)
                if choice is not None:
                    return schedule_of_row(candidates, *choice)
                if decided:
                    return None
        state = explore(candidates, ANY_GAP, self.seed, clock)
        if state.row is not None and state.plan is not None:
            return schedule_of_row(candidates, state.plan, state.row)
        if not state.complete:
            raise Stopped
        return None

    def _by_programme(self, instance: Instance) -> Schedule | None:
        """Free courses with demands, or in step with drugs."""
        from abscopt.optimizer.assurance import ways

        candidates = Candidates(instance)
        solved = ways.by_programme(
            candidates, Judge(instance), ANY_GAP, 1, self.seed, Clock(self.clock.remaining), None
        )
        if solved.schedule is None and not solved.infeasible:
            raise Stopped
        return solved.schedule
