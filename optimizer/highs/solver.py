"""The one door to HiGHS: status map, canary, what is asked of it, linear programs from arrays.

HiGHS 1.14 answers some small MILPs wrongly and calls them optimal; `canary` solves two of them and
refuses a solver that fails. It is asked before the first MILP, not before linear programs: prices
bound whatever they are. The presolve of HiGHS 1.15 and 1.16 loses optima of programmes like ours
(`presolve_loses`): small ones are solved without it, proofs of large ones marked as doubtful.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import highspy
import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.highs import solver_text
from abscopt.optimizer.highs.mip import (
    DoubtError,
    Ending,
    Matrix,
    Outcome,
    SolverError,
    check_matrix,
    finite,
)
from abscopt.optimizer.highs.tiny_programs import CANARY_ERROR, LOSABLE_BEST, losable, misjudged
from abscopt.optimizer.process.silence import silenced_stdout

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ColumnMaster",
    "DoubtError",
    "Ending",
    "Matrix",
    "Outcome",
    "SolverError",
    "canary",
    "held",
    "presolve_loses",
    "solve_file",
    "solve_matrix",
    "solver_version",
]


PRESOLVE_TOLERANCE = 1e-6
"""Feasibility tolerance with presolve: HiGHS' own; tighter ones made it lose more optima."""
TOLERANCE = 1e-7
"""Without presolve. At 1e-9 one of 200 random programmes was solved wrongly (a coefficient of 2e-5
beside one of 199); at 1e-7 and at 1e-6 none of 900.
"""
SAFE_MARGIN = 1e-4
"""Least distance of a variable's bound from what rows imply, where it is not exact.

Where it is just the tolerance, presolve loses optima (`presolve_loses`); this is a hundred times
the looser one.
"""
MOST_PLAIN = 300_000
"""Coefficients up to which a programme is solved without a presolve that is not trusted.

On the bundled cases HiGHS is about as fast without it (0.3 to 2 times the time with it).
"""

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


def solver_version() -> str:
    """Version of HiGHS."""
    return version("highspy")


@cache
@solver_text.unheard
def canary() -> None:
    """Raise SolverError if HiGHS gets a tiny known MILP wrong as we ask it.

    With and without presolve two that HiGHS 1.14 gets wrong; without it, or with it where bounds
    keep `SAFE_MARGIN`, the one whose optimum presolve may lose.
    """
    for matrix, best in misjudged():
        for presolve in (False, True):
            _sing(matrix, best, presolve=presolve)
    _sing(losable(PRESOLVE_TOLERANCE), LOSABLE_BEST, presolve=False)
    _sing(losable(SAFE_MARGIN), LOSABLE_BEST, presolve=True)


@cache
@solver_text.unheard
def presolve_loses() -> bool:
    """Whether HiGHS' presolve loses the optimum of a tiny programme (1.15 and 1.16 do)."""
    outcome = solve_matrix(losable(PRESOLVE_TOLERANCE), presolve=True)
    return outcome.objective is None or abs(outcome.objective - LOSABLE_BEST) > CANARY_ERROR


def _sing(matrix: Matrix, right: float, *, presolve: bool) -> None:
    """Raise SolverError where HiGHS does not find a known optimum."""
    objective = solve_matrix(matrix, presolve=presolve).objective
    if objective is None or abs(objective - right) > CANARY_ERROR:
        raise SolverError(
            f"HiGHS {solver_version()} answers {objective} where {right} is right"
            f"{'' if presolve else ', without presolve too'}; install highspy >= 1.15.1"
        )


def _asked(
    threads: int,
    seed: int,
    absolute_gap: float,
    time_limit: float | None,
    log: str | None,
    presolve: bool,
    tolerance: float,
) -> Any:
    """HiGHS with a gap, a time limit, a log file, presolve and a feasibility tolerance."""
    highs = _quiet(threads, seed)
    _option(highs, "presolve", "choose" if presolve else "off")
    _option(highs, "mip_feasibility_tolerance", tolerance)
    _option(highs, "primal_feasibility_tolerance", tolerance)
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
    """Make the first `Highs`: HiGHS 1.16 greets on stdout."""
    with silenced_stdout():
        highspy.Highs()


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
    listener: Callable[[float | None, float | None, int], bool] | None = None,
    start: FloatArray | None = None,
    log: str | None = None,
    most_nodes: int | None = None,
    presolve: bool | None = None,
) -> Outcome:
    """Maximize a mixed-integer program with HiGHS.

    Parameters
    ----------
    absolute_gap : stop when bound minus incumbent is at most this, in the objective's unit
    listener : called with (incumbent, bound, nodes) now and then; returns True to stop
    start : a point to begin with; HiGHS ignores it if it is not feasible
    log : file to which HiGHS writes its own log
    most_nodes : stop after so many nodes; without presolve none are counted
    presolve : None for presolve in large programmes only, or in all where it passes the canary

    Raises
    ------
    SolverError
        If the ending is not in the status map, or the arrays hold NaN.
    DoubtError
        If what HiGHS answers is not finite.
    """
    check_matrix(matrix)
    if presolve is None:
        presolve = len(matrix.value) > MOST_PLAIN or not presolve_loses()
    started = time.perf_counter()
    for with_presolve, tolerance in (
        (presolve, PRESOLVE_TOLERANCE if presolve else TOLERANCE),
        (False, PRESOLVE_TOLERANCE),  # one 'infeasible' or 'solve error' is not believed
    ):
        seconds = None if time_limit is None else time_limit - (time.perf_counter() - started)
        highs = _asked(threads, seed, absolute_gap, seconds, log, with_presolve, tolerance)
        if most_nodes is not None:
            _option(highs, "mip_max_nodes", most_nodes)
        _pass(highs, matrix)
        if start is not None:
            _begin_at(highs, start)
        if listener is not None:
            _listen(highs, listener)
        solver_text.pass_on(highs)
        highs.run()
        if highs.getModelStatus() not in _DOUBTED:
            break
    return _outcome(highs, matrix)


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


def held(matrix: Matrix, *, negated: bool = False) -> Any:
    """HiGHS that holds a program and does nothing yet: maximize, or minimize minus the objective.

    Raises
    ------
    SolverError
        If the arrays hold NaN, or HiGHS refuses them.
    """
    check_matrix(matrix)
    highs = _quiet(1, 0)
    _pass(highs, replace(matrix, cost=-matrix.cost, offset=-matrix.offset) if negated else matrix)
    if negated:
        highs.changeObjectiveSense(highspy.ObjSense.kMinimize)
    return highs


def _begin_at(highs: Any, start: FloatArray) -> None:
    solution = highspy.HighsSolution()
    solution.col_value = start.tolist()
    if highs.setSolution(solution) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refuses the start")


def _listen(highs: Any, listener: Callable[[float | None, float | None, int], bool]) -> None:
    def told(event: Any) -> None:
        out = event.data_out
        incumbent = out.mip_primal_bound if np.isfinite(out.mip_primal_bound) else None
        bound = out.mip_dual_bound if np.isfinite(out.mip_dual_bound) else None
        if listener(incumbent, bound, int(out.mip_node_count)):
            event.data_in.user_interrupt = True

    highs.cbMipInterrupt.subscribe(told)


def _ending(highs: Any) -> Ending:
    status = highs.getModelStatus()
    if status not in _ENDINGS:
        raise SolverError(f"HiGHS ended with {highs.modelStatusToString(status)}")
    return _ENDINGS[status]


def _outcome(highs: Any, matrix: Matrix) -> Outcome:
    ending = _ending(highs)
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
    if x is not None and not np.isfinite(x).all():
        raise DoubtError("HiGHS' point is not finite")
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
    highs = _asked(threads, seed, absolute_gap, time_limit, log, True, PRESOLVE_TOLERANCE)
    if highs.readModel(path) == highspy.HighsStatus.kError:
        raise SolverError(f"HiGHS cannot read {path}")
    highs.run()
    ending = _ending(highs)
    info = highs.getInfo()
    usable = info.primal_solution_status == 2
    objective = float(info.objective_function_value) if usable else None
    bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else None
    return ending, objective, bound


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
        return finite("HiGHS' duals of the master", np.array(self._highs.getSolution().row_dual))

    @property
    def objective(self) -> float:
        """Objective of the last solve."""
        value = float(self._highs.getInfo().objective_function_value)
        return float(finite("HiGHS' objective of the master", np.array(value)))

    def weights(self) -> FloatArray:
        """Values of all columns in the last solve, in the order they were added."""
        return finite("HiGHS' weights of the master", np.array(self._highs.getSolution().col_value))
