"""New metastases that untreated tumors seed while they wait."""

import math

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def expected_new_sites(
    volume_cm3: float,
    doubling_time_days: float | None,
    days: ArrayLike,
    *,
    rate_per_day: float,
    reference_cm3: float,
    exponent: float,
) -> FloatArray:
    """Return the expected number of new sites that one tumor seeds before a day.

    ``M(T) = rate Σ_{t=0}^{T−1} (V 2^{t/T_d}/V_ref)^γ``, a geometric sum; without growth
    ``rate T (V/V_ref)^γ``. The number of new sites is Poisson, so ``−M`` is the log probability
    that there is none.

    Parameters
    ----------
    volume_cm3, doubling_time_days
        ``V`` on day 0 and its doubling time; None for no growth.
    days
        ``T``, any shape: the day of the first fraction, or the horizon.
    rate_per_day, reference_cm3, exponent
        New sites per day of a tumor of ``V_ref``, and ``γ``: 1 is in proportion to volume.

    Returns
    -------
    FloatArray
        Expected number, shape of ``days``.

    Notes
    -----
    Source: colonization in proportion to a power of tumor size, Iwata 2000, J Theor Biol 203:177,
    doi:10.1006/jtbi.2000.1075 (recalled, γ = 0.66 there). Status: derived.
    """
    waited = np.asarray(days, dtype=np.float64)
    first = rate_per_day * (volume_cm3 / reference_cm3) ** exponent
    if doubling_time_days is None:
        return np.asarray(first * waited, dtype=np.float64)
    growth = exponent * math.log(2.0) / doubling_time_days
    return np.asarray(first * np.expm1(growth * waited) / math.expm1(growth), dtype=np.float64)
