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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abscopt.optimizer.search.free.multipliers import Tried
    from abscopt.optimizer.search.free.objective import Value

Pieces: TypeAlias = "tuple[FloatArray, Callable[[int, int], Value]]"
"""(prices, pieces) what a piece of a range adds to the bound of all, and a node of some of them."""

PIECES = 24
THIN = 1e-3
WORTH = 0.7


def bounds_of(value: Value, tried: Sequence[Tried]) -> FloatArray:
    """(n,) bound of a node by each of the prices that were tried for it or for more."""
    found = []
    for one in tried:
        best = [own.max(initial=-np.inf) for own in _by_count(value, one)]
        found.append(value.prices(one.slopes)[0] + sum(best))
    return np.array(found)


def _by_count(value: Value, one: Tried) -> list[FloatArray]:
    """What the parts are worth by the fraction numbers of their spans."""
    return [
        own[span.count[0] : span.count[1] + 1]
        for own, span in zip(one.worth, value.spans, strict=True)
    ]


def tightened(value: Value, tried: Sequence[Tried], threshold: float) -> tuple[Value | None, float]:
    """A node without the ends that are not above a threshold, and a bound of these.

        bound_i = min_q [total_q + change_qi],  kept: first to last i with bound_i > threshold

    over prices q and pieces i of each range in turn: fraction numbers, effect, kill. None where
    nothing is left of it.
    """
    closed = -np.inf
    totals = bounds_of(value, tried)
    if totals.min() <= threshold:
        return None, float(totals.min())
    parts, horizons = range(len(value.parts)), range(value.cell.shape[1])
    for pieces, places in ((_counts, parts), (_effects, horizons), (_kills, parts)):
        for place in places:
            changes, joined = pieces(value, tried, place)
            bound = (totals[:, None] + changes).min(axis=0)
            above = np.flatnonzero(bound > threshold)
            if not len(above):
                return None, max(closed, float(bound.max()))
            first, last = int(above[0]), int(above[-1]) + 1
            if (first, last) != (0, len(bound)):
                closed = max(closed, float(np.delete(bound, slice(first, last)).max()))
                value = joined(first, last)
                totals = bounds_of(value, tried)
    return value, closed


def _counts(value: Value, tried: Sequence[Tried], s: int) -> Pieces:
    """Fraction numbers of a part."""
    worth = [_by_count(value, one)[s] for one in tried]

    def joined(first: int, last: int) -> Value:
        few = value.spans[s].count[0]
        return value.with_span(s, count=(few + first, few + last - 1))

    return np.array([own - own.max() for own in worth]), joined


def _effects(value: Value, tried: Sequence[Tried], h: int) -> Pieces:
    """Systemic effect at a horizon."""
    edges = _edges(*value.cell[:, h].tolist())

    def joined(first: int, last: int) -> Value:
        cell = value.cell.copy()
        cell[:, h] = edges[first], edges[last]
        return value.within(value.spans, cell)

    return np.array([value.at_levels(one.slopes, h, edges) for one in tried]), joined


def _kills(value: Value, tried: Sequence[Tried], s: int) -> Pieces:
    """Kill of a part."""
    edges = _edges(*value.spans[s].kill)

    def joined(first: int, last: int) -> Value:
        return value.with_span(s, kill=(float(edges[first]), float(edges[last])))

    return value.at_kills([one.slopes for one in tried], s, edges), joined


def _edges(low: float, high: float) -> FloatArray:
    """Of the pieces of a range, one where it is thin."""
    return np.linspace(low, high, 2 if high - low < THIN else PIECES + 1)


def narrower(value: Value, before: Value) -> bool:
    """Whether so much of a range is gone that better prices can be found."""
    cells = zip(value.cell.T, before.cell.T, strict=True)
    widths = [(now[1] - now[0], was[1] - was[0]) for now, was in cells]
    for span, was in zip(value.spans, before.spans, strict=True):
        widths.append((span.kill[1] - span.kill[0], was.kill[1] - was.kill[0]))
        widths.append((span.count[1], was.count[1]))
    return any(now < WORTH * was for now, was in widths)
