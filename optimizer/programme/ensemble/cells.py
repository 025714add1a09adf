"""Uniform courses: what a member's choice is worth, on cells of its systemic effect.

With t = ln Z at a horizon below tangents (`pairs.log_effect`) and edges e_0 < ... < e_P of cells,
delta_q = 1 says that t reaches e_q. A value rises with t, so that a choice w of pairs in the cell
below e_p is worth at most what it is at e_p. For every cell p, of all lesions together,

    V[h] <= sum_i phi_i(e_p) w_i + sum_(q > p) D_q delta_(q-1)
    D_q = sum_s max_(i of s) [phi_i(e_q) - phi_i(e_(q-1))]

    t >= e_0 + (e_q - e_0) delta_q,    delta_(q+1) <= delta_q
    t >= e_0 + sum_q (e_q - e_(q-1)) delta_q

Once courses and plan are chosen, the rows leave one value: members are not branched on one by one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune
from abscopt.models.tumor.population import population_log_burden
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.programme.arrays.linear import terms
from abscopt.optimizer.programme.constraints import organs, pairs
from abscopt.optimizer.programme.margins import INSIDE, RANGE_MARGIN
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.optimizer.programme.data import Data

BEYOND = 1e-5
"""By how much [nat of ln Z] an edge lies beyond a judged effect: ten times a solver's tolerance."""


def edges(data: Data, h: int) -> list[float]:
    """Edges of the cells at a horizon, from the least ln Z to the greatest.

    Those of judged effects Z lie beyond what tangents of ln Z there may add (`pairs.log_effect`):
    1e-6 e^(greatest A) / Z at most, which moves the kill by no more than 1e-6 e^(greatest A).
    """
    lowest, greatest = pairs.log_range(data)
    low, high = float(lowest[h].min()) - RANGE_MARGIN, float(greatest[h].max()) + RANGE_MARGIN
    room = room_of(data)
    inner = [math.log(z) + BEYOND + room / z for z in data.refinement.effects if z > 0]
    return [low, *sorted(t for t in inner if low + INSIDE < t < high - INSIDE), high]


def room_of(data: Data) -> float:
    """Nats by which tangents of ln Z may overstate the kill: 1e-6 e^(greatest A)."""
    greatest_loss = sum(data.columns.loss[:, c].max(axis=1) for c in data.of_lesion.values())
    return pairs.LEAST_EFFECT * float(np.exp(np.max(greatest_loss)))


def values(data: Data, h: int, log_effect: float) -> FloatArray:
    """(pairs,) what each course is worth under its plan at an effect: its lesion's part of V[h]."""
    kill = _kill(data, log_effect)
    worth = np.zeros(len(data.pairs[0]))
    for s, members in data.pairs_of_lesion.items():
        lesion, local, share = data.instance.lesions[s], *_burdens(data, s, h)
        worth[members] = (lesion.weight / len(data.horizons)) * lesion_value(
            data.instance.objective,
            lesion.sensitivities[1],
            local[:, None, :],
            share,
            np.full((len(members), 1), kill),
        )
    return worth


def _kill(data: Data, log_effect: float) -> float:
    return float(immune.saturate(math.exp(log_effect), data.instance.immune.effect_maximum_nats))


def _burdens(data: Data, s: int, h: int) -> tuple[FloatArray, FloatArray]:
    """(pairs of a lesion, tumors) log burdens without systemic effect, and shares of it."""
    members = data.pairs_of_lesion[s]
    column, plan = (of_pairs[members] for of_pairs in data.pairs)
    lesion, columns = data.instance.lesions[s], data.columns
    size = len(lesion.sensitivities[1]) * len(lesion.populations)
    local = columns.local[data.group[plan], column, h, :size]
    return local, columns.share[s, :size] * columns.credit[plan, column][:, None]


def outcome_in_cells(model: Any, data: Data, demanding: bool) -> Any:
    """State V[h] of one parameter set; the sum of them, less what soft limits cost."""
    pairs.summed_effect(model, data)
    pairs.log_effect(model, data)
    cells = {h: edges(data, h) for h in data.horizons}
    inner = [(h, q) for h, of_horizon in cells.items() for q in range(1, len(of_horizon) - 1)]
    model.reached = pyo.Var(inner, domain=pyo.Binary)
    model.reached_alone = pyo.Constraint(
        inner,
        rule=lambda m, h, q: (
            m.log_effect[h] >= cells[h][0] + (cells[h][q] - cells[h][0]) * m.reached[h, q]
        ),
    )
    model.reached_in_turn = pyo.Constraint(
        [(h, q) for h, q in inner if q > 1],
        rule=lambda m, h, q: m.reached[h, q] <= m.reached[h, q - 1],
    )
    model.reached_together = pyo.Constraint(
        [h for h in data.horizons if len(cells[h]) > 2],
        rule=lambda m, h: (
            m.log_effect[h]
            >= cells[h][0]
            + sum((cells[h][q] - cells[h][q - 1]) * m.reached[h, q] for i, q in inner if i == h)
        ),
    )
    model.worth = pyo.Var(data.horizons)
    tables = {h: [values(data, h, t) for t in of_horizon[1:]] for h, of_horizon in cells.items()}
    rows = [(h, p) for h in data.horizons for p in range(len(tables[h]))]

    def beneath(m: Any, h: int, p: int) -> Any:
        table = tables[h]
        chosen = terms(table[p].tolist(), m.pair.values())
        more = sum(
            _most_more(data, table[q] - table[q - 1]) * m.reached[h, q]
            for q in range(p + 1, len(table))
        )
        return m.worth[h] <= chosen + more

    model.worth_in_cell = pyo.Constraint(rows, rule=beneath)
    if demanding:
        _demanded_control(model, data, cells[data.horizons[-1]])
    return sum(model.worth[h] for h in data.horizons) - organs.soft_cost(data, model)


def _most_more(data: Data, rise: FloatArray) -> float:
    """sum over lesions of the greatest rise of one of its pairs."""
    return sum(float(rise[members].max(initial=0.0)) for members in data.pairs_of_lesion.values())


def _demanded_control(model: Any, data: Data, cells: list[float]) -> None:
    """sum of pairs too poor in a cell <= 1 if t gets beyond it, for lesions that demand control.

    A pair is too poor in cell p if its log burden at e_(p+1) exceeds what is allowed.
    """
    last = data.horizons[-1]
    rows: list[tuple[int, list[int]]] = []
    for s, lesion in enumerate(data.instance.lesions):
        if lesion.most_log_burden is None:
            continue
        tick()
        local, share = _burdens(data, s, last)
        for p, upper in enumerate(cells[1:]):
            burden = population_log_burden(
                local - share * _kill(data, upper), lesion.sensitivities[1]
            )
            poor = data.pairs_of_lesion[s][burden > lesion.most_log_burden]
            rows.append((p, poor.tolist()))
    rows = [(p, poor) for p, poor in rows if poor]

    def rule(m: Any, i: int) -> Any:
        p, poor = rows[i]
        beyond = m.reached[last, p + 1] if p + 2 < len(cells) else 0.0
        return sum(m.pair[j] for j in poor) <= beyond

    model.demanded_control = pyo.Constraint(range(len(rows)), rule=rule)
