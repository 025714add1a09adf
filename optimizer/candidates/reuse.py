"""Tables of an earlier case taken over where what they depend on is the same.

Courses, plans and what they do to tumors depend on lesions, drugs and biology. Caps, prior doses
and the objective enter later: a case that differs in these alone needs no new tables, as long as
the earlier menus hold every course that it allows. What effectors do once antigen is released
enters the propagators alone: a scenario of theirs keeps all tables but these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.optimizer.candidates.limits.registry import plan_loads
from abscopt.optimizer.candidates.table import Candidates

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

LATE = {
    "name", "title", "provenance", "objective", "limit_set", "limits", "organs", "prior_doses",
    "cross_second_moments", "standard", "ensemble", "observation", "changes",
}  # fmt: skip
"""Tables of a case that say nothing of what courses and plans do to tumors."""

OF_EFFECTORS = {
    "precursors_initial", "precursor_inflow_per_day", "priming_delay_days",
    "effector_loss_per_day", "effect_per_effector", "effect_maximum_nats", "pdl1_upregulation",
    "preblockade_sign", "ctla4_depletion",
}  # fmt: skip
"""Constants of the immune response that no table but the propagators holds."""


def candidates_like(earlier: Candidates | None, instance: Instance) -> Candidates:
    """Candidates of a case, with the tables of an earlier one where these hold for it too."""
    if earlier is None or earlier.free or early_tables(earlier.instance) != early_tables(instance):
        return Candidates(instance)
    return earlier.taken_over(instance) or Candidates(instance)


def early_tables(instance: Instance) -> dict[str, Any]:
    """What tables depend on: all but weights, organs, limits and constants of effectors."""
    tables = instance.model_dump(exclude=LATE | {"immune"})
    tables["immune"] = instance.immune.model_dump(exclude=OF_EFFECTORS)
    for lesion in tables["lesions"]:
        lesion.pop("weight")
    return tables | {"of_plans": [load.limit.model_dump() for load in plan_loads(instance)]}
