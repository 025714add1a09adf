"""`abscopt instances`: list, show, check, schema."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped,unused-ignore]
import pytest

from abscopt.instances import load, names
from abscopt.instances.load import CASES, locate
from abscopt.optimizer.results.text.case_report import raw_courses, systemic_plans


def test_list_names_every_case(run: Any) -> None:
    result = run("instances", "list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == names()
    assert run("instances").stdout == result.stdout


def test_list_as_json(run: Any) -> None:
    document = json.loads(run("instances", "list", "--json").stdout)
    assert (document["format"], document["kind"]) == (1, "instances")
    assert [row["name"] for row in document["instances"]] == names()
    assert all(row["title"] for row in document["instances"])


@pytest.mark.parametrize("name", names())
def test_show_says_where_every_number_comes_from(run: Any, name: str) -> None:
    result = run("instances", "show", name)
    assert result.exit_code == 0
    words, case = " ".join(result.stdout.split()), load(name)
    for limit in case.limits:
        assert limit.name in words
        assert limit.status in words
        assert " ".join(limit.source.split()) in words
    for text in (case.title, *case.provenance.assumed, *case.provenance.measured):
        assert " ".join(text.split()) in words
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_show_as_json_counts_the_choices(run: Any) -> None:
    document = json.loads(run("instances", "show", "toy-blockade", "--json").stdout)
    assert document["kind"] == "instance"
    assert document["raw_courses"] == {"tumor": 4}  # 3 or 5 fractions of 5 or 8 Gy
    assert document["systemic_plans"] == 5  # none, or day 0, 7, 14, 21
    assert document["instance"]["lesions"][0]["alpha_per_gy"] == 0.3


def test_raw_courses_of_a_free_course() -> None:
    case = load("mr-linac-1")
    course = case.lesions[0].course
    assert course is not None
    assert course.form == "free"
    every_day_or_not = (len(course.levels_gy) + 1) ** len(course.days) - 1
    assert course.max_fractions is None or course.max_fractions >= len(course.days)
    assert raw_courses(case, case.lesions[0]) == every_day_or_not


def test_raw_courses_must_end_within_the_horizon() -> None:
    case = load("oligomet-4")
    course = case.lesions[0].course
    assert course is not None
    assert course.form == "uniform"
    starts = range(course.first_start_day, course.last_start_day + 1, course.start_step_days)
    shapes = len(course.fractions) * len(course.levels_gy) * len(course.interval_days)
    weekdays = sum(day % 7 < 5 for day in starts)
    assert 0 < raw_courses(case, case.lesions[0]) <= shapes * weekdays
    agent = case.agents[0]
    infusion_days = sum(day % 7 < 5 for day in agent.start_days)
    assert infusion_days < len(agent.start_days)
    assert systemic_plans(case) == 1 + len(agent.regimens) * infusion_days


def test_check_says_ok(run: Any) -> None:
    result = run("instances", "check", "toy-blockade", CASES / "toy-fractionation.toml")
    assert result.exit_code == 0
    assert [
        line
        for line in result.stdout.splitlines()
        if ": note: " not in line and ": warning: " not in line
    ] == [
        "toy-blockade: ok",
        f"{CASES / 'toy-fractionation.toml'}: ok",
    ]


def test_check_reads_every_file_and_reports_every_problem(
    run: Any, write: Any, toy: dict[str, Any]
) -> None:
    toy["lesions"][0]["volume_cm3"] = -1
    toy["colour"] = "red"
    bad = write(toy)
    result = run("instances", "check", bad, "nowhere.toml", "toy-blockade")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[0] == "toy-blockade: ok"
    assert len(result.stderr.splitlines()) == 3
    assert sum(line.startswith(f"{bad}: ") for line in result.stderr.splitlines()) == 2


def test_schema_accepts_every_bundled_case(run: Any) -> None:
    schema = json.loads(run("instances", "schema").stdout)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    for name in names():
        raw = tomllib.loads(locate(name).read_text())
        validator(schema).validate(json.loads(json.dumps(raw, default=str)))


def test_schema_rejects_unknown_keys_and_negative_volumes(run: Any, toy: dict[str, Any]) -> None:
    schema = json.loads(run("instances", "schema").stdout)
    toy["lesions"][0]["volume_cm3"] = -1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(toy, schema)
    toy["lesions"][0]["volume_cm3"] = 8
    jsonschema.validate(toy, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(toy | {"colour": "red"}, schema)


def test_a_toml_file_is_the_same_case_as_its_json(run: Any, write: Any, toy: Any) -> None:
    path: Path = write(toy)
    one, two = (
        json.loads(run("instances", "show", case, "--json").stdout)
        for case in ("toy-blockade", path)
    )
    assert one == two
