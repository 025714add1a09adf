"""The one MILP, refined until its bound and the judge meet (`--method single`).

Every programme is a relaxation: bands use their best value, tangents lie above the curves,
loads of shared days are missing until they matter. So its bound is a bound of the case. The
judge values each answer; where programme and judge differ, the programme is refined at that
point and solved again.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.answer import Answer
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.flows import flows_of
from abscopt.optimizer.candidates.reduction import restricted
from abscopt.optimizer.programme.build import Data, build, data_of
from abscopt.optimizer.programme.cuts import excess_cuts, excluded_choice, excluded_set, schedule_of
from abscopt.optimizer.programme.matrix import chosen, matrix_of, value_at
from abscopt.optimizer.programme.refinement import (
    LEAST_EFFECT,
    Refinement,
    first_pairs,
    first_refinement,
)
from abscopt.optimizer.programme.start import Choice, choice_of, point_of
from abscopt.optimizer.solver import SolverError, canary, solve_matrix

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.reduction import Kept, Step
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Evaluation, Judge
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.schedule import Schedule
    from abscopt.optimizer.solver import Matrix, Outcome

MOST_COEFFICIENTS = 1_000_000
MOST_PAIRS = 3_000_000
MOST_ROUNDS = 500
EXACT_TOLERANCE = 1e-4
OBJECTIVE_SCALE = 100.0


def solver_margin(gap: float) -> float:
    """Added to the solver's bound, whose rows may be exceeded by its feasibility tolerance.

    1e-7 covers the errors seen (2e-8); less where a smaller gap is asked for.
    """
    return min(1e-7, gap / 4)


class Engine(Protocol):
    """Another solver; `data`, `model` and `position` tell what rows and columns mean."""

    def __call__(
        self,
        matrix: Matrix,
        *,
        data: Data,
        model: Any,
        position: dict[int, int],
        absolute_gap: float,
        time_limit: float | None,
        threads: int,
        seed: int,
    ) -> Outcome:
        """Maximize the programme."""
        ...


@dataclass
class ProgrammeAnswer(Answer):
    """What the programme found, and how.

    `data` states the last programme; `reductions` says what was dropped before the first one;
    `floor` bounds what was dropped; `solver_seconds` is wall time inside the solver.
    """

    rounds: int = 0
    data: Data | None = None
    floor: float = -math.inf
    reductions: tuple[Step, ...] = ()
    solver_seconds: list[float] = field(default_factory=list)


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
) -> ProgrammeAnswer:
    """Solve one case as one MILP; raises InputError if it is too large for that.

    Parameters
    ----------
    by_day : state the days of a free course even where they do not matter
    kept : pairs of plan and course that reductions left; they are chosen as pairs, without bands
    start : a feasible schedule known before: the answer is at least as good, and the programme is
        refined there first
    begin : whether the solver begins at `start`
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
        candidates, kept = restricted(candidates, kept)
    if start is not None:
        _take(judge, answer, start)
    if _late(clock):
        return answer
    columns = columns_of(candidates, by_day=by_day, kept=kept)
    answer.columns = len(columns)
    refinement = _first(candidates, columns, kept)
    choice = None
    if start is not None:
        choice = choice_of(candidates, columns, start)
        data = data_of(candidates, columns, refinement, kept)
        refinement = _refined_at(candidates, judge, data, choice, start)
    for _ in range(MOST_ROUNDS):
        if clock.expired:
            return answer
        data = data_of(candidates, columns, refinement, kept)
        point = choice if begin else None
        refined = _round(candidates, judge, data, gap, seed, threads, clock, answer, engine, point)
        if refined is None:
            return answer
        if columns.counted and refined.cuts:  # a tolerance: counts cannot be cut off
            return solve_single(
                candidates, judge, gap, seed, threads, clock, engine,
                by_day=True, start=start, begin=begin,
            )  # fmt: skip
        refinement = refined
    raise SolverError(f"no end after {MOST_ROUNDS} refinements")


def _late(clock: Clock) -> bool:
    return clock.expired


def _first(candidates: Candidates, columns: Columns, kept: Kept | None) -> Refinement:
    """The first approximation: bands, or pairs where reductions went before."""
    instance = candidates.instance
    if kept is None or instance.objective.kind == "tumor_bed":
        active = tuple(
            s
            for s in flows_of(candidates, columns)
            if instance.lesions[s].immune_active(instance.immune)
        )
        return first_refinement(instance, columns, active)
    chemo = candidates.plan_effects.chemotherapy_log_loss
    losses = []
    for extreme, closed in ((np.min, np.inf), (np.max, -np.inf)):
        loss = np.where(columns.allowed, columns.loss, closed)
        own = [extreme(loss[:, columns.lesion == s], axis=1) for s in range(len(instance.lesions))]
        losses.append(np.sum(own, axis=0) + chemo)
    blank = Refinement(bands=(), effects=(), gains=(1.0,))
    return first_pairs(
        len(candidates.plans),
        [len(lesion.populations) for lesion in instance.lesions],
        data_of(candidates, columns, blank, kept).effect_range,
        (losses[0], losses[1]),
        instance.immune.effect_maximum_nats,
    )


def _take(judge: Judge, answer: ProgrammeAnswer, schedule: Schedule) -> None:
    """A schedule that is known before."""
    verdict = judge.evaluate(schedule)
    answer.take(schedule, verdict)


def _refined_at(
    candidates: Candidates, judge: Judge, data: Data, choice: Choice | None, start: Schedule
) -> Refinement:
    """Exact at a known schedule, if it is one of those offered and feasible."""
    verdict = judge.evaluate(start)
    if choice is None or not verdict.feasible:
        return data.refinement
    return _exact_at(data, *choice, verdict)


def _refuse_huge(candidates: Candidates) -> None:
    courses = sum(len(table.menu) for table in candidates.lesions)
    size = courses * len(candidates.plans) * len(candidates.instance.horizon_days)
    if size > MOST_COEFFICIENTS:
        rule = f"--method single holds at most {MOST_COEFFICIENTS} coefficients; use --method auto"
        value = f"{courses} courses x {len(candidates.plans)} plans"
        raise InputError([Problem(candidates.instance.name, "method", value, rule)])


def _refuse_many(candidates: Candidates, kept: Kept) -> None:
    if kept.count > MOST_PAIRS:
        rule = (
            f"--method single holds at most {MOST_PAIRS} pairs of plan and course after reduction"
        )
        rule += "; use --method auto"
        value = f"{kept.count} pairs"
        raise InputError([Problem(candidates.instance.name, "method", value, rule)])


def _round(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    gap: float,
    seed: int,
    threads: int,
    clock: Clock,
    answer: ProgrammeAnswer,
    engine: Engine | None,
    begin: Choice | None,
) -> Refinement | None:
    """Solve one programme and judge it; the next refinement, or None when done."""
    model = build(data)
    matrix, position = matrix_of(model)
    answer.data = data
    started = time.perf_counter()
    if engine is None:
        point = None if begin is None else point_of(data, model, matrix, position, begin)
        outcome = _highs(matrix, gap / 4, seed, threads, clock, answer, point)
    else:
        outcome = engine(
            matrix,
            data=data,
            model=model,
            position=position,
            absolute_gap=gap / 4,
            time_limit=clock.remaining,
            threads=threads,
            seed=seed,
        )
    answer.solver_seconds.append(time.perf_counter() - started)
    answer.rounds += 1
    answer.nodes += outcome.nodes
    if outcome.ending == "infeasible":
        answer.infeasible = answer.schedule is None
        answer.bound = None if answer.schedule is None else max(answer.value, answer.floor)
        return None
    if outcome.bound is not None:
        bound = outcome.bound + solver_margin(gap)
        answer.bound = max(
            bound if answer.bound is None else min(bound, answer.bound), answer.value, answer.floor
        )
    if outcome.x is None:
        return None
    picked, pair = chosen(model, position, outcome.x)
    plan = data.refinement.bands[pair][0]
    schedule = schedule_of(candidates, data.columns, picked, plan)
    verdict = judge.evaluate(schedule)
    answer.take(schedule, verdict)
    if schedule == answer.schedule and outcome.objective is not None:
        answer.relaxation_error = outcome.objective - verdict.objective
    _told(clock, answer, answer.bound)
    if answer.bound is not None and answer.bound - answer.value <= gap:
        return None
    if outcome.ending == "limit":
        return None
    excess = {i: value_at(model.excess[i], position, outcome.x) for i in model.excess}
    refined = _refined(candidates, judge, data, picked, plan, verdict, excess)
    if refined == data.refinement:
        if answer.relaxation_error > EXACT_TOLERANCE * max(1.0, abs(answer.value)):
            raise SolverError("programme and judge disagree where the programme is exact")
        return None
    return refined


def _highs(
    matrix: Matrix,
    gap: float,
    seed: int,
    threads: int,
    clock: Clock,
    answer: ProgrammeAnswer,
    start: NDArray[np.float64] | None,
) -> Outcome:
    """Maximize with HiGHS, the objective scaled up.

    HiGHS 1.16 drops branches that promise less than its feasibility tolerance (1e-6) above the
    incumbent, and then reports the incumbent as the bound.
    """

    def told(_: float | None, bound: float | None) -> bool:
        return _told(clock, answer, None if bound is None else bound / OBJECTIVE_SCALE)

    outcome = solve_matrix(
        replace(matrix, cost=matrix.cost * OBJECTIVE_SCALE, offset=matrix.offset * OBJECTIVE_SCALE),
        absolute_gap=gap * OBJECTIVE_SCALE,
        time_limit=clock.remaining,
        threads=threads,
        seed=seed,
        listener=told,
        start=start,
    )
    objective, bound = (
        None if value is None else value / OBJECTIVE_SCALE
        for value in (outcome.objective, outcome.bound)
    )
    return replace(outcome, objective=objective, bound=bound)


def _told(clock: Clock, answer: ProgrammeAnswer, bound: float | None) -> bool:
    known = [value for value in (bound, answer.bound) if value is not None]
    value = None if answer.evaluation is None else answer.value
    clock.report("programme", value, min(known) if known else None)
    return clock.expired


def _refined(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    picked: list[int],
    plan: int,
    verdict: Evaluation,
    excess: dict[int, float],
) -> Refinement:
    """Exact at the judged point; or without it, if it breaks a limit."""
    if not verdict.feasible:
        if verdict.broken_rules:
            raise SolverError(f"the programme broke a rule: {verdict.broken_rules[0]}")
        limits = {limit.name for limit in candidates.instance.limits}
        if limits.isdisjoint(verdict.broken_limits):  # a demand, missed within an approximation
            cut = excluded_choice(data, picked, plan)
            refined = _exact_at(data, picked, plan, verdict)
            return replace(refined, cuts=(*refined.cuts, cut))
        cut = excluded_set(candidates, judge, data, picked, plan)
        return replace(data.refinement, cuts=(*data.refinement.cuts, cut))
    refined = _exact_at(data, picked, plan, verdict)
    cuts = excess_cuts(candidates, judge, data, picked, plan, verdict, excess)
    return replace(refined, cuts=(*refined.cuts, *cuts))


def _exact_at(data: Data, picked: list[int], plan: int, verdict: Evaluation) -> Refinement:
    """Bands, tangents and break points at one feasible schedule."""
    losses = [
        float(sum(data.columns.loss[plan, j] for j in picked if data.columns.lesion[j] == s))
        for s in data.lesions
    ]
    total = sum(losses)
    effects = [float(z) for z in verdict.immune["unsaturated_effect_nats"]]
    refined = data.refinement
    if refined.paired:
        whole = math.exp(total + float(data.chemo[plan]))
        refined = refined.with_gains([max(z, LEAST_EFFECT) * whole for z in effects])
    else:
        refined = refined.with_losses(plan, total, {s: total - losses[s] for s in data.free})
    return refined.with_point(
        effects,
        np.array([lesion.log_burden for lesion in verdict.lesions]),
        [np.array(lesion.clone_log_burden).T for lesion in verdict.lesions],
    )
