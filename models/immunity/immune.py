"""Radiation and checkpoint blockade acting through T cells: release, priming, effectors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity.saturation import saturation


def gate(
    dose_gy: ArrayLike,
    low_gy: float,
    low_exponent: float,
    high_gy: float,
    high_exponent: float,
    plateau: float = 0.0,
) -> FloatArray:
    """Return how well one fraction of a given dose primes.

    ``u(d) = [1 + (D_lo/d)^a]⁻¹·(f + (1 − f)·[1 + (d/D_hi)^b]⁻¹)``, ``u(0) = 0``: low doses do not
    prime, TREX1 switches priming off at high ones, but for the share ``f``.

    Parameters
    ----------
    dose_gy
        Dose per fraction in Gy, ≥ 0, any shape.
    low_gy, low_exponent, high_gy, high_exponent
        ``D_lo``, ``a``, ``D_hi``, ``b``, > 0.
    plateau
        ``f`` in [0, 1], what is left at the highest doses (M40 of docs/reference/model.md).

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1), same shape.

    Notes
    -----
    Source: own calibration on published orderings (docs/evidence.md); the switch is
    Vanpouille-Box 2017, doi:10.1038/ncomms15618. Status: derived, a scenario family.
    """
    primed = saturation(dose_gy, low_gy, low_exponent)
    unswitched = saturation(dose_gy, high_gy, -high_exponent)
    return primed * (plateau + (1.0 - plateau) * unswitched)


def antigen(
    killed: ArrayLike,
    days: ArrayLike,
    *,
    regrowth_per_day: float,
    repeat: float,
    clearance_per_day: float,
) -> FloatArray:
    """Return the antigen that each fraction of a course meets.

    ``a_i = k_i·e^{g·t_i} + χ·Σ_{j<i} k_j·e^{g·t_j}·e^{−c·(t_i − t_j)}`` with ``k_i`` the share of
    the lesion that fraction ``i`` kills: survivors regrow between fractions, and a further
    fraction makes the cells signal that are already dying and not yet cleared.

    Parameters
    ----------
    killed
        ``k_i = S_before − S_after``, shape (..., fractions) in order of time.
    days
        ``t_i``, days since the first fraction, shape that broadcasts with ``killed``.
    regrowth_per_day
        ``g`` ≥ 0, log growth of survivors per day; 0 counts no regrowth.
    repeat
        ``χ`` ≥ 0, release of a dying cell per later fraction, relative to that of a killed one.
    clearance_per_day
        ``c`` > 0 of dying cells.

    Returns
    -------
    FloatArray
        Share of the lesion at the first fraction, shape of ``killed``; ``killed`` itself where
        ``g = χ = 0``.

    Notes
    -----
    Source: regrowth as in the antigen term ``ψ(1 − S)T`` of Serre 2016,
    doi:10.1158/0008-5472.CAN-15-3567 (recalled), with the tumor ``T`` of that day (Cho 2023,
    doi:10.1088/1361-6560/ace819, verified in third-party code); that repeated fractions amplify the
    interferon signal: Vanpouille-Box 2017, doi:10.1038/ncomms15618 (verified from the abstract).
    Status: derived; the form of the repeat and its size are the project's own.
    """
    share = np.asarray(killed, dtype=np.float64)
    times = np.broadcast_to(np.asarray(days, dtype=np.float64), share.shape)
    if regrowth_per_day > 0.0:
        share = share * np.exp(regrowth_per_day * times)
    if repeat == 0.0:
        return share
    met = np.array(share)
    dying = np.zeros(share.shape[:-1])
    for i in range(1, share.shape[-1]):
        passed = np.maximum(0.0, times[..., i] - times[..., i - 1])
        dying = (dying + share[..., i - 1]) * np.exp(-clearance_per_day * passed)
        met[..., i] += repeat * dying
    return met


def release(
    gate: ArrayLike,
    antigen: ArrayLike,
    immunogenicity: ArrayLike,
    volume_cm3: ArrayLike,
    volume_exponent: float,
    preblockade_sign: float,
    occupancy: ArrayLike,
    *,
    suppression: ArrayLike = 1.0,
    depletion: ArrayLike = 1.0,
) -> FloatArray:
    """Return the immunogenic release of one fraction.

    ``r = η·V^ξ·u·a·(1 + θ·occ)·q·p``.

    Parameters
    ----------
    gate
        ``u`` of the fraction's dose, from `gate`.
    antigen
        ``a``, the share of the lesion that it kills, or more (`antigen`).
    immunogenicity
        ``η``, dimensionless.
    volume_cm3, volume_exponent
        Volume in cm³ and its exponent ``ξ``.
    preblockade_sign
        ``θ``: negative, zero or positive, an unsettled effect and therefore a scenario.
    occupancy
        Receptor occupancy on the day of the fraction, in [0, 1].
    suppression
        ``q`` in [0, 1], what radiation-induced suppression leaves (`suppression`).
    depletion
        ``p`` ≥ 1, what depleted regulatory T cells add (`ctla4.depletion`).

    Returns
    -------
    FloatArray
        Release in arbitrary units, the broadcast shape of all arguments.

    Notes
    -----
    Source: antigen term ``ψ(1 − S)T`` of Serre 2016, doi:10.1158/0008-5472.CAN-15-3567 (recalled).
    Status: derived (M14 of docs/reference/model.md).
    """
    present = np.asarray(immunogenicity, dtype=np.float64) * (
        np.asarray(volume_cm3, dtype=np.float64) ** volume_exponent
    )
    blocked = 1.0 + preblockade_sign * np.asarray(occupancy, dtype=np.float64)
    released = present * np.asarray(gate, dtype=np.float64)
    released = released * np.asarray(antigen, dtype=np.float64) * blocked
    released = released * np.asarray(suppression, dtype=np.float64)
    return released * np.asarray(depletion, dtype=np.float64)


def suppression(
    dose_gy: ArrayLike,
    days_since_first: ArrayLike,
    relief: ArrayLike,
    high_gy: float,
    per_gy: float,
    long_days: float,
    per_day: float,
) -> FloatArray:
    """Return what radiation-induced suppression leaves of the release of one fraction.

    ``q = max(0, 1 − relief·[per_gy·max(0, d − high) + per_day·max(0, t − long)])``: regulatory T
    cells after high doses, TGF-β and myeloid cells in long courses.

    Parameters
    ----------
    dose_gy
        Dose per fraction ``d`` in Gy, any shape.
    days_since_first
        Days ``t`` since the first fraction, broadcast.
    relief
        What is left of the suppression: 1 where nobody relieves it, 0 where it is wholly relieved.
    high_gy, per_gy
        Dose in Gy above which a fraction suppresses, and how much per Gy, ≥ 0.
    long_days, per_day
        Days after which a course suppresses, and how much per day, ≥ 0.

    Returns
    -------
    FloatArray
        Dimensionless, in [0, 1], broadcast shape.

    Notes
    -----
    Source: directions only (regulatory T cells from 15 Gy, myeloid cells
    in Grapin 2019, PMC6593525); no DOI for the form. Status: derived, a scenario family.
    """
    excess_gy = np.maximum(0.0, np.asarray(dose_gy, dtype=np.float64) - high_gy)
    excess_days = np.maximum(0.0, np.asarray(days_since_first, dtype=np.float64) - long_days)
    lost = per_gy * excess_gy + per_day * excess_days
    return np.maximum(0.0, 1.0 - np.asarray(relief, dtype=np.float64) * lost)


def unblocked_effect(occupancy: ArrayLike, upregulation: ArrayLike) -> FloatArray:
    """Return what PD-L1 up-regulated by radiation leaves of the effect.

    ``1 − q·(1 − occ)``: the unblocked effect falls by the share ``q`` in [0, 1], the blocked one
    stays; broadcast shape, in [0, 1].

    Notes
    -----
    Source: up-regulation after radiation, Dovedi 2014, doi:10.1158/0008-5472.CAN-14-1258.
    Status: direction verified from the abstract; the form is derived, a scenario.
    """
    unblocked = 1.0 - np.asarray(occupancy, dtype=np.float64)
    return 1.0 - np.asarray(upregulation, dtype=np.float64) * unblocked


def combined(effects: Sequence[ArrayLike], rule: str) -> FloatArray:
    """Return the joint factor of the agents that act on one phase.

    ``multiplicative``: ``Π(1 + e)``; ``additive``: ``1 + Σ e``; ``strongest``: ``1 + e`` of the
    largest magnitude, the first of equals. Each is floored at 0.

    Parameters
    ----------
    effects
        ``e`` = signed strength times occupancy of each agent, shapes that broadcast.
    rule
        One of the three names.

    Returns
    -------
    FloatArray
        Dimensionless, ≥ 0, broadcast shape; 1 without agents.

    Raises
    ------
    ValueError
        The rule has another name.

    Notes
    -----
    Source: none; how agents combine is unsettled. Status: derived, a scenario family.
    """
    if rule not in ("multiplicative", "additive", "strongest"):
        raise ValueError(f"{rule!r}: the rule must be multiplicative, additive or strongest")
    if not effects:
        return np.asarray(1.0)
    stacked = np.stack(
        np.broadcast_arrays(*(np.asarray(effect, dtype=np.float64) for effect in effects))
    )
    if rule == "multiplicative":
        joint = np.maximum(0.0, 1.0 + stacked).prod(axis=0)
    elif rule == "additive":
        joint = 1.0 + stacked.sum(axis=0)
    else:
        strongest = np.abs(stacked).argmax(axis=0)[np.newaxis]
        joint = 1.0 + np.take_along_axis(stacked, strongest, axis=0)[0]
    return np.asarray(np.maximum(0.0, joint), dtype=np.float64)


def clearance_kernel(days: int, rate_per_day: float, delay_days: float) -> FloatArray:
    """Return what a unit release primes on each later day.

    ``K[j] = k·exp(−k·(j − delay))`` for ``j ≥ delay``, else 0; not normalized.

    Parameters
    ----------
    days
        Number of lags, from 0.
    rate_per_day, delay_days
        Clearance ``k`` > 0 of dying cells and the delay of priming, ≥ 0.

    Returns
    -------
    FloatArray
        Shape (days,), in 1/day.

    Notes
    -----
    Source: clearance 0.1725/day of Kosinsky 2018, doi:10.1186/s40425-018-0327-9. Status: the rate
    is verified, the delayed kernel is derived (M16 of docs/reference/model.md).
    """
    lag = np.arange(days) - delay_days
    return np.where(lag >= 0.0, rate_per_day * np.exp(-rate_per_day * np.maximum(lag, 0.0)), 0.0)


def mobilization(
    occupancy: ArrayLike,
    baseline_per_day: float,
    blockade_per_day: float,
    ctla4_bound: ArrayLike = 0.0,
    ctla4_per_day: float = 0.0,
) -> FloatArray:
    """Return the daily share of precursors that turns into effectors.

    ``m = m0 + m1·occ + m4·b`` in 1/day, broadcast shape of ``occupancy`` and of ``b``, the bound
    share of CTLA-4; ``m0 + m1 + m4`` ≤ 1.

    Notes
    -----
    Source: own model (M19 and M43 of docs/reference/model.md); that anti-CTLA-4 expands effectors
    by itself: Wei 2017, Cell (recalled). Status: derived.
    """
    moved = baseline_per_day + blockade_per_day * np.asarray(occupancy, dtype=np.float64)
    return moved + ctla4_per_day * np.asarray(ctla4_bound, dtype=np.float64)


def saturate(effect: ArrayLike, maximum: float | None) -> FloatArray:
    """Return the systemic log kill after saturation.

    ``Z_max·Z/(Z + Z_max)`` in nats, concave, any shape; ``None`` leaves ``Z ≥ 0`` as it is.

    Notes
    -----
    Source: own model (M21 of docs/reference/model.md). Status: derived.
    """
    raw = np.array(effect, dtype=np.float64)
    return raw if maximum is None else maximum * (raw / (raw + maximum))


def controllable_burden_cm3(
    kill_per_effector: ArrayLike,
    blockade: ArrayLike,
    suppression: ArrayLike,
    growth_per_day: ArrayLike,
) -> FloatArray:
    """Return the largest tumor that unlimited effectors can shrink.

    ``T* = [ω(1 + p1)/(κ·μ)]^{3/2}`` in cm³, broadcast shape.

    Parameters
    ----------
    kill_per_effector, blockade, suppression, growth_per_day
        ``ω``, anti-PD-1 level ``p1 ≥ 0``, ``κ`` > 0 and growth ``μ`` > 0 per day.

    Notes
    -----
    Source: limit L → ∞ of the primary response of Cho 2023, doi:10.1088/1361-6560/ace819.
    Status: derived.
    """
    kill = np.asarray(kill_per_effector, dtype=np.float64)
    kill = kill * (1.0 + np.asarray(blockade, dtype=np.float64))
    resistance = np.asarray(suppression, dtype=np.float64)
    return (kill / (resistance * np.asarray(growth_per_day, dtype=np.float64))) ** 1.5
