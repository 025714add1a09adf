"""Courses of phases at the command line: the page's example, and what is refused."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "phases.md"
EXAMPLE = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """The case of the page."""
    assert EXAMPLE is not None
    path = tmp_path / "cervix.toml"
    path.write_text(EXAMPLE[1], encoding="utf-8")
    return path


def _changed(case: Path, old: str, new: str) -> Path:
    text = case.read_text(encoding="utf-8")
    assert old in text
    case.write_text(text.replace(old, new), encoding="utf-8")
    return case


def test_the_example_is_solved_and_its_files_are_judged(
    run: Any, case: Path, tmp_path: Path
) -> None:
    assert run("instances", "check", case, "--strict").exit_code == 0
    shown = run("instances", "show", case).stdout
    assert "25 x 1.8 Gy ebrt" in " ".join(shown.split())
    out = tmp_path / "out"
    result = run("solve", case, "--out", out, "--json")
    document = json.loads(result.stdout)
    assert document["status"] == "optimal"
    fractions = document["schedule"]["fractions"]
    assert [f["technique"] for f in fractions[:25]] == ["ebrt"] * 25
    assert {f["technique"] for f in fractions[25:]} == {"hdr"}
    bed = document["evaluation"]["lesions"][0]["bed_gy"]
    assert bed == pytest.approx(25 * 1.8 * 1.18 + 5 * 7 * 1.7)
    assert document["standard"]["lesions"][0]["bed_gy"] == pytest.approx(100.7)
    for file in ("schedule.csv", "result.json"):
        text = run("evaluate", case, out / file).stdout
        assert "Keeps every limit and rule of the case." in text and "Not on the menu" not in text
    single = json.loads(run("solve", case, "--method", "single", "--json").stdout)
    assert single["objective"] == pytest.approx(document["objective"], abs=0.01)


def test_techniques_stand_in_the_table_of_radiation(run: Any, case: Path) -> None:
    text = run("evaluate", case, "--regimen", "standard").stdout
    assert re.search(r"cervix \(ebrt\) +25 x 1.8 Gy +2026-01-05 \(0\)", text)
    assert re.search(r"cervix \(hdr\) +4 x 7 Gy +2026-02-09 \(35\) +2026-03-02 \(56\)", text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"hdr", interval', '"ldr", interval', "phases[1].technique: ldr: unknown technique"),
        ('technique = "ebrt" },\n  { f', "gap_days = [2] },\n  { f", "first phase has no gap_days"),
        ("fractions = [3, 4, 5]", "fractions = [3, 4, 5], times = [1, 2]", "need every_days"),
        ("[3, 7] }", "[3, 7], weekdays = [6] }", "weekdays: (6,): the machine runs on none"),
        ("[6, 7, 8]", "{ min_gy = 1, max_gy = 20, step_gy = 0.001 }", "at most 2000 dose levels"),
        (
            "doses_gy = [1.8]",
            "doses_gy = { min_gy = 1, max_gy = 3, step_gy = 0.001 }, times = [1, 2, 3, 4, 5], "
            "every_days = [1, 2, 3, 4, 5]",
            "at most 200000 on one menu",
        ),
        ("last_start_day = 4", "last_start_day = 90", "window outside the horizon"),
    ],
)
def test_what_a_menu_of_phases_must_not_say(
    run: Any, case: Path, old: str, new: str, words: str
) -> None:
    refused = run("instances", "check", _changed(case, old, new))
    assert refused.exit_code == 2
    assert words in " ".join(refused.output.split())


def test_a_menu_that_never_ends_in_time_is_said_to_be_empty(run: Any, case: Path) -> None:
    short = _changed(_changed(case, "[84]", "[40]"), "start_day = 35", "start_day = 33")
    raw = tomllib.loads(short.read_text(encoding="utf-8"))
    assert raw["horizon_days"] == [40]
    text = run("instances", "check", _without_standard(short)).output
    assert "no course of its phases ends within the horizon of 40 days" in " ".join(text.split())


def _without_standard(case: Path) -> Path:
    text = case.read_text(encoding="utf-8")
    case.write_text(text[: text.index("[standard]")], encoding="utf-8")
    return case


def test_courses_of_a_standard_share_no_day(run: Any, case: Path) -> None:
    refused = run("instances", "check", _changed(case, "start_day = 35", "start_day = 30"))
    assert refused.exit_code == 2
    assert "standard.courses[1].start_day: 30: another course of cervix" in refused.output
