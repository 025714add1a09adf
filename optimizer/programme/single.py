"""The one MILP, refined until its bound and the judge meet (`--method single`).

Every programme is a relaxation: bands use their best value, tangents lie above the curves,
loads of shared days are missing until they matter. So its bound is a bound of the case. The
judge values each answer; where programme and judge differ, the programme is refined at that
point and solved again.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.candidates.columns import Columns, columns_of
from abscopt.optimizer.programme.build import Data, build, data_of
from abscopt.optimizer.programme.matrix import chosen, matrix_of
from abscopt.optimizer.programme.refinement import Refinement, first_refinement
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule
from abscopt.optimizer.solver import SolverError, canary, solve_matrix

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Evaluation, Judge
    from abscopt.optimizer.progress import Clock

MOST_COEFFICIENTS = 1_000_000
MOST_ROUNDS = 500
MEMBERS_TRIED = 4000
EXACT_TOLERANCE = 1e-4


def solver_margin(gap: float) -> float:
    """Added to the solver's bound, whose rows may be exceeded by its feasibility tolerance.

    1e-7 covers the errors seen (2e-8); less where a smaller gap is asked for.
    """
    return min(1e-7, gap / 4)


@dataclass
class Answer:
    """Best judged schedule and proven bound of the programme; None when absent.

    `relaxation_error` is what bands and tangents added to the value of the best schedule.
    """

    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    bound: float | None = None
    infeasible: bool = False
    nodes: int = 0
    columns: int = 0
    rounds: int = 0
    relaxation_error: float = 0.0

    @property
    def value(self) -> float:
        """Objective in hand; -inf without a schedule."""
        return -math.inf if self.evaluation is None else self.evaluation.objective


def solve_single(
    candidates: Candidates, judge: Judge, gap: float, seed: int, threads: int, clock: Clock
) -> Answer:
    """Solve one case as one MILP; raises InputError if it is too large for that."""
    canary()
    answer = Answer()
    if not candidates.plans:
        answer.infeasible = True
        return answer
    _refuse_huge(candidates)
    columns = columns_of(candidates)
    answer.columns = len(columns)
    refinement = first_refinement(candidates.instance, columns)
    for _ in range(MOST_ROUNDS):
        if clock.expired:
            return answer
        data = data_of(candidates, columns, refinement)
        refined = _round(candidates, judge, data, gap, seed, threads, clock, answer)
        if refined is None:
            return answer
        refinement = refined
    raise SolverError(f"no end after {MOST_ROUNDS} refinements")


def _refuse_huge(candidates: Candidates) -> None:
    courses = sum(len(table.menu) for table in candidates.lesions)
    size = courses * len(candidates.plans) * len(candidates.instance.horizon_days)
    if size > MOST_COEFFICIENTS:
        rule = f"--method single holds at most {MOST_COEFFICIENTS} coefficients; use --method auto"
        value = f"{courses} courses x {len(candidates.plans)} plans"
        raise InputError([Problem(candidates.instance.name, "method", value, rule)])


def _round(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    gap: float,
    seed: int,
    threads: int,
    clock: Clock,
    answer: Answer,
) -> Refinement | None:
    """Solve one programme and judge it; the next refinement, or None when done."""
    model = build(data)
    matrix, position = matrix_of(model)
    outcome = solve_matrix(
        matrix,
        absolute_gap=gap / 4,
        time_limit=clock.remaining,
        threads=threads,
        seed=seed,
        listener=lambda _, bound: _told(clock, answer, bound),
    )
    answer.rounds += 1
    answer.nodes += outcome.nodes
    if outcome.ending == "infeasible":
        answer.infeasible = answer.schedule is None
        answer.bound = None if answer.schedule is None else answer.value
        return None
    if outcome.bound is not None:
        bound = outcome.bound + solver_margin(gap)
        answer.bound = max(
            bound if answer.bound is None else min(bound, answer.bound), answer.value
        )
    if outcome.x is None:
        return None
    picked, pair = chosen(model, position, outcome.x)
    plan = data.refinement.bands[pair][0]
    schedule = schedule_of(candidates, data.columns, picked, plan)
    verdict = judge.evaluate(schedule)
    if verdict.feasible and verdict.objective > answer.value:
        answer.schedule, answer.evaluation = schedule, verdict
    if schedule == answer.schedule and outcome.objective is not None:
        answer.relaxation_error = outcome.objective - verdict.objective
    _told(clock, answer, answer.bound)
    if answer.bound is not None and answer.bound - answer.value <= gap:
        return None
    if outcome.ending == "limit":
        return None
    refined = _refined(candidates, judge, data, picked, plan, verdict)
    if refined == data.refinement:
        if answer.relaxation_error > EXACT_TOLERANCE * max(1.0, abs(answer.value)):
            raise SolverError("programme and judge disagree where the programme is exact")
        return None
    return refined


def _told(clock: Clock, answer: Answer, bound: float | None) -> bool:
    known = [value for value in (bound, answer.bound) if value is not None]
    value = None if answer.evaluation is None else answer.value
    clock.report("programme", value, min(known) if known else None)
    return clock.expired


def schedule_of(candidates: Candidates, columns: Columns, picked: list[int], plan: int) -> Schedule:
    """Schedule of chosen columns and one plan."""
    instance = candidates.instance
    tables = {table.menu.lesion: table for table in candidates.lesions}
    fractions: list[Fraction] = []
    for j in picked:
        lesion = int(columns.lesion[j])
        name = instance.lesions[lesion].name
        if columns.course[j] < 0:
            fractions.append(Fraction(int(columns.day[j]), name, float(columns.dose[j])))
        else:
            fractions += tables[lesion].menu.course(int(columns.course[j]), name)
    doses = [Infusion(day, drug, mg) for drug, day, mg in candidates.plans[plan].doses]
    return Schedule.of(fractions, doses)


def _refined(
    candidates: Candidates,
    judge: Judge,
    data: Data,
    picked: list[int],
    plan: int,
    verdict: Evaluation,
) -> Refinement:
    """Exact at the judged point; or without it, if it breaks a limit."""
    if not verdict.feasible:
        if verdict.broken_rules:
            raise SolverError(f"the programme broke a rule: {verdict.broken_rules[0]}")
        cut = _excluded_set(candidates, judge, data.columns, picked, plan)
        return replace(data.refinement, excluded=(*data.refinement.excluded, cut))
    loss = float(sum(data.columns.loss[plan, j] for j in picked))
    effects = [float(z) for z in verdict.immune["unsaturated_effect_nats"]]
    burdens = [float(u) for lesion in verdict.lesions for u in lesion.log_burden]
    return data.refinement.with_point(plan, loss, effects, burdens)


def _excluded_set(
    candidates: Candidates, judge: Judge, columns: Columns, picked: list[int], plan: int
) -> tuple[tuple[int, ...], ...]:
    """Columns that break a limit together: a smallest such choice, widened for one lesion.

    Loads only grow with more fractions, so whatever contains the smallest choice breaks the
    limit too. The widened group holds every other column of one lesion (or day) that breaks a
    limit with the rest of the choice.
    """

    organ_limits = {limit.name for limit in candidates.limits}

    def broken(choice: list[int]) -> bool:
        verdict = judge.evaluate(schedule_of(candidates, columns, choice, plan))
        return not organ_limits.isdisjoint(verdict.broken_limits)

    core = [j for j in picked if columns.fractions[j] > 0]
    if not broken(core):
        raise SolverError("the programme broke a limit that it states exactly")
    for j in list(core):
        rest = [other for other in core if other != j]
        if broken(rest):
            core = rest
    groups: list[tuple[int, ...]] = [(j,) for j in core]
    last, rest = core[-1], core[:-1]
    same = np.flatnonzero(
        (columns.lesion == columns.lesion[last])
        & (columns.day == columns.day[last])
        & (columns.fractions > 0)
    )
    near = itertools.islice((int(j) for j in same), MEMBERS_TRIED)
    groups[-1] = tuple(j for j in near if j == last or broken([*rest, j]))
    if last not in groups[-1]:
        groups[-1] = (*groups[-1], last)
    return tuple(groups)
