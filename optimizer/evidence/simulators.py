"""Verdicts of the published forward models on the findings that they can express."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.evidence.measures import BURDEN, SYSTEMIC, Verdict, verdict_of
from abscopt.optimizer.evidence.settings import Trial
from abscopt.optimizer.simulation import MODELS
from abscopt.optimizer.simulation.pooled import CHO, CHO_SLOW
from abscopt.optimizer.simulation.separate import ICD

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule
    from abscopt.optimizer.simulation import Model

COUPLED = (CHO.name, CHO_SLOW.name, ICD.name)
"""Models in which radiation of one lesion acts on others."""


def simulators() -> dict[str, Callable[[Trial], Verdict]]:
    """Name -> verdict on a finding, for every published model."""

    def verdict(model: Model) -> Callable[[Trial], Verdict]:
        return lambda trial: simulated_verdict(model, trial)

    return {model.name: verdict(model) for model in MODELS}


def simulated_verdict(model: Model, trial: Trial) -> Verdict:
    """Whether a model gives the arms of a finding their published order.

    `out_of_field` and `priming` are read on the immune log kill, burdens on the model's score,
    lymphocytes on models of blood. Outside the range: what the model does not have (other
    endpoints, states of patient or tumor, single days, drugs it does not know, lesions that it
    does not couple or tell apart) and schedules that it refuses.
    """
    setting, arms = trial.finding.setting, trial.finding.arms
    cases = [case for case, _ in trial.arms.values()]
    schedules = [schedule for _, schedule in trial.arms.values()]
    counts = setting.endpoint == "lymphocytes"
    special = bool(setting.resected) or setting.endpoint in ("release", "infiltration")
    special |= any(
        arm.condition or arm.read_at or arm.read_day is not None for arm in arms.values()
    )
    if counts != (model.against == "nadir") or special:
        return "outside_range"
    distant = setting.endpoint == "out_of_field"
    if distant and model.name not in COUPLED:
        return "outside_range"
    if setting.endpoint == "irradiated" and len(setting.lesions) > 1:
        return "outside_range"
    if _refused(model, cases[0], schedules):
        return "outside_range"
    run = model.run(cases[0], schedules)
    values = run.score[:, np.newaxis]
    if distant or setting.endpoint == "priming":
        if run.effect is None:
            return "outside_range"
        values = run.effect
    measured = dict(zip(trial.arms, values, strict=True))
    in_nats = not (counts or setting.endpoint == "priming")
    return verdict_of(trial.finding, measured, BURDEN if in_nats else SYSTEMIC)


def _refused(model: Model, case: Instance, schedules: list[Schedule]) -> bool:
    if any(model.refusals(case, schedule) for schedule in schedules):
        return True
    return model.against == "objective" and bool(model.unrepresented(case, schedules))
