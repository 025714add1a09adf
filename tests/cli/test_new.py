"""`abscopt instances new`: a template that is itself a valid case."""

import re
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances import load


def test_the_template_passes_its_own_check(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "fresh.toml"
    done = run("instances", "new", path, "--name", "fresh")
    assert done.exit_code == 0
    lines = run("instances", "check", path).stdout.splitlines()
    assert lines[0] == f"{path}: ok"
    assert all("the horizon of 180 days cuts pembrolizumab" in line for line in lines[1:])
    assert load(path).name == "fresh"
    text = path.read_text()
    assert sum(line.lstrip().startswith("#") or " # " in line for line in text.splitlines()) > 20


def test_the_default_file_is_named_after_the_case(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("instances", "new").exit_code == 0
    assert run("instances", "new", "--name", "second").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my-case.toml", "second.toml"]


def test_every_setting_in_its_comments_is_valid(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    run("instances", "new", path)
    text = re.sub(r"^# (?!course =)(\[|[a-z_]+ = )", r"\1", path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
    assert text.count("[[limits]]") == 5
    assert run("instances", "check", path).output.splitlines()[0] == f"{path}: ok"


def test_the_template_can_be_solved(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    run("instances", "new", path)
    done = run("solve", path, "--gap", "0.1")
    assert done.exit_code == 0
    assert "Gain of the schedule above" in done.stdout


def test_no_file_is_overwritten(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    for place in (path, tmp_path, path / "below"):
        done = run("instances", "new", place)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{place}: path: ")
    assert path.read_text() == "mine"


def test_a_wrong_name_writes_nothing(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    for name in ("two words", "", 'quo"te', "-x", "back\\slash"):
        done = run("instances", "new", path, f"--name={name}")
        assert done.exit_code == 2
        assert done.stderr.startswith("--name ")
    assert not path.exists()
