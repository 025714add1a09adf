"""All courses of a lesion, day by day: label setting with dominance and completion bounds.

A label is a partial course that may still lead to a better one (Irnich and Desaulniers 2005,
Shortest path problems with resource constraints). It is dropped when what it may still reach is not
above a threshold; two of them with (nearly) the same kill and loads become one where the better one
loses at most a tolerance, whatever follows. The one that stays is credited with that loss, and with
the better kill and loads, so that it stands for both: the best of what arrives at the end bounds
all courses. Where the effect of others counts it is credited with the better part of it too.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.search.free.days.alike import groups_of
from abscopt.optimizer.search.free.days.courses import Courses
from abscopt.optimizer.search.free.days.dual import CostToGo, choices
from abscopt.optimizer.search.free.days.terms import OTHERS, SURVIVORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.optimizer.search.free.days.span import Span
    from abscopt.optimizer.search.free.days.suffix import Stage
    from abscopt.optimizer.search.free.days.terms import Terms


CHUNK = 4096
ROUNDS = 12
WIDEST = 16.0


@dataclass(frozen=True)
class Labels:
    """Partial courses: n of them.

    Attributes
    ----------
    state, effect : (n, 5 + lag) and (n, H)
    kill, load : (n, H), growth taken off, and (n, M)
    count : (n,) fractions
    alc : (n,) log loss of lymphocytes on the last course day that was decided
    first, last : (n,) positions of the first and last fraction day, -1 for none
    reach : (n,) bound of what it may lead to
    least : (n, T) actions so far, or the least of what was joined
    parent, action : (n,) where it comes from
    """

    state: FloatArray
    effect: FloatArray
    kill: FloatArray
    load: FloatArray
    count: IntArray
    alc: FloatArray
    first: IntArray
    last: IntArray
    reach: FloatArray
    least: IntArray
    parent: IntArray
    action: IntArray

    def __len__(self) -> int:
        return len(self.reach)

    def take(self, rows: IntArray) -> Labels:
        """Some of them."""
        return Labels(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Precision:
    """How finely partial courses are distinguished.

    Attributes
    ----------
    tolerance : objective that joining two of them may add
    width : parts of a cap within which loads count as equal
    kill_width : nats of kill likewise
    most : partial courses kept per day
    beyond : what happens to more: `join` them, whatever it adds; `drop` the least promising,
        which finds courses but bounds nothing; or `stop` the exploration
    apart : whether those of different fraction `days`, or of any different `doses`, are never
        joined, which matters where lesions share days
    """

    tolerance: float
    width: float
    kill_width: float
    most: int
    beyond: Literal["join", "drop", "stop"] = "join"
    apart: Literal["no", "days", "doses"] = "no"


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
        state, effect, np.zeros((1, horizons)), np.zeros((1, len(terms.rhs))), zeros, np.zeros(1),
        zeros - 1, zeros - 1, np.full(1, np.inf), np.zeros((1, len(terms.days)), dtype=np.int64),
        zeros, zeros,
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
        labels, moved = _merged(
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

        reach(l, a) = K_l . price of kill - L_l . price of loads [+ log_kept ln O_l] + choice(l, a)

    for n labels and A actions, (n, A); -inf where a load would exceed rhs.
    """
    nowhere = np.zeros(0, dtype=np.int64)
    parents, actions, reaches, below = [nowhere], [nowhere], [np.zeros(0)], -np.inf
    for begin in range(0, len(labels), CHUNK):
        chunk = labels.take(np.arange(begin, min(begin + CHUNK, len(labels))))
        so_far = to_go.so_far(chunk.kill, chunk.state[:, OTHERS], chunk.load)
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

    kill + greatest kill of all later days >= low,     kill <= high + drift (no regrowth later),
    few - days left <= fractions <= many
    """
    later = np.where(terms.allowed, terms.kill[:, :, -1], 0.0).max(axis=1)[stage + 1 :].sum()
    kill = labels.kill[:, -1]
    low, high = span.kill
    few, many = span.count
    if terms.repopulates:
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

        alc = alc_l kept^D + loss <= alc_allowance,  K = K_l + K_ia - (new regrowth),
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
    kill = labels.kill[parent] + terms.kill[stage, action]
    first = np.where(dosed & (labels.first[parent] < 0), stage, labels.first[parent])
    last = np.where(dosed, stage, labels.last[parent])
    if terms.repopulates:
        before = terms.regrown[labels.first[parent], labels.last[parent]]
        kill -= terms.regrown[first, last] - before
    return Labels(
        state=state,
        effect=effect,
        kill=kill,
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


def _merged(
    terms: Terms,
    stage: Stage,
    to_go: CostToGo,
    labels: Labels,
    precision: Precision,
    barred: FloatArray | None,
) -> tuple[Labels, float]:
    """Partial courses that stand for all of them, and the kill they are credited with at most.

    Dominance within a tolerance: in each round the label of greatest reach leads its group, and
    takes in every label r of it (nearly the same kill and loads) for which

        added(r, leader) <= tolerance          (`_added`: what the credit is worth at the prices)

    The others have another leader in the next round. Where too many are left, the last round takes
    all in, or the widths and the tolerance are doubled.
    """
    if len(labels) < 2:
        return labels, 0.0
    order = np.argsort(-labels.reach, kind="stable")
    labels = labels.take(order)
    key = _groups(terms, labels, precision, barred is not None)
    leaders: list[IntArray] = []
    open_rows = np.arange(len(labels))
    count = 0
    for turn in range(ROUNDS):
        if not len(open_rows):
            break
        leader_at = np.unique(key[open_rows], return_index=True)
        leader, group = open_rows[leader_at[1]], np.searchsorted(leader_at[0], key[open_rows])
        leaders.append(leader)
        count += len(leader)
        loss = _loss(labels, stage, open_rows, leader[group], barred)
        added = _added(labels, to_go, open_rows, leader[group], loss, terms.organ_rows)
        joined = added <= precision.tolerance
        full = count + len(open_rows) > precision.most
        if turn == ROUNDS - 1 and full and precision.beyond == "join":
            joined[:] = True
        _credit(labels, to_go, leader, group[joined], open_rows[joined], loss[joined])
        open_rows = open_rows[~joined]
    rows = np.sort(np.concatenate([*leaders, open_rows]))
    if precision.beyond == "drop":
        rows = rows[: precision.most]
    elif precision.beyond == "join" and len(rows) > precision.most and precision.width < WIDEST:
        wider = replace(
            precision,
            tolerance=2.0 * precision.tolerance,
            width=2.0 * precision.width,
            kill_width=2.0 * precision.kill_width,
        )
        merged, moved = _merged(terms, stage, to_go, labels.take(rows), wider, barred)
        return merged, moved + precision.kill_width
    return labels.take(rows), precision.kill_width


def _groups(terms: Terms, labels: Labels, precision: Precision, counted: bool) -> IntArray:
    """(n,) number of the group: nearly the same kill and loads, and what else must be kept."""
    columns = [
        np.floor(labels.kill / precision.kill_width + 0.5),
        np.floor(labels.load[:, : terms.organ_rows] / precision.width + 0.5),
    ]
    if counted:
        columns.append(labels.count[:, None].astype(float))
    first = labels.first if terms.repopulates else labels.first < 0  # the empty one stays alone
    columns.append(first[:, None].astype(float))
    if precision.apart != "no":
        doses = labels.least > 0 if precision.apart == "days" else labels.least
        columns.append(doses.astype(float))
    return groups_of(np.concatenate(columns, axis=1))[0]


def _loss(
    labels: Labels,
    stage: Stage,
    rows: IntArray,
    leaders: IntArray,
    barred: FloatArray | None,
) -> FloatArray:
    """(n, H) effect that the leader lacks against each row, at most, whatever follows.

    With x, E and S the states, effects so far and survivors of row r and leader l, and patterns p
    of later fraction days with low(p) <= W(p) <= high(p), worth (N, H) of a state:

        loss = [E_r - E_l + max_p {(x_r - x_l)^+ . high(p) - (x_l - x_r)^+ . low(p)}
                + (S_r - S_l)^+ survivor]^+

    `barred` is 0 for the patterns that may follow a number of fractions, the same for both.
    """
    difference = labels.state[rows] - labels.state[leaders]
    more, less = np.maximum(difference, 0.0), np.maximum(-difference, 0.0)
    lacking = np.zeros((len(rows), labels.effect.shape[1]))
    count = np.zeros(len(rows), dtype=np.int64) if barred is None else labels.count[rows]
    for number in np.unique(count).tolist():
        members = np.flatnonzero(count == number)
        follows = slice(None) if barred is None else np.flatnonzero(barred[number] == 0.0)
        high, low = stage.high[follows], stage.low[follows]
        if not len(high):
            continue
        for chunk in np.split(members, range(CHUNK, len(members), CHUNK)):
            for h in range(lacking.shape[1]):
                worth = more[chunk] @ high[:, :, h].T - less[chunk] @ low[:, :, h].T
                lacking[chunk, h] = worth.max(axis=1)
    lacking += labels.effect[rows] - labels.effect[leaders]
    lacking += more[:, SURVIVORS, None] * stage.survivor
    loss: FloatArray = np.maximum(lacking, 0.0)
    return loss


def _added(
    labels: Labels,
    to_go: CostToGo,
    rows: IntArray,
    leaders: IntArray,
    loss: FloatArray,
    organ_rows: int,
) -> FloatArray:
    """(n,) worth of what the leader is credited with to stand for each row.

        added = loss . price of effect                                                     alone,
        added = loss . price of effect / O_l + sum_m y_m (L_lm - L_rm)^+
                + log_kept [ln (O_r / O_l)]^+

    with y the prices of the rows of shared days only: other loads are equal within the width.
    """
    worth: FloatArray = loss @ to_go.prices.effect
    if to_go.prices.log_kept is None:
        return worth
    more = np.maximum(labels.load[leaders, organ_rows:] - labels.load[rows, organ_rows:], 0.0)
    row_kept, leader_kept = labels.state[rows, OTHERS], labels.state[leaders, OTHERS]
    worth = worth / leader_kept + more @ to_go.prices.load[organ_rows:]
    worth += to_go.prices.log_kept * np.maximum(np.log(row_kept / leader_kept), 0.0)
    return worth


def _credit(
    labels: Labels,
    to_go: CostToGo,
    leader: IntArray,
    group: IntArray,
    rows: IntArray,
    loss: FloatArray,
) -> None:
    """Credit the leaders with the best of what joins them, in place.

    Component by component over the rows r of each leader: E_l + max loss, max of O, kill, last day
    and reach, min of loads, least doses and lymphocyte loss, so that the leader dominates every r.
    """
    target = leader[group]
    extra = np.zeros((len(leader), loss.shape[1]))
    np.maximum.at(extra, group, loss)
    labels.effect[leader] += extra
    if to_go.prices.log_kept is not None:
        best_kept = labels.state[:, OTHERS].copy()
        np.maximum.at(best_kept, target, best_kept[rows])
        labels.state[:, OTHERS] = best_kept
    np.maximum.at(labels.kill, target, labels.kill[rows])
    np.minimum.at(labels.load, target, labels.load[rows])
    np.minimum.at(labels.least, target, labels.least[rows])
    np.minimum.at(labels.alc, target, labels.alc[rows])
    np.maximum.at(labels.last, target, labels.last[rows])  # regrowth up to it is paid for
    np.maximum.at(labels.reach, target, labels.reach[rows])


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
    others_kept = labels.state[:, OTHERS]
    return Courses(actions, labels.kill, effect, others_kept, labels.load, labels.least), below
