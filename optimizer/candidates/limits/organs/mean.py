"""Physical mean dose: `sum_t m D_t <= cap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.limits import MeanLimit
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.limits.protocol import OrganLoad

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


class MeanDose(OrganLoad[MeanLimit]):
    """Adds over fractions, on whatever days."""

    measure = "mean"

    def timeless(self, alone: bool) -> bool:
        """Always."""
        return True

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) m D / cap."""
        return beam[2] * self.dose_at(instance, beam, dose_gy, day) / self.limit.cap_gy
