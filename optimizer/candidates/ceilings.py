"""What no schedule can exceed, known before any table of plans: a search's first bound.

Every lesion at its best course and at the greatest systemic effect, limits and costs aside.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import PlanId

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.table import Candidates

BEST = {"default": 0.0, "log_control": 0.0, "expected_control": 1.0}
"""Value of a lesion that is controlled for certain, by objective; the others have no such value."""

ALL_NATS = 1e200
"""Systemic log kill that leaves nothing: any share of it in a table is far above any burden."""


def ceiling_of_case(instance: Instance) -> float:
    """Every lesion controlled for certain; infinite where the objective has no greatest value."""
    best = BEST.get(instance.objective.kind, math.inf)
    return math.fsum(best * lesion.weight for lesion in instance.lesions if lesion.weight)


def ceiling(candidates: Candidates, plan: PlanId) -> float:
    """Bound of a plan without any row: every lesion at its best course and the greatest effect.

    Infinite where the systemic effect does not saturate and the objective neither. The same for
    all plans of one group.
    """
    instance = candidates.instance
    bed = instance.objective.of_dose_alone
    most = instance.immune.effect_maximum_nats
    if most is None and not bed:
        if instance.objective.kind not in BEST:
            return math.inf
        most = ALL_NATS
    total = 0.0
    for table, shared in zip(candidates.lesions, candidates.shared(plan), strict=True):
        lesion = instance.lesions[table.menu.lesion]
        if bed:
            total += lesion.weight * float(shared.tumor_bed.max())
            continue
        nodes = lesion.sensitivities[1]
        factors = np.array([clone.effector_share_factor for clone in lesion.populations])
        share = lesion.effector_share * instance.immune.share_factor * np.tile(factors, len(nodes))
        kill = np.full((1, len(instance.horizon_days)), most)
        value = lesion_value(instance.objective, nodes, shared.local, share[None, :], kill)
        total += lesion.weight * float(value.max())
    return total
