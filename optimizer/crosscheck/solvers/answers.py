"""What all solvers share: columns and rows of a matrix, and the outcome that a point gives."""

from __future__ import annotations

from typing import Any

from abscopt.optimizer.highs.solver import Ending, Matrix, Outcome

FEASIBILITY = 1e-8


BOUND_NOISE = 1e-7


class SizeLicence(Exception):
    """The programme is larger than the solver's licence allows."""


def columns(matrix: Matrix) -> Any:
    """Lower and upper bound, whether it is whole, and cost of each column."""
    return zip(
        matrix.lower.tolist(),
        matrix.upper.tolist(),
        matrix.integer.tolist(),
        matrix.cost.tolist(),
        strict=True,
    )


def rows(matrix: Matrix) -> Any:
    """Indices, values, lower and upper bound of each row."""
    for row, (low, high) in enumerate(
        zip(matrix.row_lower.tolist(), matrix.row_upper.tolist(), strict=True)
    ):
        entries = slice(int(matrix.start[row]), int(matrix.start[row + 1]))
        yield matrix.index[entries].tolist(), matrix.value[entries].tolist(), low, high


def outcome(matrix: Matrix, ending: Ending, x: Any, bound: float | None, nodes: int = 0) -> Outcome:
    """Outcome of a solver that ends with a point, a bound or neither; the objective is ours."""
    objective = None if x is None else float(matrix.cost @ x) + matrix.offset
    return Outcome(ending, x, objective, bound, nodes)


def proven(matrix: Matrix, ending: Ending, x: Any, slack: float = 0.0) -> Outcome:
    """Outcome of a solver that tells no bound: an optimum, up to `slack`, is its own bound."""
    outcome_alone = outcome(matrix, ending, x, None)
    if ending != "optimal" or outcome_alone.objective is None:
        return outcome_alone
    noise = BOUND_NOISE * max(1.0, abs(outcome_alone.objective))
    return outcome(matrix, ending, x, outcome_alone.objective + slack + noise)
