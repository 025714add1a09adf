"""GLPK through the swiglpk wheel."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from abscopt.optimizer.crosscheck.solvers.answers import (
    FEASIBILITY,
    columns,
    proven,
    rows,
)
from abscopt.optimizer.highs.solver import Ending, Matrix, Outcome


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
    for j, (low, high, integral, cost) in enumerate(columns(matrix), 1):
        glpk.glp_set_col_kind(problem, j, glpk.GLP_IV if integral else glpk.GLP_CV)
        glpk.glp_set_col_bnds(problem, j, _glpk_side(glpk, low, high), *_finite(low, high))
        glpk.glp_set_obj_coef(problem, j, cost)
    entries = len(matrix.value)
    at_row, at_column = glpk.intArray(entries + 1), glpk.intArray(entries + 1)
    values = glpk.doubleArray(entries + 1)
    k = 1
    for i, (index, value, low, high) in enumerate(rows(matrix), 1):
        glpk.glp_set_row_bnds(problem, i, _glpk_side(glpk, low, high), *_finite(low, high))
        for j, coefficient in zip(index, value, strict=True):
            at_row[k], at_column[k], values[k] = i, j + 1, coefficient
            k += 1
    glpk.glp_load_matrix(problem, entries, at_row, at_column, values)


def _glpk_side(glpk: Any, low: float, high: float) -> Any:
    if low == high:
        return glpk.GLP_FX
    if np.isfinite(low):
        return glpk.GLP_DB if np.isfinite(high) else glpk.GLP_LO
    return glpk.GLP_UP if np.isfinite(high) else glpk.GLP_FR


def _finite(low: float, high: float) -> tuple[float, float]:
    return (low if np.isfinite(low) else 0.0), (high if np.isfinite(high) else 0.0)


def glpk_version() -> str | None:
    """Installed version; None without the wheel."""
    glpk = _swiglpk()
    return None if glpk is None else str(glpk.glp_version())
