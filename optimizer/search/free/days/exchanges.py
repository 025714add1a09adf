"""Courses that differ little from one: other doses on one or two days, or all days moved.

Of two changes only the states between them and what a state is worth under the days after them
matter, both linear. With days i < j changed to the doses a and b of a course c, and N components
of a state x and H horizons,

    E(i, a, j, b) = E_j(i, a) + x_j(i, a) . W_j(b) + C_j                            (H,)
    K(i, a, j, b) = K(c) + dK(i, a) + dK(j, b) - regrowth of the fraction days      (H,)
    L(i, a, j, b) = L(c) + dL(i, a) + dL(j, b)                                      (M,)
    O(i, a, j, b) = product of others_kept over the fraction days                   ()

with x_j(i, a) (N,) and E_j(i, a) (H,) the state and effect before day j of the course with its
first change, W_j(b) (N, H) what a state is worth before j when j has b and later days are those of
c, and C_j (H,) what the daily inflow of precursors adds from j on. This is the 2-exchange
neighborhood of the course, valued exactly by one matrix product for each j.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.days.courses import Courses, by_days, totals
from abscopt.optimizer.search.free.days.suffix import before
from abscopt.optimizer.search.free.days.terms import OTHERS, SURVIVORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.search.free.days.suffix import Stage
    from abscopt.optimizer.search.free.days.terms import Terms

Better: TypeAlias = "Callable[[FloatArray, FloatArray, FloatArray, FloatArray], BoolArray]"


def one_change(terms: Terms, course: IntArray) -> IntArray:
    """(n, T) every other dose of every day, and the course moved."""
    replacement = np.arange(terms.allowed.shape[1]) != course[:, None]
    stages, actions = np.nonzero(terms.allowed & replacement)
    tries = np.repeat(course[None, :], len(stages), axis=0)
    tries[np.arange(len(stages)), stages] = actions
    return np.concatenate([tries, moved(course)])


def moved(course: IntArray) -> IntArray:
    """(n, T) the course moved by a few of its days."""
    by = range(1, min(settings.CURRENT.moved_days, len(course) - 1) + 1)
    later = [np.pad(course[:-days], (days, 0)) for days in by]
    earlier = [np.pad(course[days:], (0, days)) for days in by]
    shifted = np.array([*later, *earlier], dtype=np.int64)
    return shifted.reshape(-1, len(course))


def two_changes(
    terms: Terms,
    end: Stage,
    course: IntArray,
    rhs: FloatArray,
    better: Better,
) -> Courses:
    """Courses with other doses on two days that keep loads <= rhs (M,) and are wanted.

    All pairs of days and doses are valued by the formulas of the module:

        E[(i, a), b] = E_j[(i, a)] + X_j[(i, a)] . W_j[b] + C_j     for each j and all i < j

    with X_j (j A, N) the states before day j by first change, row i A + a, W_j (A, N, H), hence
    (j A, A, H); the states are carried on by the dose of the course from one j to the next.

    `end` is the stage after the last course day; `better` says which of n courses are wanted by
    kill (n, H), growth beside it (n, H), effect (n, H) and what they leave of the others' effect
    (n,). All of them keep the limits of their lesion.
    """
    days, actions = terms.allowed.shape
    stages, taken = np.arange(days), (np.arange(actions) > 0).astype(np.int64)
    unchanged = totals(terms, end, course[None, :])[0]
    replacement = terms.allowed & (np.arange(actions) != course[:, None])
    more = terms.load - terms.load[stages, course][:, None]
    rise = terms.kill - terms.kill[stages, course][:, None]
    dosed, pair = _patterns(course)
    fine, taken_off, beside = by_days(terms, dosed)
    fine = fine.reshape(-1, 2, 2)
    worth, constant = _worth(terms, end, course)
    base, so_far = terms.begin()
    states, effects = np.zeros((0, base.shape[1])), np.zeros((0, len(terms.horizons)))
    places, effect = [np.zeros((4, 0), dtype=np.int64)], [unchanged.effect[:0]]
    for j in range(days):
        fits = (
            replacement[:j, :, None] & replacement[j] & fine[pair[:j, j]][:, taken[:, None], taken]
        )
        for m, slack in enumerate(rhs - unchanged.load[0]):
            fits &= more[:j, :, None, m] + more[j, :, m] <= slack
        i, a, b = np.nonzero(fits)
        places.append(np.stack([i, a, np.full(len(i), j), b]))
        total = np.tensordot(states, worth[j], axes=(1, 1)) + (effects + constant[j])[:, None]
        effect.append(total[i * actions + a, b])
        terms.give(states, effects, j, np.full(len(states), course[j]))
        begun, earned = np.repeat(base, actions, axis=0), np.repeat(so_far, actions, axis=0)
        terms.give(begun, earned, j, np.arange(actions))
        states, effects = np.concatenate([states, begun]), np.concatenate([effects, earned])
        terms.give(base, so_far, j, course[j : j + 1])
    i, a, j, b = np.concatenate(places, axis=1)
    pattern = pair[i, j] * 4 + taken[a] * 2 + taken[b]
    others_kept = np.where(dosed, terms.others_kept, 1.0).prod(axis=1)[pattern]
    kill = terms.kill[stages, course].sum(axis=0) + rise[i, a] + rise[j, b] - taken_off[pattern]
    growth = beside[pattern]
    gained = np.concatenate(effect)
    at = np.flatnonzero(better(kill, growth, gained, others_kept))
    changed = np.repeat(course[None, :], len(at), axis=0)
    row, i, a, j, b = np.arange(len(at)), i[at], a[at], j[at], b[at]
    changed[row, i], changed[row, j] = a, b
    load = unchanged.load + more[i, a] + more[j, b]
    return Courses(changed, kill[at], growth[at], gained[at], others_kept[at], load, changed)


def _patterns(course: IntArray) -> tuple[BoolArray, IntArray]:
    """(4 pairs, T) fraction days of a course with two days left out or taken; (T, T) the pairs."""
    days = len(course)
    i, j = np.triu_indices(days, 1)
    pair = np.zeros((days, days), dtype=np.int64)
    pair[i, j] = np.arange(len(i))
    dosed = np.repeat((course > 0)[None, :], 4 * len(i), axis=0)
    row = np.arange(len(dosed))
    dosed[row, np.repeat(i, 4)], dosed[row, np.repeat(j, 4)] = row % 4 > 1, row % 2 == 1
    return dosed, pair


def _worth(terms: Terms, end: Stage, course: IntArray) -> tuple[FloatArray, FloatArray]:
    """(T, A, N, H) worth of a state before each day under each action of it, and (T, H) of inflow.

    Days after it are those of the course c. With M_j the days from course day j to the next, sigma
    and rho survivors and release per survivor, v_j the worth of a unit released on j:

        W_j[a] = F_j(a) M_j^T W_{j+1}[c_{j+1}],  F_j(a) = diag(1, others_kept, effectors_kept, 1 ..)
        W_j[a] of survivors = sigma_ja W_{j+1}[c_{j+1}] of survivors + rho_ja v_j

    where F_j(0) is the identity. The adjoint recursion of a linear system, backward from the last
    day.
    """
    days, actions = terms.allowed.shape
    after, constant = end.high, end.constant
    worth = np.zeros((days, actions, *after.shape[1:]))
    steady = np.zeros((days, after.shape[2]))
    for stage in range(days - 1, -1, -1):
        day = int(terms.days[stage])
        last = day if stage + 1 == days else int(terms.days[stage + 1]) - 1
        for later in range(last, day, -1):
            after, constant, _ = before(terms, later, after, constant)
        no_dose, steady_before, _ = before(terms, day, after, constant)
        with_dose, _, released = before(terms, day, after, constant, terms.effectors_kept)
        with_dose[:, OTHERS] *= terms.others_kept[stage]
        worth[stage, 0], worth[stage, 1:] = no_dose[0], with_dose[0]
        worth[stage, :, SURVIVORS] = (
            terms.survival[stage, :, None] * after[0, SURVIVORS]
            + terms.release[stage, :, None] * released[0]
        )
        after, constant = worth[stage, course[stage]][None], steady_before
        steady[stage] = constant[0]
    return worth, steady
