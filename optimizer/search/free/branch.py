"""Where a node is split: by systemic effect, by kill, by fraction numbers, or by days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune, outcome
from abscopt.models.arrays import FloatArray

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.multipliers import Priced
    from abscopt.optimizer.search.free.objective import Value


NARROW = 0.02
LOOSE = 0.3
FRACTIONAL = 0.02
EDGE = 0.25
MIXED = 0.1


def split(value: Value, found: Priced, excess: float) -> list[Value]:
    """Values of the nodes into which a node is split; none if that would not lower its bound.

    With u the burdens that the master mixes, phi^ and sat^ the majorants it valued them on, a split
    pays where the gaps at the mixture,

        loose_j = per_j sum_h [phi^(u_jh) - phi(u_jh)],
        above   = sum_j phi at sat^(Z) - sum_j phi at sat(Z) + loose of lesions at rest,

    are a fair share of the excess over the threshold: the effect of several lesions first, then
    kill if pursued and conceded courses are mixed, then fraction numbers, then kill. Fraction
    numbers are split until all are known, since few partial courses are alike before.
    """
    mixture, parts = found.mixture, len(value.parts)
    taken = value.worth(mixture.kill[None], mixture.systemic[None])[0]
    true = immune.saturate(mixture.effect, value.maximum)
    exact = value.worth(mixture.kill[None], true[None])[0]
    loose = mixture.worth - taken
    above = float(taken.sum() - exact.sum() + loose[parts:].sum())
    widths = value.cell[1] - value.cell[0]
    if widths.max() >= NARROW and above > LOOSE * excess:
        return _by_effect(value, mixture.effect, np.abs(mixture.systemic - true))
    if loose[:parts].max() > LOOSE * excess:
        s = int(np.argmax(loose[:parts]))
        low, high = value.spans[s].kill
        conceded = outcome.concession_burden(value.goal.conceded_at_nats)
        burden = value.whole.local[s] - value.whole.share[s] * mixture.systemic
        kill = float((burden - conceded)[-1])
        if low + 0.5 < kill < high - 0.5:
            return _by_kill(value, s, kill, 0.0)
    by_count = _by_count(value, found)
    if by_count:
        return by_count
    kills = [span.kill[1] - span.kill[0] >= NARROW for span in value.spans]
    s = int(np.argmax(np.where(kills, loose[:parts], -np.inf)))
    if kills[s] and loose[s] > LOOSE * excess:
        return _by_kill(value, s, float(mixture.kill[s, -1]))
    return _by_open_count(value, found)


def divided(value: Value, found: Priced) -> list[Value]:
    """A node in two that are explored more easily; none if its courses are all alike.

    By the day t of a lesion where min(g_t, 1 - g_t) is greatest, with g_t = sum_c x_c [fraction on
    t] the share of the mixture that has a fraction on it (most fractional branching); else by kill.
    """
    best, where = MIXED, None
    for s, (part, span, one, w) in enumerate(
        zip(value.parts, value.spans, found.pool.courses, found.mixture.weights, strict=True)
    ):
        given = w @ (part.levels(one.actions) > 0)
        mixed = np.minimum(given, 1.0 - given)
        mixed[[*span.taken, *span.left]] = 0.0  # the empty course is in every pool
        day = int(mixed.argmax())
        if mixed[day] > best:
            best, where = float(mixed[day]), (s, day)
    if where is not None:
        return _by_day(value, *where)
    widths = [span.kill[1] - span.kill[0] for span in value.spans]
    s = int(np.argmax(widths))
    return [] if widths[s] < NARROW else _by_kill(value, s, float(found.mixture.kill[s, -1]))


def _by_count(value: Value, found: Priced) -> list[Value]:
    options = []
    for s, (span, count) in enumerate(zip(value.spans, found.mixture.count, strict=True)):
        few, many = span.count
        whole = math.floor(count + 1e-6)
        if few < many and (count - whole > FRACTIONAL or few < whole < many):
            apart = min(count - whole, whole + 1 - count)
            options.append((-apart, s, whole))
    return _at_count(value, *min(options)[1:]) if options else []


def _by_open_count(value: Value, found: Priced) -> list[Value]:
    for s, (span, count) in enumerate(zip(value.spans, found.mixture.count, strict=True)):
        if span.count[0] < span.count[1]:
            return _at_count(value, s, round(count))
    return []


def _at_count(value: Value, s: int, whole: int) -> list[Value]:
    """At most so many fractions, or more."""
    few, many = value.spans[s].count
    whole = min(max(whole, few), many - 1)
    return [value.with_span(s, count=count) for count in ((few, whole), (whole + 1, many))]


def _by_day(value: Value, s: int, day: int) -> list[Value]:
    """No fraction of a part on a day, or one."""
    span = value.spans[s]
    few, many = span.count
    taken = (*span.taken, day)
    return [
        value.with_span(s, left=(*span.left, day)),
        value.with_span(s, taken=taken, count=(max(few, len(taken)), many)),
    ]


def _by_kill(value: Value, s: int, kill: float, edge: float = EDGE) -> list[Value]:
    low, high = value.spans[s].kill
    edge = edge * (high - low)
    middle = min(max(kill, low + edge), high - edge)
    return [value.with_span(s, kill=kill) for kill in ((low, middle), (middle, high))]


def _by_effect(value: Value, effect: FloatArray, error: FloatArray) -> list[Value]:
    """Two cells, split at the horizon where the effect was taken for more than it is.

    A little below what is mixed, so that the lower cell loses by more than the width of the upper.
    """
    widths = value.cell[1] - value.cell[0]
    h = int(np.where(widths >= NARROW, error, -1.0).argmax())
    edge = EDGE * min(float(widths[h]), 1.0)
    middle = min(max(math.log(effect[h]) - edge, value.cell[0, h] + edge), value.cell[1, h] - edge)
    lower, upper = value.cell.copy(), value.cell.copy()
    lower[1, h] = upper[0, h] = middle
    return [value.within(value.spans, cell) for cell in (lower, upper)]
