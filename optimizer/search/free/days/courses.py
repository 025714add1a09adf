"""Whole courses with what they do, valued exactly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.search.free.days.terms import OTHERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.search.free.days.suffix import Stage
    from abscopt.optimizer.search.free.days.terms import Terms


@dataclass(frozen=True)
class Courses:
    """n courses of one lesion.

    Attributes
    ----------
    actions : (n, T) dose of each course day, 0 for none; (n, 1) places on a menu
    kill : (n, H) log kill that counts at each horizon, accelerated growth taken off
    growth : (n, H) accelerated growth, where it is not taken off the kill; else 0
    effect : (n, H) own effect; of a lesion alone with that of the lesions at rest
    others_kept : (n,) what lymphocyte losses leave of the others' effect
    load : (n, M) parts of the caps
    least : (n, T) actions, or the least of those that a course stands for
    """

    actions: IntArray
    kill: FloatArray
    growth: FloatArray
    effect: FloatArray
    others_kept: FloatArray
    load: FloatArray
    least: IntArray

    def __len__(self) -> int:
        return len(self.others_kept)

    def take(self, rows: IntArray | BoolArray | slice) -> Courses:
        """Some of them."""
        return Courses(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def together(lots: Sequence[Courses]) -> Courses:
    """All courses of several lots."""
    return Courses(
        **{
            field.name: np.concatenate([getattr(lot, field.name) for lot in lots])
            for field in fields(Courses)
        }
    )


def totals(terms: Terms, end: Stage, actions: IntArray) -> tuple[Courses, BoolArray]:
    """What (n, T) actions do, and which of them keep the limits by themselves.

        kill = sum_i K_i[a_i] - regrowth(first, last),     load = sum_i L_i[a_i] <= rhs,
        effect = E_T + constant + x_T . W_end              (n, H)

    with x_T and E_T from `Terms.give`, day by day. `end` is the stage after the last course day.
    """
    stages = np.arange(len(terms.days))
    state, effect = terms.begin(len(actions))
    for stage in stages.tolist():
        terms.give(state, effect, stage, actions[:, stage])
    effect += end.constant + state @ end.high[0]
    good, taken_off, growth = by_days(terms, actions > 0)
    kill = terms.kill[stages, actions].sum(axis=1) - taken_off
    load = terms.load[stages, actions].sum(axis=1)
    good &= (load <= terms.rhs).all(axis=1) & terms.allowed[stages, actions].all(axis=1)
    return Courses(actions, kill, growth, effect, state[:, OTHERS], load, actions), good


def by_days(terms: Terms, dosed: BoolArray) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Whether (n, T) fraction days keep the limits on days, and (n, H) accelerated regrowth.

    That which is taken off the kill, and that which counts beside it.

    loss_i = loss_{i-1} kept^{days between} + loss per fraction <= alc_allowance on fraction days
    """
    good: BoolArray = dosed.sum(axis=1) <= terms.most_fractions
    if np.isfinite(terms.alc_allowance):
        lost, worst = np.zeros(len(dosed)), np.zeros(len(dosed))
        for stage, passed in enumerate(np.diff(terms.days, prepend=terms.days[0]).tolist()):
            lost = lost * terms.alc_kept**passed + np.where(dosed[:, stage], terms.alc_loss, 0.0)
            worst = np.where(dosed[:, stage], np.maximum(worst, lost), worst)
        good &= worst <= terms.alc_allowance
    treated = dosed.any(axis=1)
    first = np.where(treated, dosed.argmax(axis=1), -1)
    last = np.where(treated, dosed.shape[1] - 1 - dosed[:, ::-1].argmax(axis=1), -1)
    return good, terms.taken_off[first, last], terms.beside[first, last]
