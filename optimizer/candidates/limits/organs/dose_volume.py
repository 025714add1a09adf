"""Dose to the hottest part of an organ: `sum_t m D_t <= cap`, or the same as EQD2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.limits import DoseVolumeLimit
from abscopt.models.arrays import FloatArray
from abscopt.models.tumor import lq
from abscopt.optimizer.candidates.limits.organs.quadratic import bed_of_day, pairs_of
from abscopt.optimizer.candidates.limits.protocol import OrganLoad

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


class DoseVolume(OrganLoad[DoseVolumeLimit]):
    """Physical doses add over fractions; an EQD2 does over days, with products of lesions."""

    measure = "dose_volume"

    def timeless(self, alone: bool) -> bool:
        """Physical doses always; an EQD2 as other quadratic loads."""
        return self.limit.alpha_beta_gy is None or super().timeless(alone)

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) m D / cap, or (m R D + pairs D^2 / r) / (1 + 2/r) / cap."""
        limit, number, ratio = self.limit, beam[2], self.limit.alpha_beta_gy
        dose = self.dose_at(instance, beam, dose_gy, day)
        if ratio is None:
            return number * dose / limit.cap_gy
        enhanced = number * self.enhancement(instance, sensitized) * dose
        bed = bed_of_day(instance, limit.organ, number, enhanced, dose**2, ratio)
        return lq.eqd2(bed, ratio) / limit.cap_gy

    def cross_factor(self, instance: Instance, first: Beam, second: Beam, day: int) -> float:
        """0, or 2 pairs delta delta' / r / (1 + 2/r) / cap."""
        limit, ratio = self.limit, self.limit.alpha_beta_gy
        if ratio is None:
            return 0.0
        pairs = pairs_of(instance, limit.organ, first[2], second[2])
        of_first, of_second = (
            lesion.sparing_factor(limit.organ, limit.point, day, technique)
            for lesion, technique, _ in (first, second)
        )
        bed = 2.0 * pairs * of_first * of_second / ratio
        return float(lq.eqd2(bed, ratio)) / limit.cap_gy
