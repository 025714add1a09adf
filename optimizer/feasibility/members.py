"""What a schedule must keep, one by one: caps, floors, demands of lesions, rules of agents.

A case without any of them is feasible: nothing is given. So of an infeasible case some of them
contradict each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from abscopt.instances.lesions import DEMANDS

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice

RULES = (
    "min_days_after_radiation",
    "max_days_after_radiation",
    "min_days_before_radiation",
    "max_days_before_radiation",
    "min_days_between_dose_and_fraction",
)
GIVEN = "optional"
"""Key of an agent's rule that it must be given."""
TWO_SIDED = ("cap", "floor")

Table = Literal["limits", "lesions", "agents"]


@dataclass(frozen=True)
class Member:
    """A limit (`key` '', or its side `cap` or `floor`), a lesion's demand, or an agent's rule."""

    table: Table
    name: str
    key: str = ""

    @property
    def place(self) -> str:
        """`limits.alc`, `lesions.lung.least_bed_gy`: as `--set` and `--remove` take it."""
        return ".".join(piece for piece in (self.table, self.name, self.key) if piece)


def members_of(instance: Instance) -> tuple[Member, ...]:
    """All of a case; what asks for something first, then what forbids."""
    asks = [*_floors(instance), *_demands(instance), *_must(instance)]
    return (*asks, *_rules(instance), *_caps(instance))


def _floors(instance: Instance) -> Iterator[Member]:
    for limit in instance.limits:
        if limit.least_lesions > 0:
            yield Member("limits", limit.name, "floor" if _sides(limit) == TWO_SIDED else "")


def _caps(instance: Instance) -> Iterator[Member]:
    for limit in instance.limits:
        if _sides(limit) == TWO_SIDED:
            yield Member("limits", limit.name, "cap")
            if limit.least_lesions == 0:
                yield Member("limits", limit.name, "floor")
        elif limit.least_lesions == 0:
            yield Member("limits", limit.name)


def _sides(limit: AnyLimit) -> tuple[str, ...]:
    return tuple(key for key in TWO_SIDED if getattr(limit, key, None) is not None)


def _demands(instance: Instance) -> Iterator[Member]:
    for lesion in instance.lesions:
        for key in DEMANDS:
            if getattr(lesion, key) is not None:
                yield Member("lesions", lesion.name, key)


def _must(instance: Instance) -> Iterator[Member]:
    for agent in instance.agents:
        if not agent.optional:
            yield Member("agents", agent.name, GIVEN)


def _rules(instance: Instance) -> Iterator[Member]:
    for agent in instance.agents:
        for key in RULES:
            if getattr(agent, key) is not None:
                yield Member("agents", agent.name, key)


def without(instance: Instance, members: Collection[Member]) -> Instance:
    """The case without some of what it asks for."""
    if not members:
        return instance
    return instance.unchecked(
        {
            "limits": tuple(_limits(instance, members)),
            "lesions": tuple(
                lesion.unchecked(dict.fromkeys(_keys(members, "lesions", lesion.name)))
                for lesion in instance.lesions
            ),
            "agents": tuple(_agent(agent, members) for agent in instance.agents),
        }
    )


def _keys(members: Collection[Member], table: Table, name: str) -> list[str]:
    return [member.key for member in members if (member.table, member.name) == (table, name)]


def _limits(instance: Instance, members: Collection[Member]) -> Iterator[AnyLimit]:
    for limit in instance.limits:
        keys = _keys(members, "limits", limit.name)
        if not keys:
            yield limit
        elif "" not in keys and len(keys) < len(_sides(limit)):
            yield limit.unchecked(dict.fromkeys(keys))


def _agent(agent: AgentChoice, members: Collection[Member]) -> AgentChoice:
    keys = _keys(members, "agents", agent.name)
    changes: dict[str, object] = {key: None for key in keys if key != GIVEN}
    if GIVEN in keys:
        changes[GIVEN] = True
    return agent.unchecked(changes) if changes else agent


def asks(instance: Instance, member: Member) -> bool:
    """Whether a member asks for something to be given, so that nothing at all breaks it."""
    if member.table == "limits":
        limit = next(limit for limit in instance.limits if limit.name == member.name)
        return limit.least_lesions > 0 and member.key != "cap"
    return member.table == "lesions" or member.key == GIVEN
