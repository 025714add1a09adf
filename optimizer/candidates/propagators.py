"""Adjoint of the effector recursion: systemic effect per unit of release, day by day.

For a fixed day pattern and plan the effect is linear in release. Going back in time once per
horizon gives, for every fraction of every pattern, what a unit released then will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune
from abscopt.optimizer.mip import finite_fields

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.courses import Patterns
    from abscopt.optimizer.candidates.plans import PlanEffects

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Propagators:
    """Effect on the horizons of precursors and release.

    Attributes
    ----------
    resting : (plans, patterns, horizons) effect of initial precursors and their inflow
    release : (plans, patterns, most fractions, horizons) effect per unit released at a fraction
    patterns : those of the arrays that count; None for all
    """

    resting: FloatArray
    release: FloatArray
    patterns: IntArray | None = None

    def of_share(self, share: float) -> Propagators:
        """The same for a lesion with a share of all precursors."""
        return Propagators(share * self.resting, self.release, self.patterns)

    def take(self, patterns: IntArray) -> Propagators:
        """Some of the patterns, without a copy."""
        own = patterns if self.patterns is None else self.patterns[patterns]
        return Propagators(self.resting, self.release, own)

    def resting_of(self, plans: IntArray) -> FloatArray:
        """(n, patterns, horizons) effect without release under some plans."""
        part: FloatArray = (
            self.resting[plans]
            if self.patterns is None
            else self.resting[plans[:, None], self.patterns]
        )
        return part

    def release_of(self, plan: int) -> FloatArray:
        """(patterns, most fractions, horizons) effect per unit released under one plan."""
        own: FloatArray = self.release[plan]
        if self.patterns is not None:
            own = own[self.patterns]
        return own

    def release_under(self, plans: IntArray, patterns: IntArray) -> FloatArray:
        """(n, patterns, most fractions, horizons) the same of some patterns under some plans."""
        own = patterns if self.patterns is None else self.patterns[patterns]
        part: FloatArray = self.release[plans[:, None], own]
        return part


def propagators(
    instance: Instance,
    lesion: Lesion,
    technique: Technique,
    patterns: Patterns,
    effects: PlanEffects,
) -> Propagators:
    """Propagators of every (plan, pattern) pair of one technique, for the share 1 of precursors."""
    plans, horizons = len(effects.occupancy), instance.horizon_days
    resting = np.zeros((plans, len(patterns.count), len(horizons)))
    release = np.zeros((plans, *patterns.days.shape, len(horizons)))
    for h, horizon in enumerate(horizons):
        _backward(
            instance, lesion, technique, patterns, effects, horizon,
            resting[:, :, h], release[:, :, :, h],
        )  # fmt: skip
    return finite_fields(f"propagators of {lesion.name}", Propagators(resting, release))


def _backward(
    instance: Instance,
    lesion: Lesion,
    technique: Technique,
    patterns: Patterns,
    effects: PlanEffects,
    horizon: int,
    resting: FloatArray,
    release: FloatArray,
) -> None:
    """Fill the propagators of one horizon, from its last day back to day 0.

    `effector` is the value of one effector after a day's update, `precursor` that of one
    precursor before the update, `dying` that of one unit whose delay ends on the day.
    """
    c = instance.immune
    shape = (len(effects.occupancy), len(patterns.count))
    effector, precursor, dying = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    inflow = np.zeros(shape)
    fraction_at: dict[int, tuple[list[int], list[int]]] = {}
    for row, column in np.argwhere(patterns.days >= 0):  # fractions of one day share a value
        day = int(patterns.days[row, column]) + c.priming_delay_days
        rows, columns = fraction_at.setdefault(day, ([], []))
        rows.append(int(row))
        columns.append(int(column))
    kept = (1.0 - c.effector_loss_per_day) * np.exp(
        -lesion.effector_kill(technique) * patterns.number
    )
    unblocked = immune.unblocked_effect(effects.occupancy, c.pdl1_upregulation)
    begun = np.where(patterns.first >= 0, patterns.first, instance.days)
    decay = float(np.exp(-c.clearance_per_day))
    for day in range(horizon - 1, -1, -1):
        daily = (c.effect_per_effector * effects.effect_factor[:, day])[:, None]
        if c.pdl1_upregulation > 0:
            daily = daily * np.where(day >= begun[None, :], unblocked[:, day, None], 1.0)
        if day + 1 < horizon:
            effector = daily + kept[None, :, day + 1] * effector
        else:
            effector = np.broadcast_to(daily, shape)
        m = effects.mobilization[:, day, None]
        inflow = inflow + precursor
        dying = (
            c.clearance_per_day * effects.priming_factor[:, day, None] * precursor + decay * dying
        )
        surviving = effects.precursor_survival[:, day, None]
        precursor = m * effector + (1.0 - c.precursor_loss_per_day - m) * surviving * precursor
        if day in fraction_at:
            rows, columns = fraction_at[day]
            release[:, rows, columns] = dying[:, rows]
    resting[:] = c.precursors_initial * precursor + c.precursor_inflow_per_day * inflow
