"""Rows of courses under many plans at once: systemic kill and objective, limits and costs aside.

A row has one course per lesion. Courses are taken block by block, so that their effects under all
plans of a group are one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune
from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.candidates.coefficients import effects_under, shares_of
from abscopt.optimizer.candidates.value import lesion_value

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.table import Candidates


MOST_ENTRIES = 2_000_000


def kill_of_row(candidates: Candidates, plan: int, row: IntArray) -> FloatArray:
    """(horizons,) unsaturated systemic log kill of one row under one plan."""
    kill: FloatArray = kills_of_rows(candidates, np.array([plan]), row[None])[0, 0]
    return kill


def kills_of_rows(candidates: Candidates, plans: IntArray, rows: IntArray) -> FloatArray:
    """(plans, n, horizons) unsaturated systemic log kill of rows (n, lesions); one group."""
    parts = [effects_of(candidates, plans, s, own) for s, own in enumerate(rows.T)]
    loss = sum(own for _, own in parts) + candidates.plan_effects.chemotherapy_log_loss[plans, None]
    kill = np.zeros_like(parts[0][0])
    for effect, own in parts:
        kill += np.exp(own - loss)[:, :, None] * effect
    return kill


def values_of_rows(candidates: Candidates, plans: IntArray, rows: IntArray) -> FloatArray:
    """(plans, n) objective of rows (n, lesions), costs and limits aside."""
    found, groups = np.empty((len(plans), len(rows))), candidates.plan_effects.group[plans]
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        found[own] = _values_of_group(candidates, plans[own], rows)
    return found


def _values_of_group(candidates: Candidates, plans: IntArray, rows: IntArray) -> FloatArray:
    instance, shared = candidates.instance, candidates.shared(int(plans[0]))
    total = np.zeros((len(plans), len(rows)))
    bed = instance.objective.kind == "tumor_bed"
    if not bed:
        raw = kills_of_rows(candidates, plans, rows)
        kill = immune.saturate(raw, instance.immune.effect_maximum_nats)
    tops, of = np.unique(candidates.plan_effects.greatest_occupancy[plans], return_inverse=True)
    for table, one, courses in zip(candidates.lesions, shared, rows.T, strict=True):
        lesion, kinds = candidates.lesion_of(table), one.kinds.of[courses]
        if bed:
            total += lesion.weight * one.tumor_bed[kinds]
            continue
        share = np.stack([shares_of(instance, lesion, one, top)[kinds] for top in tops])[of]
        value = lesion_value(
            instance.objective, lesion.sensitivities[1], one.local[kinds], share, kill
        )
        total += lesion.weight * value
    return total


def effects_of(
    candidates: Candidates, plans: IntArray, s: int, courses: IntArray
) -> tuple[FloatArray, FloatArray]:
    """(plans, n, horizons) own effect of courses of lesion s, (plans, n) log loss of all others.

    Plans are of one group.
    """
    table, one = candidates.lesions[s], candidates.shared(int(plans[0]))[s]
    instance, lesion, menu = candidates.instance, candidates.lesion_of(table), table.menu
    different, of = np.unique(courses, return_inverse=True)
    effect = np.empty((len(plans), len(different), len(instance.horizon_days)))
    kinds, pattern = one.kinds.of[different], menu.pattern[different]
    number = one.kinds.block[kinds]
    order = np.argsort(number, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        block = one.kinds.blocks[number[own[0]]]
        chosen, row = np.unique(kinds[own], return_inverse=True)
        days, column = np.unique(pattern[own], return_inverse=True)
        size = len(plans) * len(chosen) * len(days) * block.count
        for part in np.array_split(np.arange(len(plans)), 1 + size // MOST_ENTRIES):
            found = effects_under(
                instance, one, chosen, menu.patterns, days, block.count,
                candidates.plan_effects, candidates.propagators(s)[block.way], plans[part],
            )  # fmt: skip
            effect[part[:, None], own] = found[:, row, column]
    loss_of = np.array([lesion.effect_loss(way) for way in lesion.ways])[menu.technique[different]]
    weights = candidates.plan_effects.effect_weights[plans] @ menu.patterns.number[pattern].T
    return effect[:, of], (loss_of * weights)[:, of]
