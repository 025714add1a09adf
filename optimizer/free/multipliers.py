"""Prices at which the Lagrangian bound of a plan is low, by column generation.

Columns are courses. The master mixes them within the limits and values the mixture on concave
majorants of the objective, broken at points; its duals are the next prices, taken part of the way
from the best ones known. Whatever the prices are, the bound they give is a bound: no tolerance of
the master enters it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import immune
from abscopt.optimizer.candidates.value import value_of_burden
from abscopt.optimizer.free.courses import totals
from abscopt.optimizer.free.dual import Completion, Slopes, Value, choices, completion
from abscopt.optimizer.solver import SolverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.free.suffix import Stage
    from abscopt.optimizer.free.terms import Terms

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROUNDS = 40
STEP = 0.6
BREAKS = 31
WIDE_BREAKS = 9
CURVED = 6.0
MISSED = 20.0
CLOSE = 2e-4
IDLE = 8


@dataclass
class Pool:
    """Courses met so far, (n, T) actions with their kill, effect and loads."""

    terms: Terms
    end: Stage
    courses: IntArray
    kill: FloatArray
    effect: FloatArray
    load: FloatArray

    @classmethod
    def of(cls, terms: Terms, end: Stage, courses: IntArray) -> Pool:
        """A pool of some courses and of none at all."""
        nothing = np.zeros((1, len(terms.days)), dtype=np.int64)
        every = np.unique(np.concatenate([nothing, courses]), axis=0)
        return cls(terms, end, every, *totals(terms, end, every)[:3])

    def add(self, course: IntArray) -> bool:
        """Add one; False if it is known."""
        if (self.courses == course).all(axis=1).any():
            return False
        kill, effect, load, _ = totals(self.terms, self.end, course[None, :])
        self.courses = np.concatenate([self.courses, course[None, :]])
        self.kill = np.concatenate([self.kill, kill])
        self.effect = np.concatenate([self.effect, effect])
        self.load = np.concatenate([self.load, load])
        return True


@dataclass(frozen=True)
class Mixture:
    """Kill and effect (H,) and number of fractions of a mixture of courses."""

    kill: FloatArray
    effect: FloatArray
    count: float


@dataclass(frozen=True)
class Priced:
    """Best bound of a plan and the completion it comes from.

    `mixed` is the master's value, `mixture` its mixture of courses.
    """

    bound: float
    completion: Completion
    slopes: Slopes
    mixed: float
    mixture: Mixture


def value_of(terms: Terms, stages: list[Stage], instance: Instance) -> Value:
    """The objective with ranges that hold every course."""
    state, effect = terms.begin()
    most = np.einsum("bkh,k->bh", stages[0].high, state[0]) + stages[0].constant
    greatest = most.max(axis=0) + stages[0].survivor + effect[0]
    kill = np.where(terms.allowed[:, :, None], terms.kill, 0.0).max(axis=1).sum(axis=0)
    return Value(instance, terms, kill, greatest)


def followed(one: Completion, terms: Terms) -> IntArray:
    """(T,) the course that takes the best action at every day, limits being priced only."""
    state, effect = terms.begin()
    course = np.zeros(len(terms.days), dtype=np.int64)
    for stage in range(len(course)):
        count = np.array([np.count_nonzero(course)])
        course[stage] = int(choices(one, terms, stage, state, count)[0].argmax())
        terms.give(state, effect, stage, course[stage : stage + 1])
    return course


def priced(
    terms: Terms,
    stages: list[Stage],
    value: Value,
    pool: Pool,
    stop: Callable[[], bool],
    target: float = -np.inf,
    rounds: int = ROUNDS,
    first: Slopes | None = None,
) -> Priced:
    """Prices for one plan and range of kill; stops at a bound <= target."""
    begin = terms.begin()
    best: Priced | None = None
    wanted, mixed, mixture = _master(value, pool)
    tried, idle = wanted if first is None else first, 0
    for turn in range(rounds):
        one = completion(terms, stages, value.prices(tried), value.span.count)
        bound = one.root(*begin)
        idle += 1
        if best is None or bound < best.bound:
            idle = 0 if best is None or bound < best.bound - CLOSE else idle
            best = Priced(bound, one, tried, mixed, mixture)
        new = pool.add(followed(one, terms))
        if best.bound <= target or stop() or turn + 1 == rounds or idle > IDLE:
            break
        wanted, mixed, mixture = _master(value, pool)
        if best.bound - mixed < CLOSE:
            break
        tried = best.slopes.towards(wanted, STEP if new else 1.0)
    assert best is not None
    return Priced(best.bound, best.completion, best.slopes, mixed, mixture)


def _breaks(value: Value) -> FloatArray:
    """(lesions, H, points) log burdens at which the majorants are broken: densely where curved."""
    wide = np.linspace(value.low, value.high, WIDE_BREAKS, axis=-1)
    near = np.broadcast_to(np.linspace(-CURVED, CURVED, BREAKS), (*value.low.shape, BREAKS))
    near = np.clip(near, value.low[..., None], value.high[..., None])
    found: FloatArray = np.concatenate([wide, near], axis=-1)
    return found


def _master(value: Value, pool: Pool) -> tuple[Slopes, float, Mixture]:
    """Duals of the best mixture of the pool's courses, and its value on the majorants.

    Variables: weights of courses, of points of each log burden, the systemic kill of each
    horizon, and kill that the pool lacks to reach the range, at a high cost. Rows: log burden of
    each lesion and horizon, tangents of the saturation, limits, fractions.
    """
    from scipy.optimize import linprog  # type: ignore[import-untyped]

    terms, maximum = value.terms, value.maximum
    lesions, horizons = terms.local.shape
    number, cells = len(pool.courses), lesions * horizons
    points = _breaks(value).reshape(cells, -1)
    breaks = points.shape[1]
    width = number + cells * breaks + 2 * horizons
    saved = number + cells * breaks
    cost = np.zeros(width)
    cost[-horizons:] = -MISSED
    weight = np.repeat(value.per, horizons)
    cost[number : number + cells * breaks] = (
        value_of_burden(value.goal, points) * weight[:, None]
    ).reshape(-1)
    equal = np.zeros((1 + cells, width))
    equal[0, :number] = 1.0
    rows = np.zeros((cells, width))
    for cell in range(cells):
        s, h = divmod(cell, horizons)
        part = slice(number + cell * breaks, number + (cell + 1) * breaks)
        equal[1 + cell, part] = 1.0
        rows[cell, part] = -points[cell]  # -u <= K + share sat - local
        rows[cell, saved + h] = -terms.share[s]
        if s == 0:
            rows[cell, :number] = -pool.kill[:, h]
            rows[cell, saved + horizons + h] = -1.0
    right = -terms.local.reshape(-1)
    tangents, levels = [], []
    for h in range(horizons):
        top = float(value.most_effect[h])
        for z in [0.0] if maximum is None else np.linspace(0.0, top, BREAKS):
            slope = 1.0 if maximum is None else (maximum / (z + maximum)) ** 2
            row = np.zeros(width)
            row[saved + h] = 1.0
            row[:number] = -slope * pool.effect[:, h]
            tangents.append(row)
            levels.append(float(immune.saturate(z, maximum)) - slope * z)
    limits = np.zeros((len(terms.room) + 2, width))
    limits[:-2, :number] = pool.load.T
    fractions = (pool.courses > 0).sum(axis=1)
    limits[-2, :number], limits[-1, :number] = fractions, -fractions
    limits[-1, saved + horizons] = -1.0
    few, many = value.span.count
    solved = linprog(
        -cost,
        A_ub=np.concatenate([rows, np.array(tangents), limits]),
        b_ub=np.concatenate([right, levels, terms.room, [many, -few]]),
        A_eq=equal,
        b_eq=np.ones(1 + cells),
        method="highs",
    )
    if solved.status != 0:
        raise SolverError(f"the master of a free course ended with {solved.message}")
    dual = np.maximum(-np.asarray(solved.ineqlin.marginals), 0.0)
    burden = (dual[:cells] / weight).reshape(lesions, horizons)
    per = len(tangents) // horizons
    slopes = (
        np.ones(1)
        if maximum is None
        else (maximum / (np.linspace(0.0, value.most_effect, BREAKS) + maximum)) ** 2
    )
    tangent = dual[cells : cells + len(tangents)].reshape(horizons, per)
    effect = (tangent * np.transpose(slopes)).sum(axis=1)
    load = dual[cells + len(tangents) : -2]
    mix = np.asarray(solved.x)[:number]
    mixture = Mixture(mix @ pool.kill, mix @ pool.effect, float(mix @ fractions))
    return Slopes(burden, effect, load), float(-solved.fun) - terms.cost, mixture
