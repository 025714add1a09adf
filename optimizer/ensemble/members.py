"""Members of an ensemble: cases that offer the same schedules, each with a weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.instances.reading.problems import short
from abscopt.models.arrays import FloatArray

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.ensemble import Ensemble as Stated

CHOSEN = {"irradiable", "course", "weight"}
"""Keys of a lesion that say what may be chosen or what is wanted, not what is so."""


@dataclass(frozen=True)
class Member:
    """One parameter set.

    Attributes
    ----------
    name : `m01`, or as the ensemble names it
    weight : part of the ensemble; all add up to 1
    changes : what differs from the case, value by value
    instance : the case with these values
    """

    name: str
    weight: float
    changes: tuple[Change, ...]
    instance: Instance


@dataclass(frozen=True)
class Ensemble:
    """Parameter sets of one case.

    Attributes
    ----------
    name : of the library, of a file, or `of the case`
    case : as it is stated, without its ensemble
    members : at least one; all offer the schedules of the case and weigh them by one objective
    left_out : keys that the ensemble varies where they are stated, and the case does not state
    stated : what they were drawn from; None where they were not
    """

    name: str
    case: Instance
    members: tuple[Member, ...]
    left_out: tuple[str, ...] = ()
    stated: Stated | None = None

    @property
    def instances(self) -> list[Instance]:
        """The members' cases."""
        return [member.instance for member in self.members]

    @property
    def weights(self) -> FloatArray:
        """(members,), adding up to 1."""
        return np.array([member.weight for member in self.members])

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key in which members differ from the case, in the order of first use."""
        return tuple(dict.fromkeys(c.key for member in self.members for c in member.changes))


def offer(instance: Instance) -> dict[str, Any]:
    """What a case offers and wants: cases of one ensemble have it in common."""
    return {
        "calendar": instance.calendar,
        "horizon_days": instance.horizon_days,
        "patient": instance.patient,
        "objective": instance.objective,
        "agents": instance.agents,
        "regimens": instance.regimens,
        "drugs": {name: drug.taken_at_home for name, drug in instance.drugs.items()},
        "limits": [(limit.name, limit.measure, limit.penalty) for limit in instance.limits],
        "lesions": [
            (
                lesion.name,
                tuple(way.name for way in lesion.ways),
                *(getattr(lesion, key) for key in sorted(CHOSEN)),
            )
            for lesion in instance.lesions
        ],
    }


def refuse_other_offers(case: Instance, members: tuple[Member, ...]) -> None:
    """Raise InputError if a member offers or wants anything else than the case."""
    wanted = offer(case)
    problems = []
    for member in members:
        offered = offer(member.instance)
        for table in (table for table in wanted if offered[table] != wanted[table]):
            value = short("; ".join(map(str, member.changes)))
            rule = (
                f"changes what may be chosen or what is wanted ({table}): members differ in what "
                "is not known of the patient only"
            )
            problems.append(Problem(case.name, f"ensemble member {member.name}", value, rule))
    if problems:
        raise InputError(problems)
