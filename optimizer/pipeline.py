"""The whole path: candidates -> bound -> programme or search -> schedule -> judge -> result.

The programme is imported where it is needed: Pyomo takes half a second to load.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from abscopt.instances.load import case_of
from abscopt.optimizer.assurance import ways
from abscopt.optimizer.assurance.improved import with_lesions_added
from abscopt.optimizer.assurance.known import Known
from abscopt.optimizer.assurance.known_at_once import without_tables
from abscopt.optimizer.assurance.undoubted import Way, no_worse, undoubted
from abscopt.optimizer.audit import answer_notes, case_audit
from abscopt.optimizer.candidates.ceilings import ceiling_of_case
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Evaluation, Judge
from abscopt.optimizer.feasibility.oracle import proved_infeasible
from abscopt.optimizer.highs.solver import SolverError, solver_version
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.programme.data import can_state, refuse_unstated
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.results.result import Certificate, Result, ResultStatus, SolverRun
from abscopt.optimizer.schedule import (
    Schedule,
    given_schedule,
    read_schedule,
    resumed_schedule,
    standard_schedule,
)
from abscopt.optimizer.search.free.scope import applies
from abscopt.optimizer.solved import JUDGE_TOLERANCE, Solved

if TYPE_CHECKING:
    from pathlib import Path

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.crosscheck.engines import Engine

Method = Literal["auto", "single"]

SEARCH_FORM = "exact in every schedule that was compared"
FREE_FORM = (
    "exact in every schedule that was compared; bounded by lesion and day, where partial courses "
    "that are joined count as the best of them"
)
_TANGENTS = "bounded by tangents, refined until bound and judge meet"
PROGRAMME_FORMS = {
    "default": _TANGENTS,
    "log_control": _TANGENTS,
    "expected_control": "bounded by tangents and chords, refined until bound and judge meet",
    "log_kill": "exact in the burden; saturation bounded by tangents, refined likewise",
    "tumor_bed": "exact",
}
TOGETHER = (
    "of the courses that load least no choice keeps them (abscopt explain says which contradict "
    "each other, and what would mend it)"
)
OTHER_ENGINES = ("scip", "cbc", "glpk")
"""Asked where HiGHS is refuted, in this order; those without a limit on size."""


@raises_interrupted
def solve(
    case: Instance | str | Path,
    *,
    gap: float | None = None,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    method: Method = "auto",
    listener: Listener | None = None,
    start: Schedule | None = None,
    memory: Memory | None = None,
    brief: bool = False,
    judge: Judge | None = None,
) -> Result:
    """Best schedule of a case, judged, with a proven bound.

    Parameters
    ----------
    case : a case, the name of a bundled one, or a path
    gap : absolute, in the objective's unit; the case's own if None
    time_limit : seconds from this call; then the best schedule so far has its true bound
    method : `auto` (exact search, or the programme for free courses that it does not cover), or
        `single` (one MILP)
    start : a schedule to begin with; where it is feasible, the answer is at least as good
    memory : what solves of related cases left; the search uses it and adds to it
    brief : one of many points: the search alone takes the whole gap, without a second stage, notes
        on the answer, and cheap schedules that its bound is held against
    judge : of the case, which keeps its latest verdicts; a new one if None

    Raises
    ------
    InputError
        If there is no such case, the start names what it does not have, or the method does not
        cover it.
    """
    instance = case_of(case)
    if method == "single":
        refuse_unstated(instance)
    clock = Clock(time_limit, listener)
    if start is not None:
        start = read_schedule(start.to_json(instance), instance, "start")
    wanted = instance.objective.gap if gap is None else gap
    judge, audit = judge or Judge(instance), case_audit(instance)
    with clock.running("preparing"):
        if audit.infeasible is not None:
            solved = _without_search(audit.infeasible.text)
        else:
            memory = memory or Memory()
            solved = _solved(
                instance, judge, wanted, threads, seed, method, clock, start, memory, brief
            )
            bound = _true_bound(instance, solved)
            solved = with_lesions_added(judge, audit.alone, solved, bound, wanted)
        evaluation = _judged(judge, solved)
        result = _result(instance, judge, solved, evaluation, wanted, method, seed, clock)
        notes = audit.notes if brief else answer_notes(judge, audit, result)
        return replace(result, notes=notes, case=instance)


def _without_search(reason: str) -> Solved:
    """Infeasible by what the lesions can receive alone."""
    return Solved(infeasible=True, reason=reason)


def _solved(
    instance: Instance,
    judge: Judge,
    gap: float,
    threads: int,
    seed: int,
    method: Method,
    clock: Clock,
    start: Schedule | None,
    memory: Memory,
    brief: bool,
) -> Solved:
    if clock.expired:
        return Solved()
    in_reserve = _in_reserve(instance, judge, start)
    if in_reserve is not None:
        clock.report("schedule in hand", in_reserve[1], None)
    try:
        solved = _begun(
            instance,
            judge,
            gap,
            threads,
            seed,
            method,
            clock,
            start,
            memory,
            in_reserve,
            brief,
        )
    except Stopped:
        solved = no_worse(Solved(), in_reserve)
    if solved.schedule is None and not solved.infeasible:
        solved = no_worse(solved, without_tables(instance, judge))
    return solved


def _begun(
    instance: Instance,
    judge: Judge,
    gap: float,
    threads: int,
    seed: int,
    method: Method,
    clock: Clock,
    start: Schedule | None,
    memory: Memory,
    in_reserve: tuple[Schedule, float] | None,
    brief: bool,
) -> Solved:
    candidates = Candidates(instance) if method == "single" else memory.candidates(instance)
    by_search = method == "auto" and not candidates.free
    remembered = memory.schedules[:1] if brief else memory.schedules
    given = [schedule for schedule in (start, *remembered) if schedule is not None]

    def first(known: Known | None) -> Solved:
        if method == "auto" and known is None and proved_infeasible(instance, clock, seed):
            return Solved(infeasible=True, reason=TOGETHER)
        if by_search:
            return ways.by_search(candidates, gap, seed, clock, known, given, memory, brief)
        if method == "auto" and applies(candidates):
            from abscopt.optimizer.search.free.explore import solve_free

            return solve_free(candidates, judge, gap / 2, seed, clock)
        return ways.by_programme(candidates, judge, gap, threads, seed, clock, known)

    def other(known: Known | None, engine: Engine | None) -> Solved:
        return ways.by_programme(
            candidates, judge, gap, threads, seed, clock, known, presolve=False, engine=engine
        )

    def in_turn() -> Iterator[Way]:
        yield _name(method, candidates), first
        if not can_state(instance):
            return
        yield "HiGHS without presolve", lambda known: other(known, None)
        engine = _other_engine()  # asking what is installed takes half a second
        if engine is not None:
            yield engine.name, lambda known: other(known, engine)

    aided = not (brief and by_search)
    solved = undoubted(candidates, judge, in_turn(), in_reserve, gap, seed, clock, aided)
    if by_search:
        memory.remember(instance, solved.schedule, solved.bound)
    return solved


def _name(method: Method, candidates: Candidates) -> str:
    """What solves a case in the first place."""
    if method == "auto" and not candidates.free:
        return "search"
    return "free search" if method == "auto" and applies(candidates) else "HiGHS"


def _other_engine() -> Engine | None:
    """An installed solver other than HiGHS that states bounds of its own."""
    from abscopt.optimizer.crosscheck.engines import ENGINES

    installed = (ENGINES[key] for key in OTHER_ENGINES)
    return next((engine for engine in installed if engine.version is not None), None)


def _in_reserve(
    instance: Instance, judge: Judge, start: Schedule | None
) -> tuple[Schedule, float] | None:
    """The better of start and standard regimen with its objective; None if neither is feasible."""
    known = [
        (schedule, judge.evaluate(schedule))
        for schedule in (start, *_known_from_the_start(instance))
        if schedule is not None
    ]
    feasible = [(schedule, verdict.objective) for schedule, verdict in known if verdict.admissible]
    return max(feasible, key=lambda pair: pair[1], default=None)


def _known_from_the_start(instance: Instance) -> tuple[Schedule | None, ...]:
    """The standard regimen; of a treatment that has begun its plan resumed, and no more of it."""
    if instance.delivered is None:
        return (standard_schedule(instance),)
    return resumed_schedule(instance), given_schedule(instance)


def _judged(judge: Judge, solved: Solved) -> Evaluation | None:
    """The judge's verdict; a claim it does not share is our failure, not an answer."""
    if solved.schedule is None or solved.claimed is None:
        return None
    verdict = judge.evaluate(solved.schedule)
    if not verdict.admissible:
        reasons = [*verdict.obstacles, *verdict.broken_limits]
        raise SolverError(f"the judge rejects the schedule: {', '.join(reasons)}")
    if abs(verdict.objective - solved.claimed) > JUDGE_TOLERANCE * max(1.0, abs(solved.claimed)):
        raise SolverError(f"claimed {solved.claimed!r}, the judge finds {verdict.objective!r}")
    return verdict


def _result(
    instance: Instance,
    judge: Judge,
    solved: Solved,
    evaluation: Evaluation | None,
    wanted: float,
    method: Method,
    seed: int,
    clock: Clock,
) -> Result:
    objective = None if evaluation is None else evaluation.objective
    bound = _true_bound(instance, solved)
    if objective is not None and bound is not None:
        if bound < objective - solved.tolerance(instance, objective):
            raise SolverError(f"the bound {bound!r} lies below the judged {objective!r}")
        bound = max(bound, objective)
    status: ResultStatus = "unknown"
    if solved.infeasible:
        status = "infeasible"
    elif objective is not None:
        closed = bound is not None and bound - objective <= wanted * (1 + 1e-9)
        status = "optimal" if closed else "feasible"
    standard = standard_schedule(instance)
    return Result(
        instance=instance.name,
        status=status,
        objective=objective,
        bound=bound,
        unit=instance.objective.unit,
        requested_gap=wanted,
        certificate=_certificate(solved, objective, status, instance.objective.kind, clock),
        schedule=solved.schedule,
        evaluation=evaluation,
        standard=None if standard is None else judge.evaluate(standard),
        solver=SolverRun(
            name="HiGHS",
            version=solver_version(),
            method=method,
            seconds=clock.elapsed,
            nodes=solved.nodes,
            columns=solved.columns,
            plans=solved.plans,
            proved_by=solved.proved_by,
        ),
        seed=seed,
    )


def _true_bound(instance: Instance, solved: Solved) -> float | None:
    """What was proved, or what holds for every schedule of the case if that is less.

    A bound that was withdrawn leaves none: the certificate says why.
    """
    if solved.withdrawn:
        return None
    known = math.inf if solved.bound is None else solved.bound
    bound = min(known, ceiling_of_case(instance))
    return None if solved.infeasible or not math.isfinite(bound) else bound


def _certificate(
    solved: Solved, objective: float | None, status: str, kind: str, clock: Clock
) -> Certificate:
    claims = {
        "optimal": "no schedule that the case offers is better than the bound",
        "feasible": _claim_of_feasible(solved, clock),
        "infeasible": "every combination of courses and systemic plans breaks a limit or rule",
        "unknown": "nothing was found and nothing was proved in the time given",
    }
    claim = claims[status] + (f": {solved.reason}" if solved.reason else "")
    errors = {} if objective is None else dict(solved.errors)
    if objective is not None and solved.claimed is not None:
        errors["claimed_minus_judged"] = solved.claimed - objective
    searched = FREE_FORM if solved.by_days else SEARCH_FORM
    form = f"{kind}: {PROGRAMME_FORMS[kind] if solved.by_programme else searched}"
    return Certificate(
        claim,
        errors,
        solved.second_stage,
        solved.best_objective,
        form,
        solved.reductions,
        solved.doubts,
    )


def _rounded_up(gap: float) -> float:
    """The next number of two digits that is no smaller."""
    if gap <= 0.0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(gap)) - 1)
    return math.ceil(gap / unit) * unit


def _claim_of_feasible(solved: Solved, clock: Clock) -> str:
    """What is proved where the gap is open, and why it is."""
    if solved.withdrawn:
        return (
            "nothing is proved: every bound was refuted by a judged schedule or by the solver "
            "itself, and is withdrawn"
        )
    proved = "no schedule that the case offers is better than the bound, if one is given; "
    if solved.least_gap is not None and not clock.expired:
        least = _rounded_up(solved.least_gap)
        return (
            f"{proved}the programme cannot be refined further: {least:g} is the smallest gap that "
            "its margins and the solver's tolerances allow here"
        )
    return f"{proved}the search was stopped before the gap closed"
