"""What a partial course may still reach at given prices: dynamic programming over days.

What a lesion adds to a Lagrangian bound is linear in its kill K and loads L, and with E its own
effect and O what its lymphocyte losses leave of the others' one of

    worth . E                         where E holds the others' effect, linear in O,
    worth . E / O + log_kept ln O        where several lesions have effect (`objective`).

It is maximized over all courses, by pattern p of later fraction days. With S the survivors (S / O
in the second form), sigma and rho survivors and release per survivor of the dose a on day i, v_i(p)
the worth of a unit released and r_ia what the dose is worth in kill less its price in loads,

    f_i(0 p, S) = f_{i+1}(p, S)
    f_i(1 p, S) = max_a [r_ia + v_i(p) rho_ia S + f_{i+1}(p, sigma_ia S)],        f_end = 0

is a maximum of functions that are linear in S, hence convex: stored at grid points s_0 > s_1 > ..
and interpolated between them it is never too low (a chord lies above a convex function). A partial
course with state x and effect E so far is worth at most

    max_p [E . worth + x . W_i(p) . worth + f_i(p, S)]

more than the kill and loads it has: the completion bound, or cost-to-go (Bellman 1957, Dynamic
Programming; bounding labels by it, Irnich and Desaulniers 2005, Shortest path problems with
resource constraints). W (N, H) are the adjoints of `suffix`.

`followed` is the course that the maximum takes, with the effect that the maximum counts for it: as
a column of the master it makes the bound that of the programme over such columns.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.days.cost_to_go import GRID, Ahead, CostToGo, Prices, place
from abscopt.optimizer.search.free.days.courses import Courses, totals
from abscopt.optimizer.search.free.days.terms import OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.optimizer.search.free.days.suffix import Stage
    from abscopt.optimizer.search.free.days.terms import Terms


NEVER = -1e200
"""Worth of what is impossible: finite, so that it can be interpolated."""


@dataclass(frozen=True)
class Steps:
    """What doses do to the survivors, in the unit of the grid, for one of the two forms.

    `others_kept` (T,), `survival` and `top` are as in `CostToGo`. Per course day `actions`
    are the doses that are allowed, `table` (grid + 1, actions times grid) takes what is worth
    after the day at the grid and a unit released to what is worth before it at the grid.
    """

    others_kept: FloatArray
    survival: FloatArray
    top: float
    actions: list[IntArray]
    table: list[FloatArray]


def steps_of(terms: Terms, *, coupled: bool) -> Steps:
    """What doses do to the grid of survivors; the second form where `coupled`.

    One matrix per course day, (G + 1, A G) for A doses and G grid points s, takes f_{i+1} at the
    grid and the worth v of a unit released to f_i at the grid for each dose:

        (f, v) -> (1 - w) f_k + w f_{k+1} + v rho_ia top s,     sigma_ia s = (1 - w) s_k + w s_{k+1}

    In the second form survivors are counted in units of the others' effect kept, sigma /
    others_kept, which may exceed 1: `top` is the greatest product of them, and the grid is top
    times s.
    """
    number, size = len(terms.days), len(GRID)
    others_kept, survival, top = np.ones(number), terms.survival, 1.0
    if coupled:
        others_kept = terms.others_kept
        survival = survival / others_kept[:, None]
        survival[:, 0] = 1.0
        top = float(np.maximum(survival.max(axis=1), 1.0).prod()) * (1.0 + 1e-12)
    actions = [np.flatnonzero(terms.allowed[i, 1:]) + 1 for i in range(number)]
    table = []
    for i, doses in enumerate(actions):
        interpolation = np.zeros((size + 1, len(doses) * size))
        index, weight = place(np.outer(survival[i, doses], GRID).reshape(-1))
        column = np.arange(interpolation.shape[1])
        interpolation[index, column], interpolation[index + 1, column] = 1.0 - weight, weight
        interpolation[size] = np.outer(terms.release[i, doses], top * GRID).reshape(-1)
        table.append(interpolation)
    return Steps(others_kept, survival, top, actions, table)


def cost_to_go(
    terms: Terms,
    stages: list[Stage],
    steps: Steps,
    prices: Prices,
    count: tuple[int, int],
    free: BoolArray,
) -> CostToGo:
    """Dynamic programming over the course days, backward, for a range of fraction numbers.

    The recursion f_i of the module at all grid points and patterns at once, by the tables of
    `steps_of`:

        given_i(p, s) = max_a [r_ia + (f_{i+1}(p, .), v_i(p)) . table_i[:, (a, s)]]      (B', G)
        f_i(g, s)     = max over patterns 0 p and 1 p of group g                         (B, G)

    `free` (T, 2) forbids days without or with a fraction, which are worth `NEVER`.
    """
    number, others_kept = len(terms.days), steps.others_kept
    reward = terms.kill @ prices.kill - terms.load @ prices.load
    reward = np.where(terms.allowed, reward, -np.inf)
    to_go = CostToGo(
        prices=prices,
        stages=stages,
        reward=reward,
        grown=terms.taken_off @ prices.kill + terms.beside @ prices.growth,
        survival=steps.survival,
        top=steps.top,
        best=[np.zeros((1, len(GRID)))] * (number + 1),
        begun=np.full(number, -np.inf),
        begun_as=np.zeros(number, dtype=np.int64),
        by_count=np.full(number + 1, -np.inf),
        empty=_empty(terms, stages[-1], prices)
        if count[0] == 0 and free[:, 0].all()
        else -math.inf,
        no_dose=[_ahead(*s.no_dose, later.others_kept, prices) for s, later in _pairs(stages)],
        with_dose=[
            _ahead(*s.with_dose, later.others_kept * k, prices)
            for (s, later), k in zip(_pairs(stages), others_kept, strict=True)
        ],
        release=[
            _released(s, later, k, prices) @ prices.effect
            for (s, later), k in zip(_pairs(stages), others_kept, strict=True)
        ],
        barred=None
        if count == (0, number)
        else [_barred(stage, number, count) for stage in stages],
        free=free,
    )
    for i in range(number - 1, -1, -1):
        after, doses, stage = to_go.best[i + 1], steps.actions[i], stages[i]
        with_dose = np.full_like(after, NEVER)
        if len(doses) and free[i, 1]:
            values = np.concatenate([after, to_go.release[i][:, None]], axis=1)
            worth = (values @ steps.table[i]).reshape(len(after), len(doses), len(GRID))
            worth += reward[i, doses][:, None]
            worth.max(axis=1, out=with_dose)
            if free[:i, 0].all():
                begun = _begun(to_go, terms, i, with_dose)
                to_go.begun_as[i] = int(begun.argmax())
                to_go.begun[i] = begun[to_go.begun_as[i]]
                np.maximum.at(to_go.by_count, stages[i + 1].count + 1, begun)
        no_dose = after if free[i, 0] else np.full_like(after, NEVER)
        both = np.concatenate([no_dose, with_dose])[stage.order]
        to_go.best[i] = np.maximum.reduceat(both, stage.begins, axis=0)
    to_go.by_count[0] = to_go.empty
    return to_go


def _begun(to_go: CostToGo, terms: Terms, stage: int, with_dose: FloatArray) -> FloatArray:
    """(B',) bound of all courses that begin on a course day, by the later pattern.

    With x_i, E_i and S_i the state, effect and survivors before day i without any treatment (known
    exactly), and p the pattern after it:

        begun_i(p) = E_i . worth + x_i . W_i(1 p) . worth + f_i(1 p, S_i) - regrowth(i, last(p))

    -inf where the fractions of p and one more are not in the range. `with_dose` (B', grid) is
    f_i(1 p, .) at the grid, and the regrowth is that between the first fraction and the earliest
    last one of p.
    """
    state, effect = terms.untouched[stage]
    worth = to_go.with_dose[stage].of(to_go.seen(state, effect))[:, 0]
    worth += to_go.between(with_dose, to_go.survivors(state))[:, 0]
    last = to_go.stages[stage + 1].last
    worth -= to_go.grown[stage, np.where(last < 0, stage, last)]
    if to_go.barred is not None:
        worth += to_go.barred[stage + 1][1]
    bound: FloatArray = np.where(worth > NEVER / 2, worth, -np.inf)
    return bound


def _empty(terms: Terms, end: Stage, prices: Prices) -> float:
    """Worth of no fraction at all."""
    return float(
        prices.worth(totals(terms, end, np.zeros((1, len(terms.days)), dtype=np.int64))[0])[0]
    )


def _released(stage: Stage, later: Stage, others_kept: float, prices: Prices) -> FloatArray:
    """(B', H) worth of a unit released on the day of a stage, by the pattern of the next one."""
    if prices.log_kept is None:
        return stage.release
    per_unit: FloatArray = stage.release / (later.others_kept[1] * others_kept)[:, None]
    return per_unit


def followed(to_go: CostToGo, terms: Terms, steps: Steps) -> Courses:
    """The course that the maximum takes, with kill, effect and others' effect kept it counts.

    The argmax of the recursion, traced forward from the day and pattern where `begun` is greatest.
    The effect counted is the one that the bound counts, by the adjoints of joined patterns,

        E = E_i + x_i . W_i(1 p) + constant(p) + sum_j S_j rho_{j a_j} v_j(p_j)           (H,)

    and not what the course has: the column then has no less worth at these prices than the bound,
    interpolation aside, and cuts it off the dual of the master (Dantzig and Wolfe 1960,
    Decomposition principle for linear programs: the pricing problem gives a column). In the second
    form O is the most and E / O that with the least of what the patterns keep.
    """
    stages, actions = to_go.stages, np.zeros(len(terms.days), dtype=np.int64)
    begin = int(to_go.begun.argmax())
    if to_go.empty >= to_go.begun[begin]:
        return totals(terms, stages[-1], actions[None])[0]
    pattern, (state, effect) = int(to_go.begun_as[begin]), terms.untouched[begin]
    high, constant = stages[begin].with_dose
    earned = state[0] @ high[pattern] + constant[pattern] + effect[0]
    last = max(begin, int(stages[begin + 1].last[pattern]))
    survivors, others_kept, group = to_go.survivors(state), 1.0, pattern
    if to_go.prices.log_kept is not None:
        most_kept, least_kept = stages[begin + 1].others_kept[:, pattern]
        others_kept = float(state[0, OTHERS] * most_kept * steps.others_kept[begin])
        earned = earned * most_kept / least_kept
    for i in range(begin, len(actions)):
        best, doses, to = to_go.best[i + 1], steps.actions[i], stages[i].to
        if i > begin:
            no_dose, with_dose = (
                np.flatnonzero((ones == group) & may)
                for ones, may in zip(to, to_go.free[i], strict=True)
            )
        else:
            no_dose, with_dose = to[0, :0], np.array([pattern])
        stay = to_go.between(best[no_dose], survivors)[:, 0]
        worth = to_go.between(best[with_dose], survivors * to_go.survival[i, doses])
        worth += (
            to_go.release[i][with_dose, None] * survivors * terms.release[i, doses]
            + to_go.reward[i, doses]
        )
        if worth.max(initial=2 * NEVER) <= stay.max(initial=2 * NEVER):
            group = int(no_dose[stay.argmax()])
            continue
        at, a = np.unravel_index(int(worth.argmax()), worth.shape)
        group, actions[i] = int(with_dose[at]), doses[a]
        unit = _released(stages[i], stages[i + 1], float(steps.others_kept[i]), to_go.prices)[group]
        earned = earned + others_kept * survivors * terms.release[i, actions[i]] * unit
        survivors = survivors * to_go.survival[i, actions[i]]
    every = np.arange(len(actions))
    kill = terms.kill[every, actions].sum(axis=0) - terms.taken_off[begin, last]
    growth = terms.beside[begin, last]
    load = terms.load[every, actions].sum(axis=0)
    row = actions[None]
    kept = np.array([others_kept])
    return Courses(row, kill[None], growth[None], earned[None], kept, load[None], row)


def _pairs(stages: list[Stage]) -> list[tuple[Stage, Stage]]:
    return list(itertools.pairwise(stages))


def _ahead(
    high: FloatArray, constant: FloatArray, others_kept: FloatArray, prices: Prices
) -> Ahead:
    """Worth of a state by pattern; `others_kept` (2, B) as of a stage."""
    ones = np.ones((len(high), 1))
    steady = (constant @ prices.effect)[:, None]
    worth = np.concatenate([high @ prices.effect, ones, steady], axis=1)
    if prices.log_kept is None:
        return Ahead(worth, np.zeros(len(high)))
    return Ahead(worth / others_kept[1][:, None], prices.log_kept * np.log(others_kept[0]))


def _barred(stage: Stage, number: int, count: tuple[int, int]) -> FloatArray:
    total = np.arange(number + 1)[:, None] + stage.count
    return np.where((total >= count[0]) & (total <= count[1]), 0.0, -np.inf)


def choices(
    to_go: CostToGo,
    terms: Terms,
    stage: int,
    state: FloatArray,
    effect: FloatArray,
    count: IntArray,
    first: IntArray,
    last: IntArray,
) -> FloatArray:
    """(n, A) effect so far and what each action of a course day may still add.

    The completion bound of each child of n partial courses, over the patterns p of later days:

        choice(0) = max_p [seen . ahead_i(0 p) + f_{i+1}(p, S) - regrowth]
        choice(a) = r_ia + max_p [seen . ahead_i(1 p) + f_{i+1}(p, sigma_ia S) + v_i(p) rho_ia S
                                  - regrowth]

    with `seen` (n, N + 2) of state, effect so far and 1, and regrowth that of `_regrown`. Those
    without a fraction so far take the greatest of what begins later, for choice(0).

    All later days are included; `count`, `first` and `last` (n,) are the number and positions of
    the fractions given before.
    """
    actions = np.flatnonzero(terms.allowed[stage, 1:] & to_go.free[stage, 1]) + 1
    bounds = np.full((len(state), terms.allowed.shape[1]), -np.inf)
    best, release = to_go.best[stage + 1], to_go.release[stage]
    seen, survivors = to_go.seen(state, effect), to_go.survivors(state)
    for rows, no_dose, with_dose in _by_count(to_go, stage, count):
        at_once = max(
            1,
            settings.CURRENT.bounds_at_once
            // max(1, max(len(no_dose), len(with_dose)) * max(1, len(actions))),
        )
        for chunk in np.split(rows, range(at_once, len(rows), at_once)):
            if len(no_dose) and to_go.free[stage, 0]:
                stay = to_go.no_dose[stage].of(seen[chunk], no_dose)
                stay += to_go.between(best[no_dose], survivors[chunk])
                if terms.repopulates:
                    stay -= _regrown(to_go, stage, first[chunk], last[chunk], no_dose, None)
                bounds[chunk, 0] = stay.max(axis=0)
            if len(actions) and len(with_dose):
                surviving = survivors[chunk, None] * to_go.survival[stage, actions]
                released = survivors[chunk, None] * terms.release[stage, actions]
                ahead = to_go.with_dose[stage].of(seen[chunk], with_dose)
                if terms.repopulates:
                    ahead -= _regrown(to_go, stage, first[chunk], last[chunk], with_dose, stage)
                later = to_go.between(best[with_dose], surviving)
                later += release[with_dose][:, None, None] * released
                later += ahead[:, :, None]
                bounds[chunk[:, None], actions] = later.max(axis=0) + to_go.reward[stage, actions]
    bounds[first < 0, 0] = max(to_go.empty, float(to_go.begun[stage + 1 :].max(initial=-np.inf)))
    return np.where(bounds > NEVER / 2, bounds, -np.inf)


def _regrown(
    to_go: CostToGo,
    stage: int,
    first: IntArray,
    last: IntArray,
    patterns: IntArray,
    day: int | None,
) -> FloatArray:
    """(B', n) worth of what regrows at least under later patterns, beyond what does so far.

        grown(first', max(last', earliest last of p)) - grown(first, last)

    with first' and last' including a fraction on the day itself. `day` is the position of a
    fraction on the day of the stage, None without one.
    """
    begin, end = (first, last) if day is None else (np.where(first < 0, day, first), np.array(day))
    later = np.maximum(to_go.stages[stage + 1].last[patterns][:, None], end)
    extra: FloatArray = to_go.grown[begin, later] - to_go.grown[first, last]
    return extra


def _by_count(
    to_go: CostToGo, stage: int, count: IntArray
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Rows of a number of fractions, and patterns they may follow without and with another one."""
    if to_go.barred is None:
        every = np.arange(len(to_go.best[stage + 1]))
        yield np.arange(len(count)), every, every
        return
    barred = to_go.barred[stage + 1]
    for number in np.unique(count).tolist():
        no_dose, with_dose = (np.flatnonzero(barred[n] == 0.0) for n in (number, number + 1))
        yield np.flatnonzero(count == number), no_dose, with_dose
