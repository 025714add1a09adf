"""Logistics: lesions treated, visits, machine days, lesions on one day, overall time, gaps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pyomo.environ as pyo

from abscopt.optimizer.candidates.limits.calendar.counted import CalendarLoad
from abscopt.optimizer.candidates.limits.calendar.new_sites import NewSites
from abscopt.optimizer.candidates.limits.calendar.one_plan import OnePlan
from abscopt.optimizer.programme.constraints.choice import treated_days
from abscopt.optimizer.programme.constraints.organs import allowance

if TYPE_CHECKING:
    from abscopt.instances.limits import LogisticsLimit
    from abscopt.optimizer.programme.data import Data


def _limits(data: Data, quantity: str) -> dict[int, LogisticsLimit]:
    """Limits on one quantity by their number in the case."""
    return {
        i: load.limit
        for i, load in enumerate(data.candidates.every_limit)
        if isinstance(load, CalendarLoad) and load.measure == quantity
    }


def _most(model: Any, data: Data, number: int, limit: LogisticsLimit) -> Any:
    assert limit.cap is not None
    return limit.cap * allowance(model, data, number)


def _counted(data: Data, limit: LogisticsLimit) -> list[int]:
    """Days on which some column has a fraction and the limit counts."""
    window = limit.days(data.instance.days)
    return [int(day) for day in treated_days(data) if int(day) in window]


def lesions_treated(model: Any, data: Data) -> None:
    """t[s] >= x[j] for every fraction of s, t[s] <= sum_j x[j]; floor <= sum_s t[s] <= cap."""
    limits = _limits(data, "lesions")
    if not limits:
        return
    fractions = data.columns.fractions
    lesions = sorted(data.of_lesion)
    courses = {s: [j for j in data.of_lesion[s] if fractions[j] > 0] for s in lesions}
    model.treated = pyo.Var(lesions, domain=pyo.Binary)
    groups = [
        (s, [j for j in members if fractions[j] > 0])
        for (s, _), members in sorted(data.choices.items())
    ]
    groups = [(s, members) for s, members in groups if members]
    model.treated_if_fraction = pyo.Constraint(
        range(len(groups)),
        rule=lambda m, i: (
            data.slots(groups[i][1]) * m.treated[groups[i][0]] >= sum(m.x[j] for j in groups[i][1])
        ),
    )
    model.treated_only_if_fraction = pyo.Constraint(
        lesions, rule=lambda m, s: m.treated[s] <= sum(m.x[j] for j in courses[s])
    )
    total = sum(model.treated[s] for s in lesions)
    capped = [i for i, limit in limits.items() if limit.cap is not None]
    floored = [i for i, limit in limits.items() if limit.floor is not None]
    model.lesions_treated = pyo.Constraint(
        capped, rule=lambda m, i: total <= _most(m, data, i, limits[i])
    )
    model.lesions_treated_floor = pyo.Constraint(
        floored, rule=lambda m, i: total >= limits[i].floor
    )


def visits(model: Any, data: Data) -> None:
    """v[day] >= sum of a lesion's columns with a fraction that day; sum_day v <= cap.

    In count form a visit is a fraction.
    """
    limits = _limits(data, "visits")
    days = [int(day) for day in treated_days(data)]
    if not limits or not days:
        return
    if data.columns.counted:
        courses = [j for j in range(len(data.columns)) if data.columns.fractions[j] > 0]
        model.visits = pyo.Constraint(
            sorted(limits),
            rule=lambda m, i: sum(m.x[j] for j in courses) <= _most(m, data, i, limits[i]),
        )
        return
    model.visit = pyo.Var(days, bounds=(0, 1))
    incidence = data.columns.incidence
    rows = [
        (day, members)
        for day in days
        for group in data.choices.values()
        if (members := [j for j in group if incidence[j, day] > 0])
    ]
    model.visit_if_fraction = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, i: m.visit[rows[i][0]] >= sum(m.x[j] for j in rows[i][1]),
    )

    def rule(m: Any, i: int) -> Any:
        counted = _counted(data, limits[i])
        if not counted:
            return pyo.Constraint.Skip
        return sum(m.visit[day] for day in counted) <= _most(m, data, i, limits[i])

    model.visits = pyo.Constraint(sorted(limits), rule=rule)


def machine_days(model: Any, data: Data) -> None:
    """sum_j (treatment days of column j) x[j] <= cap: every lesion's days count."""
    limits = _limits(data, "machine_days")

    def rule(m: Any, i: int) -> Any:
        days = data.columns.incidence[:, list(limits[i].days(data.instance.days))].sum(axis=1)
        total = sum(float(days[j]) * m.x[j] for j in range(len(days)) if days[j] > 0)
        if isinstance(total, int):
            return pyo.Constraint.Skip
        return total <= _most(m, data, i, limits[i])

    model.machine_days = pyo.Constraint(sorted(limits), rule=rule)


def new_sites(model: Any, data: Data) -> None:
    """sum_j (part of the cap seeded before the first day of column j) x[j] <= 1 + excess."""
    loads = {
        i: load for i, load in enumerate(data.candidates.every_limit) if isinstance(load, NewSites)
    }

    def rule(m: Any, i: int) -> Any:
        seeded = loads[i].of_columns(data.candidates, data.columns)
        total = sum(float(seeded[j]) * m.x[j] for j in range(len(seeded)) if seeded[j] > 0)
        return total <= allowance(m, data, i)

    model.new_sites = pyo.Constraint(sorted(loads), rule=rule)


def lesions_per_day(model: Any, data: Data) -> None:
    """sum_j x[j] over columns with a fraction that day <= cap."""
    limits = _limits(data, "lesions_per_day")
    incidence = data.columns.incidence

    def rule(m: Any, i: int, day: int) -> Any:
        members = [j for j in range(len(data.columns)) if incidence[j, day] > 0]
        return sum(m.x[j] for j in members) <= _most(m, data, i, limits[i])

    rows = [(i, day) for i, limit in limits.items() for day in _counted(data, limit)]
    model.lesions_per_day = pyo.Constraint(rows, rule=rule)


def overall_days(model: Any, data: Data) -> None:
    """end >= last[j] x[j], begin <= first[j] x[j] + T (1 - x[j]), end - begin + 1 <= cap."""
    limits = _limits(data, "overall_days")
    if not limits:
        return
    horizon = data.instance.days
    first, last, fractions = data.columns.first, data.columns.last, data.columns.fractions
    model.begin = pyo.Var(bounds=(0, horizon))
    model.end = pyo.Var(bounds=(-1, horizon))
    groups = [[j for j in group if fractions[j] > 0] for _, group in sorted(data.choices.items())]
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
        sorted(limits), rule=lambda m, i: m.end - m.begin + 1 <= _most(m, data, i, limits[i])
    )


def course_gaps(model: Any, data: Data) -> None:
    """Every two treated lesions keep a gap G: begin[s'] - end[s] >= G, or the other way round.

    begin[s] <= first[j] x[j] + (T + G)(1 - x[j]);  end[s] >= (last[j] + 1) x[j] - 1;
    begin[s'] - end[s] >= G - M (1 - o[s, s']);  begin[s] - end[s'] >= G - M o[s, s'].
    A lesion without a course is free to begin after everything.
    """
    gap = max((limit.floor or 0 for limit in _limits(data, "course_gap_days").values()), default=0)
    if gap == 0:
        return
    latest = data.instance.days + gap
    first, last, fractions = data.columns.first, data.columns.last, data.columns.fractions
    groups = [
        (s, courses)
        for (s, _), group in sorted(data.choices.items())
        if (courses := [j for j in group if fractions[j] > 0])
    ]
    lesions = sorted({s for s, _ in groups})
    pairs = list(itertools.combinations(lesions, 2))
    model.lesion_begin = pyo.Var(lesions, bounds=(0, latest))
    model.lesion_end = pyo.Var(lesions, bounds=(-1, latest))
    model.precedes = pyo.Var(pairs, domain=pyo.Binary)
    model.lesion_begins = pyo.Constraint(
        range(len(groups)),
        rule=lambda m, i: (
            m.lesion_begin[groups[i][0]]
            <= latest - sum((latest - int(first[j])) * m.x[j] for j in groups[i][1])
        ),
    )
    model.lesion_ends = pyo.Constraint(
        range(len(groups)),
        rule=lambda m, i: (
            m.lesion_end[groups[i][0]] >= sum((int(last[j]) + 1) * m.x[j] for j in groups[i][1]) - 1
        ),
    )
    big_m = gap + latest
    model.first_then_second = pyo.Constraint(
        pairs,
        rule=lambda m, s, t: (
            m.lesion_begin[t] - m.lesion_end[s] >= gap - big_m * (1 - m.precedes[s, t])
        ),
    )
    model.second_then_first = pyo.Constraint(
        pairs,
        rule=lambda m, s, t: m.lesion_begin[s] - m.lesion_end[t] >= gap - big_m * m.precedes[s, t],
    )


def lesions_of_one_plan(model: Any, data: Data) -> None:
    """sum of x[j] over columns of lesion 1 with a key = sum over those of lesion s, for every key.

    A key is the day of each fraction and its dose over the lesion's ratio.
    """
    rows = [
        (groups.get(key, []), others.get(key, []))
        for load in data.candidates.every_limit
        if isinstance(load, OnePlan)
        for groups, *beside in [load.columns_by_key(data.candidates, data.columns)]
        for others in beside
        for key in {**groups, **others}
    ]
    model.lesions_of_one_plan = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, i: sum(m.x[j] for j in rows[i][0]) == sum(m.x[j] for j in rows[i][1]),
    )


STATED = (
    lesions_treated,
    visits,
    machine_days,
    new_sites,
    lesions_of_one_plan,
    lesions_per_day,
    overall_days,
    course_gaps,
)
"""Constraints of this family, in the order in which `build` states them."""
