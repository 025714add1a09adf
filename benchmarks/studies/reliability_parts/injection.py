"""Faults put in where answers of HiGHS enter: each wraps a function of `optimizer.highs.solver`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from abscopt.optimizer.highs import solver
from abscopt.optimizer.highs.solver import ColumnMaster, Outcome, SolverError

Rng = np.random.Generator
Array = Any


@dataclasses.dataclass
class Injector:
    """Decides at each call whether the fault happens; counts how often it did."""

    rng: Rng
    share: float
    first: int
    calls: int = 0
    happened: int = 0

    def now(self) -> bool:
        """Whether this call fails."""
        self.calls += 1
        if self.calls <= self.first or self.rng.random() > self.share:
            return False
        self.happened += 1
        return True


def _endings(rng: Rng, outcome: Outcome) -> Outcome:
    """A limit, an infeasibility or an unbounded ray that there is not."""
    ending = str(rng.choice(["limit", "unbounded"]))
    if rng.random() < 0.5:
        return dataclasses.replace(outcome, ending=ending)
    return dataclasses.replace(outcome, ending=ending, x=None, objective=None, bound=None)


def _infeasible(rng: Rng, outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, ending="infeasible", x=None, objective=None, bound=None)


def _not_a_number(rng: Rng, outcome: Outcome) -> Outcome:
    """NaN or inf in x, objective or bound."""
    strange = float(rng.choice([np.nan, np.inf, -np.inf]))
    part = str(rng.choice(["x", "objective", "bound"]))
    if part != "x":
        return dataclasses.replace(outcome, **{part: strange})
    if outcome.x is None:
        return outcome
    x = outcome.x.copy()
    x[rng.integers(len(x), size=max(1, len(x) // 4))] = strange
    return dataclasses.replace(outcome, x=x)


def _perturbed(rng: Rng, outcome: Outcome) -> Outcome:
    """A point off by a little or by much."""
    if outcome.x is None:
        return outcome
    size = float(rng.choice([1e-9, 1e-6, 1e-3, 1.0]))
    return dataclasses.replace(outcome, x=outcome.x + size * rng.standard_normal(len(outcome.x)))


def _shuffled(rng: Rng, outcome: Outcome) -> Outcome:
    """The values of other columns."""
    if outcome.x is None:
        return outcome
    return dataclasses.replace(outcome, x=rng.permutation(outcome.x))


def _bound_below(rng: Rng, outcome: Outcome) -> Outcome:
    """A bound that lies below the objective."""
    if outcome.bound is None:
        return outcome
    size = float(rng.choice([1e-3, 0.1, 10.0, 1e6]))
    return dataclasses.replace(outcome, bound=outcome.bound - size)


def _objective_off(rng: Rng, outcome: Outcome) -> Outcome:
    if outcome.objective is None:
        return outcome
    return dataclasses.replace(
        outcome, objective=outcome.objective + float(rng.choice([-1, 1, 1e6]))
    )


OUTCOMES: dict[str, Callable[[Rng, Outcome], Outcome]] = {
    "ending": _endings,
    "infeasible": _infeasible,
    "not a number": _not_a_number,
    "perturbed point": _perturbed,
    "point of other columns": _shuffled,
    "bound too low": _bound_below,
    "objective off": _objective_off,
}


def _vector(rng: Rng, value: Array) -> Array:
    """A vector of multipliers or weights that is not what the solver meant."""
    kind = str(
        rng.choice(["nan", "one nan", "inf", "-inf", "zero", "noise", "huge", "turned", "mixed"])
    )
    value = np.array(value, dtype=float)
    if not value.size:
        return value
    place = int(rng.integers(len(value)))
    if kind in ("nan", "inf", "-inf"):
        return np.full_like(value, float(kind))
    if kind == "one nan":
        value[place] = np.nan
    if kind == "huge":
        value[place] = 1e300
    if kind == "zero":
        value = np.zeros_like(value)
    if kind == "turned":
        value = -value
    if kind == "noise":
        value = value * (1 + rng.standard_normal(len(value)))
    return rng.permutation(value) if kind == "mixed" else value


@contextmanager
def outcomes(kind: str, injector: Injector) -> Iterator[None]:
    """Answers of mixed-integer programs, spoiled."""
    before = solver._outcome
    spoil = OUTCOMES[kind]

    def spoiled(*args: Any, **more: Any) -> Outcome:
        outcome = before(*args, **more)
        return spoil(injector.rng, outcome) if injector.now() else outcome

    with _replaced(solver, "_outcome", spoiled):
        yield


@contextmanager
def errors(injector: Injector) -> Iterator[None]:
    """A solver that raises in the middle."""
    before = solver._outcome

    def failing(*args: Any, **more: Any) -> Outcome:
        if injector.now():
            raise SolverError("injected: HiGHS ended with Solve error")
        return before(*args, **more)

    with _replaced(solver, "_outcome", failing), vectors("duals", injector, fails=True):
        yield


@contextmanager
def vectors(name: str, injector: Injector, fails: bool = False) -> Iterator[None]:
    """Multipliers (`duals`) or `weights` of the master programs, spoiled."""
    before = getattr(ColumnMaster, name)

    def spoiled(self: ColumnMaster) -> Array:
        value = before(self)
        if not injector.now():
            return value
        if fails:
            raise SolverError("injected: master ended with Unknown")
        return _vector(injector.rng, value)

    with _replaced(ColumnMaster, name, spoiled):
        yield


@contextmanager
def lies(injector: Injector) -> Iterator[None]:
    """A solver that never looks at some choices: one integer column in ten stays 0."""
    before = solver._pass

    def blind(highs: Any, matrix: Any, *args: Any, **more: Any) -> Any:
        if injector.now():
            hidden = matrix.integer & (injector.rng.random(len(matrix.integer)) < 0.1)
            upper = np.where(hidden, matrix.lower, matrix.upper)
            matrix = dataclasses.replace(matrix, upper=upper)
        return before(highs, matrix, *args, **more)

    with _replaced(solver, "_pass", blind):
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
