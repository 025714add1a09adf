"""Chemotherapy: sensitizer of radiation, killer of clonogens and of T cell precursors."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray

MOST_RELATIVE = 5.0
"""Effects are scaled up to this multiple of a reference dose: weekly paclitaxel 45 mg/m2 to 200
mg/m2 every three weeks. Kill saturates at high concentration (Gardner 2000), so no further."""


def relative_dose(given_mg: float, least_mg: float, greatest_mg: float) -> float:
    """Return a dose in parts of the dose at which effects per dose are known.

    ``given / clip(given, least, greatest)``: 1 in the range in which the effects hold as stated,
    proportional to the dose below and above it.

    Parameters
    ----------
    given_mg
        Dose of one infusion in mg, > 0.
    least_mg, greatest_mg
        Range of the reference doses in mg, > 0.

    Returns
    -------
    float
        Dimensionless, > 0.

    Notes
    -----
    Source: the log-kill law, survival falls exponentially with the dose of a given schedule
    (Skipper 1964, no DOI seen); it flattens at high concentration (Gardner 2000, Cancer Res
    60:1417). An equivalent BED is a log kill over alpha (Jones and Dale 2005,
    10.1259/bjr/40226390) and follows the same law. That the excess of a sensitizer enhancement
    ratio over 1 and losses of lymphocytes and precursors do so too is assumed: first order in
    the drug, as the kill.
    Status: the law is recalled, its plateau verified from the abstract, the rest assumed.
    """
    return given_mg / min(max(given_mg, least_mg), greatest_mg)


def sensitizer_enhancement(
    days: int,
    dose_days: ArrayLike,
    enhancement_ratio: float,
    sensitizing_days: int,
    relative: ArrayLike = 1.0,
) -> FloatArray:
    """Return the sensitizer enhancement ratio of every day.

    ``SER(t) = 1 + (ratio - 1) f`` on days ``[dose, dose + sensitizing_days)`` of a dose of f
    reference doses, else 1; where windows overlap, the greatest counts.

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
    relative
        ``f`` of each dose (`relative_dose`), shape (doses,) or one for all.

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
    sensitized = (elapsed >= 0.0) & (elapsed < sensitizing_days)
    excess = (enhancement_ratio - 1.0) * np.asarray(relative, dtype=np.float64)
    return np.asarray(np.where(sensitized, 1.0 + excess, 1.0).max(axis=-1, initial=1.0))


def concurrent_doses(
    dose_days: ArrayLike, fraction_days: ArrayLike, within_days: int, relative: ArrayLike = 1.0
) -> float:
    """Return the number of reference doses that sensitize some fraction.

    A dose counts when a fraction is given on a day in ``[dose, dose + within_days)``; two doses
    on one day are two.

    Parameters
    ----------
    dose_days, fraction_days
        Days of the doses and of the fractions, shapes (doses,) and (fractions,), possibly empty.
    within_days
        Length of each window in days, ≥ 0; the day of the dose is its first.
    relative
        Reference doses in each dose (`relative_dose`), shape (doses,) or one for all.

    Returns
    -------
    float
        Between 0 and the number of reference doses given.

    Notes
    -----
    Source: the window of `sensitizer_enhancement`, no DOI. Status: derived.
    """
    dosing = np.asarray(dose_days, dtype=np.float64)
    elapsed = np.asarray(fraction_days, dtype=np.float64) - dosing[:, np.newaxis]
    met = np.any((elapsed >= 0.0) & (elapsed < within_days), axis=-1)
    return float((met * np.asarray(relative, dtype=np.float64)).sum())


def cytotoxic_kill(
    dose_days: ArrayLike,
    log_kill_per_dose: float,
    until_day: ArrayLike,
    relative: ArrayLike = 1.0,
) -> FloatArray:
    """Return the log kill of clonogens by the doses given before a day.

    ``k Σ f`` over doses of f reference doses with ``0 ≤ dose < until``.

    Parameters
    ----------
    dose_days
        Days of the doses, shape (doses,), possibly empty.
    log_kill_per_dose
        ``k`` in nats, ≥ 0.
    until_day
        Days before which a dose counts, any shape.
    relative
        ``f`` of each dose (`relative_dose`), shape (doses,) or one for all.

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
    counted = (dosing >= 0.0) & (dosing < until)
    doses = (counted * np.asarray(relative, dtype=np.float64)).sum(axis=-1)
    return np.asarray(log_kill_per_dose * doses, dtype=np.float64)


def precursor_survival(
    days: int, dose_days: ArrayLike, log_loss_per_dose: float, relative: ArrayLike = 1.0
) -> FloatArray:
    """Return the share of T cell precursors that the doses of each day spare.

    ``exp(−ℓ·n(t))`` with ``n(t)`` reference doses on day ``t``.

    Parameters
    ----------
    days
        Number of days, from day 0.
    dose_days
        Whole days of the doses, shape (doses,), possibly empty or outside the days.
    log_loss_per_dose
        ``ℓ`` in nats, ≥ 0.
    relative
        Reference doses in each dose (`relative_dose`), shape (doses,) or one for all.

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
    given = np.arange(days)[:, np.newaxis] == dosing
    doses = (given * np.asarray(relative, dtype=np.float64)).sum(axis=-1)
    return np.exp(np.asarray(-log_loss_per_dose * doses, dtype=np.float64))
