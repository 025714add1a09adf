"""One lesion on some morning, and what the fractions of further days do to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.immunity import immune, lymphocytes, recursion
from abscopt.models.tumor import repair
from abscopt.optimizer.evaluation.beams import survivals_of
from abscopt.optimizer.evaluation.lesions import (
    ActingFraction,
    kills_of,
    oxygen_of,
    release_of,
)

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation.beams import Ways
    from abscopt.optimizer.evaluation.lesions import Course
    from abscopt.optimizer.evaluation.systemic import Relative, SystemicState


@dataclass(frozen=True)
class LesionCarried:
    """A lesion on the morning of a day.

    Attributes
    ----------
    fractions, dose_gy, bed_gy : so far; BED without that of drugs
    first_day, last_day : clocks of reoxygenation, suppression and repopulation; None untreated
    kills : per technique in the order of use (horizons + 1, clones) nats before each horizon, and
        in all
    met : per drug (horizons + 1,) reference doses before each horizon, or at all, that met a
        fraction
    unmet : per drug the doses that have met none and still may
    dying : antigen of dying cells just after the last fraction, in shares of the lesion
    pending : release of the last days that has not joined yet, oldest first
    immune : effectors, precursors and dying cells on the evening before
    effect : (horizons,) effector log kill of the days so far, before any loss
    loss : mobilized precursors times log loss of others' effectors, summed over the days so far
    left : of the losses by fractions so far, what is left on the morning
    """

    fractions: int
    dose_gy: float
    bed_gy: float
    first_day: int | None
    last_day: int | None
    kills: dict[str, FloatArray]
    met: dict[str, FloatArray]
    unmet: dict[str, Relative]
    dying: float
    pending: tuple[float, ...]
    immune: recursion.State
    effect: FloatArray
    loss: float
    left: float

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last day of its fractions; None without any."""
        if self.first_day is None or self.last_day is None:
            return None
        return self.first_day, self.last_day


def untouched(instance: Instance, lesion: Lesion) -> LesionCarried:
    """A lesion on the morning of day 0."""
    c = instance.immune
    nothing, precursors = np.zeros(()), np.array(c.precursors_initial * lesion.precursor_share)
    return LesionCarried(
        fractions=0, dose_gy=0.0, bed_gy=0.0, first_day=None, last_day=None, kills={}, met={},
        unmet={}, dying=0.0, pending=(0.0,) * math.ceil(c.priming_delay_days),
        immune=recursion.State(nothing, precursors, nothing),
        effect=np.zeros(len(instance.horizon_days)), loss=0.0, left=0.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Days:
    """Some days of one lesion: from the morning of `begin` to that of `end`.

    Attributes
    ----------
    course, ways : fractions of these days and their techniques
    state : of the drugs, on these days
    """

    instance: Instance
    lesion: Lesion
    course: Course
    ways: Ways
    state: SystemicState
    begin: int
    end: int

    def after(self, before: LesionCarried) -> LesionCarried:
        """The lesion on the morning of `end`."""
        first = before.first_day if self.course == () or before.fractions else self.course[0][0]
        acting = [self._acting(fraction, first) for fraction in self.course]
        kills = [kills_of(self.lesion, clone, acting) for clone in self.lesion.populations]
        released, dying = self._released(before, kills, first)
        moved = replace(
            before,
            fractions=before.fractions + len(self.course),
            dose_gy=before.dose_gy + math.fsum(dose for _, dose, _ in self.course),
            bed_gy=before.bed_gy + sum(
                f.bed(self.lesion.alpha_beta_gy, self.lesion.lql_transition_gy) for f in acting
            ),
            first_day=first,
            last_day=self.course[-1][0] if self.course else before.last_day,
            kills=self._kills(before.kills, kills),
            dying=dying,
        )  # fmt: skip
        return self._lost(self._immune(self._met(moved), released))

    def _acting(self, fraction: tuple[int, float, int], first: int | None) -> ActingFraction:
        """A fraction with hypoxia, sensitizer and incomplete repair, as M4 to M8 say."""
        day, dose, slot = fraction
        assert first is not None
        oxygen = oxygen_of(self.lesion, day - first)
        hours = self.instance.calendar.hours_between_fractions
        phi = float(repair.unrepaired(hours, self.lesion.repair_half_time_hours))
        earlier = [(gy, slot - s) for t, gy, s in self.course if t == day and s < slot]
        cross = sum(2.0 * phi**gap * gy * dose / oxygen**2 for gy, gap in earlier)
        return ActingFraction(dose / oxygen, cross, float(self.state.sensitizer[day]))

    def _kills(
        self, before: dict[str, FloatArray], kills: list[list[float]]
    ) -> dict[str, FloatArray]:
        horizons = [*self.instance.horizon_days, math.inf]
        result = dict(before)
        for i, way in enumerate(self.ways):
            counted = np.array([self.course[i][0] < horizon for horizon in horizons])
            each = np.array([of_clone[i] for of_clone in kills])
            earlier = result.get(way.name, np.zeros((len(horizons), len(kills))))
            result[way.name] = earlier + counted[:, None] * each
        return result

    def _released(
        self, before: LesionCarried, kills: list[list[float]], first: int | None
    ) -> tuple[FloatArray, float]:
        """(days,) release of each day, and antigen of dying cells after the last fraction."""
        c, released, dying = self.instance.immune, np.zeros(self.end - self.begin), before.dying
        growth, last = self.lesion.regrowth_per_day(c), before.last_day
        by_name = {way.name: way for way in self.lesion.ways}
        ways = (*(by_name[name] for name in before.kills), *self.ways)
        clones = range(len(kills))
        every_kill = [
            [*(float(k[-1, i]) for k in before.kills.values()), *kills[i]] for i in clones
        ]
        survivals = survivals_of(self.lesion, ways, every_kill)[len(before.kills) :]
        for i, (day, dose, slot) in enumerate(self.course):
            assert first is not None
            share = (survivals[i] - survivals[i + 1]) * math.exp(growth * (day - first))
            dying *= math.exp(-c.clearance_per_day * (day - (day if last is None else last)))
            released[day - self.begin] += release_of(
                self.instance, self.lesion, self.ways[i], (day, dose, slot), first,
                share + c.repeat_release * dying, self.state,
            )  # fmt: skip
            dying, last = dying + share, day
        return released, dying

    def _met(self, before: LesionCarried) -> LesionCarried:
        """Doses of drugs that fractions of these days meet, those given earlier among them."""
        met: dict[str, FloatArray] = dict(before.met)
        unmet: dict[str, Relative] = {}
        fraction_days = {day for day, _, _ in self.course}
        horizons = np.array([*self.instance.horizon_days, math.inf])
        for name, of_drug in self.state.chemotherapy.items():
            window = self.instance.drugs[name].sensitizing_days
            open_doses = [dose for dose in of_drug if dose[0] >= self.begin]
            unmet[name] = ()
            for day, share in (*before.unmet.get(name, ()), *open_doses):
                if any(day <= t < day + window for t in fraction_days):
                    earlier = met.get(name, np.zeros(len(horizons)))
                    met[name] = earlier + share * (day < horizons)
                elif day + window > self.end:
                    unmet[name] += ((day, share),)
        return replace(before, met=met, unmet=unmet)

    def _immune(self, before: LesionCarried, released: FloatArray) -> LesionCarried:
        """Effectors and precursors day by day (M16), and their effect up to each horizon."""
        c, lag = self.instance.immune, math.ceil(self.instance.immune.priming_delay_days)
        here = slice(self.begin, self.end)
        lost = np.zeros(self.end - self.begin)
        for (day, _, _), way in zip(self.course, self.ways, strict=True):
            lost[day - self.begin] += self.lesion.effector_kill(way)
        entry = c.clearance_per_day * math.exp(-c.clearance_per_day * (lag - c.priming_delay_days))
        joining = np.array([*before.pending, *released])
        days = recursion.days_of(
            self.end - self.begin,
            self.state.mobilization[here],
            self.state.priming_factor[here],
            self.state.precursor_survival[here],
            (1.0 - c.effector_loss_per_day) * np.exp(-lost),
            precursor_loss_per_day=c.precursor_loss_per_day,
            clearance_per_day=c.clearance_per_day,
            inflow=c.precursor_inflow_per_day * self.lesion.precursor_share,
        )
        state, effect = before.immune, np.array(before.effect)
        for t, one_day in enumerate(days, self.begin):
            state = one_day.after(state, entry * joining[t - self.begin])
            counted = np.array([t < horizon for horizon in self.instance.horizon_days])
            effect += counted * self._daily(before.first_day, t) * float(state.effectors)
        pending = tuple(float(r) for r in joining[len(joining) - lag :])
        return replace(before, immune=state, effect=effect, pending=pending)

    def _daily(self, first: int | None, day: int) -> float:
        """Log kill per effector and day; PD-L1 rises with the lesion's first fraction."""
        c, state = self.instance.immune, self.state
        daily = c.effect_per_effector * float(state.effect_factor[day])
        if first is not None and day >= first:
            daily *= float(immune.unblocked_effect(state.occupancy[day], c.pdl1_upregulation))
        return daily

    def _lost(self, before: LesionCarried) -> LesionCarried:
        """Losses of others' effectors: each fades while the days mobilize (M20)."""
        half_time = self.instance.lymphocytes.recovery_half_time_days
        fading = float(lymphocytes.recovery(1.0, half_time))
        by_day = dict.fromkeys(range(self.begin, self.end), 0.0)
        for (day, _, _), way in zip(self.course, self.ways, strict=True):
            by_day[day] += self.lesion.effect_loss(way)
        fresh, loss = before.left, before.loss
        for day, more in by_day.items():
            fresh += more
            loss += fresh * float(self.state.mobilization[day])
            fresh *= fading
        return replace(before, loss=loss, left=fresh)
