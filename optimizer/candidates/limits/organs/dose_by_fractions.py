"""A published table limit(n): the Miner sum of the doses of the days.

A day of dose D uses up 1 / N(D), N the number of fractions of D that the table allows (Miner 1945,
"Cumulative damage in fatigue").
"""

from __future__ import annotations

from abscopt.instances.limits import DoseByFractionsLimit
from abscopt.models import toxicity
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.limits.organs.daily_dose import DailyDoseLoad


class MinerSum(DailyDoseLoad[DoseByFractionsLimit]):
    """Infinite beyond the table."""

    measure = "dose_by_fractions"

    def use_of_daily_dose(self, dose_gy: FloatArray) -> FloatArray:
        """1 / N(D)."""
        return toxicity.miner_fraction(dose_gy, self.limit.fractions, self.limit.limits_gy)
