"""CPLEX through its wheel."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from abscopt.optimizer.crosscheck.solvers.answers import (
    FEASIBILITY,
    SizeLicence,
    outcome,
    rows,
)
from abscopt.optimizer.highs.solver import Ending, Matrix, Outcome


def solve_cplex(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """CPLEX through its wheel, which alone allows 1000 rows and columns.

    Its feasibility tolerance stays at 1e-6: with 1e-8 its presolve was seen to lose an optimum.
    """
    cplex = import_module("cplex")
    with cplex.Cplex() as problem:
        for stream in ("log", "error", "warning", "results"):
            getattr(problem, f"set_{stream}_stream")(None)
        options = problem.parameters
        options.mip.tolerances.mipgap.set(0.0)
        options.mip.tolerances.absmipgap.set(absolute_gap)
        options.mip.tolerances.integrality.set(FEASIBILITY)
        options.threads.set(threads)
        options.randomseed.set(seed)
        if time_limit is not None:
            options.timelimit.set(max(time_limit, 1e-3))
        _fill_cplex(cplex, problem, matrix)
        try:
            problem.solve()
        except cplex.exceptions.CplexSolverError as error:
            if error.args[2] == cplex.exceptions.error_codes.CPXERR_RESTRICTED_VERSION:
                raise SizeLicence(str(error.args[0])) from None
            raise
        return _cplex_outcome(problem, matrix)


def _fill_cplex(cplex: Any, problem: Any, matrix: Matrix) -> None:
    infinity = cplex.infinity
    problem.objective.set_sense(problem.objective.sense.maximize)
    problem.objective.set_offset(matrix.offset)
    problem.variables.add(
        obj=matrix.cost.tolist(),
        lb=np.clip(matrix.lower, -infinity, infinity).tolist(),
        ub=np.clip(matrix.upper, -infinity, infinity).tolist(),
        types="".join("I" if whole else "C" for whole in matrix.integer),
    )
    for sense, wanted in (("L", 3), ("G", 2)):
        sides = [row for row in rows(matrix) if np.isfinite(row[wanted])]
        problem.linear_constraints.add(
            lin_expr=[cplex.SparsePair(index, value) for index, value, _, _ in sides],
            senses=sense * len(sides),
            rhs=[row[wanted] for row in sides],
        )


def _cplex_outcome(problem: Any, matrix: Matrix) -> Outcome:
    solution = problem.solution
    codes = solution.status
    endings: dict[Any, Ending] = {
        codes.MIP_optimal: "optimal",
        codes.optimal_tolerance: "optimal",
        codes.MIP_infeasible: "infeasible",
        codes.MIP_infeasible_or_unbounded: "infeasible",
        codes.MIP_unbounded: "unbounded",
    }
    ending = endings.get(solution.get_status(), "limit")
    x = np.array(solution.get_values()) if solution.is_primal_feasible() else None
    bound = None
    if ending == "optimal" or x is not None:
        bound = float(solution.MIP.get_best_objective())
    return outcome(matrix, ending, x, bound, int(solution.progress.get_num_nodes_processed()))
