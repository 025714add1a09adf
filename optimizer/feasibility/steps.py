"""Less of what a member asks for, step by step: the k-th case is looser than all before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.changes.change import Change
from abscopt.optimizer.feasibility.members import GIVEN, Member, without

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance

PERCENT = 0.01
"""Step of caps and doses, as a part of what is stated."""
COUNT_STEP = 0.01
"""Step of floors of lymphocytes (1e9/L) and of demanded control."""
MOST_STEPS = 9_900
"""A cap grows to a hundred times what is stated, then it goes."""


@dataclass(frozen=True)
class Looser:
    """A case that asks for less, in words and as changes that `--set` takes."""

    instance: Instance
    words: str
    changes: tuple[str, ...]


Steps = Callable[[int], Looser | None]
"""The case k steps looser, k = 1, 2, ...; None beyond the last step."""


def steps_of(instance: Instance, member: Member) -> Steps:
    """The steps by which a member may be loosened."""
    if member.table == "limits":
        limit = next(limit for limit in instance.limits if limit.name == member.name)
        return _of_limit(instance, limit, member)
    if member.table == "lesions":
        return _of_demand(instance, member)
    return _of_rule(instance, member)


def gone(instance: Instance, member: Member) -> Looser:
    """The case without a member at all."""
    looser = without(instance, [member])
    if member.table == "agents" and member.key == GIVEN:
        change = Change((member.table, member.name, GIVEN), True)
        return Looser(looser, f"let {member.name} be left out", (str(change),))
    path = tuple(piece for piece in (member.table, member.name, member.key) if piece)
    return Looser(looser, f"do without {member.place}", (str(Change(path, kind="remove")),))


def _of_limit(instance: Instance, limit: AnyLimit, member: Member) -> Steps:
    side = member.key or limit.side
    if side is None:  # one plan: it is kept or not
        return lambda k: None
    stated = getattr(limit, side)

    def step(k: int) -> Looser | None:
        value = _loosened_side(side, stated, k, counted=limit.measure in COUNTED)
        if value is None or not _valid(limit, side, value):
            return None
        limits = tuple(
            entry.unchecked({side: value}) if entry is limit else entry for entry in instance.limits
        )
        looser = instance.unchecked({"limits": limits})
        if side == "limits_gy":
            factor = _factor(k)
            change = Change(("limits", limit.name, side), factor, "times")
            words = f"raise {limit.name} to {factor:g} of its table"
        else:
            change = Change(("limits", limit.name, side), value)
            words = _limit_words(limit, side, stated, value)
        return Looser(looser, words, (str(change),))

    return step


COUNTED = ("doses",)


def _factor(k: int) -> float:
    return round(1.0 + PERCENT * k, 12)


def _loosened_side(side: str, stated: Any, k: int, counted: bool) -> Any:
    """What a limit allows after k steps; None if nothing is left to loosen."""
    if side == "limits_gy":
        return tuple(dose * _factor(k) for dose in stated) if k <= MOST_STEPS else None
    if side == "floor_1e9_per_l":
        value = round(math.ceil(stated / COUNT_STEP - 1e-9) * COUNT_STEP - COUNT_STEP * k, 12)
        return value if value > 0 else None
    if side == "floor":
        return stated - k if stated > k else None
    if isinstance(stated, int):
        return stated + k
    if counted:
        return float(math.floor(stated) + k)
    return float(f"{stated * _factor(k):.12g}") if k <= MOST_STEPS else None


def _valid(limit: AnyLimit, side: str, value: Any) -> bool:
    """Whether a limit may allow so much: a probability is below 1, a count has an end."""
    try:
        type(limit).__pydantic_validator__.validate_assignment(limit.unchecked({}), side, value)
    except ValueError:
        return False
    return True


def _limit_words(limit: AnyLimit, side: str, stated: Any, value: Any) -> str:
    if side == "floor" and limit.least_lesions > 0:
        return f"ask for {value} {_lesions(value)} instead of {stated} ({limit.name})"
    verb = "lower" if side in ("floor", "floor_1e9_per_l") else "raise"
    unit = {"floor_1e9_per_l": " x 1e9/L", "cap_gy": " Gy"}.get(side, "")
    times = f", x {value / stated:.4g}" if isinstance(stated, float) and verb == "raise" else ""
    return f"{verb} {limit.name} from {stated:g} to {value:g}{unit}{times}"


def _lesions(number: int) -> str:
    return "lesion" if number == 1 else "lesions"


def _of_demand(instance: Instance, member: Member) -> Steps:
    lesion = next(lesion for lesion in instance.lesions if lesion.name == member.name)
    stated = float(getattr(lesion, member.key))

    def step(k: int) -> Looser | None:
        chance = member.key == "least_control"
        value = round(stated - COUNT_STEP * k, 12) if chance else stated * (1.0 - PERCENT * k)
        value = float(f"{value:.12g}")
        if value < 1e-6:
            return None
        lesions = tuple(
            entry.unchecked({member.key: value}) if entry is lesion else entry
            for entry in instance.lesions
        )
        unit = "" if chance else " Gy"
        words = f"accept {value:.6g}{unit} for {member.name}.{member.key} ({stated:g} asked for)"
        change = Change(("lesions", member.name, member.key), value)
        return Looser(instance.unchecked({"lesions": lesions}), words, (str(change),))

    return step


def _of_rule(instance: Instance, member: Member) -> Steps:
    agent = next(agent for agent in instance.agents if agent.name == member.name)

    def step(k: int) -> Looser | None:
        if member.key == GIVEN:
            return None
        stated = int(getattr(agent, member.key))
        value = stated + k if member.key.startswith("max") else stated - k
        if value < (1 if member.key == "min_days_between_dose_and_fraction" else 0):
            return None
        if value > MOST_DAYS:
            return None
        agents = tuple(
            entry.unchecked({member.key: value}) if entry is agent else entry
            for entry in instance.agents
        )
        words = f"{member.name}: {member.key} {value} instead of {stated}"
        change = Change(("agents", member.name, member.key), value)
        return Looser(instance.unchecked({"agents": agents}), words, (str(change),))

    return step


MOST_DAYS = 365
"""Greatest interval that a rule of an agent may state."""
