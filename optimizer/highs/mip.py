"""A mixed-integer program as arrays, what a solver makes of it, and what must hold of that.

No solver is believed: what is not finite, breaks a row, or claims a bound below its own point is
refused where it arises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from abscopt.models.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.schedule import Schedule


Table = TypeVar("Table")
Ending = Literal["optimal", "limit", "infeasible", "unbounded"]

Row = tuple[IntArray, FloatArray, float]
"""Columns of a row, their coefficients, and its upper bound."""

KEPT = 1e-5
"""Ten times the feasibility tolerance of every solver here (1e-6): rows and integers of a point."""
AGREED = 1e-6
"""By how much, relative, two statements of one objective may differ."""


class SolverError(RuntimeError):
    """The solver ended in a way that is not in the map, or failed the canary."""


class DoubtError(SolverError):
    """A solver contradicts itself or a schedule that the judge knows; another way may be right.

    Attributes
    ----------
    schedule : the best that was judged on the way; None without any
    """

    schedule: Schedule | None = None


def finite(source: str, value: FloatArray) -> FloatArray:
    """The numbers, if all are finite.

    Raises
    ------
    DoubtError
        If one is NaN or infinite; `source` says whose they are.
    """
    if not np.isfinite(value).all():
        raise DoubtError(f"{source}: {_first_bad(value)} is not a finite number")
    return value


def finite_fields(source: str, table: Table) -> Table:
    """A table, if every floating-point array in its fields is finite; see `finite`."""
    for name, value in vars(table).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            finite(f"{source}, {name}", value)
    return table


def _first_bad(value: FloatArray) -> str:
    flat = np.asarray(value).reshape(-1)
    return repr(float(flat[~np.isfinite(flat)][0]))


@dataclass(frozen=True)
class Matrix:
    """A mixed-integer program, maximize: arrays in row-wise sparse form."""

    cost: FloatArray
    lower: FloatArray
    upper: FloatArray
    integer: NDArray[np.bool_]
    row_lower: FloatArray
    row_upper: FloatArray
    start: NDArray[np.int32]
    index: NDArray[np.int32]
    value: FloatArray
    offset: float = 0.0

    @classmethod
    def of_rows(
        cls,
        rows: Sequence[Row],
        *,
        cost: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        integer: NDArray[np.bool_],
        row_lower: FloatArray,
        offset: float = 0.0,
    ) -> Matrix:
        """The program from its rows, compressed one after the other."""
        return cls(
            cost=cost,
            lower=lower,
            upper=upper,
            integer=integer,
            row_lower=row_lower,
            row_upper=np.array([right for _, _, right in rows]),
            start=np.cumsum([0, *(len(columns) for columns, _, _ in rows)]).astype(np.int32),
            index=np.concatenate([columns for columns, _, _ in rows]).astype(np.int32),
            value=np.concatenate([values for _, values, _ in rows]),
            offset=offset,
        )


@dataclass(frozen=True)
class Outcome:
    """Why the solver stopped, and what is in hand (None when absent)."""

    ending: Ending
    x: FloatArray | None
    objective: float | None
    bound: float | None
    nodes: int


def check_matrix(matrix: Matrix) -> None:
    """Raise SolverError where the arrays hold NaN or do not fit each other."""
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "value"):
        if np.isnan(getattr(matrix, name)).any():
            raise SolverError(f"NaN in {name}")
    if not np.isfinite(matrix.cost).all() or not np.isfinite(matrix.value).all():
        raise SolverError("infinite cost or coefficient")
    if len(matrix.start) != len(matrix.row_lower) + 1 or matrix.start[-1] != len(matrix.value):
        raise SolverError("row starts do not fit the coefficients")


def checked(matrix: Matrix, outcome: Outcome) -> Outcome:
    """The outcome, if it can be true.

    Raises
    ------
    DoubtError
        If a number is not finite, the point breaks bounds, rows or integrality, the objective is
        not that of the point, the bound lies below it, or an optimum comes without a point or with
        a bound far above it.
    """
    for name in ("objective", "bound"):
        value = getattr(outcome, name)
        if value is not None and not np.isfinite(value):
            raise DoubtError(f"the solver's {name} is {value!r}")
    if outcome.x is None:
        if outcome.ending == "optimal" or outcome.objective is not None:
            raise DoubtError(f"the solver ends as {outcome.ending} without a point")
        return outcome
    _check_point(matrix, outcome.x)
    of_point = float(matrix.cost @ outcome.x) + matrix.offset
    slack = AGREED * max(1.0, float(np.abs(matrix.cost) @ np.abs(outcome.x)))
    if outcome.objective is None or abs(outcome.objective - of_point) > slack:
        raise DoubtError(f"the solver claims {outcome.objective!r} for a point worth {of_point!r}")
    if outcome.bound is not None and outcome.bound < of_point - slack:
        raise DoubtError(
            f"the solver's bound {outcome.bound!r} lies below its own point {of_point!r}"
        )
    return outcome


def _check_point(matrix: Matrix, x: FloatArray) -> None:
    """Raise DoubtError where a point is not one of the program."""
    if x.shape != matrix.cost.shape or not np.isfinite(x).all():
        raise DoubtError("the solver's point has the wrong size or is not finite")
    size = KEPT * np.maximum(1.0, np.abs(x))
    if (x < matrix.lower - size).any() or (x > matrix.upper + size).any():
        raise DoubtError("the solver's point is out of its bounds")
    integral = x[matrix.integer]
    if (np.abs(integral - np.round(integral)) > KEPT).any():
        raise DoubtError("the solver's point is not integer")
    terms = matrix.value * x[matrix.index]
    row = np.repeat(np.arange(len(matrix.row_lower)), np.diff(matrix.start))
    load = np.bincount(row, terms, minlength=len(matrix.row_lower))
    size = KEPT * np.maximum(1.0, np.bincount(row, np.abs(terms), minlength=len(load)))
    if (load < matrix.row_lower - size).any() or (load > matrix.row_upper + size).any():
        raise DoubtError("the solver's point breaks a row")
