"""Constraints on what is chosen: one course per lesion, one plan, intervals, forbidden sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.optimizer.ids import PlanId

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data
    from abscopt.optimizer.programme.refinement import Cut


def one_course(model: Any, data: Data) -> None:
    """sum_c x[s, c] = 1 for every lesion s with uniform courses ('no course' is one of them)."""
    uniform = sorted(set(data.columns.lesion[data.columns.course >= 0].tolist()))
    model.one_course = pyo.Constraint(
        uniform, rule=lambda m, s: sum(m.x[j] for j in data.of_lesion[s]) == 1
    )


def one_level(model: Any, data: Data) -> None:
    """sum_level x[s, day, level] <= 1 for every day of a free course.

    In count form: sum_level x[s, level] <= number of days.
    """
    model.one_level = pyo.Constraint(
        sorted(data.of_free_day),
        rule=lambda m, s, day: (
            sum(m.x[j] for j in data.of_free_day[s, day]) <= data.slots(data.of_free_day[s, day])
        ),
    )


def fraction_number(model: Any, data: Data) -> None:
    """sum_{day, level} x <= most fractions, where a free course states a maximum."""
    greatest = {
        s: course.max_fractions
        for s in data.free
        if (course := data.instance.lesions[s].course) is not None
        and course.form == "free"
        and course.max_fractions is not None
        and data.of_lesion[s]
    }
    model.fraction_number = pyo.Constraint(
        sorted(greatest), rule=lambda m, s: sum(m.x[j] for j in data.of_lesion[s]) <= greatest[s]
    )


def one_plan(model: Any, data: Data) -> None:
    """sum_{plan, band} y = 1."""
    model.one_plan = pyo.Constraint(expr=sum(model.y[b] for b in data.bands) == 1)


def intervals(model: Any, data: Data) -> None:
    """x[j] summed over a lesion's (day's) columns that plan k forbids <= 1 - y[k].

    Where courses and plans are chosen as pairs, what is forbidden is no pair.
    """
    rows: list[tuple[PlanId, list[int]]] = []
    groups = list(data.of_free_day.values()) + [
        data.of_lesion[s] for s in data.of_lesion if s not in data.free
    ]
    for k in () if data.paired else data.plan_ids:
        for members in groups:
            banned = [j for j in members if not data.columns.allowed[k, j]]
            if banned:
                rows.append((k, banned))
    model.intervals = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, i: (
            sum(m.x[j] for j in rows[i][1])
            <= data.slots(rows[i][1]) * (1 - data.chosen(m, rows[i][0]))
        ),
    )


def late_enough(model: Any, data: Data) -> None:
    """Under plan k, any fraction at all needs a course that ends on or after its day.

    sum of a lesion's (day's) other fractions <= sum_{j' ending in time} x[j'] + 1 - y[k].
    """
    last = data.columns.last
    needed = [data.candidates.latest_end_needed(k) for k in data.plan_ids]
    model.late_enough = _needs_one(
        data, {k: last >= day for k, day in zip(data.plan_ids, needed, strict=True) if day >= 0}
    )


def early_enough(model: Any, data: Data) -> None:
    """Under plan k, any fraction at all needs a course that begins on or before its day.

    sum of a lesion's (day's) other fractions <= sum_{j' beginning in time} x[j'] + 1 - y[k].
    """
    first = data.columns.first
    needed = [data.candidates.earliest_start_needed(k) for k in data.plan_ids]
    model.early_enough = _needs_one(
        data, {k: first <= day for k, day in zip(data.plan_ids, needed, strict=True) if day >= 0}
    )


def _needs_one(data: Data, in_time: dict[PlanId, Any]) -> Any:
    """sum of a lesion's (day's) other columns <= sum_{j in time} x[j] + 1 - y[k].

    `in_time` gives (J,) flags per plan; of the columns of a group at most one is chosen.
    """
    treated = data.columns.fractions > 0
    rows = []
    for k, timely in in_time.items():
        for group in data.choices.values():
            untimely = [j for j in group if treated[j] and not timely[j]]
            if untimely:
                rows.append((k, untimely))
    members = {k: np.flatnonzero(treated & timely).tolist() for k, timely in in_time.items()}

    def rule(m: Any, i: int) -> Any:
        k, untimely = rows[i]
        chosen_in_time = sum(m.x[j] for j in members[k])
        return sum(m.x[j] for j in untimely) <= chosen_in_time + 1 - data.chosen(m, k)

    return pyo.Constraint(range(len(rows)), rule=rule)


def excluded(model: Any, data: Data) -> None:
    """Sets of columns the judge found to break a limit together.

    One group per lesion (or free day); any choice of one member per group breaks the limit under
    some plans: sum over all members of all groups <= number of groups - (1 if such a plan). What
    falls short of a demand, and would not with some further column, is free with one of those:
    <= number of groups - 1 + sum of the further columns.
    """
    sets = [cut for cut in data.refinement.cuts if cut.limit is None]

    def rule(m: Any, i: int) -> Any:
        if not sets[i].groups and not sets[i].unless:  # plans that break a limit by themselves
            return sum(data.chosen(m, k) for k in sets[i].plans) <= 0
        allowed = len(sets[i].groups) - 1 + sum(m.x[j] for j in sets[i].unless)
        return together(m, data, sets[i]) <= allowed

    model.excluded = pyo.Constraint(range(len(sets)), rule=rule)


def together(model: Any, data: Data, cut: Cut) -> Any:
    """Number of a cut's groups that are chosen from, less 1 unless one of its plans is chosen."""
    total = sum(model.x[j] for group in cut.groups for j in group)
    if len(cut.plans) == data.plans:
        return total
    return total + sum(data.chosen(model, k) for k in cut.plans) - 1


def treated_days(data: Data) -> np.ndarray[Any, Any]:
    """Days on which any column has a fraction."""
    return np.flatnonzero(data.columns.incidence.any(axis=0))
