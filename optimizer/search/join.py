"""All combinations of courses whose summed losses fit in a slack, lesion by lesion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.progress import tick

BINS = 400
COUNTED = 50_000
"""Rows formed at once where they are counted only: some MB."""

Pairs = Mapping[tuple[int, int], IntArray]
"""By two lesions i > j: (courses of i, courses of j), below 0 for those that do not go together."""


def count_at_most(losses: list[FloatArray], slack: float) -> float:
    """Upper bound on the number of combinations with summed loss <= slack (limits ignored)."""
    total = np.zeros(BINS + 1)
    total[0] = 1.0
    width = slack / BINS if slack > 0 else 1.0
    for loss in losses:
        bins = np.floor(loss[loss <= slack] / width).astype(int)
        histogram = np.bincount(np.minimum(bins, BINS), minlength=BINS + 1)
        total = np.convolve(total, histogram)[: BINS + 1]
    return float(total.sum())


def count_joined(
    losses: list[FloatArray],
    loads: list[FloatArray],
    right: FloatArray,
    slack: float,
    pairs: Pairs,
    most: float,
) -> float:
    """Number of rows that `joined` yields; infinite beyond `most`."""
    count = 0
    for rows in joined(losses, loads, right, slack, COUNTED, pairs):
        count += len(rows)
        if count > most:
            return math.inf
    return float(count)


def every_row(choices: Sequence[IntArray]) -> IntArray:
    """(combinations, lesions) every combination of some choices per lesion."""
    grid = np.meshgrid(*choices, indexing="ij")
    return np.stack([g.reshape(-1) for g in grid], axis=1)


def joined(
    losses: list[FloatArray],
    loads: list[FloatArray],
    right: FloatArray,
    slack: float,
    chunk: int,
    pairs: Pairs | None = None,
) -> Iterator[IntArray]:
    """Rows of positions with summed loss <= slack and summed loads <= right, in chunks.

    Parameters
    ----------
    losses : per lesion (courses,), each >= 0
    loads : per lesion (courses, rows)
    right : (rows,)
    pairs : which courses of two lesions go together; None for all
    """
    order = [np.argsort(loss, kind="stable") for loss in losses]
    ordered = [loss[o] for loss, o in zip(losses, order, strict=True)]
    floor = np.array([load.min(axis=0) for load in loads])
    least_later = np.concatenate(
        [np.cumsum(floor[::-1], axis=0)[::-1][1:], np.zeros((1, len(right)))]
    )
    start = (np.zeros((1, 0), dtype=np.int64), np.zeros(1), np.zeros((1, len(right))))
    joining = order, ordered, loads, right + 1e-9, least_later, pairs or {}
    yield from _deeper(0, start, joining, slack, chunk)


Joining = tuple[list[IntArray], list[FloatArray], list[FloatArray], FloatArray, FloatArray, Pairs]
"""Order and losses of courses by depth, loads, right-hand sides, least loads to come, pairs."""


def _deeper(
    depth: int,
    partial: tuple[IntArray, FloatArray, FloatArray],
    joining: Joining,
    slack: float,
    chunk: int,
) -> Iterator[IntArray]:
    """Rows that go on from partial ones, which have a loss and loads, by the courses of a depth.

        loss(row) + loss(c) <= slack,    load(row) + load(c) + rest <= right

    with `rest` (depths, rows) the least loads of all further lesions. Courses are in `ordered` by
    loss, so that those within the slack are the first.
    """
    order, ordered, loads, right, least_later, pairs = joining
    rows, spent, load = partial
    if depth == len(order):
        if len(rows):
            yield rows
        return
    fits = np.searchsorted(ordered[depth], slack - spent, side="right")
    ends = np.cumsum(fits)
    begin = 0
    while begin < len(rows):
        tick()
        done = ends[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, done + chunk, side="right")))
        count = fits[begin:stop]
        parent = np.repeat(np.arange(begin, stop), count)
        offset = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
        child = order[depth][offset]
        for earlier in range(depth):
            if (depth, earlier) in pairs:
                beside = pairs[depth, earlier][child, rows[parent, earlier]] >= 0
                parent, child, offset = parent[beside], child[beside], offset[beside]
        total = load[parent] + loads[depth][child]
        fitting = (total + least_later[depth] <= right).all(axis=1)
        parent, child, offset = parent[fitting], child[fitting], offset[fitting]
        deeper = (
            np.concatenate([rows[parent], child[:, None]], axis=1),
            spent[parent] + ordered[depth][offset],
            total[fitting],
        )
        yield from _deeper(depth + 1, deeper, joining, slack, chunk)
        begin = stop
