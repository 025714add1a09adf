"""Systemic effect and outcome: bands, saturation and control tangents, conceded lesions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.models import immune
from abscopt.models import outcome as control

if TYPE_CHECKING:
    from abscopt.optimizer.programme.build import Data

BAND_SCALE = 100.0


def lymphocyte_bands(model: Any, data: Data) -> None:
    """low <= sum_j a[j, k] x[j] <= high where y[k, band] = 1.

    The rows are scaled up, so that the solver's feasibility tolerance (1e-6) stays far below the
    margin by which a band is split.
    """
    losses = data.columns.loss

    def total(m: Any, k: int) -> Any:
        return sum(float(a) * m.x[j] for j, a in enumerate(losses[k]) if a > 0)

    def greatest(k: int) -> float:
        return max(high for plan, _, high in data.refinement.bands if plan == k)

    def below(m: Any, b: int) -> Any:
        k, _, high = data.refinement.bands[b]
        if high >= greatest(k):
            return pyo.Constraint.Skip
        most = high + (greatest(k) - high) * (1 - m.y[b])
        return BAND_SCALE * total(m, k) <= BAND_SCALE * most

    def above(m: Any, b: int) -> Any:
        k, low, _ = data.refinement.bands[b]
        if low <= 0:
            return pyo.Constraint.Skip
        return BAND_SCALE * total(m, k) >= BAND_SCALE * low * m.y[b]

    model.band_below = pyo.Constraint(data.bands, rule=below)
    model.band_above = pyo.Constraint(data.bands, rule=above)


def systemic_effect(model: Any, data: Data) -> None:
    """Z[h] <= exp(-low - chemo[k]) sum_j g[j, k, h] x[j] + M (1 - y[k, band]).

    The band's best value is used in all of it, so the programme bounds the truth from above.
    """
    gain = data.columns.gain
    most = data.greatest_effect
    model.effect = pyo.Var(
        data.horizons, bounds=lambda m, h: (0, float(most[:, h].max())), initialize=0
    )

    def rule(m: Any, b: int, h: int) -> Any:
        k, low, _ = data.refinement.bands[b]
        scale = math.exp(-low - float(data.chemo[k]))
        column = scale * gain[k, :, h]
        terms = sum(float(column[j]) * m.x[j] for j in np.flatnonzero(column > 1e-12))
        return m.effect[h] <= terms + float(most[:, h].max()) * (1 - m.y[b])

    model.systemic_effect = pyo.Constraint(data.bands, data.horizons, rule=rule)


def saturation(model: Any, data: Data) -> None:
    """S[h] <= sat(z) + sat'(z) (Z[h] - z) at every tangent point z; sat(Z) = M Z / (Z + M)."""
    maximum = data.instance.immune.effect_maximum_nats
    model.kill = pyo.Var(data.horizons, domain=pyo.NonNegativeReals)
    if maximum is None:
        model.saturation = pyo.Constraint(data.horizons, rule=lambda m, h: m.kill[h] <= m.effect[h])
        return
    points = data.refinement.effects

    def rule(m: Any, h: int, i: int) -> Any:
        z = points[i]
        slope = (maximum / (z + maximum)) ** 2
        return m.kill[h] <= float(immune.saturate(z, maximum)) + slope * (m.effect[h] - z)

    model.saturation = pyo.Constraint(data.horizons, range(len(points)), rule=rule)


def log_burden(model: Any, data: Data) -> None:
    """u[s, h] >= local log burden of the choice - H_s S[h] (+ accelerated growth if free).

    One row per group of plans that sensitize alike, active when one of them is chosen.
    """
    lesions = data.instance.lesions
    low, high = data.burden_range()
    model.burden = pyo.Var(
        data.lesions,
        data.horizons,
        bounds=lambda m, s, h: (float(low[s, h]), float(high[s, h])),
    )
    groups = range(data.columns.local.shape[0])

    def rule(m: Any, s: int, h: int, group: int) -> Any:
        local = data.columns.local[group, :, h]
        terms = sum(float(local[j]) * m.x[j] for j in data.of_lesion[s])
        if s in data.free:
            terms = terms + float(data.columns.constant_local[s, h]) + data.growth(m, s, h)
        slack = 0
        if len(groups) > 1:
            members = [k for k in range(data.plans) if data.group[k] == group]
            chosen = sum(data.chosen(m, k) for k in members)
            slack = float(high[s, h] - low[s, h]) * (1 - chosen)
        return m.burden[s, h] >= terms - lesions[s].effector_share * m.kill[h] - slack

    model.log_burden = pyo.Constraint(data.lesions, data.horizons, groups, rule=rule)


def value_of_lesion(model: Any, data: Data) -> None:
    """psi <= tangents of -ln(1 + e^u) if pursued; psi <= min(-L, -L - rho (u - u_L)) if conceded.

    q[s, h] = 1 concedes; tangents at the refinement's burdens.
    """
    goal = data.instance.objective
    edge = control.concession_burden(goal.conceded_at_nats)
    _, high = data.burden_range()
    model.conceded = pyo.Var(data.lesions, data.horizons, domain=pyo.Binary)
    worst = {
        (s, h): float(control.log_control(high[s, h])) - 1.0
        for s in data.lesions
        for h in data.horizons
    }
    model.value = pyo.Var(data.lesions, data.horizons, bounds=lambda m, s, h: (worst[s, h], 0.0))
    points = data.refinement.burdens

    def pursued(m: Any, s: int, h: int, i: int) -> Any:
        u = points[i]
        slope = -float(control.control_probability(-u))
        tangent = float(control.log_control(u)) + slope * (m.burden[s, h] - u)
        least = float(control.log_control(u)) + slope * (float(high[s, h]) - u)
        return m.value[s, h] <= tangent + max(0.0, -least) * m.conceded[s, h]

    def line(m: Any, s: int, h: int) -> Any:
        straight = -goal.conceded_at_nats - goal.conceded_slope * (m.burden[s, h] - edge)
        least = -goal.conceded_at_nats - goal.conceded_slope * (float(high[s, h]) - edge)
        return m.value[s, h] <= straight + max(0.0, -least) * (1 - m.conceded[s, h])

    def floor(m: Any, s: int, h: int) -> Any:
        return m.value[s, h] <= -goal.conceded_at_nats * m.conceded[s, h]

    index = (data.lesions, data.horizons)
    model.pursued = pyo.Constraint(*index, range(len(points)), rule=pursued)
    model.conceded_line = pyo.Constraint(*index, rule=line)
    model.conceded_floor = pyo.Constraint(*index, rule=floor)


def tumor_bed(model: Any, data: Data) -> None:
    """b[s] <= sum_j BED[j] x[j] - lost to repopulation (free courses: their own row)."""
    groups = range(data.columns.tumor_bed.shape[0])
    most = {
        s: float(np.maximum(data.columns.tumor_bed[:, data.of_lesion[s]], 0).max(axis=0).sum())
        for s in data.lesions
    }
    least = {
        s: float(min(0.0, data.columns.tumor_bed[:, data.of_lesion[s]].min()))
        - (data.greatest_bed_loss(s))
        for s in data.lesions
    }
    model.tumor_bed = pyo.Var(data.lesions, bounds=lambda m, s: (least[s], most[s]))

    def rule(m: Any, s: int, group: int) -> Any:
        bed = data.columns.tumor_bed[group]
        terms = sum(float(bed[j]) * m.x[j] for j in data.of_lesion[s]) - data.bed_loss(m, s)
        slack = 0
        if len(groups) > 1:
            members = [k for k in range(data.plans) if data.group[k] == group]
            slack = (most[s] - least[s]) * (1 - sum(data.chosen(m, k) for k in members))
        return m.tumor_bed[s] <= terms + slack

    model.tumor_bed_row = pyo.Constraint(data.lesions, groups, rule=rule)


def accelerated_growth(model: Any, data: Data) -> None:
    """Days of accelerated growth of free courses: over[s, h] >= last - first - kick-off.

    end >= day x, begin <= day x + T (1 - x); h = -1 has no horizon, else last is capped at it.
    """
    needed = [s for s in data.free if data.repopulates(s)]
    horizon = data.instance.days
    cuts = [-1, *data.horizons]
    model.over = pyo.Var(needed, cuts, bounds=(0, horizon))
    model.course_begin = pyo.Var(needed, bounds=(0, horizon))
    rows = [(s, day, data.of_free_day[s, day]) for s, day in sorted(data.of_free_day)]
    rows = [row for row in rows if row[0] in needed]

    def begin(m: Any, i: int) -> Any:
        s, day, members = rows[i]
        return m.course_begin[s] <= day + (horizon - day) * (1 - sum(m.x[j] for j in members))

    def over(m: Any, i: int, cut: int) -> Any:
        s, day, members = rows[i]
        until = day if cut < 0 else min(day, data.instance.horizon_days[cut])
        kick = data.instance.lesions[s].kick_off_days
        given = sum(m.x[j] for j in members)
        return m.over[s, cut] >= until - m.course_begin[s] - kick - horizon * (1 - given)

    model.course_begins = pyo.Constraint(range(len(rows)), rule=begin)
    model.accelerated = pyo.Constraint(range(len(rows)), cuts, rule=over)
