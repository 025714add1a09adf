"""Organ limits of a case as rows of loads: caps, prior doses, states of exposure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import Exposure, NtcpLimit
from abscopt.instances.prior import prior_load
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.loads import organ_limits

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyOrganLimit
    from abscopt.instances.schema import Instance

CAP = 1.0 + 1e-9
"""Greatest part of its cap at which a limit is kept; the judge allows the same."""

State = tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class LimitTables:
    """Organ limits, one column of loads each, as parts of the caps.

    Attributes
    ----------
    limits : the organ limits
    hard : (limits,) whether a limit must be kept
    prior : (limits,) load of doses given before
    exposures : (limit, position among its exposures, exposure) of every NTCP limit
    """

    limits: tuple[AnyOrganLimit, ...]
    hard: BoolArray
    prior: FloatArray
    exposures: tuple[tuple[int, int, Exposure], ...]
    _ratios: dict[tuple[int, State], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, instance: Instance) -> LimitTables:
        """The organ limits of a case."""
        limits = organ_limits(instance)
        return cls(
            limits,
            np.array([limit.penalty is None for limit in limits], bool),
            np.array([prior_load(instance, limit) for limit in limits]),
            tuple(
                (row, position, exposure)
                for row, limit in enumerate(limits)
                if isinstance(limit, NtcpLimit)
                for position, exposure in enumerate(limit.exposures)
            ),
        )

    def within(self, loads: FloatArray) -> BoolArray:
        """(n,) whether (n, limits) loads keep every hard cap, and lie inside every table."""
        total = loads + self.prior
        within_caps: BoolArray = np.asarray(((total <= CAP) | ~self.hard).all(axis=1))
        return within_caps & np.isfinite(total).all(axis=1)

    def ntcp_ratio(self, row: int, state: State) -> float:
        """Cap of an NTCP limit in a state of exposure, over its cap without exposure."""
        if (row, state) not in self._ratios:
            limit = self.limits[row]
            assert isinstance(limit, NtcpLimit)
            self._ratios[row, state] = limit.cap_gy(state) / limit.reference_cap
        return self._ratios[row, state]

    def states(self, row: int) -> list[State]:
        """States of exposure of an NTCP limit."""
        limit = self.limits[row]
        assert isinstance(limit, NtcpLimit)
        return list(itertools.product((False, True), repeat=len(limit.exposures)))

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
            for state in self.states(row):
                members = (exposed[:, columns] == np.array(state)).all(axis=1)
                ratio = self.ntcp_ratio(row, state)
                total = (loads[members, row] + self.prior[row]) / ratio
                result[members, row] = total - self.prior[row]
        return result
