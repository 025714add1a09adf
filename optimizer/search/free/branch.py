"""Where a node is split: by systemic effect, by kill, by fraction numbers, or by days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.optimizer.search.free import settings

if TYPE_CHECKING:
    from abscopt.optimizer.search.free.bounds.multipliers import NodeBound
    from abscopt.optimizer.search.free.bounds.objective import NodeDomain


def split(domain: NodeDomain, lagrangian: NodeBound, excess: float) -> list[NodeDomain]:
    """Values of the nodes into which a node is split; none if that would not lower its bound.

    With u the burdens that the master mixes, phi^ and sat^ the majorants it valued them on, a split
    pays where the gaps at the mixture,

        loose_j = per_j sum_h [phi^(u_jh) - phi(u_jh)],
        above   = sum_j phi at sat^(Z) - sum_j phi at sat(Z) + loose of lesions at rest,

    are a fair share of the excess over the threshold: the effect of several lesions first, then
    kill if pursued and conceded courses are mixed, then fraction numbers, then kill. Fraction
    numbers are split until all are known, since few partial courses are alike before.
    """
    mixture, irradiated = lagrangian.mixture, len(domain.oracles)
    courses = mixture.kill[None], mixture.growth[None]
    counted = domain.worth(*courses, mixture.systemic[None])[0]
    saturated = immune.saturate(mixture.effect, domain.maximum)
    exact = domain.worth(*courses, saturated[None])[0]
    loose = mixture.worth - counted
    above = float(counted.sum() - exact.sum() + loose[irradiated:].sum())
    widths = domain.cell[1] - domain.cell[0]
    if widths.max() >= settings.CURRENT.narrow and above > settings.CURRENT.loose * excess:
        return _by_effect(domain, mixture.effect, np.abs(mixture.systemic - saturated))
    if loose[:irradiated].max() > settings.CURRENT.loose * excess:
        s = int(np.argmax(loose[:irradiated]))
        low, high = domain.spans[s].kill
        kill = domain.conceded_kill(s, mixture.systemic, mixture.growth[s])
        if low + 0.5 < kill < high - 0.5:
            return _by_kill(domain, s, kill, 0.0)
    by_count = _by_count(domain, lagrangian)
    if by_count:
        return by_count
    kills = [span.kill[1] - span.kill[0] >= settings.CURRENT.narrow for span in domain.spans]
    s = int(np.argmax(np.where(kills, loose[:irradiated], -np.inf)))
    if kills[s] and loose[s] > settings.CURRENT.loose * excess:
        return _by_kill(domain, s, float(mixture.kill[s, -1]))
    return _by_open_count(domain, lagrangian)


def divided(domain: NodeDomain, lagrangian: NodeBound) -> list[NodeDomain]:
    """A node in two that are explored more easily; none if its courses are all alike.

    By the day t of a lesion where min(g_t, 1 - g_t) is greatest, with g_t = sum_c x_c [fraction on
    t] the share of the mixture that has a fraction on it (most fractional branching); else by kill.
    """
    best, where = settings.CURRENT.mixed_day, None
    for s, (oracle, span, courses, w) in enumerate(
        zip(
            domain.oracles,
            domain.spans,
            lagrangian.pool.courses,
            lagrangian.mixture.weights,
            strict=True,
        )
    ):
        dosed = w @ (oracle.levels(courses.actions) > 0)
        mixed = np.minimum(dosed, 1.0 - dosed)
        mixed[[*span.taken, *span.skipped]] = 0.0  # the empty course is in every pool
        day = int(mixed.argmax())
        if mixed[day] > best:
            best, where = float(mixed[day]), (s, day)
    if where is not None:
        return _by_day(domain, *where)
    widths = [span.kill[1] - span.kill[0] for span in domain.spans]
    s = int(np.argmax(widths))
    return (
        []
        if widths[s] < settings.CURRENT.narrow
        else _by_kill(domain, s, float(lagrangian.mixture.kill[s, -1]))
    )


def _by_count(domain: NodeDomain, lagrangian: NodeBound) -> list[NodeDomain]:
    options = []
    for s, (span, count) in enumerate(zip(domain.spans, lagrangian.mixture.count, strict=True)):
        least_count, most_count = span.count
        lower = math.floor(count + 1e-6)
        if least_count < most_count and (
            count - lower > settings.CURRENT.fractional or least_count < lower < most_count
        ):
            apart = min(count - lower, lower + 1 - count)
            options.append((-apart, s, lower))
    return _at_count(domain, *min(options)[1:]) if options else []


def _by_open_count(domain: NodeDomain, lagrangian: NodeBound) -> list[NodeDomain]:
    for s, (span, count) in enumerate(zip(domain.spans, lagrangian.mixture.count, strict=True)):
        if span.count[0] < span.count[1]:
            return _at_count(domain, s, round(count))
    return []


def _at_count(domain: NodeDomain, s: int, lower: int) -> list[NodeDomain]:
    """At most so many fractions, or more."""
    least_count, most_count = domain.spans[s].count
    lower = min(max(lower, least_count), most_count - 1)
    return [
        domain.with_span(s, count=count)
        for count in ((least_count, lower), (lower + 1, most_count))
    ]


def _by_day(domain: NodeDomain, s: int, day: int) -> list[NodeDomain]:
    """No fraction of a lesion on a day, or one."""
    span = domain.spans[s]
    least_count, most_count = span.count
    taken = (*span.taken, day)
    return [
        domain.with_span(s, skipped=(*span.skipped, day)),
        domain.with_span(s, taken=taken, count=(max(least_count, len(taken)), most_count)),
    ]


def _by_kill(
    domain: NodeDomain, s: int, kill: float, edge: float | None = None
) -> list[NodeDomain]:
    low, high = domain.spans[s].kill
    edge = (settings.CURRENT.edge if edge is None else edge) * (high - low)
    middle = min(max(kill, low + edge), high - edge)
    return [domain.with_span(s, kill=kill) for kill in ((low, middle), (middle, high))]


def _by_effect(domain: NodeDomain, effect: FloatArray, error: FloatArray) -> list[NodeDomain]:
    """Two cells, split at the horizon where the effect was taken for more than it is.

    A little below what is mixed, so that the lower cell loses by more than the width of the upper.
    """
    widths = domain.cell[1] - domain.cell[0]
    h = int(np.where(widths >= settings.CURRENT.narrow, error, -1.0).argmax())
    edge = settings.CURRENT.edge * min(float(widths[h]), 1.0)
    middle = min(
        max(math.log(effect[h]) - edge, domain.cell[0, h] + edge), domain.cell[1, h] - edge
    )
    lower, upper = domain.cell.copy(), domain.cell.copy()
    lower[1, h] = upper[0, h] = middle
    return [domain.within(domain.spans, cell) for cell in (lower, upper)]
