"""A programme as an MPS or CPLEX LP file: HiGHS writes it, every number with 17 digits.

A constant in the objective becomes a column fixed at 1, since readers do not agree on its sign.
"""

from __future__ import annotations

import itertools
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.highs.solver import SolverError, held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.optimizer.crosscheck.handover.naming import Programme
    from abscopt.optimizer.highs.solver import Matrix

CONSTANT = "constant"
LONGEST_COMMENT = 90
HEADINGS = {
    "max": "Maximize", "st": "Subject To", "bounds": "Bounds",
    "bin": "Binary", "gen": "General", "end": "End",
}  # fmt: skip
"""HiGHS' short headings of an LP file, and the long ones: CBC takes `bin` for a column."""
INTEGERS = ("bin", "gen", "semi")
"""Sections that HiGHS writes even where they are empty, which CBC does not read."""


def mps(programme: Programme, statements: Sequence[str] = ()) -> str:
    """MPS text that minimizes minus the objective: every reader agrees on that.

    Parameters
    ----------
    statements : sentences for the comments at the head
    """
    title = f"* abscopt programme of {programme.name}; maximize: the objective is written negated"
    head = "\n".join([title, *(f"* {line}" for line in _folded(statements))])
    return f"{head}\nNAME {programme.name}\n{_written(programme, 'mps')}"


def lp(programme: Programme, statements: Sequence[str] = ()) -> str:
    """CPLEX LP text; see `mps`."""
    lines = _written(programme, "lp").splitlines()
    text = [f"\\ abscopt programme of {programme.name}"]
    text += [f"\\ {line}" for line in _folded(statements)]
    for line, following in itertools.pairwise([*lines, ""]):
        if line not in INTEGERS or following.startswith(" "):
            text.append(HEADINGS.get(line, line))
    return "\n".join(text).replace("\n obj: ", "\n objective: ", 1) + "\n"


def _folded(statements: Sequence[str]) -> list[str]:
    """Sentences on lines that every reader skips whole."""
    return [line for text in statements for line in textwrap.wrap(text, LONGEST_COMMENT)]


def _written(programme: Programme, form: str) -> str:
    """What HiGHS writes, without its first line (a comment, or the name of a model)."""
    matrix, columns = programme.matrix, programme.columns
    if matrix.offset:
        matrix, columns = _with_constant(matrix), (*columns, CONSTANT)
    highs = held(matrix, negated=form == "mps")
    for column, name in enumerate(columns):
        highs.passColName(column, name)
    for row, name in enumerate(programme.rows):
        highs.passRowName(row, name)
    with tempfile.TemporaryDirectory(prefix="abscopt-") as folder:
        path = Path(folder, f"model.{form}")
        highs.writeModel(str(path))
        if not path.is_file():
            raise SolverError("HiGHS does not write the programme")
        return path.read_text(encoding="ascii").partition("\n")[2]


def _with_constant(matrix: Matrix) -> Matrix:
    """The same, its offset as the cost of one more column that is 1."""
    return replace(
        matrix,
        cost=np.append(matrix.cost, matrix.offset),
        lower=np.append(matrix.lower, 1.0),
        upper=np.append(matrix.upper, 1.0),
        integer=np.append(matrix.integer, False),
        offset=0.0,
    )
