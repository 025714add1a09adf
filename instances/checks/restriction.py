"""What changes of limits alone do to a bound that was proved for another case.

Where a case offers nothing that the other does not, the bound holds: limits may be tighter or more,
prior doses more; everything else that enters the objective or the offer has to be the same. Where
nothing but caps of organs and prior doses differ, it moves at most by what the prices of the proof
say of the caps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.instances.limits import OrganLimit

if TYPE_CHECKING:
    from abscopt.instances.limits import AnyLimit
    from abscopt.instances.schema import Instance

IRRELEVANT = {
    "name",
    "title",
    "allow_unusual",
    "provenance",
    "limit_set",
    "standard",
    "limits",
    "prior_doses",
    "ensemble",
    "observation",
    "changes",
}
CAPS = ("cap_gy", "cap", "limits_gy")
FLOORS = ("floor", "floor_1e9_per_l")
REMARKS = {"use", "source", "doi", "status", "note"}


def restricts(narrow: Instance, wide: Instance) -> bool:
    """Whether every schedule of `narrow` is one of `wide` and worth at least as much there."""
    if _rest(narrow) != _rest(wide):
        return False
    if not all(dose in narrow.prior_doses for dose in wide.prior_doses):
        return False
    own = {limit.name: limit for limit in narrow.limits}
    return all(limit.name in own and _tighter(own[limit.name], limit) for limit in wide.limits)


def caps_differ_alone(one: Instance, other: Instance) -> bool:
    """Whether two cases differ in caps of organs and prior doses alone, and have no soft limit."""
    if _rest(one) != _rest(other) or len(one.limits) != len(other.limits):
        return False
    for own, before in zip(one.limits, other.limits, strict=True):
        caps = CAPS if isinstance(own, OrganLimit) else ()
        told = {*REMARKS, *caps}
        if own.model_dump(exclude=told) != before.model_dump(exclude=told):
            return False
    return all(limit.penalty is None for limit in one.limits)


def _rest(instance: Instance) -> dict[str, Any]:
    found = instance.model_dump(exclude=IRRELEVANT)
    found["objective"].pop("gap")
    return found


def _tighter(one: AnyLimit, other: AnyLimit) -> bool:
    """Whether a limit asks at least what another of the same rule asks."""
    told = {*REMARKS, "penalty", *CAPS, *FLOORS}
    if one.model_dump(exclude=told) != other.model_dump(exclude=told):
        return False
    if one.penalty is not None and (other.penalty is None or one.penalty < other.penalty):
        return False
    asked, before = one.model_dump(), other.model_dump()
    return all(_at_most(asked[key], before[key]) for key in CAPS if key in before) and all(
        before[key] is None or (asked[key] is not None and asked[key] >= before[key])
        for key in FLOORS
        if key in before
    )


def _at_most(cap: Any, before: Any) -> bool:
    """Whether a cap is at most an earlier one; element by element in tables."""
    if isinstance(before, tuple):
        return all(small <= large for small, large in zip(cap, before, strict=True))
    return before is None or (cap is not None and cap <= before)
