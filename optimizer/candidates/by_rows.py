"""Rows of courses under many plans at once: systemic kill and objective, limits and costs aside.

A row has one course per lesion. Courses are taken block by block, so that their effects under all
plans of a group are one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune
from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.coefficients import effects_under, shares_of, siphoned
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import CourseIds, CourseRows, KindIds, PatternIds, PlanId, PlanIds

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


MOST_ENTRIES = 2_000_000


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
    for group in np.unique(groups):
        of_group = np.flatnonzero(groups == group)
        values[of_group] = _values_of_group(candidates, plans[of_group], rows)
    return values


def _values_of_group(candidates: Candidates, plans: PlanIds, rows: CourseRows) -> FloatArray:
    """(plans, n) sum_s w_s value_s(saturate(Z)), or sum_s w_s BED_s; plans of one group.

    Shares of the effect depend on a plan by its greatest occupancy alone (`tops`).
    """
    instance, shared = candidates.instance, candidates.shared(PlanId(int(plans[0])))
    total = np.zeros((len(plans), len(rows)))
    bed = instance.objective.of_dose_alone
    if not bed:
        raw = kills_of_rows(candidates, plans, rows)
        kill = immune.saturate(raw, instance.immune.effect_maximum_nats)
    tops, of = np.unique(candidates.plan_effects.greatest_occupancy[plans], return_inverse=True)
    for table, alike, courses in zip(candidates.lesions, shared, rows.T, strict=True):
        lesion, kinds = candidates.lesion_of(table), alike.kinds.of[courses]
        if bed:
            total += lesion.weight * alike.tumor_bed[kinds]
            continue
        share = np.stack([shares_of(instance, lesion, alike, top)[kinds] for top in tops])[of]
        value = lesion_value(
            instance.objective, lesion.sensitivities[1], alike.local[kinds], share, kill
        )
        total += lesion.weight * value
    return total


def effects_of(
    candidates: Candidates, plans: PlanIds, s: int, courses: CourseIds
) -> tuple[FloatArray, FloatArray]:
    """(plans, n, horizons) own effect of courses of lesion s, (plans, n) log loss of all others.

        v = sum_i release_i unit_i + resting,        a = lambda'_w sum_t n_t weight_t

    block by block: kinds x patterns of one class and technique are one matrix product, in lots of
    plans that bound memory. Plans are of one group.
    """
    table, alike = candidates.lesions[s], candidates.shared(PlanId(int(plans[0])))[s]
    instance, lesion, menu = candidates.instance, candidates.lesion_of(table), table.menu
    different, of = np.unique(courses, return_inverse=True)
    effect = np.empty((len(plans), len(different), len(instance.horizon_days)))
    kinds, pattern = alike.kinds.of[different], menu.pattern[different]
    number = alike.kinds.block[kinds]
    order = np.argsort(number, kind="stable")
    for in_block in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        block = alike.kinds.blocks[number[in_block[0]]]
        chosen, row = np.unique(kinds[in_block], return_inverse=True)
        days, column = np.unique(pattern[in_block], return_inverse=True)
        size = len(plans) * len(chosen) * len(days) * block.count
        for lot in np.array_split(np.arange(len(plans)), 1 + size // MOST_ENTRIES):
            block_effect = effects_under(
                instance, alike, KindIds(chosen), menu.patterns, PatternIds(days), block.count,
                candidates.plan_effects, candidates.propagators(s)[block.way], plans[lot],
            )  # fmt: skip
            effect[lot[:, None], in_block] = block_effect[:, row, column]
    losses, weights = [lesion.effect_loss(way) for way in lesion.ways], candidates.plan_effects
    if menu.patterns.way is None:
        of_one = weights.effect_weights[plans] @ menu.patterns.number[pattern].T
        lost = np.array(losses)[menu.technique[different]] * of_one
    else:
        lost = weights.effect_weights[plans] @ menu.patterns.weighted(losses)[pattern].T
    lost = lost + siphoned(instance, lesion, menu.patterns.count[pattern])
    return effect[:, of], lost[:, of]
