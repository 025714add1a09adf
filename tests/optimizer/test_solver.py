"""The door to HiGHS: canary, status map, refusals, a differential fuzz, a silent stdout."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.crosscheck.handover.naming import Programme
from abscopt.optimizer.crosscheck.handover.writer import mps
from abscopt.optimizer.highs import solver
from abscopt.optimizer.highs.solver import Matrix, SolverError, canary, solve_file, solve_matrix


def dense(
    cost: FloatArray,
    rows: FloatArray,
    row_lower: FloatArray,
    row_upper: FloatArray,
    upper: FloatArray,
    integer: NDArray[np.bool_],
) -> Matrix:
    """A program with variables from 0 to `upper`, from a dense matrix."""
    count, width = rows.shape
    return Matrix(
        cost=cost,
        lower=np.zeros(width),
        upper=upper,
        integer=integer,
        row_lower=row_lower,
        row_upper=row_upper,
        start=np.arange(0, count * width + 1, width, dtype=np.int32),
        index=np.tile(np.arange(width, dtype=np.int32), count),
        value=rows.reshape(-1),
    )


def tiny(**changes: object) -> Matrix:
    """maximize x + y, x + y <= 3.5, 0 <= x, y <= 10, x integer."""
    made = dense(
        np.ones(2),
        np.ones((1, 2)),
        np.array([-np.inf]),
        np.array([3.5]),
        np.full(2, 10.0),
        np.array([True, False]),
    )
    return Matrix(**(vars(made) | changes))


def test_canary_sings() -> None:
    canary()


def test_optimal_gives_point_objective_and_bound() -> None:
    outcome = solve_matrix(tiny(offset=1.0))
    assert outcome.ending == "optimal"
    assert outcome.objective == pytest.approx(4.5)
    assert outcome.bound == pytest.approx(4.5)
    assert outcome.x is not None
    assert outcome.x.sum() == pytest.approx(3.5)


def test_linear_program_gives_its_value_as_bound() -> None:
    outcome = solve_matrix(tiny(integer=np.zeros(2, dtype=bool)))
    assert outcome.bound == pytest.approx(3.5)


def test_infeasible_has_nothing_in_hand() -> None:
    outcome = solve_matrix(tiny(row_lower=np.array([25.0]), row_upper=np.array([np.inf])))
    assert outcome.ending == "infeasible"
    assert outcome.x is None
    assert outcome.objective is None
    assert outcome.bound is None


@pytest.mark.parametrize("integer", [False, True])
def test_unbounded_is_not_called_infeasible(integer: bool) -> None:
    outcome = solve_matrix(
        tiny(
            upper=np.full(2, np.inf),
            row_upper=np.array([np.inf]),
            row_lower=np.array([1.0]),
            integer=np.full(2, integer),
        )
    )
    assert outcome.ending == "unbounded"


def market_split(seed: int = 0) -> Matrix:
    """Slow for its size: four equalities in forty binaries."""
    random = np.random.default_rng(seed)
    width = 40
    rows = random.integers(0, 100, size=(4, width)).astype(float)
    right: FloatArray = np.floor(rows.sum(axis=1) / 2)
    return dense(random.random(width), rows, right, right, np.ones(width), np.ones(width, bool))


def test_time_limit_is_a_limit() -> None:
    outcome = solve_matrix(market_split(), time_limit=0.2)
    assert outcome.ending == "limit"
    assert outcome.bound is None or outcome.objective is None or outcome.bound >= outcome.objective


def knapsack() -> Matrix:
    """Thirty things of random worth and weight, half of the weight allowed."""
    random = np.random.default_rng(3)
    worth, weight = random.random(30), random.random((1, 30))
    half = np.array([weight.sum() / 2])
    return dense(worth, weight, np.array([-np.inf]), half, np.ones(30), np.ones(30, dtype=bool))


@pytest.mark.parametrize("feasible", [True, False])
def test_a_start_is_taken_if_it_is_feasible(feasible: bool, tmp_path: Path) -> None:
    matrix, log = knapsack(), tmp_path / "highs.log"
    best = solve_matrix(matrix)
    assert best.x is not None
    start = best.x if feasible else np.ones(30)
    again = solve_matrix(matrix, start=start, log=str(log))
    assert again.objective == pytest.approx(best.objective)
    taken = "MIP start solution is feasible" in log.read_text(encoding="utf-8")
    assert taken == feasible


def test_a_file_says_what_the_arrays_say(tmp_path: Path) -> None:
    matrix, path = replace(knapsack(), offset=2.0), tmp_path / "model.mps"
    names = tuple(f"c{j}" for j in range(30))
    path.write_text(mps(Programme("knapsack", matrix, ("r0",), names)), encoding="ascii")
    ending, objective, bound = solve_file(str(path), absolute_gap=1e-9)
    assert ending == "optimal"
    assert objective is not None and bound is not None
    best = solve_matrix(matrix).objective
    assert -objective == pytest.approx(best)
    assert -bound == pytest.approx(best)
    with pytest.raises(SolverError, match="cannot read"):
        solve_file(str(tmp_path / "none.mps"), absolute_gap=1e-9)


def test_listener_stops_the_solve() -> None:
    outcome = solve_matrix(market_split(1), time_limit=20.0, listener=lambda *_: True)
    assert outcome.ending == "limit"


@pytest.mark.parametrize("field", ["cost", "lower", "upper", "row_lower", "row_upper", "value"])
def test_nan_is_refused(field: str) -> None:
    spoiled = np.array(getattr(tiny(), field))
    spoiled[0] = np.nan
    with pytest.raises(SolverError, match="NaN"):
        solve_matrix(tiny(**{field: spoiled}))


@pytest.mark.parametrize("field", ["cost", "value"])
def test_infinite_coefficient_is_refused(field: str) -> None:
    with pytest.raises(SolverError, match="infinite"):
        solve_matrix(tiny(**{field: np.array([np.inf, 1.0])}))


def test_row_starts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SolverError, match="row starts"):
        solve_matrix(tiny(start=np.array([0, 1], dtype=np.int32)))


@pytest.mark.parametrize(
    ("option", "value"), [("mip_rel_gapp", 0.0), ("mip_rel_gap", -1.0), ("presolve", "perhaps")]
)
def test_unknown_option_or_value_is_refused(option: str, value: object) -> None:
    with pytest.raises(SolverError, match=option):
        solver._option(solver._quiet(1, 0), option, value)


def random_program(seed: int, *, mixed: bool) -> Matrix:
    random = np.random.default_rng(seed)
    width, count = 5, int(random.integers(2, 5))
    rows = random.integers(-5, 10, size=(count, width)).astype(float)
    upper = random.integers(1, 4, size=width).astype(float)
    somewhere = rows @ np.floor(random.random(width) * (upper + 1))
    row_upper = somewhere + random.integers(-3, 3, size=count)
    row_lower = np.where(random.random(count) < 0.3, row_upper - 4.0, -np.inf)
    integer = np.ones(width, dtype=bool)
    if mixed:
        integer[:2] = False
    return dense(random.normal(size=width).round(2), rows, row_lower, row_upper, upper, integer)


def without_presolve(matrix: Matrix) -> solver.Outcome:
    return solve_matrix(matrix, presolve=False)


@pytest.mark.parametrize("seed", range(40))
def test_fuzz_against_enumeration(seed: int) -> None:
    matrix = random_program(seed, mixed=False)
    points = np.array(list(itertools.product(*(range(int(u) + 1) for u in matrix.upper))))
    loads = points @ matrix.value.reshape(len(matrix.row_lower), -1).T
    kept = ((loads >= matrix.row_lower) & (loads <= matrix.row_upper)).all(axis=1)
    best = float((points @ matrix.cost)[kept].max()) if kept.any() else None
    for outcome in (solve_matrix(matrix), without_presolve(matrix)):
        assert outcome.ending == ("infeasible" if best is None else "optimal")
        assert outcome.objective == (None if best is None else pytest.approx(best, abs=1e-7))
        assert outcome.bound == (None if best is None else pytest.approx(best, abs=1e-7))


@pytest.mark.parametrize("seed", range(100, 125))
def test_fuzz_against_scipy(seed: int) -> None:
    matrix = random_program(seed, mixed=True)
    rows = matrix.value.reshape(len(matrix.row_lower), -1)
    other = milp(
        -matrix.cost,
        integrality=matrix.integer.astype(int),
        bounds=Bounds(matrix.lower, matrix.upper),
        constraints=LinearConstraint(rows, matrix.row_lower, matrix.row_upper),
        options={"mip_rel_gap": 0.0},
    )
    assert other.status in (0, 2)
    for outcome in (solve_matrix(matrix), without_presolve(matrix)):
        assert outcome.ending == ("optimal" if other.status == 0 else "infeasible")
        if other.status == 0:
            assert outcome.objective == pytest.approx(-other.fun, abs=1e-6)


def test_changing_the_number_of_threads_is_survived() -> None:
    answers = [solve_matrix(tiny(), threads=threads).objective for threads in (1, 2, 1)]
    assert answers == pytest.approx([3.5] * 3)


SILENT = """
from abscopt.instances import load
from abscopt.optimizer import solve
assert solve(load("toy-fractionation")).status == "optimal"
assert solve(load("toy-two-lesions"), method="single").status == "optimal"
"""


def test_solving_leaves_stdout_to_the_caller() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SILENT], capture_output=True, check=True, env=os.environ, timeout=60
    )
    assert run.stdout == b""


def test_output_buffered_before_the_first_solve_is_kept() -> None:
    imported = "from abscopt.optimizer.highs.solver import canary"
    code = f"print('before'); {imported}; canary(); print('after')"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    assert run.stdout == "before\nafter\n"
