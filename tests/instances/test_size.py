"""What is huge, nested or endless is refused with one sentence, and quickly."""

from __future__ import annotations

import copy
import json
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import InputError, build, load, names
from abscopt.instances.checks.audit import input_notes
from abscopt.instances.checks.size import USUAL_COURSES, USUAL_PLANS, menu_size, number_of_plans
from abscopt.instances.load import CASES
from abscopt.instances.reading.read import parse_json, parse_toml

SECONDS = 2.0
"""Of processor time: what one refusal may take."""
HEAD = 'format = 1\nname = "x"\n'


@pytest.fixture
def toy() -> dict[str, Any]:
    return tomllib.loads((CASES / "toy-blockade.toml").read_text())


def refusal(parse: Callable[[], Any]) -> list[str]:
    began = time.process_time()
    with pytest.raises(InputError) as caught:
        parse()
    assert time.process_time() - began < SECONDS
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    return lines


@pytest.mark.parametrize("odd", ["\t", "\n", "\x1e", "a\tb\tc\td", "\u2028"])
@pytest.mark.parametrize("key", ["kind", "name", "organ"])
def test_separators_in_values_stay_one_line(toy: dict[str, Any], odd: str, key: str) -> None:
    toy["limits"][0][key] = f"mean{odd}"
    for line in refusal(lambda: build(toy, "case")):
        assert line.startswith(f"case: limits[0].{key}: ")


@pytest.mark.parametrize("depth", [12, 50, 5_000])
@pytest.mark.parametrize("place", ["horizon_days", "lesions", "title", "extends"])
def test_deep_nesting(toy: dict[str, Any], depth: int, place: str) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    toy[place] = value
    (line,) = refusal(lambda: build(toy, "case"))
    assert "too deep" in line


def test_a_case_within_itself(toy: dict[str, Any]) -> None:
    toy["lesions"].append(toy)
    (line,) = refusal(lambda: build(toy, "case"))
    assert "too deep" in line


TEXTS = {
    "lists.toml": HEAD + "x = " + "[" * 100_000 + "]" * 100_000,
    "tables.toml": HEAD + "x = " + "{a = " * 20_000 + "1" + "}" * 20_000,
    "keys.toml": HEAD + ".".join(["a"] * 200_000) + " = 1",
    "header.toml": HEAD + "[" + ".".join(["a"] * 200_000) + "]",
    "spaced.toml": HEAD + " . ".join(["a"] * 200_000) + " = 1",
    "headers.toml": HEAD + "[[lesions]]\n" * 300_000,
    "entries.toml": HEAD + "x = [" + "1," * 1_000_000 + "]",
    "comments.toml": "#\n" * 2_000_000,
    "digits.toml": HEAD + "x = 1" + "0" * 400,
    "many_digits.toml": HEAD + "x = 1" + "0" * 1_000_000,
    "lists.json": '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "tables.json": '{"a": ' * 100_000 + "1" + "}" * 100_000,
    "entries.json": '{"x": [' + "1," * 1_000_000 + "1]}",
    "empty.json": '{"x": [' + "{}," * 1_000_000 + "1]}",
    "same.json": '{"a": 1' + ', "a": 1' * 300_000 + "}",
    "digits.json": '{"x": 1' + "0" * 400 + "}",
    "many_digits.json": '{"x": 1' + "0" * 4_000_000 + "}",
    "text.json": '{"title": "' + "a" * 4_000_000 + '"}',
    "text.toml": HEAD + 'title = "' + "a" * 4_000_000 + '"',
    "key.json": '{"' + "a" * 4_000_000 + '": 1}',
    "blank.json": " " * 6_000_000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name], encoding="utf-8")
    (line,) = refusal(lambda: load(path))
    assert len(line) < 1_000


def course(raw: dict[str, Any], **more: Any) -> dict[str, Any]:
    lesion = raw["lesions"][0]
    lesion["course"] = {"form": "uniform", "fractions": [3], "doses_gy": [8.0]} | more
    return raw


def grid(step: float) -> dict[str, float]:
    return {"min_gy": step, "max_gy": 20.0, "step_gy": step}


def courses_1e9(raw: dict[str, Any]) -> None:
    numbers = {"fractions": [*range(1, 201)], "interval_days": [*range(1, 61)]}
    course(raw, doses_gy=grid(0.01), last_start_day=1400, **numbers)["horizon_days"] = [1500]


def blocks(raw: dict[str, Any]) -> None:
    block = {"fractions": [*range(1, 100)], "doses_gy": grid(0.1)}
    course(raw, also=[block] * 3_000)


def free(raw: dict[str, Any]) -> None:
    raw["lesions"][0]["course"] = {"form": "free", "days": [*range(200)], "doses_gy": grid(0.01)}


def days_1e6(raw: dict[str, Any]) -> None:
    raw["horizon_days"] = [1_000_000]


def lesions_400(raw: dict[str, Any]) -> None:
    raw["lesions"] = [raw["lesions"][0] | {"name": f"s{i}"} for i in range(400)]


def lesions_in_vain(raw: dict[str, Any]) -> None:
    raw["lesions"] = [{"name": i} for i in range(4_900)]


def points(raw: dict[str, Any]) -> None:
    raw["limits"][0] |= {"kind": "bed", "points": [f"p{i}" for i in range(4_900)]}


def plans(raw: dict[str, Any]) -> None:
    raw["horizon_days"] = [1500]
    agent = {"first_start_day": 0, "last_start_day": 1400}
    drugs = ("pembrolizumab", "ipilimumab", "cisplatin", "paclitaxel")
    dose = {"day": 0, "amount": 100, "unit": "mg"}
    table = {"cycle_days": 21, "max_cycles": 100, "source": "t", "status": "assumed"}
    raw["regimens"] = {d: table | {"doses": [dose | {"drug": d}]} for d in drugs}
    raw["agents"] = [agent | {"name": d, "regimens": [d]} for d in drugs]


def cycles(raw: dict[str, Any]) -> None:
    raw["agents"][0]["cycles"] = 10**9


def unknown(raw: dict[str, Any]) -> None:
    raw |= {f"key{i}": 1 for i in range(4_900)}


def endless(raw: dict[str, Any]) -> None:
    raw["lesions"][0]["volume_cm3"] = float("inf")


CASES_TOO_LARGE = (
    courses_1e9, blocks, free, days_1e6, lesions_400, lesions_in_vain, points, plans, cycles,
    unknown, endless,
)  # fmt: skip


@pytest.mark.parametrize("spoil", CASES_TOO_LARGE)
def test_cases(toy: dict[str, Any], spoil: Callable[[dict[str, Any]], None]) -> None:
    spoil(toy)
    lines = refusal(lambda: build(toy, "case"))
    assert sum(map(len, lines)) < 50_000


def test_sizes_say_how_many(toy: dict[str, Any]) -> None:
    raw = copy.deepcopy(toy)
    courses_1e9(raw)
    (line,) = refusal(lambda: build(raw, "case"))
    assert f"{200 * 2000 * 60 * 1401} courses: at most 3000000 on one menu" in line
    plans(toy)
    (line,) = refusal(lambda: build(toy, "case"))
    assert f"{1402**4} plans: at most 1000000 combinations" in line


def test_unusual_sizes_are_noted(toy: dict[str, Any]) -> None:
    assert all(note.kind != "unusual_size" for note in input_notes(build(toy)))
    plans(toy)
    for agent in toy["agents"]:
        agent["start_step_days"] = 150
    case = build(toy)
    assert number_of_plans(case) == 11**4 > USUAL_PLANS
    (note,) = (note for note in input_notes(case) if note.kind == "unusual_size")
    assert "14641 plans, usual is at most 5000" in note.text


@pytest.mark.parametrize("name", names())
def test_bundled_cases_are_of_usual_size(name: str) -> None:
    case = load(name)
    assert max(map(menu_size, case.lesions)) <= USUAL_COURSES
    assert all(note.kind != "unusual_size" for note in input_notes(case))


def test_parsers_still_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": [{"b": 1e3, "c": "x.y.z" * 30}]}))
    assert parse_json(path) == {"a": [{"b": 1e3, "c": "x.y.z" * 30}]}
    text = 'a.b.c = [1, 2]\n"d.e" = "' + ".".join(["f"] * 40) + '"\n'
    assert parse_toml(text, "a") == {"a": {"b": {"c": [1, 2]}}, "d.e": ".".join(["f"] * 40)}
