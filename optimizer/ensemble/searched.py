"""What the search over members or the programme over members hands over to be judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abscopt.optimizer.candidates.as_rows import closest_row, schedule_of_row
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble.explore import explore
from abscopt.optimizer.search.ensemble.plan import Plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule
    from abscopt.optimizer.search.ensemble.members import Members
    from abscopt.optimizer.search.ensemble.risk import Risk


@dataclass(frozen=True)
class Searched:
    """A schedule for all members, and what is proved.

    Attributes
    ----------
    values : (members,) objectives claimed of `schedule`
    bound : no schedule has a greater measure; infinite where nothing is proved
    infeasible : whether no schedule keeps the limits
    plans : tables of the second stage; None without one
    by_programme : whether the programme found it
    """

    schedule: Schedule | None = None
    values: FloatArray | None = None
    bound: float = math.inf
    infeasible: bool = False
    nodes: int = 0
    plans: Plans | None = None
    by_programme: bool = False


def by_search(
    members: Members, risk: Risk, gap: float, clock: Clock, schedules: Sequence[Schedule]
) -> Searched:
    """By the search over members, from schedules in hand."""
    starts = [closest_row(members.nominal, s) for s in schedules]
    state = explore(members, risk, gap, clock, starts)
    searched = Searched(
        None, None, state.bound, state.complete and state.row is None, state.nodes, state.plans
    )
    if state.row is None or state.plan is None or state.values is None:
        return searched
    schedule = schedule_of_row(members.nominal, state.plan, state.row)
    return replace(searched, schedule=schedule, values=state.values)


def by_programme(
    members: Members,
    risk: Risk,
    gap: float,
    seed: int,
    threads: int,
    clock: Clock,
    schedules: Sequence[Schedule],
) -> Searched:
    """By one programme over all members, from schedules in hand.

    Raises
    ------
    InputError
        If the programme does not cover the case, or it is too large.
    """
    tick()  # Pyomo takes half a second or more to load
    from abscopt.optimizer.programme.ensemble.solve import solve_members

    answer = solve_members(members, risk, gap, seed, threads, clock, schedules)
    return Searched(
        answer.schedule,
        None if answer.schedule is None else answer.values,
        math.inf if answer.bound is None else answer.bound,
        answer.infeasible,
        answer.nodes,
        None if members.nominal.free else Plans(members),
        by_programme=True,
    )
