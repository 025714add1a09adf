"""The programme for anybody's solver, and the way back: a solution file judged by names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.candidates.columns import Columns, columns_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.crosscheck.naming import (
    Programme,
    column_names,
    named_programme,
    plan_names,
)
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.build import build
from abscopt.optimizer.programme.cuts import schedule_of
from abscopt.optimizer.programme.matrix import matrix_of
from abscopt.optimizer.programme.proved import ProgrammeAnswer
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock, Listener, Stopped
from abscopt.optimizer.solver import Outcome

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

NEARLY_WHOLE = 1e-4
CHOICE = re.compile(r"[xy]\(\S*\)")


@dataclass(frozen=True)
class Export:
    """A written programme: how its optimum relates to the case's, in `answer`."""

    programme: Programme
    answer: ProgrammeAnswer

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
    listener: Listener | None = None,
) -> Export:
    """The programme of a case, refined until its optimum is the judged one within the gap.

    Parameters
    ----------
    first : the first relaxation instead, not solved at all

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
            candidates = Candidates(instance)
            judge = Judge(instance)
            answer = solve_single(candidates, judge, wanted, seed, threads, clock, engine=engine)
            if answer.data is None and not answer.infeasible:
                raise Stopped
    except Stopped:
        if clock.interrupted:
            raise KeyboardInterrupt from None
        what = f"{instance.name}: no programme was built within the time limit"
        raise Stopped(what) from None
    if answer.data is None:
        rule = "the case has no programme: every systemic plan breaks a limit"
        raise InputError([Problem(instance.name, "programme", "no systemic plan", rule)])
    model = build(answer.data)
    matrix, position = matrix_of(model)
    return Export(named_programme(candidates, answer.data, model, matrix, position), answer)


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


def solution_values(
    text: str, file: str, programme: str | None = None
) -> dict[str, tuple[float, str]]:
    """Value and place of every named choice in a solution file; raises InputError."""
    if re.search(r"^s (mip|bas|ipt) ", text, re.MULTILINE):
        pairs = _numbered(text, file, programme)
    elif "<CPLEXSolution" in text:
        pairs = [
            (_attribute(line, "name"), _attribute(line, "value"), f"line {number}")
            for number, line in enumerate(text.splitlines(), 1)
            if line.lstrip().startswith("<variable ")
        ]
    else:
        pairs = _listed(text)
    values: dict[str, tuple[float, str]] = {}
    for name, value, place in pairs:
        if not CHOICE.fullmatch(name):
            continue
        try:
            number = float(value)
        except ValueError:
            rule = "must be followed by its value"
            raise InputError([Problem(file, place, f"{name} {value}"[:120], rule)]) from None
        if name in values:
            raise InputError([Problem(file, place, name, "given twice")])
        values[name] = (number, place)
    if not values:
        rule = "no value of a choice of a course or plan, such as x(lung,none) 1"
        raise InputError([Problem(file, "file", "nothing", rule)])
    return values


def _listed(text: str) -> list[tuple[str, str, str]]:
    """Names followed by values, on one line or (GLPK's report) on two; duals are left out."""
    pairs: list[tuple[str, str, str]] = []
    waiting: tuple[str, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("# Dual", "# Basis")):
            break
        for token in line.split():
            if CHOICE.fullmatch(token):
                if waiting is not None:
                    pairs.append((waiting[0], "", waiting[1]))
                waiting = (token, f"line {number}")
            elif waiting is not None and token != "*":
                pairs.append((waiting[0], token, waiting[1]))
                waiting = None
    if waiting is not None:
        pairs.append((waiting[0], "", waiting[1]))
    return pairs


def _numbered(text: str, file: str, programme: str | None) -> list[tuple[str, str, str]]:
    """Columns by number: `j 12 1` of `glpsol -w`."""
    if programme is None:
        rule = "this format numbers the columns: give the written programme with --programme"
        raise InputError([Problem(file, "file", "glpsol -w", rule)])
    names = _names_in_order(programme)
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"j (\d+) (?:\w )?(\S+)", line)
        if match is None:
            continue
        column = int(match.group(1))
        if not 1 <= column <= len(names):
            rule = f"the programme has {len(names)} columns"
            raise InputError([Problem(file, f"line {number}", str(column), rule)])
        pairs.append((names[column - 1], match.group(2), f"line {number}"))
    return pairs


def _names_in_order(programme: str) -> list[str]:
    """Column names of an MPS or LP file that this package wrote, in the order of a reader.

    Readers of LP files number columns as they come, in the objective first.
    """
    if "\nCOLUMNS\n" in programme:
        section = programme.partition("\nCOLUMNS\n")[2].partition("\nRHS\n")[0]
        lines = (line for line in section.splitlines() if "'MARKER'" not in line)
        return list(dict.fromkeys(line.split()[0] for line in lines))
    section = programme.partition("\nMaximize\n")[2].partition("\nBounds\n")[0]
    return list(dict.fromkeys(re.findall(r"[-+][\d.e+-]+ ([A-Za-z]\S*)", section)))


def _attribute(line: str, key: str) -> str:
    quoted = re.search(rf'\b{key}="([^"]*)"', line)
    return quoted.group(1).replace("&amp;", "&") if quoted else ""
