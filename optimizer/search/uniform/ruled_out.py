"""Courses and plans that a schedule in hand rules out before the tables of a search are built.

A treatment that has begun offers thousands of rests, and its plan resumed is a good schedule. By a
bound that needs no pattern of days, most rests can be seen to be worse. No schedule of value v or
more is lost (P23 of docs/reference/proofs.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models import immune, recursion
from abscopt.models.arrays import BoolArray, FloatArray
from abscopt.optimizer.candidates.coefficients import at_irradiation, relieves
from abscopt.optimizer.candidates.value import lesion_value
from abscopt.optimizer.ids import CourseIds, KindIds, PlanId, PlanIds
from abscopt.optimizer.progress import tick
from abscopt.optimizer.search.uniform import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.plans import PlanEffects
    from abscopt.optimizer.candidates.shared import Shared
    from abscopt.optimizer.candidates.table import Candidates

SAFETY = 1e-9
"""Relative: far above the rounding of sums, far below any gap."""


def not_ruled_out(
    candidates: Candidates, schedules: Sequence[tuple[PlanId, CourseIds]], value: float
) -> Candidates:
    """Courses and plans that a schedule as good as the one in hand may have.

    Parameters
    ----------
    schedules : whose courses and plans are kept in any case
    value : of the schedule in hand
    """
    effects = candidates.plan_effects
    all_plans = PlanIds(np.arange(len(candidates.plans)))
    if candidates.instance.objective.of_dose_alone or relieves(
        candidates.instance, effects, all_plans
    ):
        return candidates
    threshold = value - SAFETY * max(1.0, abs(value))
    courses = [np.zeros(len(table.menu), dtype=bool) for table in candidates.lesions]
    plans = np.zeros(len(all_plans), dtype=bool)
    for group in np.unique(effects.group):
        of_group = np.flatnonzero(effects.group == group)
        above = _Group(candidates, PlanIds(of_group)).above(threshold)
        if above is not None:
            plans[of_group] = True
            courses = [mask | more for mask, more in zip(courses, above, strict=True)]
    for plan, row in schedules:
        plans[plan] = True
        for mask, course in zip(courses, row, strict=True):
            mask[[0, course]] = True
    remaining = [CourseIds(np.flatnonzero(mask)) for mask in courses]
    return candidates.as_case(remaining, [PlanId(int(k)) for k in np.flatnonzero(plans)])


class _Group:
    """Plans of one chemotherapy with the best of their coefficients.

    Attributes
    ----------
    shared : per lesion what courses do under all plans of the group
    effect : per lesion (courses, horizons) greatest effector log kill of a course by itself
    spared : share of the effectors that the chemotherapy leaves at most
    """

    def __init__(self, candidates: Candidates, plans: PlanIds):
        self.instance, self.tables = candidates.instance, candidates.lesions
        effects = candidates.plan_effects.take(plans)
        self.shared = candidates.shared(PlanId(int(plans[0])))
        self.spared = math.exp(-float(effects.chemotherapy_log_loss.min()))
        unit, resting = _greatest_units(self.instance, effects)
        self.effect = [
            self._effect(s, shared, unit, resting) for s, shared in enumerate(self.shared)
        ]

    def _effect(self, s: int, shared: Shared, unit: FloatArray, resting: FloatArray) -> FloatArray:
        """(courses, horizons) sum_i release_i unit[day_i] + share of precursors . resting."""
        tick()
        menu, lesion = self.tables[s].menu, self.instance.lesions[self.tables[s].menu.lesion]
        days = menu.patterns.days[menu.pattern]
        release = np.where(days >= 0, shared.release[shared.kinds.of][:, : days.shape[1]], 0.0)
        result = np.einsum("ci,cih->ch", release, unit[days])
        return np.asarray(result + lesion.precursor_share * resting)

    def above(self, threshold: float) -> list[BoolArray] | None:
        """Per lesion (courses,) those that a schedule worth `threshold` may have; None if none.

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
                self.spared * (effect + elsewhere), self.instance.immune.effect_maximum_nats
            )
            kinds = self.shared[s].kinds.of
            bound = self._value(s, kinds, kill)
            for r in range(len(greatest)):
                if r != s:
                    bound = bound + self._best(r, alive[r], kill)
            bounds.append(bound)
        return bounds

    def _best(self, s: int, alive: BoolArray, kill: FloatArray) -> FloatArray:
        """(n,) the most that a lesion is worth at kills (n, horizons), rounded up to levels."""
        kinds = KindIds(np.unique(self.shared[s].kinds.of[alive]))
        if len(kinds) == 1:
            return self._value(s, KindIds(np.repeat(kinds, len(kill))), kill)
        low, high = kill.min(axis=0), kill.max(axis=0)
        steps = np.linspace(0.0, 1.0, settings.CURRENT.ruling_levels)[:, None]
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


def _greatest_units(instance: Instance, effects: PlanEffects) -> tuple[FloatArray, FloatArray]:
    """(days, horizons) greatest effect per unit released on a day, (horizons,) without release.

    Maxima over plans of the propagators where no fraction kills effectors and no PD-L1 rises.
    """
    c, length = instance.immune, instance.days
    factor = at_irradiation(instance, effects, PlanIds(np.arange(len(effects.group))))
    unit = np.zeros((length, len(instance.horizon_days)))
    resting = np.zeros(len(instance.horizon_days))
    days = recursion.days_of(
        length,
        effects.mobilization,
        c.clearance_per_day * effects.priming_factor,
        effects.precursor_survival,
        1.0 - c.effector_loss_per_day,
        precursor_loss_per_day=c.precursor_loss_per_day,
        clearance_per_day=c.clearance_per_day,
        inflow=1.0,
    )
    for h, horizon in enumerate(instance.horizon_days):
        nothing = np.zeros(len(effects.group))
        worth, inflow = recursion.State(nothing, nothing, nothing), nothing
        for day in range(horizon - 1, -1, -1):
            inflow = inflow + worth.precursors
            daily = c.effect_per_effector * effects.effect_factor[:, day]
            worth, joining = days[day].before(worth, daily)
            released = day - c.priming_delay_days
            if released >= 0:
                met = joining if factor is None else joining * factor[:, released]
                unit[released, h] = met.max()
        idle = c.precursors_initial * worth.precursors + c.precursor_inflow_per_day * inflow
        resting[h] = idle.max()
    return unit, resting
