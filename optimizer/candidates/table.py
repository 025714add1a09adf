"""Everything that may be chosen in one case, with coefficients computed once per plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.checks.restriction import restricts
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.coefficients import CourseEffects
from abscopt.optimizer.candidates.limits.protocol import CAP
from abscopt.optimizer.candidates.shared import Shared
from abscopt.optimizer.candidates.systemic.plans import (
    Plan,
    PlanEffects,
    earliest_start_needed,
    latest_end_needed,
    plan_cost,
)
from abscopt.optimizer.candidates.systemic.propagators import Propagators
from abscopt.optimizer.candidates.tables.effects import EffectTables
from abscopt.optimizer.candidates.tables.limits import LimitTables
from abscopt.optimizer.candidates.tables.loads import BeamTables, EdricTables, LoadTables
from abscopt.optimizer.candidates.tables.menus import (
    LesionTable,
    MenuTables,
    must_be_irradiated,
)
from abscopt.optimizer.candidates.tables.plans import PlanTables
from abscopt.optimizer.ids import CourseIds, PatternIds, PlanId, Rows, plan_ids

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.limits import Exposure
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.limits.protocol import (
        CourseLoad,
        LimitLoad,
        OrganLoads,
        PlanLoad,
    )
    from abscopt.optimizer.candidates.menus.courses import Patterns

__all__ = ["CAP", "Candidates", "LesionTable", "Parts"]

LIMITING = ("limits", "organs", "prior_doses", "cross_second_moments")
"""Tables of a case that limits and prior doses are read from."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The tables that candidates consist of; each holds the stores of what it computes."""

    limits: LimitTables
    beams: BeamTables
    menus: MenuTables
    edric: EdricTables
    plans: PlanTables
    effects: EffectTables
    loads: LoadTables

    @classmethod
    def of(cls, instance: Instance) -> Parts:
        """All courses and plans of a case."""
        limits, plans = LimitTables.of(instance), PlanTables.of(instance)
        menus = MenuTables.of(instance, limits)
        beams = BeamTables(instance, limits, tuple(table.beams for table in menus.lesions))
        return cls.joined(instance, limits, beams, menus, plans, None)

    @classmethod
    def joined(
        cls,
        instance: Instance,
        limits: LimitTables,
        beams: BeamTables,
        menus: MenuTables,
        plans: PlanTables,
        effects: EffectTables | None,
    ) -> Parts:
        """Parts with what depends on several of them; `effects` where they are known."""
        effects = effects or EffectTables(instance, menus, plans)
        loads = LoadTables(instance, limits, beams, effects)
        return cls(limits, beams, menus, EdricTables(instance, menus), plans, effects, loads)


class Candidates:
    """Courses and plans of a case; `effects(plan)` gives the coefficients of one plan.

    A lesion that may not be irradiated has a menu with 'no course' only. Lesions with a free
    course have no menu: the programme states their days and levels itself. Candidates are never
    changed: fewer courses or plans, or other limits, make new ones of other `parts`.
    """

    def __init__(self, instance: Instance, parts: Parts | None = None):
        self.instance = instance
        self.parts = Parts.of(instance) if parts is None else parts

    def narrowed(self, courses: Sequence[CourseIds]) -> Candidates:
        """Candidates with some of the courses of each lesion, 'no course' among them, in order.

        Plans are the same; only the day patterns that are used are kept.
        """
        tables = self.parts
        menus, used = tables.menus.narrowed(courses)
        return self._joined(menus, tables.plans, tables.effects.narrowed(menus, used))

    def restricted(self, courses: Sequence[CourseIds], plans: Sequence[PlanId]) -> Candidates:
        """Candidates with some of the courses and some of the plans, their effects not begun."""
        menus, _ = self.parts.menus.narrowed(courses)
        return self._joined(menus, self.parts.plans.some(plans), None)

    def as_case(self, courses: Sequence[CourseIds], plans: Sequence[PlanId]) -> Candidates:
        """The same as those of a case that offers nothing else; rows are numbered anew."""
        menus, _ = self.parts.menus.narrowed(courses)
        return self._joined(menus.as_case(), self.parts.plans.some(plans), None)

    def of_plans(self, plans: Sequence[PlanId]) -> Candidates:
        """Candidates of some of the plans, their effects not begun; courses are the same."""
        tables, chosen = self.parts, self.parts.plans.some(plans)
        effects = EffectTables(self.instance, tables.menus, chosen)
        loads = LoadTables(self.instance, tables.limits, tables.beams, effects)
        return Candidates(
            self.instance, replace(tables, plans=chosen, effects=effects, loads=loads)
        )

    def _joined(
        self, menus: MenuTables, plans: PlanTables, effects: EffectTables | None
    ) -> Candidates:
        limits, beams = self.parts.limits, self.parts.beams
        tables = Parts.joined(self.instance, limits, beams, menus, plans, effects)
        return Candidates(self.instance, tables)

    def taken_over(self, instance: Instance) -> Candidates | None:
        """The same tables for another case that is alike in all they depend on.

        Limits may be others, and constants of effectors, whose propagators are then made anew.
        None where that case allows a course that these menus lack. See `reuse`.
        """
        tables, before = self.parts, self.instance
        effects = tables.effects.for_case(instance)
        if all(getattr(instance, name) == getattr(before, name) for name in LIMITING):
            return Candidates(instance, replace(tables, effects=effects))
        limits = LimitTables.of(instance)
        if not restricts(instance, before) and not tables.menus.hold(instance, limits):
            return None
        beams = BeamTables(instance, limits, tables.beams.beams)
        joined = Parts.joined(instance, limits, beams, tables.menus, tables.plans, effects)
        return Candidates(instance, joined)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Systemic plans."""
        return self.parts.plans.plans

    @property
    def plan_ids(self) -> Sequence[PlanId]:
        """Ids of all plans."""
        return plan_ids(len(self.plans))

    @property
    def plan_effects(self) -> PlanEffects:
        """Daily effects of all plans."""
        return self.parts.plans.effects

    @property
    def lesions(self) -> tuple[LesionTable, ...]:
        """Tables of the lesions without a free course."""
        return self.parts.menus.lesions

    @property
    def free(self) -> tuple[int, ...]:
        """Lesions of the case with a free course."""
        return self.parts.menus.free

    @property
    def own_patterns(self) -> tuple[Patterns, ...]:
        """Per lesion the day patterns of the case's own menus."""
        return self.parts.menus.own_patterns

    @property
    def treated(self) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns, days up to the last fraction of all) days with fractions."""
        return self.parts.menus.treated

    @property
    def every_limit(self) -> tuple[LimitLoad[Any], ...]:
        """What is asked of every limit of the case, in its order."""
        return self.parts.limits.every

    @property
    def on_organs(self) -> OrganLoads:
        """The limits on organs: each has a column of loads."""
        return self.parts.limits.on_organs

    @property
    def on_courses(self) -> tuple[CourseLoad[Any], ...]:
        """The limits that depend on courses in another way."""
        return self.parts.limits.on_courses

    @property
    def on_plans(self) -> tuple[PlanLoad[Any], ...]:
        """The limits on drugs alone."""
        return self.parts.limits.on_plans

    @property
    def hard(self) -> BoolArray:
        """(organ limits,) whether a limit must be kept."""
        return self.parts.limits.hard

    @property
    def prior(self) -> FloatArray:
        """(organ limits,) load of doses given before, as parts of the caps."""
        return self.parts.limits.prior

    @property
    def exposures(self) -> tuple[tuple[int, int, Exposure], ...]:
        """(organ limit, position among its exposures, exposure) of all that have some."""
        return self.parts.limits.exposures

    @property
    def touches(self) -> tuple[BoolArray, ...]:
        """Per lesion: (beams, exposures) whether a beam reaches the organ of an exposure."""
        return self.parts.beams.touches

    @property
    def cross(self) -> dict[tuple[int, int], FloatArray]:
        """(organ limits, beams of i, beams of j) extra load per d d' of fractions on one day."""
        return self.parts.beams.cross

    def cross_of(
        self, i: int, first: tuple[int, int], j: int, second: tuple[int, int]
    ) -> FloatArray:
        """(organ limits,) the same of two (technique, fractions a day) that need be no beams."""
        return self.parts.beams.cross_of(i, first, j, second)

    @property
    def edric_parts(self) -> tuple[FloatArray, ...]:
        """Per lesion (4, courses): lung, heart and integral dose, number of fractions."""
        return self.parts.edric.parts

    @property
    def plans_at_once(self) -> int:
        """Plans that may be bounded together: the propagators of all of them fit in memory."""
        return self.parts.effects.plans_at_once

    @cached_property
    def kept_alone(self) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns,) whether the days of one course keep the limits by themselves."""
        return tuple(
            np.all([limit.kept_alone(table.menu.patterns) for limit in self.on_courses], axis=0)
            & np.ones(len(table.menu.patterns.count), dtype=bool)
            for table in self.lesions
        )

    @cached_property
    def most_days(self) -> int | None:
        """Days with fractions that any schedule may have at most; None where no limit says so."""
        most = (limit.most_days(self) for limit in self.on_courses)
        return min((days for days in most if days is not None), default=None)

    @cached_property
    def demanding(self) -> BoolArray:
        """(lesion tables,) lesions that must be irradiated."""
        return np.array([must_be_irradiated(self.instance, t) for t in self.lesions], bool)

    @cached_property
    def controlled(self) -> dict[int, float]:
        """Greatest log burden at the last horizon of lesion tables that demand control."""
        most = ((s, self.lesion_of(t).most_log_burden) for s, t in enumerate(self.lesions))
        return {s: burden for s, burden in most if burden is not None}

    def lesion_of(self, table: LesionTable) -> Lesion:
        """The lesion of a table."""
        return self.instance.lesions[table.menu.lesion]

    def in_case(self, row: Rows) -> Rows:
        """A row, or rows (schedules, lesions), of these courses among those of the case."""
        return self.parts.menus.in_case(row)

    def of_case(self, row: CourseIds) -> CourseIds | None:
        """A row of the case's courses among these; None if some course is not among them."""
        return self.parts.menus.of_case(row)

    def common_days(self, i: int, j: int, of_i: PatternIds, of_j: PatternIds) -> FloatArray:
        """(n,) number of treatment days that patterns of lesion i and of lesion j share."""
        return self.parts.menus.common_days(i, j, of_i, of_j)

    def within(self, loads: FloatArray) -> BoolArray:
        """Rows that keep every hard cap, and lie inside every table."""
        return self.parts.limits.within(loads)

    def ntcp_ratio(self, row: int, state: tuple[bool, ...]) -> float:
        """Cap of an organ limit in a state of exposure, over its cap without exposure."""
        return self.parts.limits.ntcp_ratio(row, state)

    def in_state(self, loads: FloatArray, exposed: BoolArray) -> FloatArray:
        """(n, organ limits) loads as parts of the caps of their own state of exposure."""
        return self.parts.limits.in_state(loads, exposed)

    def propagators(self, s: int) -> tuple[Propagators, ...]:
        """Propagators of lesion s, by technique."""
        return self.parts.effects.propagators[s]

    def effects(self, plan: PlanId) -> tuple[CourseEffects, ...]:
        """Coefficients of all courses under one plan; those used last are kept."""
        return self.parts.effects.effects(plan)

    def shared(self, plan: PlanId) -> tuple[Shared, ...]:
        """What the plan shares with all plans of the same chemotherapy; a few are kept."""
        return self.parts.effects.shared(plan)

    def loads(self, plan: PlanId) -> tuple[FloatArray, ...]:
        """Per lesion: (kinds, organ limits) load of each kind alone, without prior doses."""
        return self.parts.loads.loads(plan)

    def exposed(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (courses, exposures) whether a course meets the plan's infusions."""
        return self.parts.loads.exposed(plan)

    def near(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns, exposures) whether some fraction is near the plan's infusions."""
        return self.parts.loads.near(plan)

    def allowed(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (courses,) whether intervals, hard limits and demands allow the course."""
        return self.parts.loads.allowed(plan)

    def reached(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (kinds,) whether a kind has the BED that the lesion demands."""
        return self.parts.loads.reached(plan)

    def latest_end_needed(self, plan: PlanId) -> int:
        """Day on or after which some course must end under this plan; -1 if none."""
        return latest_end_needed(self.instance, self.plans[plan])

    def earliest_start_needed(self, plan: PlanId) -> int:
        """Day on or before which some course must start under this plan; -1 if none."""
        return earliest_start_needed(self.instance, self.plans[plan])

    def plan_cost(self, plan: PlanId) -> float:
        """What the plan's excess over soft drug limits costs the objective."""
        return plan_cost(self.instance, self.on_plans, self.plans[plan])
