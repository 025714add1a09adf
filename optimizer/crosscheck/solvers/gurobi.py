"""Gurobi through gurobipy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from abscopt.optimizer.crosscheck.solvers.answers import (
    FEASIBILITY,
    SizeLicence,
    outcome,
)
from abscopt.optimizer.highs.solver import Ending, Matrix, Outcome


def solve_gurobi(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """Gurobi through gurobipy; the wheel alone allows 2000 rows and columns."""
    gurobi = import_module("gurobipy")
    settings: dict[str, Any] = {
        "OutputFlag": 0,
        "MIPGap": 0.0,
        "MIPGapAbs": absolute_gap,
        "FeasibilityTol": FEASIBILITY,
        "IntFeasTol": FEASIBILITY,
        "Threads": threads,
        "Seed": seed,
    }
    if time_limit is not None:
        settings["TimeLimit"] = time_limit
    try:
        with gurobi.Env(params={"OutputFlag": 0}) as env, gurobi.Model(env=env) as model:
            for name, value in settings.items():
                model.setParam(name, value)
            kinds = np.where(matrix.integer, gurobi.GRB.INTEGER, gurobi.GRB.CONTINUOUS)
            x = model.addMVar(
                len(matrix.cost), lb=matrix.lower, ub=matrix.upper, obj=matrix.cost, vtype=kinds
            )
            model.ModelSense = gurobi.GRB.MAXIMIZE
            model.ObjCon = matrix.offset
            _add_gurobi_rows(model, x, matrix)
            model.optimize()
            return _gurobi_outcome(gurobi.GRB, model, x, matrix)
    except gurobi.GurobiError as error:
        if error.errno in (gurobi.GRB.Error.SIZE_LIMIT_EXCEEDED, gurobi.GRB.Error.NO_LICENSE):
            raise SizeLicence(str(error)) from None
        raise


def _add_gurobi_rows(model: Any, x: Any, matrix: Matrix) -> None:
    shape = (len(matrix.row_lower), len(matrix.cost))
    coefficients = import_module("scipy.sparse").csr_array(
        (matrix.value, matrix.index, matrix.start), shape=shape
    )
    equal = matrix.row_lower == matrix.row_upper
    below, above = np.isfinite(matrix.row_upper) & ~equal, np.isfinite(matrix.row_lower) & ~equal
    for members, sense, side in (
        (equal, "=", matrix.row_lower),
        (below, "<", matrix.row_upper),
        (above, ">", matrix.row_lower),
    ):
        if members.any():
            model.addMConstr(coefficients[members], x, sense, side[members])


def _gurobi_outcome(codes: Any, model: Any, x: Any, matrix: Matrix) -> Outcome:
    endings: dict[Any, Ending] = {
        codes.OPTIMAL: "optimal",
        codes.INFEASIBLE: "infeasible",
        codes.INF_OR_UNBD: "infeasible",
        codes.UNBOUNDED: "unbounded",
    }
    ending = endings.get(model.Status, "limit")
    point = np.array(x.X) if model.SolCount and ending in ("optimal", "limit") else None
    bound = float(model.ObjBound) if ending in ("optimal", "limit") else None
    if bound is not None and abs(bound) >= codes.INFINITY:
        bound = None
    return outcome(matrix, ending, point, bound, int(model.NodeCount))
