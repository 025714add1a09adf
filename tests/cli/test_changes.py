"""`--set` and `--remove` on every command that takes a case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import load
from abscopt.instances.load import build, locate
from abscopt.instances.reading.read import parse_toml
from abscopt.optimizer.results.result import instance_digest

CHANGE = ("--set", "lesions.*.alpha_per_gy*=0.9", "--set", "horizon_days=[60, 90]")
STATED = ["lesions.*.alpha_per_gy*=0.9", "horizon_days=[60, 90]"]


@pytest.fixture
def solved(run: Any, tmp_path: Path) -> Path:
    """Result of a changed case."""
    result = run("solve", "toy-blockade", *CHANGE, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "Changed  lesions.*.alpha_per_gy*=0.9" in result.stdout
    return tmp_path / "out" / "result.json"


def test_a_result_states_its_changes_and_is_read_back(run: Any, solved: Path) -> None:
    document = json.loads(solved.read_text())
    changed = load("toy-blockade", STATED)
    assert document["changes"] == STATED
    assert document["instance_digest"] == instance_digest(changed)
    for arguments in (("toy-blockade", solved), ("toy-blockade", solved, *CHANGE)):
        text = run("evaluate", *arguments)
        assert text.exit_code == 0, text.stderr
        assert "Changed  horizon_days=[60, 90]" in text.stdout
    compared = json.loads(run("compare", solved, "--json").stdout)
    assert compared["changes"] == {"toy-blockade": STATED}
    assert compared["rows"][0]["objective"] == document["objective"]
    other = run("evaluate", "toy-blockade", solved, "--set", "horizon_days=[60, 80]")
    assert other.exit_code == 2
    assert "another case" in other.stderr


def test_an_evaluation_is_read_back_too(run: Any, solved: Path, tmp_path: Path) -> None:
    judged = run("evaluate", "toy-blockade", solved, "--json").stdout
    file = tmp_path / "evaluation.json"
    file.write_text(judged)
    assert json.loads(judged)["changes"] == STATED
    again = run("evaluate", "toy-blockade", file)
    assert again.exit_code == 0, again.stderr
    file.write_text(judged.replace('"horizon_days=[60, 90]"', '"horizon_days=[60, 91]"'))
    assert run("evaluate", "toy-blockade", file).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("instances", "show", "toy-blockade"),
        ("instances", "check", "toy-blockade"),
        ("evaluate", "toy-blockade", "--regimen", "standard"),
        ("frontier", "toy-blockade", "--limit", "organ_mean", "--caps", "9,10"),
        ("export", "toy-blockade", "--format", "lp", "--first"),
        ("compare", "toy-blockade"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_every_command_takes_changes(run: Any, command: tuple[str, ...]) -> None:
    result = run(*command, *CHANGE)
    assert result.exit_code == 0, result.stderr
    if command[1] != "check":
        assert "horizon_days=[60, 90]" in result.stdout + result.stderr
    wrong = run(*command, "--set", "lesions.tumour.weight=2")
    assert wrong.exit_code == 2
    assert "no such lesion; did you mean 'tumor'?" in wrong.stderr
    gone = run(*command, "--remove", "lesions.tumours")
    assert gone.exit_code == 2
    assert "no such lesion" in gone.stderr


def test_text_of_a_case(run: Any) -> None:
    shown = run("instances", "show", "oligomet-4-tight", "--toml").stdout
    assert shown.rstrip("\n") == locate("oligomet-4-tight").read_text().rstrip("\n")
    resolved = run("instances", "show", "oligomet-4-tight", "--resolved", *CHANGE).stdout
    assert build(parse_toml(resolved, "text")) == load("oligomet-4-tight", STATED)
    assert run("instances", "show", "oligomet-4", "--toml", *CHANGE).exit_code == 2


def test_changes_that_are_no_text_are_usage_errors(run: Any) -> None:
    result = run("solve", "toy-blockade", "--set", "nonsense")
    assert result.exit_code == 2
    assert "must be KEY=VALUE" in result.stderr


def test_members_are_listed_and_written(run: Any, tmp_path: Path) -> None:
    shown = run(
        "instances", "members", "toy-blockade", "--ensemble", "radiobiology", "--members", 3
    )
    assert shown.exit_code == 0
    assert "3 members, ensemble radiobiology" in shown.stdout
    assert "Not in this case  lesions.*.growth_doubling_time_days" in shown.stdout
    file = tmp_path / "own.toml"
    file.write_text(
        '[ensemble]\nsource = "test"\nstatus = "assumed"\n'
        '[[ensemble.members]]\nname = "a"\n'
        '[[ensemble.members]]\nname = "b"\nset = { "lesions.tumor.alpha_per_gy" = 0.2 }\n'
    )
    done = run(
        "instances", "members", "toy-blockade", "--ensemble", file, "--json", "--out", tmp_path
    )
    document = json.loads(done.stdout)
    assert [member["weight"] for member in document["members"]] == [0.5, 0.5]
    solved = json.loads(run("solve", tmp_path / "toy-blockade-b.toml", "--json").stdout)
    assert solved["changes"][0] == "lesions.tumor.alpha_per_gy=0.2"
    none = run("instances", "members", "toy-blockade")
    assert none.exit_code == 2
    assert "states no ensemble" in none.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("horizon_days*=inf", ("--set: horizon_days*", "inf", "finite number to multiply")),
        ("horizon_days*=nan", ("--set: horizon_days*", "nan", "finite number to multiply")),
        ("horizon_days*=1e308", ("toy-blockade: horizon_days[0]", "inf", "integer")),
        ("lesions.*.clonogens*=1e308", ("toy-blockade: lesions", "inf", "finite number")),
    ],
)
def test_products_that_are_no_number_are_wrong_input(
    run: Any, change: str, words: tuple[str, ...]
) -> None:
    done = run("instances", "check", "toy-blockade", "--set", change)
    assert done.exit_code == 2
    assert all(word in done.stderr for word in words) and "internal" not in done.stderr
