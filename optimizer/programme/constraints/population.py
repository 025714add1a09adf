"""Log burden of lesions whose control is a mean over radiosensitivities, on pieces of kill.

The burden U_j(S) of course j at a systemic kill S (M23) is neither convex nor concave in S, but it
falls, and no faster than H = max_c H_c per nat (P2). On a piece a <= S <= b therefore

    U_j(S) >= U_j(b)   and   U_j(S) >= U_j(a) - H (S - a),

two lines for each course with the same slope for all: rows over the chosen course. They are exact
at the ends of the piece, and refinement puts an end where the judge found S. A course without
credit for systemic effect (burden rule) keeps U_j(0) whatever S is: both lines hold with U_j(0).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.optimizer.ids import PlanId
from abscopt.optimizer.programme.arrays.linear import terms
from abscopt.optimizer.programme.constraints import pairs
from abscopt.optimizer.programme.constraints.outcome import may_lose_credit
from abscopt.optimizer.programme.margins import INSIDE

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data

FIRST_WIDTH = 0.5
"""Nats of kill of a piece to begin with; the lines lie at most half of it times H below the burden.
Narrower pieces make the first programme larger, wider ones cost rounds."""

MOST_PIECES = 12
"""Pieces to begin with: each has two rows of all courses of a lesion."""


def ends_of(data: Data, h: int) -> list[float]:
    """Ends of the pieces of kill at a horizon, from 0 to the greatest kill, increasing."""
    greatest = float(data.greatest_kill[h])
    number = min(MOST_PIECES, math.ceil(greatest / FIRST_WIDTH))
    inner = [*np.linspace(0.0, greatest, number + 1)[1:-1].tolist(), *data.refinement.kills]
    return [0.0, *sorted(kill for kill in inner if INSIDE < kill < greatest - INSIDE), greatest]


def kill_pieces(model: Any, data: Data) -> None:
    """sum_p piece[h, p] = 1, S[h] <= sum_p b_p piece[h, p]: the piece that holds the kill."""
    ends = {h: ends_of(data, h) for h in data.horizons}
    index = [(h, p) for h in data.horizons for p in range(len(ends[h]) - 1)]
    model.kill_piece = pyo.Var(index, domain=pyo.Binary)

    def total(m: Any, h: int, worth: list[float]) -> Any:
        return sum(value * m.kill_piece[h, p] for p, value in enumerate(worth))

    model.one_kill_piece = pyo.Constraint(
        data.horizons, rule=lambda m, h: total(m, h, [1.0] * (len(ends[h]) - 1)) == 1
    )
    model.kill_of_pieces = pyo.Constraint(
        data.horizons, rule=lambda m, h: m.kill[h] <= total(m, h, ends[h][1:])
    )


def alike(data: Data, s: int) -> list[list[PlanId]]:
    """Plans under which all courses of a lesion have the same burdens and credit."""
    credit = data.columns.credit[:, data.of_lesion[s]]
    ruled = may_lose_credit(data, s)
    sets: dict[tuple[int, bytes], list[PlanId]] = {}
    for k in data.plan_ids:
        key = int(data.group[k]), credit[k].tobytes() if ruled else b""
        sets.setdefault(key, []).append(k)
    return [sets[key] for key in sorted(sets)]


def population_burden(model: Any, data: Data) -> None:
    """U[s, h] >= sum_j U_j(b) x[j], >= sum_j U_j(a) x[j] - H (S[h] - a), where piece[h, p] = 1.

    One pair of rows for each set of plans that act alike on the tumor, active when one of them is
    chosen (or one over all pairs w). Courses that the burden rule denies their credit have U_j(0)
    in both.
    """
    if not data.spread:
        return
    kill_pieces(model, data)
    _, high = data.burden_range
    sets = {s: alike(data, s) for s in data.spread}
    index = [
        (s, h, p, i)
        for s in data.spread
        for h, p in model.kill_piece
        for i in range(1 if data.paired else len(sets[s]))
    ]
    ends = {h: ends_of(data, h) for h in data.horizons}

    def chosen(m: Any, s: int, h: int, kill: float, i: int) -> Any:
        burdens = data.population(s, h, kill)[data.group]
        if may_lose_credit(data, s):
            uncredited = data.population(s, h, 0.0)[data.group]
            burdens = np.where(data.columns.credit, burdens, uncredited)
        if data.paired and len(sets[s]) > 1:
            column, plan = data.pairs
            return pairs.weighted(m, data, burdens[plan, column], data.pairs_of_lesion[s])
        members = data.of_lesion[s]
        return terms(burdens[sets[s][i][0]][members].tolist(), (m.x[j] for j in members))

    def slack(m: Any, s: int, h: int, p: int, i: int) -> Any:
        """0 where piece and plans are chosen, else at least as much as a row can ask for."""
        low = float(data.burden_range[0][s, h])
        missed = 1 - m.kill_piece[h, p]
        if not data.paired and len(sets[s]) > 1:
            missed = missed + 1 - sum(data.chosen(m, k) for k in sets[s][i])
        return (float(high[s, h]) - low + data.steepest(s) * float(ends[h][-1])) * missed

    def at_end(m: Any, s: int, h: int, p: int, i: int) -> Any:
        burden = chosen(m, s, h, ends[h][p + 1], i)
        return m.total[s, h] >= burden - slack(m, s, h, p, i)

    def from_start(m: Any, s: int, h: int, p: int, i: int) -> Any:
        start = ends[h][p]
        burden = chosen(m, s, h, start, i) - data.steepest(s) * (m.kill[h] - start)
        return m.total[s, h] >= burden - slack(m, s, h, p, i)

    model.population_at_end = pyo.Constraint(index, rule=at_end)
    model.population_from_start = pyo.Constraint(index, rule=from_start)
