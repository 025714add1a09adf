"""Linear-quadratic cell kill, its linear tail at high dose, BED and EQD2."""

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray


def quadratic_dose(dose_gy: ArrayLike, transition_gy: ArrayLike | None = None) -> FloatArray:
    """Return the dose squared that counts, linear above the transition dose (LQ-L).

    ``q(d) = d²`` up to ``d_T``, ``q(d) = 2·d_T·d − d_T²`` above: the tangent, so ``q`` is convex
    and once continuously differentiable.

    Parameters
    ----------
    dose_gy
        Dose per fraction in Gy, ≥ 0, any shape.
    transition_gy
        Transition dose ``d_T`` in Gy, > 0, broadcast with the dose; ``None`` is plain LQ.

    Returns
    -------
    FloatArray
        ``q`` in Gy², broadcast shape.

    Notes
    -----
    Source: LQ-L, Astrahan 2008, doi:10.1118/1.2969065, as used in LQL-Equiv-web with
    γ/α = 1 + 2·d_T/(α/β). Status: verified in the latter's paper and code; the DOI is recalled.
    """
    dose = np.asarray(dose_gy, dtype=np.float64)
    if transition_gy is None:
        return np.square(dose)
    transition = np.asarray(transition_gy, dtype=np.float64)
    curved = np.minimum(dose, transition)
    return curved * (2.0 * dose - curved)


def log_kill(
    dose_gy: ArrayLike,
    alpha_per_gy: ArrayLike,
    alpha_beta_gy: ArrayLike,
    transition_gy: ArrayLike | None = None,
    ser: ArrayLike = 1.0,
    *,
    repair_factor: ArrayLike = 1.0,
) -> FloatArray:
    """Return the natural-log cell kill of one fraction.

    ``E = α·(SER·d + h·q(d)/(α/β))``: a sensitizer multiplies the linear term only, incomplete
    repair the quadratic one.

    Parameters
    ----------
    dose_gy
        Dose per fraction in Gy, any shape.
    alpha_per_gy, alpha_beta_gy
        LQ parameters, > 0, broadcast with the dose.
    transition_gy
        LQ-L transition dose in Gy, or ``None``.
    ser
        Sensitizer enhancement ratio, ≥ 1, broadcast with the dose.
    repair_factor
        ``h`` ≥ 1 of incomplete repair (`repair.slot_factors`), broadcast with the dose.

    Returns
    -------
    FloatArray
        Kill in nats, broadcast shape.

    Notes
    -----
    Source: Fowler 1989, doi:10.1259/0007-1285-62-740-679; SER on α, own convention.
    Status: verified formula; the DOI is recalled; the place of the SER is a house convention.
    """
    return np.asarray(alpha_per_gy, dtype=np.float64) * bed(
        dose_gy, alpha_beta_gy, transition_gy, ser, repair_factor=repair_factor
    )


def survival(
    dose_gy: ArrayLike,
    alpha_per_gy: ArrayLike,
    alpha_beta_gy: ArrayLike,
    transition_gy: ArrayLike | None = None,
    ser: ArrayLike = 1.0,
    *,
    repair_factor: ArrayLike = 1.0,
) -> FloatArray:
    """Return the surviving fraction of clonogens after one fraction.

    ``S = exp(−E)`` with ``E`` from `log_kill`; parameters and shapes as there, dimensionless.

    Notes
    -----
    Source: Fowler 1989, doi:10.1259/0007-1285-62-740-679. Status: verified, DOI recalled.
    """
    return np.exp(
        -log_kill(
            dose_gy, alpha_per_gy, alpha_beta_gy, transition_gy, ser, repair_factor=repair_factor
        )
    )


def partial_survival(survival: ArrayLike, irradiated_share: ArrayLike) -> FloatArray:
    """Return the surviving fraction of a lesion of which only a share is irradiated.

    ``(1 − f) + f·S``, from `survival` ``S`` of the irradiated share ``f`` in [0, 1], broadcast
    shape, dimensionless.

    Notes
    -----
    Source: partial irradiation of lesions above 65 cm³ by Luke 2018,
    doi:10.1200/JCO.2017.76.2229 (recalled). Status: derived; the spared share gets no dose.
    """
    share = np.asarray(irradiated_share, dtype=np.float64)
    return (1.0 - share) + share * np.asarray(survival, dtype=np.float64)


def nested_survival(log_kill: ArrayLike, irradiated_share: ArrayLike) -> FloatArray:
    """Return the surviving fraction where techniques with beams of different sizes follow.

    ``1 − f_m + Σ_j (f_j − f_{j−1})·exp(−Σ_{i: f_i ≥ f_j} K_i)`` over the shares ``f_1 ≤ … ≤ f_m``,
    ``f_0 = 0``: a smaller beam lies within every larger one, as a boost within the first volume.

    Parameters
    ----------
    log_kill
        ``K`` of all fractions of each technique, nats, shape (..., techniques).
    irradiated_share
        ``f`` in [0, 1], shape (techniques,).

    Returns
    -------
    FloatArray
        Surviving fraction, shape (...,), dimensionless.

    Notes
    -----
    Source: `partial_survival`, which it is for one technique. Status: derived; that beams are
    nested is assumed.
    """
    width, inside = _nested(log_kill, irradiated_share)
    return np.asarray((width * np.exp(-inside)).sum(axis=-1))


def nested_log_kill(log_kill: ArrayLike, irradiated_share: ArrayLike) -> FloatArray:
    """Return ``−ln`` of `nested_survival` in nats, finite where survival is too small for a number.

    Notes
    -----
    Source: as `nested_survival`. Status: derived.
    """
    width, inside = _nested(log_kill, irradiated_share)
    least = np.where(width > 0, inside, np.inf).min(axis=-1)
    layers = (width * np.exp(np.minimum(0.0, least[..., None] - inside))).sum(axis=-1)
    return np.asarray(least - np.log(layers))


def _nested(log_kill: ArrayLike, irradiated_share: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Widths (techniques + 1,) and kill (..., techniques + 1) of the layers, the spared one last.

    width_j = f_j − f_{j−1},  K_j = Σ_{i ≥ j} K_i over shares in their order
    """
    kill = np.asarray(log_kill, dtype=np.float64)
    shares = np.asarray(irradiated_share, dtype=np.float64)
    order = np.argsort(shares, kind="stable")
    inside = np.flip(np.cumsum(np.flip(kill[..., order], axis=-1), axis=-1), axis=-1)
    width = np.diff(shares[order], prepend=0.0, append=1.0)
    return width, np.concatenate([inside, np.zeros((*kill.shape[:-1], 1))], axis=-1)


def oxygen_modification(
    days_since_first: ArrayLike, factor: ArrayLike, reoxygenation_days: float | None
) -> FloatArray:
    """Return the oxygen modification factor by which hypoxia divides a dose.

    ``OMF(t) = 1 + (OMF − 1)·max(0, 1 − t/T)``, and a dose ``d`` acts as ``d/OMF``.

    Parameters
    ----------
    days_since_first
        Days ``t`` since the first fraction, ≥ 0, any shape.
    factor
        ``OMF`` ≥ 1 on the day of the first fraction, broadcast.
    reoxygenation_days
        Days ``T`` > 0 until the lesion is reoxygenated; ``None`` is never.

    Returns
    -------
    FloatArray
        Dimensionless, ≥ 1, broadcast shape.

    Notes
    -----
    Source: oxygen enhancement 1.70 (1.55–2.25) at intermediate hypoxia, Jeong 2017 (no DOI seen).
    Status: the number is verified from the abstract, the linear course is derived, a scenario.
    """
    elapsed = np.asarray(days_since_first, dtype=np.float64)
    hypoxic = np.asarray(factor, dtype=np.float64)
    if reoxygenation_days is None:
        return np.array(np.broadcast_arrays(elapsed, hypoxic)[1])
    return 1.0 + (hypoxic - 1.0) * np.maximum(0.0, 1.0 - elapsed / reoxygenation_days)


def bed(
    dose_gy: ArrayLike,
    alpha_beta_gy: ArrayLike,
    transition_gy: ArrayLike | None = None,
    ser: ArrayLike = 1.0,
    *,
    repair_factor: ArrayLike = 1.0,
) -> FloatArray:
    """Return the biologically effective dose of one fraction, without any time factor.

    ``BED = SER·d + h·q(d)/(α/β)``; multiply by the number of equal fractions for a course.

    Parameters
    ----------
    dose_gy
        Dose per fraction in Gy, any shape.
    alpha_beta_gy
        α/β in Gy, > 0, broadcast with the dose.
    transition_gy
        LQ-L transition dose in Gy, or ``None``.
    ser
        Sensitizer enhancement ratio, broadcast with the dose.
    repair_factor
        ``h`` ≥ 1 of incomplete repair (`repair.slot_factors`), broadcast with the dose.

    Returns
    -------
    FloatArray
        BED in Gy, broadcast shape.

    Notes
    -----
    Source: Fowler 1989, doi:10.1259/0007-1285-62-740-679; tail as in `quadratic_dose`.
    Status: verified against 40 schedules and the LQ-L tables; the DOI is recalled.
    """
    dose = np.asarray(dose_gy, dtype=np.float64)
    ratio = np.asarray(alpha_beta_gy, dtype=np.float64)
    square = np.asarray(repair_factor, dtype=np.float64) * quadratic_dose(dose, transition_gy)
    return np.asarray(ser, dtype=np.float64) * dose + square / ratio


def eqd2(bed_gy: ArrayLike, alpha_beta_gy: ArrayLike) -> FloatArray:
    """Return the dose in 2 Gy fractions that has the given BED, neither side losing time.

    ``EQD2 = BED/(1 + 2/(α/β))``, in Gy, broadcast shape.

    Notes
    -----
    With a time factor the reference schedule loses its own time and has to be solved for.
    Source: Fowler 1989, doi:10.1259/0007-1285-62-740-679. Status: verified, DOI recalled.
    """
    return np.asarray(bed_gy, dtype=np.float64) / (
        1.0 + 2.0 / np.asarray(alpha_beta_gy, dtype=np.float64)
    )
