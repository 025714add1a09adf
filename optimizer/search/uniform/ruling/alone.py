"""What courses are worth at most by their own kill, before any of them is tabulated.

What a course kills by itself needs no plan, kind or block; the systemic effect counts with the most
that any schedule can have (P23 of docs/reference/proofs.md). Ten thousand rests take hundredths of
a second, and most of them are seen to kill too little to match a schedule in hand.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.shared import least_burdens
from abscopt.optimizer.candidates.systemic.plans import direct_doses
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import PlanIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform.ruling.greatest import greatest_kill

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


def greatest_worths(candidates: Candidates, plans: PlanIds) -> list[FloatArray]:
    """Per lesion (courses,) what schedules with a course and one of the plans are worth at most.

        w_s V_s(U_c, z) + sum_(r != s) max_c' w_r V_r(U_c', z)

    with U_c the least log burden of a course and z the greatest systemic kill of all.
    """
    values = _greatest_values(candidates, plans)
    best = [float(value.max()) for value in values]
    return [
        value + (math.fsum(best) - its_best) for value, its_best in zip(values, best, strict=True)
    ]


def _greatest_values(candidates: Candidates, plans: PlanIds) -> list[FloatArray]:
    """Per lesion (courses,) weighted value at the greatest systemic kill, all credited."""
    instance = candidates.instance
    sensitizer = candidates.plan_effects.sensitizer[plans].max(axis=0)
    offered = [candidates.plans[k] for k in plans.tolist()]
    different = list({direct_doses(instance, plan): plan for plan in offered}.values())
    kill, values = greatest_kill(candidates, plans), []
    for table in candidates.lesions:
        tick()
        lesion = candidates.lesion_of(table)
        nodes = lesion.sensitivities[1]
        burden = least_burdens(instance, table.menu, sensitizer, different)
        share = lesion.effector_share * instance.immune.share_factor
        factors = [clone.effector_share_factor for clone in lesion.populations]
        shares = share * np.tile(factors, len(nodes))
        value = lesion_value(instance.objective, nodes, burden, shares[None], kill[None])
        values.append(lesion.weight * value)
    return values
