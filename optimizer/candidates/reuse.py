"""Tables of an earlier case taken over where what they depend on is the same.

Courses, plans and what they do to tumors depend on lesions, drugs and biology. Caps, prior doses
and the objective enter later: a case that differs in these alone needs no new tables, as long as
the earlier menus hold every course that it allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.instances.limits import DrugLimit
from abscopt.optimizer.candidates.table import Candidates

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

LATE = {
    "name", "title", "provenance", "objective", "limit_set", "limits", "organs", "prior_doses",
    "cross_second_moments", "standard",
}  # fmt: skip
"""Tables of a case that say nothing of what courses and plans do to tumors."""


def candidates_like(earlier: Candidates | None, instance: Instance) -> Candidates:
    """Candidates of a case, with the tables of an earlier one where these hold for it too."""
    if earlier is None or earlier.free or _early(earlier.instance) != _early(instance):
        return Candidates(instance)
    return earlier.with_limits_of(instance) or Candidates(instance)


def _early(instance: Instance) -> dict[str, Any]:
    """What tables depend on: all but weights, organs, limits and the saturation of the effect."""
    found = instance.model_dump(exclude=LATE)
    found["immune"].pop("effect_maximum_nats")
    for lesion in found["lesions"]:
        lesion.pop("weight")
    drug_limits = [limit for limit in instance.limits if isinstance(limit, DrugLimit)]
    return found | {"drug_limits": [limit.model_dump() for limit in drug_limits]}
