"""Log burden of lesions whose control is a mean over radiosensitivities, on pieces of kill.

The burden U_j(S) of course j at a systemic kill S (M23) is neither convex nor concave in S, but it
falls, and no faster than H = max_c H_c per nat (P2). On a piece a <= S <= b therefore

    U_j(S) >= U_j(b)   and   U_j(S) >= U_j(a) - H (S - a),

two lines for each course with the same slope for all: rows over the chosen course. They are exact
at the ends of the piece, and refinement puts an end where the judge found S.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.optimizer.programme.constraints import pairs
from abscopt.optimizer.programme.linear import terms
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


def population_burden(model: Any, data: Data) -> None:
    """U[s, h] >= sum_j U_j(b) x[j], >= sum_j U_j(a) x[j] - H (S[h] - a), where piece[h, p] = 1.

    One pair of rows for each group of plans that act alike on tumors, active when one of them is
    chosen (or one over all pairs w).
    """
    if not data.spread:
        return
    kill_pieces(model, data)
    _, high = data.burden_range
    groups = data.groups if not data.paired else range(1)
    index = [(s, h, p, group) for s in data.spread for h, p in model.kill_piece for group in groups]
    ends = {h: ends_of(data, h) for h in data.horizons}

    def chosen(m: Any, s: int, h: int, kill: float, group: int) -> Any:
        burdens = data.population(s, h, kill)
        if data.paired and len(data.groups) > 1:
            return pairs.over_groups(m, data, burdens, data.pairs_of_lesion[s])
        members = data.of_lesion[s]
        return terms(burdens[group][members].tolist(), (m.x[j] for j in members))

    def slack(m: Any, s: int, h: int, p: int, group: int) -> Any:
        """0 where piece and group are chosen, else at least as much as a row can ask for."""
        low = float(data.burden_range[0][s, h])
        missed = 1 - m.kill_piece[h, p]
        if len(groups) > 1:
            missed = missed + 1 - data.chosen_group(m, group)
        return (float(high[s, h]) - low + data.steepest(s) * float(ends[h][-1])) * missed

    def at_end(m: Any, s: int, h: int, p: int, group: int) -> Any:
        burden = chosen(m, s, h, ends[h][p + 1], group)
        return m.total[s, h] >= burden - slack(m, s, h, p, group)

    def from_start(m: Any, s: int, h: int, p: int, group: int) -> Any:
        start = ends[h][p]
        burden = chosen(m, s, h, start, group) - data.steepest(s) * (m.kill[h] - start)
        return m.total[s, h] >= burden - slack(m, s, h, p, group)

    model.population_at_end = pyo.Constraint(index, rule=at_end)
    model.population_from_start = pyo.Constraint(index, rule=from_start)
