"""Fractions as a tumor feels them, and what each does by itself: kill and BED.

For all candidates alike: whole courses (`shared`) and single doses of free ones (`columns`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.tumor import lq

if TYPE_CHECKING:
    from abscopt.instances.lesions import Clone, Lesion


@dataclass(frozen=True)
class Fractions:
    """Fractions of one lesion; arrays (..., most fractions of a row), or what broadcasts.

    Attributes
    ----------
    given : whether there is such a fraction
    days, since : day, and days since the first fraction; 0 where none is given
    dose : Gy over the oxygen modification factor
    ser : sensitizer enhancement ratio
    repair : what incomplete repair multiplies the quadratic term by
    """

    given: BoolArray
    days: IntArray
    since: IntArray
    dose: FloatArray
    ser: FloatArray
    repair: ArrayLike

    @classmethod
    def felt(
        cls,
        lesion: Lesion,
        dose_gy: FloatArray,
        days: IntArray,
        first_day: IntArray,
        ser: FloatArray,
        repair: ArrayLike = 1.0,
    ) -> Self:
        """Doses in Gy on days (below 0: none), as the tumor feels them: d / OMF(t)."""
        given = days >= 0
        since = np.where(given, days - first_day, 0)
        oxygen = lq.oxygen_modification(
            since, lesion.oxygen_modification_factor, lesion.reoxygenation_days
        )
        return cls(given, days, since, dose_gy / oxygen, ser, repair)

    def kill(self, lesion: Lesion, clone: Clone) -> FloatArray:
        """Log kill of one clone in the beam, in nats, of each fraction: alpha (R D + g q(D)/r)."""
        alpha, ratio = lesion.clone_constants(clone)
        transition = lesion.lql_transition_gy
        kill = lq.log_kill(
            self.dose, alpha, ratio, transition, ser=self.ser, repair_factor=self.repair
        )
        return np.where(self.given, kill, 0.0)

    def bed(self, lesion: Lesion) -> FloatArray:
        """BED in Gy of each fraction at the lesion's own constants: R D + g q(D)/r."""
        ratio, transition = lesion.alpha_beta_gy, lesion.lql_transition_gy
        bed = lq.bed(self.dose, ratio, transition, ser=self.ser, repair_factor=self.repair)
        return np.where(self.given, bed, 0.0)
