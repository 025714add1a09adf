"""The case as it is stated and its members, each with its part of one programme."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import offered
from abscopt.optimizer.programme import refining
from abscopt.optimizer.programme.constraints.organs import soft
from abscopt.optimizer.programme.data import Data, data_of
from abscopt.optimizer.programme.refinement import Refinement
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.ensemble.members import WITHIN_CHANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.models.arrays import BoolArray, IntArray
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.reduction import Kept
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.search.ensemble.members import Members


@dataclass(frozen=True)
class Side:
    """One parameter set: the case as it is stated, or a member.

    Attributes
    ----------
    data : of its outcome; what the case allows is allowed
    own : (J,) or None: its columns as its own limits allow them; None where no row of the
        programme is to say so
    chosen_as : (J,) number of the case's column that each of its columns is; -1 where the case has
        none, so that it is never chosen
    valued : whether its outcome is stated
    """

    judge: Judge
    data: Data
    own: Columns | None
    chosen_as: IntArray
    valued: bool = True

    @property
    def limited(self) -> bool:
        """Whether its limits, rules and demands are stated."""
        return self.own is not None

    @property
    def ruled(self) -> Data:
        """What its limits are stated from; pairs are those of the case."""
        if self.own is None or self.data.paired:
            return self.data
        return replace(self.data, columns=self.own)

    @property
    def forbidden_pairs(self) -> IntArray:
        """Pairs of the case that its limits forbid."""
        if self.own is None or not self.data.paired:
            return np.zeros(0, dtype=np.int64)
        column, plan = self.data.pairs
        return np.flatnonzero(~self.own.allowed[plan, column])

    @property
    def candidates(self) -> Candidates:
        """What may be chosen, as its tables know it."""
        return self.data.candidates

    def picked(self, columns: list[int]) -> list[int]:
        """Its columns of chosen columns of the case."""
        place = {int(j): i for i, j in enumerate(self.chosen_as) if j >= 0}
        return [place[j] for j in columns]

    def refined(self, refinement: Refinement) -> Side:
        """The same, approximated otherwise."""
        return replace(self, data=replace(self.data, refinement=refinement))


def stated_side(candidates: Candidates, judge: Judge) -> Side:
    """The case as it is stated: its limits are kept, its outcome counts where control is asked for.

    Raises
    ------
    InputError
        If the programme does not cover the case.
    """
    kept = pairs_offered(candidates)
    columns = columns_of(candidates, by_day=True, kept=kept)
    valued = any(lesion.most_log_burden is not None for lesion in candidates.instance.lesions)
    refinement = refining.first(candidates, columns, kept)
    if not valued:
        bands = tuple((k, 0.0, 0.0) for k in candidates.plan_ids)
        refinement = Refinement(bands, effects=(), gains=() if kept is None else (1.0,))
    data = data_of(candidates, columns, refinement, kept)
    return Side(judge, data, columns, np.arange(len(columns)), valued)


def member_sides(
    stated: Side, members: Members, counted: Sequence[int], judges: Sequence[Judge]
) -> list[Side]:
    """Members with a weight.

    Limits of a member that must be kept, because it weighs more than `chance`, are stated; those of
    the others are found to be broken (`verdicts`).

    Raises
    ------
    InputError
        If a chance is asked for beside soft limits or doses that a member does not know.
    """
    sides = []
    for m, judge in zip(counted, judges, strict=True):
        tick()
        candidates = members.candidates[m]
        kept = pairs_offered(candidates)
        columns = columns_of(candidates, by_day=True, kept=kept)
        chosen_as = _places(columns, stated.data.columns)
        demanding = _demands(candidates) or _demands(stated.candidates)
        differs = bool(members.own_limits[m]) or demanding
        must = float(members.weights[m]) > members.chance + WITHIN_CHANCE
        allowed = _allowed(stated.data.columns, chosen_as)
        valued = replace(columns, allowed=allowed)
        refinement = refining.first(candidates, valued, kept)
        data = data_of(candidates, valued, refinement, kept)
        if differs and not must:
            _refuse_beside_chance(stated, data, chosen_as)
        limited = columns if differs and must else None
        sides.append(Side(judge, data, limited, chosen_as))
    return sides


def _places(columns: Columns, stated: Columns) -> IntArray:
    """(J,) number among the columns of the case, -1 without one."""
    keys = [
        list(zip(*(x.tolist() for x in (c.lesion, c.course, c.day, c.dose)), strict=True))
        for c in (columns, stated)
    ]
    number = {key: j for j, key in enumerate(keys[1])}
    return np.array([number.get(key, -1) for key in keys[0]], dtype=np.int64)


def _allowed(stated: Columns, chosen_as: IntArray) -> BoolArray:
    """(K, J) what the case allows, in the columns of a member."""
    return np.asarray(stated.allowed[:, chosen_as] & (chosen_as >= 0))


def _demands(candidates: Candidates) -> bool:
    lesions = candidates.instance.lesions
    return any(x.least_bed is not None or x.most_log_burden is not None for x in lesions)


def _refuse_beside_chance(stated: Side, data: Data, chosen_as: IntArray) -> None:
    """Raise InputError where limits that may be broken cannot be left out of the programme."""
    missing = len(stated.data.columns) - int((chosen_as >= 0).sum())
    if not soft(data) and not missing:
        return
    what = "soft limits" if soft(data) else "doses of free courses that a member's limits forbid"
    rule = f"limits of members may be broken in one programme, but not beside {what}; use chance 0"
    raise InputError([Problem(stated.judge.instance.name, "chance", "above 0", rule)])


def pairs_offered(candidates: Candidates) -> Kept | None:
    """All pairs of plan and course; None beside free courses, which are no pairs."""
    return None if candidates.free else offered(candidates)
