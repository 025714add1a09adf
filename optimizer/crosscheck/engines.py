"""Solvers the programme can be handed to: how to find, install and call each of them.

An engine maximizes a `Matrix` as `solve_matrix` does. None of them is trusted: what they answer
is recomputed (`crosscheck.compare`) and judged. Solvers are optional and looked up by name, so
no foreign library is imported before it is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from abscopt.optimizer.crosscheck import cbc
from abscopt.optimizer.solver import Ending, Matrix, Outcome, solve_matrix, solver_version

FEASIBILITY = 1e-8
BOUND_NOISE = 1e-7


class SizeLicence(Exception):
    """The programme is larger than the solver's licence allows."""


class Solve(Protocol):
    """Maximize a mixed-integer program, with bound minus incumbent at most `absolute_gap`."""

    def __call__(
        self,
        matrix: Matrix,
        *,
        absolute_gap: float,
        time_limit: float | None,
        threads: int,
        seed: int,
    ) -> Outcome:
        """Best point and bound."""
        ...


@dataclass(frozen=True)
class Engine:
    """One solver; `version` is None where it is not installed."""

    key: str
    name: str
    install: str
    find_version: Callable[[], str | None]
    solve: Solve

    @property
    def version(self) -> str | None:
        """Installed version; None if the solver is not installed."""
        return self.find_version()


def solve_highs(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """HiGHS, the reference."""
    return solve_matrix(
        matrix, absolute_gap=absolute_gap, time_limit=time_limit, threads=threads, seed=seed
    )


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
        model.addVar(lb=_or_none(low), ub=_or_none(high), vtype="I" if whole else "C", obj=cost)
        for low, high, whole, cost in _columns(matrix)
    ]
    model.setMaximize()
    model.addObjoffset(matrix.offset)
    for index, value, low, high in _rows(matrix):
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
    known = ending in ("optimal", "limit") and abs(bound) < model.infinity()
    return _outcome(matrix, ending, x, bound if known else None, int(model.getNTotalNodes()))


def solve_glpk(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """GLPK through the swiglpk wheel: one thread, no seed, and always to the very optimum.

    `glpsol` will not do: it takes 1e-5 for an integer, more than the width of a band's edge.
    """
    glpk = _swiglpk()
    glpk.glp_term_out(glpk.GLP_OFF)
    problem = glpk.glp_create_prob()
    try:
        _fill_glpk(glpk, problem, matrix)
        options = glpk.glp_iocp()
        glpk.glp_init_iocp(options)
        options.presolve = glpk.GLP_OFF  # 5.0 loses rows whose range is narrow
        options.mir_cuts = glpk.GLP_ON
        options.clq_cuts = glpk.GLP_ON
        options.tol_int = FEASIBILITY
        if time_limit is not None:
            options.tm_lim = max(1, round(min(time_limit, 2e6) * 1000))
        relaxed = glpk.glp_smcp()
        glpk.glp_init_smcp(relaxed)
        relaxed.tm_lim = options.tm_lim
        code = glpk.glp_simplex(problem, relaxed)  # without presolve it begins at this basis
        none = glpk.glp_get_status(problem) == glpk.GLP_NOFEAS
        if code == 0 and not none:
            code = glpk.glp_intopt(problem, options)
        status = glpk.GLP_NOFEAS if none else glpk.glp_mip_status(problem)
        ending: Ending = "limit"
        if code == 0 and status == glpk.GLP_OPT:
            ending = "optimal"
        elif code in (glpk.GLP_ENOPFS, glpk.GLP_ENODFS) or status == glpk.GLP_NOFEAS:
            ending = "unbounded" if code == glpk.GLP_ENODFS else "infeasible"
        x = None
        if code in (0, glpk.GLP_ETMLIM) and status in (glpk.GLP_OPT, glpk.GLP_FEAS):
            count = len(matrix.cost)
            x = np.array([glpk.glp_mip_col_val(problem, j + 1) for j in range(count)])
    finally:
        glpk.glp_delete_prob(problem)
    return proven(matrix, ending, x)


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


def solve_cbc(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """CBC, the executable on the path or the one inside pulp."""
    return cbc.solve_cbc(
        matrix, absolute_gap=absolute_gap, time_limit=time_limit, threads=threads, seed=seed
    )


def _columns(matrix: Matrix) -> Any:
    return zip(
        matrix.lower.tolist(),
        matrix.upper.tolist(),
        matrix.integer.tolist(),
        matrix.cost.tolist(),
        strict=True,
    )


def _rows(matrix: Matrix) -> Any:
    """Indices, values, lower and upper bound of each row."""
    for row, (low, high) in enumerate(
        zip(matrix.row_lower.tolist(), matrix.row_upper.tolist(), strict=True)
    ):
        entries = slice(int(matrix.start[row]), int(matrix.start[row + 1]))
        yield matrix.index[entries].tolist(), matrix.value[entries].tolist(), low, high


def _or_none(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _outcome(
    matrix: Matrix, ending: Ending, x: Any, bound: float | None, nodes: int = 0
) -> Outcome:
    objective = None if x is None else float(matrix.cost @ x) + matrix.offset
    return Outcome(ending, x, objective, bound, nodes)


def proven(matrix: Matrix, ending: Ending, x: Any, slack: float = 0.0) -> Outcome:
    """Outcome of a solver that tells no bound: an optimum, up to `slack`, is its own bound."""
    found = _outcome(matrix, ending, x, None)
    if ending != "optimal" or found.objective is None:
        return found
    noise = BOUND_NOISE * max(1.0, abs(found.objective))
    return _outcome(matrix, ending, x, found.objective + slack + noise)


@cache
def _swiglpk() -> Any:
    """The swiglpk module, or None; its import warns about SWIG types."""
    if find_spec("swiglpk") is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("swiglpk")


def _fill_glpk(glpk: Any, problem: Any, matrix: Matrix) -> None:
    glpk.glp_set_obj_dir(problem, glpk.GLP_MAX)
    glpk.glp_set_obj_coef(problem, 0, matrix.offset)
    glpk.glp_add_cols(problem, len(matrix.cost))
    if len(matrix.row_lower):
        glpk.glp_add_rows(problem, len(matrix.row_lower))
    for j, (low, high, whole, cost) in enumerate(_columns(matrix), 1):
        glpk.glp_set_col_kind(problem, j, glpk.GLP_IV if whole else glpk.GLP_CV)
        glpk.glp_set_col_bnds(problem, j, _glpk_side(glpk, low, high), *_finite(low, high))
        glpk.glp_set_obj_coef(problem, j, cost)
    entries = len(matrix.value)
    rows, columns = glpk.intArray(entries + 1), glpk.intArray(entries + 1)
    values = glpk.doubleArray(entries + 1)
    k = 1
    for i, (index, value, low, high) in enumerate(_rows(matrix), 1):
        glpk.glp_set_row_bnds(problem, i, _glpk_side(glpk, low, high), *_finite(low, high))
        for j, coefficient in zip(index, value, strict=True):
            rows[k], columns[k], values[k] = i, j + 1, coefficient
            k += 1
    glpk.glp_load_matrix(problem, entries, rows, columns, values)


def _glpk_side(glpk: Any, low: float, high: float) -> Any:
    if low == high:
        return glpk.GLP_FX
    if np.isfinite(low):
        return glpk.GLP_DB if np.isfinite(high) else glpk.GLP_LO
    return glpk.GLP_UP if np.isfinite(high) else glpk.GLP_FR


def _finite(low: float, high: float) -> tuple[float, float]:
    return (low if np.isfinite(low) else 0.0), (high if np.isfinite(high) else 0.0)


def _add_gurobi_rows(model: Any, x: Any, matrix: Matrix) -> None:
    shape = (len(matrix.row_lower), len(matrix.cost))
    rows = import_module("scipy.sparse").csr_array(
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
            model.addMConstr(rows[members], x, sense, side[members])


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
    return _outcome(matrix, ending, point, bound, int(model.NodeCount))


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
        rows = [row for row in _rows(matrix) if np.isfinite(row[wanted])]
        problem.linear_constraints.add(
            lin_expr=[cplex.SparsePair(index, value) for index, value, _, _ in rows],
            senses=sense * len(rows),
            rhs=[row[wanted] for row in rows],
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
    return _outcome(matrix, ending, x, bound, int(solution.progress.get_num_nodes_processed()))


def _package(name: str, module: str) -> Callable[[], str | None]:
    """Version of an installed wheel."""

    def found() -> str | None:
        try:
            return version(name) if find_spec(module) is not None else None
        except PackageNotFoundError:
            return None

    return found


def _glpk_version() -> str | None:
    glpk = _swiglpk()
    return None if glpk is None else str(glpk.glp_version())


def _scip_version() -> str | None:
    if find_spec("pyscipopt") is None:
        return None
    model = import_module("pyscipopt").Model()
    return f"{model.getMajorVersion()}.{model.getMinorVersion()}.{model.getTechVersion()}"


ENGINES = {
    engine.key: engine
    for engine in (
        Engine("highs", "HiGHS", "pip install highspy", solver_version, solve_highs),
        Engine("scip", "SCIP", "pip install pyscipopt", _scip_version, solve_scip),
        Engine("cbc", "CBC", "pip install pulp", cbc.cbc_version, solve_cbc),
        Engine("glpk", "GLPK", "pip install swiglpk", _glpk_version, solve_glpk),
        Engine(
            "gurobi",
            "Gurobi",
            "pip install gurobipy",
            _package("gurobipy", "gurobipy"),
            solve_gurobi,
        ),
        Engine("cplex", "CPLEX", "pip install cplex", _package("cplex", "cplex"), solve_cplex),
    )
}
"""Every solver the programme can be handed to, by its name on the command line."""
