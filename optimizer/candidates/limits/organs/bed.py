"""BED at one evaluation point: `sum_t D_t (1 + D_t / r) <= cap`, D_t the dose of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.limits import BedLimit
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.limits.organs.quadratic import bed_of_day, pairs_of
from abscopt.optimizer.candidates.limits.protocol import OrganLoad

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


class BedAtPoint(OrganLoad[BedLimit]):
    """Adds over days; two lesions on one day add the product of their doses."""

    measure = "bed"

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) (m R D + D^2/r [m + 2 sum_{i<j} phi^(j-i)]) / cap."""
        limit, number = self.limit, beam[2]
        dose = self.dose_at(instance, beam, dose_gy, day)
        enhanced = number * self.enhancement(instance, sensitized) * dose
        bed = bed_of_day(instance, limit.organ, number, enhanced, dose**2, limit.alpha_beta_gy)
        return bed / limit.cap_gy

    def cross_factor(self, instance: Instance, first: Beam, second: Beam, day: int) -> float:
        """2 pairs delta delta' / r / cap."""
        limit = self.limit
        pairs = pairs_of(instance, limit.organ, first[2], second[2])
        of_first, of_second = (
            lesion.sparing_factor(limit.organ, limit.point, day, technique)
            for lesion, technique, _ in (first, second)
        )
        return 2.0 * pairs * of_first * of_second / limit.alpha_beta_gy / limit.cap_gy
