"""What courses of a menu add to organ limits, as parts of the caps; exact for one lesion alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.courses import Menu
    from abscopt.optimizer.candidates.limits.protocol import OrganLoads


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
    """(courses, organ limits) load of each listed course alone, day by day.

    load = sum_t day_load(fractions of day t, Gy of each)
    """
    lesion = instance.lesions[menu.lesion]
    loads = np.zeros((len(menu), len(limits)))
    numbers, ways = menu.patterns.number[menu.pattern], menu.way_by_day
    levels, level = np.unique(menu.gy_by_day, return_inverse=True)
    level = level.reshape(numbers.shape)
    for way, technique in enumerate(lesion.ways):
        mine = ways == way
        alike = np.flatnonzero(mine.any(axis=1))
        of_way, at = np.where(mine, numbers, 0.0)[alike], level[alike]
        for number in np.unique(of_way[of_way > 0]).astype(int).tolist():
            on_days = of_way == number
            for column, load in enumerate(limits):
                tick()
                with np.errstate(invalid="ignore"):
                    beam = (lesion, technique, number)
                    plain = load.day_load(instance, beam, levels, 0)[at]
                    if load.enhancement(instance, True) > 1:
                        raised = load.day_load(instance, beam, levels, 0, True)[at]
                        plain = np.where(sensitized, raised, plain)
                loads[alike, column] += np.where(on_days, plain, 0.0).sum(axis=1)
    return loads
