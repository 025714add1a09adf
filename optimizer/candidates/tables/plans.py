"""Systemic plans of a case, and what they do day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from abscopt.optimizer.candidates.plans import Plan, PlanEffects, enumerate_plans, plan_effects
from abscopt.optimizer.ids import PlanId

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


@dataclass(frozen=True, eq=False)
class PlanTables:
    """Systemic plans, and their effects once they are asked for."""

    instance: Instance
    plans: tuple[Plan, ...]

    @classmethod
    def of(cls, instance: Instance) -> PlanTables:
        """All plans of a case."""
        return cls(instance, enumerate_plans(instance))

    def some(self, plans: Sequence[PlanId]) -> PlanTables:
        """Some of the plans, in this order."""
        return PlanTables(self.instance, tuple(self.plans[k] for k in plans))

    @property
    def begun(self) -> bool:
        """Whether the effects have been asked for."""
        return "effects" in vars(self)

    @cached_property
    def effects(self) -> PlanEffects:
        """Daily effects of all plans."""
        return plan_effects(self.instance, self.plans)
