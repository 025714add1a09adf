"""Choices that break limits in members of more weight than they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.optimizer.programme.cuts import (
    alike,
    excluded_choice,
    growing,
    schedule_of,
    smallest,
)
from abscopt.optimizer.programme.refinement import Cut
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ids import PlanId
    from abscopt.optimizer.programme.ensemble.sides import Side


def excluded_by_members(
    stated: Side,
    members: Sequence[Side],
    weights: FloatArray,
    chance: float,
    picked: list[int],
    plan: PlanId,
) -> Cut:
    """A smallest part of a choice that breaks limits in members of more weight than `chance`.

        sum_m w_m [a limit that grows with the dose is broken in member m] > chance

    More fractions break the same limits, so that it holds of every choice that contains it. Where
    demands are what is missed, that choice alone.
    """
    data = stated.data

    def broken(choice: list[int]) -> bool:
        schedule = schedule_of(stated.candidates, data.columns, choice, plan)
        share = 0.0
        for side, weight in zip(members, weights.tolist(), strict=True):
            verdict = side.judge.evaluate(schedule)
            share += weight * (not growing(side.candidates).isdisjoint(verdict.broken_limits))
        return share > chance + WITHIN_CHANCE

    if not broken(picked):
        return excluded_choice(data, picked, plan)
    plans = set(alike(data, plan)).intersection(*(alike(side.data, plan) for side in members))
    return Cut(tuple(sorted(plans)), smallest(data.columns, picked, broken))
