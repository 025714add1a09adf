"""Contradictions that no schedule can mend: limits used up before, cycles that do not exist."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.limits import OrganLimit
from abscopt.instances.prior import prior_load

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.organs import PriorDose

TOLERANCE = 1e-9
"""Relative excess that rounding may cause; the judge's own tolerance of a cap."""

Problem = tuple[str, object, str]


def used_up(instance: Instance) -> Iterator[Problem]:
    """Limits that prior doses alone break, so that no schedule can keep them.

    A soft limit may be broken, but not its table: a prior dose per fraction beyond it has no
    finite load.
    """
    for limit in instance.limits:
        if not isinstance(limit, OrganLimit):
            continue
        counted = [
            (i, prior)
            for i, prior in enumerate(instance.prior_doses)
            if (prior.organ, prior.point) == (limit.organ, limit.evaluation_point)
        ]
        if limit.counts_bins and counted:
            continue  # named by the check of limits
        if limit.counts_voxels and any(p.second_moment_gy2 is None for _, p in counted):
            continue  # named by the check of prior doses
        use = prior_load(instance, limit)
        if use > 1 + TOLERANCE and (limit.penalty is None or math.isinf(use)):
            place = ", ".join(f"prior_doses[{i}]" for i, _ in counted)
            value = f"{limit.organ}.{limit.evaluation_point}"
            yield place, value, _sentence(limit, use, [prior for _, prior in counted])


def _sentence(limit: OrganLimit, use: float, priors: list[PriorDose]) -> str:
    if math.isinf(use):
        reason = limit.no_room_for(max(prior.dose_gy for prior in priors))
        return f"contradiction: {reason}, so no schedule can keep it"
    given = " + ".join(
        f"{prior.fractions} x {prior.dose_gy:g} Gy"
        + (f" less {100 * prior.recovered:g} %" if prior.recovered else "")
        for prior in priors
    )
    return (
        f"contradiction: prior dose alone uses {100 * use:.1f} % of limit {limit.name} ({given}), "
        "so no schedule can keep it"
    )


def missing_cycles(instance: Instance) -> Iterator[Problem]:
    """Cycles that an agent or the standard asks for and its regimens do not have."""
    known = instance.regimens
    for i, agent in enumerate(instance.agents):
        own = {name: known[name].all_cycles for name in agent.regimens if name in known}
        if agent.cycles is not None and own and agent.cycles > max(own.values()):
            most = " and ".join(f"{name} has {count}" for name, count in own.items())
            yield f"agents[{i}].cycles", agent.cycles, f"more than the regimen gives: {most}"
    agents = {agent.name: agent for agent in instance.agents}
    for i, given in enumerate(instance.standard.agents if instance.standard else ()):
        chosen = agents.get(given.agent)
        name = given.regimen or (chosen.regimens[0] if chosen else "")
        if given.cycles is not None and name in known and given.cycles > known[name].all_cycles:
            rule = f"more than the regimen gives: {name} has {known[name].all_cycles}"
            yield f"standard.agents[{i}].cycles", given.cycles, rule
