"""Loads of courses on limits, and which courses a plan allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.limits.blood.edric import edric_alone
from abscopt.optimizer.candidates.menus.loads import Beam, menu_loads
from abscopt.optimizer.candidates.systemic.plans import allowed_patterns, exposures_of
from abscopt.optimizer.candidates.tables.effects import MOST_GROUPS
from abscopt.optimizer.candidates.tables.menus import must_be_irradiated
from abscopt.optimizer.ids import PlanId

if TYPE_CHECKING:
    from abscopt.instances.limits import Exposure
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.tables.effects import EffectTables
    from abscopt.optimizer.candidates.tables.limits import LimitTables
    from abscopt.optimizer.candidates.tables.menus import LesionTable, MenuTables

MOST_EXPOSED = 1000
"""Sets of courses that plans allow, kept where plans differ by the courses that meet infusions."""


@dataclass(frozen=True, eq=False)
class BeamTables:
    """What a technique of one lesion, or of two on one day, does to the organs of limits."""

    instance: Instance
    limits: LimitTables
    beams: tuple[tuple[Beam, ...], ...]

    @cached_property
    def touches(self) -> tuple[BoolArray, ...]:
        """Per lesion: (beams, exposures) whether a beam reaches the organ of an exposure."""
        limits = [self.limits.on_organs[row].limit for row, _, _ in self.limits.exposures]
        return tuple(
            np.array(
                [
                    [
                        lesion.sparing_factor(limit.organ, limit.evaluation_point, 0, way) > 0
                        for limit in limits
                    ]
                    for lesion, way, _ in beams
                ],
                dtype=bool,
            ).reshape(len(beams), len(limits))
            for beams in self.beams
        )

    @cached_property
    def cross(self) -> dict[tuple[int, int], FloatArray]:
        """(organ limits, beams of i, beams of j) extra load per d d' of fractions on one day."""
        factors = {}
        for (i, first), (j, second) in itertools.product(enumerate(self.beams), repeat=2):
            if i != j:
                factors[i, j] = np.array(
                    [
                        [[load.cross_factor(self.instance, a, b, 0) for b in second] for a in first]
                        for load in self.limits.on_organs
                    ]
                ).reshape(len(self.limits.on_organs), len(first), len(second))
        return factors

    def cross_of(
        self, i: int, first: tuple[int, int], j: int, second: tuple[int, int]
    ) -> FloatArray:
        """(organ limits,) extra load per d d' of two (technique, fractions a day) on one day."""
        of_first, of_second = self.beams[i][0][0], self.beams[j][0][0]
        beam = (of_first, of_first.ways[first[0]], first[1])
        second_beam = (of_second, of_second.ways[second[0]], second[1])
        on_organs = self.limits.on_organs
        return np.array(
            [load.cross_factor(self.instance, beam, second_beam, 0) for load in on_organs]
        )


@dataclass(frozen=True, eq=False)
class EdricTables:
    """Parts of the dose to immune cells that add up over courses."""

    instance: Instance
    menus: MenuTables

    @cached_property
    def parts(self) -> tuple[FloatArray, ...]:
        """Per lesion (4, courses): lung, heart and integral dose, number of fractions."""
        menus = [table.menu for table in self.menus.lesions]
        return tuple(np.stack([*edric_alone(self.instance, m), m.fractions]) for m in menus)


@dataclass(frozen=True, eq=False)
class LoadTables:
    """Loads of courses on organ limits under one plan after another, and who keeps them."""

    instance: Instance
    limits: LimitTables
    beams: BeamTables
    effects: EffectTables
    _loads: dict[int, tuple[FloatArray, ...]] = field(default_factory=dict, repr=False)
    _near: dict[int, tuple[BoolArray, ...]] = field(default_factory=dict, repr=False)
    _allowed: dict[tuple[int | bytes, ...], tuple[BoolArray, ...]] = field(
        default_factory=dict, repr=False
    )

    def loads(self, plan: PlanId) -> tuple[FloatArray, ...]:
        """Per lesion: (kinds, organ limits) load of each kind alone, without prior doses."""
        effects = self.effects.plans.effects
        group = int(effects.group[plan])
        if group not in self._loads:
            sensitized = effects.sensitizer[plan] > 1
            loads = tuple(
                menu_loads(self.instance, shared.kinds.menu, self.limits.on_organs, sensitized)
                for shared in self.effects.shared(plan)
            )
            if len(self._loads) >= MOST_GROUPS:
                self._loads.clear()
            self._loads[group] = loads
        return self._loads[group]

    def near(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (patterns, exposures) whether some fraction is near the plan's infusions.

        Where fractions have techniques of their own, some fraction that reaches the organ.
        """
        if plan not in self._near:
            self._near[plan] = tuple(
                np.concatenate(
                    [
                        exposures_of(self.instance, self.effects.plans.plans[plan], *of_one)
                        for of_one in self._counted(table)
                    ],
                    axis=1,
                )
                for table in self.effects.menus.lesions
            )
        return self._near[plan]

    def _counted(self, table: LesionTable) -> Iterator[tuple[Patterns, tuple[Exposure, ...]]]:
        """Exposures with the patterns of the fractions that count for them."""
        patterns, exposures = table.menu.patterns, self.limits.exposures
        if patterns.way_by_day is None or not exposures:
            yield patterns, tuple(exposure for _, _, exposure in exposures)
            return
        lesion = self.instance.lesions[table.menu.lesion]
        for row, _, exposure in exposures:
            limit = self.limits.on_organs[row].limit
            reached = np.array(
                [
                    lesion.sparing_factor(limit.organ, limit.evaluation_point, 0, way) > 0
                    for way in lesion.ways
                ]
            )
            counted = patterns.incidence * reached[patterns.way_by_day]
            yield replace(patterns, incidence=counted), (exposure,)

    def exposed(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (courses, exposures) whether a course meets the plan's infusions."""
        return tuple(
            near[table.menu.pattern] & (table.of_several_ways | touched[table.variant])
            for table, near, touched in zip(
                self.effects.menus.lesions, self.near(plan), self.beams.touches, strict=True
            )
        )

    def reached(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (kinds,) whether a kind has the BED that the lesion demands."""
        return tuple(
            self._enough(table, shared)
            for table, shared in zip(
                self.effects.menus.lesions, self.effects.shared(plan), strict=True
            )
        )

    def _enough(self, table: LesionTable, shared: Shared) -> BoolArray:
        """(kinds,) the BED of a kind against what is demanded; fractions given do not go away."""
        least_bed = self.instance.lesions[table.menu.lesion].least_bed or 0.0
        enough: BoolArray = shared.bed >= least_bed
        if must_be_irradiated(self.instance, table):
            enough &= shared.kinds.menu.fractions > 0
        return enough

    def allowed(self, plan: PlanId) -> tuple[BoolArray, ...]:
        """Per lesion: (courses,) whether intervals, hard limits and demands allow the course."""
        tables, exposed = self.effects.menus.lesions, self.exposed(plan)
        systemic = self.effects.plans.plans[plan]
        patterns = [
            allowed_patterns(self.instance, systemic, table.menu.patterns) for table in tables
        ]
        group = int(self.effects.plans.effects.group[plan])
        marks: list[bytes] = [array.tobytes() for array in (*patterns, *exposed)]
        key: tuple[int | bytes, ...] = (group, *marks)
        if key not in self._allowed:
            capacity = MOST_EXPOSED if self.limits.exposures else MOST_GROUPS
            allowed = self._allowed_anew(plan, patterns, exposed)
            if len(self._allowed) >= capacity:
                self._allowed.clear()
            self._allowed[key] = allowed
        return self._allowed[key]

    def _allowed_anew(
        self, plan: PlanId, patterns: list[BoolArray], exposed: tuple[BoolArray, ...]
    ) -> tuple[BoolArray, ...]:
        """`allowed`, given per lesion the (patterns,) that intervals allow."""
        result = []
        for table, open_patterns, shared, load, met, enough in zip(
            self.effects.menus.lesions,
            patterns,
            self.effects.shared(plan),
            self.loads(plan),
            exposed,
            self.reached(plan),
            strict=True,
        ):
            kind = shared.kinds.of
            if self.limits.exposures:
                feasible = self.limits.within(self.limits.in_state(load[kind], met))
            else:
                feasible = self.limits.within(load)[kind]
            feasible &= open_patterns[table.menu.pattern]
            feasible[0] = True
            result.append(feasible & enough[kind])
        return tuple(result)
