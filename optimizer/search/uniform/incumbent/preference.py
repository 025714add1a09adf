"""What the second stage prefers among schedules within the gap, as columns of numbers to minimize.

closest-to-standard  decisions that differ from the standard regimen: of each lesion number of
                     fractions, dose, technique, first and last day; of each drug number of
                     doses and first day
fewest-visits        days with any fraction
least-load           sum of load / cap
consecutive-days     machine days without a fraction between a lesion's first and last one
earliest             sum of the first days of courses and of planned first doses
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.tables.calendar import is_machine_day
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.schedule import standard_schedule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import LesionTable
    from abscopt.optimizer.candidates.tabulated import Tabulated
    from abscopt.optimizer.ids import CourseRows
    from abscopt.optimizer.schedule import Schedule

DECISIONS = 5
"""Of a course: number of fractions, dose, technique, first and last day."""


def preferred(tabulated: Tabulated, rows: CourseRows, keys: FloatArray) -> FloatArray:
    """(schedules, preferences of the case) numbers of rows (schedules, lesions), least first.

    Parameters
    ----------
    keys : (schedules, 5) load, visits, drug doses, doses moved, starts
    """
    columns = {"least-load": keys[:, 0], "fewest-visits": keys[:, 1], "earliest": keys[:, 4]}
    wanted = tabulated.instance.objective.prefer or ()
    if "consecutive-days" in wanted:
        columns["consecutive-days"] = _idle_days(tabulated, rows)
    if "closest-to-standard" in wanted:
        columns["closest-to-standard"] = _apart(tabulated, rows)
    return np.stack([columns[name] for name in wanted], axis=1)


def _idle_days(tabulated: Tabulated, rows: CourseRows) -> FloatArray:
    """(schedules,) sum_s [machine days from first to last fraction - days with a fraction]."""
    instance = tabulated.instance
    runs = [is_machine_day(instance.calendar, day) for day in range(instance.days)]
    before = np.concatenate([[0], np.cumsum(runs)])
    total = np.zeros(len(rows))
    for s, table in enumerate(tabulated.candidates.lesions):
        patterns = table.menu.patterns
        treated = patterns.incidence.sum(axis=1)
        idle = before[patterns.last + 1] - before[np.maximum(patterns.first, 0)] - treated
        idle = np.where(treated > 0, np.maximum(idle, 0.0), 0.0)
        total += idle[table.menu.pattern[rows[:, s]]]
    return total


def _apart(tabulated: Tabulated, rows: CourseRows) -> FloatArray:
    """(schedules,) number of decisions that differ from the standard regimen; 0 without one."""
    total, standard = np.zeros(len(rows)), standard_schedule(tabulated.instance)
    if standard is None:
        return total
    for s, table in enumerate(tabulated.candidates.lesions):
        total += _apart_courses(tabulated.instance, table, standard)[rows[:, s]]
    doses = tabulated.candidates.plans[tabulated.plan].doses
    planned = _first_doses((drug, day) for drug, day, _ in doses)
    usual = _first_doses((i.drug, i.day) for i in standard.infusions)
    for drug in {*planned, *usual}:
        pairs = zip(planned.get(drug, (0, -1)), usual.get(drug, (0, -1)), strict=True)
        total += sum(a != b for a, b in pairs)
    return total


def _apart_courses(instance: Instance, table: LesionTable, standard: Schedule) -> FloatArray:
    """(courses,) number of decisions of each course of a menu that differ from the standard.

    sum_d [decision d of the course != that of the standard]
    """
    menu, lesion = table.menu, instance.lesions[table.menu.lesion]
    course = standard.course(lesion.name)
    begun = menu.fractions > 0
    if not course:
        return np.where(begun, float(DECISIONS), 0.0)
    names, ways = [way.name for way in lesion.ways], standard.techniques(lesion.name)
    way = names.index(ways[0] or names[0])
    if menu.patterns.way is None:
        other_way = menu.technique != way
    else:  # with techniques of their own: any fraction of another one than the standard's first
        real = menu.patterns.days >= 0
        other_way = (real & (menu.patterns.way != way)).any(axis=1)[menu.pattern]
    dose = max(gy for _, gy, _ in course)
    differ = (
        (menu.fractions != len(course)).astype(float)
        + ~np.isclose(menu.dose, dose, 1e-9, 0.0)
        + other_way
        + (menu.patterns.first[menu.pattern] != course[0][0])
        + (menu.patterns.last[menu.pattern] != course[-1][0])
    )
    return np.where(begun, differ, float(DECISIONS))


def _first_doses(doses: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int]]:
    """Number of doses and first day of each drug."""
    days: dict[str, list[int]] = {}
    for drug, day in doses:
        days.setdefault(drug, []).append(day)
    return {drug: (len(of_drug), min(of_drug)) for drug, of_drug in days.items()}
