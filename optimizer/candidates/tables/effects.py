"""Effects of courses under plans: propagators, and coefficients of the plans used last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from abscopt.optimizer.candidates.coefficients import CourseEffects, course_effects
from abscopt.optimizer.candidates.shared import Shared, shared_effects
from abscopt.optimizer.candidates.systemic.propagators import MOST_BYTES as PROPAGATORS
from abscopt.optimizer.candidates.systemic.propagators import Propagators, own_loss_of, propagators
from abscopt.optimizer.ids import PatternIds, PlanId

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.tables.menus import MenuTables
    from abscopt.optimizer.candidates.tables.plans import PlanTables

MOST_BYTES = 600_000_000
"""Of coefficients kept: plans of a leaf are asked for again; all plans of a large case take GB."""
MOST_GROUPS = 8
"""Groups of plans (of equal chemotherapy) kept: menus are enumerated group by group."""
LEAST_TOGETHER, MOST_TOGETHER = 16, 512
"""Plans of a set: fewer are bounded too often, more take seconds before the first bound."""

PerLesion = tuple[tuple[Propagators, ...], ...]


@dataclass(frozen=True, eq=False)
class EffectTables:
    """Coefficients of all courses under one plan after another.

    `_taken` are propagators that another part has computed for these courses and plans.

    Attributes
    ----------
    most_bytes : of coefficients kept
    """

    instance: Instance
    menus: MenuTables
    plans: PlanTables
    _taken: PerLesion | None = field(default=None, repr=False)
    _effects: OrderedDict[int, tuple[CourseEffects, ...]] = field(
        default_factory=OrderedDict, repr=False
    )
    _shared: dict[int, tuple[Shared, ...]] = field(default_factory=dict, repr=False)
    most_bytes: int = MOST_BYTES

    @property
    def common(self) -> object:
        """One thing that cases have in common whose courses and plans do the same."""
        return self._effects

    def for_case(self, instance: Instance) -> EffectTables:
        """The same for a case that differs in limits, weights or constants of effectors at most.

        Stores stay common where effectors are the same; what plans of one chemotherapy share knows
        none of these.
        """
        if instance.immune == self.instance.immune:
            known = vars(self).get("propagators", self._taken)
            return EffectTables(
                instance, self.menus, self.plans, known, self._effects, self._shared
            )
        return EffectTables(instance, self.menus, self.plans, _shared=self._shared)

    def narrowed(self, menus: MenuTables, used: list[PatternIds]) -> EffectTables:
        """The same for fewer courses, which use these of the day patterns."""
        taken = tuple(
            tuple(prop.take(patterns) for prop in lesion)
            for lesion, patterns in zip(self.propagators, used, strict=True)
        )
        return EffectTables(self.instance, menus, self.plans, taken)

    @cached_property
    def propagators(self) -> PerLesion:
        """By lesion and technique; lesions with equal patterns and effector kill share them."""
        if self._taken is not None:
            return self._taken
        by_beam: dict[tuple[tuple[object, ...], bytes], Propagators] = {}
        budget, result = PROPAGATORS // max(1, self._different_patterns()), []
        for table in self.menus.lesions:
            lesion, patterns = self.instance.lesions[table.menu.lesion], table.menu.patterns
            by_way = []
            for way in lesion.ways:
                key = (self._kill_key(lesion, way, patterns), patterns.days.tobytes())
                if key not in by_beam:
                    by_beam[key] = propagators(
                        self.instance, lesion, way, patterns, self.plans.effects, budget
                    )
                loss = own_loss_of(self.instance, lesion, way, table.of_several_ways)
                by_way.append(by_beam[key].of_share(lesion.precursor_share, loss))
            result.append(tuple(by_way))
        return tuple(result)

    @staticmethod
    def _kill_key(lesion: Lesion, way: Technique, patterns: Patterns) -> tuple[object, ...]:
        """What tells apart how much of the lesion's effectors fractions kill."""
        if patterns.way is None:
            return (lesion.effector_kill(way),)
        return (*(lesion.effector_kill(one_way) for one_way in lesion.ways), patterns.way.tobytes())

    def _different_patterns(self) -> int:
        """Number of stores of propagators."""
        lesions = self.instance.lesions
        return len(
            {
                (t.menu.patterns.days.tobytes(), len(lesions[t.menu.lesion].ways))
                for t in self.menus.lesions
            }
        )

    @property
    def plans_at_once(self) -> int:
        """Plans that may be bounded together: the propagators of all of them fit in memory."""
        horizons = len(self.instance.horizon_days)
        sizes = [8 * horizons * t.menu.patterns.days.size for t in self.menus.lesions]
        return max(LEAST_TOGETHER, min(MOST_TOGETHER, PROPAGATORS // max(1, *sizes, 1) // 2))

    def effects(self, plan: PlanId) -> tuple[CourseEffects, ...]:
        """Coefficients of all courses under one plan; those used last are kept."""
        if plan in self._effects:
            self._effects.move_to_end(plan)
            return self._effects[plan]
        effects = tuple(
            course_effects(self.instance, table.menu, self.plans.effects, props, shared, plan)
            for table, props, shared in zip(
                self.menus.lesions, self.propagators, self.shared(plan), strict=True
            )
        )
        size = sum(lesion.effect.nbytes + lesion.loss.nbytes for lesion in effects)
        while self._effects and (len(self._effects) + 1) * size > self.most_bytes:
            self._effects.popitem(last=False)
        self._effects[plan] = effects
        return effects

    def shared(self, plan: PlanId) -> tuple[Shared, ...]:
        """What the plan shares with all plans of the same chemotherapy; a few are kept."""
        group = int(self.plans.effects.group[plan])
        if group not in self._shared:
            sensitizer = self.plans.effects.sensitizer[plan]
            shared = tuple(
                shared_effects(self.instance, table.menu, sensitizer, self.plans.plans[plan])
                for table in self.menus.lesions
            )
            if len(self._shared) >= MOST_GROUPS:
                self._shared.clear()
            self._shared[group] = shared
        return self._shared[group]
