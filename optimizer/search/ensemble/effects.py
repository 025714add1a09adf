"""Effects of courses in all members at once: one matrix product where members share propagators.

Members that differ in what courses release, and in the effect of an effector, have

    v_m[k, p, h] = scale_m (sum_n release_m[k, n] unit[p, n, h] + resting[p, h])

with the same unit and resting: releases of all of them are stacked (`coefficients` for one case).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.coefficients import (
    losses_of,
    patterns_under,
    released,
    relieves,
)
from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.candidates.table import Candidates


def losses(candidates: Candidates, plan: PlanId, s: int) -> FloatArray:
    """(courses,) log loss of everybody else's effectors by the courses of lesion s."""
    menu = candidates.lesions[s].menu
    return losses_of(candidates.instance, menu, candidates.plan_effects, plan)


def effects(members: Sequence[Candidates], plan: PlanId, s: int) -> FloatArray:
    """(M, courses, horizons) own effect of the courses of lesion s, before losses."""
    result: list[FloatArray | None] = [None] * len(members)
    for alike in _families(members, plan, s):
        if len(alike) == 1:
            result[alike[0]] = members[alike[0]].effects(plan)[s].effect
            continue
        for m, effect in zip(alike, _together([members[m] for m in alike], plan, s), strict=True):
            result[m] = effect
    return np.stack([effect for effect in result if effect is not None])


def _families(members: Sequence[Candidates], plan: PlanId, s: int) -> list[list[int]]:
    """Members that share propagators and kinds."""
    families: dict[tuple[object, ...], list[int]] = {}
    for m, candidates in enumerate(members):
        c = candidates.instance.immune
        if relieves(candidates.instance, candidates.plan_effects, plan):
            key: tuple[object, ...] = (m,)
        else:
            stores = tuple(id(of_way.store) for of_way in candidates.propagators(s))
            shares = tuple((of_way.share, of_way.own) for of_way in candidates.propagators(s))
            kinds = candidates.shared(plan)[s].kinds
            bound = c.preblockade_sign, c.ctla4_depletion
            key = (stores, shares, bound, kinds.of.tobytes(), len(kinds.blocks))
        families.setdefault(key, []).append(m)
    return list(families.values())


def _together(members: list[Candidates], plan: PlanId, s: int) -> FloatArray:
    """(members, courses, horizons) effects of members that share propagators and kinds."""
    first = members[0]
    instance, menu = first.instance, first.lesions[s].menu
    props = first.propagators(s)
    by_way = [
        patterns_under(instance, menu.patterns, first.plan_effects, of_way, plan)
        for of_way in props
    ]
    scales = np.array([c.propagators(s)[0].scale / props[0].scale for c in members])
    releases = np.stack([c.shared(plan)[s].release for c in members])
    effect = np.zeros((len(members), len(menu), len(instance.horizon_days)))
    for block in first.shared(plan)[s].kinds.blocks:
        tick()
        unit, resting = (of_way[block.patterns] for of_way in by_way[block.way])
        rows = len(members) * len(block.kinds)
        release = releases[:, block.kinds, : block.count].reshape(rows, block.count)
        of_block = released(release, unit[:, : block.count], resting)
        of_block = of_block.reshape(len(members), len(block.kinds), *resting.shape)
        of_block *= scales[:, None, None, None]
        if block.missing is None:
            effect[:, block.course] = of_block
        else:
            present = ~block.missing
            effect[:, block.course[present]] = of_block[:, present]
    return effect
