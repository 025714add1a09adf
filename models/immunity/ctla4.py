"""Anti-CTLA-4: what it binds, what it does for priming, and what it adds by depletion."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity.saturation import saturation


def bound(ratio: ArrayLike) -> FloatArray:
    """Return the share of CTLA-4 that antibodies bind.

    ``x/(1 + x)`` with ``x`` the concentration in units of the EC50, any shape, in [0, 1).

    Notes
    -----
    Source: one-site binding. Status: derived.
    """
    return saturation(ratio, 1.0, 1.0)


def activated_fraction(ratio: ArrayLike, threshold: float) -> FloatArray:
    """Return the fraction of T cells activated rather than inactivated under anti-CTLA-4.

    ``(1 + c4)/(r + c4)`` with ``c4 = concentration/EC50 ≥ 0``, any shape, and ``r ≥ 1``.

    Notes
    -----
    Source: secondary response of Serre 2016, doi:10.1158/0008-5472.CAN-15-3567 (recalled), used by
    Cho 2023, doi:10.1088/1361-6560/ace819, with r = 5. Status: verified in third-party code.
    """
    blocked = np.asarray(ratio, dtype=np.float64)
    return (1.0 + blocked) / (threshold + blocked)


def priming_factor(ratio: ArrayLike, threshold: float) -> FloatArray:
    """Return the priming factor of anti-CTLA-4 relative to its drug-free value.

    ``f4 = r·(1 + c4)/(r + c4)``, from 1 without drug to ``r`` at saturation; shapes, source and
    status as for `activated_fraction`.
    """
    return threshold * activated_fraction(ratio, threshold)


def depletion(bound_share: ArrayLike, strength: float) -> FloatArray:
    """Return what a depleting anti-CTLA-4 adds to the release of a fraction on its day.

    ``p = 1 + θ₄·b``: antibodies of mice deplete the regulatory T cells of a tumor, and radiation
    then primes better.

    Parameters
    ----------
    bound_share
        ``b`` on the day of the fraction, from `bound`, any shape.
    strength
        ``θ₄`` ≥ 0; 0 for antibodies that do not deplete.

    Returns
    -------
    FloatArray
        Dimensionless, ≥ 1, shape of ``bound_share``.

    Notes
    -----
    Source: Young 2016, PLoS One 11:e0157164: anti-CTLA-4 is best before 20 Gy, in part by
    depletion of regulatory T cells (verified from the abstract). Status: the form is derived, the
    size assumed (M44 of docs/reference/model.md).
    """
    return 1.0 + strength * np.asarray(bound_share, dtype=np.float64)
