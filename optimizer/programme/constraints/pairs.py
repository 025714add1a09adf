"""Uniform courses and plans chosen as pairs: no lymphocyte bands, no large constants.

w[j, k] = 1 if course j and plan k are chosen together; only pairs that are left have one. Whatever
depends on both is one row over all pairs. With G = sum_j e^a v the summed gains, A = sum_j a the
summed losses and chemo_k the loss by chemotherapy, the unsaturated systemic log kill is
Z = e^(-A - chemo_k) G, so t = ln Z = ln G - A - chemo_k is concave in the choice: tangents bound it
for all plans at once. Saturated, Z is M / (1 + M e^-t): convex in t below ln M, where chords bound
it between break points, concave above, where tangents do.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.arrays.linear import terms
from abscopt.optimizer.programme.data import ROUNDING
from abscopt.optimizer.programme.margins import INSIDE, RANGE_MARGIN

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data


LEAST_EFFECT = 1e-6

Line = tuple[float, float]
Piece = tuple[float, float, list[Line]]


def weighted(model: Any, data: Data, value: FloatArray, members: IntArray) -> Any:
    """sum of value w over some pairs; value (pairs,)."""
    used = members[np.abs(value[members]) > 0]
    return terms(value[used].tolist(), (model.pair[i] for i in used.tolist()))


def pair_of_plan(model: Any, data: Data) -> None:
    """sum_j w[j, k] = y[k] over the courses j of a lesion, for every lesion and plan."""
    columns = data.columns
    column, plan = data.pairs
    model.pair = pyo.Var(range(len(column)), bounds=(0, 1))
    variables = list(model.pair.values())
    members: dict[tuple[int, PlanId], list[int]] = {
        (s, k): [] for s in data.lesions for k in data.plan_ids
    }
    for i, (s, k) in enumerate(zip(columns.lesion[column].tolist(), plan.tolist(), strict=True)):
        members[s, k].append(i)
    model.pair_of_plan = pyo.Constraint(
        sorted(members),
        rule=lambda m, s, k: sum(variables[i] for i in members[s, k]) == data.chosen(m, k),
    )


def pair_of_course(model: Any, data: Data) -> None:
    """sum_k w[j, k] = x[j] for every course."""
    variables = list(model.pair.values())
    members: dict[int, list[int]] = {j: [] for j in range(len(data.columns))}
    for i, j in enumerate(data.pairs[0].tolist()):
        members[j].append(i)
    model.pair_of_course = pyo.Constraint(
        range(len(data.columns)), rule=lambda m, j: sum(variables[i] for i in members[j]) == m.x[j]
    )


def summed_effect(model: Any, data: Data) -> None:
    """G[h] <= sum g[j, k, h] w[j, k] and A >= sum a[j, k] w[j, k], once for all rows that use them.

    Inequalities, which HiGHS presolves quickly; dense equations it does not.
    """
    column, plan = data.pairs
    loss, gain = data.columns.loss[plan, column], data.columns.gain[plan, column, :]
    all_pairs = np.arange(len(column))
    model.summed_gain = pyo.Var(data.horizons, domain=pyo.NonNegativeReals)
    model.summed_loss = pyo.Var(domain=pyo.NonNegativeReals)
    model.gain_of_pairs = pyo.Constraint(
        data.horizons,
        rule=lambda m, h: m.summed_gain[h] <= weighted(m, data, gain[:, h], all_pairs),
    )
    model.loss_of_pairs = pyo.Constraint(
        expr=model.summed_loss >= weighted(model, data, loss, all_pairs)
    )


def log_effect(model: Any, data: Data) -> None:
    """t[h] = ln Z[h] lies below tangents of ln G - A - chemo, and below the most of its plan.

    t[h] <= sum_k (ln G_i - 1 - chemo_k + e_k / G_i) y[k] + G[h] / G_i - A
    at every tangent point G_i, with e_k = 1e-6 e^(greatest A + chemo_k), which keeps ln Z from
    -inf;  t[h] <= sum_k ln(greatest Z of k) y[k].
    """
    low, high = log_range(data)
    model.log_effect = pyo.Var(
        data.horizons,
        bounds=lambda m, h: (
            float(low[h].min()) - RANGE_MARGIN,
            float(high[h].max()) + RANGE_MARGIN,
        ),
    )
    greatest_loss = sum(
        data.columns.loss[:, members].max(axis=1) for members in data.of_lesion.values()
    )
    extra = LEAST_EFFECT * np.exp(np.asarray(greatest_loss) + data.chemo)
    points = data.refinement.gains

    def tangent(m: Any, h: int, i: int) -> Any:
        point = points[i]
        level = math.log(point) - 1.0 - data.chemo + extra / point
        fixed = sum(float(level[k]) * data.chosen(m, k) for k in data.plan_ids)
        return m.log_effect[h] <= fixed + m.summed_gain[h] / point - m.summed_loss

    def of_plan(m: Any, h: int) -> Any:
        return m.log_effect[h] <= sum(float(high[h, k]) * data.chosen(m, k) for k in data.plan_ids)

    model.log_effect_tangents = pyo.Constraint(data.horizons, range(len(points)), rule=tangent)
    model.log_effect_of_plan = pyo.Constraint(data.horizons, rule=of_plan)


def log_range(data: Data) -> tuple[FloatArray, FloatArray]:
    """(horizons, plans) least and greatest ln Z; Z below 1e-6 counts as 1e-6."""
    low, high = data.effect_range
    floor = 2.0 * LEAST_EFFECT
    return (
        np.log(np.maximum(low, LEAST_EFFECT)).T - ROUNDING,
        np.log(np.maximum(high, floor) + LEAST_EFFECT).T + ROUNDING,
    )


def saturated_log_effect(model: Any, data: Data) -> None:
    """S[h] <= chord or tangent of M / (1 + M e^-t) in the interval p of t where z[h, p] = 1.

    t = sum_p part[h, p], low_p z[p] <= part[p] <= high_p z[p], sum_p z[p] = 1;
    S[h] <= sum_p kill[h, p], kill[h, p] <= slope part[h, p] + level z[h, p].
    """
    lines = {h: pieces(data, h) for h in data.horizons}
    index = [(h, p) for h, of_horizon in lines.items() for p in range(len(of_horizon))]
    greatest_kill = data.greatest_kill
    model.kill = pyo.Var(
        data.horizons, bounds=lambda m, h: (0, float(greatest_kill[h]) + RANGE_MARGIN)
    )
    model.effect_piece = pyo.Var(index, domain=pyo.Binary)
    model.effect_part_of_piece = pyo.Var(
        index, bounds=lambda m, h, p: (min(0.0, lines[h][p][0]), max(0.0, lines[h][p][1]))
    )
    model.kill_of_piece = pyo.Var(
        index, bounds=lambda m, h, p: (0, float(greatest_kill[h]) + RANGE_MARGIN)
    )

    def total(variable: Any, h: int) -> Any:
        return sum(variable[h, p] for p in range(len(lines[h])))

    def beneath(m: Any, h: int, p: int, i: int) -> Any:
        slope, level = lines[h][p][2][i]
        line = slope * m.effect_part_of_piece[h, p] + level * m.effect_piece[h, p]
        return m.kill_of_piece[h, p] <= line

    model.one_effect_piece = pyo.Constraint(
        data.horizons, rule=lambda m, h: total(m.effect_piece, h) == 1
    )
    model.effect_pieces = pyo.Constraint(
        data.horizons, rule=lambda m, h: total(m.effect_part_of_piece, h) == m.log_effect[h]
    )
    model.kill_pieces = pyo.Constraint(
        data.horizons, rule=lambda m, h: m.kill[h] <= total(m.kill_of_piece, h)
    )
    model.effect_piece_above = pyo.Constraint(
        index,
        rule=lambda m, h, p: m.effect_part_of_piece[h, p] >= lines[h][p][0] * m.effect_piece[h, p],
    )
    model.effect_piece_below = pyo.Constraint(
        index,
        rule=lambda m, h, p: m.effect_part_of_piece[h, p] <= lines[h][p][1] * m.effect_piece[h, p],
    )
    model.saturation_lines = pyo.Constraint(
        [(h, p, i) for h, p in index for i in range(len(lines[h][p][2]))], rule=beneath
    )


def pieces(data: Data, h: int) -> list[Piece]:
    """Intervals of t with the lines (slope, value at 0) above the saturation curve there."""
    lowest, greatest = log_range(data)
    low, high = float(lowest[h].min()) - RANGE_MARGIN, float(greatest[h].max()) + RANGE_MARGIN
    maximum = data.instance.immune.effect_maximum_nats
    bend = math.inf if maximum is None else math.log(maximum)
    breaks = sorted(math.log(z) for z in data.refinement.effects if z > 0)
    pieces_in_order: list[Piece] = []
    if low < bend:
        top = min(bend, high)
        inside = [t for t in breaks if low + INSIDE < t < top - INSIDE]
        for a, b in itertools.pairwise([low, *inside, top]):
            value, next_value = (saturated(t, maximum) for t in (a, b))
            slope = (next_value - value) / (b - a)
            pieces_in_order.append((a, b, [(slope, value - slope * a)]))
    if high > bend:
        start = max(low, bend)
        points = [start, *(t for t in breaks if start < t < high), high]
        pieces_in_order.append((start, high, [_tangent(t, maximum) for t in points]))
    return pieces_in_order


def saturated(t: float, maximum: float | None) -> float:
    """Saturated systemic log kill at t = ln Z."""
    return float(immune.saturate(math.exp(t), maximum))


def _tangent(t: float, maximum: float | None) -> Line:
    value = saturated(t, maximum)
    slope = value if maximum is None else value * (1.0 - value / maximum)
    return slope, value - slope * t


def over_groups(model: Any, data: Data, value: FloatArray, members: IntArray) -> Any:
    """sum of value[group of k, j] w[j, k] over some pairs; value (groups, columns)."""
    column, plan = data.pairs
    return weighted(model, data, value[data.group[plan], column], members)
