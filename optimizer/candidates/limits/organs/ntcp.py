"""Complication probability: the dose that it is of, over the dose that keeps the cap.

Drugs near fractions lower that dose: in a state of exposure x, `load <= ratio_x`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from abscopt.instances.limits import NtcpLimit
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.limits.organs.by_bins import norm_of_day, norm_of_pair
from abscopt.optimizer.candidates.limits.organs.quadratic import mean_eqd2_of_day, mean_eqd2_of_pair
from abscopt.optimizer.candidates.limits.protocol import OrganLoad, State

if TYPE_CHECKING:
    from abscopt.instances.limits import Exposure
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


class Complication(OrganLoad[NtcpLimit]):
    """NTCP rises with the dose, so that a cap on it is one on the dose."""

    measure = "ntcp"

    @cached_property
    def _cap(self) -> float:
        return self.limit.reference_cap

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Those of the limit."""
        return self.limit.exposures

    def ratio(self, state: State) -> float:
        """dose(state) / dose(unexposed) at the cap."""
        return self.limit.cap_gy(state) / self._cap

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) m D, the mean EQD2 of the voxels, or a norm over bins, over the unexposed cap."""
        limit, number = self.limit, beam[2]
        if limit.counts_bins:
            enhancement = self.enhancement(instance, sensitized)
            return norm_of_day(instance, limit, beam, dose_gy, enhancement) / self._cap
        dose, ratio = self.dose_at(instance, beam, dose_gy, day), limit.alpha_beta_gy
        if ratio is None:
            return number * dose / self._cap
        enhanced = number * self.enhancement(instance, sensitized) * dose
        eqd2 = mean_eqd2_of_day(instance, limit.organ, beam, enhanced, dose_gy, day, ratio)
        return eqd2 / self._cap

    def cross_factor(self, instance: Instance, first: Beam, second: Beam, day: int) -> float:
        """None for a physical dose, else the EQD2 per d d' over the unexposed cap."""
        if self.limit.counts_bins:
            return norm_of_pair(instance, self.limit, first, second) / self._cap
        ratio = self.limit.alpha_beta_gy
        if ratio is None:
            return 0.0
        eqd2 = mean_eqd2_of_pair(instance, self.limit.organ, first, second, day, ratio)
        return eqd2 / self._cap
