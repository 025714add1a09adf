"""How many patients are free of an event or respond: what trials count, over patients who differ.

Patients differ in radiosensitivity (factor f of alpha, common to the lesions of a patient,
`models/tumor/population.py`), in the rate at which tumors grow (factor g) and in what effectors do
(factor h); all are lognormal, f has mean 1, g and h median 1: the case is the median patient. Of an
arm with systemic effect Z before saturation

    S(t) = E_f E_g E_h [ Π_l 1/(1 + e^{r_l(f) − H_l s(h Z) − θ_l(t, g)}) ],
    θ_l = ln(1 + V_l e^{−λ_l g t}),   s(Z) = M Z/(Z + M)   (M21),

with r_l the log clonogens that radiation and drugs leave, H_l the lesion's share, V_l the number at
which the lesion counts, λ_l its growth (M39 of docs/reference/model.md). A tumor responds where
``H s`` reaches q, 30 % in diameter, H the mean share of the lesions assessed:

    R = Φ(ln(Z/Z_q)/σ),   H s(Z_q) = q,   σ the standard deviation of ln h.

V, λ, q and σ are in `instances/evidence/settings.toml`; alpha, its spread, the growth of survivors
and its spread are those of published local control (`instances/evidence/local_control_fit.json`).
What is compared is minus the log of the cumulative hazard,

    m = −ln(−ln S),

so that a difference of m is a log hazard ratio; of an odds ratio it is turned into ln S/(1 − S).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import abscopt.instances.evidence
from abscopt.models.arrays import FloatArray
from abscopt.models.immunity.immune import saturate
from abscopt.models.tumor.recurrence import log_survivors_seen
from abscopt.optimizer.evaluation import Judge

if TYPE_CHECKING:
    from abscopt.instances.evidence import Arm, Finding
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

FIT = Path(abscopt.instances.evidence.__file__).with_name("local_control_fit.json")
SHARES = ("out_of_field", "irradiated", "progression", "survival")
"""Endpoints of patients that count those who respond or have no event."""
YEARS = (1.0, 2.0, 3.0)
"""When events are counted, unless a finding states a day; status: assumed, where figures stand."""
SCORES = np.linspace(-2.4, 2.4, 25)
"""Normal scores of growth: as far as in the fit of local control, closer as nothing else may blur a
date (patients drawn one by one differ by at most 0.02)."""
EFFECTS = np.linspace(-2.8, 2.8, 21)
"""Normal scores of what effectors do."""
RAREST = 1e-12
"""Least share of patients that is told from none."""
DAYS_PER_YEAR = 365.25


class Growth(NamedTuple):
    """Of one lesion: ``ln V`` and ``λ`` in nats a year."""

    log_visible: float
    per_year: float


@lru_cache(maxsize=1)
def fitted() -> dict[str, float]:
    """Parameters fitted to published local control, by name."""
    document = json.loads(FIT.read_text(encoding="utf-8"))
    return {name: float(parameter["value"]) for name, parameter in document["parameters"].items()}


def counts_patients(finding: Finding) -> bool:
    """Whether the endpoint is a share of patients."""
    return finding.scale == "human" and finding.setting.endpoint in SHARES


@dataclass(frozen=True)
class Left:
    """What an arm leaves of the lesions, before patients differ in growth and effect.

    Attributes
    ----------
    burdens : name -> log clonogens left by radiation and drugs, (radiosensitivities,), no growth
    weights : of radiosensitivities, (radiosensitivities,)
    effect : systemic effect of the median patient before saturation in nats, (horizons,)
    """

    burdens: Mapping[str, FloatArray]
    weights: FloatArray
    effect: FloatArray


def shares(
    finding: Finding, arm: Arm, case: Instance, left: Left, stated: Mapping[str, Any]
) -> FloatArray:
    """Return m of one arm, one number for each time, more is better.

    Events at `YEARS`, or on the day that the arm is read, if it states one; responses at the
    horizons. `out_of_field` and `irradiated` read the lesions assessed, the others all that are
    not resected; hidden disease counts where the case has it.

    Parameters
    ----------
    stated : `patients` of settings.toml

    Notes
    -----
    Source: own (M39 of docs/reference/model.md). Status: derived; V, λ, q and σ as stated there.
    """
    setting = finding.setting
    read = _read(finding, arm, case)
    if setting.endpoint == "out_of_field":
        share = float(np.mean([_share(case, lesion) for lesion in read]))
        return hazard_measure(_responding(case, left.effect, share, stated))
    raw = np.exp(float(stated["effect_spread"]) * EFFECTS) * left.effect[-1]
    return hazard_measure(
        by_effect(finding, arm, case, left, stated, raw) @ normal_weights(EFFECTS)
    )


def by_effect(
    finding: Finding,
    arm: Arm,
    case: Instance,
    left: Left,
    stated: Mapping[str, Any],
    raw: FloatArray,
) -> FloatArray:
    """Share of patients without an event by what effectors do, (times, effects).

    Parameters
    ----------
    raw : systemic effects before saturation in nats, (effects,), in place of that of the case
    """
    setting = finding.setting
    read = _read(finding, arm, case)
    felt = saturate(raw, case.immune.effect_maximum_nats)[:, np.newaxis]
    after = {
        lesion.name: left.burdens[lesion.name] - _share(case, lesion) * felt for lesion in read
    }
    if setting.endpoint == "irradiated" and arm.read_day is not None:
        least = math.log(stated["viable_share"])
        free = np.ones((1, len(raw), len(left.weights)))
        for lesion in read:
            free *= _logistic(after[lesion.name] - math.log(lesion.clonogen_number) - least)
        return np.asarray(free @ left.weights)
    years = np.array(YEARS if arm.read_day is None else (arm.read_day / DAYS_PER_YEAR,))
    rates = np.exp(fitted()["regrowth_spread"] * SCORES)[:, np.newaxis]
    free = np.ones((len(rates), len(years), len(raw), len(left.weights)))
    for lesion in read:
        growth = _growth(finding, lesion, lesion.name in arm.sites, stated)
        seen = log_survivors_seen(years, growth.log_visible, growth.per_year * rates)
        free *= _logistic(after[lesion.name] - seen[..., np.newaxis, np.newaxis])
    mean: FloatArray = np.einsum("g,gyef,f->ye", normal_weights(SCORES), free, left.weights)
    return mean


def _read(finding: Finding, arm: Arm, case: Instance) -> list[Lesion]:
    """Lesions whose events or responses count."""
    setting = finding.setting
    read = [lesion for lesion in case.lesions if lesion.name not in setting.resected]
    if setting.endpoint in ("out_of_field", "irradiated"):
        names = setting.assessed if arm.read_at is None else (arm.read_at,)
        read = [lesion for lesion in read if lesion.name in names]
    return read


def _responding(
    case: Instance, effect: FloatArray, share: float, stated: Mapping[str, Any]
) -> FloatArray:
    """``Φ(ln(Z/Z_q)/σ)``, (horizons,); a step without a spread, none where nothing suffices."""
    ceiling = case.immune.effect_maximum_nats or math.inf
    needed = -math.log(stated["response_left"]) / share if share > 0.0 else math.inf
    if needed >= ceiling:
        return np.zeros(len(effect))
    enough = needed / (1.0 - needed / ceiling)
    spread = float(stated["effect_spread"])
    if spread == 0.0:
        return np.asarray(effect >= enough, dtype=np.float64)
    scores = np.log(np.maximum(effect, RAREST) / enough) / spread
    return np.array([NormalDist().cdf(float(score)) for score in scores])


def _share(case: Instance, lesion: Lesion) -> float:
    """Share of the systemic effect that a lesion of one clone feels."""
    return lesion.effector_share * case.immune.share_factor


def _logistic(excess: FloatArray) -> FloatArray:
    """``1/(1 + e^u)``."""
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(excess, -300.0, 300.0))))


def normal_weights(scores: FloatArray) -> FloatArray:
    """Weights of normal scores, adding up to 1."""
    weights = np.exp(-0.5 * scores**2)
    return np.asarray(weights / weights.sum())


def log_odds(measure: FloatArray) -> FloatArray:
    """Return ``ln S/(1 − S)`` of ``m = −ln(−ln S)``, any shape."""
    hazard = np.exp(-measure)
    return np.asarray(-hazard - np.log(-np.expm1(-hazard)))


def hazard_measure(share: FloatArray) -> FloatArray:
    """``−ln(−ln S)``."""
    return np.asarray(-np.log(-np.log(np.clip(share, RAREST, 1.0 - RAREST))))


def left_over(case: Instance, schedule: Schedule) -> Left:
    """What a schedule leaves at the last horizon, and the effect at all of them.

    The growth of the case is taken off: times of patients have a growth of their own.
    """
    judge = Judge(case)
    effect = judge.evaluate(schedule).immune["unsaturated_effect_nats"]
    weights = max((lesion.sensitivities[1] for lesion in case.lesions), key=len)
    burdens = {}
    for lesion, effects in zip(case.lesions, judge.lesion_effects(schedule), strict=True):
        grown = math.log(2.0) * case.days / (lesion.growth_doubling_time_days or math.inf)
        last = np.array([at[-1] for at in effects.local_log_burden]) - grown
        burdens[lesion.name] = np.broadcast_to(last, weights.shape)
    return Left(burdens, weights, np.array(effect, dtype=np.float64))


def _growth(
    finding: Finding, lesion: Lesion, irradiated: bool, stated: Mapping[str, Any]
) -> Growth:
    """When a lesion counts and how fast it gets there."""
    hidden = not lesion.irradiable
    number = math.log(lesion.clonogen_number)
    density = stated["hidden_density_per_cm3"] if hidden else lesion.clonogens_per_cm3
    survivors = hidden or irradiated
    rate = (
        fitted()["regrowth"]
        if survivors
        else math.log(2.0) * DAYS_PER_YEAR / stated["visible_doubling_days"]
    )
    if finding.setting.endpoint == "survival":
        return Growth(math.log(density * stated["lethal_cm3"]), rate)
    if hidden:
        return Growth(math.log(density * stated["hidden_seen_cm3"]), rate)
    return Growth(number + (0.0 if irradiated else math.log(stated["progression_factor"])), rate)
