"""What courses of a menu add to organ limits, as parts of the caps; exact for one lesion alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.limits.protocol import OrganLoads
    from abscopt.optimizer.candidates.menus.courses import Menu


MOST_COUNTS = 4_000_000
"""Entries of counts of days at once: 32 MB."""

Beam = tuple["Lesion", "Technique", int]
"""A lesion, its technique and its fractions per treatment day."""


def by_technique(lesion: Lesion, menu: Menu, value: Callable[[Technique], float]) -> FloatArray:
    """(courses,) a constant of each course's technique.

    (courses, most fractions) of each fraction's where these have techniques of their own.
    """
    constants = np.array([value(technique) for technique in lesion.ways])
    way = menu.patterns.way
    return constants[menu.technique] if way is None else constants[way[menu.pattern]]


def menu_loads(
    instance: Instance, menu: Menu, limits: OrganLoads, sensitized: NDArray[np.bool_]
) -> FloatArray:
    """(courses, organ limits) load of each course alone under a plan, as a part of the cap.

        load = (days not sensitized) day_load + (days sensitized) day_load with R, or course_load

    Parameters
    ----------
    sensitized : (days,) whether a drug of the plan sensitizes
    """
    if menu.each is not None:
        return _listed_loads(instance, menu, limits, sensitized)
    lesion = instance.lesions[menu.lesion]
    loads = np.zeros((len(menu), len(limits)))
    days = menu.patterns.incidence.sum(axis=1)[menu.pattern]
    sensitive = (menu.patterns.incidence @ sensitized.astype(float))[menu.pattern]
    for way, technique in enumerate(lesion.ways):
        for number in np.unique(menu.per_day).tolist():
            alike = np.flatnonzero((menu.technique == way) & (menu.per_day == number))
            for column, load in enumerate(limits if len(alike) else ()):
                tick()
                beam, dose = (lesion, technique, number), menu.dose[alike]
                whole = load.course_load(instance, beam, dose, menu.fractions[alike])
                if whole is not None:
                    loads[alike, column] = np.where(days[alike] > 0, whole, 0.0)
                    continue
                with np.errstate(invalid="ignore"):
                    plain = load.day_load(instance, beam, dose, 0)
                    total = days[alike] * plain
                    if load.enhancement(instance, True) > 1:
                        raised = load.day_load(instance, beam, dose, 0, True)
                        plain_days = days[alike] - sensitive[alike]
                        total = np.where(sensitive[alike] > 0, sensitive[alike] * raised, 0.0)
                        total += np.where(plain_days > 0, plain_days * plain, 0.0)
                loads[alike, column] = np.where(days[alike] > 0, total, 0.0)
    return loads


def _listed_loads(
    instance: Instance, menu: Menu, limits: OrganLoads, sensitized: NDArray[np.bool_]
) -> FloatArray:
    """(courses, organ limits) load of each listed course alone.

    Days alike in technique, number and dose of their fractions and in sensitization load alike:

        load[c] = sum_k count[c, k] day_load[k],     infinite where a counted day's is
    """
    course, kind, alike = _treatment_days(menu, sensitized)
    if not len(course):
        return np.zeros((len(menu), len(limits)))
    of_day = _day_loads(instance, menu.lesion, limits, alike)
    finite = np.isfinite(of_day)
    loads = np.zeros((len(menu), len(limits)))
    edges = np.searchsorted(course, np.arange(len(menu) + 1))
    step = max(1, MOST_COUNTS // max(1, of_day.shape[0]))
    for begin in range(0, len(menu), step):
        tick()
        end = min(begin + step, len(menu))
        entries = slice(edges[begin], edges[end])
        place = (course[entries] - begin) * of_day.shape[0] + kind[entries]
        count = np.bincount(place, minlength=(end - begin) * of_day.shape[0])
        count = count.reshape(end - begin, -1).astype(float)
        loads[begin:end] = count @ np.where(finite, of_day, 0.0)
        loads[begin:end][count @ ~finite > 0] = np.inf
    _look_up(instance, menu, limits, (course, kind, alike), loads)
    return loads


def _look_up(
    instance: Instance,
    menu: Menu,
    limits: OrganLoads,
    days: tuple[IntArray, IntArray, FloatArray],
    loads: FloatArray,
) -> None:
    """Courses of n equal days, one fraction of dose d each, as limits count whole courses.

        load[c] = course_load(d, n) where a limit has one

    Parameters
    ----------
    days : course and kind of each treatment day, what days of a kind have
    """
    course, kind, alike = days
    lesion = instance.lesions[menu.lesion]
    number = np.bincount(course, minlength=len(menu))
    first = kind[np.minimum(np.searchsorted(course, np.arange(len(menu))), len(kind) - 1)]
    differs = np.bincount(course, kind != first[course], minlength=len(menu)) > 0
    equal = (number > 0) & ~differs & (alike[1, first] == 1)
    for way in np.unique(alike[0, first[equal]]).astype(int).tolist():
        rows = np.flatnonzero(equal & (alike[0, first] == way))
        for column, load in enumerate(limits):
            beam, dose = (lesion, lesion.ways[way], 1), alike[2, first[rows]]
            whole = load.course_load(instance, beam, dose, number[rows])
            if whole is not None:
                loads[rows, column] = whole


def _treatment_days(
    menu: Menu, sensitized: NDArray[np.bool_]
) -> tuple[IntArray, IntArray, FloatArray]:
    """(n,) course of each treatment day, (n,) its kind; (4, kinds) what days of a kind have.

    Technique, number of fractions, Gy of each, whether a drug sensitizes.
    """
    patterns = menu.patterns
    opens = ((patterns.days >= 0) & (patterns.slot == 0))[menu.pattern]
    course, place = np.nonzero(opens)
    pattern = menu.pattern[course]
    day = patterns.days[pattern, place]
    levels = np.unique(menu.doses)
    level = np.searchsorted(levels, np.broadcast_to(menu.doses, opens.shape)[course, place])
    way = menu.technique[course] if patterns.way is None else patterns.way[pattern, place]
    number = patterns.number[pattern, day].astype(np.int64)
    slots, ways = int(number.max(initial=0)) + 1, int(way.max(initial=0)) + 1
    code = ((level * slots + number) * ways + way) * 2 + sensitized[day]
    used = np.flatnonzero(np.bincount(code, minlength=1))
    digits = [used // 2 % ways, used // (2 * ways) % slots, used // (2 * ways * slots), used % 2]
    kinds = np.array([digits[0], digits[1], levels[digits[2]], digits[3]], dtype=float)
    return course, np.searchsorted(used, code), kinds


def _day_loads(instance: Instance, index: int, limits: OrganLoads, days: FloatArray) -> FloatArray:
    """(kinds of days, organ limits) load of one day of each kind, as (4, kinds) say."""
    lesion = instance.lesions[index]
    loads = np.zeros((days.shape[1], len(limits)))
    beams = np.unique(days[:2], axis=1).astype(int).T.tolist()
    for way, number in beams:
        alike = np.flatnonzero((days[0] == way) & (days[1] == number))
        beam, raised = (lesion, lesion.ways[way], number), days[3, alike] > 0
        for column, load in enumerate(limits):
            tick()
            with np.errstate(invalid="ignore"):
                plain = load.day_load(instance, beam, days[2, alike], 0)
                if load.enhancement(instance, True) > 1:
                    enhanced = load.day_load(instance, beam, days[2, alike], 0, True)
                    plain = np.where(raised, enhanced, plain)
            loads[alike, column] = plain
    return loads
