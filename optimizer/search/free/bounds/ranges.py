"""What the prices at hand leave of a node: ranges in which it may still be above a threshold.

Prices q with what the lesions are worth at them, by fraction number, bound any smaller cell and
any smaller span as well: of kill and effect only the constant depends,

    bound(piece) = min_q {constant(q) + [change of the constant in the piece] + sum_s worth_s(q)}.

So ranges are cut in pieces, each bounded by the best of all prices that were tried, and what is
not above the threshold is taken off at both ends: bound tightening (in linear programming,
reduced-cost fixing; Wolsey 1998, Integer Programming).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.search.free import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.search.free.bounds.multipliers import TriedMultipliers
    from abscopt.optimizer.search.free.bounds.objective import NodeDomain

Pieces: TypeAlias = "tuple[FloatArray, Callable[[int, int], NodeDomain]]"
"""(prices, pieces) what a piece of a range adds to the bound of all, and a node of some of them."""


def bounds_of(domain: NodeDomain, tried: Sequence[TriedMultipliers]) -> FloatArray:
    """(n,) bound of a node by each of the prices that were tried for it or for more."""
    bounds = []
    for trial in tried:
        best = [worth.max(initial=-np.inf) for worth in _by_count(domain, trial)]
        bounds.append(domain.prices(trial.multipliers)[0] + sum(best))
    return np.array(bounds)


def _by_count(domain: NodeDomain, trial: TriedMultipliers) -> list[FloatArray]:
    """What the lesions are worth by the fraction numbers of their spans."""
    return [
        worth[span.count[0] : span.count[1] + 1]
        for worth, span in zip(trial.worth, domain.spans, strict=True)
    ]


def tightened(
    domain: NodeDomain, tried: Sequence[TriedMultipliers], threshold: float
) -> tuple[NodeDomain | None, float]:
    """A node without the ends that are not above a threshold, and a bound of these.

        bound_i = min_q [total_q + change_qi],  kept: first to last i with bound_i > threshold

    over prices q and pieces i of each range in turn: fraction numbers, effect, kill. None where
    nothing is left of it.
    """
    closed = -np.inf
    totals = bounds_of(domain, tried)
    if totals.min() <= threshold:
        return None, float(totals.min())
    lesions, horizons = range(len(domain.oracles)), range(domain.cell.shape[1])
    for pieces, places in ((_counts, lesions), (_effects, horizons), (_kills, lesions)):
        for place in places:
            changes, joined = pieces(domain, tried, place)
            bound = (totals[:, None] + changes).min(axis=0)
            above = np.flatnonzero(bound > threshold)
            if not len(above):
                return None, max(closed, float(bound.max()))
            first, last = int(above[0]), int(above[-1]) + 1
            if (first, last) != (0, len(bound)):
                closed = max(closed, float(np.delete(bound, slice(first, last)).max()))
                domain = joined(first, last)
                totals = bounds_of(domain, tried)
    return domain, closed


def _counts(domain: NodeDomain, tried: Sequence[TriedMultipliers], s: int) -> Pieces:
    """Fraction numbers of a lesion."""
    worth = [_by_count(domain, trial)[s] for trial in tried]

    def joined(first: int, last: int) -> NodeDomain:
        few = domain.spans[s].count[0]
        return domain.with_span(s, count=(few + first, few + last - 1))

    return np.array([worths - worths.max() for worths in worth]), joined


def _effects(domain: NodeDomain, tried: Sequence[TriedMultipliers], h: int) -> Pieces:
    """Systemic effect at a horizon."""
    edges = _edges(*domain.cell[:, h].tolist())

    def joined(first: int, last: int) -> NodeDomain:
        cell = domain.cell.copy()
        cell[:, h] = edges[first], edges[last]
        return domain.within(domain.spans, cell)

    return np.array([domain.at_levels(trial.multipliers, h, edges) for trial in tried]), joined


def _kills(domain: NodeDomain, tried: Sequence[TriedMultipliers], s: int) -> Pieces:
    """Kill of a lesion."""
    edges = _edges(*domain.spans[s].kill)

    def joined(first: int, last: int) -> NodeDomain:
        return domain.with_span(s, kill=(float(edges[first]), float(edges[last])))

    return domain.at_kills([trial.multipliers for trial in tried], s, edges), joined


def _edges(low: float, high: float) -> FloatArray:
    """Of the pieces of a range, one where it is thin."""
    return np.linspace(
        low, high, 2 if high - low < settings.CURRENT.thin else settings.CURRENT.pieces + 1
    )


def narrower(domain: NodeDomain, before: NodeDomain) -> bool:
    """Whether so much of a range is gone that better prices can be found."""
    cells = zip(domain.cell.T, before.cell.T, strict=True)
    widths = [(now[1] - now[0], was[1] - was[0]) for now, was in cells]
    for span, was in zip(domain.spans, before.spans, strict=True):
        widths.append((span.kill[1] - span.kill[0], was.kill[1] - was.kill[0]))
        widths.append((span.count[1], was.count[1]))
    return any(now < settings.CURRENT.narrowed * was for now, was in widths)
