"""Everything that may be chosen in one case, with coefficients computed once per plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.optimizer.candidates.coefficients import (
    CourseEffects,
    alc_loss_by_day,
    course_effects,
    cross_factor,
    menu_loads,
    organ_limits,
)
from abscopt.optimizer.candidates.courses import Menu, enumerate_menu
from abscopt.optimizer.candidates.plans import (
    Plan,
    PlanEffects,
    allowed_patterns,
    enumerate_plans,
    latest_end_needed,
    plan_effects,
)
from abscopt.optimizer.candidates.propagators import Propagators, propagators

if TYPE_CHECKING:
    from abscopt.instances.limits import OrganLimit
    from abscopt.instances.schema import Instance

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

CAP = 1.0 + 1e-9


@dataclass(frozen=True)
class LesionTable:
    """Courses of one uniform lesion with all that does not depend on the plan.

    Attributes
    ----------
    loads : (courses, organ limits) parts of the caps, each course alone
    alc_loss : (patterns, days)
    shape : (courses,) courses of one number of fractions and one dose share a shape
    """

    menu: Menu
    loads: FloatArray
    alc_loss: FloatArray
    shape: IntArray


class Candidates:
    """Courses and plans of a case; `effects(plan)` gives the coefficients of one plan.

    A lesion that may not be irradiated has a menu with 'no course' only. Lesions with a free
    course have no menu: the programme states their days and levels itself.
    """

    def __init__(self, instance: Instance):
        self.instance = instance
        self.limits: tuple[OrganLimit, ...] = organ_limits(instance)
        self.plans: tuple[Plan, ...] = enumerate_plans(instance)
        self.free: tuple[int, ...] = tuple(
            i
            for i in instance.irradiable
            if (course := instance.lesions[i].course) is not None and course.form == "free"
        )
        self.lesions: tuple[LesionTable, ...] = tuple(
            self._table(i) for i in range(len(instance.lesions)) if i not in self.free
        )
        self._effects: dict[int, tuple[CourseEffects, ...]] = {}
        self._common: dict[tuple[int, int], FloatArray] = {}

    def _table(self, index: int) -> LesionTable:
        menu = enumerate_menu(self.instance, index)
        loads = menu_loads(self.instance, menu)
        keep: BoolArray = np.asarray((loads <= CAP).all(axis=1))
        keep[0] = True
        menu, loads = menu.take(keep), loads[keep]
        lesion = self.instance.lesions[index]
        pair = np.stack([menu.fractions.astype(float), menu.dose], axis=1)
        return LesionTable(
            menu=menu,
            loads=loads,
            alc_loss=alc_loss_by_day(self.instance, lesion, menu.patterns),
            shape=np.unique(pair, axis=0, return_inverse=True)[1].reshape(-1),
        )

    @cached_property
    def plan_effects(self) -> PlanEffects:
        """Daily effects of all plans."""
        return plan_effects(self.instance, self.plans)

    @cached_property
    def _propagators(self) -> tuple[Propagators, ...]:
        return tuple(
            propagators(
                self.instance,
                self.instance.lesions[table.menu.lesion],
                table.menu.patterns,
                self.plan_effects,
            )
            for table in self.lesions
        )

    def effects(self, plan: int) -> tuple[CourseEffects, ...]:
        """Coefficients of every uniform lesion's courses under one plan."""
        if plan not in self._effects:
            self._effects[plan] = tuple(
                course_effects(self.instance, table.menu, self.plan_effects, prop, plan)
                for table, prop in zip(self.lesions, self._propagators, strict=True)
            )
        return self._effects[plan]

    def allowed(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (courses,) whether the plan's intervals allow the course."""
        return tuple(
            allowed_patterns(self.instance, self.plans[plan], table.menu.patterns)[
                table.menu.pattern
            ]
            for table in self.lesions
        )

    def latest_end_needed(self, plan: int) -> int:
        """Day on or after which some course must end under this plan; -1 if none."""
        return latest_end_needed(self.instance, self.plans[plan])

    @cached_property
    def cross(self) -> FloatArray:
        """(organ limits, lesions, lesions) extra load per d d' of fractions on one day."""
        count = len(self.lesions)
        cross = np.zeros((len(self.limits), count, count))
        for row, limit in enumerate(self.limits):
            for i in range(count):
                for j in range(count):
                    one, two = (self.instance.lesions[self.lesions[k].menu.lesion] for k in (i, j))
                    if i != j and one.irradiable and two.irradiable:
                        cross[row, i, j] = cross_factor(self.instance, limit, one, two, 0)
        return cross

    def common_days(self, i: int, j: int) -> FloatArray:
        """(patterns of i, patterns of j) number of fraction days in common."""
        if (i, j) not in self._common:
            one, two = (self.lesions[k].menu.patterns.incidence for k in (i, j))
            self._common[i, j] = one @ two.T
        return self._common[i, j]
