"""Adaptive fractionation as published: a policy by dynamic programming over organ or tumor BED.

Perez Haas et al., Phys Med Biol 2023;68:035003, and the description of adaptfx (MIT licence,
github.com/openAFT/adaptfx), written anew from their equations. Factors of days to come are normal,
with the mean of those seen so far (the planning scan is the first) and the most probable standard
deviation under a gamma prior; the normal is cut to 0 ... 1.7 and taken in steps of 0.01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, norm

Floats = NDArray[np.float64]
Goal = Literal["tumor", "organ"]

TUMOR_RATIO_GY, ORGAN_RATIO_GY = 10.0, 3.0
MOST_GY = 23.0
"""Greatest dose of a fraction, of the paper's policy."""
DOSE_STEP_GY, FACTOR_STEP, GREATEST_FACTOR, LEAST_PROBABILITY = 0.1, 0.01, 1.7, 1e-4
"""Of adaptfx's settings."""
STATE_STEP_GY = 0.5
"""Of BED between states; adaptfx has 1. Values between states are interpolated."""
SDS = np.arange(0.001, 0.6, 1e-4)
"""Standard deviations among which the most probable one is looked for."""


class Prior(NamedTuple):
    """Gamma distribution of a patient's standard deviation."""

    shape: float
    scale: float


class Normal(NamedTuple):
    """Of sparing factors to come."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Aim:
    """Greatest tumor BED under a cap of organ BED, or least organ BED for a tumor BED."""

    goal: Goal
    bed_gy: float


def bed(dose: Floats | float, ratio: float) -> Floats:
    """BED = d + d^2 / r of one fraction, in Gy."""
    return np.asarray(dose) + np.asarray(dose) ** 2 / ratio


def dose_of(bed_gy: Floats | float, ratio: float) -> Floats:
    """Dose of one fraction of a BED: d + d^2 / r = b."""
    room = np.maximum(np.asarray(bed_gy), 0.0)
    return (np.sqrt(ratio * ratio + 4.0 * ratio * room) - ratio) / 2.0


def prior_of(others: Sequence[Sequence[float]]) -> Prior:
    """Fitted to the standard deviations of other patients' factors."""
    spreads = np.std(np.array(others), axis=1)
    shape, _, scale = gamma.fit(spreads, floc=0.0)
    return Prior(float(shape), float(scale))


def learned(seen: Sequence[float], prior: Prior) -> Normal:
    """Mean of what was seen; most probable s of s^(k-1) e^(-s/theta) s^(1-n) e^(-n var/2 s^2)."""
    number, variance = len(seen), float(np.var(seen))
    log_density = (
        (prior.shape - 1.0) * np.log(SDS)
        - SDS / prior.scale
        - (number - 1.0) * np.log(SDS)
        - number * variance / (2.0 * SDS**2)
    )
    return Normal(float(np.mean(seen)), float(SDS[np.argmax(log_density)]))


def chances(expected: Normal) -> tuple[Floats, Floats]:
    """Factors in steps and their probabilities, those below 1e-4 left out."""
    factors = np.arange(0.0, GREATEST_FACTOR + FACTOR_STEP / 2, FACTOR_STEP)
    half = FACTOR_STEP / 2
    upper = norm.cdf(factors + half, expected.mean, expected.sd)
    probability = upper - norm.cdf(factors - half, expected.mean, expected.sd)
    kept = (probability > LEAST_PROBABILITY) & (factors > 0.0)
    return factors[kept], probability[kept] / probability[kept].sum()


BISECTIONS = 64
"""Of the price, over nine decades: to twelve digits."""
DOSES = np.arange(0.0, MOST_GY + DOSE_STEP_GY / 2, DOSE_STEP_GY)


def last_dose(aim: Aim, left_gy: Floats | float, factor: Floats | float) -> Floats:
    """All that the cap leaves, or all that the goal asks for, within the bound."""
    if aim.goal == "tumor":
        return np.minimum(dose_of(left_gy, ORGAN_RATIO_GY) / factor, MOST_GY)
    return np.minimum(dose_of(left_gy, TUMOR_RATIO_GY), MOST_GY)


def gained(aim: Aim, dose: Floats | float, factor: Floats | float) -> Floats:
    """What a fraction is worth: tumor BED, or organ BED with a minus."""
    if aim.goal == "tumor":
        return bed(dose, TUMOR_RATIO_GY)
    return -bed(np.asarray(dose) * factor, ORGAN_RATIO_GY)


def spent(aim: Aim, dose: Floats | float, factor: Floats | float) -> Floats:
    """What a fraction takes of what is left: organ BED of the cap, or tumor BED of the goal."""
    if aim.goal == "tumor":
        return bed(np.asarray(dose) * factor, ORGAN_RATIO_GY)
    return bed(dose, TUMOR_RATIO_GY)


def to_come(aim: Aim, days: int, expected: Normal) -> tuple[Floats, Floats]:
    """Mean value of the days left, for each BED left.

    W_1(b) = E[gained(last dose)],   W_n(b) = E max_d gained(d) + W_(n-1)(b - spent(d))

    Returns
    -------
    states (S,) in Gy, values (S,)
    """
    states = np.linspace(0.0, aim.bed_gy, 1 + int(np.ceil(aim.bed_gy / STATE_STEP_GY)))
    factors, probability = chances(expected)
    last = last_dose(aim, states[:, None], factors)
    values = gained(aim, last, factors) @ probability
    for _ in range(days - 1):
        best = [
            _values(aim, states, float(factor), states, values).max(axis=1) for factor in factors
        ]
        values = probability @ np.array(best)
    return states, values


def _values(aim: Aim, left: Floats, factor: float, states: Floats, values: Floats) -> Floats:
    """gained(d) + W(b - spent(d)) for each b left and dose; -inf above b. Shape (B, D)."""
    after = left[:, None] - spent(aim, DOSES, factor)
    worth = gained(aim, DOSES, factor) + np.interp(after, states, values)
    return np.where(after >= -1e-9, worth, -np.inf)


def todays_dose(aim: Aim, left_gy: float, factor: float, after: tuple[Floats, Floats]) -> float:
    """The dose of the greatest value, given the mean value of the days after today."""
    worth = _values(aim, np.array([left_gy]), factor, *after)[0]
    return float(DOSES[np.argmax(worth)])


def allocated(aim: Aim, left_gy: float, factors: Sequence[float]) -> Floats:
    """Best doses where all factors are known, by one multiplier m, the price of organ BED.

    d_i(m) = argmax tumor(d) - m organ(f_i d) = (m f - 1) / (2/r_T - 2 m f^2/r_O) within bounds

    The tumor's BED is a concave function of the organ's where f > r_O / r_T, so that the
    allocation whose sum is `left_gy` is the optimum.
    """
    f = np.asarray(factors)
    if not np.all(f > ORGAN_RATIO_GY / TUMOR_RATIO_GY):
        raise ValueError("a sparing factor of at most 0.3 makes the allocation non-convex")
    low, high = 1e-6, 1e3
    doses = np.zeros(len(f))
    for _ in range(BISECTIONS):
        price = float(np.sqrt(low * high))
        curvature = 2.0 * price * f**2 / ORGAN_RATIO_GY - 2.0 / TUMOR_RATIO_GY
        slope = 1.0 - price * f
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.where(curvature > 0.0, slope / curvature, np.where(slope > 0, np.inf, 0.0))
        doses = np.clip(inner, 0.0, MOST_GY)
        if float(spent(aim, doses, f).sum()) > left_gy:
            low = price
        else:
            high = price
    return doses
