"""`abscopt export` and `import-solution`: the programme solved outside, the answer judged here."""

import importlib
import json
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highspy
import pytest

from abscopt.optimizer.crosscheck.solvers.cbc import cbc_path

TOYS = ("toy-blockade", "toy-two-lesions")
FREE_CASE = "free"
Solve = Callable[[Path, Path], None]


def by_cbc(model: Path, answer: Path) -> None:
    command = [str(cbc_path()), str(model), "-solve", "-solution", str(answer)]
    subprocess.run(command, check=True, capture_output=True)


def by_scip(model: Path, answer: Path) -> None:
    scip = importlib.import_module("pyscipopt").Model()
    scip.hideOutput()
    scip.readProblem(str(model))
    scip.optimize()
    scip.writeBestSol(str(answer))


def by_highs(model: Path, answer: Path) -> None:
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(model))
    highs.run()
    highs.writeSolution(str(answer), 0)


def by_highs_in_a_table(model: Path, answer: Path) -> None:
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(model))
    highs.run()
    highs.writeSolution(str(answer), 1)


def by_highs_pretty(model: Path, answer: Path) -> None:
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(model))
    highs.run()
    names = highs.getLp().col_names_
    values = highs.getSolution().col_value
    lines = [f"{name} {value!r}" for name, value in zip(names, values, strict=True)]
    answer.write_text("\n".join(["# Solution for model", "# Objective value = 0", *lines]) + "\n")


def by_glpk(printed: bool) -> Solve:
    def solve(model: Path, answer: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            glpk: Any = importlib.import_module("swiglpk")
        glpk.glp_term_out(glpk.GLP_OFF)
        problem = glpk.glp_create_prob()
        if model.suffix == ".mps":
            glpk.glp_read_mps(problem, glpk.GLP_MPS_FILE, None, str(model))
        else:
            glpk.glp_read_lp(problem, None, str(model))
        options = glpk.glp_iocp()
        glpk.glp_init_iocp(options)
        options.presolve, options.tol_int = glpk.GLP_ON, 1e-9
        assert glpk.glp_intopt(problem, options) == 0
        (glpk.glp_print_mip if printed else glpk.glp_write_mip)(problem, str(answer))
        glpk.glp_delete_prob(problem)

    return solve


SOLVERS: dict[str, Solve] = {
    "cbc": by_cbc,
    "scip": by_scip,
    "highs": by_highs,
    "highs, pretty": by_highs_in_a_table,
    "gurobi style": by_highs_pretty,
    "glpk -o": by_glpk(True),
    "glpk -w": by_glpk(False),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Exported toys, written once."""
    from click.testing import CliRunner

    from abscopt.cli import main

    folder = tmp_path_factory.mktemp("exported")

    def find(case: str, form: str) -> Path:
        path = folder / f"{case}.{form}"
        if not path.exists():
            arguments = ["export", case, "--format", form, "--out", str(path), "--gap", "1e-6"]
            assert CliRunner().invoke(main, arguments).exit_code == 0
        return path

    return find


@pytest.mark.parametrize("form", ["mps", "lp"])
@pytest.mark.parametrize("case", TOYS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_solved_outside_and_judged_here(
    run: Any, tmp_path: Path, exported: Any, solver: str, case: str, form: str
) -> None:
    model, answer = exported(case, form), tmp_path / "answer"
    SOLVERS[solver](model, answer)
    numbers = ["--programme", model] if solver == "glpk -w" else []
    done = run("import-solution", case, answer, *numbers, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    right = json.loads(run("solve", case, "--json", "--gap", "1e-6").stdout)
    assert document["kind"] == "evaluation"
    assert document["evaluation"]["feasible"]
    assert document["evaluation"]["objective"] == pytest.approx(right["objective"], rel=1e-6)
    assert document["schedule"] == right["schedule"]


def test_a_free_course_comes_back(run: Any, toy: Any, write: Any, tmp_path: Path) -> None:
    toy["lesions"][0]["course"] = {"form": "free", "days": [0, 1, 2], "doses_gy": [5.5, 8]}
    toy["lesions"][0]["immunogenicity"] = 0
    toy["lesions"][0]["name"] = "gross-tumor+nodes"
    del toy["standard"], toy["agents"]
    toy["objective"] = {"kind": "tumor_bed"}
    case, model, answer = write(toy), tmp_path / "free.lp", tmp_path / "answer"
    assert run("export", case, "--format", "lp", "--out", model).exit_code == 0
    by_scip(model, answer)
    document = json.loads(run("import-solution", case, answer, "--json").stdout)
    right = json.loads(run("solve", case, "--json").stdout)
    assert document["evaluation"]["objective"] == pytest.approx(right["objective"], rel=1e-6)
    assert "x(gross~tumor&nodes,8.0,anyday)" in answer.read_text()  # the days do not matter here
    plan = "y(plan0,none,band0) 1\nx(occult,none) 1\n"
    for lines, problem in (
        ("x(gross~tumor&nodes,8.0,anyday) 4\n", "= 4: must be a whole number from 0 to 3"),
        ("x(gross~tumor&nodes,8.0,anyday) 2\nx(gross~tumor&nodes,5.5,anyday) 2\n", "4 doses"),
        ("x(gross~tumor&nodes,8.0,day1) 1\nx(gross~tumor&nodes,5.5,day1) 1\n", "2 doses on day 1"),
    ):
        answer.write_text(plan + lines)
        done = run("import-solution", case, answer)
        assert done.exit_code == 2
        assert problem in done.stderr
    answer.write_text(plan + "x(gross~tumor&nodes,8.0,day1) 1\nx(gross~tumor&nodes,5.5,day2) 1\n")
    document = json.loads(run("import-solution", case, answer, "--json").stdout)
    fractions = [(f["day"], f["dose_gy"]) for f in document["schedule"]["fractions"]]
    assert fractions == [(1, 8.0), (2, 5.5)]


GOOD = """y(plan3,pembrolizumab.from14.4doses,band6) 1
x(tumor,3x8.0,day0,every7) 0.99999999
x(occult,none) 1
"""


def test_a_person_reads_the_evaluation(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "solution"
    path.write_text(GOOD)
    done = run("import-solution", "toy-blockade", path)
    assert done.exit_code == 0
    assert "Keeps every limit and rule of the case." in done.stdout
    assert "Objective  -1.2375 nat" in done.stdout


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("x(tumor,3x8.0,day0,every7) 0.99999999", ""), "tumor: 0 courses chosen"),
        (("x(occult,none)", "x(tumor,none) 1 x(occult,none)"), "tumor: 2 courses chosen"),
        (("y(plan3", "y(plan0,none,band0) 1 y(plan3"), "systemic plan: 2 chosen"),
        (("band6) 1", "band6) 0"), "systemic plan: 0 chosen"),
        (("0.99999999", "0.9"), "line 2: x(tumor,3x8.0,day0,every7) = 0.9: must be 0 or 1"),
        (("0.99999999", "nan"), "line 2: x(tumor,3x8.0,day0,every7) = nan: must be 0 or 1"),
        (("0.99999999", "one"), "line 2: x(tumor,3x8.0,day0,every7) one: must be followed by"),
        (("3x8.0", "3x9.0"), "line 2: x(tumor,3x9.0,day0,every7): no such choice in toy-blockade"),
        (("from14", "from15"), "no such choice in toy-blockade"),
        (("x(occult,none)", "x(occult,none) 1 x(occult,none)"), "line 3: x(occult,none): given tw"),
        ((GOOD, "solution status: infeasible"), "file: nothing: "),
        ((GOOD, "s mip 1 1 o 0\nj 1 1\n"), "give the written programme with --programme"),
    ],
)
def test_a_solution_that_makes_no_sense(
    run: Any, tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    path = tmp_path / "solution"
    text = GOOD.replace(*change)
    assert text != GOOD
    path.write_text(text)
    done = run("import-solution", "toy-blockade", path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert any(
        line.startswith(f"{path}: ") and expected in line for line in done.stderr.splitlines()
    )


def test_a_schedule_that_breaks_a_limit_is_judged_all_the_same(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "solution"
    path.write_text(GOOD.replace("3x8.0", "5x8.0"))
    done = run("import-solution", "toy-blockade", path)
    assert done.exit_code == 2  # 5 x 8 Gy alone breaks the limit: it is not among the columns
    assert "no such choice" in done.stderr


def test_wrong_files(run: Any, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\x00")
    for path in (tmp_path / "nowhere", tmp_path, binary):
        done = run("import-solution", "toy-blockade", path)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{path}: ")
    for arguments in (
        ["nowhere", "--format", "mps"],
        ["toy-blockade"],
        ["toy-blockade", "--out", "x"],
    ):
        assert run("export", *arguments).exit_code == 2
    done = run("export", "toy-blockade", "--format", "lp", "--first", "--out", tmp_path)
    assert done.exit_code == 2
    assert "--out" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["binary"]


def test_the_first_relaxation_is_not_solved(run: Any, exported: Any) -> None:
    done = run("export", "toy-blockade", "--format", "mps", "--first")
    assert done.exit_code == 0
    assert done.stdout.startswith("* abscopt programme of toy-blockade; maximize")
    assert "judged objective none" in done.stderr
    refined = exported("toy-blockade", "mps").read_text()
    assert len(refined.splitlines()) > len(done.stdout.splitlines())


def test_a_flagship_case_is_written_and_comes_back(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "early.mps"
    done = run("export", "early-sabr", "--format", "mps", "--out", file, "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    known = json.loads(run("solve", "early-sabr", "--json").stdout)
    assert document["dropped_bound"] <= known["bound"] + 0.01
    head = file.read_text().partition("NAME")[0]
    assert "* reduced by dominance and bounds" in head
    assert "refined until its optimum was the judged one within 0.01 nat" in head
    solution = tmp_path / "answer.txt"
    by_highs(file, solution)
    judged = json.loads(run("import-solution", "early-sabr", solution, "--json").stdout)
    assert judged["evaluation"]["feasible"]
    assert judged["evaluation"]["objective"] >= known["bound"] - 0.01


def test_what_is_too_large_is_answered_by_what_to_do(run: Any) -> None:
    whole = run("export", "oligomet-4", "--format", "lp", "--whole")
    assert whole.exit_code == 2
    assert "leave out --whole and --first" in whole.stderr
    both = run("export", "toy-blockade", "--format", "lp", "--json")
    assert (both.exit_code, "--json needs --out" in both.stderr) == (2, True)
    first = run("export", "oligomet-4", "--format", "lp", "--first")
    assert (first.exit_code, "leave out --whole and --first" in first.stderr) == (2, True)
