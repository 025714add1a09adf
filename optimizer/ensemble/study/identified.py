"""Which decisions the ensemble identifies, and what it costs to fix each of them.

To fix a decision to v costs a member the difference between the best schedule of that member and
the best one that decides v; the regret of v is the largest such cost. It is found lazily: schedules
that are known bound it from above, and the member with the largest bound is solved with the
decision fixed, until the largest is exact (within the gap) or nothing (P17).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from abscopt.optimizer.ensemble.study.decisions import (
    Decision,
    Value,
    decided,
    decisions,
    fixed,
    holds,
)
from abscopt.optimizer.progress import Stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ensemble.study.optima import Optima, Solves
    from abscopt.optimizer.ensemble.study.pool import Pool
    from abscopt.optimizer.schedule import Schedule

Verdict = Literal["identified", "not identified", "does not matter", "open"]


@dataclass(frozen=True)
class Fixed:
    """One value of a decision.

    Attributes
    ----------
    share : weight of the members whose own optimum decides so
    regret : at most so much is lost in any member by deciding so; infinite where a member has no
        such schedule
    at_least : at least so much is lost in some member
    settled : whether both agree within the gap of the solves
    """

    value: Value
    share: float
    regret: float
    at_least: float
    settled: bool


@dataclass(frozen=True)
class Identified:
    """A decision across the members; `values` begin with the one that most members choose."""

    decision: Decision
    values: tuple[Fixed, ...]
    of_schedule: Value
    of_standard: Value
    verdict: Verdict

    @property
    def alternative(self) -> Fixed | None:
        """Of the other values the one that costs least where it costs most."""
        return min(self.values[1:], key=lambda value: value.regret, default=None)


def identify(
    pool: Pool,
    optima: Optima,
    solves: Solves,
    schedule: Schedule,
    standard: Schedule | None,
    negligible: float,
    matters: float,
    exact: bool,
) -> tuple[Identified, ...]:
    """Identification table of an ensemble.

    Where a member was not solved as far as was asked every verdict is open.

    Parameters
    ----------
    negligible, matters : regret up to which nothing is solved, and above which a decision matters
    exact : solve members with decisions fixed; else regrets are bounded by the pool alone
    """
    table = []
    for decision in decisions(pool.ensemble.case):
        shares = _shares(pool, optima, decision)
        case = pool.ensemble.case
        extra = [decided(decision, x, case) for x in (schedule, standard) if x is not None]
        candidates = list(dict.fromkeys([*shares, *extra]))
        values = [
            _fixed(pool, solves, decision, value, shares.get(value, 0.0), negligible, exact)
            for value in (candidates if len(candidates) > 1 else ())
        ]
        if len(candidates) == 1:
            values = [Fixed(candidates[0], shares.get(candidates[0], 0.0), 0.0, 0.0, True)]
        values.sort(key=lambda x: (-x.share, x.regret))
        ends = extra[1] if standard is not None else None
        word = verdict(values, matters) if optima.complete else "open"
        table.append(Identified(decision, tuple(values), extra[0], ends, word))
    return tuple(table)


def verdict(values: Sequence[Fixed], matters: float) -> Verdict:
    """What the regrets of the values say.

    All at most `matters`: it does not matter. The least at most `matters`: identified, for that
    value may be fixed whatever the member. Above: not identified. Where only bounds are known that
    could say either: open.
    """
    if not values:
        return "open"
    if all(value.regret <= matters for value in values):
        return "does not matter" if len(values) > 1 else "identified"
    costly = [value for value in values if value.regret > matters]
    surely = [value for value in costly if value.settled or value.at_least > matters]
    if len(costly) < len(values):
        return "identified" if surely else "open"
    return "not identified" if len(surely) == len(values) else "open"


def _shares(pool: Pool, optima: Optima, decision: Decision) -> dict[Value, float]:
    """Weight of the members that choose each value, the greatest first."""
    case, total = pool.ensemble.case, 0.0
    shares: dict[Value, float] = {}
    for member, optimum in zip(pool.ensemble.members, optima.schedules, strict=True):
        if optimum is not None:
            value = decided(decision, optimum, case)
            shares[value] = shares.get(value, 0.0) + member.weight
            total += member.weight
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return {value: weight / total for value, weight in ordered}


def _fixed(
    pool: Pool,
    solves: Solves,
    decision: Decision,
    value: Value,
    share: float,
    negligible: float,
    exact: bool,
) -> Fixed:
    """Regret of one value, as exactly as time allows."""
    solved: dict[int, float] = {}
    while True:
        upper = _upper(pool, decision, value)
        worst = int(np.argmax(upper))
        regret = float(upper[worst])
        best = pool.best
        lower = max((best[k] - bound for k, bound in solved.items()), default=0.0)
        settled = regret <= negligible or worst in solved
        if settled or not exact or solves.stopped:
            return Fixed(value, share, regret, min(max(0.0, lower), regret), settled)
        try:
            solved[worst] = _solved(pool, solves, decision, value, worst)
        except Stopped:
            continue


def _upper(pool: Pool, decision: Decision, value: Value) -> FloatArray:
    """(members,) most that each loses by a decision, by the schedules that are known.

    A member in which no schedule keeps its limits loses nothing.
    """
    rows = [holds(decision, value, x, pool.ensemble.case) for x in pool.schedules]
    within = pool.kept_values[np.array(rows, dtype=bool)]
    best = pool.best
    loss = np.full(len(best), math.inf)
    with_value = within.max(axis=0, initial=-math.inf)
    finite = np.isfinite(with_value)
    loss[finite] = best[finite] - with_value[finite]
    loss[~np.isfinite(best)] = 0.0
    return loss


def _solved(pool: Pool, solves: Solves, decision: Decision, value: Value, member: int) -> float:
    """Bound of a member with a decision fixed; its answer joins the pool."""
    case = fixed(pool.ensemble.members[member].instance, decision, value)
    if case is None:
        return -math.inf
    label = f"{decision.name} {decision.words(value)}, {pool.ensemble.members[member].name}"
    start = _start(pool, decision, value, member)
    result = solves.solve(case, label, solves.clock.remaining, start)
    if result.schedule is not None:
        pool.add(result.schedule)
    if result.status == "infeasible":
        return -math.inf
    return math.inf if result.bound is None else result.bound


def _start(pool: Pool, decision: Decision, value: Value, member: int) -> Schedule | None:
    """Best schedule of a member that decides so, if any is known."""
    column = pool.kept_values[:, member]
    rows = [
        (float(column[i]), i)
        for i, schedule in enumerate(pool.schedules)
        if np.isfinite(column[i]) and holds(decision, value, schedule, pool.ensemble.case)
    ]
    return pool.schedules[max(rows)[1]] if rows else None
