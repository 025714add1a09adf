"""Solvers the programme can be handed to: how to find, install and call each of them (`solvers`).

An engine maximizes a `Matrix` as `solve_matrix` does. None of them is trusted: what they answer
is recomputed (`crosscheck.compare`) and judged. Solvers are optional and looked up by name, so
no foreign library is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Protocol

from abscopt.optimizer.crosscheck.solvers.cbc import cbc_version, solve_cbc
from abscopt.optimizer.crosscheck.solvers.cplex import solve_cplex
from abscopt.optimizer.crosscheck.solvers.glpk import glpk_version, solve_glpk
from abscopt.optimizer.crosscheck.solvers.gurobi import solve_gurobi
from abscopt.optimizer.crosscheck.solvers.scip import scip_version, solve_scip
from abscopt.optimizer.highs.solver import Matrix, Outcome, solve_matrix, solver_version


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


def _package(name: str, module: str) -> Callable[[], str | None]:
    """Version of an installed wheel."""

    def found() -> str | None:
        try:
            return version(name) if find_spec(module) is not None else None
        except PackageNotFoundError:
            return None

    return found


ENGINES = {
    engine.key: engine
    for engine in (
        Engine("highs", "HiGHS", "pip install highspy", solver_version, solve_highs),
        Engine("scip", "SCIP", "pip install pyscipopt", scip_version, solve_scip),
        Engine("cbc", "CBC", "pip install pulp", cbc_version, solve_cbc),
        Engine("glpk", "GLPK", "pip install swiglpk", glpk_version, solve_glpk),
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
