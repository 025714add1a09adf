"""The ways to solve a case, but for free courses: each ends in a `Solved` with its second stage.

The programme is imported where it is needed: Pyomo takes half a second to load.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.optimizer.candidates.as_rows import closest_row, schedule_of_row
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.ids import CourseIds, PlanId
from abscopt.optimizer.progress import Stopped, tick
from abscopt.optimizer.search.uniform import settings as uniform_settings
from abscopt.optimizer.search.uniform.branches import Trees
from abscopt.optimizer.search.uniform.explore import explore
from abscopt.optimizer.search.uniform.incumbent.second_stage import second_stage
from abscopt.optimizer.search.uniform.ruling.ruled_out import Ruled, not_ruled_out
from abscopt.optimizer.solved import Solved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.crosscheck.engines import Engine
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.highs.mip import Matrix, Outcome
    from abscopt.optimizer.memory import Memory
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule

TIE = 1e-9
"""Relative: what the second stage may lose where it only breaks ties; rounding of the tables."""


def by_search(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    in_reserve: tuple[Schedule, float] | None,
    given: Sequence[Schedule],
    memory: Memory,
    brief: bool = False,
) -> Solved:
    """By the search of uniform courses, from schedules in hand and what related solves left.

    Half of the gap is left to the second stage; a brief search has all of it.
    """
    schedules = [*([] if in_reserve is None else [in_reserve[0]]), *given]
    known = dict.fromkeys(schedules) if candidates.plans else ()
    starts = [closest_row(candidates, schedule) for schedule in known]
    bound, trees, offered = memory.bound(candidates), memory.trees, len(candidates.plans)
    floor = -math.inf if in_reserve is None else in_reserve[1]
    if in_reserve is not None and candidates.instance.delivered is not None:
        ruled = _with_some_ruled_out(candidates, starts, in_reserve[1], gap, clock)
        candidates, starts, floor, trees = ruled.candidates, ruled.starts, ruled.least, Trees()
    within = gap / uniform_settings.CURRENT.enough if brief else gap / 2
    explored = explore(candidates, within, seed, clock, starts, trees, bound)
    if trees is memory.trees:
        memory.keep(candidates, explored.grounds)
    schedule, claimed, status = None, None, "none"
    if brief and explored.row is not None and explored.plan is not None:
        schedule, claimed = schedule_of_row(candidates, explored.plan, explored.row), explored.value
    elif explored.row is not None and explored.plan is not None:
        schedule, claimed, status = _second(
            candidates,
            explored.plan,
            explored.row,
            explored.value,
            explored.bound,
            gap,
            clock,
            floor,
        )
    return Solved(
        schedule=schedule,
        claimed=claimed,
        bound=explored.bound
        if explored.bound is not None and math.isfinite(explored.bound)
        else None,
        infeasible=explored.complete and explored.row is None,
        second_stage=status,
        best_objective=explored.value if explored.row is not None else None,
        errors={},
        nodes=explored.nodes,
        columns=explored.columns,
        plans=offered,
    )


def _with_some_ruled_out(
    candidates: Candidates,
    known: list[tuple[PlanId, CourseIds]],
    value: float,
    gap: float,
    clock: Clock,
) -> Ruled:
    """Without what the schedule in hand rules out; all of it where the clock stops that.

    Half of the gap is left to the second stage: schedules worse by as much are not lost.
    """
    try:
        return not_ruled_out(candidates, known, value, gap / 2, clock)
    except Stopped:
        return Ruled(candidates, known, value)


def by_programme(
    candidates: Candidates,
    judge: Judge,
    gap: float,
    threads: int,
    seed: int,
    clock: Clock,
    in_reserve: tuple[Schedule, float] | None,
    *,
    presolve: bool | None = None,
    engine: Engine | None = None,
) -> Solved:
    """By the programme; a large case of uniform courses is reduced first."""
    tick()  # Pyomo takes half a second or more to load
    from abscopt.optimizer.programme.proved import solver_margin
    from abscopt.optimizer.programme.single import solve_single

    remaining, start = reduction(candidates, gap / 2, seed, clock, in_reserve)

    def by_engine(matrix: Matrix, *, data: Any, model: Any, position: Any, **asked: Any) -> Outcome:
        assert engine is not None
        return engine.solve(matrix, **asked)

    answer = solve_single(
        candidates, judge, gap / 2, seed, threads, clock, None if engine is None else by_engine,
        kept=remaining, start=start, presolve=presolve,
    )  # fmt: skip
    claimed = answer.evaluation.objective if answer.evaluation else None
    schedule, status, best = answer.schedule, "none", claimed
    if answer.schedule is not None and claimed is not None and not candidates.free:
        plan, row = closest_row(candidates, answer.schedule)
        schedule, claimed, status = _second(
            candidates, plan, row, claimed, answer.bound, gap, clock
        )
    return Solved(
        schedule=schedule,
        claimed=claimed,
        bound=answer.bound,
        infeasible=answer.infeasible,
        second_stage=status if not candidates.free else "none (free courses)",
        best_objective=best,
        errors={
            "bands_and_tangents": answer.relaxation_error,
            "solver_tolerance": solver_margin(gap / 2),
        },
        nodes=answer.nodes,
        columns=answer.columns,
        plans=len(candidates.plans),
        reductions=answer.reductions,
        by_programme=True,
        least_gap=answer.least_gap,
        engine="HiGHS" if engine is None else engine.name,
    )


def reduction(
    candidates: Candidates,
    gap: float,
    seed: int,
    clock: Clock,
    in_reserve: tuple[Schedule, float] | None = None,
) -> tuple[Kept | None, Schedule | None]:
    """What dominance and bounds leave of a case that is too large for a programme, and a schedule.

    (None, None) for a case that is stated as it is. Schedules that are better than the one in hand
    by at most `gap` may be lost.
    """
    from abscopt.optimizer.search.uniform.fixing import InHand, reduced, worthwhile

    if not worthwhile(candidates):
        return None, None
    known = None
    if in_reserve is not None:
        known = InHand.of(*closest_row(candidates, in_reserve[0]), in_reserve[1])
    remaining, in_hand = reduced(candidates, gap, seed, clock, known)
    if in_hand is None:
        return remaining, None
    row = CourseIds(np.array(in_hand.row))
    return remaining, schedule_of_row(candidates, in_hand.plan, row)


def _second(
    candidates: Candidates,
    plan: PlanId,
    row: CourseIds,
    value: float,
    bound: float | None,
    gap: float,
    clock: Clock,
    least: float = -math.inf,
) -> tuple[Schedule, float, str]:
    """Second stage on an answer within the gap, never going below `least`.

    With `tumor_bed` it only breaks ties: nothing within the gap is free there.
    """
    status = "skipped (gap not closed)"
    if bound is not None and bound - value <= gap:
        floor = max(bound - gap, least)
        if candidates.instance.objective.of_dose_alone:
            floor = max(floor, value - TIE * max(1.0, abs(value)))
        plan, row, status = second_stage(candidates, plan, row, min(floor, value), clock)
    if clock.expired and status.startswith("skipped"):  # its tables may take a second
        return schedule_of_row(candidates, plan, row), value, status
    with clock.answering():
        if candidates.parts.plans.begun:
            valued = Tabulated(candidates, plan)
        else:  # stopped before the tables of all plans
            valued = Tabulated(candidates.of_plans([plan]), PlanId(0))
        claimed = float(valued.value(row[None, :])[0])
    return schedule_of_row(candidates, plan, row), claimed, status
