"""Chemotherapy: sensitizer of radiation, killer of clonogens and of T cell precursors."""

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
    seen). Status: the ratios are verified, the rectangular window is derived.
    """
    elapsed = np.arange(days)[:, np.newaxis] - np.asarray(dose_days, dtype=np.float64)
    sensitized = np.any((elapsed >= 0.0) & (elapsed < sensitizing_days), axis=-1)
    return np.where(sensitized, float(enhancement_ratio), 1.0)


def concurrent_doses(dose_days: ArrayLike, fraction_days: ArrayLike, within_days: int) -> int:
    """Return the number of doses that sensitize some fraction.

    A dose counts when a fraction is given on a day in ``[dose, dose + within_days)``; two doses
    on one day are two.

    Parameters
    ----------
    dose_days, fraction_days
        Days of the doses and of the fractions, shapes (doses,) and (fractions,), possibly empty.
    within_days
        Length of each window in days, ≥ 0; the day of the dose is its first.

    Returns
    -------
    int
        Between 0 and the number of doses.

    Notes
    -----
    Source: the window of `sensitizer_enhancement`, no DOI. Status: derived.
    """
    dosing = np.asarray(dose_days, dtype=np.float64)
    elapsed = np.asarray(fraction_days, dtype=np.float64) - dosing[:, np.newaxis]
    return int(np.any((elapsed >= 0.0) & (elapsed < within_days), axis=-1).sum())


def cytotoxic_kill(
    dose_days: ArrayLike, log_kill_per_dose: float, until_day: ArrayLike
) -> FloatArray:
    """Return the log kill of clonogens by the doses given before a day.

    ``k·#{0 ≤ dose < until}``.

    Parameters
    ----------
    dose_days
        Days of the doses, shape (doses,), possibly empty.
    log_kill_per_dose
        ``k`` in nats, ≥ 0.
    until_day
        Days before which a dose counts, any shape.

    Returns
    -------
    FloatArray
        Kill in nats, shape of ``until_day``.

    Notes
    -----
    Source: log-cell-kill chemotherapy as in Geng 2017 (Sci Rep, no DOI seen). Status: form
    verified from the abstract; ``k`` is the caller's.
    """
    dosing = np.asarray(dose_days, dtype=np.float64)
    until = np.asarray(until_day, dtype=np.float64)[..., np.newaxis]
    counted = np.count_nonzero((dosing >= 0.0) & (dosing < until), axis=-1)
    return np.asarray(log_kill_per_dose * counted, dtype=np.float64)


def precursor_survival(days: int, dose_days: ArrayLike, log_loss_per_dose: float) -> FloatArray:
    """Return the share of T cell precursors that the doses of each day spare.

    ``exp(−ℓ·n(t))`` with ``n(t)`` doses on day ``t``.

    Parameters
    ----------
    days
        Number of days, from day 0.
    dose_days
        Whole days of the doses, shape (doses,), possibly empty or outside the days.
    log_loss_per_dose
        ``ℓ`` in nats, ≥ 0.

    Returns
    -------
    FloatArray
        Dimensionless, in (0, 1], shape (days,).

    Notes
    -----
    Source: adjuvant chemotherapy abrogates priming in Lee 2009 (Blood 114:589, no DOI seen).
    Status: direction verified from the abstract; the form is derived.
    """
    dosing = np.asarray(dose_days, dtype=np.float64)
    given = np.count_nonzero(np.arange(days)[:, np.newaxis] == dosing, axis=-1)
    return np.exp(np.asarray(-log_loss_per_dose * given, dtype=np.float64))
