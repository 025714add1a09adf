"""Adjoint of the effector recursion: systemic effect per unit of release, day by day.

For a fixed day pattern and plan the effect is linear in release. Going back in time once per
horizon gives, for every fraction of every pattern, what a unit released then will do. Plans are
gone through in blocks, when they are asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray, IntArray
from abscopt.models.immunity import immune, recursion
from abscopt.optimizer.highs.mip import finite
from abscopt.optimizer.ids import PatternIds, PlanId, PlanIds
from abscopt.optimizer.progress import tick

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.systemic.plans import PlanEffects


MOST_BYTES = 600_000_000
"""Propagators that all lesions together keep; others are computed again when they are asked for."""

BLOCK = 64
BLOCK_BYTES = 20_000_000
"""Plans computed in one go, and their bytes: more take longer than tenths of a second."""


class _Store:
    """Propagators of the share 1 of precursors, plan by plan; those used last are kept.

    Parameters
    ----------
    most_bytes : bytes to keep; the plans of one call are kept whatever they take
    """

    def __init__(
        self,
        instance: Instance,
        lesion: Lesion,
        technique: Technique,
        patterns: Patterns,
        effects: PlanEffects,
        most_bytes: int,
    ):
        self.instance, self.lesion, self.technique = instance, lesion, technique
        self.patterns, self.effects = patterns, effects
        horizons = len(instance.horizon_days)
        size = 8 * horizons * (patterns.days.size + len(patterns.count))
        self.kept = max(BLOCK, most_bytes // max(1, size))
        self.block = max(1, min(BLOCK, BLOCK_BYTES // max(1, size)))
        self.known: OrderedDict[int, tuple[FloatArray, FloatArray]] = OrderedDict()

    def of(self, plans: PlanIds) -> list[tuple[FloatArray, FloatArray]]:
        """(patterns, horizons) resting and (patterns, most fractions, horizons) release, per plan.

        The clock is read from block to block.
        """
        numbers = plans.tolist()
        unknown = sorted({k for k in numbers if k not in self.known})
        for begin in range(0, len(unknown), self.block):
            tick()
            self._add(unknown[begin : begin + self.block])
        by_plan = [self.known[k] for k in numbers]
        for k in numbers:
            self.known.move_to_end(k)
        while len(self.known) > self.kept:
            self.known.popitem(last=False)
        return by_plan

    def _add(self, plans: list[PlanId]) -> None:
        horizons, count = self.instance.horizon_days, len(self.patterns.count)
        resting = np.zeros((len(plans), count, len(horizons)))
        release = np.zeros((len(plans), *self.patterns.days.shape, len(horizons)))
        effects = self.effects.take(PlanIds(np.array(plans)))
        for h, horizon in enumerate(horizons):
            _backward(
                self.instance, self.lesion, self.technique, self.patterns, effects, horizon,
                resting[:, :, h], release[:, :, :, h],
            )  # fmt: skip
        finite(f"propagators of {self.lesion.name}, resting", resting)
        finite(f"propagators of {self.lesion.name}, release", release)
        for k, *lot in zip(plans, resting, release, strict=True):
            self.known[k] = (lot[0].copy(), lot[1].copy())


@dataclass(frozen=True)
class OwnLoss:
    """Log loss of a lesion's own effectors by its own course: `rate` sum_t n_t weight_t.

    `siphon` stands in its place where no fraction is given. Both are 0 unless the immune response
    has a loss of one's own. With techniques of their own fractions have rates of their own: `rates`
    of each technique.
    """

    rate: float = 0.0
    siphon: float = 0.0
    rates: tuple[float, ...] = ()


def own_loss_of(
    instance: Instance, lesion: Lesion, technique: Technique, several: bool = False
) -> OwnLoss:
    """What the effectors of a lesion lose by its own course of one technique, or of several."""
    c = instance.immune
    rates = [c.own_loss * lesion.effect_loss(way) for way in lesion.ways if several]
    return OwnLoss(
        c.own_loss * lesion.effect_loss(technique),
        c.own_loss * lesion.siphon(c),
        tuple(rates) if any(rates) else (),
    )


@dataclass(frozen=True)
class Propagators:
    """Effect on the horizons of precursors and release, under each plan.

    Attributes
    ----------
    store : where the propagators of the share 1 of precursors are computed and kept
    share : of the precursors
    patterns : those of the store that count; None for all
    scale : effect of an effector over that in the store; the recursion is linear in it
    own : what the lesion's own effectors lose by its own course
    """

    store: _Store
    share: float = 1.0
    patterns: PatternIds | None = None
    scale: float = 1.0
    own: OwnLoss = OwnLoss()

    def of_share(self, share: float, own: OwnLoss) -> Propagators:
        """The same for a lesion with a share of all precursors and losses of its own."""
        return replace(self, share=share, own=own)

    def scaled(self, scale: float) -> Propagators:
        """The same for effectors of which each has so many times the effect."""
        return replace(self, scale=self.scale * scale)

    def take(self, patterns: PatternIds) -> Propagators:
        """Some of the patterns, without a copy."""
        chosen = patterns if self.patterns is None else self.patterns[patterns]
        return replace(self, patterns=chosen)

    def prepare(self, plans: PlanIds) -> None:
        """Compute what some plans need in few goes, if all of it can be kept."""
        if len(plans) <= self.store.kept:
            self.store.of(plans)

    def blocks(self, plans: PlanIds) -> list[PlanIds]:
        """The plans in lots that are computed in one go."""
        lots = np.array_split(plans, -(-len(plans) // self.store.block))
        return [PlanIds(lot) for lot in lots]

    def resting_of(self, plans: PlanIds) -> FloatArray:
        """(n, patterns, horizons) effect without release under some plans."""
        counted = slice(None) if self.patterns is None else self.patterns
        by_plan = [
            resting[counted] for lot in self.blocks(plans) for resting, _ in self.store.of(lot)
        ]
        kept = self._kept(plans, counted)
        return (
            (self.share * self.scale)
            * np.stack(by_plan)
            * (1.0 if kept is None else kept[..., None])
        )

    def release_of(self, plan: PlanId) -> FloatArray:
        """(patterns, most fractions, horizons) effect per unit released under one plan."""
        release: FloatArray = self.store.of(PlanIds(np.array([plan])))[0][1]
        counted = slice(None) if self.patterns is None else self.patterns
        kept = self._kept(PlanIds(np.array([plan])), counted)
        release = release[counted] if kept is None else release[counted] * kept[0, :, None, None]
        return release if self.scale == 1.0 else self.scale * release

    def release_under(self, plans: PlanIds, patterns: PatternIds) -> FloatArray:
        """(n, patterns, most fractions, horizons) the same of some patterns under some plans."""
        counted = patterns if self.patterns is None else self.patterns[patterns]
        release = np.stack([release[counted] for _, release in self.store.of(plans)])
        kept = self._kept(plans, counted)
        release = release if kept is None else release * kept[..., None, None]
        return release if self.scale == 1.0 else self.scale * release

    def _kept(self, plans: PlanIds, counted: IntArray | slice) -> FloatArray | None:
        """(n, patterns) share of own effectors that the own course leaves; None if all."""
        if self.own == OwnLoss():
            return None
        patterns = self.store.patterns
        weights = self.store.effects.effect_weights[plans]
        if patterns.way is None:
            lost = self.own.rate * (weights @ patterns.number[counted].T)
        else:
            rates = self.own.rates or (0.0,) * (1 + int(patterns.way.max()))
            lost = weights @ patterns.weighted(rates)[counted].T
        return np.exp(-np.where(patterns.count[counted] == 0, self.own.siphon, lost))


def propagators(
    instance: Instance,
    lesion: Lesion,
    technique: Technique,
    patterns: Patterns,
    effects: PlanEffects,
    most_bytes: int = MOST_BYTES,
) -> Propagators:
    """Propagators of every (plan, pattern) pair of one technique, for the share 1 of precursors.

    Parameters
    ----------
    most_bytes : bytes of propagators that are kept
    """
    return Propagators(_Store(instance, lesion, technique, patterns, effects, most_bytes))


def _effectors_lost(lesion: Lesion, technique: Technique, patterns: Patterns) -> FloatArray:
    """(patterns, days) log loss of the lesion's own effectors: lambda n, each by its technique."""
    if patterns.way is None:
        return lesion.effector_kill(technique) * patterns.number
    return patterns.weighted([lesion.effector_kill(way) for way in lesion.ways])


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

        w_{t-1} = M_t^T (w_t + (φ_t, 0, 0)),   w = 0 after the horizon    (`recursion.Day.before`)

    with φ_t the effect of an effector on day t. A unit released on a day is worth what a dying cell
    that joins when its delay ends is worth, clearance times; `priming` has this factor. At rest
    there are R_0 precursors before day 0 and the inflow of every day.
    """
    c = instance.immune
    shape = (len(effects.occupancy), len(patterns.count))
    worth = recursion.State(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    inflow = np.zeros(shape)
    fraction_at = _places_by_day(patterns, c.priming_delay_days)
    days = recursion.days_of(
        horizon,
        effects.mobilization[:, None, :horizon],
        c.clearance_per_day * effects.priming_factor[:, None, :horizon],
        effects.precursor_survival[:, None, :horizon],
        (1.0 - c.effector_loss_per_day)
        * np.exp(-_effectors_lost(lesion, technique, patterns)[:, :horizon]),
        precursor_loss_per_day=c.precursor_loss_per_day,
        clearance_per_day=c.clearance_per_day,
        inflow=1.0,
    )
    unblocked = immune.unblocked_effect(effects.occupancy, c.pdl1_upregulation)
    begun = np.where(patterns.first >= 0, patterns.first, instance.days)
    for day in range(horizon - 1, -1, -1):
        daily = (c.effect_per_effector * effects.effect_factor[:, day])[:, None]
        if c.pdl1_upregulation > 0:
            daily = daily * np.where(day >= begun[None, :], unblocked[:, day, None], 1.0)
        inflow = inflow + worth.precursors
        worth, joining = days[day].before(worth, daily)
        if day in fraction_at:
            rows, columns = fraction_at[day]
            release[:, rows, columns] = joining[:, rows]
    resting[:] = c.precursors_initial * worth.precursors + c.precursor_inflow_per_day * inflow


def _places_by_day(patterns: Patterns, delay_days: int) -> dict[int, tuple[IntArray, IntArray]]:
    """Day on which the cells that a fraction kills join -> (pattern, position) of such fractions.

    Fractions of one day share a value.
    """
    rows, columns = np.nonzero(patterns.days >= 0)
    if not len(rows):
        return {}
    joining = patterns.days[rows, columns] + delay_days
    order = np.argsort(joining, kind="stable")
    days, first = np.unique(joining[order], return_index=True)
    return {
        int(day): (rows[lot], columns[lot])
        for day, lot in zip(days, np.split(order, first[1:]), strict=True)
    }
