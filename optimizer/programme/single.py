"""The one MILP, refined until its bound and the judge meet (`--method single`).

Every programme is a relaxation: bands use their best value, tangents lie above the curves,
loads of shared days are missing until they matter. So its bound is a bound of the case. The
judge values each answer; where programme and judge differ, the programme is refined at that
point and solved again.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.answer import bound_tolerance
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import restricted
from abscopt.optimizer.highs.mip import DoubtError, SolverError
from abscopt.optimizer.highs.solver import canary
from abscopt.optimizer.programme import refining, settings
from abscopt.optimizer.programme.arrays.matrix import chosen, matrix_of, value_at
from abscopt.optimizer.programme.build import build
from abscopt.optimizer.programme.cuts import schedule_of
from abscopt.optimizer.programme.data import Data, data_of
from abscopt.optimizer.programme.proved import ProgrammeAnswer, least_gap
from abscopt.optimizer.programme.refinement import Refinement
from abscopt.optimizer.programme.solving import Engine, How, bounded, report_so_far, solved_once
from abscopt.optimizer.programme.start import Choice, choice_of, point_of
from abscopt.optimizer.progress import Stopped

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.highs.solver import Matrix
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule

EXACT_TOLERANCE = 1e-4


def solve_single(
    candidates: Candidates,
    judge: Judge,
    gap: float,
    seed: int,
    threads: int,
    clock: Clock,
    engine: Engine | None = None,
    *,
    by_day: bool = False,
    kept: Kept | None = None,
    start: Schedule | None = None,
    begin: bool = True,
    presolve: bool | None = None,
) -> ProgrammeAnswer:
    """Solve one case as one MILP; raises InputError if it is too large for that.

    Parameters
    ----------
    by_day : state the days of a free course even where they do not matter
    kept : pairs of plan and course that reductions left; they are chosen as pairs, without bands
    start : a feasible schedule known before: the answer is at least as good, and the programme is
        refined there first
    begin : whether the solver begins at `start`
    presolve : whether HiGHS presolves; None for as `solve_matrix` thinks fit

    Raises
    ------
    DoubtError
        If the solver contradicts itself, or a schedule that the judge knows.
    """
    canary()
    answer = ProgrammeAnswer()
    if not candidates.plans:
        answer.infeasible = True
        return answer
    if kept is None:
        _refuse_huge(candidates)
    else:
        if not clock.expired:
            _refuse_many(candidates, kept)
        answer.bound = kept.bound if math.isfinite(kept.bound) else None
        answer.floor, answer.reductions = kept.floor, kept.steps
        if not len(kept.plans):
            answer.infeasible = True
            return answer
    if start is not None:
        _take(judge, answer, start)
    if not clock.expired:
        with suppress(Stopped):  # what is in the answer holds at any time
            how = How(gap, seed, threads, engine, presolve)
            return _refining(
                candidates, judge, clock, answer, how, by_day, kept, start if begin else None, start
            )
    return answer


def _refining(
    candidates: Candidates,
    judge: Judge,
    clock: Clock,
    answer: ProgrammeAnswer,
    how: How,
    by_day: bool,
    kept: Kept | None,
    begin: Schedule | None,
    start: Schedule | None,
) -> ProgrammeAnswer:
    """Solve and refine until bound and judge meet; see `solve_single`."""
    if kept is not None:
        candidates, kept = restricted(candidates, kept)
    columns = columns_of(candidates, by_day=by_day, kept=kept)
    answer.columns = len(columns)
    refinement = refining.first(candidates, columns, kept)
    choice = None
    if start is not None:
        choice = choice_of(candidates, columns, start)
        data = data_of(candidates, columns, refinement, kept)
        refinement = refining.refined_at(candidates, judge, data, choice, start)
    exact = False
    for _ in range(settings.CURRENT.most_rounds):
        if clock.expired:
            return answer
        data = data_of(candidates, columns, refinement, kept)
        point = None if begin is None else choice
        how = replace(how, exact=exact)
        try:
            refined = _round(candidates, judge, data, clock, answer, how, point)
        except DoubtError as error:
            error.schedule = answer.schedule
            raise
        if refined is None:
            return answer
        if columns.counted and refined.cuts:  # a tolerance: counts cannot be cut off
            return _refining(
                candidates, judge, clock, answer, replace(how, exact=False),
                True, kept, begin, start,
            )  # fmt: skip
        exact, refinement = refined == refinement, refined
    answer.least_gap = least_gap(answer, how.gap)
    return answer


def _take(judge: Judge, answer: ProgrammeAnswer, schedule: Schedule) -> None:
    """A schedule that is known before."""
    verdict = judge.evaluate(schedule)
    answer.take(schedule, verdict)


def _refuse_huge(candidates: Candidates) -> None:
    courses = sum(len(table.menu) for table in candidates.lesions)
    size = courses * len(candidates.plans) * len(candidates.instance.horizon_days)
    allowed = settings.CURRENT.most_coefficients
    if size > allowed:
        rule = f"--method single holds at most {allowed} coefficients; use --method auto"
        value = f"{courses} courses x {len(candidates.plans)} plans"
        raise InputError([Problem(candidates.instance.name, "method", value, rule)])


def _refuse_many(candidates: Candidates, reduction: Kept) -> None:
    allowed = settings.CURRENT.most_pairs
    if reduction.count > allowed:
        rule = f"--method single holds at most {allowed} pairs of plan and course after reduction"
        rule += "; use --method auto"
        value = f"{reduction.count} pairs"
        raise InputError([Problem(candidates.instance.name, "method", value, rule)])


def _round(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    clock: Clock,
    answer: ProgrammeAnswer,
    how: How,
    begin: Choice | None,
) -> Refinement | None:
    """Solve one programme and judge it; the next refinement, or None when done.

    The same refinement where there is none, and the solver has left a part of the gap.
    """
    model = build(data)
    matrix, position = matrix_of(model)
    if not answer.excluded:  # others are to solve the case, not what is left of it
        answer.data = data
    outcome = solved_once(data, model, matrix, position, clock, answer, how, begin)
    if not bounded(answer, outcome, how.gap):
        return None
    if outcome.x is None:
        _believe(candidates, judge.instance, data, model, matrix, position, answer)
        return None
    picked, pair = chosen(model, position, outcome.x)
    plan = data.refinement.bands[pair][0]
    schedule = schedule_of(candidates, data.columns, picked, plan)
    verdict = judge.evaluate(schedule)
    answer.take(schedule, verdict)
    if schedule == answer.schedule and outcome.objective is not None:
        answer.relaxation_error = outcome.objective - verdict.objective
    _believe(candidates, judge.instance, data, model, matrix, position, answer)
    report_so_far(clock, answer, answer.bound, answer.nodes)
    if (answer.gap is not None and answer.gap <= how.gap) or outcome.ending == "limit":
        return None
    excess = {i: value_at(model.excess[i], position, outcome.x) for i in model.excess}
    refined = refining.refined(candidates, judge, data, picked, plan, verdict, excess)
    if refined != data.refinement or not how.exact:
        return refined
    claimed = -math.inf if outcome.objective is None else outcome.objective
    if claimed - verdict.objective > EXACT_TOLERANCE * max(1.0, abs(verdict.objective)):
        raise SolverError("programme and judge disagree where the programme is exact")
    # Counts cannot be excluded; every bound of another engine is to hold for the whole case.
    apart = how.engine is None and verdict.admissible and not data.columns.counted
    # Where the floor of what was dropped is the bound, no choice that is left can lower it.
    useful = answer.bound is not None and answer.bound > answer.floor
    if apart and useful and answer.excluded < settings.CURRENT.most_excluded:
        answer.excluded += 1
        answer.floor = max(answer.floor, verdict.objective)
        answer.relaxation_error = 0.0
        return refining.set_apart(data, picked, plan)
    answer.least_gap = least_gap(answer, how.gap)
    return None


def _believe(
    candidates: Candidates,
    instance: Instance,
    data: Data,
    model: Any,
    matrix: Matrix,
    position: dict[int, int],
    answer: ProgrammeAnswer,
) -> None:
    """Compare the bound with the schedule in hand.

    Raises
    ------
    SolverError
        If it lies below by more than rows may, and the programme itself values that schedule below
        the judge: its coefficients are wrong, and no other solver would help.
    DoubtError
        If the programme values it rightly.
    """
    if answer.bound is None or answer.schedule is None:
        return
    tolerance = bound_tolerance(instance, answer.value)
    if answer.bound >= answer.value - tolerance:
        answer.bound = max(answer.bound, answer.value)
        return
    choice = choice_of(candidates, data.columns, answer.schedule)
    if choice is not None:
        point = point_of(data, model, matrix, position, choice)
        worth = -math.inf if point is None else float(matrix.cost @ point) + matrix.offset
        if worth < answer.value - tolerance:
            raise SolverError(
                f"programme and judge disagree: {worth!r} and {answer.value!r} for one schedule"
            )
    raise DoubtError(f"the solver's bound {answer.bound!r} lies below the judged {answer.value!r}")
