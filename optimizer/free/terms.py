"""One free lesion under one plan, as numbers: what each dose of each day does.

Everything that a course does is linear in a state that has, before each day,

    S survivors, O what lymphocyte losses leave of the others' effect, e effectors, R precursors,
    D dying cells that prime, q_1 .. q_lag what was released 1 .. lag days ago.

A day of a course multiplies S, O and e and adds to q_1; every other day is the same for all
courses. `Terms.step` is that day; `optimizer.free.suffix` is its transpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.instances.limits import AlcLimit, LogisticsLimit
from abscopt.models import lymphocytes, repopulation
from abscopt.optimizer.candidates.table import CAP

if TYPE_CHECKING:
    from abscopt.optimizer.candidates.columns import Columns
    from abscopt.optimizer.candidates.flows import Flow
    from abscopt.optimizer.candidates.table import Candidates

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

SURVIVORS, OTHERS, EFFECTORS, PRECURSORS, DYING, QUEUE = range(6)
"""Positions in a state; the queue of releases begins at `QUEUE`."""


@dataclass(frozen=True)
class Daily:
    """What each day does by itself; arrays of shape (days,), `effect` (days, horizons)."""

    effect: FloatArray
    mobilized: FloatArray
    staying: FloatArray
    priming: FloatArray
    effector_kept: float
    dying_kept: float
    dying_entry: float
    inflow: float
    lag: int


@dataclass(frozen=True)
class Terms:
    """Coefficients of one plan; T course days, A actions (0 = no fraction), M limits, H horizons.

    Attributes
    ----------
    days : (T,) days of the course
    dose : (A,) Gy
    allowed : (T, A)
    kill : (T, A, H) log kill that counts at each horizon
    survival, release : (T, A) survivors per survivor; release per survivor
    load, room : (T, A, M) and (M,) parts of the caps, and what is left of them
    effectors_kept : e^-lambda, of the effectors a fraction meets
    others_kept : (T,) of the others' effect after a fraction
    start : (5 + lag,) state before day 0
    others : (H,) effect of the lesions without fractions, before any loss
    local : (lesions, H) log burden without fractions and effect; the free lesion's is the first
    share, weight : (lesions,)
    growth : extra growth per day of accelerated repopulation, nats; `kick_off` days before it
    alc_loss, alc_kept, alc_room : per fraction, per day, and in all (infinite without a limit)
    cost : of the plan's excess over soft limits on drugs
    """

    plan: int
    days: IntArray
    dose: FloatArray
    allowed: BoolArray
    kill: FloatArray
    survival: FloatArray
    release: FloatArray
    load: FloatArray
    room: FloatArray
    effectors_kept: float
    others_kept: FloatArray
    daily: Daily
    start: FloatArray
    others: FloatArray
    local: FloatArray
    share: FloatArray
    weight: FloatArray
    horizons: FloatArray
    growth: float
    kick_off: float
    alc_loss: float
    alc_kept: float
    alc_room: float
    cost: float
    most_fractions: int

    @property
    def repopulates(self) -> bool:
        """Whether a course can be so long that accelerated repopulation counts."""
        return self.growth > 0 and float(self.days[-1] - self.days[0]) > self.kick_off

    def step(
        self,
        state: FloatArray,
        effect: FloatArray,
        day: int,
        released: FloatArray | float = 0.0,
        kept: FloatArray | float = 1.0,
    ) -> None:
        """Go on by one day in place.

        Parameters
        ----------
        state : (n, 5 + lag)
        effect : (n, H) effect so far
        released : (n,) release of the day
        kept : (n,) share of the effectors that the day's fraction leaves
        """
        one = self.daily
        entering = state[:, QUEUE + one.lag - 1] if one.lag else released
        state[:, DYING] = one.dying_kept * state[:, DYING] + one.dying_entry * entering
        state[:, EFFECTORS] = (
            one.effector_kept * kept * state[:, EFFECTORS]
            + one.mobilized[day] * state[:, PRECURSORS]
        )
        state[:, PRECURSORS] = (
            one.staying[day] * state[:, PRECURSORS]
            + one.priming[day] * state[:, DYING]
            + one.inflow
        )
        if one.lag:
            state[:, QUEUE + 1 :] = state[:, QUEUE:-1].copy()
            state[:, QUEUE] = released
        effect += state[:, EFFECTORS, None] * one.effect[day]

    def give(
        self, state: FloatArray, effect: FloatArray, stage: int, action: IntArray
    ) -> FloatArray:
        """Actions of one course day and all days up to the next, in place; (n, H) log kill."""
        given = action > 0
        released = self.release[stage, action] * state[:, SURVIVORS]
        state[:, SURVIVORS] *= self.survival[stage, action]
        state[:, OTHERS] *= np.where(given, self.others_kept[stage], 1.0)
        day = int(self.days[stage])
        self.step(state, effect, day, released, np.where(given, self.effectors_kept, 1.0))
        last = stage + 1 == len(self.days)
        for later in range(day + 1, day + 1 if last else int(self.days[stage + 1])):
            self.step(state, effect, later)
        killed: FloatArray = self.kill[stage, action]
        return killed

    def begin(self, n: int = 1) -> tuple[FloatArray, FloatArray]:
        """States and effect before the first day of the course."""
        state = np.repeat(self.start[None, :], n, axis=0)
        effect = np.zeros((n, len(self.horizons)))
        for day in range(int(self.days[0])):
            self.step(state, effect, day)
        return state, effect

    def regrown(self, first: IntArray, last: IntArray) -> FloatArray:
        """(n, H) growth by accelerated repopulation of courses by their days (-1: none)."""
        if not self.repopulates:
            return np.zeros((len(first), len(self.horizons)))
        grown = repopulation.accelerated_days(
            first[:, None], last[:, None], self.kick_off, self.horizons[None, :]
        )
        extra: FloatArray = np.where(first[:, None] >= 0, self.growth * grown, 0.0)
        return extra


def terms_of(candidates: Candidates, columns: Columns, flow: Flow | None, plan: int) -> Terms:
    """Coefficients of the case's one free lesion under one plan."""
    instance, effects = candidates.instance, candidates.plan_effects
    index = candidates.free[0]
    lesion, c = instance.lesions[index], instance.immune
    own = np.flatnonzero(columns.lesion == index)
    dose = np.concatenate([[0.0], np.unique(columns.dose[own])])
    days = np.unique(columns.day[own])
    shape = (len(days), len(dose))
    where = np.searchsorted(days, columns.day[own]), np.searchsorted(dose, columns.dose[own])
    group = int(effects.group[plan])
    horizons = len(instance.horizon_days)
    allowed = np.zeros(shape, dtype=bool)
    allowed[where] = columns.allowed[plan, own]
    allowed[:, 0] = True
    kill = np.zeros((*shape, horizons))
    kill[where] = -columns.local[group][own, :, 0]
    whole = np.zeros(shape)
    whole[where] = -columns.local[group][own, -1, 0]
    release = np.zeros(shape)
    if flow is not None:
        rows = [flow.row[int(j)] for j in own]
        release[where] = flow.release[plan, rows, 0]
    load, room = _loads(candidates, columns, own, where, shape, group)
    chemo = math.exp(-float(effects.chemotherapy_log_loss[plan]))
    given = effects.mobilization[plan]
    daily = Daily(
        effect=chemo
        * (c.effect_per_effector * effects.effect_factor[plan])[:, None]
        * (np.arange(instance.days)[:, None] < np.array(instance.horizon_days)),
        mobilized=given,
        staying=(1.0 - c.precursor_loss_per_day - given) * effects.precursor_survival[plan],
        priming=effects.priming_factor[plan],
        effector_kept=1.0 - c.effector_loss_per_day,
        dying_kept=math.exp(-c.clearance_per_day),
        dying_entry=c.clearance_per_day,
        inflow=c.precursor_inflow_per_day * lesion.precursor_share,
        lag=int(c.priming_delay_days),
    )
    start = np.zeros(QUEUE + daily.lag)
    start[[SURVIVORS, OTHERS]] = 1.0
    start[PRECURSORS] = c.precursors_initial * lesion.precursor_share
    others, local = _other_lesions(candidates, columns, plan, chemo)
    order = [index, *(table.menu.lesion for table in candidates.lesions)]
    lost = lesion.effect_loss(lesion.ways[0]) * effects.effect_weights[plan][days]
    growth, kick_off = _repopulation(candidates)
    alc = _alc(candidates, plan, len(days))
    return Terms(
        plan=plan,
        days=days,
        dose=dose,
        allowed=allowed,
        kill=kill,
        survival=np.exp(-whole),
        release=release,
        load=load,
        room=room,
        effectors_kept=math.exp(-lesion.effector_kill(lesion.ways[0])),
        others_kept=np.exp(-lost),
        daily=daily,
        start=start,
        others=others,
        local=local,
        share=np.array([columns.share[i, 0] for i in order]),
        weight=np.array([instance.lesions[i].weight for i in order]),
        horizons=np.array(instance.horizon_days, dtype=float),
        growth=growth,
        kick_off=kick_off,
        alc_loss=alc[0],
        alc_kept=alc[1],
        alc_room=alc[2],
        cost=candidates.plan_cost(plan),
        most_fractions=_most_fractions(candidates, len(days)),
    )


def _loads(
    candidates: Candidates,
    columns: Columns,
    own: IntArray,
    where: tuple[IntArray, IntArray],
    shape: tuple[int, int],
    group: int,
) -> tuple[FloatArray, FloatArray]:
    """Organ limits that some course can break."""
    load = np.zeros((*shape, len(candidates.limits)))
    load[where] = columns.loads[group][own]
    room = CAP - candidates.prior
    most = load.max(axis=1).sum(axis=0)
    binding = most > room
    return load[:, :, binding], room[binding]


def _most_fractions(candidates: Candidates, days: int) -> int:
    """Most fractions of the one free course: its days, its own cap, visits and machine days."""
    course = candidates.instance.lesions[candidates.free[0]].course
    assert course is not None and course.form == "free"
    caps = [days] if course.max_fractions is None else [days, course.max_fractions]
    for limit in candidates.instance.limits:
        if isinstance(limit, LogisticsLimit) and limit.cap is not None:
            if limit.quantity in ("visits", "machine_days"):
                caps.append(limit.cap)
            elif limit.cap == 0:
                caps.append(0)
    return min(caps)


def _other_lesions(
    candidates: Candidates, columns: Columns, plan: int, chemo: float
) -> tuple[FloatArray, FloatArray]:
    """(H,) effect of the lesions without fractions, and (lesions, H) log burdens left alone."""
    group = int(candidates.plan_effects.group[plan])
    resting = np.zeros(len(candidates.instance.horizon_days))
    local = [columns.constant_local[group, candidates.free[0], :, 0]]
    for effect in candidates.effects(plan):
        resting = resting + chemo * effect.effect[0]
        local.append(effect.local[0, :, 0])
    return resting, np.stack(local)


def _repopulation(candidates: Candidates) -> tuple[float, float]:
    lesion = candidates.instance.lesions[candidates.free[0]]
    fast, slow = lesion.repopulation_doubling_time_days, lesion.growth_doubling_time_days
    if fast is None:
        return 0.0, 0.0
    rate = math.log(2.0) / fast - (0.0 if slow is None else math.log(2.0) / slow)
    return rate, lesion.kick_off_days


def _alc(candidates: Candidates, plan: int, days: int) -> tuple[float, float, float]:
    """Loss per fraction, share kept per day, and room; infinite room where nothing binds."""
    instance = candidates.instance
    lesion = instance.lesions[candidates.free[0]]
    loss = lesion.lymphocyte_loss(lesion.ways[0])
    kept = float(lymphocytes.recovery(1.0, instance.lymphocytes.recovery_half_time_days))
    before, room = instance.lymphocytes.initial_1e9_per_l, math.inf
    for limit in instance.limits:
        if isinstance(limit, AlcLimit):
            allowance = math.log(before / limit.floor_1e9_per_l) * CAP
            room = min(room, allowance - float(candidates.plan_effects.chemotherapy_log_loss[plan]))
    return loss, kept, room if loss * days > room else math.inf
