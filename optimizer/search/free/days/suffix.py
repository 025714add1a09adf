"""What a state before a course day is still worth, by which later days have a fraction.

The worth is linear in the state. Its coefficients of all components but the survivors depend on the
later fraction days alone, not on their doses: patterns of days, backward from the last one. More
of them is never worse, so patterns that are nearly alike are joined: `high` bounds all of them
from above, `low` from below, and what is computed with `high` bounds every course.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import recursion
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.days.alike import groups_of
from abscopt.optimizer.search.free.days.terms import (
    EFFECTORS,
    IMMUNE,
    OTHERS,
    PRECURSORS,
    QUEUE,
    SURVIVORS,
    TINY,
)

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.days.terms import Terms


@dataclass(frozen=True)
class Stage:
    """Patterns of the days from one course day on: B patterns, N = 5 + lag components of a state.

    `raw` patterns are those of the next stage without and with a fraction on this day.

    Attributes
    ----------
    high, low : (B, N, H) worth per unit of each component; 0 for the survivors
    constant : (B, H) worth of the inflow of precursors
    no_dose, with_dose : (B', N, H) and (B', H) the same before joining, by the next stage's pattern
    release : (B', H) worth per unit released on this day
    others_kept : (2, B) most and least that the pattern's fractions leave of the others' effect
    survivor : (H,) no survivor is worth more: all of it is released at its best
    to : (2, B') pattern of this stage, without and with a fraction, -1 for what is left out;
        `order` sorts the others, those of each pattern begin at `begins` (B,)
    count : (B,) fractions of each pattern
    last : (B,) earliest last fraction day of each pattern by position, -1 for none
    """

    high: FloatArray
    low: FloatArray
    constant: FloatArray
    no_dose: tuple[FloatArray, FloatArray]
    with_dose: tuple[FloatArray, FloatArray]
    release: FloatArray
    others_kept: FloatArray
    survivor: FloatArray
    to: IntArray
    order: IntArray
    begins: IntArray
    count: IntArray
    last: IntArray


def stages_of(terms: Terms, most_patterns: float, fractions: int | None = None) -> list[Stage]:
    """Stages of every course day in order, and one for the end; at most so many patterns each.

    With p a pattern of later fraction days, M_i the transition over course day i and the days up to
    the next one, and F_i = diag(1, others_kept_i, effectors_kept, 1 ..) what a fraction does to a
    state, the worth (N, H) of a state before day i is, from W_end = (0, others, 0 ..) backward,

        W_i(0 p) = M_i^T W_{i+1}(p),          no fraction on day i,
        W_i(1 p) = F_i M_i^T W_{i+1}(p),      one fraction on day i,

    survivors aside (their worth depends on the doses). Patterns are joined in groups g, so that
    there are B and not 2^T of them:

        high_i(g) = max_{p in g} W_i(p) >= W_i(p) >= low_i(g) = min_{p in g} W_i(p),

    component by component, which holds since states are never negative. A state-space relaxation
    (Christofides, Mingozzi and Toth 1981, State-space relaxation procedures for the computation of
    bounds to routing problems). No survivor is worth more than

        survivor_i = max_{j >= i} [max_a rho_ja / (1 - sigma_ja)] max_p v_j(p)            (H,)

    with v_j(p) the worth of a unit released: all doses together kill no more than what survives.

    Patterns of more than so many `fractions` are left out, none by default.
    """
    cap = len(terms.days) if fractions is None else fractions
    daily, horizons = terms.daily, len(terms.horizons)
    high = np.zeros((1, len(terms.start), horizons))
    high[0, OTHERS] = terms.others
    constant = np.zeros((1, horizons))
    empty = np.zeros((0, 0, 0)), np.zeros((0, 0))
    count, width = np.zeros(1, dtype=np.int64), settings.CURRENT.first_width
    day = len(daily.steps)
    while day > int(terms.days[-1]) + 1:
        day -= 1
        high, constant, _ = before(terms, day, high, constant)
    low = high.copy()
    survivor, others_kept = np.zeros(horizons), np.ones((2, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        per_killed = np.where(terms.release > 0, terms.release / (1.0 - terms.survival), 0.0)
    nothing = np.zeros((2, 0), dtype=np.int64)
    regrowth = _levels_of_regrowth(terms)
    last = np.full(1, -1)
    no_release = np.zeros((0, 0))
    end = high, low, constant, empty, empty, no_release, others_kept, survivor
    stages = [Stage(*end, nothing, nothing[0], nothing[0], count, last)]
    for stage in range(len(terms.days) - 1, -1, -1):
        while day > int(terms.days[stage]) + 1:
            day -= 1
            low, _, _ = before(terms, day, low, constant)
            high, constant, _ = before(terms, day, high, constant)
        day -= 1
        spared = terms.effectors_kept
        no_dose, steady, release = before(terms, day, high, constant)
        with_dose, _, _ = before(terms, day, high, constant, spared)
        none_low, _, _ = before(terms, day, low, constant)
        given_low, _, _ = before(terms, day, low, constant, spared)
        with_dose[:, OTHERS] *= terms.others_kept[stage]
        given_low[:, OTHERS] *= terms.others_kept[stage]
        both, counts = np.concatenate([no_dose, with_dose]), np.concatenate([count, count + 1])
        kept_by_pattern = np.concatenate(
            [others_kept, others_kept * terms.others_kept[stage]], axis=1
        )
        lasts = np.concatenate([last, np.where(count > 0, last, stage)])
        keys = np.stack([counts, regrowth[lasts]], axis=1)
        few, to = counts <= cap, np.full(len(counts), -1)
        to[few], size, width = _joined(
            both[few],
            kept_by_pattern[0, few],
            keys[few],
            most_patterns,
            width / settings.CURRENT.wider**2,
        )
        order = np.argsort(to, kind="stable")[len(to) - int(few.sum()) :]
        begins = np.searchsorted(to[order], np.arange(size))
        count = counts[order][begins]
        last = np.minimum.reduceat(lasts[order], begins)
        high = np.maximum.reduceat(np.concatenate([no_dose, with_dose])[order], begins)
        low = np.minimum.reduceat(np.concatenate([none_low, given_low])[order], begins)
        kept_by_pattern = kept_by_pattern[:, order]
        others_kept = np.stack(
            [
                np.maximum.reduceat(kept_by_pattern[0], begins),
                np.minimum.reduceat(kept_by_pattern[1], begins),
            ]
        )
        constant = np.maximum.reduceat(np.concatenate([steady, steady])[order], begins)
        survivor = np.maximum(survivor, per_killed[stage].max() * release.max(axis=0))
        unjoined = (no_dose, steady), (with_dose, steady)
        groups = to.reshape(2, -1), order, begins
        stages.append(
            Stage(
                high, low, constant, *unjoined, release, others_kept, survivor, *groups, count, last
            )
        )
    return stages[::-1]


def before(
    terms: Terms, day: int, after: FloatArray, constant: FloatArray, effectors_kept: float = 1.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Worth before a day from that after it, and (B, H) that of a unit released on the day.

    The transpose of `Terms.step`, y (B, N, H) the worth after the day and w that before it: for
    effectors, precursors and dying cells `recursion.Day.before`, and with v the worth of a dying
    cell that joins on the day, for the queue and what is released,

        w_q_i = y_q_{i+1},   w_q_lag = c v            released = y_q_1, or c v without a lag
        constant = constant + inflow y_R

    `effectors_kept` is what a fraction leaves of the effectors. Survivors and the others' effect
    pass unchanged.
    """
    daily = terms.daily
    step = daily.steps[day]
    if effectors_kept != 1.0:
        step = step._replace(effectors_kept=step.effectors_kept * effectors_kept)
    worth = np.empty_like(after)
    worth[:, SURVIVORS] = after[:, SURVIVORS]
    worth[:, OTHERS] = after[:, OTHERS]
    cells = recursion.State(*(after[:, component] for component in IMMUNE))
    cells, joining = step.before(cells, daily.effect[day])
    for component, values in zip(IMMUNE, cells, strict=True):
        worth[:, component] = values
    released = daily.entry * joining
    if daily.lag:
        worth[:, QUEUE:-1] = after[:, QUEUE + 1 :]
        worth[:, -1] = released
        released = after[:, QUEUE]
    return worth, constant + step.inflow * after[:, PRECURSORS], released


def _levels_of_regrowth(terms: Terms) -> IntArray:
    """(T + 1,) by last day: 0 for none, then doubling from `least_regrowth` on."""
    grown = terms.regrown[0, :, -1] / settings.CURRENT.least_regrowth
    level = np.ceil(np.log2(np.maximum(grown, 1.0))) + 1.0
    levels: IntArray = np.where(grown > 0, level, 0.0).astype(np.int64)
    return levels


def _joined(
    worth: FloatArray, others_kept: FloatArray, keys: IntArray, most_groups: float, width: float
) -> tuple[IntArray, int, float]:
    """(B,) number of the group of every pattern, how many groups, and their width.

    Those of a group are alike in their keys (B, k): fractions, and about how much regrows up to the
    last day; and nearly so in what they leave of the others' effect, in effectors and in
    precursors:

        group(p) = (keys(p), floor(ln z(p) / width)),   z(p) = (others kept, sum_h W_e, sum_h W_R)

    with `width` raised until there are at most so many groups.
    """
    worths = worth[:, [EFFECTORS, PRECURSORS]].sum(axis=2)
    features = np.log(np.concatenate([others_kept[:, None], worths], axis=1) + TINY)
    most_groups = max(most_groups, settings.CURRENT.key_patterns * groups_of(keys.astype(float))[1])
    while True:
        groups, number = groups_of(np.concatenate([np.floor(features / width), keys], axis=1))
        if number <= most_groups:
            return groups, number, width
        width *= settings.CURRENT.wider
