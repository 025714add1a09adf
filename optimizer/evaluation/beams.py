"""Beams of different sizes: which part of a lesion a fraction reaches by its technique."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from abscopt.models.tumor import lq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.lesions import Clone, Lesion, Technique

Ways = tuple["Technique", ...]
"""Technique of each fraction of a course."""


def by_technique(ways: Ways) -> list[tuple[Technique, list[int]]]:
    """The techniques in the order of their first use, each with the places of its fractions."""
    names = [way.name for way in ways]
    first = {name: ways[names.index(name)] for name in dict.fromkeys(names)}
    return [
        (way, [i for i, other in enumerate(names) if other == name]) for name, way in first.items()
    ]


def survivals_of(lesion: Lesion, ways: Ways, kills: list[list[float]]) -> list[float]:
    """Surviving share of the whole lesion before the first fraction and after each."""
    surviving = [0.0] * (len(kills[0]) + 1)
    for clone, killed in zip(lesion.populations, kills, strict=True):
        for i, share in enumerate(_surviving(lesion, ways, clone, killed)):
            surviving[i] += clone.share * share
    return surviving


def _surviving(lesion: Lesion, ways: Ways, clone: Clone, kills: list[float]) -> list[float]:
    """Surviving share of one clone before the first fraction and after each."""
    groups = _groups(lesion, ways)
    shares = [way.share_of(clone.name) for way, _ in groups]
    if len(groups) == 1:
        totals = itertools.accumulate(kills, initial=0.0)
        return [float(lq.partial_survival(math.exp(-total), shares[0])) for total in totals]
    by_way = [
        [kill if i in places else 0.0 for i, kill in enumerate(kills)] for _, places in groups
    ]
    totals_of_ways = zip(*(itertools.accumulate(k, initial=0.0) for k in by_way), strict=True)
    return [float(lq.nested_survival(totals, shares)) for totals in totals_of_ways]


def _groups(lesion: Lesion, ways: Ways) -> list[tuple[Technique, list[int]]]:
    """The techniques with the places of their fractions; the lesion's first where there is none."""
    return by_technique(ways) or [(lesion.ways[0], [])]


def kills_in_beams(
    lesion: Lesion,
    ways: Ways,
    clone: Clone,
    kills: list[float],
    drugs: float,
    factors: Sequence[float],
) -> list[float]:
    """Kill of a clone in nats, alpha times each of some factors.

    A beam that reaches a share of the clone lies within each that reaches more of it; what the
    drugs of irradiated days add acts wherever a beam does.
    """
    groups = _groups(lesion, ways)
    shares = [way.share_of(clone.name) for way, _ in groups]
    if len(groups) == 1 or min(shares) == 1.0:
        killed = sum(kills) + drugs
        return [_partial_kill(factor * killed, shares[0]) for factor in factors]
    by_way = [sum(kills[i] for i in places) for _, places in groups]
    widest = shares.index(max(shares))
    nested = []
    for factor in factors:
        of_ways = [factor * killed for killed in by_way]
        of_ways[widest] += factor * drugs
        nested.append(float(lq.nested_log_kill(of_ways, shares)))
    return nested


def _partial_kill(killed: float, share: float) -> float:
    """Kill of a clone of which only a share is irradiated, in nats."""
    if share == 1.0:
        return killed
    return -math.log(float(lq.partial_survival(math.exp(-killed), share)))
