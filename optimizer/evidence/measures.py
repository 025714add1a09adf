"""What is read off an arm of a finding, and when one arm counts as better than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import FloatArray

if TYPE_CHECKING:
    from abscopt.instances.evidence import Arm, Finding, Setting
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule

Verdict = Literal["reproduced", "contradicted", "outside_range", "scenario"]

CLEARLY, ALIKE = 0.05, 0.25
"""Better by at least 5 %, alike within 25 %: of the best arm's effect, or so many nats of burden.
Status: assumed; fixed before any parameter was chosen."""


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


def scale_of(setting: Setting) -> Scale:
    """Relative for effects and counts, nats where burdens are compared."""
    if setting.endpoint in ("priming", "lymphocytes"):
        return SYSTEMIC
    return BURDEN


def surrogate_measure(setting: Setting, arm: Arm, verdict: Evaluation) -> FloatArray:
    """What the judge says of one arm, one number per horizon, more is better.

    `priming`: systemic effect in nats; on a day on which the arm is read, that of the day.
    `out_of_field`, `irradiated`, `all_lesions`: minus the mean log burden of the lesions on which
    the arm is read (responses are read on tumors, and resistance shows there only).
    `progression`, `survival`: the same of all lesions, hidden disease included. `lymphocytes`:
    nadir in 10⁹/L.
    """
    if setting.endpoint == "priming":
        if arm.read_day is not None:
            return np.diff(verdict.immune["unsaturated_effect_nats"])
        return np.array(verdict.immune["systemic_effect_nats"], dtype=np.float64)
    if setting.endpoint == "lymphocytes":
        return np.array([verdict.lymphocytes["nadir_1e9_per_l"]], dtype=np.float64)
    names = read_on(setting, arm)
    burdens = [lesion.log_burden for lesion in verdict.lesions if not names or lesion.name in names]
    return np.asarray(-np.array(burdens, dtype=np.float64).mean(axis=0))


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


def verdict_of(finding: Finding, measured: dict[str, FloatArray], scale: Scale) -> Verdict:
    """Whether the measures of the arms have the published orders at every horizon."""
    values = np.array(list(measured.values()))
    clearly, alike = scale.margin(CLEARLY, values), scale.margin(ALIKE, values)
    for ordering in finding.orderings:
        ahead = measured[ordering.better] - measured[ordering.worse]
        if ordering.relation == ">":
            kept = np.all(ahead > clearly)
        elif ordering.relation == ">=":
            kept = np.all(ahead >= -clearly)
        else:
            kept = np.all(np.abs(ahead) <= alike)
        if not kept:
            return "contradicted"
    return "reproduced"
