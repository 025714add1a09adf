"""Which plans of a set some combinations of kinds leave: each plan with its own effects.

Plans alike are bounded together by the best of each coefficient, which no plan has by itself. Where
few combinations of kinds are left, what their courses do under each plan is a small table, and
all plans are looked at alone at once, instead of halving the set until one is left.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.candidates.by_rows import effects_of
from abscopt.optimizer.candidates.systemic.plans import allowed_patterns
from abscopt.optimizer.ids import PlanId, PlanIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.bounds.prices import DualPrices
from abscopt.optimizer.search.uniform.leaves.leaf import BOUND_SAFETY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abscopt.models.arrays import IntArray
    from abscopt.optimizer.search.uniform.bounds.plan_set import Alive
    from abscopt.optimizer.search.uniform.leaves.combinations import Combinations


class ByPlan:
    """Combinations of kinds that were above with the best of all plans, under each plan alone.

    Attributes
    ----------
    rows : (n, lesions) combinations, as places among the kinds
    value : (plans, n) none of their schedules is better; -inf where they reach no cell
    """

    def __init__(self, combinations: Combinations):
        """value[k, r] = sum_s v_s(Z_k(r)) - cost for Z within some cell."""
        self.combinations, self.rows = combinations, combinations.above
        self.plans = combinations.dual.set.plans
        log_kill = _log_kills(combinations, PlanIds(np.array(self.plans)), self.rows)
        self.value = np.full(log_kill.shape[:2], -np.inf)
        for of_plan, value in zip(log_kill, self.value, strict=True):
            inside = combinations.inside(of_plan)
            value[inside] = combinations.value(self.rows[inside], of_plan[inside]) + BOUND_SAFETY

    def plans_above(self, threshold: float) -> tuple[PlanId, ...]:
        """Plans under which some combination may be above a threshold."""
        highest = self.value.max(axis=1, initial=-np.inf)
        return tuple(
            k for k, value in zip(self.plans, highest.tolist(), strict=True) if value > threshold
        )

    def best(self) -> Iterator[tuple[PlanId, Alive]]:
        """Combinations as kinds alive, each with its best plan, by falling value."""
        highest, kinds = self.value.max(axis=0), self.combinations.kinds
        for i in np.argsort(-highest, kind="stable"):
            alive = tuple(np.zeros(len(c.kinds), bool) for c in self.combinations.dual.set.courses)
            for s, mask in enumerate(alive):
                mask[kinds[s][self.rows[i, s]]] = True
            yield self.plans[int(self.value[:, i].argmax())], alive


def by_plan(combinations: Combinations) -> ByPlan | None:
    """Values of what combinations left, by plan; None where that costs much."""
    plan_set, rows = combinations.dual.set, combinations.above
    courses = sum(
        int(np.isin(shared.kinds.of, combinations.kinds[s][np.unique(rows[:, s])]).sum())
        for s, shared in enumerate(plan_set.shared)
    )
    costly = len(plan_set.plans) * (courses + len(rows)) > settings.CURRENT.screened
    return None if costly or not combinations.log_levels.size else ByPlan(combinations)


def _log_kills(combinations: Combinations, plans: PlanIds, rows: IntArray) -> FloatArray:
    """(plans, n, horizons) ln of the greatest effect of rows r of kinds under each plan k alone.

    log_kill[k, r, h] = min_l [ ln G_l - 1 + ground/G_l - chemo_k + sum_s term_k[kind of r, h, l] ]
    """
    plan_set, levels = combinations.dual.set, combinations.log_levels
    chemo = plan_set.candidates.plan_effects.chemotherapy_log_loss[plans]
    offset = levels - 1.0 + combinations.dual.ground[:, None] * np.exp(-levels)
    total = np.zeros((len(plans), len(rows), *levels.shape)) + offset
    total -= chemo[:, None, None, None]
    for s in range(rows.shape[1] if len(rows) else 0):
        places, of = np.unique(rows[:, s], return_inverse=True)
        total += _terms(combinations, plans, s, places)[:, of]
    return np.asarray(total.min(axis=3))


def _terms(combinations: Combinations, plans: PlanIds, s: int, places: IntArray) -> FloatArray:
    """(plans, places, horizons, levels) greatest term of kinds of lesion s under each plan alone.

    term_k[h, l] = max_c [ e^(a_kc) v_kc[h] / G_l - a_kc ], c the courses of a kind that the plan k
    allows, v their own effect, a what they cost the others; -inf where it allows none.
    """
    plan_set, levels = combinations.dual.set, combinations.log_levels
    candidates, kinds = plan_set.candidates, combinations.kinds[s][places]
    none = np.zeros(len(levels))
    free = DualPrices(np.zeros(len(plan_set.rows.right)), none, none, 0.0)
    courses, kind, _ = plan_set.courses[s].courses(kinds, free)
    order = np.argsort(kind, kind="stable")
    courses, kind = courses[order], kind[order]
    starts = np.flatnonzero(np.diff(kind, prepend=-1))
    effect, loss = effects_of(candidates, plans, s, courses)
    menu = candidates.lesions[s].menu
    terms = np.full((len(plans), len(kinds), *levels.shape), -np.inf)
    where = np.searchsorted(kinds, kind[starts])
    for number, k in enumerate(plans.tolist()):
        tick()
        fits = allowed_patterns(plan_set.instance, candidates.plans[k], menu.patterns)
        gain = np.exp(loss[number])[:, None] * effect[number, :, : len(levels)]
        term = gain[:, :, None] * np.exp(-levels) - loss[number][:, None, None]
        term[~fits[menu.pattern[courses]]] = -math.inf
        terms[number, where] = np.maximum.reduceat(term, starts, axis=0)
    return terms
