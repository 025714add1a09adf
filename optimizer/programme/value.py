"""From log burdens to the objective: conceding, log control, control probability, log kill, BED."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pyomo.environ as pyo

from abscopt.models import outcome as control
from abscopt.optimizer.programme.outcome import burden
from abscopt.optimizer.programme.refinement import FIRST_BREAKS

if TYPE_CHECKING:
    from abscopt.optimizer.programme.build import Data


def of_lesion(model: Any, data: Data) -> None:
    """psi[s, h], the value of each lesion at each horizon, from its total log burden u.

    By objective: `default`, `log_control`, `expected_control`, or `log_kill` (psi <= -u).
    """
    kind = data.instance.objective.kind
    low, high = data.burden_range
    least = {"log_kill": -high, "expected_control": 0.0 * high}.get(
        kind, control.log_control(high) - 1.0
    )
    most = {"log_kill": -low, "expected_control": 1.0 + 0.0 * high}.get(kind, 0.0 * high)
    model.value = pyo.Var(
        data.lesions,
        data.horizons,
        bounds=lambda m, s, h: (float(least[s, h]) - 1e-6, float(most[s, h])),
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
        least = float(control.log_control(u)) + slope * (float(high[s, h]) - u)
        return m.value[s, h] <= tangent + max(0.0, -least) * m.conceded[s, h]

    model.pursued = pyo.Constraint(data.lesions, data.horizons, range(len(points)), rule=rule)


def _conceded(model: Any, data: Data) -> None:
    """psi <= min(-L, -L - rho (u - u_L)) where q[s, h] = 1 concedes."""
    goal = data.instance.objective
    edge = control.concession_burden(goal.conceded_at_nats)
    _, high = data.burden_range

    def line(m: Any, s: int, h: int) -> Any:
        straight = -goal.conceded_at_nats - goal.conceded_slope * (burden(m, data, s, h) - edge)
        least = -goal.conceded_at_nats - goal.conceded_slope * (float(high[s, h]) - edge)
        return m.value[s, h] <= straight + max(0.0, -least) * (1 - m.conceded[s, h])

    def floor(m: Any, s: int, h: int) -> Any:
        return m.value[s, h] <= -goal.conceded_at_nats * m.conceded[s, h]

    model.conceded_line = pyo.Constraint(data.lesions, data.horizons, rule=line)
    model.conceded_floor = pyo.Constraint(data.lesions, data.horizons, rule=floor)


def _expected_control(model: Any, data: Data) -> None:
    """psi <= piece p of 1/(1 + e^u) where z[s, h, p] = 1; sum_p z = 1.

    Piece 0: tangents at u <= 0, always at 0. Further pieces, for u >= 0 only: the chords of the
    convex part between break points up to the greatest burden. Outside its interval a chord lies
    below the curve, and so does the tangent at 0 for u > 0: no piece promises too little where
    it is the right one, and none more than the largest.
    """
    low, high = data.burden_range
    tangents = sorted({0.0, *(u for u in data.refinement.burdens if u < 0)})
    chords = {(s, h): _chords(data, s, h) for s in data.lesions for h in data.horizons}
    pieces = [(s, h, p) for (s, h), own in chords.items() for p in range(len(own) + 1)]
    model.piece = pyo.Var(pieces, domain=pyo.Binary)
    model.one_piece = pyo.Constraint(
        data.lesions,
        data.horizons,
        rule=lambda m, s, h: sum(m.piece[s, h, p] for p in range(len(chords[s, h]) + 1)) == 1,
    )

    def beneath(m: Any, s: int, h: int, p: int, line: tuple[float, float]) -> Any:
        slope, start = line
        least = start + slope * float(high[s, h])
        most = max(0.0, 1.0 - least) * (1 - m.piece[s, h, p])
        return m.value[s, h] <= start + slope * burden(m, data, s, h) + most

    def tangent(m: Any, s: int, h: int, i: int) -> Any:
        u = tangents[i]
        p = float(control.control_probability(u))
        return beneath(m, s, h, 0, (-p * (1 - p), p + p * (1 - p) * u))

    def above(m: Any, s: int, h: int) -> Any:
        if low[s, h] >= 0 or not chords[s, h]:
            return pyo.Constraint.Skip
        return burden(m, data, s, h) >= float(low[s, h]) * m.piece[s, h, 0]

    model.control_tangent = pyo.Constraint(
        data.lesions, data.horizons, range(len(tangents)), rule=tangent
    )
    model.control_chord = pyo.Constraint(
        [(s, h, p) for s, h, p in pieces if p > 0],
        rule=lambda m, s, h, p: beneath(m, s, h, p, chords[s, h][p - 1]),
    )
    model.chords_from_zero = pyo.Constraint(data.lesions, data.horizons, rule=above)


def _chords(data: Data, s: int, h: int) -> list[tuple[float, float]]:
    """(slope, value at 0) of the chords of the control probability for u from 0 to the greatest."""
    top = float(data.burden_range[1][s, h])
    if top <= 0:
        return []
    own = [u for i, j, u in data.refinement.breaks if (i, j) == (s, h)]
    points = [0.0, *sorted(u for u in {*FIRST_BREAKS, *own} if u < top - 1e-9), top]
    lines = []
    for a, b in itertools.pairwise(points):
        here, there = (float(control.control_probability(u)) for u in (a, b))
        slope = (there - here) / (b - a)
        lines.append((slope, here - slope * a))
    return lines


def tumor_bed(model: Any, data: Data) -> None:
    """b[s] <= sum_j BED[j] x[j] - lost to repopulation (free courses: their own row)."""
    bed = data.columns.tumor_bed
    most = {s: data.greatest(bed.max(axis=0), data.of_lesion[s]) for s in data.lesions}
    least = {
        s: float(bed[:, data.of_lesion[s]].min(initial=0.0)) - data.greatest_bed_loss(s)
        for s in data.lesions
    }
    model.tumor_bed = pyo.Var(data.lesions, bounds=lambda m, s: (least[s], most[s]))

    def rule(m: Any, s: int, group: int) -> Any:
        terms = sum(float(bed[group, j]) * m.x[j] for j in data.of_lesion[s])
        terms = terms - data.bed_loss(m, s)
        slack = 0
        if len(data.groups) > 1:
            slack = (most[s] - least[s]) * (1 - data.chosen_group(m, group))
        return m.tumor_bed[s] <= terms + slack

    model.tumor_bed_row = pyo.Constraint(data.lesions, data.groups, rule=rule)
