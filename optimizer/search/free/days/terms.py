"""A free lesion under one plan, as numbers: what each dose of each day does.

Everything that a course does is linear in a state that has, before each day,

    S survivors, O what lymphocyte losses leave of the others' effect, e effectors, R precursors,
    D dying cells that prime, q_1 .. q_lag what was released 1 .. lag days ago.

A day of a course multiplies S, O and e and adds to q_1; every other day is the same for all
courses. `Terms.step` is that day, `Terms.passing` all days from one course day to the next;
`search.free.days.suffix` is the transpose of a day.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.models.immunity import recursion
from abscopt.models.tumor import repopulation

TINY = 1e-12
"""Added where a logarithm or a quotient would meet zero; far below every load and worth."""
SURVIVORS, OTHERS, EFFECTORS, PRECURSORS, DYING, QUEUE = range(6)
"""Positions in a state; the queue of releases begins at `QUEUE`."""
IMMUNE = EFFECTORS, PRECURSORS, DYING
"""Positions of what `recursion.State` holds."""


@dataclass(frozen=True)
class Daily:
    """What each day does by itself.

    Attributes
    ----------
    effect : (days, H) of an effector, by horizon
    steps : (days,) from state to state
    entry : dying cells per unit released, `lag` days later
    """

    effect: FloatArray
    steps: Sequence[recursion.Day]
    entry: float
    lag: int


@dataclass(frozen=True)
class Terms:
    """Coefficients of a lesion, by its index in the case.

    T course days, A actions (0 = no fraction), M limits, H horizons.

    Attributes
    ----------
    days : (T,) days of the course
    dose : (A,) Gy
    allowed : (T, A)
    kill : (T, A, H) log kill that counts at each horizon
    survival, release : (T, A) survivors per survivor; release per survivor
    load, rhs : (T, A, M) and (M,) shares of the caps, and what is left of them; the first
        `organ_rows` of them are limits of organs, the others rows of shared days
    effectors_kept : e^-lambda, of the effectors a fraction meets
    others_kept : (T,) of the others' effect after a fraction
    start : (5 + lag,) state before day 0
    others : (H,) worth of a unit of the others' effect; 0 where it is not known beforehand
    growth : extra growth per day of accelerated repopulation, nats; `kick_off` days before it
    growth_apart : whether it counts beside the kill, or is taken off it
    alc_loss, alc_kept, alc_allowance : per fraction, per day, and in all (infinite without a limit)
    """

    lesion: int
    days: IntArray
    dose: FloatArray
    allowed: BoolArray
    kill: FloatArray
    survival: FloatArray
    release: FloatArray
    load: FloatArray
    rhs: FloatArray
    organ_rows: int
    effectors_kept: float
    others_kept: FloatArray
    daily: Daily
    start: FloatArray
    others: FloatArray
    horizons: FloatArray
    growth: float
    kick_off: float
    growth_apart: bool
    alc_loss: float
    alc_kept: float
    alc_allowance: float
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
    ) -> None:
        """Go on by one day in place: x' = M_t x + b_t, effect += phi_t e'.

        (e, R, D) by `recursion.Day.after` with a = c q_lag; q_1' = r and q_i' = q_{i-1} with r the
        release of the day, and q_lag is r itself without a lag.

        Parameters
        ----------
        state : (n, 5 + lag)
        effect : (n, H) effect so far
        released : (n,) release of the day
        """
        daily = self.daily
        entering = state[:, QUEUE + daily.lag - 1] if daily.lag else released
        cells = recursion.State(*(state[:, component] for component in IMMUNE))
        for component, values in zip(
            IMMUNE, daily.steps[day].after(cells, daily.entry * entering), strict=True
        ):
            state[:, component] = values
        if daily.lag:
            state[:, QUEUE + 1 :] = state[:, QUEUE:-1].copy()
            state[:, QUEUE] = released
        effect += state[:, EFFECTORS, None] * daily.effect[day]

    @cached_property
    def passing(self) -> list[FloatArray]:
        """(N + 2, N + H) of each course day: from a state, its release and 1 to state and effect.

            (x, r, 1) P_i = (x', effect added),     P_i from course day i to the next

        N components of a state. The rows are those of unit vectors carried on by `step`; that of 1
        has the inflow of precursors, which is taken off the others.
        """
        size, matrices = len(self.start), []
        for day, until in itertools.pairwise([*self.days.tolist(), int(self.days[-1]) + 1]):
            state, effect = np.eye(size + 2, size), np.zeros((size + 2, len(self.horizons)))
            released = np.eye(size + 2)[size]
            self.step(state, effect, day, released)
            for later in range(day + 1, until):
                self.step(state, effect, later)
            both = np.concatenate([state, effect], axis=1)
            both[:-1] -= both[-1]  # all rows have the inflow
            matrices.append(both)
        return matrices

    def give(self, state: FloatArray, effect: FloatArray, stage: int, action: IntArray) -> None:
        """Actions of one course day and all days up to the next, in place.

            (x', dE) = (F x, rho S, 1) P_i,    F = diag(sigma, others_kept, effectors_kept, 1 ..)

        with F's last two only where a fraction is given, by row of n.
        """
        dosed, size = action > 0, state.shape[1]
        before = np.empty((len(state), size + 2))
        before[:, :size] = state
        before[:, size] = self.release[stage, action] * state[:, SURVIVORS]
        before[:, -1] = 1.0
        before[:, SURVIVORS] *= self.survival[stage, action]
        before[:, OTHERS] *= np.where(dosed, self.others_kept[stage], 1.0)
        before[:, EFFECTORS] *= np.where(dosed, self.effectors_kept, 1.0)
        both = before @ self.passing[stage]
        state[:] = both[:, :size]
        effect += both[:, size:]

    def begin(self, n: int = 1) -> tuple[FloatArray, FloatArray]:
        """States and effect before the first day of the course."""
        state = np.repeat(self.start[None, :], n, axis=0)
        effect = np.zeros((n, len(self.horizons)))
        for day in range(int(self.days[0])):
            self.step(state, effect, day)
        return state, effect

    @cached_property
    def untouched(self) -> list[tuple[FloatArray, FloatArray]]:
        """State (1, N) and effect (1, H) before each course day and after all, untreated."""
        state, effect = self.begin()
        states = [(state.copy(), effect.copy())]
        for stage in range(len(self.days)):
            self.give(state, effect, stage, np.zeros(1, dtype=np.int64))
            states.append((state.copy(), effect.copy()))
        return states

    @cached_property
    def regrown(self) -> FloatArray:
        """(T + 1, T + 1, H) accelerated regrowth by positions of first and last day; -1: none."""
        number = len(self.days)
        table = np.zeros((number + 1, number + 1, len(self.horizons)))
        if self.repopulates:
            table[:number, :number] = self.growth * repopulation.accelerated_days(
                self.days[:, None, None], self.days[None, :, None], self.kick_off, self.horizons
            )
        return table

    @cached_property
    def taken_off(self) -> FloatArray:
        """(T + 1, T + 1, H) what of `regrown` is taken off the kill."""
        return np.zeros_like(self.regrown) if self.growth_apart else self.regrown

    @cached_property
    def beside(self) -> FloatArray:
        """(T + 1, T + 1, H) what of `regrown` counts beside the kill."""
        return self.regrown if self.growth_apart else np.zeros_like(self.regrown)
