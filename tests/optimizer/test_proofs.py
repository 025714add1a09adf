"""No bound is believed that a judged schedule or the solver itself refutes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuning import tune

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import pipeline, solve
from abscopt.optimizer.assurance import ways
from abscopt.optimizer.assurance.known import best_known
from abscopt.optimizer.candidates.reduction import offered
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs import solver, tiny_programs
from abscopt.optimizer.highs.mip import DoubtError, Matrix, Outcome, checked
from abscopt.optimizer.highs.solver import ColumnMaster, SolverError, solve_matrix
from abscopt.optimizer.programme import margins, refinement, single, solving
from abscopt.optimizer.programme import settings as programme
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.progress import Clock, Stopped
from abscopt.optimizer.results.result import Result
from abscopt.optimizer.search.free.explore import Search, solve_free
from abscopt.optimizer.search.uniform import fixing

pytestmark = pytest.mark.aided

CASES = Path(__file__).parent.parent / "proof_cases"
BEST = {
    "free-beside-prescribed": -12.373728901538417,
    "two-start-days": -(math.log(1e7) - 15 * 0.3 * 2.0 * 1.2),
    "palliative": 1.7477412873811755e-07,
    "small-gap": -6.769337849468052,
}
"""Closed forms of the first three: no limit binds, so every lesion gets its only course."""


def case(name: str) -> Instance:
    return load(CASES / f"{name}.toml")


@pytest.mark.parametrize("name", BEST)
@pytest.mark.parametrize("method", ["auto", "single"])
def test_optimum_is_not_lost(name: str, method: Any) -> None:
    result = solve(case(name), method=method)
    assert result.status == "optimal"
    assert result.objective is not None and result.bound is not None
    assert result.objective == pytest.approx(BEST[name], abs=result.requested_gap)
    assert result.bound >= BEST[name] - 1e-9
    assert result.certificate.doubts == ()


def test_presolve_may_lose_an_optimum_that_lies_a_tolerance_off_but_no_margin_of_ours_does() -> (
    None
):
    exact = tiny_programs.LOSABLE_BEST
    for margin in (0.0, solver.PRESOLVE_TOLERANCE, solver.SAFE_MARGIN):
        outcome = solve_matrix(tiny_programs.losable(margin), presolve=False)
        assert outcome.objective == pytest.approx(exact, abs=1e-7)
    safe = solve_matrix(tiny_programs.losable(solver.SAFE_MARGIN), presolve=True)
    assert safe.objective == pytest.approx(exact, abs=1e-7)
    lost = solve_matrix(tiny_programs.losable(solver.PRESOLVE_TOLERANCE), presolve=True)
    assert solver.presolve_loses() == (abs((lost.objective or math.inf) - exact) > 1e-6)
    safe = solve_matrix(tiny_programs.losable(solver.PRESOLVE_TOLERANCE))
    assert safe.objective == pytest.approx(exact)


def test_no_margin_is_near_a_tolerance() -> None:
    loosest = max(solver.TOLERANCE, solver.PRESOLVE_TOLERANCE)
    assert 10 * loosest <= margins.RANGE_MARGIN
    assert 10 * loosest <= margins.BAND_SCALE * refinement.SPLIT_MARGIN
    assert min(solver.TOLERANCE, solver.PRESOLVE_TOLERANCE) > 10 * margins.INSIDE


def tiny() -> Matrix:
    """maximize 2 x, x <= 3.5, x integer."""
    return Matrix(
        cost=np.array([2.0]),
        lower=np.array([0.0]),
        upper=np.array([10.0]),
        integer=np.array([True]),
        row_lower=np.array([-np.inf]),
        row_upper=np.array([3.5]),
        start=np.array([0, 1], dtype=np.int32),
        index=np.array([0], dtype=np.int32),
        value=np.array([1.0]),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"bound": math.nan},
        {"bound": 5.0},
        {"objective": math.inf},
        {"objective": 6.5},
        {"x": np.array([math.nan])},
        {"x": np.array([4.0]), "objective": 8.0, "bound": 8.0},
        {"x": np.array([2.5]), "objective": 5.0},
        {"x": np.array([-1.0]), "objective": -2.0},
        {"x": None},
    ],
)
def test_an_outcome_that_cannot_be_true_is_refused(wrong: dict[str, Any]) -> None:
    true = solve_matrix(tiny())
    assert checked(tiny(), true) is true
    with pytest.raises(DoubtError):
        checked(tiny(), replace(true, **wrong))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["toy-free-20", "toy-free-pair", "oligomet-4", "sequencing"])
def test_duals_that_are_not_finite_are_an_error(
    name: str, bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spoiled:
        """HiGHS whose duals hold one bad number."""

        def __init__(self, highs: Any):
            self._highs = highs

        def __getattr__(self, item: str) -> Any:
            return getattr(self._highs, item)

        def getSolution(self) -> Any:  # noqa: N802
            solution = self._highs.getSolution()
            solution.row_dual = [bad, *list(solution.row_dual)[1:]]
            return solution

    plain = ColumnMaster.__init__

    def spoiled(self: ColumnMaster, *sides: Any) -> None:
        plain(self, *sides)
        self._highs = Spoiled(self._highs)

    monkeypatch.setattr(ColumnMaster, "__init__", spoiled)
    monkeypatch.setattr(ways, "by_programme", _too_large)
    result = solve_or_none(load(name))
    if result is not None:
        assert result.status == "feasible"
        assert result.bound is None
        assert any("duals" in doubt for doubt in result.certificate.doubts)


def _too_large(*_: Any, **__: Any) -> Any:
    raise DoubtError("not asked here")


def solve_or_none(instance: Instance) -> Result | None:
    """The answer; None where it ends with a sentence of its own about duals."""
    try:
        return solve(instance, time_limit=20.0)
    except SolverError as error:
        if "duals" not in str(error) and "not asked" not in str(error):
            raise
        return None


Change = Callable[[Outcome], Outcome]


def raised(outcome: Outcome, by: float) -> Outcome:
    return replace(outcome, bound=None if outcome.bound is None else outcome.bound + by)


def test_a_programme_whose_bound_is_refuted_is_solved_by_other_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a point the false bound shows only against what the judge knows."""

    def wrong(matrix: Matrix, **asked: Any) -> Outcome:
        outcome = solve_matrix(matrix, **asked)
        return outcome if asked.get("presolve") is False else _worst(matrix, outcome)

    monkeypatch.setattr(solving, "solve_matrix", wrong)
    result = solve(case("two-start-days"), method="single")
    assert result.status == "optimal"
    assert result.objective == pytest.approx(BEST["two-start-days"])
    assert len(result.certificate.doubts) == 1


def _worst(matrix: Matrix, outcome: Outcome) -> Outcome:
    """The optimum of the opposite, claimed to be that of the program."""
    low = solve_matrix(replace(matrix, cost=-matrix.cost, upper=matrix.upper), presolve=False)
    assert low.x is not None
    value = float(matrix.cost @ low.x) + matrix.offset
    return replace(outcome, x=low.x, objective=value, bound=value)


def test_a_bound_that_every_solver_gets_wrong_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(matrix: Matrix, **asked: Any) -> Outcome:
        return _worst(matrix, solve_matrix(matrix, **asked))

    monkeypatch.setattr(solving, "solve_matrix", wrong)
    monkeypatch.setattr(pipeline, "_other_engine", lambda: None)
    result = solve(case("two-start-days"), method="single")
    assert result.status == "feasible"
    assert result.bound is None
    assert result.objective == pytest.approx(BEST["two-start-days"])
    assert "withdrawn" in result.certificate.claim
    assert len(result.certificate.doubts) == 2


def test_a_false_infeasible_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Outcome("infeasible", None, None, None, 0)
    monkeypatch.setattr(solving, "solve_matrix", lambda *_, **__: none)
    monkeypatch.setattr(pipeline, "_other_engine", lambda: None)
    result = solve(case("two-start-days"), method="single")
    assert result.status == "feasible"
    assert result.objective == pytest.approx(BEST["two-start-days"])


@pytest.mark.parametrize("name", BEST)
def test_known_schedules_hold_the_strongest_courses(name: str) -> None:
    instance = case(name)
    known = best_known(Candidates(instance), Judge(instance), None, 0, Clock())
    assert known is not None
    assert known[1] <= BEST[name] + 1e-9
    if name != "small-gap":
        assert known[1] == pytest.approx(BEST[name])


def stopping(*_: Any, **__: Any) -> Any:
    raise Stopped


def test_a_programme_that_is_stopped_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = case("two-start-days")
    start = solve(instance).schedule
    assert start is not None
    monkeypatch.setattr(single, "columns_of", stopping)
    answer = solve_single(Candidates(instance), Judge(instance), 0.01, 0, 1, Clock(), start=start)
    assert answer.schedule == start
    assert answer.bound is None
    assert not answer.infeasible


@pytest.mark.parametrize("place", ["kept_of", "_examine"])
def test_reductions_that_are_stopped_keep_what_they_have(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = Candidates(load("capacity"))
    monkeypatch.setattr(fixing._Sweep, place, stopping)
    kept, in_hand = fixing.reduced(candidates, 0.01, 0, Clock())
    assert in_hand is not None
    assert kept.count == offered(candidates).count


def test_a_free_search_that_is_stopped_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = load("toy-free-pair")
    monkeypatch.setattr(Search, "_examine", stopping)
    answer = solve_free(Candidates(instance), Judge(instance), 1e-6, 0, Clock())
    assert answer.schedule is not None
    best = solve(instance)
    assert best.objective is not None
    assert answer.bound is None or answer.bound >= best.objective
    assert not answer.infeasible


def test_a_second_way_that_is_stopped_keeps_the_better_schedule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(matrix: Matrix, **asked: Any) -> Outcome:
        if asked.get("presolve") is False:
            raise Stopped
        return _worst(matrix, solve_matrix(matrix, **asked))

    monkeypatch.setattr(solving, "solve_matrix", wrong)
    monkeypatch.setattr(pipeline, "_other_engine", lambda: None)
    result = solve(case("two-start-days"), method="single")
    assert result.objective == pytest.approx(BEST["two-start-days"])
    assert result.bound is None
    assert result.status == "feasible"
    assert len(result.certificate.doubts) == 1


@pytest.mark.parametrize("gap", [1e-6, 1e-9])
def test_a_small_gap_is_closed_by_setting_the_judged_choice_apart(gap: float) -> None:
    result = solve(case("small-gap"), method="single", gap=gap)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(solve(case("small-gap"), gap=1e-9).objective, abs=1e-9)


def test_the_programme_for_others_keeps_the_choice_set_apart() -> None:
    instance = case("small-gap")
    answer = single.solve_single(Candidates(instance), Judge(instance), 1e-9, 0, 1, Clock())
    assert answer.excluded >= 1
    assert answer.floor == answer.value == answer.bound
    assert answer.data is not None
    assert not answer.data.refinement.cuts


def test_a_gap_that_margins_do_not_allow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tune(monkeypatch, programme, most_excluded=0)
    result = solve(case("small-gap"), method="single", gap=1e-9)
    assert result.status == "feasible"
    assert result.gap is not None and result.gap > 1e-9
    named = re.search(r"(\S+) is the smallest gap", result.certificate.claim)
    assert named is not None
    assert float(named[1]) >= result.gap
    assert solve(case("small-gap"), method="single", gap=float(named[1])).status == "optimal"
