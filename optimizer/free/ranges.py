"""What the prices at hand leave of a node: kills and effects that may still be above a threshold.

Prices with what the parts are worth at them bound any smaller cell and any smaller span of kill as
well: only the constant changes. So ranges are cut in pieces, each bounded by the best of all prices
that were tried, and what is not above the threshold is taken off at both ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.free.multipliers import Tried
    from abscopt.optimizer.free.objective import Value

FloatArray = NDArray[np.float64]

PIECES = 24
THIN = 1e-3
WORTH = 0.7


def bounds_of(value: Value, tried: Sequence[Tried]) -> FloatArray:
    """(n,) bound of a node by each of the prices that were tried for it or for more."""
    return np.array(
        [
            value.prices(one.slopes)[0]
            + sum(own.max(initial=-np.inf) for own in _by_count(value, one))
            for one in tried
        ]
    )


def _by_count(value: Value, one: Tried) -> list[FloatArray]:
    """What the parts are worth by the fraction numbers of their spans."""
    return [
        own[span.count[0] : span.count[1] + 1]
        for own, span in zip(one.worth, value.spans, strict=True)
    ]


def tightened(value: Value, tried: Sequence[Tried], threshold: float) -> tuple[Value | None, float]:
    """A node without the ends that are not above a threshold, and a bound of these.

    None where nothing is left of it.
    """
    closed = -np.inf
    totals = bounds_of(value, tried)
    if totals.min() <= threshold:
        return None, float(totals.min())
    for s, span in enumerate(value.spans):
        few, many = span.count
        worths = [_by_count(value, one)[s] for one in tried]
        bound = (totals[:, None] + np.array([own - own.max() for own in worths])).min(axis=0)
        kept, dropped = _ends(bound, threshold)
        closed = max(closed, dropped)
        if kept is None:
            return None, closed
        if kept != (0, many - few + 1):
            spans = list(value.spans)
            spans[s] = replace(span, count=(few + kept[0], few + kept[1] - 1))
            value = value.within(tuple(spans))
            totals = bounds_of(value, tried)
    for h in range(0 if value.alone else len(value.cell[0])):
        low, high = value.cell[:, h].tolist()
        edges = np.linspace(low, high, PIECES + 1)
        changes = [value.at_levels(one.slopes, h, edges) for one in tried]
        kept, dropped = _left(edges, totals, changes, threshold)
        closed = max(closed, dropped)
        if kept is None:
            return None, closed
        if kept != (low, high):
            cell = value.cell.copy()
            cell[:, h] = kept
            value = value.within(value.spans, cell)
            totals = bounds_of(value, tried)
    for s, span in enumerate(value.spans):
        low, high = span.kill
        if high - low < THIN:
            continue
        edges = np.linspace(low, high, PIECES + 1)
        changes = value.at_kills([one.slopes for one in tried], s, edges)
        kept, dropped = _left(edges, totals, changes, threshold)
        closed = max(closed, dropped)
        if kept is None:
            return None, closed
        if kept != (low, high):
            spans = list(value.spans)
            spans[s] = replace(span, kill=kept)
            value = value.within(tuple(spans))
            totals = bounds_of(value, tried)
    return value, closed


def narrower(value: Value, before: Value) -> bool:
    """Whether so much of a range is gone that better prices can be found."""
    if any(
        span.count[1] < WORTH * was.count[1]
        for span, was in zip(value.spans, before.spans, strict=True)
    ):
        return True
    ranges = [(span.kill, was.kill) for span, was in zip(value.spans, before.spans, strict=True)]
    if not value.alone:
        ranges += list(zip(value.cell.T.tolist(), before.cell.T.tolist(), strict=True))
    return any(now[1] - now[0] < WORTH * (was[1] - was[0]) for now, was in ranges)


def _left(
    edges: FloatArray, totals: FloatArray, changes: Sequence[FloatArray], threshold: float
) -> tuple[tuple[float, float] | None, float]:
    """What is left of a range, and the bound of what is not; `changes` (pieces,) by prices."""
    kept, closed = _ends((totals[:, None] + np.array(changes)).min(axis=0), threshold)
    return (None if kept is None else (float(edges[kept[0]]), float(edges[kept[1]]))), closed


def _ends(bound: FloatArray, threshold: float) -> tuple[tuple[int, int] | None, float]:
    """From and up to which place bounds are above a threshold, and the greatest elsewhere."""
    above = np.flatnonzero(bound > threshold)
    if not len(above):
        return None, float(bound.max())
    first, last = int(above[0]), int(above[-1]) + 1
    gone = np.concatenate([bound[:first], bound[last:]])
    return (first, last), float(gone.max(initial=-np.inf))
