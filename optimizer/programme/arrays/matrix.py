"""The Pyomo programme as arrays for the solver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyomo.repn.plugins import standard_form

from abscopt.optimizer.highs.solver import Matrix
from abscopt.optimizer.programme.arrays.linear import uncollected
from abscopt.optimizer.programme.arrays.sparse import Columns, Rows
from abscopt.optimizer.progress import tick


def matrix_of(model: Any) -> tuple[Matrix, dict[int, int]]:
    """Arrays of a Pyomo model (maximize), and id(variable) -> column."""
    tick()
    with uncollected():
        form = _standard_form(model)
    tick()
    position = {id(variable): column for column, variable in enumerate(form.columns)}
    rows = form.A.tocsr()
    count = len(form.rows)
    row_lower, row_upper = np.full(count, -np.inf), np.full(count, np.inf)
    for i, (row, right) in enumerate(zip(form.rows, form.rhs, strict=True)):
        if row.bound_type <= 0:
            row_lower[i] = right
        if row.bound_type >= 0:
            row_upper[i] = right
    lower, upper, integer = _domains(form.columns)
    cost: NDArray[np.float64] = np.asarray(form.c.todense()).reshape(-1)
    return (
        Matrix(
            cost=cost,
            lower=lower,
            upper=upper,
            integer=integer,
            row_lower=row_lower,
            row_upper=row_upper,
            start=rows.indptr.astype(np.int32),
            index=rows.indices.astype(np.int32),
            value=rows.data.astype(float),
            offset=float(form.c_offset[0]),
        ),
        position,
    )


def _standard_form(model: Any) -> Any:
    """Rows, columns and coefficients of a model, by Pyomo's compiler.

    The arrays that it fetches from SciPy at its start are ours, where it has hooks for them.
    """
    public = standard_form.LinearStandardFormCompiler()
    inner: Any = getattr(standard_form, "_LinearStandardFormCompiler_impl", None)
    if not all(hasattr(inner, hook) for hook in ("_to_vector", "_csc_matrix", "_csr_matrix")):
        return public.write(model, mixed_form=True, set_sense=None)
    compiler: Any = object.__new__(inner)
    compiler.config = public.config({"mixed_form": True, "set_sense": None})
    compiler._to_vector, compiler._csc_matrix, compiler._csr_matrix = np.fromiter, Columns, Rows
    return compiler.write(model)


def _domains(
    variables: list[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    lower = np.array([-np.inf if v.lb is None else v.lb for v in variables], dtype=float)
    upper = np.array([np.inf if v.ub is None else v.ub for v in variables], dtype=float)
    integer = np.array([not v.is_continuous() for v in variables], dtype=bool)
    return lower, upper, integer


def chosen(model: Any, position: dict[int, int], x: NDArray[np.float64]) -> tuple[list[int], int]:
    """Columns that a point chooses, counted ones as often as it does, and the (plan, band) pair."""
    columns = [j for j in model.x for _ in range(round(value_at(model.x[j], position, x)))]
    pairs = [b for b in model.y if value_at(model.y[b], position, x) > 0.5]
    return columns, pairs[0] if pairs else 0


def value_at(variable: Any, position: dict[int, int], x: NDArray[np.float64]) -> float:
    """Value of a variable at a point; 0 if no row has it."""
    column = position.get(id(variable))
    return 0.0 if column is None else float(x[column])
