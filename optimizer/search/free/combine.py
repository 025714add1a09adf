"""Courses of the lesions of a node, joined: all schedules of it that may be above a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.join import count_at_most, every_row, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.search.free.bounds.multipliers import NodeBound
    from abscopt.optimizer.search.free.bounds.oracle import OracleBound
    from abscopt.optimizer.search.free.days.courses import Courses
    from abscopt.optimizer.search.free.days.dominance import Precision
    from abscopt.optimizer.search.free.schedules import Schedules


@dataclass(frozen=True)
class Combined:
    """Rows above a threshold, best first by what they are credited with, and a bound of all.

    `courses` are those of each lesion, `rows` (n, P) places among them.
    """

    courses: list[Courses]
    rows: IntArray
    credited: FloatArray
    bound: float


def combined(
    schedules: Schedules,
    lagrangian: NodeBound,
    threshold: float,
    precision: Precision,
    stop: Callable[[], bool],
) -> Combined | None:
    """All schedules of a node above a threshold; None if they are too many, or on time.

    With top_s the greatest worth of a course of lesion s, a schedule of the courses c_s has

        objective <= constant + sum_s worth_s(c_s) = constant + sum_s top_s - sum_s loss_s(c_s),

    so that only courses with loss_s <= slack = constant + sum_s top_s - threshold count, and of
    their products those with sum_s loss_s <= slack. The lesions are explored one after another;
    each lowers top_s to the best course that it has, and with it the slack of the next.

    They keep every limit, by what their courses are credited with.
    """
    tops, below = [oracle_bound.bound for oracle_bound in lagrangian.oracle_bounds], -np.inf
    courses_of: dict[int, Courses] = {}
    worth_of: dict[int, FloatArray] = {}
    for s in sorted(range(len(tops)), key=lambda s: _width(lagrangian.oracle_bounds[s])):
        oracle, oracle_bound = schedules.oracles[s], lagrangian.oracle_bounds[s]
        others = lagrangian.constant + sum(tops) - tops[s]  # its own courses may be worth less
        explored = oracle.courses_above(oracle_bound, threshold - others, precision, stop)
        if explored is None:
            return None
        below = max(below, others + explored[1])
        if not len(explored[0]):
            nothing = [p.of(p.nothing)[0] for p in schedules.oracles]
            return Combined(nothing, np.zeros((0, len(tops)), dtype=np.int64), np.zeros(0), below)
        courses_of[s], worth_of[s] = explored[0], oracle_bound.prices.worth(explored[0])
        tops[s] = float(worth_of[s].max())
    candidates = [courses_of[s] for s in range(len(tops))]
    worth = [worth_of[s] for s in range(len(tops))]
    losses = [worths.max() - worths for worths in worth]
    slack = lagrangian.constant + sum(tops) - threshold
    if len(candidates) == 1:
        chunks = iter([np.arange(len(candidates[0]))[:, None]])
    elif count_at_most(losses, slack) > settings.CURRENT.join_limit:
        return None
    else:
        below = max(below, threshold)
        loads, right = [courses.load for courses in candidates], schedules.problem.rhs
        chunks = joined(losses, loads, right, slack, settings.CURRENT.join_chunk)
    row_lots, values, number = [], [], 0
    for rows in chunks:
        if stop():
            return None
        value = schedules.values(candidates, rows)
        above = np.flatnonzero(value > threshold)
        below = max(below, float(np.delete(value, above).max(initial=-np.inf)))
        if len(candidates) > 1 and len(above):
            each = [courses.take(rows[above, s]) for s, courses in enumerate(candidates)]
            above = above[schedules.within_limits(each)]
        row_lots.append(rows[above])
        values.append(value[above])
        number += len(above)
        if number > settings.CURRENT.joined_rows:
            return None
    rows = np.concatenate([np.zeros((0, len(candidates)), dtype=np.int64), *row_lots])
    value = np.concatenate([np.zeros(0), *values])
    order = np.argsort(-value, kind="stable")
    bound = max(below, float(value.max(initial=-np.inf)))
    return Combined(candidates, rows[order], value[order], bound)


def _width(oracle_bound: OracleBound) -> float:
    """Few courses are left where the range of kill is narrow."""
    return oracle_bound.span.kill[1] - oracle_bound.span.kill[0] if oracle_bound.cost_to_go else 0.0


def most_promising(
    schedules: Schedules,
    lagrangian: NodeBound,
    precision: Precision,
    limit: int,
    stop: Callable[[], bool],
) -> tuple[list[Courses], IntArray] | None:
    """Courses that are worth most in each lesion, and at most so many rows of them.

    most^(1/P) of each of P lesions, so that their product is no more.
    """
    limit_each = max(1, int(limit ** (1.0 / len(lagrangian.oracle_bounds))))
    candidates = []
    for oracle, oracle_bound in zip(schedules.oracles, lagrangian.oracle_bounds, strict=True):
        explored = oracle.courses_above(oracle_bound, -np.inf, precision, stop)
        if explored is None:
            return None
        order = np.argsort(-oracle_bound.prices.worth(explored[0]), kind="stable")[:limit_each]
        candidates.append(explored[0].take(order))
    return candidates, every_row([np.arange(len(courses)) for courses in candidates])
