"""SCIP through pyscipopt."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np

from abscopt.optimizer.crosscheck.solvers.answers import (
    FEASIBILITY,
    columns,
    outcome,
    rows,
)
from abscopt.optimizer.highs.solver import Ending, Matrix, Outcome


def solve_scip(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """SCIP through pyscipopt."""
    scip = import_module("pyscipopt")
    model = scip.Model()
    model.hideOutput()
    settings = {
        "limits/absgap": absolute_gap,
        "limits/gap": 0.0,
        "numerics/feastol": FEASIBILITY,
        "randomization/randomseedshift": seed,
        "parallel/maxnthreads": threads,
        "misc/catchctrlc": False,
    }
    if time_limit is not None:
        settings["limits/time"] = max(time_limit, 1e-3)
    model.setParams(settings)
    variables = [
        model.addVar(lb=_or_none(low), ub=_or_none(high), vtype="I" if integral else "C", obj=cost)
        for low, high, integral, cost in columns(matrix)
    ]
    model.setMaximize()
    model.addObjoffset(matrix.offset)
    for index, value, low, high in rows(matrix):
        terms = (coefficient * variables[j] for j, coefficient in zip(index, value, strict=True))
        row = scip.quicksum(terms)
        if low == high:
            model.addCons(row == low)
        elif np.isfinite(low) and np.isfinite(high):
            model.addCons((row <= high) >= low)
        elif np.isfinite(high):
            model.addCons(row <= high)
        elif np.isfinite(low):
            model.addCons(row >= low)
    model.optimize()
    endings: dict[str, Ending] = {
        "optimal": "optimal",
        "gaplimit": "optimal",
        "infeasible": "infeasible",
        "inforunbd": "infeasible",
        "unbounded": "unbounded",
    }
    ending = endings.get(model.getStatus(), "limit")
    x = None
    if model.getNSols() > 0 and ending in ("optimal", "limit"):
        best = model.getBestSol()
        x = np.array([model.getSolVal(best, variable) for variable in variables])
    bound = float(model.getDualbound())
    bounded = ending in ("optimal", "limit") and abs(bound) < model.infinity()
    return outcome(matrix, ending, x, bound if bounded else None, int(model.getNTotalNodes()))


def _or_none(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def scip_version() -> str | None:
    """Installed version; None without the wheel."""
    if find_spec("pyscipopt") is None:
        return None
    model = import_module("pyscipopt").Model()
    return f"{model.getMajorVersion()}.{model.getMinorVersion()}.{model.getTechVersion()}"
