"""Other solvers on the same arrays, written programmes, and wrong answers that are noticed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pytest
from plain_cases import lesion, plain_case, uniform
from random_instances import random_case
from scipy.sparse import csc_array, csr_array
from tuning import tune

from abscopt.instances import build as instance_of
from abscopt.instances import load
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.console.compare import SOLVERS
from abscopt.optimizer.crosscheck.cells import doses
from abscopt.optimizer.crosscheck.compare import (
    Finding,
    binding_rows,
    broken_rows,
    find,
    find_by_search,
    scaled,
    schedule_difference,
    verdict,
)
from abscopt.optimizer.crosscheck.engines import ENGINES, Engine, solve_highs
from abscopt.optimizer.crosscheck.handover import naming, writer
from abscopt.optimizer.crosscheck.handover.exchange import export_programme
from abscopt.optimizer.crosscheck.handover.naming import Programme
from abscopt.optimizer.crosscheck.solvers.answers import SizeLicence
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import Matrix, Outcome
from abscopt.optimizer.programme import settings as programme
from abscopt.optimizer.programme import single
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

FREE_SOLVERS = ("scip", "cbc", "glpk")
INSTALLED = [key for key, engine in ENGINES.items() if engine.version is not None]
GAP = 1e-4


def dense(
    rows: list[list[float]],
    row_lower: list[float],
    row_upper: list[float],
    cost: list[float],
    lower: list[float],
    upper: list[float],
    integer: list[bool],
    offset: float = 0.0,
) -> Matrix:
    """Arrays of a program stated densely."""
    table = np.array(rows, dtype=float)
    return Matrix(
        cost=np.array(cost, dtype=float),
        lower=np.array(lower, dtype=float),
        upper=np.array(upper, dtype=float),
        integer=np.array(integer),
        row_lower=np.array(row_lower, dtype=float),
        row_upper=np.array(row_upper, dtype=float),
        start=np.concatenate([[0], np.cumsum((table != 0).sum(axis=1))]).astype(np.int32),
        index=np.nonzero(table)[1].astype(np.int32),
        value=table[table != 0],
        offset=offset,
    )


def random_matrix(seed: int) -> Matrix:
    """Bounded program with every kind of row and bound, feasible at a known point."""
    rng = np.random.default_rng([7, seed])
    rows, columns = 6, 7
    table = np.round(rng.uniform(-3, 5, (rows, columns)), 2) * (rng.random((rows, columns)) < 0.7)
    lower = np.round(rng.uniform(-4, 0, columns))
    upper = lower + rng.integers(1, 6, columns)
    inside = table @ np.round((lower + upper) / 2)
    row_lower = np.where(np.arange(rows) % 3 == 0, -np.inf, inside - 2.5)
    row_upper = np.where(np.arange(rows) % 3 == 1, np.inf, inside + 1.25)
    row_lower[-1], row_upper[-1] = -np.inf, np.inf
    return dense(
        table.tolist(),
        row_lower.tolist(),
        row_upper.tolist(),
        np.round(rng.uniform(-1, 4, columns), 3).tolist(),
        lower.tolist(),
        upper.tolist(),
        [True] * 4 + [False] * 3,
        offset=float(seed % 2) * 2.5,
    )


def wide_matrix(columns: int) -> Matrix:
    """At most five of many."""
    ones = [1.0] * columns
    return dense([ones], [0.0], [5.0], ones, [0.0] * columns, ones, [True] * columns)


def named(matrix: Matrix) -> Programme:
    rows = tuple(f"row({i})" for i in range(len(matrix.row_lower)))
    return Programme("test", matrix, rows, tuple(f"v({j})" for j in range(len(matrix.cost))))


def run(engine: Engine, matrix: Matrix) -> Outcome:
    return engine.solve(matrix, absolute_gap=1e-9, time_limit=20.0, threads=1, seed=3)


def test_the_command_line_lists_every_solver() -> None:
    assert tuple(ENGINES) == SOLVERS


def test_the_free_solvers_are_installed_for_the_tests() -> None:
    assert set(INSTALLED) >= {"highs", *FREE_SOLVERS}


@pytest.mark.parametrize("key", INSTALLED)
def test_every_solver_solves_the_same_program(key: str) -> None:
    for seed in range(6):
        matrix = random_matrix(seed)
        right = run(ENGINES["highs"], matrix)
        found = run(ENGINES[key], matrix)
        assert right.objective is not None
        assert found.ending == "optimal"
        assert found.objective == pytest.approx(right.objective, abs=1e-6)
        assert found.bound == pytest.approx(right.objective, abs=1e-5)
        assert found.x is not None
        assert broken_rows(matrix, found.x) == []
        assert matrix.cost @ found.x + matrix.offset == pytest.approx(found.objective, abs=1e-6)


@pytest.mark.parametrize("key", INSTALLED)
def test_every_solver_proves_infeasibility(key: str) -> None:
    one = dense([[2.0, 2.0]], [3.0], [3.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [True, True])
    found = run(ENGINES[key], one)
    assert (found.ending, found.x) == ("infeasible", None)


@pytest.mark.parametrize("key", INSTALLED)
def test_free_columns_and_continuous_programs(key: str) -> None:
    inf = float("inf")
    two = dense(
        [[1.0, 1.0], [1.0, -1.0]], [-inf, -1.0], [2.5, inf], [1.0, -0.25],
        [-inf, -inf], [inf, 7.0], [False, False],
    )  # fmt: skip
    two = replace(two, integer=np.array([False, True]), lower=np.array([-inf, -2.0]))
    found = run(ENGINES[key], two)
    assert found.objective == pytest.approx(5.0, abs=1e-6)
    assert found.x == pytest.approx([4.5, -2.0], abs=1e-6)


def read_back(programme: Programme, form: str, path: Path) -> highspy.Highs:
    """HiGHS with the file of a programme, every number of which is the programme's to the bit."""
    path.write_text({"mps": writer.mps, "lp": writer.lp}[form](programme))
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    read, matrix, sign = highs.getLp(), programme.matrix, -1.0 if form == "mps" else 1.0
    wanted = [*programme.columns, *([writer.CONSTANT] if matrix.offset else [])]
    column = [{name: j for j, name in enumerate(read.col_names_)}[name] for name in wanted]
    row_of = {name: i for i, name in enumerate(read.row_names_)}
    stays = [i for i, name in enumerate(programme.rows) if name in row_of]
    row = [row_of[programme.rows[i]] for i in stays]
    assert len(column) == read.num_col_
    for i in sorted(set(range(len(programme.rows))) - set(stays)):
        free = np.isinf(matrix.row_lower[i]) and np.isinf(matrix.row_upper[i])
        assert free or (form == "lp" and f"{programme.rows[i]}lo" in row_of)  # two rows for a range
    count = len(matrix.cost)
    for found, right in (
        (sign * np.array(read.col_cost_)[column], [*matrix.cost, matrix.offset][: len(column)]),
        (np.array(read.col_lower_)[column][:count], matrix.lower),
        (np.array(read.col_upper_)[column][:count], matrix.upper),
        (np.array([int(kind) for kind in read.integrality_])[column][:count], matrix.integer),
        (np.array(read.row_lower_)[row], matrix.row_lower[stays]),
        (np.array(read.row_upper_)[row], matrix.row_upper[stays]),
    ):
        assert np.array_equal(found, right)
    entries, shape = read.a_matrix_, (read.num_row_, read.num_col_)
    table = csc_array((entries.value_, entries.index_, entries.start_), shape=shape).tocsr()
    right = csr_array(
        (matrix.value, matrix.index, matrix.start), shape=(len(matrix.row_lower), count)
    )
    assert (table[row][:, column[:count]] != right[stays]).nnz == 0
    return highs


@pytest.mark.parametrize("form", ["mps", "lp"])
def test_written_programs_are_read_back_exactly(tmp_path: Path, form: str) -> None:
    scip = importlib.import_module("pyscipopt")
    sign = -1.0 if form == "mps" else 1.0
    for seed in range(6):
        matrix = random_matrix(seed)
        path = tmp_path / f"{seed}.{form}"
        right = run(ENGINES["highs"], matrix).objective
        highs = read_back(named(matrix), form, path)
        assert highs.getLp().col_names_[:7] == [f"v({j})" for j in range(7)]
        highs.run()
        assert sign * highs.getInfo().objective_function_value == pytest.approx(right, abs=1e-6)
        model = scip.Model()
        model.hideOutput()
        model.readProblem(str(path))
        model.optimize()
        assert sign * model.getObjVal() == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("case", ["toy-two-lesions", "mixed-free", "young-timing", "high-low-dose"])
def test_written_programmes_of_cases_are_read_back_exactly(tmp_path: Path, case: str) -> None:
    programme = export_programme(load(case), first=True).programme
    for form in ("mps", "lp"):
        read_back(programme, form, tmp_path / f"case.{form}")


def test_names_tell_courses_and_plans_apart() -> None:
    case = load("toy-blockade")
    candidates = Candidates(case)
    names = naming.column_names(candidates, columns_of(candidates))
    assert names == [
        "x(tumor,none)",
        "x(tumor,3x5.0,day0,every7)",
        "x(tumor,3x8.0,day0,every7)",
        "x(tumor,5x5.0,day0,every7)",
        "x(occult,none)",
    ]
    assert naming.plan_names(candidates)[3] == "y(plan3,pembrolizumab.from14.4doses)"
    for seed in range(3):
        other = Candidates(instance_of(random_case(seed)))
        found = naming.column_names(other, columns_of(other))
        assert len(set(found)) == len(found)
        assert max(map(len, found)) <= naming.LONGEST


def test_rows_are_named_by_their_constraint_and_a_wrong_row_is_noticed() -> None:
    case = load("toy-blockade")
    programme = export_programme(case, first=True).programme
    families = programme.families
    assert len(families["one_course"]) == 2
    row = families["organ_loads"][0]
    entries = slice(*programme.matrix.start[row : row + 2])
    columns = [programme.columns[j] for j in programme.matrix.index[entries]]
    loads = dict(zip(columns, programme.matrix.value[entries], strict=True))
    assert loads["x(tumor,3x8.0,day0,every7)"] == pytest.approx(0.4 * 24 / 10)

    def spoiled(matrix: Matrix, **rest: Any) -> Outcome:
        wrong = replace(matrix, value=matrix.value * 1.001)
        candidates = Candidates(case)
        data, model, position = (rest[key] for key in ("data", "model", "position"))
        with pytest.raises(Exception, match="is no constraint of the programme"):
            naming.named_programme(candidates, data, model, wrong, position)
        return Outcome("limit", None, None, None, 0)

    from abscopt.optimizer.progress import Clock

    single.solve_single(Candidates(case), Judge(case), GAP, 0, 1, Clock(), engine=spoiled)


@pytest.mark.parametrize("seed", [2, 5])
def test_the_free_solvers_agree_on_random_cases(seed: int) -> None:
    case = instance_of(random_case(seed))
    reference = find(case, ENGINES["highs"], gap=GAP)
    for other in [find_by_search(case, gap=GAP)] + [
        find(case, ENGINES[key], gap=GAP) for key in FREE_SOLVERS
    ]:
        assert verdict(other, reference, GAP).verdict in ("agree", "within_gap"), other.message


FAMILIES = ("one_course", "one_plan", "log_burden", "pursued", "systemic_effect")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("factor", [1.01, 0.99])
def test_one_coefficient_off_by_one_percent_is_a_disagreement(family: str, factor: float) -> None:
    case = load("toy-blockade")
    reference = find(case, ENGINES["highs"], gap=1e-5)

    def transform(programme: Programme) -> Matrix:
        true = programme.matrix
        x = solve_highs(true, absolute_gap=1e-9, time_limit=None, threads=1, seed=0).x
        assert x is not None
        binding = set(binding_rows(true, x))
        for row in programme.families[family]:
            for column in true.index[true.start[row] : true.start[row + 1]].tolist():
                if row in binding and abs(x[column]) > 1e-3:
                    return scaled(programme, row, column, factor)
        raise AssertionError(f"nothing of {family} binds")

    found = find(case, ENGINES["highs"], gap=1e-5, transform=transform)
    assert verdict(found, reference, 1e-5).verdict == "disagree"


Lie = Callable[[Matrix, Outcome], Outcome]


def of_x(change: Callable[[Any, Matrix], Any]) -> Lie:
    """An answer whose point was changed."""

    def lie(matrix: Matrix, told: Outcome) -> Outcome:
        return told if told.x is None else replace(told, x=change(told.x.copy(), matrix))

    return lie


LIES: dict[str, Lie] = {
    "objective": lambda _, told: replace(told, objective=(told.objective or 0.0) + 1e-3),
    "low bound": lambda _, told: replace(told, bound=(told.bound or 0.0) - 1e-2),
    "nothing": lambda _, told: replace(told, ending="infeasible", x=None, objective=None),
    "unbounded": lambda _, told: replace(told, ending="unbounded", x=None),
    "half": of_x(lambda x, matrix: np.where(matrix.integer & (x > 0.5), 0.5, x)),
    "rows": of_x(lambda x, matrix: np.where(matrix.integer, 0.0, x)),
    "bounds": of_x(lambda x, matrix: np.where(matrix.integer, x, x + 1e3)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_solver_disagrees(lie: str) -> None:
    case = load("toy-two-lesions")
    reference = find(case, ENGINES["highs"], gap=GAP)

    def solve(matrix: Matrix, **options: Any) -> Outcome:
        return LIES[lie](matrix, solve_highs(matrix, **options))

    liar = replace(ENGINES["highs"], solve=solve, name="liar")
    found = find(case, liar, gap=GAP)
    for one, other in ((found, reference), (reference, found)):
        assert verdict(one, other, GAP).verdict == "disagree"


def test_what_stops_a_solver_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    case = load("toy-two-lesions")
    reference = find(case, ENGINES["highs"], gap=GAP)

    def refuse(matrix: Matrix, **options: Any) -> Outcome:
        raise SizeLicence("at most 3 columns")

    small = find(case, replace(ENGINES["scip"], solve=refuse))
    late = find(case, ENGINES["scip"], time_limit=0.0)
    tune(monkeypatch, programme, most_coefficients=1)
    large = find(case, ENGINES["scip"])
    assert [one.status for one in (small, late, large)] == ["size_licence", "unknown", "too_large"]
    assert "at most 3 columns" in small.message
    for one in (small, late, large):
        assert verdict(one, reference, GAP).verdict == "limit"


@pytest.mark.skipif("gurobi" not in INSTALLED, reason="gurobipy is not installed")
def test_gurobi_over_its_size_licence() -> None:
    wide = wide_matrix(2100)
    with pytest.raises(SizeLicence):
        run(ENGINES["gurobi"], wide)


@pytest.mark.skipif("cplex" not in INSTALLED, reason="cplex is not installed")
def test_cplex_over_its_size_licence() -> None:
    wide = wide_matrix(1100)
    with pytest.raises(SizeLicence):
        run(ENGINES["cplex"], wide)


def finding(value: float | None, bound: float | None, **fields: Any) -> Finding:
    """A finding about one toy, its judged objective replaced."""
    case = load("toy-fractionation")
    evaluation = Judge(case).evaluate(Schedule())
    judged = None if value is None else replace(evaluation, objective=value)
    plain = Finding("solver", "x", "X", "1", "optimal", Schedule(), judged, bound, bound)
    return replace(plain, **fields)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((1.0, 1.0), (1.0, 1.0), "agree"),
        ((1.0, 1.05), (1.0 + 5e-7, 1.05), "agree"),
        ((1.0, 1.05), (1.01, 1.05), "within_gap"),
        ((1.0, 1.005), (1.01, 1.05), "disagree"),
        ((1.01, 1.05), (1.0, 1.005), "disagree"),
        ((1.0, 2.0), (1.5, 2.0), "disagree"),
        ((1.0, 0.9), (0.5, 1.0), "disagree"),
        ((None, None, "infeasible"), (1.0, 1.05), "disagree"),
        ((None, None, "infeasible"), (None, None, "infeasible"), "agree"),
        ((None, None, "unknown"), (1.0, 1.05), "limit"),
        ((0.5, 3.0, "feasible"), (1.0, 1.05), "limit"),
        ((0.5, 0.7, "feasible"), (1.0, 1.05), "disagree"),
        ((None, 0.7, "unknown"), (1.0, 1.05), "disagree"),
        ((None, None, "error"), (1.0, 1.05), "disagree"),
    ],
)
def test_verdicts(one: Any, other: Any, expected: str) -> None:
    first, second = (
        finding(value, bound, status=status[0] if status else "optimal")
        for value, bound, *status in (one, other)
    )
    assert verdict(first, second, 0.1).verdict == expected
    assert verdict(second, first, 0.1).verdict == expected


def test_an_answer_that_breaks_a_limit_disagrees() -> None:
    good = finding(1.0, 1.0)
    assert good.evaluation is not None
    bad = replace(good, evaluation=replace(good.evaluation, feasible=False, broken_rules=("a",)))
    assert verdict(bad, good, 0.1) == verdict(good, bad, 0.1)
    assert verdict(bad, good, 0.1).verdict == "disagree"


def test_differences_of_schedules_are_listed() -> None:
    one, two = Fraction(0, "lung", 8.0), Fraction(2, "lung", 8.0)
    found = schedule_difference(Schedule((one, two)), Schedule((two, Fraction(4, "lung", 9.0))))
    assert found == {
        "count": 2,
        "only_here": ["day 0: lung 8 Gy"],
        "only_in_reference": ["day 4: lung 9 Gy"],
    }


def test_differences_of_schedules_name_the_technique_and_go_by_day() -> None:
    def course(technique: str, dose: float = 8.0) -> Schedule:
        days = (0, 2, 10)
        return Schedule(tuple(Fraction(d, "lung", dose, technique=technique) for d in days))

    found = schedule_difference(course("wide"), course("narrow"))
    assert found["count"] == 6
    assert found["only_here"] == [f"day {day}: lung 8 Gy wide" for day in (0, 2, 10)]
    assert found["only_in_reference"] == [f"day {day}: lung 8 Gy narrow" for day in (0, 2, 10)]
    twice = Schedule((Fraction(0, "lung", 8.0), Fraction(0, "lung", 8.0, slot=1)))
    assert schedule_difference(twice, Schedule(twice.fractions[:1]))["count"] == 1
    drugs = Schedule((), (Infusion(7, "nivolumab", 240.0),))
    assert schedule_difference(drugs, Schedule())["only_here"] == ["day 7: nivolumab 240 mg"]


DOSES = {
    "lung 3x8 d0": [(0, 0), (1, 0), (2, 0)],
    "lung 3x8 d4": [(4, 0), (7, 0), (8, 0)],
    "lung 3x8 d0 every 2 d": [(0, 0), (2, 0), (4, 0)],
    "lung 3x8 d3 every 3 d": [(3, 0), (7, 0), (10, 0)],
    "lung 4x8 2/day d0 every 7 d": [(0, 0), (0, 1), (7, 0), (7, 1)],
    "lung 3x8 d0-7": [(0, 0), (1, 0), (7, 0)],
    "lung 1x8 d2": [(2, 0)],
}


@pytest.mark.parametrize("words", DOSES)
def test_courses_in_words(words: str) -> None:
    sites = [lesion(name, clonogens=1e6, course=uniform([1], [8])) for name in ("lung", "liver")]
    instance = instance_of(plain_case(sites, [], horizon_days=[30]))
    given = [Fraction(day, "lung", 8.0, slot) for day, slot in DOSES[words]]
    assert doses(Schedule.of(given, []), instance) == [words]
    named = [replace(fraction, technique="wide") for fraction in given]
    assert doses(Schedule.of(named, []), instance) == [words.replace(" d", " wide d", 1)]
    uneven = [*given, Fraction(given[-1].day, "lung", 7.0, 2)]
    (told,) = doses(Schedule.of(uneven, []), instance)
    assert told.startswith(f"lung {8 * len(given) + 7} in {len(given) + 1} ")
    assert doses(Schedule.of([], []), instance) == []
