"""Everything that may be chosen in one case, with coefficients computed once per plan."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import Exposure, NtcpLimit
from abscopt.optimizer.candidates.coefficients import CourseEffects, course_effects
from abscopt.optimizer.candidates.courses import Menu, enumerate_menu
from abscopt.optimizer.candidates.loads import (
    Beam,
    alc_unit,
    by_technique,
    cross_factor,
    menu_loads,
    organ_limits,
    point_of,
    prior_load,
    reference_cap,
)
from abscopt.optimizer.candidates.plans import (
    Plan,
    PlanEffects,
    allowed_patterns,
    earliest_start_needed,
    enumerate_plans,
    exposures_of,
    latest_end_needed,
    plan_cost,
    plan_effects,
)
from abscopt.optimizer.candidates.propagators import Propagators, propagators

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
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
    alc_unit : (patterns, days) log loss of lymphocytes at a loss of 1 per fraction
    kappa : (courses,) loss per fraction
    shape : (courses,) courses of one shape share fractions, dose, technique and fractions a day
    variant : (courses,) index into `beams`
    beams : the techniques and numbers of fractions a day on the menu
    """

    menu: Menu
    alc_unit: FloatArray
    kappa: FloatArray
    shape: IntArray
    variant: IntArray
    beams: tuple[Beam, ...]

    def alc_loss(self, courses: IntArray) -> FloatArray:
        """(courses, days) log loss of lymphocytes of some courses on each day."""
        loss: FloatArray = self.kappa[courses, None] * self.alc_unit[self.menu.pattern[courses]]
        return loss


class Candidates:
    """Courses and plans of a case; `effects(plan)` gives the coefficients of one plan.

    A lesion that may not be irradiated has a menu with 'no course' only. Lesions with a free
    course have no menu: the programme states their days and levels itself.
    """

    def __init__(self, instance: Instance):
        self.instance = instance
        self.limits: tuple[OrganLimit, ...] = organ_limits(instance)
        self.hard: BoolArray = np.array([limit.penalty is None for limit in self.limits], bool)
        self.prior: FloatArray = np.array([prior_load(instance, limit) for limit in self.limits])
        self.exposures: tuple[tuple[int, int, Exposure], ...] = tuple(
            (row, position, exposure)
            for row, limit in enumerate(self.limits)
            if isinstance(limit, NtcpLimit)
            for position, exposure in enumerate(limit.exposures)
        )
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
        self._loads: dict[bytes, tuple[FloatArray, ...]] = {}

    def _table(self, index: int) -> LesionTable:
        menu, lesion = enumerate_menu(self.instance, index), self.instance.lesions[index]
        loads = menu_loads(self.instance, menu, np.zeros(self.instance.days, dtype=bool))
        keep = self.within(loads)
        keep[0] = True
        menu = menu.take(keep)
        key = np.stack([menu.fractions, menu.dose, menu.technique, menu.per_day], axis=1)
        beams = np.unique(key[:, 2:], axis=0, return_inverse=True)
        return LesionTable(
            menu=menu,
            alc_unit=alc_unit(self.instance, menu),
            kappa=by_technique(lesion, menu, lesion.lymphocyte_loss),
            shape=np.unique(key, axis=0, return_inverse=True)[1].reshape(-1),
            variant=beams[1].reshape(-1),
            beams=tuple((lesion, lesion.ways[int(w)], int(n)) for w, n in beams[0]),
        )

    def within(self, loads: FloatArray) -> BoolArray:
        """Rows that keep every hard cap, and lie inside every table."""
        total = loads + self.prior
        good: BoolArray = np.asarray(((total <= CAP) | ~self.hard).all(axis=1))
        return good & np.isfinite(total).all(axis=1)

    @cached_property
    def plan_effects(self) -> PlanEffects:
        """Daily effects of all plans."""
        return plan_effects(self.instance, self.plans)

    @cached_property
    def _propagators(self) -> tuple[tuple[Propagators, ...], ...]:
        return tuple(
            tuple(
                propagators(self.instance, lesion, way, table.menu.patterns, self.plan_effects)
                for way in lesion.ways
            )
            for table in self.lesions
            for lesion in [self.lesion_of(table)]
        )

    def lesion_of(self, table: LesionTable) -> Lesion:
        """The lesion of a table."""
        return self.instance.lesions[table.menu.lesion]

    def effects(self, plan: int) -> tuple[CourseEffects, ...]:
        """Coefficients of all courses under one plan."""
        if plan not in self._effects:
            self._effects[plan] = tuple(
                course_effects(
                    self.instance, table.menu, self.plan_effects, props, self.plans, plan
                )
                for table, props in zip(self.lesions, self._propagators, strict=True)
            )
        return self._effects[plan]

    def loads(self, plan: int) -> tuple[FloatArray, ...]:
        """Per lesion: (courses, organ limits) load of each course alone, without prior doses."""
        sensitized = self.plan_effects.sensitizer[plan] > 1
        if all(organ.sensitizer_enhancement_ratio == 1 for organ in self.instance.organs.values()):
            sensitized = np.zeros_like(sensitized)
        key = sensitized.tobytes()
        if key not in self._loads:
            self._loads[key] = tuple(
                menu_loads(self.instance, table.menu, sensitized) for table in self.lesions
            )
        return self._loads[key]

    def exposed(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (courses, exposures) whether a course meets the plan's infusions."""
        kinds = tuple(exposure for _, _, exposure in self.exposures)
        found = []
        for table in self.lesions:
            near = exposures_of(self.instance, self.plans[plan], table.menu.patterns, kinds)
            touches = np.array(
                [
                    [
                        lesion.sparing_factor(limit.organ, point_of(limit), 0, way) > 0
                        for limit in (self.limits[row] for row, _, _ in self.exposures)
                    ]
                    for lesion, way, _ in table.beams
                ],
                dtype=bool,
            ).reshape(len(table.beams), len(kinds))
            found.append(near[table.menu.pattern] & touches[table.variant])
        return tuple(found)

    def ntcp_ratio(self, row: int, state: tuple[bool, ...]) -> float:
        """Cap of an NTCP limit in a state of exposure, over its cap without exposure."""
        limit = self.limits[row]
        assert isinstance(limit, NtcpLimit)
        return limit.cap_gy(state) / reference_cap(limit)

    def states(self, row: int) -> list[tuple[bool, ...]]:
        """States of exposure of an NTCP limit."""
        limit = self.limits[row]
        assert isinstance(limit, NtcpLimit)
        return list(itertools.product((False, True), repeat=len(limit.exposures)))

    def allowed(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (courses,) whether the plan's intervals and hard limits allow the course."""
        plan_of, loads, exposed = self.plans[plan], self.loads(plan), self.exposed(plan)
        found = []
        for table, load, met in zip(self.lesions, loads, exposed, strict=True):
            patterns = allowed_patterns(self.instance, plan_of, table.menu.patterns)
            good = patterns[table.menu.pattern] & self.within(self.in_state(load, met))
            good[0] = True
            found.append(good)
        return tuple(found)

    def in_state(self, loads: FloatArray, exposed: BoolArray) -> FloatArray:
        """Loads with NTCP columns as parts of the caps of their own state; prior doses likewise.

        Parameters
        ----------
        loads : (n, organ limits) parts of the unexposed caps, without prior doses
        exposed : (n, exposures)
        """
        result = loads.copy()
        for row in sorted({row for row, _, _ in self.exposures}):
            columns = [i for i, (other, _, _) in enumerate(self.exposures) if other == row]
            for state in self.states(row):
                members = (exposed[:, columns] == np.array(state)).all(axis=1)
                ratio = self.ntcp_ratio(row, state)
                total = (loads[members, row] + self.prior[row]) / ratio
                result[members, row] = total - self.prior[row]
        return result

    def latest_end_needed(self, plan: int) -> int:
        """Day on or after which some course must end under this plan; -1 if none."""
        return latest_end_needed(self.instance, self.plans[plan])

    def earliest_start_needed(self, plan: int) -> int:
        """Day on or before which some course must start under this plan; -1 if none."""
        return earliest_start_needed(self.instance, self.plans[plan])

    def plan_cost(self, plan: int) -> float:
        """What the plan's excess over soft drug limits costs the objective."""
        return plan_cost(self.instance, self.plans[plan])

    @cached_property
    def cross(self) -> dict[tuple[int, int], FloatArray]:
        """(organ limits, beams of i, beams of j) extra load per d d' of fractions on one day."""
        found = {}
        for (i, one), (j, two) in itertools.product(enumerate(self.lesions), repeat=2):
            if i != j:
                found[i, j] = np.array(
                    [
                        [
                            [cross_factor(self.instance, limit, a, b, 0) for b in two.beams]
                            for a in one.beams
                        ]
                        for limit in self.limits
                    ]
                ).reshape(len(self.limits), len(one.beams), len(two.beams))
        return found

    def common_days(self, i: int, j: int) -> FloatArray:
        """(patterns of i, patterns of j) number of treatment days in common."""
        if (i, j) not in self._common:
            one, two = (self.lesions[k].menu.patterns.incidence for k in (i, j))
            self._common[i, j] = one @ two.T
        return self._common[i, j]
