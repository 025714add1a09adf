"""One programme over the choices of a case and the outcome of every member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyomo.environ as pyo

from abscopt.optimizer.programme.arrays.linear import building
from abscopt.optimizer.programme.build import menus, outcomes, rules, worth
from abscopt.optimizer.programme.ensemble.cells import outcome_in_cells
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.programme.data import Data
    from abscopt.optimizer.programme.ensemble.sides import Side
    from abscopt.optimizer.search.ensemble.risk import Risk


def joint_programme(stated: Side, members: Sequence[Side], risk: Risk) -> Any:
    """Maximize a measure of risk over columns x and plans y of the case.

    Parameters
    ----------
    risk : over `members`, in their order
    """
    with building():
        return _built(stated, members, risk)


def _built(stated: Side, members: Sequence[Side], risk: Risk) -> Any:
    data = stated.data
    model = pyo.ConcreteModel(name=data.instance.name)
    slots = data.columns.slots.tolist()
    model.x = pyo.Var(range(len(slots)), domain=pyo.Binary)
    model.y = pyo.Var(data.bands, domain=pyo.Binary)
    menus(model, data)
    rules(model, stated.ruled)
    if stated.valued:
        _valued(model, data, demanding=True)
    model.member = pyo.Block(range(len(members)))
    worths = []
    for i, side in enumerate(members):
        tick()
        worths.append(_outcome_of(model, model.member[i], stated, side))
    model.objective = pyo.Objective(expr=measured(model, worths, risk), sense=pyo.maximize)
    return model


def _outcome_of(model: Any, block: Any, stated: Side, side: Side) -> Any:
    """A member's part: its bands are those of the plan chosen, its columns those of the case.

    sum of y over the bands of plan k in the member = sum of y over those in the case
    """
    data = side.data
    block.absent = pyo.Var(bounds=(0, 0))
    block.x = [model.x[j] if j >= 0 else block.absent for j in side.chosen_as.tolist()]
    block.y = pyo.Var(data.bands, domain=pyo.Binary)
    block.same_plan = pyo.Constraint(
        list(data.plan_ids),
        rule=lambda b, k: data.chosen(b, k) == stated.data.chosen(model, k),
    )
    if data.paired:
        block.pair = dict(model.pair.items())
    if side.limited:
        rules(block, side.ruled)
        block.forbidden_pairs = pyo.Constraint(
            side.forbidden_pairs.tolist(), rule=lambda b, i: model.pair[i] <= 0
        )
        missing = sorted(set(model.x) - set(side.chosen_as.tolist()))
        block.forbidden = pyo.Constraint(missing, rule=lambda b, j: model.x[j] <= 0)
    else:
        block.excess = {number: model.excess[number] for number in model.excess}
    return _valued(block, data, demanding=side.limited)


def _valued(model: Any, data: Data, *, demanding: bool) -> Any:
    """State the outcome of one parameter set; what it is worth."""
    if data.paired:
        return outcome_in_cells(model, data, demanding)
    outcomes(model, data, demanding=demanding, in_parts=True)
    return worth(model, data)


def measured(model: Any, worths: Sequence[Any], risk: Risk) -> Any:
    """The measure of linear expressions V_m that is to be maximized.

        mean            sum_m w_m V_m
        worst, regret   t <= V_m - best_m for every m
        cvar            t - 1/level sum_m w_m s_m,    s_m >= t - V_m,    s_m >= 0

    (Rockafellar and Uryasev 2000, Optimization of conditional value-at-risk).
    """
    weights, offset = risk.weights.tolist(), risk.offset.tolist()
    number = range(len(worths))
    if risk.kind == "mean":
        return sum(weights[m] * worths[m] for m in number)
    model.tail = pyo.Var()
    if risk.kind == "cvar":
        model.short = pyo.Var(number, domain=pyo.NonNegativeReals)
        model.shortfall = pyo.Constraint(number, rule=lambda b, m: b.short[m] >= b.tail - worths[m])
        return model.tail - sum(weights[m] / risk.level * model.short[m] for m in number)
    model.worst = pyo.Constraint(number, rule=lambda b, m: b.tail <= worths[m] - offset[m])
    return model.tail
