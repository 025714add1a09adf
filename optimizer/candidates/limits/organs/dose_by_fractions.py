"""A published table limit(n): the Miner sum of the doses of the days.

A day of dose D uses up 1 / N(D), N the number of fractions of D that the table allows (Miner 1945,
"Cumulative damage in fatigue").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.limits import DoseByFractionsLimit
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.organs import toxicity
from abscopt.optimizer.candidates.limits.organs.daily_dose import DailyDoseLoad

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.loads import Beam


class MinerSum(DailyDoseLoad[DoseByFractionsLimit]):
    """Infinite beyond the table."""

    measure = "dose_by_fractions"

    def use_of_daily_dose(self, dose_gy: FloatArray) -> FloatArray:
        """1 / N(D)."""
        return toxicity.miner_fraction(dose_gy, *self.limit.safe)

    def course_load(
        self, instance: Instance, beam: Beam, dose_gy: FloatArray, fractions: IntArray
    ) -> FloatArray | None:
        """(n,) n D / limit(n) where the table is looked up by a course's own number of fractions.

        It falls per fraction otherwise, and days add.
        """
        if not self.limit.looked_up(instance):
            return None
        total = fractions * self.dose_at(instance, beam, dose_gy, 0)
        allowed = toxicity.limit_of(fractions, self.limit.fractions, self.limit.limits_gy)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total > 0, total / allowed, 0.0)
