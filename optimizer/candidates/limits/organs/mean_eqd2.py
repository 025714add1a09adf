"""Mean of the voxels' EQD2: a quadratic with first and second moments of the dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.limits import MeanEqd2Limit
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.limits.organs.quadratic import mean_eqd2_of_day, mean_eqd2_of_pair
from abscopt.optimizer.candidates.limits.protocol import OrganLoad

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


class MeanEqd2(OrganLoad[MeanEqd2Limit]):
    """Adds over days; two lesions on one day add their cross moment."""

    measure = "mean_eqd2"

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) mean EQD2 of a day over the cap."""
        limit, ser = self.limit, self.enhancement(instance, sensitized)
        enhanced = beam[2] * ser * self.dose_at(instance, beam, dose_gy, day)
        ratio = limit.alpha_beta_gy
        eqd2 = mean_eqd2_of_day(instance, limit.organ, beam, enhanced, dose_gy, day, ratio)
        return eqd2 / limit.cap_gy

    def cross_factor(self, instance: Instance, first: Beam, second: Beam, day: int) -> float:
        """Mean EQD2 per d d' over the cap."""
        limit = self.limit
        eqd2 = mean_eqd2_of_pair(instance, limit.organ, first, second, day, limit.alpha_beta_gy)
        return eqd2 / limit.cap_gy
