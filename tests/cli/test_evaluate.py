"""`abscopt evaluate`: judging a schedule, and checking what a document claims."""

import copy
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import load
from abscopt.optimizer import evaluate
from abscopt.optimizer.audit import answer_notes, case_audit
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import DISCLAIMER, Certificate, Result, SolverRun, sealed
from abscopt.optimizer.schedule import Fraction, Schedule, standard_schedule

CASE = "toy-blockade"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def result() -> Result:
    """A result that the judge confirms, made without any solver."""
    case = load(CASE)
    schedule = standard_schedule(case)
    assert schedule is not None
    verdict = evaluate(case, schedule)
    judged = Result(
        instance=case.name,
        status="optimal",
        objective=verdict.objective,
        bound=verdict.objective + 0.005,
        unit=verdict.unit,
        requested_gap=0.01,
        certificate=Certificate("bound on every schedule of the case", {"bands": 0.001}, "optimal"),
        schedule=schedule,
        evaluation=verdict,
        standard=verdict,
        solver=SolverRun("HiGHS", "1.15.1", "auto", 1.25, 7, 25, 5),
        seed=0,
    )
    return replace(judged, notes=answer_notes(Judge(case), case_audit(case), judged))


@pytest.fixture
def document(result: Result) -> Document:
    return result.to_json(load(CASE))


@pytest.fixture
def evaluation(run: Any) -> Document:
    printed: Document = json.loads(run("evaluate", CASE, "--regimen", "standard", "--json").stdout)
    return printed


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path of every number, string, bool, null and empty container."""
    if isinstance(tree, dict | list) and tree:
        keys = tree if isinstance(tree, dict) else range(len(tree))
        for key in keys:
            yield from leaves(tree[key], (*path, key))
    else:
        yield path


def changed(tree: Any, path: tuple[Any, ...], value: Callable[[Any], Any]) -> Any:
    """Copy of a tree with one leaf replaced."""
    found = copy.deepcopy(tree)
    parent = found
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value(parent[path[-1]])
    return found


def nudged(leaf: Any) -> Any:
    """The smallest change: the next float, the next integer, one more letter."""
    if isinstance(leaf, float):
        return math.nextafter(leaf, math.inf)
    return other(leaf)


def other(leaf: Any) -> Any:
    """A plain change of value."""
    if isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, int | float):
        return leaf + 1
    if isinstance(leaf, str):
        return leaf + "x"
    return 0 if leaf is None else [1] if isinstance(leaf, list) else {"x": 1}


def retyped(leaf: Any) -> Any:
    """A value of another type."""
    return "null" if leaf is None else None


def assert_refused(run: Any, path: Path) -> list[str]:
    result = run("evaluate", CASE, path)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines: list[str] = result.stderr.splitlines()
    assert lines
    assert all(line.startswith(f"{path}: ") and line.count(": ") >= 3 for line in lines), lines
    return lines


def test_standard_by_both_of_its_names(run: Any) -> None:
    one, two = (
        run("evaluate", CASE, "--regimen", name)
        for name in ("standard", "weekly 3 x 8 Gy with pembrolizumab from day 7")
    )
    assert one.exit_code == two.exit_code == 0
    assert one.stdout == two.stdout


def test_evaluation_document(evaluation: Document) -> None:
    assert list(evaluation) == [
        "format", "kind", "notice", "instance", "instance_digest", "schedule", "evaluation",
        "notes", "digest",
    ]  # fmt: skip
    assert (evaluation["format"], evaluation["kind"]) == (1, "evaluation")
    assert evaluation["notice"] == DISCLAIMER
    assert evaluation["evaluation"]["feasible"] is True


@pytest.mark.parametrize("form", ["evaluation", "table", "bare"])
def test_three_ways_to_write_a_schedule(
    run: Any, write: Any, evaluation: Document, form: str
) -> None:
    plan = evaluation["schedule"]
    raw = {"evaluation": evaluation, "table": {"schedule": plan}, "bare": plan}[form]
    again = run("evaluate", CASE, write(raw), "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout) == evaluation


def test_a_result_is_confirmed(run: Any, write: Any, document: Document) -> None:
    assert run("evaluate", CASE, write(document)).exit_code == 0


def test_a_broken_limit_is_named_and_is_not_an_error(run: Any, write: Any) -> None:
    plan = {"fractions": [{"lesion": "tumor", "day": 7 * i, "dose_gy": 8} for i in range(5)]}
    result = run("evaluate", CASE, write(plan))
    assert result.exit_code == 0
    assert "Breaks the limits: organ_mean." in result.stdout
    assert "BROKEN" in result.stdout
    assert "Broken rule" not in result.stdout


def test_a_course_off_the_menu_is_named_and_is_not_an_error(run: Any, write: Any) -> None:
    result = run(
        "evaluate", CASE, write({"fractions": [{"lesion": "tumor", "day": 5, "dose_gy": 1}]})
    )
    assert result.exit_code == 0
    assert "Broken rule: tumor: day 5 is not a machine day" in result.stdout
    assert "Not on the menu: tumor: the course is not on the lesion's menu." in result.stdout


def test_what_keeps_all_limits_off_the_menu_is_feasible(run: Any, write: Any) -> None:
    once = write({"fractions": [{"lesion": "tumor", "day": 1, "dose_gy": 1}]})
    text = run("evaluate", CASE, once).stdout
    assert "Keeps every limit and rule of the case.\nNot on the menu: tumor" in text
    verdict = json.loads(run("evaluate", CASE, once, "--json").stdout)["evaluation"]
    assert verdict["feasible"] and not verdict["broken_rules"]
    assert verdict["off_menu"] == ["tumor: the course is not on the lesion's menu"]


@pytest.mark.parametrize("change", [nudged, other, retyped])
def test_no_leaf_of_an_evaluation_can_be_changed(
    run: Any, write: Any, evaluation: Document, change: Callable[[Any], Any]
) -> None:
    paths = list(leaves(evaluation))
    assert len(paths) > 100
    for path in paths:
        assert_refused(run, write(changed(evaluation, path, change)))


@pytest.mark.parametrize("change", [nudged, other, retyped])
def test_no_leaf_of_a_result_can_be_changed(
    run: Any, write: Any, document: Document, change: Callable[[Any], Any]
) -> None:
    paths = list(leaves(document))
    assert len(paths) > 200
    for path in paths:
        assert_refused(run, write(changed(document, path, change)))


def test_no_key_can_be_dropped_or_added(
    run: Any, write: Any, document: Document, evaluation: Document
) -> None:
    for whole in (document, evaluation):
        for key in whole:
            if key != "kind":
                assert_refused(run, write({k: v for k, v in whole.items() if k != key}))
        assert_refused(run, write(whole | {"extra": None}))


def test_a_forged_evaluation_with_a_new_seal_is_refused(
    run: Any, write: Any, evaluation: Document
) -> None:
    """Whoever recomputes the digest still cannot make the judge agree."""
    for path in leaves(evaluation):
        if path[0] not in ("digest", "instance_digest"):
            forged = changed(evaluation, path, other)
            del forged["digest"]
            assert_refused(run, write(sealed(forged)))


def test_a_forged_result_with_a_new_seal_is_refused(
    run: Any, write: Any, document: Document
) -> None:
    judged = {"evaluation", "schedule", "standard", "objective", "gap", "gap_unit", "status"}
    judged |= {"instance", "format", "notice"}
    for path in leaves(document):
        if path[0] in judged:
            forged = changed(document, path, other)
            del forged["digest"]
            assert_refused(run, write(sealed(forged)))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"bound": -2.0, "gap": 0.0}, "bound"),
        ({"bound": 0.0}, "gap"),
        ({"bound": None}, "gap"),
        ({"bound": None, "gap": None}, "status"),
        ({"bound": "high"}, "bound"),
        ({"gap": True}, "gap"),
        ({"requested_gap": 0.001}, "status"),
        ({"requested_gap": -1}, "requested_gap"),
        ({"requested_gap": None}, "requested_gap"),
        ({"status": "feasible"}, "status"),
        ({"status": "infeasible"}, "status"),
        ({"status": 3}, "status"),
        ({"objective": -1.0}, "objective"),
        ({"objective": None}, "objective"),
        ({"schedule": None}, "schedule"),
        ({"evaluation": None}, "evaluation"),
        ({"standard": None}, "standard"),
    ],
)
def test_a_resealed_claim_is_checked_on_its_merits(
    run: Any, write: Any, document: Document, change: Document, place: str
) -> None:
    del document["digest"]
    path = write(sealed(document | change))
    assert any(line.startswith(f"{path}: {place}: ") for line in assert_refused(run, path))


def test_a_result_from_before_reductions_were_listed_is_confirmed(
    run: Any, write: Any, document: Document
) -> None:
    del document["certificate"]["reductions"], document["digest"]
    assert run("evaluate", CASE, write(sealed(document))).exit_code == 0


def test_every_difference_has_its_line(run: Any, write: Any, document: Document) -> None:
    document["evaluation"]["lesions"][0]["dose_gy"] = 30.0
    document["evaluation"]["limits"][0]["kept"] = False
    path = write(document)
    lines = assert_refused(run, path)
    assert f"{path}: evaluation.lesions[0].dose_gy: 30.0: the judge finds 24.0" in lines
    assert f"{path}: evaluation.limits[0].kept: false: the judge finds true" in lines
    assert any(line.startswith(f"{path}: digest: ") for line in lines)


def test_an_honest_feasible_result_is_confirmed(run: Any, write: Any, result: Result) -> None:
    assert result.objective is not None
    wide = replace(result, status="feasible", bound=result.objective + 1)
    assert run("evaluate", CASE, write(wide.to_json(load(CASE)))).exit_code == 0


def test_a_result_that_breaks_a_limit_is_refused(run: Any, write: Any, result: Result) -> None:
    case = load(CASE)
    schedule = Schedule(tuple(Fraction(7 * i, "tumor", 8.0) for i in range(5)))
    verdict = evaluate(case, schedule)
    broken = replace(
        result,
        schedule=schedule,
        evaluation=verdict,
        objective=verdict.objective,
        bound=verdict.objective,
    )
    path = write(broken.to_json(case))
    assert any("must break no limit" in line for line in assert_refused(run, path))


def test_a_result_without_schedule_has_nothing_to_judge(
    run: Any, write: Any, result: Result
) -> None:
    nothing = replace(
        result, status="infeasible", schedule=None, evaluation=None, objective=None, bound=None
    )
    path = write(nothing.to_json(load(CASE)))
    assert assert_refused(run, path) == [f"{path}: schedule: null: there is no schedule to judge"]


def test_a_document_of_another_case_is_refused(run: Any, write: Any, document: Document) -> None:
    path = write(document)
    result = run("evaluate", "toy-two-lesions", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}: instance_digest: ")


@pytest.mark.parametrize("seconds", [1e308, -1.0, 1, "1", None, True, [1.0]])
def test_strange_times_are_refused(
    run: Any, write: Any, document: Document, seconds: object
) -> None:
    document["solver"]["seconds"] = seconds
    assert_refused(run, write(document))
