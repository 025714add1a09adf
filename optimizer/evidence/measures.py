"""What is read off an arm of a finding, and when one arm counts as better than another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.lesions import lesion_effect
from abscopt.optimizer.evaluation.systemic import systemic_state
from abscopt.optimizer.evidence.patients import counts_patients, left_over, shares
from abscopt.optimizer.evidence.settings import read_to_size, size_at_death, times_of_patients

if TYPE_CHECKING:
    from abscopt.instances.evidence import Arm, Finding, Ordering, Setting
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

Verdict = Literal["reproduced", "contradicted", "outside_range", "not_informative", "scenario"]

CLEARLY, ALIKE = 0.05, 0.25
"""Better by at least 5 %, alike within 25 %: of the best arm's effect, or so many nats of burden.
Status: assumed; fixed before any parameter was chosen."""
AMOUNTS = ("priming", "release", "infiltration", "lymphocytes")
"""Endpoints that are an effect or a count."""
NOTHING_ELSE = (
    "precursors_initial",
    "precursor_inflow_per_day",
    "precursor_loss_per_day",
    "mobilization_per_day",
    "blockade_mobilization_per_day",
)
"""Constants that are 0 where only release raises precursors, and nothing takes them away."""


@dataclass(frozen=True)
class Scale:
    """How differences between arms count: relative to the best arm, or in nats."""

    relative: bool

    def margin(self, share: float, values: FloatArray) -> FloatArray:
        """Difference that a share stands for, per horizon; `values` is (arms, horizons)."""
        if self.relative:
            return np.asarray(share * np.abs(values).max(axis=0))
        return np.full(values.shape[1], share)


SYSTEMIC, BURDEN = Scale(relative=True), Scale(relative=False)


def scale_of(finding: Finding) -> Scale:
    """Relative for effects, counts and times, nats where burdens are compared."""
    if finding.setting.endpoint in AMOUNTS or read_to_size(finding):
        return SYSTEMIC
    return BURDEN


def surrogate_measure(finding: Finding, arm: Arm, case: Instance, schedule: Schedule) -> FloatArray:
    """What the judge says of one arm, one number per horizon, more is better.

    `priming`: systemic effect in nats. `release`: all that the irradiated cells give off to prime,
    `infiltration`: what of it primes on the day the arm is read; one number each.
    `out_of_field`, `irradiated`, `progression` and `survival` of patients: minus the log of the
    cumulative hazard, of shares of patients (`optimizer/evidence/patients.py`). `all_lesions`, and
    `out_of_field` and `irradiated` of mice: minus the mean log burden of the lesions on which the
    arm is read (responses are read on tumors, and resistance shows there only). `survival` of mice:
    days until the tumors have the size that ends the experiment.
    `lymphocytes`: nadir in 10⁹/L.
    """
    endpoint = finding.setting.endpoint
    if endpoint in ("release", "infiltration"):
        return primed(case, schedule, arm.read_day)
    if read_to_size(finding):
        return _days_to_size(finding, case, schedule)
    if counts_patients(finding):
        return shares(finding, arm, case, left_over(case, schedule), times_of_patients())
    verdict = Judge(case).evaluate(schedule)
    if endpoint == "priming":
        return np.array(verdict.immune["systemic_effect_nats"], dtype=np.float64)
    if endpoint == "lymphocytes":
        return np.array([verdict.lymphocytes["nadir_1e9_per_l"]], dtype=np.float64)
    names = read_on(finding.setting, arm)
    read = [
        outcome.log_burden
        for outcome in verdict.lesions
        if outcome.name not in finding.setting.resected and (not names or outcome.name in names)
    ]
    burden = np.array(read, dtype=np.float64)
    return np.asarray(-burden.mean(axis=0))


def primed(case: Instance, schedule: Schedule, day: int | None) -> FloatArray:
    """What release primes, on one day or over all of them (`None`), shape (1,).

    Precursors that are neither there before, nor lost, nor mobilized are the running sum of
    ``f4(t) P(t)``, with ``P`` the release convolved with clearance and delay (M16).
    """
    constants = case.immune.unchecked(dict.fromkeys(NOTHING_ELSE, 0.0))
    case = case.unchecked({"immune": constants})
    state = systemic_state(case, schedule.infusions)
    total = np.zeros(case.days)
    for lesion in case.lesions:
        course = schedule.course(lesion.name)
        if course:
            effect = lesion_effect(case, lesion, lesion.ways[:1] * len(course), course, state)
            total += effect.precursors
    if day is None:
        return total[-1:]
    return np.diff(total, prepend=0.0)[day : day + 1]


def _days_to_size(finding: Finding, case: Instance, schedule: Schedule) -> FloatArray:
    """Day on which the total burden first has the size that ends a mouse's life, shape (1,).

    The size is relative to the burden that grows untreated until the first treatment. Between two
    days linear in the log burden; the last day where the size is never reached.
    """
    factor, first, last = size_at_death(finding)
    # one horizon a day, more than a case may state
    case = case.unchecked({"horizon_days": tuple(range(1, last + 1))})
    lesions = Judge(case).evaluate(schedule).lesions
    total = np.logaddexp.reduce(np.array([lesion.log_burden for lesion in lesions]), axis=0)
    start = math.log(sum(lesion.clonogen_number for lesion in case.lesions))
    doubling_days = min(lesion.growth_doubling_time_days or math.inf for lesion in case.lesions)
    size = start + math.log(2.0) * first / doubling_days + math.log(factor)
    at = int(np.argmax(total >= size))
    if total[at] < size:
        return np.array([float(last)])
    if at == 0:
        return np.array([1.0])
    share = (size - total[at - 1]) / (total[at] - total[at - 1])
    return np.array([at + share])


def read_on(setting: Setting, arm: Arm) -> tuple[str, ...]:
    """Lesions on which an arm is read; none for the whole patient."""
    if setting.endpoint in ("progression", "survival"):
        return ()
    return setting.assessed if arm.read_at is None else (arm.read_at,)


def dose_measure(setting: Setting, arm: Arm, case: Instance, schedule: Schedule) -> FloatArray:
    """Baseline without biology of immunity: mean tumor BED over lesions in Gy, more is better.

    Over the lesions on which the arm is read, or all where effects out of field, priming or blood
    are read. For lymphocytes less is better. One number, shape (1,).
    """
    local = setting.endpoint in ("irradiated", "all_lesions")
    names = read_on(setting, arm) if local else ()
    lesions = [lesion for lesion in case.lesions if not names or lesion.name in names]
    total = 0.0
    for lesion in lesions:
        doses = np.array([dose for _, dose, _ in schedule.course(lesion.name)])
        total += float((doses * (1.0 + doses / lesion.alpha_beta_gy)).sum())
    sign = -1.0 if setting.endpoint == "lymphocytes" else 1.0
    return np.array([sign * total / len(lesions)])


def informative(finding: Finding) -> tuple[Ordering, ...]:
    """Orderings that say something: "alike" only where a published interval lies in the margin."""
    within = {
        frozenset((effect.of, effect.against))
        for effect in finding.effects
        if max(map(abs, effect.log_interval)) <= ALIKE
    }
    return tuple(
        ordering
        for ordering in finding.orderings
        if ordering.relation != "~" or frozenset((ordering.better, ordering.worse)) in within
    )


def verdict_of(finding: Finding, measured: dict[str, FloatArray], scale: Scale) -> Verdict:
    """Whether the measures of the arms have the published orders at every horizon."""
    orderings = informative(finding)
    if not orderings:
        return "not_informative"
    values = np.array(list(measured.values()))
    clearly, alike = scale.margin(CLEARLY, values), scale.margin(ALIKE, values)
    for ordering in orderings:
        ahead = measured[ordering.better] - measured[ordering.worse]
        if ordering.relation == ">":
            holds = np.all(ahead > clearly)
        elif ordering.relation == ">=":
            holds = np.all(ahead >= -clearly)
        else:
            holds = np.all(np.abs(ahead) <= alike)
        if not holds:
            return "contradicted"
    return "reproduced"
