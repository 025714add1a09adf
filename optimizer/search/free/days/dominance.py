"""Labels, and which of them stand for others: dominance within a tolerance.

Of two partial courses with nearly the same kill and loads one dominates the other if it is worth as
much whatever follows (Irnich and Desaulniers 2005, Shortest path problems with resource
constraints). What it lacks at most is credited to it, so that it dominates truly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.optimizer.search.free import settings
from abscopt.optimizer.search.free.days.alike import groups_of
from abscopt.optimizer.search.free.days.terms import OTHERS, SURVIVORS

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.days.cost_to_go import CostToGo
    from abscopt.optimizer.search.free.days.suffix import Stage
    from abscopt.optimizer.search.free.days.terms import Terms


@dataclass(frozen=True)
class Labels:
    """Partial courses: n of them.

    Attributes
    ----------
    state, effect : (n, 5 + lag) and (n, H)
    kill, growth, load : (n, H), growth taken off or apart as in `Courses`, (n, H) and (n, M)
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
    growth: FloatArray
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


def merged(
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
    for turn in range(settings.CURRENT.merge_rounds):
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
        if turn == settings.CURRENT.merge_rounds - 1 and full and precision.beyond == "join":
            joined[:] = True
        _credit(labels, to_go, leader, group[joined], open_rows[joined], loss[joined])
        open_rows = open_rows[~joined]
    rows = np.sort(np.concatenate([*leaders, open_rows]))
    if precision.beyond == "drop":
        rows = rows[: precision.most]
    elif (
        precision.beyond == "join"
        and len(rows) > precision.most
        and precision.width < settings.CURRENT.widest
    ):
        wider = replace(
            precision,
            tolerance=2.0 * precision.tolerance,
            width=2.0 * precision.width,
            kill_width=2.0 * precision.kill_width,
        )
        wider_merged, moved = merged(terms, stage, to_go, labels.take(rows), wider, barred)
        return wider_merged, moved + precision.kill_width
    return labels.take(rows), precision.kill_width


def _groups(terms: Terms, labels: Labels, precision: Precision, counted: bool) -> IntArray:
    """(n,) number of the group: nearly the same kill and loads, and what else must be kept.

        group(r) = group(l)  <=>  [kill / kill_width] and [load / width] are equal, rounded

    Growth beside the kill likewise.
    """
    columns = [
        np.floor(labels.kill / precision.kill_width + 0.5),
        np.floor(labels.load[:, : terms.organ_rows] / precision.width + 0.5),
    ]
    if terms.growth_apart and terms.repopulates:
        columns.append(np.floor(labels.growth / precision.kill_width + 0.5))
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
        for chunk in np.split(
            members, range(settings.CURRENT.label_chunk, len(members), settings.CURRENT.label_chunk)
        ):
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
    and reach, min of growth, loads, least doses and lymphocyte loss, so that the leader dominates
    every r.
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
    np.minimum.at(labels.growth, target, labels.growth[rows])
    np.minimum.at(labels.load, target, labels.load[rows])
    np.minimum.at(labels.least, target, labels.least[rows])
    np.minimum.at(labels.alc, target, labels.alc[rows])
    np.maximum.at(labels.last, target, labels.last[rows])  # regrowth up to it is paid for
    np.maximum.at(labels.reach, target, labels.reach[rows])
