"""How many patients are free of an event: what trials count, over patients who differ.

Patients differ in radiosensitivity (factor f of alpha, common to the lesions of a patient,
`models/population.py`) and in the rate at which tumors grow (factor g, lognormal). Of an arm

    S(t) = E_f E_g [ Π_l 1/(1 + e^{r_l(f) − θ_l(t, g)}) ],    θ_l = ln(1 + V_l e^{−λ_l g t}),

with r_l the log clonogens that radiation, drugs and effectors leave, V_l their number at which the
lesion counts, λ_l their growth (M39 of docs/reference/model.md). V and λ by endpoint and lesion are
in `instances/evidence/settings.toml`; alpha, its spread, the growth of survivors and its spread are
those of published local control (`instances/evidence/local_control_fit.json`). What is compared is
minus the log of the cumulative hazard,

    m = −ln(−ln S),

so that a difference of m is a log hazard ratio; of an odds ratio it is turned into ln S/(1 − S).
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import abscopt.instances.evidence
from abscopt.models.arrays import FloatArray
from abscopt.models.recurrence import log_survivors_seen
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.lesions import lesion_effect
from abscopt.optimizer.evaluation.systemic import systemic_state

if TYPE_CHECKING:
    from abscopt.instances.evidence import Arm, Finding
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

FIT = Path(abscopt.instances.evidence.__file__).with_name("local_control_fit.json")
SHARES = ("irradiated", "progression", "survival")
"""Endpoints of patients that count those without an event."""
YEARS = (1.0, 2.0, 3.0)
"""When events are counted, unless a finding states a day; status: assumed, where figures stand."""
SCORES = np.linspace(-2.4, 2.4, 9)
"""Normal scores of growth, as in the fit of local control."""
DAYS_PER_YEAR = 365.25


class Growth(NamedTuple):
    """Of one lesion: ``ln V`` and ``λ`` in nats a year."""

    log_visible: float
    per_year: float


@lru_cache(maxsize=1)
def fitted() -> dict[str, float]:
    """Parameters fitted to published local control, by name."""
    document = json.loads(FIT.read_text(encoding="utf-8"))
    return {name: float(one["value"]) for name, one in document["parameters"].items()}


def counts_patients(finding: Finding) -> bool:
    """Whether the endpoint is a share of patients without an event."""
    return finding.scale == "human" and finding.setting.endpoint in SHARES


def event_free(
    finding: Finding, arm: Arm, case: Instance, schedule: Schedule, stated: dict[str, Any]
) -> FloatArray:
    """Return m of one arm, one number for each time, more is better.

    At `YEARS`; on the day that the arm is read, if it states one. `irradiated` reads the lesions
    assessed, the others all that are not resected; hidden disease counts where the case has it.

    Parameters
    ----------
    stated : `patients` of settings.toml

    Notes
    -----
    Source: own (M39 of docs/reference/model.md). Status: derived; V and λ as stated there.
    """
    setting = finding.setting
    left = [lesion for lesion in case.lesions if lesion.name not in setting.resected]
    if setting.endpoint == "irradiated":
        names = setting.assessed if arm.read_at is None else (arm.read_at,)
        left = [lesion for lesion in left if lesion.name in names]
    burdens, weights = _left_over(case, schedule)
    if setting.endpoint == "irradiated" and arm.read_day is not None:
        gone = [burdens[lesion.name] - math.log(lesion.clonogen_number) for lesion in left]
        return _hazard(np.atleast_1d(_viable(gone, stated["viable_share"]) @ weights))
    years = YEARS if arm.read_day is None else (arm.read_day / DAYS_PER_YEAR,)
    score = np.exp(-0.5 * SCORES**2)
    score /= score.sum()
    spread = fitted()["regrowth_spread"]
    free = np.zeros(len(years))
    for weight, factor in zip(score, np.exp(spread * SCORES), strict=True):
        controlled = np.ones((len(years), len(weights)))
        for lesion in left:
            growth = _growth(finding, lesion, bool(schedule.course(lesion.name)), stated)
            seen = log_survivors_seen(years, growth.log_visible, factor * growth.per_year)
            excess = burdens[lesion.name] - seen[:, np.newaxis]
            controlled *= 1.0 / (1.0 + np.exp(np.clip(excess, -300.0, 300.0)))
        free += weight * (controlled @ weights)
    return _hazard(free)


def log_odds(measure: FloatArray) -> FloatArray:
    """Return ``ln S/(1 − S)`` of ``m = −ln(−ln S)``, any shape."""
    hazard = np.exp(-measure)
    return np.asarray(-hazard - np.log(-np.expm1(-hazard)))


def _hazard(free: FloatArray) -> FloatArray:
    """``−ln(−ln S)``."""
    return np.asarray(-np.log(-np.log(free)))


def _viable(gone: list[FloatArray], share: float) -> FloatArray:
    """Chance that at most a share of a tumor is left: a threshold one nat wide, as for response."""
    return np.asarray(
        np.prod([1.0 / (1.0 + np.exp(np.clip(u, -300, 300)) / share) for u in gone], axis=0)
    )


def _left_over(case: Instance, schedule: Schedule) -> tuple[dict[str, FloatArray], FloatArray]:
    """Log clonogens left of each lesion, (radiosensitivities,), without growth, and the weights.

    At the last horizon, when effectors have acted. The growth of the case is taken off: times of
    patients have a growth of their own.
    """
    state = systemic_state(case, schedule.infusions)
    outcomes = Judge(case).evaluate(schedule).lesions
    weights = max((lesion.sensitivities[1] for lesion in case.lesions), key=len)
    left = {}
    for lesion, outcome in zip(case.lesions, outcomes, strict=True):
        course = schedule.course(lesion.name)
        local = lesion_effect(case, lesion, lesion.ways[0], course, state).local_log_burden
        burdens = np.array([at[-1] for at in local])
        # the judge's systemic effect on this lesion, the same at every radiosensitivity
        immune = burdens[len(burdens) // 2] - outcome.clone_log_burden[0][-1]
        grown = math.log(2.0) * case.days / (lesion.growth_doubling_time_days or math.inf)
        left[lesion.name] = np.broadcast_to(burdens - immune - grown, weights.shape)
    return left, weights


def _growth(finding: Finding, lesion: Lesion, irradiated: bool, stated: dict[str, Any]) -> Growth:
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
