"""Rows of courses under many plans at once: systemic kill and objective, limits and costs aside.

A row has one course per lesion. Courses are taken block by block, so that their effects under all
plans of a group are one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.coefficients import (
    at_irradiation,
    effects_under,
    relieves,
    shares_of,
    siphoned,
)
from abscopt.optimizer.candidates.value import ROUNDING, lesion_value
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds, PatternIds, PlanId, PlanIds

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


MOST_ENTRIES = 2_000_000
MOST_BLOCKS = 16
"""Blocks of some courses that are multiplied one by one: more hold a course or two each, of a menu
on which nearly every day pattern is a class of its own, and a product costs half a millisecond."""


def kill_of_row(candidates: Candidates, plan: PlanId, row: CourseIds) -> FloatArray:
    """(horizons,) unsaturated systemic log kill of one row under one plan."""
    kill: FloatArray = kills_of_rows(candidates, PlanIds(np.array([plan])), row[None])[0, 0]
    return kill


def kills_of_rows(candidates: Candidates, plans: PlanIds, rows: CourseRows) -> FloatArray:
    """(plans, n, horizons) unsaturated systemic log kill of rows (n, lesions); one group.

        Z = sum_s e^-(chemo + sum_{r != s} a_r) v_s

    with v_s (plans, n, horizons) a lesion's own effect and a_s (plans, n) what it costs the others.
    """
    effects = [effects_of(candidates, plans, s, courses) for s, courses in enumerate(rows.T)]
    chemo = candidates.plan_effects.chemotherapy_log_loss[plans, None]
    loss = sum(lost for _, lost in effects) + chemo
    kill = np.zeros_like(effects[0][0])
    for effect, lost in effects:
        kill += np.exp(lost - loss)[:, :, None] * effect
    return kill


def values_of_rows(candidates: Candidates, plans: PlanIds, rows: CourseRows) -> FloatArray:
    """(plans, n) objective of rows (n, lesions), costs and limits aside."""
    values, groups = np.empty((len(plans), len(rows))), candidates.plan_effects.group[plans]
    _prepare(candidates, plans, rows)
    for group in np.unique(groups):
        of_group = np.flatnonzero(groups == group)
        values[of_group] = _values_of_group(candidates, plans[of_group], rows)
    return values


def rows_above(
    candidates: Candidates, plans: PlanIds, rows: CourseRows, least: float
) -> tuple[CourseRows, FloatArray]:
    """Rows that may be worth a value under some plan, and (plans, rows) their objective.

    Of one group of plans a row is worth at most

        sum_s w_s max_share value_s(share, max_k saturate(Z_k))

    (P25): one value a row, and not one a row and plan.
    """
    groups, kills = candidates.plan_effects.group[plans], {}
    instance, may = candidates.instance, np.zeros(len(rows), dtype=bool)
    if instance.objective.of_dose_alone or least == -np.inf:
        return rows, values_of_rows(candidates, plans, rows)
    for group in np.unique(groups).tolist():
        of_group = plans[groups == group]
        kills[group] = _kill(candidates, of_group, rows)
        worths = _parts(candidates, of_group, rows, kills[group].max(axis=0)[None], alike=True)
        may |= np.asarray(worths.max(axis=0) >= least - ROUNDING * max(1.0, abs(least)))
    rows = CourseRows(rows[may])
    values = np.empty((len(plans), len(rows)))
    for group, kill in kills.items():
        of_group = plans[groups == group]
        values[groups == group] = _parts(candidates, of_group, rows, kill[:, may], alike=False)
    return rows, values


def _prepare(candidates: Candidates, plans: PlanIds, rows: CourseRows) -> None:
    """Let the propagators of plans of several groups be computed together."""
    if candidates.instance.objective.of_dose_alone:
        return
    for s, (table, courses) in enumerate(zip(candidates.lesions, rows.T, strict=True)):
        for way in np.unique(table.menu.technique[courses]).tolist():
            candidates.propagators(s)[way].prepare(plans)


def _values_of_group(candidates: Candidates, plans: PlanIds, rows: CourseRows) -> FloatArray:
    """(plans, n) sum_s w_s value_s(saturate(Z)), or sum_s w_s BED_s; plans of one group."""
    if not candidates.instance.objective.of_dose_alone:
        return _parts(candidates, plans, rows, _kill(candidates, plans, rows), alike=False)
    bed = np.zeros(len(rows))
    shared = candidates.shared(PlanId(int(plans[0])))
    for table, alike, courses in zip(candidates.lesions, shared, rows.T, strict=True):
        bed += candidates.lesion_of(table).weight * alike.tumor_bed[alike.kinds.of[courses]]
    return np.tile(bed, (len(plans), 1))


def _kill(candidates: Candidates, plans: PlanIds, rows: CourseRows) -> FloatArray:
    """(plans, n, horizons) saturated systemic log kill; plans of one group."""
    most = candidates.instance.immune.effect_maximum_nats
    return np.asarray(immune.saturate(kills_of_rows(candidates, plans, rows), most))


def _parts(
    candidates: Candidates, plans: PlanIds, rows: CourseRows, kill: FloatArray, *, alike: bool
) -> FloatArray:
    """(plans, n) sum_s w_s value_s at kills (plans, n, horizons); plans of one group.

    Shares of the effect depend on a plan by its greatest occupancy alone (`tops`).

    Parameters
    ----------
    alike : (1, n) the most of any share, at kills (1, n, horizons), in place of each plan's own
    """
    instance, shared = candidates.instance, candidates.shared(PlanId(int(plans[0])))
    total = np.zeros(kill.shape[:2])
    tops, of = np.unique(candidates.plan_effects.greatest_occupancy[plans], return_inverse=True)
    for table, same, courses in zip(candidates.lesions, shared, rows.T, strict=True):
        lesion, kinds = candidates.lesion_of(table), same.kinds.of[courses]
        share = np.stack([shares_of(instance, lesion, same, top)[kinds] for top in tops])
        value = lesion_value(
            instance.objective,
            lesion.sensitivities[1],
            same.local[kinds],
            share if alike else share[of],
            kill,
        )
        total += lesion.weight * (value.max(axis=0)[None] if alike else value)
    return total


def effects_of(
    candidates: Candidates, plans: PlanIds, s: int, courses: CourseIds
) -> tuple[FloatArray, FloatArray]:
    """(plans, n, horizons) own effect of courses of lesion s, (plans, n) log loss of all others.

        v = sum_i release_i unit_i + resting,        a = lambda'_w sum_t n_t weight_t

    block by block: kinds x patterns of one class and technique are one matrix product, in lots of
    plans that bound memory; course by course where blocks hold few. Plans are of one group.
    """
    table = candidates.lesions[s]
    instance, lesion, menu = candidates.instance, candidates.lesion_of(table), table.menu
    unique, of = np.unique(courses, return_inverse=True)
    different, weights = CourseIds(unique), candidates.plan_effects
    blocks = _in_blocks(candidates, plans, s, different)
    if len(blocks) > MOST_BLOCKS and not relieves(instance, weights, plans):
        effect = _course_by_course(candidates, plans, s, different)
    else:
        effect = _block_by_block(candidates, plans, s, different, blocks)
    losses, pattern = [lesion.effect_loss(way) for way in lesion.ways], menu.pattern[different]
    if menu.patterns.way is None:
        of_one = weights.effect_weights[plans] @ menu.patterns.number[pattern].T
        lost = np.array(losses)[menu.technique[different]] * of_one
    else:
        lost = weights.effect_weights[plans] @ menu.patterns.weighted(losses)[pattern].T
    lost = lost + siphoned(instance, lesion, menu.patterns.count[pattern])
    return effect[:, of], lost[:, of]


def _in_blocks(
    candidates: Candidates, plans: PlanIds, s: int, courses: CourseIds
) -> list[IntArray]:
    """Places of courses, block by block of their kinds."""
    kinds = candidates.shared(PlanId(int(plans[0])))[s].kinds
    number = kinds.block[kinds.of[courses]]
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def _block_by_block(
    candidates: Candidates, plans: PlanIds, s: int, courses: CourseIds, blocks: list[IntArray]
) -> FloatArray:
    """(plans, courses, horizons) own effect, a matrix product for each block."""
    instance, menu = candidates.instance, candidates.lesions[s].menu
    alike = candidates.shared(PlanId(int(plans[0])))[s]
    effect = np.empty((len(plans), len(courses), len(instance.horizon_days)))
    kinds, pattern = alike.kinds.of[courses], menu.pattern[courses]
    for in_block in blocks:
        block = alike.kinds.blocks[alike.kinds.block[kinds[in_block[0]]]]
        chosen, row = np.unique(kinds[in_block], return_inverse=True)
        days, column = np.unique(pattern[in_block], return_inverse=True)
        size = len(plans) * len(chosen) * len(days) * block.count
        for lot in np.array_split(np.arange(len(plans)), 1 + size // MOST_ENTRIES):
            block_effect = effects_under(
                instance, alike, KindIds(chosen), menu.patterns, PatternIds(days), block.count,
                candidates.plan_effects, candidates.propagators(s)[block.way], plans[lot],
            )  # fmt: skip
            effect[lot[:, None], in_block] = block_effect[:, row, column]
    return effect


def _course_by_course(
    candidates: Candidates, plans: PlanIds, s: int, courses: CourseIds
) -> FloatArray:
    """(plans, courses, horizons) own effect, v = sum_i release_i unit_i + resting.

    In lots of plans. No drug of the plans acts on suppression.
    """
    instance, menu = candidates.instance, candidates.lesions[s].menu
    alike = candidates.shared(PlanId(int(plans[0])))[s]
    horizons, ways = len(instance.horizon_days), menu.technique[courses]
    effect = np.empty((len(plans), len(courses), horizons))
    for way in np.unique(ways):
        of_way = np.flatnonzero(ways == way)
        release = alike.release[alike.kinds.of[courses[of_way]]]
        counted, row = np.unique(menu.pattern[courses[of_way]], return_inverse=True)
        days, prop = menu.patterns.days[counted], candidates.propagators(s)[way]
        size = len(plans) * len(of_way) * days.shape[1] * horizons
        for lot in np.array_split(np.arange(len(plans)), 1 + size // MOST_ENTRIES):
            unit = prop.release_under(plans[lot], PatternIds(counted))
            bound = at_irradiation(instance, candidates.plan_effects, plans[lot])
            if bound is not None:
                unit = unit * bound[:, days, None]
            released = np.einsum("cn,qcnh->qch", release[:, : days.shape[1]], unit[:, row])
            resting = prop.take(PatternIds(counted)).resting_of(plans[lot])
            effect[lot[:, None], of_way] = released + resting[:, row]
    return effect
