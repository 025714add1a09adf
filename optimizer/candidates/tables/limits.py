"""Organ limits of a case as rows of loads: caps, prior doses, states of exposure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.prior import prior_load
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.limits.protocol import (
    CAP,
    CourseLoad,
    LimitLoad,
    OrganLoad,
    OrganLoads,
    PlanLoad,
    State,
)
from abscopt.optimizer.candidates.limits.registry import load_of

if TYPE_CHECKING:
    from abscopt.instances.limits import Exposure
    from abscopt.instances.schema import Instance


@dataclass(frozen=True, eq=False)
class LimitTables:
    """What is asked of the limits of a case, in its order; organ limits as columns of loads.

    Attributes
    ----------
    every : all limits
    on_organs : those that have a column of loads
    on_courses : those that depend on courses in another way
    on_plans : those on drugs alone
    hard : (organ limits,) whether a limit must be kept
    prior : (organ limits,) load of doses given before
    exposures : (organ limit, position among its exposures, exposure) of all that have some
    """

    every: tuple[LimitLoad[Any], ...]
    on_organs: OrganLoads
    on_courses: tuple[CourseLoad[Any], ...]
    on_plans: tuple[PlanLoad[Any], ...]
    hard: BoolArray
    prior: FloatArray
    exposures: tuple[tuple[int, int, Exposure], ...]
    _ratios: dict[tuple[int, State], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, instance: Instance) -> LimitTables:
        """The limits of a case."""
        loads = tuple(load_of(limit) for limit in instance.limits)
        on_organs = tuple(load for load in loads if isinstance(load, OrganLoad))
        return cls(
            loads,
            on_organs,
            tuple(load for load in loads if isinstance(load, CourseLoad)),
            tuple(load for load in loads if isinstance(load, PlanLoad)),
            np.array([load.hard for load in on_organs], bool),
            np.array([prior_load(instance, load.limit) for load in on_organs]),
            tuple(
                (row, position, exposure)
                for row, load in enumerate(on_organs)
                for position, exposure in enumerate(load.exposures)
            ),
        )

    def within(self, loads: FloatArray) -> BoolArray:
        """(n,) whether (n, limits) loads keep every hard cap, and lie inside every table."""
        total = loads + self.prior
        within_caps: BoolArray = np.asarray(((total <= CAP) | ~self.hard).all(axis=1))
        return within_caps & np.isfinite(total).all(axis=1)

    def ntcp_ratio(self, row: int, state: State) -> float:
        """Cap of an organ limit in a state of exposure, over its cap without exposure."""
        if (row, state) not in self._ratios:
            self._ratios[row, state] = self.on_organs[row].ratio(state)
        return self._ratios[row, state]

    def in_state(self, loads: FloatArray, exposed: BoolArray) -> FloatArray:
        """Loads with NTCP columns as parts of the caps of their own state; prior doses likewise.

            load' + prior = (load + prior) / ratio(state)

        Parameters
        ----------
        loads : (n, limits) parts of the unexposed caps, without prior doses
        exposed : (n, exposures)
        """
        result = loads.copy()
        for row in sorted({row for row, _, _ in self.exposures}):
            columns = [i for i, (other, _, _) in enumerate(self.exposures) if other == row]
            for state in self.on_organs[row].states():
                members = (exposed[:, columns] == np.array(state)).all(axis=1)
                ratio = self.ntcp_ratio(row, state)
                total = (loads[members, row] + self.prior[row]) / ratio
                result[members, row] = total - self.prior[row]
        return result
