"""Constraints on what is chosen: one course per lesion, one plan, intervals, forbidden sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

if TYPE_CHECKING:
    from abscopt.optimizer.programme.build import Data


def one_course(model: Any, data: Data) -> None:
    """sum_c x[s, c] = 1 for every lesion s with uniform courses ('no course' is one of them)."""
    uniform = sorted(set(data.columns.lesion[data.columns.course >= 0].tolist()))
    model.one_course = pyo.Constraint(
        uniform, rule=lambda m, s: sum(m.x[j] for j in data.of_lesion[s]) == 1
    )


def one_level(model: Any, data: Data) -> None:
    """sum_level x[s, day, level] <= 1 for every day of a free course."""
    model.one_level = pyo.Constraint(
        sorted(data.of_free_day),
        rule=lambda m, s, day: sum(m.x[j] for j in data.of_free_day[s, day]) <= 1,
    )


def fraction_number(model: Any, data: Data) -> None:
    """sum_{day, level} x <= most fractions, where a free course states a maximum."""
    most = {
        s: course.max_fractions
        for s in data.free
        if (course := data.instance.lesions[s].course) is not None
        and course.form == "free"
        and course.max_fractions is not None
    }
    model.fraction_number = pyo.Constraint(
        sorted(most), rule=lambda m, s: sum(m.x[j] for j in data.of_lesion[s]) <= most[s]
    )


def one_plan(model: Any, data: Data) -> None:
    """sum_{plan, band} y = 1."""
    model.one_plan = pyo.Constraint(expr=sum(model.y[b] for b in data.bands) == 1)


def intervals(model: Any, data: Data) -> None:
    """x[j] summed over a lesion's (day's) columns that plan k forbids <= 1 - y[k]."""
    rows = []
    groups = list(data.of_free_day.values()) + [
        data.of_lesion[s] for s in data.of_lesion if s not in data.free
    ]
    for k in range(data.plans):
        for members in groups:
            banned = [j for j in members if not data.columns.allowed[k, j]]
            if banned:
                rows.append((k, banned))
    model.intervals = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, i: sum(m.x[j] for j in rows[i][1]) <= 1 - data.chosen(m, rows[i][0]),
    )


def late_enough(model: Any, data: Data) -> None:
    """Under plan k, any fraction at all needs a course that ends on or after its day.

    x[j] <= sum_{j' ending in time} x[j'] + 1 - y[k].
    """
    last = data.columns.last
    treated = [j for j in range(len(data.columns)) if last[j] >= 0]
    rows = [
        (k, j)
        for k in range(data.plans)
        if data.end_needed[k] >= 0
        for j in treated
        if last[j] < data.end_needed[k]
    ]
    in_time = {k: [j for j in treated if last[j] >= data.end_needed[k]] for k in range(data.plans)}

    def rule(m: Any, i: int) -> Any:
        k, j = rows[i]
        return m.x[j] <= sum(m.x[other] for other in in_time[k]) + 1 - data.chosen(m, k)

    model.late_enough = pyo.Constraint(range(len(rows)), rule=rule)


def excluded(model: Any, data: Data) -> None:
    """Sets of columns the judge found to break a limit together.

    One group per lesion (or free day); any choice of one member per group breaks the limit:
    sum over all members of all groups <= number of groups - 1.
    """
    sets = data.refinement.excluded
    model.excluded = pyo.Constraint(
        range(len(sets)),
        rule=lambda m, i: sum(m.x[j] for group in sets[i] for j in group) <= len(sets[i]) - 1,
    )


def treated_days(data: Data) -> np.ndarray[Any, Any]:
    """Days on which any column has a fraction."""
    return np.flatnonzero(data.columns.incidence.any(axis=0))
