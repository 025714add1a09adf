"""From log burdens to the objective: conceding, log control, control probability, log kill, BED."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pyomo.environ as pyo

from abscopt.models.tumor import outcome as control
from abscopt.optimizer.programme import settings
from abscopt.optimizer.programme.constraints.outcome import burden
from abscopt.optimizer.programme.margins import INSIDE, RANGE_MARGIN

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data


def of_lesion(model: Any, data: Data, in_parts: bool = False) -> None:
    """psi[s, h], the value of each lesion at each horizon, from its total log burden u.

    By objective: `default`, `log_control`, `expected_control`, or `log_kill` (psi <= -u). With
    `in_parts` conceding is an interval of u instead of rows with large constants.
    """
    kind = data.instance.objective.kind
    low, high = data.burden_range
    lowest = {"log_kill": -high, "expected_control": 0.0 * high}.get(
        kind, control.log_control(high) - 1.0
    )
    highest = {"log_kill": -low, "expected_control": 1.0 + 0.0 * high}.get(kind, 0.0 * high)
    model.value = pyo.Var(
        data.lesions,
        data.horizons,
        bounds=lambda m, s, h: (
            float(lowest[s, h]) - RANGE_MARGIN,
            float(highest[s, h]) + RANGE_MARGIN,
        ),
    )
    if kind == "log_kill":
        model.log_kill = pyo.Constraint(
            data.lesions,
            data.horizons,
            rule=lambda m, s, h: m.value[s, h] <= -burden(m, data, s, h),
        )
    elif kind == "expected_control":
        _expected_control(model, data)
    elif kind == "log_control":
        model.conceded = None
        _pursued(model, data)
    elif in_parts:
        _pursued_or_conceded(model, data)
    else:
        model.conceded = pyo.Var(data.lesions, data.horizons, domain=pyo.Binary)
        _pursued(model, data)
        _conceded(model, data)


def _pursued(model: Any, data: Data) -> None:
    """psi <= tangents of -ln(1 + e^u) at the refinement's burdens, unless conceded."""
    points = data.refinement.burdens
    _, high = data.burden_range

    def rule(m: Any, s: int, h: int, i: int) -> Any:
        u = points[i]
        slope = -float(control.control_probability(-u))
        tangent = float(control.log_control(u)) + slope * (burden(m, data, s, h) - u)
        if m.conceded is None:
            return m.value[s, h] <= tangent
        lowest = float(control.log_control(u)) + slope * (float(high[s, h]) - u)
        return m.value[s, h] <= tangent + max(0.0, -lowest) * m.conceded[s, h]

    model.pursued = pyo.Constraint(data.lesions, data.horizons, range(len(points)), rule=rule)


def _conceded(model: Any, data: Data) -> None:
    """psi <= min(-L, -L - rho (u - u_L)) where q[s, h] = 1 concedes."""
    goal = data.instance.objective
    edge = control.concession_burden(goal.conceded_at_nats)
    _, high = data.burden_range

    def line(m: Any, s: int, h: int) -> Any:
        straight = -goal.conceded_at_nats - goal.conceded_slope * (burden(m, data, s, h) - edge)
        lowest = -goal.conceded_at_nats - goal.conceded_slope * (float(high[s, h]) - edge)
        return m.value[s, h] <= straight + max(0.0, -lowest) * (1 - m.conceded[s, h])

    def floor(m: Any, s: int, h: int) -> Any:
        return m.value[s, h] <= -goal.conceded_at_nats * m.conceded[s, h]

    model.conceded_line = pyo.Constraint(data.lesions, data.horizons, rule=line)
    model.conceded_floor = pyo.Constraint(data.lesions, data.horizons, rule=floor)


def _expected_control(model: Any, data: Data) -> None:
    """psi <= concave majorant of 1/(1 + e^u) on the interval p of u where z[s, h, p] = 1.

    Interval 0 is u <= 0: gain[p] <= slope part[p] + level z[p] for tangents at u <= 0. On the
    convex side the intervals lie between break points, and the line is their chord: exact at its
    ends.
    """
    lines = {(s, h): _lines(data, s, h) for s in data.lesions for h in data.horizons}
    _on_pieces(model, data, lines, (0, 1))


def _pursued_or_conceded(model: Any, data: Data) -> None:
    """psi <= tangents of -ln(1 + e^u) where u <= u_L, and -L - rho (u - u_L) beyond, z[s, h, p]."""
    goal = data.instance.objective
    edge = control.concession_burden(goal.conceded_at_nats)
    low, high = data.burden_range
    tangents = []
    for u in data.refinement.burdens:
        slope = -float(control.control_probability(-u))
        tangents.append((slope, float(control.log_control(u)) - slope * u))
    beyond = (-goal.conceded_slope, goal.conceded_slope * edge - goal.conceded_at_nats)
    lines: dict[tuple[int, int], list[Piece]] = {}
    for s in data.lesions:
        for h in data.horizons:
            bottom, top = float(low[s, h]) - RANGE_MARGIN, float(high[s, h]) + RANGE_MARGIN
            pursued, conceded = (bottom, min(edge, top)), (max(edge, bottom), top)
            both = ((pursued, tangents), (conceded, [beyond]))
            lines[s, h] = [(ends, of_piece) for ends, of_piece in both if ends[0] < ends[1]]
    least = float(control.log_control(high).min()) - 1.0
    _on_pieces(model, data, lines, (least - RANGE_MARGIN, 0))


def _on_pieces(
    model: Any, data: Data, lines: dict[tuple[int, int], list[Piece]], ends: tuple[float, float]
) -> None:
    """psi <= the lines of the interval p of u where z[s, h, p] = 1.

    u = sum_p part[p], low_p z[p] <= part[p] <= high_p z[p], sum_p z[p] = 1;
    psi <= sum_p gain[p], gain[p] <= slope part[p] + level z[p].

    Parameters
    ----------
    ends : between which gains lie
    """
    pieces = [(s, h, p) for (s, h), of_end in lines.items() for p in range(len(of_end))]
    model.piece = pyo.Var(pieces, domain=pyo.Binary)
    model.part = pyo.Var(pieces, bounds=lambda m, s, h, p: _around_zero(lines[s, h][p][0]))
    model.gain = pyo.Var(pieces, bounds=ends)

    def total(m: Any, name: str, s: int, h: int) -> Any:
        return sum(getattr(m, name)[s, h, p] for p in range(len(lines[s, h])))

    def beneath(m: Any, s: int, h: int, p: int, i: int) -> Any:
        slope, level = lines[s, h][p][1][i]
        return m.gain[s, h, p] <= slope * m.part[s, h, p] + level * m.piece[s, h, p]

    index = (data.lesions, data.horizons)
    model.one_piece = pyo.Constraint(*index, rule=lambda m, s, h: total(m, "piece", s, h) == 1)
    model.parts = pyo.Constraint(
        *index, rule=lambda m, s, h: total(m, "part", s, h) == burden(m, data, s, h)
    )
    model.gains = pyo.Constraint(
        *index, rule=lambda m, s, h: m.value[s, h] <= total(m, "gain", s, h)
    )
    model.part_above = pyo.Constraint(
        pieces,
        rule=lambda m, s, h, p: m.part[s, h, p] >= lines[s, h][p][0][0] * m.piece[s, h, p],
    )
    model.part_below = pyo.Constraint(
        pieces,
        rule=lambda m, s, h, p: m.part[s, h, p] <= lines[s, h][p][0][1] * m.piece[s, h, p],
    )
    model.control_lines = pyo.Constraint(
        [(s, h, p, i) for s, h, p in pieces for i in range(len(lines[s, h][p][1]))], rule=beneath
    )


Line = tuple[float, float]
Piece = tuple[tuple[float, float], list[Line]]


def _around_zero(ends: tuple[float, float]) -> tuple[float, float]:
    return min(0.0, ends[0]), max(0.0, ends[1])


def _lines(data: Data, s: int, h: int) -> list[Piece]:
    """Intervals of log burden, each with (slope, value at 0) of the lines over the curve there."""
    bottom, top = (float(side[s, h]) for side in data.burden_range)
    bottom, top = bottom - 2.0 * RANGE_MARGIN, top + 2.0 * RANGE_MARGIN
    pieces: list[Piece] = []
    if bottom < 0:
        tangents = []
        for u in sorted({0.0, *(u for u in data.refinement.burdens if u < 0)}):
            p = float(control.control_probability(u))
            tangents.append((-p * (1 - p), p + p * (1 - p) * u))
        pieces.append(((bottom, min(top, 0.0)), tangents))
    if top > 0:
        refined = [u for i, j, u in data.refinement.breaks if (i, j) == (s, h)]
        start = max(bottom, 0.0)
        points = {*settings.CURRENT.breaks, *refined}
        inside = sorted(u for u in points if start + INSIDE < u < top - INSIDE)
        for a, b in itertools.pairwise([start, *inside, top]):
            control_at_a, control_at_b = (float(control.control_probability(u)) for u in (a, b))
            slope = (control_at_b - control_at_a) / (b - a)
            pieces.append(((a, b), [(slope, control_at_a - slope * a)]))
    return pieces


def tumor_bed(model: Any, data: Data) -> None:
    """b[s] <= sum_j BED[j] x[j] - lost to repopulation (free courses: their own row)."""
    bed = data.columns.tumor_bed
    highest = {s: data.greatest(bed.max(axis=0), data.of_lesion[s]) for s in data.lesions}
    lowest = {
        s: float(bed[:, data.of_lesion[s]].min(initial=0.0)) - data.greatest_bed_loss(s)
        for s in data.lesions
    }
    model.tumor_bed = pyo.Var(data.lesions, bounds=lambda m, s: (lowest[s], highest[s]))

    def rule(m: Any, s: int, group: int) -> Any:
        terms = sum(float(bed[group, j]) * m.x[j] for j in data.of_lesion[s])
        terms = terms - data.bed_loss(m, s)
        slack = 0
        if len(data.groups) > 1:
            slack = (highest[s] - lowest[s]) * (1 - data.chosen_group(m, group))
        return m.tumor_bed[s] <= terms + slack

    model.tumor_bed_row = pyo.Constraint(data.lesions, data.groups, rule=rule)
