"""Logistics: lesions treated, visits, lesions on one day, overall time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyomo.environ as pyo

from abscopt.instances.limits import LogisticsLimit
from abscopt.optimizer.programme.choice import treated_days

if TYPE_CHECKING:
    from abscopt.optimizer.programme.build import Data


def _limits(data: Data, quantity: str) -> list[LogisticsLimit]:
    return [
        limit
        for limit in data.instance.limits
        if isinstance(limit, LogisticsLimit) and limit.quantity == quantity
    ]


def _choices(data: Data) -> dict[tuple[int, int], list[int]]:
    """Columns of which at most one is chosen: per lesion, or per day of a free course."""
    groups = {(s, -1): members for s, members in data.of_lesion.items() if s not in data.free}
    return groups | data.of_free_day


def lesions_treated(model: Any, data: Data) -> None:
    """t[s] >= x[j] for every fraction of s, t[s] <= sum_j x[j]; floor <= sum_s t[s] <= cap."""
    limits = _limits(data, "lesions")
    if not limits:
        return
    fractions = data.columns.fractions
    lesions = sorted(data.of_lesion)
    given = {s: [j for j in data.of_lesion[s] if fractions[j] > 0] for s in lesions}
    model.treated = pyo.Var(lesions, domain=pyo.Binary)
    groups = [
        (s, [j for j in members if fractions[j] > 0])
        for (s, _), members in sorted(_choices(data).items())
    ]
    groups = [(s, members) for s, members in groups if members]
    model.treated_if_fraction = pyo.Constraint(
        range(len(groups)),
        rule=lambda m, i: m.treated[groups[i][0]] >= sum(m.x[j] for j in groups[i][1]),
    )
    model.treated_only_if_fraction = pyo.Constraint(
        lesions, rule=lambda m, s: m.treated[s] <= sum(m.x[j] for j in given[s])
    )
    total = sum(model.treated[s] for s in lesions)
    bounds = [(limit.floor, limit.cap) for limit in limits]
    model.lesions_treated = pyo.Constraint(
        range(len(bounds)), rule=lambda m, i: (bounds[i][0], total, bounds[i][1])
    )


def visits(model: Any, data: Data) -> None:
    """v[day] >= sum of a lesion's columns with a fraction that day; sum_day v <= cap."""
    limits = _limits(data, "visits")
    if not limits:
        return
    days = [int(day) for day in treated_days(data)]
    if not days:
        return
    model.visit = pyo.Var(days, bounds=(0, 1))
    incidence = data.columns.incidence
    rows = [
        (day, members)
        for day in days
        for group in _choices(data).values()
        if (members := [j for j in group if incidence[j, day] > 0])
    ]
    model.visit_if_fraction = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, i: m.visit[rows[i][0]] >= sum(m.x[j] for j in rows[i][1]),
    )
    model.visits = pyo.Constraint(
        range(len(limits)), rule=lambda m, i: sum(m.visit[d] for d in days) <= limits[i].cap
    )


def lesions_per_day(model: Any, data: Data) -> None:
    """sum_j x[j] over columns with a fraction that day <= cap."""
    limits = _limits(data, "lesions_per_day")
    incidence = data.columns.incidence

    def rule(m: Any, i: int, day: int) -> Any:
        members = [j for j in range(len(data.columns)) if incidence[j, day] > 0]
        return sum(m.x[j] for j in members) <= limits[i].cap

    days = [int(day) for day in treated_days(data)]
    model.lesions_per_day = pyo.Constraint(range(len(limits)), days, rule=rule)


def overall_days(model: Any, data: Data) -> None:
    """end >= last[j] x[j], begin <= first[j] x[j] + T (1 - x[j]), end - begin + 1 <= cap."""
    limits = _limits(data, "overall_days")
    if not limits:
        return
    horizon = data.instance.days
    first, last, fractions = data.columns.first, data.columns.last, data.columns.fractions
    model.begin = pyo.Var(bounds=(0, horizon))
    model.end = pyo.Var(bounds=(-1, horizon))
    groups = [[j for j in group if fractions[j] > 0] for _, group in sorted(_choices(data).items())]
    groups = [group for group in groups if group]
    model.end_after = pyo.Constraint(
        range(len(groups)),
        rule=lambda m, i: m.end >= sum((int(last[j]) + 1) * m.x[j] for j in groups[i]) - 1,
    )
    model.begin_before = pyo.Constraint(
        range(len(groups)),
        rule=lambda m, i: (
            m.begin <= horizon - sum((horizon - int(first[j])) * m.x[j] for j in groups[i])
        ),
    )
    model.overall_days = pyo.Constraint(
        range(len(limits)), rule=lambda m, i: m.end - m.begin + 1 <= limits[i].cap
    )
