"""All courses of a lesion, day by day: label setting with dominance and completion bounds.

A label is a partial course that may still lead to a better one (Irnich and Desaulniers 2005,
Shortest path problems with resource constraints). It is dropped when what it may still reach is not
above a threshold; two of them with (nearly) the same kill and loads become one where the better one
loses at most a tolerance, whatever follows. The one that stays is credited with that loss, and with
the better kill and loads, so that it stands for both: the best of what arrives at the end bounds
all courses. Where the effect of others counts it is credited with the better part of it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.days.courses import Courses
from abscopt.optimizer.search.free.days.dominance import Labels, Precision, merged
from abscopt.optimizer.search.free.days.dual import choices
from abscopt.optimizer.search.free.days.terms import OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.search.free.days.cost_to_go import CostToGo
    from abscopt.optimizer.search.free.days.span import Span
    from abscopt.optimizer.search.free.days.suffix import Stage
    from abscopt.optimizer.search.free.days.terms import Terms


def explored(
    terms: Terms,
    to_go: CostToGo,
    span: Span,
    threshold: float,
    precision: Precision,
    stop: Callable[[], bool],
) -> tuple[Courses, float] | None:
    """Courses that stand for all of a span above a threshold, with what they are credited with.

    And the best reach of what was not above it. None if there are too many, or on time. Stage by
    stage

        labels_{i+1} = merged { children (l, a) : l in labels_i, a allowed on day i,
                                earned(l) + choice_i(l, a) > threshold, loads <= rhs, in the span }

    with `choice` the completion bound of `dual.choices`. What is dropped bounds itself by its
    reach, and what is merged is bounded by the label that stands for it.
    """
    stages = to_go.stages
    state, effect = terms.begin()
    horizons = effect.shape[1]
    zeros = np.zeros(1, dtype=np.int64)
    labels = Labels(
        state, effect, np.zeros((1, horizons)), np.zeros((1, horizons)),
        np.zeros((1, len(terms.rhs))), zeros, np.zeros(1), zeros - 1, zeros - 1,
        np.full(1, np.inf), np.zeros((1, len(terms.days)), dtype=np.int64), zeros, zeros,
    )  # fmt: skip
    below, drift = -np.inf, 0.0
    counted = span.count != (0, len(terms.days))
    history: list[tuple[IntArray, IntArray]] = []
    for stage in range(len(terms.days)):
        if stop():
            return None
        labels, dropped = _next(terms, to_go, labels, stage, threshold)
        labels = labels.take(_in_range(terms, span, labels, stage, drift))
        below = max(below, dropped)
        barred = None if to_go.barred is None else to_go.barred[stage + 1]
        labels, moved = merged(
            terms, stages[stage + 1], to_go, labels, precision, barred if counted else None
        )
        drift += moved
        if precision.beyond == "stop" and len(labels) > precision.most:
            return None
        history.append((labels.parent, labels.action))
    return _ended(stages[-1], labels, history, below)


def _next(
    terms: Terms, to_go: CostToGo, labels: Labels, stage: int, threshold: float
) -> tuple[Labels, float]:
    """Partial courses one course day on, and the best of what was not above the threshold.

        reach(l, a) = K_l . price of kill - growth_l . its price - L_l . price of loads
                      [+ log_kept ln O_l] + choice(l, a)

    for n labels and A actions, (n, A); -inf where a load would exceed rhs.
    """
    nowhere = np.zeros(0, dtype=np.int64)
    parents, actions, reaches, below = [nowhere], [nowhere], [np.zeros(0)], -np.inf
    for begin in range(0, len(labels), settings.CURRENT.label_chunk):
        chunk = labels.take(
            np.arange(begin, min(begin + settings.CURRENT.label_chunk, len(labels)))
        )
        so_far = to_go.so_far(chunk.kill, chunk.growth, chunk.state[:, OTHERS], chunk.load)
        fraction_record = chunk.count, chunk.first, chunk.last
        reach = choices(to_go, terms, stage, chunk.state, chunk.effect, *fraction_record)
        reach += so_far[:, None]
        for m in range(len(terms.rhs)):
            load = chunk.load[:, m, None] + terms.load[stage, None, :, m]
            reach[load > terms.rhs[m]] = -np.inf
        good = reach > threshold
        below = max(below, float(reach[~good].max(initial=-np.inf)))
        row, action = np.nonzero(good)
        parents.append(row + begin)
        actions.append(action)
        reaches.append(reach[row, action])
    parent, action = np.concatenate(parents), np.concatenate(actions)
    grown = _children(terms, labels, stage, parent, action, np.concatenate(reaches))
    return grown, below


def _in_range(terms: Terms, span: Span, labels: Labels, stage: int, drift: float) -> IntArray:
    """Those that can still end in the span; `drift` bounds the kill they are credited with.

    kill + greatest kill of all later days >= low,     kill <= high + drift (no regrowth later, or
    beside it),
    few - days left <= fractions <= many
    """
    later = np.where(terms.allowed, terms.kill[:, :, -1], 0.0).max(axis=1)[stage + 1 :].sum()
    kill = labels.kill[:, -1]
    low, high = span.kill
    few, many = span.count
    if terms.repopulates and not terms.growth_apart:
        high = np.inf
    good = (kill + later >= low - 1e-9) & (kill <= high + drift + 1e-9)
    good &= (labels.count <= many) & (labels.count + len(terms.days) - stage - 1 >= few)
    return np.flatnonzero(good)


def _children(
    terms: Terms,
    labels: Labels,
    stage: int,
    parent: IntArray,
    action: IntArray,
    reach: FloatArray,
) -> Labels:
    """Children after their action; those that break the lymphocyte floor are left out.

    With D the days since the last course day, for a fraction (else the loss only recovers)

        alc = alc_l kept^D + loss <= alc_allowance,  K = K_l + K_ia - (new regrowth, or beside it),
        L = L_l + L_ia,                            (x, E) = one course day on (`Terms.give`)
    """
    dosed = action > 0
    passed = float(terms.days[stage] - terms.days[max(stage - 1, 0)])
    alc = labels.alc[parent] * terms.alc_kept**passed + np.where(dosed, terms.alc_loss, 0.0)
    good = ~dosed | (alc <= terms.alc_allowance)
    parent, action, reach = parent[good], action[good], reach[good]
    alc, dosed = alc[good], dosed[good]
    state, effect = labels.state[parent], labels.effect[parent]
    terms.give(state, effect, stage, action)
    least_doses = labels.least[parent]
    least_doses[:, stage] = action
    kill, growth = labels.kill[parent] + terms.kill[stage, action], labels.growth[parent]
    first = np.where(dosed & (labels.first[parent] < 0), stage, labels.first[parent])
    last = np.where(dosed, stage, labels.last[parent])
    if terms.repopulates:
        before = labels.first[parent], labels.last[parent]
        kill -= terms.taken_off[first, last] - terms.taken_off[before]
        growth = growth + (terms.beside[first, last] - terms.beside[before])
    return Labels(
        state=state,
        effect=effect,
        kill=kill,
        growth=growth,
        load=labels.load[parent] + terms.load[stage, action],
        count=labels.count[parent] + dosed,
        alc=alc,
        first=first,
        last=last,
        reach=reach,
        least=least_doses,
        parent=parent,
        action=action,
    )


def _ended(
    stage: Stage, labels: Labels, history: list[tuple[IntArray, IntArray]], below: float
) -> tuple[Courses, float]:
    """The courses that led to what arrived, by their parents.

    E = E_end + constant + x_end . W_end          (n, H), what the days after the course add
    """
    effect = labels.effect + stage.constant + np.einsum("nk,kh->nh", labels.state, stage.high[0])
    actions = np.zeros((len(labels), len(history)), dtype=np.int64)
    row = np.arange(len(labels))
    for day in range(len(history) - 1, -1, -1):
        parent, action = history[day]
        actions[:, day] = action[row]
        row = parent[row]
    courses = Courses(
        actions,
        labels.kill,
        labels.growth,
        effect,
        labels.state[:, OTHERS],
        labels.load,
        labels.least,
    )
    return courses, below
