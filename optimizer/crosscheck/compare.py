"""One case through several solvers: every answer recomputed, judged and held against another.

`find` refines and solves the case with one engine, `verdict` compares two findings. A
`Transform` may change the arrays an engine receives, to see that a wrong programme is noticed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from abscopt.instances.load import InputError
from abscopt.optimizer.crosscheck.engines import Solve
from abscopt.optimizer.crosscheck.handover.naming import Programme, activities, named_programme
from abscopt.optimizer.crosscheck.handover.reduced import assumptions, stated
from abscopt.optimizer.crosscheck.solvers.answers import SizeLicence
from abscopt.optimizer.differences import excess
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import Matrix, Outcome
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.programme.proved import ProgrammeAnswer, solver_margin
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock, Listener, Stopped

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.crosscheck.engines import Engine
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.programme.data import Data
    from abscopt.optimizer.schedule import Schedule

Transform = Callable[[Programme], Matrix]
Agreement = Literal["agree", "within_gap", "disagree", "limit"]
Status = Literal[
    "optimal", "feasible", "infeasible", "unknown", "too_large", "size_licence",
    "not_installed", "error", "breaks_limits",
]  # fmt: skip

SAME = 1e-6
ROW_TOLERANCE = 2e-6
CLAIM_TOLERANCE = 1e-6


class Mismatch(RuntimeError):
    """A solver's answer is not what the programme says."""


@dataclass(frozen=True)
class Finding:
    """What one solver (or file) says of one case; absent values are None.

    Attributes
    ----------
    source : `file` (a result), `schedule` (a file that claims nothing of this case), `solved` (the
        search of this package) or `solver`
    claimed_bound : least bound it gave; no judged schedule of the case may lie above it
    message : why there is no answer, or what is wrong with it
    assumes : what was dropped before the programme was stated, in sentences
    """

    source: Literal["file", "schedule", "solved", "solver"]
    solver: str
    name: str
    version: str | None
    status: Status
    schedule: Schedule | None = None
    evaluation: Evaluation | None = None
    bound: float | None = None
    claimed_bound: float | None = None
    seconds: float | None = None
    nodes: int | None = None
    message: str = ""
    assumes: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """Judged objective of a schedule that keeps every limit and rule."""
        feasible = self.evaluation is not None and self.evaluation.admissible
        return self.evaluation.objective if self.evaluation is not None and feasible else None

    @property
    def gap(self) -> float | None:
        """Bound minus judged objective."""
        return excess(self.bound, self.value)


@dataclass(frozen=True)
class Verdict:
    """How a finding compares with the reference."""

    verdict: Agreement
    reason: str


def find(
    instance: Instance,
    engine: Engine,
    *,
    gap: float | None = None,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    transform: Transform | None = None,
    listener: Listener | None = None,
) -> Finding:
    """Solve a case as one MILP with one engine, and judge the answer.

    Parameters
    ----------
    gap : absolute, in the objective's unit; the case's own if None
    transform : changes the arrays of every programme before the engine receives them; its
        answers are still held against the true ones
    """
    blank = Finding("solver", engine.key, engine.name, engine.version, "not_installed")
    if blank.version is None:
        return replace(blank, message=f"not installed: {engine.install}")
    wanted = instance.objective.gap if gap is None else gap
    clock = Clock(time_limit, listener)
    if clock.interrupted:
        return replace(blank, status="unknown", message="interrupted")
    try:
        with clock.running("programme"):
            recomputed = _Recomputed(engine.solve, transform)
            candidates, kept, _ = stated(instance, wanted / 2, seed, clock)
            part = wanted if kept is None else wanted / 2  # the other half is what was dropped
            answer = solve_single(
                candidates, Judge(instance), part, seed, threads, clock, engine=recomputed,
                kept=kept,
            )  # fmt: skip
    except Stopped:
        what = replace(blank, status="unknown", message="nothing found in the time given")
    except SizeLicence as error:
        what = replace(blank, status="size_licence", message=f"over its size licence: {error}")
    except InputError as error:
        what = replace(blank, status="too_large", message=error.problems[0].rule)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        what = replace(blank, status="error", message=text)
    else:
        what = _finding(blank, answer, recomputed, wanted, instance.objective.unit)
    return replace(what, seconds=clock.elapsed)


def find_by_search(
    instance: Instance,
    *,
    gap: float | None = None,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    listener: Listener | None = None,
) -> Finding:
    """Solve a case as `abscopt solve` does."""
    from importlib.metadata import version

    blank = Finding("solved", "abscopt", "abscopt", version("abscopt"), "error")
    start = time.perf_counter()
    try:
        result = solve(
            instance, gap=gap, time_limit=time_limit, threads=threads, seed=seed, listener=listener
        )
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return replace(blank, message=text, seconds=time.perf_counter() - start)
    return replace(
        blank,
        status=result.status,
        schedule=result.schedule,
        evaluation=result.evaluation,
        bound=result.bound,
        claimed_bound=result.bound,
        seconds=result.solver.seconds,
        nodes=result.solver.nodes,
    )


def verdict(answer: Finding, reference: Finding, gap: float) -> Verdict:
    """Whether two findings of one case can both be right, and how close they are."""
    for finding in (answer, reference):
        if wrong := _wrong_by_itself(finding):
            return Verdict("disagree", f"{finding.name}: {wrong}")
    for solved, proved in ((answer, reference), (reference, answer)):
        if wrong := _wrong_together(solved, proved):
            return Verdict("disagree", wrong)
    for finding in (answer, reference):
        if finding.status not in ("optimal", "infeasible"):
            return Verdict("limit", f"{finding.name}: {finding.message or finding.status}")
    if answer.value is None or reference.value is None:
        return Verdict("agree", "both proved that nothing is feasible")
    if _same(answer.value, reference.value):
        return Verdict("agree", "both proved the same judged objective")
    apart = abs(answer.value - reference.value)
    if apart <= gap * (1 + SAME) + SAME * max(1.0, abs(answer.value)):
        return Verdict("within_gap", f"judged objectives {apart:.3g} apart, within the gap")
    return Verdict("disagree", f"judged objectives {apart:.3g} apart, more than the gap {gap:g}")


def refutation(schedule: Finding, reference: Finding) -> Verdict | None:
    """`disagree` where a judged schedule shows that the reference is wrong, else None."""
    wrong = _wrong_together(schedule, reference)
    return Verdict("disagree", wrong) if wrong else None


def schedule_difference(schedule: Schedule | None, reference: Schedule | None) -> dict[str, Any]:
    """Fractions and infusions that only one of two schedules has, and how many there are."""
    mine, theirs = _events(schedule), _events(reference)
    only_here, only_there = (
        [f"day {day}: {what}" for day, what in sorted(events.elements())]
        for events in (mine - theirs, theirs - mine)
    )
    return {
        "count": len(only_here) + len(only_there),
        "only_here": only_here,
        "only_in_reference": only_there,
    }


def scaled(programme: Programme, row: int, column: int, factor: float) -> Matrix:
    """Arrays with one coefficient multiplied; a `Transform` for tests."""
    matrix = programme.matrix
    value = matrix.value.copy()
    entries = np.arange(matrix.start[row], matrix.start[row + 1])
    value[entries[matrix.index[entries] == column]] *= factor
    return replace(matrix, value=value)


def binding_rows(matrix: Matrix, x: Any, tolerance: float = 1e-6) -> list[int]:
    """Rows that hold with equality at a point."""
    activity = activities(matrix, x)
    slack = np.minimum(activity - matrix.row_lower, matrix.row_upper - activity)
    return [int(row) for row in np.flatnonzero(slack <= tolerance)]


@dataclass
class _Recomputed:
    """An engine whose points, objectives and endings are checked against the true arrays."""

    engine: Solve
    transform: Transform | None
    bounds: list[float] = field(default_factory=list)
    nothing: bool = False

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
        def named() -> Programme:
            return named_programme(data.candidates, data, model, matrix, position)

        outcome = self.engine(
            matrix if self.transform is None else self.transform(named()),
            absolute_gap=absolute_gap,
            time_limit=time_limit,
            threads=threads,
            seed=seed,
        )
        if outcome.ending == "unbounded":
            raise Mismatch("calls a bounded programme unbounded")
        if outcome.ending == "infeasible":
            self.nothing = True
        if outcome.bound is not None:
            self.bounds.append(outcome.bound)
        if outcome.x is None:
            return outcome
        if wrong := broken_rows(matrix, outcome.x):
            name = named().rows[wrong[0]]
            raise Mismatch(f"its point breaks {len(wrong)} rows, the first is {name}")
        objective = float(matrix.cost @ outcome.x) + matrix.offset
        claimed = outcome.objective
        if claimed is not None and not _close(claimed, objective, CLAIM_TOLERANCE):
            raise Mismatch(f"claims {claimed!r}, its point has {objective!r}")
        return replace(outcome, objective=objective)


def broken_rows(matrix: Matrix, x: Any) -> list[int]:
    """Rows that a point breaks; raises Mismatch where it breaks a bound or is not integer.

    The tolerance is that of a column, so it grows with the largest coefficient of the row.
    """
    broken = np.maximum(matrix.lower - x, x - matrix.upper)
    tolerance = ROW_TOLERANCE * np.maximum(1.0, np.abs(x))
    if (broken > tolerance).any():
        raise Mismatch(f"its point breaks a bound by {float(broken.max()):.3g}")
    integral = x[matrix.integer]
    if (np.abs(integral - np.round(integral)) > ROW_TOLERANCE).any():
        raise Mismatch("its point is not integer")
    activity = activities(matrix, x)
    over = np.maximum(matrix.row_lower - activity, activity - matrix.row_upper)
    sides = np.where(np.isfinite(matrix.row_upper), matrix.row_upper, matrix.row_lower)
    terms = activities(replace(matrix, value=np.abs(matrix.value)), np.abs(x))
    largest = np.zeros(len(sides))
    filled = np.flatnonzero(np.diff(matrix.start))
    if len(filled):
        starts = np.asarray(matrix.start)[filled]
        largest[filled] = np.maximum.reduceat(np.abs(matrix.value), starts)
    size = np.maximum(np.maximum(1.0, largest), np.maximum(np.abs(sides), terms))
    return [int(row) for row in np.flatnonzero(over > ROW_TOLERANCE * size)]


def _finding(
    blank: Finding, answer: ProgrammeAnswer, engine: _Recomputed, gap: float, unit: str
) -> Finding:
    claimed = min(engine.bounds) + solver_margin(gap) if engine.bounds else None
    finding = replace(
        blank,
        status="unknown",
        schedule=answer.schedule,
        evaluation=answer.evaluation,
        bound=answer.bound,
        claimed_bound=None if claimed is None else max(claimed, answer.floor),
        nodes=answer.nodes,
        assumes=assumptions(answer, unit),
    )
    if engine.nothing and answer.schedule is not None:
        return replace(finding, status="error", message="calls a feasible programme infeasible")
    if answer.infeasible:
        return replace(finding, status="infeasible")
    if finding.value is None:
        return replace(finding, message="nothing found in the time given")
    if finding.gap is not None and finding.gap <= gap * (1 + 1e-9):
        return replace(finding, status="optimal")
    return replace(finding, status="feasible", message="the gap was not closed")


def _wrong_by_itself(finding: Finding) -> str:
    if finding.status == "error":
        return finding.message or "failed"
    evaluation = finding.evaluation
    if evaluation is not None and not evaluation.admissible:
        broken = [*evaluation.obstacles, *evaluation.broken_limits]
        return f"the judge rejects its schedule: {', '.join(broken)}"
    return _wrong_together(finding, finding)


def _wrong_together(solved: Finding, proved: Finding) -> str:
    if solved.value is None:
        return ""
    if proved.status == "infeasible":
        return f"{proved.name} proved infeasibility, {solved.name} has a schedule"
    bound = proved.claimed_bound
    if bound is not None and solved.value > bound + SAME * max(1.0, abs(bound)):
        words = f"judged objective {solved.value:.9g} of {solved.name} above bound {bound:.9g}"
        return f"{words} of {proved.name}"
    return ""


def _same(value: float, reference: float) -> bool:
    return _close(value, reference, SAME)


def _close(value: float, reference: float, tolerance: float) -> bool:
    return abs(value - reference) <= tolerance * max(1.0, abs(value), abs(reference))


def _events(schedule: Schedule | None) -> Counter[tuple[int, str]]:
    """(day, what is given) of every fraction and infusion."""
    if schedule is None:
        return Counter()
    fractions = [
        (f.day, f"{f.lesion} {f.dose_gy:g} Gy{f' {f.technique}' if f.technique else ''}")
        for f in schedule.fractions
    ]
    return Counter(fractions + [(i.day, f"{i.drug} {i.dose_mg:g} mg") for i in schedule.infusions])
