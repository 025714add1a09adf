"""The programme over members: one coefficient off by one percent in a binding row is noticed.

As in `test_perturbed.py`: each family has a case of a few members in which a row of it binds, and
one coefficient of such a row is multiplied by 1.01 or 0.99 in every programme that has this row.
The wrong programmes must lead to an error, a bound that a schedule beats, a worse schedule, or a
gap that does not close.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ensembles import accepted, ensemble, measure
from one_percent import BINDS, FACTORS, MOST_TRIED, USED
from pyomo.environ import Constraint
from pyomo.repn import generate_standard_repn

from abscopt.instances.schema import Instance
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.mip import DoubtError
from abscopt.optimizer.highs.solver import Outcome, SolverError, solve_matrix
from abscopt.optimizer.programme import refining
from abscopt.optimizer.programme.arrays.matrix import matrix_of, value_at
from abscopt.optimizer.programme.ensemble import cells, joint, sides
from abscopt.optimizer.programme.ensemble import solve as solving
from abscopt.optimizer.programme.start import choice_of
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.schedule import Schedule
from abscopt.optimizer.search.ensemble.members import Members
from abscopt.optimizer.search.ensemble.risk import Risk

GAP = 1e-5
SOURCES = (Path(cells.__file__), Path(joint.__file__))
STATED = re.compile(r"model\.(\w+) = pyo\.Constraint\(")
FAMILIES = sorted(name for path in SOURCES for name in STATED.findall(path.read_text()))
Wrong = tuple[str, str, float]
Asked = tuple[Instance, list[Instance], FloatArray, str, float]


@dataclass
class Seen:
    """Programmes with one wrong coefficient, if any, their optima and bounds."""

    wrong: Wrong | None = None
    rounds: list[tuple[Any, dict[int, int], FloatArray | None]] = field(default_factory=list)
    bounds: list[float | None] = field(default_factory=list)

    def answer(self, asked: Asked) -> solving.MembersAnswer:
        """Of the programme, refined round by round."""
        case, cases, weights, kind, level = asked
        members = Members.of(case, cases, weights, searched=False)
        risk = Risk(kind, weights, level, np.zeros(len(cases)))  # type: ignore[arg-type]
        state, solve = solving.joint_programme, solving.solved_once

        def stated(*arguments: Any) -> Any:
            model = state(*arguments)
            if self.wrong is not None:
                change(model, *self.wrong)
            return model

        def solved_once(data: Any, model: Any, matrix: Any, position: Any, *rest: Any) -> Any:
            outcome = solve(data, model, matrix, position, *rest)
            self.rounds.append((model, position, outcome.x))
            self.bounds.append(outcome.bound)
            return outcome

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(solving, "joint_programme", stated)
            patch.setattr(solving, "solved_once", solved_once)
            return solving.solve_members(members, risk, GAP, 0, 1, Clock())


def change(model: Any, row: str, column: str, factor: float) -> None:
    """Multiply one coefficient of a row, where the programme has both."""
    constraint, variable = model.find_component(row), model.find_component(column)
    if constraint is None or variable is None:
        return
    coefficient = coefficients(constraint).get(column, 0.0)
    body = constraint.body + (factor - 1.0) * coefficient * variable
    constraint.set_value((constraint.lower, body, constraint.upper))


def coefficients(constraint: Any) -> dict[str, float]:
    """By name of the variable."""
    linear = generate_standard_repn(constraint.body)
    pairs = zip(linear.linear_vars, linear.linear_coefs, strict=True)
    return {variable.name: float(coefficient) for variable, coefficient in pairs}


def binding(rounds: list[Any], family: str) -> Iterator[tuple[str, str]]:
    """Rows of a family that bind and their columns in use, the last programme first."""
    for model, position, x in reversed(rounds):
        if x is None:
            continue
        for component in model.component_objects(Constraint):
            for row in component.values() if component.local_name == family else ():
                linear = generate_standard_repn(row.body)
                at = [value_at(variable, position, x) for variable in linear.linear_vars]
                value = linear.constant + float(np.dot(linear.linear_coefs, at))
                ends = [float(end()) for end in (row.lower, row.upper) if end is not None]
                if min(abs(value - end) for end in ends) > BINDS:
                    continue
                for variable, reached in zip(linear.linear_vars, at, strict=True):
                    if abs(reached) > USED:
                        yield row.name, variable.name


def of_seed(seed: int, kind: str, level: float = 1.0) -> Callable[[], Asked]:
    """A random case with its members."""

    def asked() -> Asked:
        return *ensemble(seed), kind, level

    asked.__name__ = f"{kind}_{seed}"
    return asked


def demanded() -> Asked:
    """A member like the case, which asks for the control that its best schedule just reaches."""
    case = ensemble(6)[0]
    schedule, _ = max(accepted(case, [case], ONE, 0.0), key=_value)
    lesion = Judge(case).evaluate(schedule).lesions[0]
    control = {f"lesions.{lesion.name}.least_control": lesion.control_probability[-1] - 1e-7}
    asking = case.with_(control)
    return asking, [asking], ONE, "mean", 1.0


def _value(judged: tuple[Schedule, FloatArray]) -> float:
    return float(judged[1].sum())


ONE = np.ones(1)
REFINED: dict[Callable[[], Asked], tuple[str, ...]] = {
    of_seed(5, "worst"): ("worst", "worth_in_cell"),
    of_seed(5, "cvar", 0.5): ("shortfall",),
}
"""Cases that are refined to their end, and families that bind there."""
AT_BEST: dict[Callable[[], Asked], tuple[str, ...]] = {
    of_seed(6, "mean"): ("reached_alone", "reached_in_turn", "reached_together"),
    demanded: ("demanded_control",),
}
"""Cases whose programme is held against the judge at the best schedule, edges just below it."""


@cache
def optimum(case: Callable[[], Asked]) -> tuple[Schedule, FloatArray, float]:
    """Best schedule of all, its value in each member, and the measure of them."""
    stated, cases, weights, kind, level = case()
    none = np.zeros(len(cases))
    judged = [
        (s, v, measure(kind, level, weights, v, none))
        for s, v in accepted(stated, cases, weights, 0.0)
    ]
    return max(judged, key=lambda each: each[2])


@cache
def solved(case: Callable[[], Asked]) -> Seen:
    """The true programmes."""
    seen = Seen()
    answer, best = seen.answer(case()), optimum(case)[2]
    assert answer.bound is not None
    assert best - GAP <= answer.value <= best + 1e-9 <= answer.bound + 1e-6 <= best + 2 * GAP
    return seen


def noticed(case: Callable[[], Asked], wrong: Wrong) -> bool:
    """Whether one wrong coefficient leads to an error, a wrong bound, or another answer."""
    seen, best = Seen(wrong), optimum(case)[2]
    try:
        answer = seen.answer(case())
    except (SolverError, DoubtError):
        return True
    least = min(bound for bound in seen.bounds if bound is not None)
    assert answer.bound is not None
    return least < best - GAP or answer.value < best - GAP or answer.bound > best + 2 * GAP


def at_best(case: Callable[[], Asked], wrong: Wrong | None) -> tuple[Any, Any, Outcome]:
    """The programme with the best schedule chosen, two edges below its effect in each member."""
    stated_case, cases, weights, kind, level = case()
    schedule = optimum(case)[0]
    members = Members.of(stated_case, cases, weights, searched=False)
    stated = sides.stated_side(members.nominal, Judge(stated_case))
    numbers = range(len(cases))
    judges = [Judge(member) for member in cases]
    parts = [stated, *sides.member_sides(stated, members, numbers, judges)]
    parts = [part.refined(below(part, schedule)) if part.valued else part for part in parts]
    model = joint.joint_programme(
        parts[0], parts[1:], Risk(kind, weights, level, np.zeros(len(cases)))
    )  # type: ignore[arg-type]
    choice = choice_of(stated.candidates, stated.data.columns, schedule)
    assert choice is not None
    for j in model.x:
        model.x[j].setlb(choice[0].count(j))
        model.x[j].setub(choice[0].count(j))
    for b in model.y:
        if stated.data.refinement.bands[b][0] != choice[1]:
            model.y[b].setub(0)
    if wrong is not None:
        change(model, *wrong)
    matrix, position = matrix_of(model)
    return model, position, solve_matrix(matrix, absolute_gap=1e-9)


def below(side: Any, schedule: Schedule) -> Any:
    """Tangents at the judged effects, edges at half of them, at 0.99 and just above."""
    verdict = side.judge.evaluate(schedule)
    effects = verdict.immune["unsaturated_effect_nats"]
    choice = choice_of(side.candidates, side.data.columns, schedule)
    assert choice is not None
    refinement = refining.exact_at(side.data, *choice, verdict)
    inner = sorted(
        {share * effect for effect in effects for share in (0.5, 0.99, 1.0) if effect > 0}
    )
    return replace(refinement, effects=tuple(inner))


def each_family(binding_in: dict[Callable[[], Asked], tuple[str, ...]]) -> list[Any]:
    """Every family beside a case in which it binds."""
    return [
        pytest.param(case, family, id=f"{family}-{case.__name__}")
        for case, families in binding_in.items()
        for family in families
    ]


def test_every_family_has_a_case_in_which_it_binds() -> None:
    named = [name for names in (*REFINED.values(), *AT_BEST.values()) for name in names]
    assert sorted(named) == FAMILIES


@pytest.mark.parametrize(("case", "family"), each_family(REFINED))
def test_one_percent_of_a_binding_coefficient_is_noticed(
    case: Callable[[], Asked], family: str
) -> None:
    places = dict.fromkeys(binding(solved(case).rounds, family))
    tried = [(*place, factor) for place, factor in islice(product(places, FACTORS), MOST_TRIED)]
    assert tried, f"no row of {family} binds"
    assert any(noticed(case, wrong) for wrong in tried), tried


@pytest.mark.parametrize(("case", "family"), each_family(AT_BEST))
def test_one_percent_puts_the_programme_below_the_judge(
    case: Callable[[], Asked], family: str
) -> None:
    best = optimum(case)[2]
    model, _, true = at_best(case, None)
    assert true.bound is not None and true.bound >= best - 1e-9
    rows = [
        row
        for component in model.component_objects(Constraint)
        if component.local_name == family
        for row in component.values()
    ]
    places = [(row.name, column) for row in reversed(rows) for column in coefficients(row)]
    for place, factor in product(places, FACTORS):
        wrong = at_best(case, (*place, factor))[2]
        if wrong.bound is None or wrong.bound < best - 1e-7:
            return
    pytest.fail(f"not noticed: {places}")
