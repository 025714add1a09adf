"""Published laws of blood and lymphocytes under radiation, to check `lymphocytes` against.

`lymphocytes` holds the same ideas with free coefficients and recovery, and EDRIC; here are the
numbers that were measured or published, in closed form.
"""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def cranial_lymphocytes(fractions: ArrayLike) -> FloatArray:
    """Return the lymphocyte count three months after 24 Gy to the head in some fractions.

    ``ALC = exp(0.9604 − 0.07039·n)`` in 10⁹/L: 6.8 % less per fraction, whatever its dose.

    Parameters
    ----------
    fractions
        ``n``, any shape; measured at 5, 12 and 20.

    Returns
    -------
    FloatArray
        10⁹/L, same shape.

    Notes
    -----
    Source: MacLennan 1978 (Cancer 41:108, no DOI seen), counts 1.84, 1.12 and 0.64. Status: counts
    verified in the abstract; the law is derived, two parameters from three points. A blood dose of
    0.02 Gy per hit cannot explain the loss: the law is empirical, and of one site.
    """
    return np.exp(0.9604 - 0.07039 * np.asarray(fractions, dtype=np.float64))


def irradiated_share(share_per_fraction: ArrayLike, fractions: ArrayLike) -> FloatArray:
    """Return the share of the blood that was in the beam at least once.

    ``1 − (1 − h)^n``: the blood mixes completely between fractions.

    Parameters
    ----------
    share_per_fraction
        ``h`` in [0, 1], any shape.
    fractions
        ``n`` ≥ 0, broadcast.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], broadcast shape.

    Notes
    -----
    Source: Hammi 2020 (PMC8268045), brain: h = 0.184 with photons and 0.101 with protons, 90 % hit
    by fraction 11 and 21. Status: shares verified in the abstract; the law is derived and
    reproduces both.
    """
    missed = 1.0 - np.asarray(share_per_fraction, dtype=np.float64)
    return np.asarray(1.0 - missed ** np.asarray(fractions, dtype=np.float64), dtype=np.float64)


def circulating_survival(blood_dose_gy: ArrayLike) -> FloatArray:
    """Return the share of circulating lymphocytes that survives a dose to the blood.

    ``S(D) = 0.57^{1 − exp(−2.18·D)}``: falls to 0.57 and no lower.

    Parameters
    ----------
    blood_dose_gy
        ``D`` in Gy, ≥ 0, any shape.

    Returns
    -------
    FloatArray
        Dimensionless, in (0.57, 1], same shape.

    Notes
    -----
    Source: github ce-gaudet/HEDOS_Extension (after HEDOS, doi:10.1088/1361-6560/ac16ea); goes with
    the recovery half-time of 35 d of `lymphocytes.recovery`. Status: verified in that code; the
    origin of the constants is not stated.
    """
    dose = np.asarray(blood_dose_gy, dtype=np.float64)
    return np.asarray(0.57 ** -np.expm1(-2.18 * dose), dtype=np.float64)
