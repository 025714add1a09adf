"""The most that any schedule can release, and the most that effectors make of it, plan by plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune, recursion
from abscopt.optimizer.candidates.coefficients import at_irradiation
from abscopt.optimizer.ids import PlanIds

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Menu
    from abscopt.optimizer.candidates.systemic.plans import PlanEffects
    from abscopt.optimizer.candidates.table import Candidates


def greatest_kill(candidates: Candidates, plans: PlanIds) -> FloatArray:
    """(horizons,) saturated systemic kill that no schedule with one of the plans exceeds.

    z = saturate(e^-chemo sum_s (release_s max_t unit[t] + share of precursors . resting))
    """
    instance, effects = candidates.instance, candidates.plan_effects.take(plans)
    units, idle = greatest_units(instance, effects)
    unit, resting = units.max(axis=(0, 1)), idle.max(axis=0)
    effect = np.zeros(len(resting))
    for table in candidates.lesions:
        lesion = candidates.lesion_of(table)
        effect += most_released(instance, lesion, table.menu) * unit
        effect += lesion.precursor_share * resting
    spared = math.exp(-float(effects.chemotherapy_log_loss.min()))
    return immune.saturate(spared * effect, instance.immune.effect_maximum_nats)


def most_released(instance: Instance, lesion: Lesion, menu: Menu) -> float:
    """What all fractions of a course release together at most, as in `models.immunity.immune`.

        scale V^exponent (greatest gate) (greatest node factor) e^(g T) (1 + repeat (n - 1))

    since the shares of the lesion that fractions kill add up to 1 at most, each counts again with
    every one of the n fractions after it at most, and survivors have grown for T days at most.
    """
    c = instance.immune
    if not lesion.irradiable or len(menu) == 1:
        return 0.0
    gate = immune.gate(
        np.unique(menu.doses),
        c.gate_low_gy,
        c.gate_low_exponent,
        c.gate_high_gy,
        c.gate_high_exponent,
        c.gate_plateau,
    )
    days = int(menu.patterns.last.max())
    met = math.exp(max(0.0, lesion.regrowth_per_day(c)) * days)
    met *= 1.0 + c.repeat_release * (int(menu.patterns.count.max()) - 1)
    present = lesion.release_scale(c) * (lesion.volume_cm3 or 0.0) ** c.volume_exponent
    return float(present * gate.max() * max(way.node_factor for way in lesion.ways) * met)


def greatest_units(instance: Instance, effects: PlanEffects) -> tuple[FloatArray, FloatArray]:
    """(plans, days, horizons) effect per unit released on a day, (plans, horizons) without release.

    The propagators of each plan where no fraction kills effectors and no PD-L1 rises.
    """
    c, length = instance.immune, instance.days
    factor = at_irradiation(instance, effects, PlanIds(np.arange(len(effects.group))))
    unit = np.zeros((len(effects.group), length, len(instance.horizon_days)))
    resting = np.zeros((len(effects.group), len(instance.horizon_days)))
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
                unit[:, released, h] = met
        resting[:, h] = c.precursors_initial * worth.precursors
        resting[:, h] += c.precursor_inflow_per_day * inflow
    return unit, resting
