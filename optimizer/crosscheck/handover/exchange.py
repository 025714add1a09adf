"""The programme for anybody's solver, and the way back: a solution file judged by names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.candidates.columns import Columns, columns_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.crosscheck.handover.naming import (
    Programme,
    choices_kept,
    column_names,
    named_programme,
    plan_names,
)
from abscopt.optimizer.crosscheck.handover.reduced import assumptions, stated
from abscopt.optimizer.crosscheck.handover.solution_files import solution_values
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import Outcome
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.arrays.matrix import matrix_of
from abscopt.optimizer.programme.build import build
from abscopt.optimizer.programme.cuts import schedule_of
from abscopt.optimizer.programme.proved import ProgrammeAnswer
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.results.result import heading, versions

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

NEARLY_WHOLE = 1e-4


@dataclass(frozen=True)
class Export:
    """A written programme: how its optimum relates to the case's, in `answer`.

    Attributes
    ----------
    statements : what the programme assumes and how far it is refined, in sentences
    """

    instance: Instance
    programme: Programme
    answer: ProgrammeAnswer
    statements: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """What `export --json` prints."""
        answer, verdict = self.answer, self.answer.evaluation
        return {
            **heading("export", self.instance),
            "columns": len(self.programme.columns),
            "rows": len(self.programme.rows),
            "rounds": answer.rounds,
            "infeasible": answer.infeasible,
            "objective": None if verdict is None else answer.value,
            "bound": answer.bound,
            "gap_unit": self.instance.objective.unit,
            "reductions": [dict(vars(step)) for step in answer.reductions],
            "dropped_bound": answer.floor if math.isfinite(answer.floor) else None,
            "assumes": list(self.statements),
            "versions": versions(),
        }

    @property
    def summary(self) -> str:
        """One line: what the optimum of the written programme means."""
        answer, size = self.answer, f"{len(self.programme.columns)} columns"
        size += f", {len(self.programme.rows)} rows, {answer.rounds} rounds"
        if answer.infeasible:
            return f"{self.programme.name}: {size}; infeasible"
        value = "none" if answer.evaluation is None else f"{answer.value:.9g}"
        bound = "none" if answer.bound is None else f"{answer.bound:.9g}"
        return f"{self.programme.name}: {size}; judged objective {value}, bound {bound}"


def export_programme(
    instance: Instance,
    *,
    gap: float | None = None,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    first: bool = False,
    whole: bool = False,
    listener: Listener | None = None,
) -> Export:
    """The programme of a case, refined until its optimum is the judged one within the gap.

    Parameters
    ----------
    first : the first relaxation instead, not solved at all
    whole : state all that the case offers; by default large cases are reduced as by
        `--method single`

    Raises
    ------
    InputError
        If the case has no programme.
    Stopped
        If the time did not suffice to build it.
    KeyboardInterrupt
        If a signal came before there was a programme.
    """
    wanted = instance.objective.gap if gap is None else gap
    clock = Clock(time_limit, listener)
    engine = _unsolved if first else None
    try:
        with clock.running("programme"):
            if whole or first:
                candidates, reduced, start = Candidates(instance), None, None
            else:
                candidates, reduced, start = stated(instance, wanted / 2, seed, clock)
            judge = Judge(instance)
            part = wanted if reduced is None else wanted / 2  # the other half is what was dropped
            answer = solve_single(
                candidates, judge, part, seed, threads, clock, engine=engine, kept=reduced,
                start=start,
            )  # fmt: skip
            if answer.data is None and not answer.infeasible:
                raise Stopped
    except InputError as error:
        raise InputError([_worded(problem, whole or first) for problem in error.problems]) from None
    except Stopped:
        if clock.interrupted:
            raise KeyboardInterrupt from None
        what = (
            f"{instance.name}: no programme was built within the time limit; allow more time, or "
            "a larger --gap, with which more is dropped"
        )
        raise Stopped(what) from None
    if answer.data is None:
        rule = "the case has no programme: every systemic plan breaks a limit"
        raise InputError([Problem(instance.name, "programme", "no systemic plan", rule)])
    model = build(answer.data)
    matrix, position = matrix_of(model)
    data, choices = answer.data, None
    if reduced is not None:
        choices = choices_kept(candidates, reduced, data.columns)
    named = named_programme(data.candidates, data, model, matrix, position, choices)
    return Export(instance, named, answer, _statements(instance, answer, wanted, first))


def _worded(problem: Problem, by_choice: bool) -> Problem:
    """A case that is too large, in words of this command."""
    if problem.place != "method":
        return problem
    advice = "leave out --whole and --first" if by_choice else "ask for a larger --gap"
    rule = f"too large to be written as one programme: {advice}, or narrow its menus by --set"
    return Problem(problem.file, "export", problem.value, rule)


def _statements(
    instance: Instance, answer: ProgrammeAnswer, gap: float, first: bool
) -> tuple[str, ...]:
    """What a written programme assumes, and what its optimum is worth."""
    unit = instance.objective.unit
    if first:
        refined = "the first relaxation, neither solved nor refined: its optimum is a bound only"
    elif answer.infeasible:
        refined = "it has no solution, and so has the case no schedule"
    elif answer.gap is not None and answer.gap <= gap * (1 + 1e-9):
        refined = f"refined until its optimum was the judged one within {gap:g} {unit}"
    else:
        left = "no schedule in hand" if answer.gap is None else f"{answer.gap:.4g} {unit} open"
        refined = f"stopped before it was refined ({left}): its optimum is a bound only"
    return (*assumptions(answer, unit), refined)


def _unsolved(*_: object, **__: object) -> Outcome:
    return Outcome("limit", None, None, None, 0)


def imported_schedule(
    text: str, instance: Instance, file: str, programme: str | None = None
) -> Schedule:
    """Schedule that a solution file chooses; raises InputError.

    Parameters
    ----------
    text : solution as SCIP, CBC, GLPK, Gurobi, HiGHS or CPLEX write it
    programme : text of the MPS or LP file, for formats that number the columns (`glpsol -w`)
    """
    values = solution_values(text, file, programme)
    candidates = Candidates(instance)
    if not candidates.plans:
        rule = "the case has no programme: every systemic plan breaks a limit"
        raise InputError([Problem(file, "programme", instance.name, rule)])
    columns, of_name = _columns_named(candidates, values)
    plans = {name[:-1]: PlanId(k) for k, name in enumerate(plan_names(candidates))}
    picked: list[int] = []
    chosen_plans: list[PlanId] = []
    wrong: list[Problem] = []
    for name, (value, place) in values.items():
        choice = name if name.startswith("x(") else name.rpartition(",band")[0]
        if choice not in of_name and choice not in plans:
            rule = f"no such choice in {instance.name} (another case, or another version of it?)"
            wrong.append(Problem(file, place, name, rule))
            continue
        largest = int(columns.slots[of_name[choice]]) if choice in of_name else 1
        if not (math.isfinite(value) and abs(value - round(value)) <= NEARLY_WHOLE) or not (
            0 <= round(value) <= largest
        ):
            rule = (
                "must be 0 or 1" if largest == 1 else f"must be a whole number from 0 to {largest}"
            )
            wrong.append(Problem(file, place, f"{name} = {value:g}", rule))
        elif choice in of_name:
            picked += [of_name[choice]] * round(value)
        else:
            chosen_plans += [plans[choice]] * round(value)
    wrong += _choice_problems(candidates, columns, picked, chosen_plans, file)
    if wrong:
        raise InputError(wrong)
    return schedule_of(candidates, columns, picked, chosen_plans[0])


def _columns_named(
    candidates: Candidates, values: dict[str, tuple[float, str]]
) -> tuple[Columns, dict[str, int]]:
    """Columns that a solution speaks of: free courses by their count of days, or day by day."""
    wanted = {name for name in values if name.startswith("x(")}
    columns = columns_of(candidates)
    of_name = {name: j for j, name in enumerate(column_names(candidates, columns))}
    if columns.counted and not wanted <= set(of_name):
        columns = columns_of(candidates, by_day=True)
        of_name = {name: j for j, name in enumerate(column_names(candidates, columns))}
    return columns, of_name


def _choice_problems(
    candidates: Candidates, columns: Columns, picked: list[int], plans: list[PlanId], file: str
) -> list[Problem]:
    """One course per lesion with uniform courses, one dose per free day, one plan."""
    problems = []
    if len(plans) != 1:
        rule = "must choose exactly one systemic plan (one y = 1)"
        problems.append(Problem(file, "systemic plan", f"{len(plans)} chosen", rule))
    for s, lesion in enumerate(candidates.instance.lesions):
        of_lesion = [j for j in picked if columns.lesion[j] == s]
        if s not in candidates.free:
            if len(of_lesion) != 1:
                rule = "must choose exactly one course, 'none' is one (one x = 1)"
                problems.append(
                    Problem(file, lesion.name, f"{len(of_lesion)} courses chosen", rule)
                )
            continue
        slots = max((int(columns.slots[j]) for j in of_lesion), default=1)
        if slots > 1:
            if len(of_lesion) > slots:
                rule = f"must choose at most {slots}"
                problems.append(Problem(file, lesion.name, f"{len(of_lesion)} doses", rule))
            continue
        days = [int(columns.day[j]) for j in of_lesion]
        for day in sorted({day for day in days if days.count(day) > 1}):
            value = f"{days.count(day)} doses on day {day}"
            problems.append(Problem(file, lesion.name, value, "must choose at most one"))
    return problems
