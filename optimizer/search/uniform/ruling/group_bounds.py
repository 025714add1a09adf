"""What plans of one chemotherapy and courses under them are worth at most, whatever the days.

Maxima over day patterns enter through the days alone: no pattern has a propagator of its own here
(P23 of docs/reference/proofs.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import immune
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import KindIds, PlanId
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings
from abscopt.optimizer.search.uniform.ruling.greatest import greatest_units

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.table import Candidates


class GroupBounds:
    """All plans of some candidates, of one chemotherapy, and what their courses do at best.

    Attributes
    ----------
    shared : per lesion what courses do under all plans
    units, resting : (plans, days, horizons) and (plans, horizons) of `greatest_units`
    effect : per lesion (courses, horizons) greatest effector log kill of a course by itself
    spared : (plans,) share of the effectors that the chemotherapy leaves at most
    """

    def __init__(self, candidates: Candidates):
        self.instance, self.tables = candidates.instance, candidates.lesions
        effects = candidates.plan_effects
        self.shared = candidates.shared(PlanId(0))
        self.spared = np.exp(-effects.chemotherapy_log_loss)
        self.units, self.resting = greatest_units(self.instance, effects)
        unit, idle = self.units.max(axis=0), self.resting.max(axis=0)
        self.effect = [self._effect(s, shared, unit, idle) for s, shared in enumerate(self.shared)]

    def _effect(self, s: int, shared: Shared, unit: FloatArray, resting: FloatArray) -> FloatArray:
        """(courses, horizons) sum_i release_i unit[day_i] + share of precursors . resting."""
        tick()
        lesion = self.instance.lesions[self.tables[s].menu.lesion]
        days, release = self._released(s, shared)
        result = np.einsum("ci,cih->ch", release, unit[days])
        return np.asarray(result + lesion.precursor_share * resting)

    def _released(self, s: int, shared: Shared) -> tuple[IntArray, FloatArray]:
        """(courses, fractions) days of fractions, and what each releases; 0 where none is."""
        menu = self.tables[s].menu
        days = menu.patterns.days[menu.pattern]
        return days, np.where(days >= 0, shared.release[shared.kinds.of][:, : days.shape[1]], 0.0)

    def plans(self, alive: list[BoolArray]) -> FloatArray:
        """(plans,) bound of the schedules with a plan and courses alive, by its own units.

        Z_k = saturate(spared_k sum_s max_c (sum_t release[c, t] unit_k[t] + share . resting_k))
        """
        effect = np.zeros(self.resting.shape)
        for s, (shared, mask) in enumerate(zip(self.shared, alive, strict=True)):
            tick()
            days, release = (array[mask] for array in self._released(s, shared))
            by_day = np.zeros((len(days), self.units.shape[1]))
            for column in range(days.shape[1]):
                by_day[np.arange(len(days)), days[:, column]] += release[:, column]
            flat = self.units.transpose(1, 0, 2).reshape(self.units.shape[1], -1)
            effect += (by_day @ flat).max(axis=0).reshape(effect.shape)
            lesion = self.instance.lesions[self.tables[s].menu.lesion]
            effect += lesion.precursor_share * self.resting
        kill = immune.saturate(
            self.spared[:, None] * effect, self.instance.immune.effect_maximum_nats
        )
        levels = settings.CURRENT.ruling_plan_levels
        return np.asarray(sum(self._best(s, mask, kill, levels) for s, mask in enumerate(alive)))

    def above(self, threshold: float) -> list[BoolArray] | None:
        """Per lesion (courses,) those that a schedule worth the threshold may have; None if none.

        Courses that are left bound what others may be worth: repeated while that tells more.
        """
        alive = [np.ones(len(table.menu), dtype=bool) for table in self.tables]
        for _ in range(settings.CURRENT.ruling_rounds):
            bounds = self._bounds(alive)
            remaining = [
                mask & (bound >= threshold) for mask, bound in zip(alive, bounds, strict=True)
            ]
            if not all(mask.any() for mask in remaining):
                return None
            if all((mask == before).all() for mask, before in zip(remaining, alive, strict=True)):
                break
            alive = remaining
        return alive

    def _bounds(self, alive: list[BoolArray]) -> list[FloatArray]:
        """Per lesion (courses,) bound of the schedules with a course, others among the alive ones.

        Z = saturate(spared (v_c + sum_(r != s) max v_r)),     w_s V_c(Z) + sum_(r != s) best_r(Z)
        """
        greatest = [
            effect[mask].max(axis=0) for effect, mask in zip(self.effect, alive, strict=True)
        ]
        bounds = []
        for s, effect in enumerate(self.effect):
            elsewhere = sum(greatest[r] for r in range(len(greatest)) if r != s)
            kill = immune.saturate(
                float(self.spared.max()) * (effect + elsewhere),
                self.instance.immune.effect_maximum_nats,
            )
            kinds = self.shared[s].kinds.of
            bound = self._value(s, kinds, kill)
            for r in range(len(greatest)):
                if r != s:
                    bound = bound + self._best(r, alive[r], kill, settings.CURRENT.ruling_levels)
            bounds.append(bound)
        return bounds

    def _best(self, s: int, alive: BoolArray, kill: FloatArray, number: int) -> FloatArray:
        """(n,) the most that a lesion is worth at kills (n, horizons), rounded up to levels."""
        kinds = KindIds(np.unique(self.shared[s].kinds.of[alive]))
        if len(kinds) == 1:
            return self._value(s, KindIds(np.repeat(kinds, len(kill))), kill)
        low, high = kill.min(axis=0), kill.max(axis=0)
        steps = np.linspace(0.0, 1.0, number)[:, None]
        levels = low + steps * (high - low)
        best = np.array([self._value(s, kinds, np.tile(k, (len(kinds), 1))).max() for k in levels])
        with np.errstate(invalid="ignore", divide="ignore"):
            place = np.where(high > low, (kill - low) / (high - low), 0.0).max(axis=1)
        return np.asarray(best[np.ceil(place * (len(levels) - 1) - 1e-12).astype(int)])

    def _value(self, s: int, kinds: KindIds, kill: FloatArray) -> FloatArray:
        """(n,) weighted value of kinds (n,) at systemic kills (n, horizons), all credited."""
        lesion = self.instance.lesions[self.tables[s].menu.lesion]
        factors = [clone.effector_share_factor for clone in lesion.populations]
        nodes = lesion.sensitivities[1]
        share = lesion.effector_share * self.instance.immune.share_factor
        shares = share * np.tile(factors, len(nodes))
        value = lesion_value(
            self.instance.objective, nodes, self.shared[s].local[kinds], shares[None, :], kill
        )
        return np.asarray(lesion.weight * value)
