"""Which of many plans are listed: the best of each way to differ first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Group = tuple[tuple[str, str], ...]


def by_group(
    groups: Sequence[Group], count: int
) -> tuple[list[int], tuple[tuple[Group, int], ...]]:
    """Places of at most `count` entries, and the groups with their numbers of entries.

    One of each group in turn, in the order of their first entries, until enough are chosen; they
    are returned group by group. The first entry is a group of its own.

    Parameters
    ----------
    groups : of every entry, best entries first
    """
    members: dict[Group, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    chosen: list[int] = []
    longest = max(map(len, members.values()), default=0)
    for turn in range(longest):
        chosen += [places[turn] for places in members.values() if turn < len(places)]
    chosen = chosen[:count]
    order = {group: number for number, group in enumerate(members)}
    ordered = sorted(chosen, key=lambda place: (order[groups[place]], place))
    return ordered, tuple((group, len(places)) for group, places in members.items())
