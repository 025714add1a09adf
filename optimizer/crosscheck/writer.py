"""A programme as a free MPS or CPLEX LP file; every number is written exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from abscopt.optimizer.crosscheck.naming import Programme
    from abscopt.optimizer.solver import Matrix

CONSTANT = "constant"
OBJECTIVE = "objective"
NEGATED = "minus_objective"
TERMS_PER_LINE = 3


def mps(programme: Programme) -> str:
    """Free MPS text that minimizes minus the objective: every reader agrees on that."""
    matrix = programme.matrix
    lines = [
        f"* abscopt programme of {programme.name}; maximize: the objective is written negated",
        f"NAME {programme.name}",
        "ROWS",
        f" N {NEGATED}",
    ]
    kinds = _kinds(matrix)
    lines += [f" {kind} {name}" for kind, name in zip(kinds, programme.rows, strict=True) if kind]
    lines.append("COLUMNS")
    lines += _mps_columns(programme, kinds)
    lines.append("RHS")
    for kind, name, low, high in _rows(programme, kinds):
        side = high if kind == "L" else low
        if kind and side != 0:
            lines.append(f" RHS {name} {side!r}")
    ranges = [
        f" RANGES {name} {high - low!r}"
        for kind, name, low, high in _rows(programme, kinds)
        if kind == "L" and np.isfinite(low)
    ]
    lines += ["RANGES", *ranges] if ranges else []
    lines.append("BOUNDS")
    for name, low, high in _bounds(programme):
        lines += _mps_bounds(name, low, high)
    return "\n".join([*lines, "ENDATA"]) + "\n"


def lp(programme: Programme) -> str:
    """CPLEX LP text; every column stands in the objective, so that readers keep their order."""
    matrix = programme.matrix
    lines = [f"\\ abscopt programme of {programme.name}", "Maximize"]
    cost = [*matrix.cost.tolist(), *([matrix.offset] if matrix.offset else [])]
    names = [name for name, _, _ in _bounds(programme)]
    lines += _terms(f" {OBJECTIVE}:", list(zip(cost, names, strict=True)), "")
    lines.append("Subject To")
    for row, name in enumerate(programme.rows):
        low, high = float(matrix.row_lower[row]), float(matrix.row_upper[row])
        entries = slice(matrix.start[row], matrix.start[row + 1])
        terms = [
            (value, programme.columns[j])
            for value, j in zip(
                matrix.value[entries].tolist(), matrix.index[entries].tolist(), strict=True
            )
        ] or [(0.0, names[0])]
        if low == high:
            lines += _terms(f" {name}:", terms, f"= {low!r}")
            continue
        both = np.isfinite(low) and np.isfinite(high)
        if np.isfinite(high):
            lines += _terms(f" {name}{'_high' if both else ''}:", terms, f"<= {high!r}")
        if np.isfinite(low):
            lines += _terms(f" {name}{'_low' if both else ''}:", terms, f">= {low!r}")
    lines.append("Bounds")
    lines += [_lp_bounds(name, low, high) for name, low, high in _bounds(programme)]
    lines += _lp_integers(programme)
    return "\n".join([*lines, "End"]) + "\n"


def _kinds(matrix: Matrix) -> list[str]:
    """E, L, G of each row; '' for a row without bounds."""
    kinds = []
    for low, high in zip(matrix.row_lower.tolist(), matrix.row_upper.tolist(), strict=True):
        if low == high:
            kinds.append("E")
        elif np.isfinite(high):
            kinds.append("L")
        else:
            kinds.append("G" if np.isfinite(low) else "")
    return kinds


def _rows(programme: Programme, kinds: list[str]) -> Iterator[tuple[str, str, float, float]]:
    matrix = programme.matrix
    lower, upper = matrix.row_lower.tolist(), matrix.row_upper.tolist()
    yield from zip(kinds, programme.rows, lower, upper, strict=True)


def _bounds(programme: Programme) -> Iterator[tuple[str, float, float]]:
    """Columns with bounds; a constant in the objective is a column fixed at 1."""
    matrix = programme.matrix
    yield from zip(programme.columns, matrix.lower.tolist(), matrix.upper.tolist(), strict=True)
    if matrix.offset:
        yield CONSTANT, 1.0, 1.0


def _mps_columns(programme: Programme, kinds: list[str]) -> Iterator[str]:
    matrix = programme.matrix
    row_of = np.repeat(np.arange(len(matrix.row_lower)), np.diff(matrix.start))
    order = np.argsort(matrix.index, kind="stable")
    ends = np.searchsorted(matrix.index[order], np.arange(len(matrix.cost) + 1))
    inside = False
    for column, name in enumerate(programme.columns):
        if bool(matrix.integer[column]) != inside:
            inside = not inside
            yield f" MARKER 'MARKER' '{'INTORG' if inside else 'INTEND'}'"
        yield f" {name} {NEGATED} {0.0 - float(matrix.cost[column])!r}"
        for entry in order[ends[column] : ends[column + 1]].tolist():
            row = int(row_of[entry])
            if kinds[row]:
                yield f" {name} {programme.rows[row]} {float(matrix.value[entry])!r}"
    if inside:
        yield " MARKER 'MARKER' 'INTEND'"
    if matrix.offset:
        yield f" {CONSTANT} {NEGATED} {-matrix.offset!r}"


def _mps_bounds(name: str, low: float, high: float) -> list[str]:
    if low == high:
        return [f" FX BOUNDS {name} {low!r}"]
    if not np.isfinite(low) and not np.isfinite(high):
        return [f" FR BOUNDS {name}"]
    lower = f" LO BOUNDS {name} {low!r}" if np.isfinite(low) else f" MI BOUNDS {name}"
    upper = f" UP BOUNDS {name} {high!r}" if np.isfinite(high) else f" PL BOUNDS {name}"
    return [lower, upper]


def _lp_bounds(name: str, low: float, high: float) -> str:
    if low == high:
        return f" {name} = {low!r}"
    if not np.isfinite(low) and not np.isfinite(high):
        return f" {name} free"
    lower = f"{low!r}" if np.isfinite(low) else "-inf"
    return f" {lower} <= {name}" + (f" <= {high!r}" if np.isfinite(high) else "")


def _lp_integers(programme: Programme) -> Iterator[str]:
    matrix = programme.matrix
    binary = matrix.integer & (matrix.lower == 0) & (matrix.upper == 1)
    for heading, members in (("Binary", binary), ("General", matrix.integer & ~binary)):
        if members.any():
            yield heading
            yield from (f" {programme.columns[j]}" for j in np.flatnonzero(members))


def _terms(head: str, terms: list[tuple[float, str]], tail: str) -> Iterator[str]:
    texts = [f"{'-' if value < 0 else '+'} {abs(value)!r} {name}" for value, name in terms]
    lines = [texts[i : i + TERMS_PER_LINE] for i in range(0, len(texts), TERMS_PER_LINE)]
    for i, line in enumerate(lines):
        start = head if i == 0 else "  "
        yield " ".join([start, *line, *([tail] if i == len(lines) - 1 and tail else [])])
