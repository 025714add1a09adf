"""Control of a population of lesions, as the fit of published local control sees it.

Of a group g of sites, after BED10 D and t years,

    P = E[1/(1 + e^{u − θ(t)})],   u = K_g + R − ᾱ_g e^{σx − σ²/2 + b} D,   x ~ N(0, 1),

K_g the log clonogens before radiation (the library's density times a usual volume), R what
accelerated repopulation adds during the course, ᾱ_g the mean alpha, e^{σx − σ²/2} its spread
between patients, e^b, b ~ N(0, τ²), that between studies, and θ from `models/tumor/recurrence.py`
with regrowth λ e^{ζy}, y ~ N(0, 1), of as many clonogens as there were before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from abscopt.instances.evidence.local_control import Figure, Study
from abscopt.models.arrays import FloatArray
from abscopt.models.tumor.recurrence import log_survivors_seen
from abscopt.models.tumor.repopulation import accelerated_days

GROUPS: dict[str, tuple[float, float]] = {
    "lung primary": (1e7, 8.0),
    "stage III": (1e7, 100.0),
    "colorectal metastasis": (1e6, 12.0),
    "visceral metastasis": (1e6, 12.0),
    "bone, spine, nodes": (1e6, 12.0),
}
"""Clonogens per cm³ of `instances/library/tumors.toml` and a usual volume in cm³: a sphere of
2.5 cm, a stage III tumor with nodes, and the median of the liver metastases of Andratschke 2016."""

COLORECTAL = re.compile(r"(\d+ )?colorectal")  # "colorectal", "24 colorectal metastases"
KICK_OFF_DAYS, REPOPULATION_DOUBLING_DAYS = 28.0, 3.0  # as in the library
YEARLY_DOUBLING = math.log(2.0) * 365.25  # nats a year of what doubles in a day
VISIBLE_DOUBLING_DAYS = 139.0  # untreated, median on CT, stage I-III (PMC3933267)
LQL_GY = 10.0
PATIENTS = np.linspace(-4.0, 4.0, 41)
"""Normal scores of patients, a sixth of a standard deviation apart: at a spread of 1 and 20 nats of
kill 3.3 nats, where the trapezoidal rule errs by 5e-3 at most (`models/tumor/population.py`)."""
STUDIES = np.linspace(-3.0, 3.0, 41)  # normal scores of studies
RATES = np.linspace(-2.4, 2.4, 9)  # normal scores of regrowth rates
TINY = 1e-9


def normal_weights(scores: FloatArray) -> FloatArray:
    """Weights of the trapezoidal rule under a normal density, adding up to 1."""
    weights = np.exp(-0.5 * scores**2)
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class Structure:
    """What the model is made of; its alternatives are compared on studies left out."""

    groups: Literal["one", "colorectal with others", "nodes with viscera", "five"] = "five"
    lql: bool = True
    repopulation: bool = True
    regrowth: Literal["exponential", "139 days", "gompertz"] = "exponential"
    patients: bool = True
    studies: bool = True
    rates: bool = True
    group_spread: float | None = 0.3  # of log alpha between groups, shrinks small ones; None: free

    def group(self, study: Study) -> str:
        """Group of a study, by site and histology alone."""
        site = study.site
        if self.groups == "one":
            return "visceral metastasis"
        if site == "lung_primary":
            return "lung primary"
        if site == "stage3":
            return "stage III"
        if site in ("bone_metastasis", "spine_metastasis"):
            return "bone, spine, nodes"
        if site == "node_metastasis" and self.groups != "nodes with viscera":
            return "bone, spine, nodes"
        if COLORECTAL.match(study.histology) and self.groups != "colorectal with others":
            return "colorectal metastasis"
        return "visceral metastasis"


@dataclass(frozen=True)
class Row:
    """One published figure with what the model needs of it."""

    study: str
    arm: str
    figure: Figure
    group: str
    dose_gy: float
    repopulated: float
    at_risk: float
    control: float

    @property
    def years(self) -> float:
        """Time after radiation."""
        return self.figure.years


def effective_number(figure: Figure) -> float:
    """Lesions that would give the published interval or standard error; n where there is none."""
    share = figure.control_percent / 100.0
    assert figure.n is not None
    error = None
    if figure.interval_percent is not None:
        low, high = figure.interval_percent
        error = (high - low) / 100.0 / 3.92
    elif figure.standard_error_percent is not None:
        error = figure.standard_error_percent / 100.0
    if not error:
        return float(figure.n)
    return min(float(figure.n), max(share * (1.0 - share), 0.01) / error**2)


def dose_that_counts(figure: Figure, lql: bool) -> float:
    """BED10 as published, or with the linear tail above 10 Gy a fraction where it is known."""
    bed10 = figure.bed10
    assert bed10 is not None
    if not lql or figure.dose_gy is None or figure.fractions is None:
        return bed10
    fraction = figure.dose_gy / figure.fractions
    excess = max(0.0, fraction - LQL_GY)
    return bed10 - figure.fractions * excess**2 / 10.0


def repopulated(figure: Figure) -> float:
    """Nats regrown during the course: a fraction each weekday, from a Monday."""
    if figure.fractions is None:
        return 0.0
    last = figure.fractions - 1 + 2 * ((figure.fractions - 1) // 5)
    days = float(accelerated_days(0.0, float(last), KICK_OFF_DAYS))
    return days * math.log(2.0) / REPOPULATION_DOUBLING_DAYS


def rows_of(study: Study, structure: Structure) -> list[Row]:
    """Rows of a study, each arm in the order of time."""
    group = structure.group(study)
    return [
        Row(
            study=study.id,
            arm=figure.arm or "all",
            figure=figure,
            group=group,
            dose_gy=dose_that_counts(figure, structure.lql),
            repopulated=repopulated(figure) if structure.repopulation else 0.0,
            at_risk=effective_number(figure),
            control=figure.control_percent / 100.0,
        )
        for figure in sorted(study.fitted, key=lambda one: (one.arm or "", one.years))
    ]


@dataclass(frozen=True)
class Parameters:
    """What is fitted."""

    alpha_per_gy: dict[str, float]  # ᾱ of each group
    alpha_cv: float
    study_spread: float  # τ
    regrowth_per_year: float  # median λ; with Gompertz growth the rate at which it slows down
    regrowth_spread: float  # ζ

    @property
    def sigma(self) -> float:
        """Standard deviation of log alpha between patients."""
        return math.sqrt(math.log1p(self.alpha_cv**2))

    def dose50_gy(self, group: str) -> float:
        """BED10 that controls half of a group's tumors for good, without repopulation."""
        median = self.alpha_per_gy[group] * math.exp(-0.5 * self.sigma**2)
        return log_clonogens(group) / median


def log_clonogens(group: str) -> float:
    """Log number before radiation, in nats."""
    density, volume = GROUPS[group]
    return math.log(density * volume)


def predicted(
    rows: Sequence[Row],
    at: Parameters,
    structure: Structure,
    studies: FloatArray,
    years: float | None = None,
) -> FloatArray:
    """Control of each row for studies of b = τ·score, shape (rows, scores).

    At the row's own time, unless `years` is given.
    """

    def column(values: Iterable[float]) -> FloatArray:
        return np.array(list(values), dtype=np.float64)[:, None, None]

    number = column(log_clonogens(row.group) for row in rows)
    after = column(row.years if years is None else years for row in rows)
    kill = number * column(row.dose_gy / at.dose50_gy(row.group) for row in rows)
    kill = kill * np.exp(at.study_spread * studies[:, None] + at.sigma * PATIENTS)
    left = number + column(row.repopulated for row in rows) - kill
    survivors = np.exp(np.clip(left, -300.0, 300.0))
    rates = RATES if at.regrowth_spread > 0.0 else np.zeros(1)
    control = np.zeros(left.shape[:2])
    for weight, score in zip(normal_weights(rates), rates, strict=True):
        factor = math.exp(at.regrowth_spread * score)
        seen = log_survivors_seen(1.0, number, _grown(after, at, factor, structure))
        control += weight * ((1.0 / (1.0 + survivors * np.exp(-seen))) @ normal_weights(PATIENTS))
    return control


def _grown(years: FloatArray, at: Parameters, factor: float, structure: Structure) -> FloatArray:
    """``λ t``; with Gompertz growth ``g/b (e^{bt} − 1)``, which doubles in 139 days when seen."""
    if structure.regrowth != "gompertz":
        return at.regrowth_per_year * factor * years
    seen = YEARLY_DOUBLING / VISIBLE_DOUBLING_DAYS * factor
    slowing = at.regrowth_per_year
    return np.asarray(seen / slowing * np.expm1(np.minimum(slowing * years, 50.0)))


def log_likelihood(
    rows: Sequence[Row], at: Parameters, structure: Structure, scores: FloatArray = STUDIES
) -> dict[str, float]:
    """Log likelihood of each study, its own b integrated out.

    An arm's lesions are counted once: of those controlled at one time, so many are at the next, a
    binomial for each step.
    """
    if not structure.studies:
        scores = np.zeros(1)
    chance = np.clip(predicted(rows, at, structure, scores), TINY, 1.0 - TINY)
    totals: dict[str, FloatArray] = {}
    for i, row in enumerate(rows):
        again = i > 0 and (rows[i - 1].study, rows[i - 1].arm) == (row.study, row.arm)
        step = chance[i] / chance[i - 1] if again else chance[i]
        before = rows[i - 1].control if again else 1.0
        step = np.clip(step, TINY, 1.0 - TINY)
        share = min(row.control / before, 1.0)
        value = row.at_risk * before * (_cross(share, step) - _cross(share, np.array(share)))
        totals[row.study] = totals.get(row.study, np.zeros(len(scores))) + value
    log_weights = np.log(normal_weights(scores))
    return {
        study: float(np.logaddexp.reduce(log_weights + value)) for study, value in totals.items()
    }


def _cross(share: float, chance: FloatArray) -> FloatArray:
    """``p ln q + (1 − p) ln(1 − q)``, with 0 ln 0 = 0."""
    q = np.clip(chance, TINY, 1.0 - TINY)
    return np.asarray(share * np.log(q) + (1.0 - share) * np.log1p(-q))
