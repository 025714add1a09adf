"""The one door to HiGHS: status map, canary, linear programs from arrays.

HiGHS 1.14 answers some small MILPs wrongly and calls them optimal; `canary` solves two of them
and refuses to go on with a solver that fails.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import highspy
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

FloatArray = NDArray[np.float64]

Ending = Literal["optimal", "limit", "infeasible", "unbounded"]

_ENDINGS: dict[Any, Ending] = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnbounded: "unbounded",
    highspy.HighsModelStatus.kUnboundedOrInfeasible: "infeasible",
    highspy.HighsModelStatus.kTimeLimit: "limit",
    highspy.HighsModelStatus.kIterationLimit: "limit",
    highspy.HighsModelStatus.kSolutionLimit: "limit",
    highspy.HighsModelStatus.kInterrupt: "limit",
    highspy.HighsModelStatus.kObjectiveBound: "limit",
    highspy.HighsModelStatus.kObjectiveTarget: "limit",
}


_DOUBTED = {
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
    highspy.HighsModelStatus.kSolveError,
}


class SolverError(RuntimeError):
    """The solver ended in a way that is not in the map, or failed the canary."""


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


@dataclass(frozen=True)
class Outcome:
    """Why the solver stopped, and what is in hand (None when absent)."""

    ending: Ending
    x: FloatArray | None
    objective: float | None
    bound: float | None
    nodes: int


def solver_version() -> str:
    """Version of HiGHS."""
    return version("highspy")


@cache
def canary() -> None:
    """Raise SolverError if HiGHS gets one of two tiny known MILPs wrong."""
    cases = (
        ((2.0, 3.0), (0.0, 10.0), 10.0, 4.5, 9.0),
        ((2.0, 1.0), (8.0, 20.0), 20.0, 20.1, 28.2),
    )
    for cost, (low, high), z_high, need, right in cases:
        outcome = solve_matrix(
            Matrix(
                cost=-np.array(cost),
                lower=np.array([low, 0.0]),
                upper=np.array([high, z_high]),
                integer=np.array([False, True]),
                row_lower=np.array([need]),
                row_upper=np.array([np.inf]),
                start=np.array([0, 2], dtype=np.int32),
                index=np.array([0, 1], dtype=np.int32),
                value=np.array([1.0, 1.0]),
            )
        )
        if outcome.objective is None or abs(-outcome.objective - right) > 1e-6:
            raise SolverError(
                f"HiGHS {solver_version()} answers {outcome.objective} where {-right} is right; "
                "install highspy >= 1.15.1"
            )


def _limited(
    threads: int, seed: int, absolute_gap: float, time_limit: float | None, log: str | None
) -> Any:
    """HiGHS with a gap, a time limit and a log file."""
    highs = _quiet(threads, seed)
    _option(highs, "mip_rel_gap", 0.0)
    _option(highs, "mip_abs_gap", absolute_gap)
    if time_limit is not None:
        _option(highs, "time_limit", max(time_limit, 1e-3))
    if log is not None:
        _option(highs, "output_flag", True)
        _option(highs, "log_to_console", False)
        _option(highs, "log_file", log)
    return highs


def _option(highs: Any, name: str, value: object) -> None:
    if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
        raise SolverError(f"HiGHS refuses option {name} = {value!r}")


@cache
def _swallow_banner() -> None:
    """Make the first `Highs`: HiGHS 1.16 greets on the stdout of the process, our data channel."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 1)
            highspy.Highs()
            ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)


_threads_in_use: list[int] = []


def _quiet(threads: int, seed: int) -> Any:
    """New silent `Highs`; its global scheduler is renewed when the thread number changes."""
    _swallow_banner()
    if _threads_in_use and _threads_in_use[0] != threads:
        highspy.Highs.resetGlobalScheduler(True)
    _threads_in_use[:] = [threads]
    highs = highspy.Highs()
    _option(highs, "output_flag", False)
    _option(highs, "threads", threads)
    _option(highs, "random_seed", seed)
    return highs


def solve_matrix(
    matrix: Matrix,
    *,
    absolute_gap: float = 1e-9,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    listener: Callable[[float | None, float | None], bool] | None = None,
    start: FloatArray | None = None,
    log: str | None = None,
    most_nodes: int | None = None,
) -> Outcome:
    """Maximize a mixed-integer program with HiGHS.

    Parameters
    ----------
    absolute_gap : stop when bound minus incumbent is at most this, in the objective's unit
    listener : called with (incumbent, bound) now and then; returns True to stop
    start : a point to begin with; HiGHS ignores it if it is not feasible
    log : file to which HiGHS writes its own log
    most_nodes : stop after so many nodes; without presolve none are counted

    Raises
    ------
    SolverError
        If the ending is not in the status map, or the arrays hold NaN.
    """
    _check(matrix)
    highs = _limited(threads, seed, absolute_gap, time_limit, log)
    if most_nodes is not None:
        _option(highs, "mip_max_nodes", most_nodes)
    _pass(highs, matrix)
    if start is not None:
        _begin_at(highs, start)
    if listener is not None:
        _listen(highs, listener)
    highs.run()
    if highs.getModelStatus() not in _DOUBTED:
        return _outcome(highs, matrix)
    return _without_presolve(matrix, absolute_gap, time_limit, threads, seed)


def _without_presolve(
    matrix: Matrix, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """Solve again without presolve: one 'infeasible' or 'solve error' is not believed.

    HiGHS 1.16 ends with a solve error where postsolve leaves a row violated by a hair more than
    its tolerance.
    """
    highs = _quiet(threads, seed)
    _option(highs, "presolve", "off")
    _option(highs, "mip_rel_gap", 0.0)
    _option(highs, "mip_abs_gap", absolute_gap)
    if time_limit is not None:
        _option(highs, "time_limit", max(time_limit, 1e-3))
    _pass(highs, matrix)
    highs.run()
    return _outcome(highs, matrix)


def _check(matrix: Matrix) -> None:
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "value"):
        if np.isnan(getattr(matrix, name)).any():
            raise SolverError(f"NaN in {name}")
    if not np.isfinite(matrix.cost).all() or not np.isfinite(matrix.value).all():
        raise SolverError("infinite cost or coefficient")
    if len(matrix.start) != len(matrix.row_lower) + 1 or matrix.start[-1] != len(matrix.value):
        raise SolverError("row starts do not fit the coefficients")


def _pass(highs: Any, matrix: Matrix) -> None:
    integrality = matrix.integer.astype(np.int32)
    status = highs.passModel(
        len(matrix.cost),
        len(matrix.row_lower),
        len(matrix.value),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMaximize),
        matrix.offset,
        matrix.cost,
        matrix.lower,
        matrix.upper,
        matrix.row_lower,
        matrix.row_upper,
        matrix.start,
        matrix.index,
        matrix.value,
        integrality,
    )
    if status == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refuses the model")


def _begin_at(highs: Any, start: FloatArray) -> None:
    solution = highspy.HighsSolution()
    solution.col_value = start.tolist()
    if highs.setSolution(solution) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refuses the start")


def _listen(highs: Any, listener: Callable[[float | None, float | None], bool]) -> None:
    def told(event: Any) -> None:
        out = event.data_out
        incumbent = out.mip_primal_bound if np.isfinite(out.mip_primal_bound) else None
        bound = out.mip_dual_bound if np.isfinite(out.mip_dual_bound) else None
        if listener(incumbent, bound):
            event.data_in.user_interrupt = True

    highs.cbMipInterrupt.subscribe(told)


def _outcome(highs: Any, matrix: Matrix) -> Outcome:
    status = highs.getModelStatus()
    if status not in _ENDINGS:
        raise SolverError(f"HiGHS ended with {highs.modelStatusToString(status)}")
    ending = _ENDINGS[status]
    info = highs.getInfo()
    mixed = bool(matrix.integer.any())
    usable = info.primal_solution_status == 2
    solution = highs.getSolution()
    x = np.array(solution.col_value) if usable else None
    bound: float | None = None
    if mixed and np.isfinite(info.mip_dual_bound):
        bound = float(info.mip_dual_bound)
    elif not mixed and ending == "optimal":
        bound = float(info.objective_function_value)
    return Outcome(
        ending=ending,
        x=x,
        objective=float(info.objective_function_value) if usable else None,
        bound=bound,
        nodes=int(info.mip_node_count) if mixed else 0,
    )


def solve_file(
    path: str,
    *,
    absolute_gap: float,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    log: str | None = None,
) -> tuple[Ending, float | None, float | None]:
    """Solve a model file with HiGHS alone: its ending, objective and bound, as the file states it.

    For comparison with what comes through our own layers.
    """
    highs = _limited(threads, seed, absolute_gap, time_limit, log)
    if highs.readModel(path) == highspy.HighsStatus.kError:
        raise SolverError(f"HiGHS cannot read {path}")
    highs.run()
    status = highs.getModelStatus()
    if status not in _ENDINGS:
        raise SolverError(f"HiGHS ended with {highs.modelStatusToString(status)}")
    info = highs.getInfo()
    usable = info.primal_solution_status == 2
    objective = float(info.objective_function_value) if usable else None
    bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else None
    return _ENDINGS[status], objective, bound


class ColumnMaster:
    """A linear master program (maximize) that grows by columns and keeps its basis."""

    def __init__(self, row_lower: FloatArray, row_upper: FloatArray):
        self._highs = _quiet(1, 0)
        _option(self._highs, "presolve", "off")
        _option(self._highs, "simplex_strategy", 4)
        self._highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
        empty_index, empty_value = np.empty(0, dtype=np.int32), np.empty(0)
        for low, high in zip(row_lower, row_upper, strict=True):
            self._highs.addRow(float(low), float(high), 0, empty_index, empty_value)

    def add(self, cost: FloatArray, columns: FloatArray) -> None:
        """Add non-negative columns: cost (n,), dense coefficients (n, rows)."""
        if not (np.isfinite(cost).all() and np.isfinite(columns).all()):
            raise SolverError("infinite or NaN column")
        count = len(columns)
        mask = columns != 0
        starts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))[:-1]]).astype(np.int32)
        index = np.nonzero(mask)[1].astype(np.int32)
        value = columns[mask]
        status = self._highs.addCols(
            count,
            cost,
            np.zeros(count),
            np.full(count, np.inf),
            len(value),
            starts,
            index,
            value,
        )
        if status == highspy.HighsStatus.kError:
            raise SolverError("HiGHS refuses the columns")

    def duals(self) -> FloatArray:
        """Solve; d(objective)/d(right-hand side) of every row."""
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise SolverError(f"master ended with {self._highs.modelStatusToString(status)}")
        return np.array(self._highs.getSolution().row_dual)

    @property
    def objective(self) -> float:
        """Objective of the last solve."""
        return float(self._highs.getInfo().objective_function_value)

    def weights(self) -> FloatArray:
        """Values of all columns in the last solve, in the order they were added."""
        return np.array(self._highs.getSolution().col_value)
