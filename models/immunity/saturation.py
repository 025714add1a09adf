"""Hill's curve, without overflow for any exponent."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def saturation(level: ArrayLike, half: float, exponent: float) -> FloatArray:
    """Return the share that a level saturates.

    ``x^h/(K^h + x^h) = 1/(1 + e^{−h·(ln x − ln K)})``, in log space: the powers themselves
    overflow for steep curves, and their quotient is then no number.

    Parameters
    ----------
    level
        ``x``, ≥ 0, any shape.
    half, exponent
        ``K`` > 0 in the unit of ``x``, and ``h``; ``−h`` gives what is not saturated, ``1`` less
        the share for ``h``, without cancellation.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], same shape; 0 at ``x = 0``.

    Notes
    -----
    Source: Hill 1910 (J Physiol 40:iv, no DOI seen). Status: recalled formula.
    """
    with np.errstate(divide="ignore"):
        distance = np.log(np.asarray(level, dtype=np.float64)) - np.log(half)
    return np.asarray(np.exp(-np.logaddexp(0.0, -exponent * distance)), dtype=np.float64)
