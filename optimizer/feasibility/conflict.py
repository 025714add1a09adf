"""A minimal set of members that contradict each other, by divide and conquer.

QuickXplain (Junker 2004): of an infeasible case with members M, drop halves of M as long as what is
left stays infeasible. Without any one of the members that remain, the case of the rest of them is
feasible, which the same solves have shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from abscopt.instances.schema import Instance
from abscopt.optimizer.feasibility.members import Member, members_of, without
from abscopt.optimizer.feasibility.oracle import Oracle


def minimal_conflict(
    oracle: Oracle, instance: Instance, members: Sequence[Member] | None = None
) -> tuple[Member, ...] | None:
    """A minimal set of members that no schedule keeps together, in the order of the case.

    Parameters
    ----------
    members : of which the conflict is sought, all if None; others are not asked for

    None if there is a schedule that keeps them all. Empty if the menus alone forbid what the case
    is searched for (a lesion that must be treated and has no course).
    """
    everything = tuple(members_of(instance) if members is None else members)

    def infeasible(chosen: Sequence[Member]) -> bool:
        return oracle.schedule(without(instance, set(everything) - set(chosen))) is None

    if not infeasible(everything):
        return None
    if infeasible(()):
        return ()
    conflict = set(_quick(infeasible, (), False, everything))
    return tuple(member for member in everything if member in conflict)


def _quick(
    infeasible: Callable[[Sequence[Member]], bool],
    background: tuple[Member, ...],
    grown: bool,
    members: tuple[Member, ...],
) -> tuple[Member, ...]:
    """A minimal part of `members` that is infeasible beside the background.

    Parameters
    ----------
    grown : whether the background has grown since it was last seen to be feasible
    """
    if grown and infeasible(background):
        return ()
    if len(members) == 1:
        return members
    half = len(members) // 2
    first, second = members[:half], members[half:]
    of_second = _quick(infeasible, (*background, *first), bool(first), second)
    of_first = _quick(infeasible, (*background, *of_second), bool(of_second), first)
    return (*of_first, *of_second)
