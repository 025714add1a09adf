"""Prices that show that no choice keeps the hard rows (Farkas).

For every y >= 0, each schedule x that keeps the rows A x <= r has y.(r - A x) >= 0, so

    y.r + sum_s max_j [ -y.A_j ] >= 0          (j over the courses that lesion s may still have).

Where some y makes the left side negative, nothing is feasible, whatever the systemic effect. Such
a y comes from the linear program

    minimize sum_r e_r   subject to   sum_j A_rj x_j - e_r <= right_r,  sum_{j of s} x_j = 1,

by column generation (Dantzig and Wolfe 1960, phase one); its left side is computed anew here, so
that no tolerance of the solver enters the proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.highs.solver import ColumnMaster
from abscopt.optimizer.ids import KindIds
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive, PlanSet
    from abscopt.optimizer.search.uniform.bounds.pricing import LesionPricing


LEAST = 1e-6
"""Violation, in parts of caps, below which rounding could explain it."""
CLOSE = 1e-9


def farkas_prices(plans: PlanSet, alive: Alive) -> FloatArray | None:
    """Prices y (rows,) between 0 and 1 of the hard rows that show infeasibility; None if none do.

    y . r + sum_s max_j [ - y . A_j ] < 0 (Farkas 1902); y are duals of the phase-one master

        minimize sum_r e_r,  sum_c A[r, c] x_c - e_r <= r_r,  sum_(c of s) x_c = 1.
    """
    rows = plans.rows
    hard = np.flatnonzero(rows.family < 0)
    if not len(hard) or not all(
        (mask & courses.usable).any() for mask, courses in _lesions(plans, alive)
    ):
        return None
    lesions = len(alive)
    master = ColumnMaster(
        np.concatenate([np.ones(lesions), np.full(len(hard), -np.inf)]),
        np.concatenate([np.ones(lesions), rows.right[hard]]),
    )
    excess = np.concatenate([np.zeros((len(hard), lesions)), -np.eye(len(hard))], axis=1)
    master.add(-np.ones(len(hard)), excess)
    columns: list[set[tuple[int, int]]] = [set() for _ in alive]
    price = np.zeros(len(rows.right))
    for _ in range(settings.CURRENT.most_rounds):
        prices = _of_rows(plans, price)
        terms = plans.terms([prices], alive)
        farkas_value = float(price @ rows.right) + sum(
            float(term[0].max(initial=-np.inf)) for term in terms
        )
        if farkas_value < -LEAST:
            return price
        added = sum(
            _add(plans, master, s, term[0], prices, columns[s], hard)
            for s, term in enumerate(terms)
        )
        if not added:
            return None
        dual = master.duals()
        if master.objective > -CLOSE:
            return None
        price = np.zeros(len(rows.right))
        price[hard] = np.clip(dual[lesions:], 0.0, 1.0)
    return None


def _lesions(plans: PlanSet, alive: Alive) -> Iterator[tuple[BoolArray, LesionPricing]]:
    return zip(alive, plans.courses, strict=True)


def _of_rows(plans: PlanSet, price: FloatArray) -> DualPrices:
    """Prices of rows alone."""
    zero = np.zeros(plans.horizons)
    return DualPrices(price, zero, zero, 0.0)


def _add(
    plans: PlanSet,
    master: ColumnMaster,
    s: int,
    term: FloatArray,
    prices: DualPrices,
    columns: set[tuple[int, int]],
    hard: IntArray,
) -> int:
    """Add the courses of a lesion that load the priced rows least; how many are new.

    Pricing problem max_c [ - y . A_c ], the best pattern for each of the kinds of greatest `term`;
    a column is the unit vector of s (lesions,) over A[hard, c] (hard rows,), at cost 0.
    """
    kinds = np.argsort(-term, kind="stable")[: settings.CURRENT.new_columns]
    kinds = KindIds(np.sort(kinds[np.isfinite(term[kinds])]))
    if not len(kinds):
        return 0
    patterns = plans.courses[s].best(kinds, prices)
    fresh = [
        i
        for i, pair in enumerate(zip(kinds.tolist(), patterns.tolist(), strict=True))
        if pair not in columns
    ]
    kinds, patterns = kinds[fresh], patterns[fresh]
    course, load, _, _ = plans.courses[s].columns(kinds, patterns)
    allowed = course >= 0
    columns.update(zip(kinds[allowed].tolist(), patterns[allowed].tolist(), strict=True))
    unit = np.zeros((int(allowed.sum()), len(plans.courses)))
    unit[:, s] = 1.0
    if len(unit):
        master.add(np.zeros(len(unit)), np.concatenate([unit, load[allowed][:, hard]], axis=1))
    return len(unit)
