"""Everything that may be chosen in one case, with coefficients computed once per plan."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import Exposure, NtcpLimit
from abscopt.instances.prior import point_of, prior_load, reference_cap
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.candidates.coefficients import (
    CourseEffects,
    Shared,
    course_effects,
    shared_effects,
)
from abscopt.optimizer.candidates.courses import Menu, enumerate_menu
from abscopt.optimizer.candidates.loads import (
    Beam,
    alc_unit,
    by_technique,
    cross_factor,
    edric_alone,
    menu_loads,
    organ_limits,
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
from abscopt.optimizer.candidates.propagators import MOST_BYTES as PROPAGATORS
from abscopt.optimizer.candidates.propagators import Propagators, propagators
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.limits import OrganLimit
    from abscopt.instances.schema import Instance


CAP = 1.0 + 1e-9
LIMITING = ("limits", "organs", "prior_doses", "cross_second_moments")
MOST_BYTES = 600_000_000
MOST_GROUPS = 8
LEAST_TOGETHER, MOST_TOGETHER = 16, 512
"""Plans of a set: fewer are bounded too often, more take seconds before the first bound."""
MOST_EXPOSED = 1000
MOST_PAIRS = 1_000_000


@dataclass(frozen=True)
class LesionTable:
    """Courses of one uniform lesion with all that does not depend on the plan.

    Attributes
    ----------
    kept : (courses of the lesion in the case,) those that limits left in its own menu
    alc_unit : (patterns, days) log loss of lymphocytes at a loss of 1 per fraction
    kappa : (courses,) loss per fraction
    variant : (courses,) index into `beams`
    beams : the techniques and numbers of fractions a day on the menu
    """

    menu: Menu
    kept: BoolArray
    alc_unit: FloatArray
    kappa: FloatArray
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

    Attributes
    ----------
    origin : per lesion (courses,) which courses of the case's own menus these are; None for all
    last_day : last treatment day of the case's own menus
    own_patterns : per lesion the day patterns of the case's own menus
    """

    def __init__(self, instance: Instance):
        self._set_limits(instance)
        self.plans: tuple[Plan, ...] = enumerate_plans(instance)
        self.free: tuple[int, ...] = tuple(
            i
            for i in instance.irradiable
            if (course := instance.lesions[i].course) is not None and course.form == "free"
        )
        self.lesions: tuple[LesionTable, ...] = tuple(
            self._table(i) for i in range(len(instance.lesions)) if i not in self.free
        )
        self.origin: tuple[IntArray, ...] | None = None
        self.last_day = max((int(t.menu.patterns.last.max()) for t in self.lesions), default=-1)
        self.own_patterns = tuple(table.menu.patterns for table in self.lesions)
        self._effects: OrderedDict[int, tuple[CourseEffects, ...]] = OrderedDict()
        self._shared: dict[int, tuple[Shared, ...]] = {}
        self._common: dict[tuple[int, int], FloatArray] = {}

    def _set_limits(self, instance: Instance) -> None:
        """What depends on limits and prior doses."""
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
        self._allowed: dict[tuple[int | bytes, ...], tuple[BoolArray, ...]] = {}
        self._near: dict[int, tuple[BoolArray, ...]] = {}
        self._ratios: dict[tuple[int, tuple[bool, ...]], float] = {}
        self._loads: dict[int, tuple[FloatArray, ...]] = {}

    def taken_over(self, instance: Instance) -> Candidates | None:
        """The same tables for another case that is alike in all they depend on.

        Limits may be others, and constants of effectors, whose propagators are then made anew.
        None where that case allows a course that these menus lack. See `reuse`.
        """
        again, before = copy.copy(self), self.instance
        again.instance = instance
        if instance.immune != before.immune:
            again.__dict__.pop("_propagators", None)
            again._effects = OrderedDict()
        if all(getattr(instance, name) == getattr(before, name) for name in LIMITING):
            return again
        again._set_limits(instance)
        for late in ("cross", "edric_parts", "touches"):
            again.__dict__.pop(late, None)
        for table in self.lesions:
            if (again._fitting(enumerate_menu(instance, table.menu.lesion)) & ~table.kept).any():
                return None
        return again

    def _fitting(self, menu: Menu) -> BoolArray:
        """(courses,) whether each course by itself keeps every hard cap, no drug acting."""
        lesion = self.instance.lesions[menu.lesion]
        levels, dose = np.unique(menu.dose, return_inverse=True)
        ways, most = len(lesion.ways), int(menu.patterns.per_day.max()) + 1
        key = ((menu.fractions * len(levels) + dose) * ways + menu.technique) * most + menu.per_day
        _, first, shape = np.unique(key, return_index=True, return_inverse=True)
        loads = menu_loads(self.instance, menu.take(first), np.zeros(self.instance.days, bool))
        keep: BoolArray = self.within(loads)[shape.reshape(-1)]
        keep[0] = True
        return keep

    def _table(self, index: int) -> LesionTable:
        tick()
        menu, lesion = enumerate_menu(self.instance, index), self.instance.lesions[index]
        tick()
        keep, most = self._fitting(menu), int(menu.patterns.per_day.max()) + 1
        menu = menu.take(keep)
        beam = menu.technique * most + menu.per_day
        beams, variant = np.unique(beam, return_inverse=True)
        tick()
        return LesionTable(
            menu=menu,
            kept=keep,
            alc_unit=alc_unit(self.instance, menu),
            kappa=by_technique(lesion, menu, lesion.lymphocyte_loss),
            variant=variant.reshape(-1),
            beams=tuple((lesion, lesion.ways[int(b) // most], int(b) % most) for b in beams),
        )

    def in_case(self, row: IntArray) -> IntArray:
        """A row, or rows (schedules, lesions), of these courses among those of the case."""
        if self.origin is None:
            return row
        columns = np.moveaxis(row, -1, 0)
        found = [own[c] for own, c in zip(self.origin, columns, strict=True)]
        return np.stack(found, axis=-1)

    def of_case(self, row: IntArray) -> IntArray | None:
        """A row of the case's courses among these; None if some course is not among them."""
        if self.origin is None:
            return row
        found = [np.flatnonzero(own == c) for own, c in zip(self.origin, row, strict=True)]
        return np.concatenate(found) if all(map(len, found)) else None

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
        """By lesion and technique; lesions with equal patterns and effector kill share them."""
        known: dict[tuple[float, bytes], Propagators] = {}
        most, found = PROPAGATORS // max(1, self._different_patterns()), []
        for table in self.lesions:
            lesion, patterns, own = self.lesion_of(table), table.menu.patterns, []
            for way in lesion.ways:
                key = (lesion.effector_kill(way), patterns.days.tobytes())
                if key not in known:
                    known[key] = propagators(
                        self.instance, lesion, way, patterns, self.plan_effects, most
                    )
                own.append(known[key].of_share(lesion.precursor_share))
            found.append(tuple(own))
        return tuple(found)

    def _different_patterns(self) -> int:
        """Number of stores of propagators."""
        return len(
            {(t.menu.patterns.days.tobytes(), len(self.lesion_of(t).ways)) for t in self.lesions}
        )

    @property
    def plans_at_once(self) -> int:
        """Plans that may be bounded together: the propagators of all of them fit in memory."""
        horizons = len(self.instance.horizon_days)
        sizes = [8 * horizons * t.menu.patterns.days.size for t in self.lesions]
        return max(LEAST_TOGETHER, min(MOST_TOGETHER, PROPAGATORS // max(1, *sizes, 1) // 2))

    def propagators(self, s: int) -> tuple[Propagators, ...]:
        """Propagators of lesion s, by technique."""
        return self._propagators[s]

    def lesion_of(self, table: LesionTable) -> Lesion:
        """The lesion of a table."""
        return self.instance.lesions[table.menu.lesion]

    def effects(self, plan: int) -> tuple[CourseEffects, ...]:
        """Coefficients of all courses under one plan; those used last are kept."""
        if plan in self._effects:
            self._effects.move_to_end(plan)
            return self._effects[plan]
        shared = self.shared(plan)
        found = tuple(
            course_effects(self.instance, table.menu, self.plan_effects, props, one, plan)
            for table, props, one in zip(self.lesions, self._propagators, shared, strict=True)
        )
        size = sum(one.effect.nbytes + one.loss.nbytes for one in found)
        while self._effects and (len(self._effects) + 1) * size > MOST_BYTES:
            self._effects.popitem(last=False)
        self._effects[plan] = found
        return found

    def shared(self, plan: int) -> tuple[Shared, ...]:
        """What the plan shares with all plans of the same chemotherapy; a few are kept."""
        group = int(self.plan_effects.group[plan])
        if group not in self._shared:
            sensitizer = self.plan_effects.sensitizer[plan]
            found = tuple(
                shared_effects(self.instance, table.menu, sensitizer, self.plans[plan])
                for table in self.lesions
            )
            self._shared = {group: found} if len(self._shared) >= MOST_GROUPS else self._shared
            self._shared[group] = found
        return self._shared[group]

    def loads(self, plan: int) -> tuple[FloatArray, ...]:
        """Per lesion: (kinds, organ limits) load of each kind alone, without prior doses."""
        group = int(self.plan_effects.group[plan])
        if group not in self._loads:
            sensitized = self.plan_effects.sensitizer[plan] > 1
            found = tuple(
                menu_loads(self.instance, one.kinds.menu, sensitized) for one in self.shared(plan)
            )
            self._loads = {} if len(self._loads) >= MOST_GROUPS else self._loads
            self._loads[group] = found
        return self._loads[group]

    def exposed(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (courses, exposures) whether a course meets the plan's infusions."""
        return tuple(
            near[table.menu.pattern] & touched[table.variant]
            for table, near, touched in zip(
                self.lesions, self.near(plan), self.touches, strict=True
            )
        )

    def near(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns, exposures) whether some fraction is near the plan's infusions."""
        if plan not in self._near:
            kinds = tuple(exposure for _, _, exposure in self.exposures)
            self._near[plan] = tuple(
                exposures_of(self.instance, self.plans[plan], table.menu.patterns, kinds)
                for table in self.lesions
            )
        return self._near[plan]

    @cached_property
    def touches(self) -> tuple[BoolArray, ...]:
        """Per lesion: (beams, exposures) whether a beam reaches the organ of an exposure."""
        limits = [self.limits[row] for row, _, _ in self.exposures]
        return tuple(
            np.array(
                [
                    [
                        lesion.sparing_factor(limit.organ, point_of(limit), 0, way) > 0
                        for limit in limits
                    ]
                    for lesion, way, _ in table.beams
                ],
                dtype=bool,
            ).reshape(len(table.beams), len(limits))
            for table in self.lesions
        )

    @cached_property
    def edric_parts(self) -> tuple[FloatArray, ...]:
        """Per lesion (4, courses): lung, heart and integral dose, number of fractions."""
        menus = [table.menu for table in self.lesions]
        return tuple(np.stack([*edric_alone(self.instance, m), m.fractions]) for m in menus)

    def ntcp_ratio(self, row: int, state: tuple[bool, ...]) -> float:
        """Cap of an NTCP limit in a state of exposure, over its cap without exposure."""
        if (row, state) not in self._ratios:
            limit = self.limits[row]
            assert isinstance(limit, NtcpLimit)
            self._ratios[row, state] = limit.cap_gy(state) / reference_cap(limit)
        return self._ratios[row, state]

    def states(self, row: int) -> list[tuple[bool, ...]]:
        """States of exposure of an NTCP limit."""
        limit = self.limits[row]
        assert isinstance(limit, NtcpLimit)
        return list(itertools.product((False, True), repeat=len(limit.exposures)))

    def allowed(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (courses,) whether intervals, hard limits and demands allow the course."""
        plan_of, loads, exposed = self.plans[plan], self.loads(plan), self.exposed(plan)
        patterns = [
            allowed_patterns(self.instance, plan_of, table.menu.patterns) for table in self.lesions
        ]
        group = int(self.plan_effects.group[plan])
        marks: list[bytes] = [part.tobytes() for part in (*patterns, *exposed)]
        key: tuple[int | bytes, ...] = (group, *marks)
        if key not in self._allowed:
            found = []
            kinds = [one.kinds.of for one in self.shared(plan)]
            for table, own, kind, load, met in zip(
                self.lesions, patterns, kinds, loads, exposed, strict=True
            ):
                if self.exposures:
                    good = self.within(self.in_state(load[kind], met))
                else:
                    good = self.within(load)[kind]
                good &= own[table.menu.pattern]
                good[0] = True
                found.append(good)
            found = [
                good & enough[kind]
                for good, enough, kind in zip(found, self.reached(plan), kinds, strict=True)
            ]
            most = MOST_EXPOSED if self.exposures else MOST_GROUPS
            self._allowed = {} if len(self._allowed) >= most else self._allowed
            self._allowed[key] = tuple(found)
        return self._allowed[key]

    def reached(self, plan: int) -> tuple[BoolArray, ...]:
        """Per lesion: (kinds,) whether a kind has the BED that the lesion demands."""
        return tuple(
            one.bed >= (self.lesion_of(table).least_bed or 0.0)
            for table, one in zip(self.lesions, self.shared(plan), strict=True)
        )

    @cached_property
    def demanding(self) -> BoolArray:
        """(lesion tables,) lesions that must be irradiated."""
        return np.array([self.lesion_of(t).least_bed is not None for t in self.lesions], bool)

    @cached_property
    def controlled(self) -> dict[int, float]:
        """Greatest log burden at the last horizon of lesion tables that demand control."""
        most = ((s, self.lesion_of(t).most_log_burden) for s, t in enumerate(self.lesions))
        return {s: burden for s, burden in most if burden is not None}

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

    @cached_property
    def treated(self) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns, days up to the last fraction of all) days with fractions."""
        last = max(int(table.menu.patterns.last.max()) for table in self.lesions)
        return tuple(table.menu.patterns.incidence[:, : last + 1] > 0 for table in self.lesions)

    def common_days(self, i: int, j: int, one: IntArray, two: IntArray) -> FloatArray:
        """(n,) number of treatment days that patterns of lesion i and of lesion j share."""
        first, second = (self.lesions[k].menu.patterns for k in (i, j))
        if len(first.count) * len(second.count) > MOST_PAIRS:
            both = self.treated[i][one] & self.treated[j][two]
            return np.asarray(both.sum(axis=1), dtype=np.float64)
        if (i, j) not in self._common:
            self._common[i, j] = first.incidence @ second.incidence.T
        common: FloatArray = self._common[i, j][one, two]
        return common
