"""Systemic effect and log burdens: lymphocyte bands, saturation, clones, growth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.models.immunity import immune
from abscopt.models.tumor import repopulation
from abscopt.optimizer.candidates.columns import closest_days, free_course
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.arrays.linear import terms
from abscopt.optimizer.programme.constraints import flow, pairs
from abscopt.optimizer.programme.margins import BAND_SCALE, RANGE_MARGIN

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data

DROPPED = 1e-9
"""HiGHS takes coefficients up to this for 0; larger ones in their place bound from above."""


def lymphocyte_bands(model: Any, data: Data) -> None:
    """low <= sum_j a[j, k] x[j] <= high where y[k, band] = 1."""
    losses = data.columns.loss

    def total(m: Any, k: PlanId) -> Any:
        used = np.flatnonzero(losses[k] > 0)
        return terms(losses[k][used].tolist(), (m.x[j] for j in used.tolist()))

    def greatest(k: PlanId) -> float:
        return max(high for plan, _, high in data.refinement.bands if plan == k)

    def below(m: Any, b: int) -> Any:
        k, _, high = data.refinement.bands[b]
        if high >= greatest(k):
            return pyo.Constraint.Skip
        ceiling = high + (greatest(k) - high) * (1 - m.y[b])
        return BAND_SCALE * total(m, k) <= BAND_SCALE * ceiling

    def above(m: Any, b: int) -> Any:
        k, low, _ = data.refinement.bands[b]
        if low <= 0:
            return pyo.Constraint.Skip
        return BAND_SCALE * total(m, k) >= BAND_SCALE * low * m.y[b]

    model.band_below = pyo.Constraint(data.bands, rule=below)
    model.band_above = pyo.Constraint(data.bands, rule=above)


def systemic_effect(model: Any, data: Data) -> None:
    """Z[h] <= exp(-low - chemo[k]) sum_j g[j, k, h] x[j] + free lesions + M (1 - y[k, band]).

    The band's best value is used in all of it, so the programme bounds the truth from above. Z and
    M are in `data.effect_unit`.
    """
    gain = data.columns.gain
    greatest_effect, unit = data.greatest_effect / data.effect_unit, data.effect_unit
    model.effect = pyo.Var(
        data.horizons, bounds=lambda m, h: (0, float(greatest_effect[:, h].max())), initialize=0
    )

    def rule(m: Any, b: int, h: int) -> Any:
        k, low, _ = data.refinement.bands[b]
        scale = math.exp(-low - float(data.chemo[k])) / unit
        column = scale * gain[k, :, h]
        if unit > 1.0:
            column = np.where(column > 0.0, np.maximum(column, DROPPED), 0.0)
        used = np.flatnonzero(column > 1e-12)
        total = terms(column[used].tolist(), (m.x[j] for j in used.tolist()))
        total = total + flow.effect_of_free(m, data, h) / unit
        return m.effect[h] <= total + float(greatest_effect[:, h].max()) * (1 - m.y[b])

    model.systemic_effect = pyo.Constraint(data.bands, data.horizons, rule=rule)


def saturation(model: Any, data: Data) -> None:
    """S[h] <= sat(z) + sat'(z) (Z[h] - z) at every tangent point z; sat(Z) = M Z / (Z + M)."""
    maximum, unit = data.instance.immune.effect_maximum_nats, data.effect_unit
    model.kill = pyo.Var(data.horizons, domain=pyo.NonNegativeReals)
    if maximum is None:
        model.saturation = pyo.Constraint(
            data.horizons, rule=lambda m, h: m.kill[h] <= unit * m.effect[h]
        )
        return
    points = data.refinement.effects

    def rule(m: Any, h: int, i: int) -> Any:
        z = points[i]
        slope = (maximum / (z + maximum)) ** 2
        return m.kill[h] <= float(immune.saturate(z, maximum)) + slope * (unit * m.effect[h] - z)

    model.saturation = pyo.Constraint(data.horizons, range(len(points)), rule=rule)


def burden_rule(model: Any, data: Data) -> None:
    """Where the burden rule may deny a lesion its credit: own kill <= kill, <= M credited courses.

    c[s, h] <= S[h];  c[s, h] <= M (sum_j credit[k, j] x[j] + 1 - sum y of plans that credit alike).
    Where control is a mean over radiosensitivities, the rows of U know the credit of each course.
    """
    ruled = [s for s in data.lesions if may_lose_credit(data, s) and s not in data.spread]
    greatest_kill = data.greatest_kill
    model.credit_kill = pyo.Var(
        ruled, data.horizons, bounds=lambda m, s, h: (0, float(greatest_kill[h]) + RANGE_MARGIN)
    )
    model.credit_at_most = pyo.Constraint(
        ruled, data.horizons, rule=lambda m, s, h: m.credit_kill[s, h] <= m.kill[h]
    )
    rows: list[tuple[int, list[PlanId]]] = []
    if data.paired:
        _credited_pairs(model, data, ruled)
        return
    for s in ruled:
        alike: dict[bytes, list[PlanId]] = {}
        for k in data.plan_ids if s not in data.free else ():
            credit = data.columns.credit[k, data.of_lesion[s]]
            if not credit.all():
                alike.setdefault(credit.tobytes(), []).append(k)
        rows += [(s, plans) for plans in alike.values()]

    def rule(m: Any, i: int, h: int) -> Any:
        s, plans = rows[i]
        members = [j for j in data.of_lesion[s] if data.columns.credit[plans[0], j]]
        unchosen = 1 - sum(data.chosen(m, k) for k in plans)
        return m.credit_kill[s, h] <= float(greatest_kill[h]) * (
            sum(m.x[j] for j in members) + unchosen
        )

    model.credited_courses = pyo.Constraint(range(len(rows)), data.horizons, rule=rule)


def _credited_pairs(model: Any, data: Data, ruled: list[int]) -> None:
    """c[s, h] <= M sum of a lesion's credited pairs w."""
    column, plan = data.pairs
    credit, greatest_kill = data.columns.credit[plan, column], data.greatest_kill

    def rule(m: Any, s: int, h: int) -> Any:
        of_lesion = data.pairs_of_lesion[s]
        credited = sum(m.pair[i] for i in of_lesion[credit[of_lesion]].tolist())
        return m.credit_kill[s, h] <= float(greatest_kill[h]) * credited

    model.credited_pairs = pyo.Constraint(ruled, data.horizons, rule=rule)


def may_lose_credit(data: Data, s: int) -> bool:
    """Whether the burden rule denies some course of a lesion the systemic effect."""
    if data.instance.immune.burden_limit_cm3 is None or not data.columns.share[s].any():
        return False
    return s in data.free or not bool(data.columns.credit[:, data.of_lesion[s]].all())


def log_burden(model: Any, data: Data) -> None:
    """u[s, h, c] >= local log burden of the choice - H_c S[h] (+ accelerated growth if free).

    One row per clone and group of plans that act alike on tumors, active when one of them is
    chosen (or one row over all pairs w). Under the burden rule the lesion's credited kill stands
    for S[h].
    """
    low, high = data.clone_range
    index = [(s, h, c) for s in data.lesions for h in data.horizons for c in data.clones(s)]
    model.burden = pyo.Var(
        index, bounds=lambda m, s, h, c: (float(low[s, h, c]), float(high[s, h, c]))
    )
    groups = data.groups if not data.paired else range(1)

    def rule(m: Any, s: int, h: int, c: int, group: int) -> Any:
        local = data.columns.local[group, :, h, c]
        if data.paired and len(data.groups) > 1:
            local_of_pairs = data.columns.local[:, :, h, c]
            after_local = pairs.over_groups(m, data, local_of_pairs, data.pairs_of_lesion[s])
        else:
            members = data.of_lesion[s]
            after_local = terms(local[members].tolist(), (m.x[j] for j in members))
        if s in data.free:
            after_local = after_local + float(data.columns.constant_local[group, s, h, c])
            after_local = after_local + data.growth(m, s, h)
        slack = 0
        if len(groups) > 1:
            spread = float(high[s, h, c] - low[s, h, c])
            slack = spread * (1 - data.chosen_group(m, group))
        kill = m.credit_kill[s, h] if may_lose_credit(data, s) else m.kill[h]
        return m.burden[s, h, c] >= after_local - float(data.columns.share[s, c]) * kill - slack

    rows = [(*key, group) for key in index for group in groups]
    model.log_burden = pyo.Constraint(rows, rule=rule)


def total_burden(model: Any, data: Data) -> None:
    """U[s, h] >= tangent planes of ln sum_c e^{u[s, h, c]}, for lesions of several clones.

    Where control is a mean over radiosensitivities, `population_burden` has the rows of U.
    """
    low, high = data.burden_range
    several = [s for s in data.lesions if len(data.clones(s)) != 1]
    model.total = pyo.Var(
        several,
        data.horizons,
        bounds=lambda m, s, h: (float(low[s, h]) - RANGE_MARGIN, float(high[s, h]) + RANGE_MARGIN),
    )
    planes = data.refinement.planes

    def rule(m: Any, i: int, h: int) -> Any:
        plane = planes[i]
        mean = sum(w * m.burden[plane.lesion, h, c] for c, w in enumerate(plane.weights))
        return m.total[plane.lesion, h] >= mean + plane.offset

    model.total_burden = pyo.Constraint(range(len(planes)), data.horizons, rule=rule)


def burden(model: Any, data: Data, s: int, h: int) -> Any:
    """Total log burden of a lesion: its only clone's, or the variable over clones or tumors."""
    return model.burden[s, h, 0] if len(data.clones(s)) == 1 else model.total[s, h]


def _accelerated_by_number(model: Any, data: Data, needed: list[int], cuts: list[int]) -> None:
    """In count form: with n fractions on the days that lie closest, d_1 to d_n,

    over[s, h] = sum_n max(0, d_n - d_1 - kick-off) number[s, n],
    sum_n n number[s, n] = sum_level x[s, level],  sum_n number[s, n] = 1.

    All fractions are before the first horizon (`countable`), so no horizon cuts the course.
    """
    least_days: dict[tuple[int, int], float] = {}
    for s in needed:
        lesion = data.instance.lesions[s]
        days = free_course(lesion).days
        for n in range(len(days) + 1):
            shortest = closest_days(days, n) or (0,)
            over = repopulation.accelerated_days(shortest[0], shortest[-1], lesion.kick_off_days)
            least_days[s, n] = float(over)
    model.number = pyo.Var(list(least_days), domain=pyo.Binary)

    def of(s: int) -> list[int]:
        return [n for lesion_of_number, n in least_days if lesion_of_number == s]

    model.one_number = pyo.Constraint(
        needed, rule=lambda m, s: sum(m.number[s, n] for n in of(s)) == 1
    )
    model.number_of_fractions = pyo.Constraint(
        needed,
        rule=lambda m, s: (
            sum(m.x[j] for j in data.of_lesion[s]) == sum(n * m.number[s, n] for n in of(s))
        ),
    )
    model.accelerated_by_number = pyo.Constraint(
        needed,
        cuts,
        rule=lambda m, s, h: (
            m.over[s, h]
            == sum(least_days[s, n] * m.number[s, n] for n in of(s) if least_days[s, n])
        ),
    )


def accelerated_growth(model: Any, data: Data) -> None:
    """Days of accelerated growth of free courses: over[s, h] >= last - first - kick-off.

    end >= day x, begin <= day x + T (1 - x); h = -1 has no horizon, else last is capped at it.
    """
    needed = [s for s in data.free if data.repopulates(s)]
    horizon = data.instance.days
    cuts = [-1, *data.horizons]
    model.over = pyo.Var(needed, cuts, bounds=(0, horizon))
    if data.columns.counted:
        _accelerated_by_number(model, data, needed, cuts)
        return
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
        treated = sum(m.x[j] for j in members)
        return m.over[s, cut] >= until - m.course_begin[s] - kick - horizon * (1 - treated)

    model.course_begins = pyo.Constraint(range(len(rows)), rule=begin)
    model.accelerated = pyo.Constraint(range(len(rows)), cuts, rule=over)
