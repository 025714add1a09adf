"""Chemotherapy as a sensitizer of the radiation given in the days after each dose."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def sensitizer_enhancement(
    days: int, dose_days: ArrayLike, enhancement_ratio: float, sensitizing_days: int
) -> FloatArray:
    """Return the sensitizer enhancement ratio of every day.

    ``SER(t) = ratio`` on days ``[dose, dose + sensitizing_days)`` of any dose, else 1; windows
    that overlap do not multiply.

    Parameters
    ----------
    days
        Number of days, from day 0.
    dose_days
        Days of the chemotherapy doses, shape (doses,), possibly empty or outside the days.
    enhancement_ratio
        SER of the linear LQ term, ≥ 1.
    sensitizing_days
        Length of each window in days, ≥ 0; the day of the dose is its first.

    Returns
    -------
    FloatArray
        Shape (days,), dimensionless.

    Notes
    -----
    Source: SER at D10 in H460, carboplatin 1.41 and paclitaxel 1.29 (Kubo, J Radiat Res, no DOI
    seen). Status: the ratios are verified (clinical.md §4), the rectangular window is derived.
    """
    elapsed = np.arange(days)[:, np.newaxis] - np.asarray(dose_days, dtype=np.float64)
    sensitized = np.any((elapsed >= 0.0) & (elapsed < sensitizing_days), axis=-1)
    return np.where(sensitized, float(enhancement_ratio), 1.0)
