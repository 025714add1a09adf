"""Systemic plans of a case, and what they do day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.systemic.plans import (
    Plan,
    PlanEffects,
    enumerate_plans,
    plan_effects,
)
from abscopt.optimizer.ids import PlanId, PlanIds

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


@dataclass(frozen=True, eq=False)
class PlanTables:
    """Systemic plans, and their effects once they are asked for.

    `_taken` are those that other tables have computed for these plans.
    """

    instance: Instance
    plans: tuple[Plan, ...]
    _taken: PlanEffects | None = field(default=None, repr=False)

    @classmethod
    def of(cls, instance: Instance) -> PlanTables:
        """All plans of a case."""
        return cls(instance, enumerate_plans(instance))

    def some(self, plans: Sequence[PlanId]) -> PlanTables:
        """Some of the plans, in this order."""
        if len(plans) == len(self.plans) and list(plans) == list(range(len(plans))):
            return self
        taken = _numbered(self.effects.take(PlanIds(np.array(plans)))) if self.begun else None
        return PlanTables(self.instance, tuple(self.plans[k] for k in plans), taken)

    @property
    def begun(self) -> bool:
        """Whether the effects have been asked for."""
        return self._taken is not None or "effects" in vars(self)

    @cached_property
    def effects(self) -> PlanEffects:
        """Daily effects of all plans."""
        return self._taken or plan_effects(self.instance, self.plans)


def _numbered(effects: PlanEffects) -> PlanEffects:
    """The same with groups numbered by their first plan."""
    _, first, of = np.unique(effects.group, return_index=True, return_inverse=True)
    return replace(effects, group=np.argsort(np.argsort(first))[of.reshape(-1)])
