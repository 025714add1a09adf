"""Solvers alone on a programme in an MPS file, at their defaults; only gap, time, threads set."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from abscopt.optimizer.crosscheck.solvers.cbc import cbc_path
from abscopt.optimizer.highs.solver import SolverError, solve_file

GRACE = 60.0

Solved = tuple[str, float, float | None, float | None]
"""Ending, seconds, objective and bound as the file states them (to be minimized)."""


def highs_alone(path: str, log: str, threads: int, limit: float, gap: float) -> Solved:
    begin = time.perf_counter()
    ending, objective, bound = solve_file(
        path, absolute_gap=gap, time_limit=limit, threads=threads, log=log
    )
    return ending, time.perf_counter() - begin, objective, bound


def scip_alone(path: str, log: str, threads: int, limit: float, gap: float) -> Solved:
    import pyscipopt

    model = pyscipopt.Model()
    model.hideOutput()
    model.setLogfile(log)
    model.readProblem(path)
    model.setParams({"limits/absgap": gap, "limits/time": limit, "parallel/maxnthreads": threads})
    begin = time.perf_counter()
    model.optimize()
    seconds = time.perf_counter() - begin
    objective = model.getObjVal() if model.getNSols() else None
    bound = model.getDualbound()
    known = bound if abs(bound) < model.infinity() else None
    return model.getStatus(), seconds, objective, known


def cbc_alone(path: str, log: str, threads: int, limit: float, gap: float) -> Solved:
    command = [str(cbc_path()), path, "-allowableGap", repr(gap), "-ratioGap", "0"]
    command += ["-timeMode", "elapsed", "-sec", f"{limit:.0f}"]
    command += ["-threads", str(threads)] if threads > 1 else []
    begin = time.perf_counter()
    with open(log, "w", encoding="utf-8") as out:
        subprocess.run([*command, "-solve"], stdout=out, timeout=limit + GRACE, check=False)
    seconds = time.perf_counter() - begin
    found: dict[str, str] = {}
    for line in Path(log).read_text(encoding="utf-8", errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found[key.strip()] = value.strip()
        elif line.startswith("Result - "):
            found["Result"] = line.removeprefix("Result - ").strip()
    objective = float(found["Objective value"]) if "Objective value" in found else None
    ending = found.get("Result", "unknown")
    bound = float(found["Lower bound"]) if "Lower bound" in found else None
    return ending, seconds, objective, objective if ending.startswith("Optimal") else bound


def glpk_alone(path: str, log: str, threads: int, limit: float, gap: float) -> Solved:
    import swiglpk as glpk

    with open(log, "wb") as out:  # GLPK prints to the stdout of its process
        os.dup2(out.fileno(), 1)
    problem = glpk.glp_create_prob()
    glpk.glp_read_mps(problem, glpk.GLP_MPS_FILE, None, path)
    options = glpk.glp_iocp()
    glpk.glp_init_iocp(options)
    options.presolve, options.tm_lim = glpk.GLP_ON, int(limit * 1000)
    begin = time.perf_counter()
    code = glpk.glp_intopt(problem, options)
    seconds = time.perf_counter() - begin
    status = glpk.glp_mip_status(problem)
    objective = None
    if status in (glpk.GLP_OPT, glpk.GLP_FEAS):
        objective = float(glpk.glp_mip_obj_val(problem))
    optimal = code == 0 and status == glpk.GLP_OPT
    return "optimal" if optimal else "limit", seconds, objective, objective if optimal else None


def gurobi_alone(path: str, log: str, threads: int, limit: float, gap: float) -> Solved:
    import gurobipy

    try:
        with gurobipy.Env(params={"OutputFlag": 0}) as env, gurobipy.read(path, env) as model:
            settings = {
                "MIPGap": 0.0, "MIPGapAbs": gap, "TimeLimit": limit, "Threads": threads,
                "LogFile": log, "OutputFlag": 1, "LogToConsole": 0,
            }  # fmt: skip
            for name, value in settings.items():
                model.setParam(name, value)
            begin = time.perf_counter()
            model.optimize()
            seconds = time.perf_counter() - begin
            ending = "optimal" if model.Status == gurobipy.GRB.OPTIMAL else "limit"
            objective = model.ObjVal if model.SolCount else None
            return ending, seconds, objective, model.ObjBound
    except gurobipy.GurobiError as error:
        raise SolverError(f"refused: {error}") from None


RIVALS: dict[str, Callable[[str, str, int, float, float], Solved]] = {
    "highs": highs_alone,
    "scip": scip_alone,
    "cbc": cbc_alone,
    "glpk": glpk_alone,
    "gurobi": gurobi_alone,
}
