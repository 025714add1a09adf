"""Commands of the README and of the pages that it points to run from top to bottom."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.load import CASES, load

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": "\n## Commands\n", "docs/tour.md": "# A tour of the commands\n"}
"""Pages with a block of commands, and the heading above it."""
WRITES = ("--out", "--ics", "--csv")
"""Options whose value is a file or folder that is there afterwards."""


def block(page: str, language: str, heading: str) -> str:
    """The first code block of a language below a heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    below = text[text.index(heading) :]
    found = re.search(rf"```{language}\n(.*?)```", below, re.S)
    assert found is not None, heading
    return found.group(1)


def commands(page: str) -> list[list[str]]:
    """Arguments of each `abscopt` of the block of commands; remarks left out."""
    text = block(page, "sh", PAGES[page])
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    assert all(line[0] == "abscopt" for line in lines)
    return [line[1:] for line in lines]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that has what a clone has for the commands."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_commands_run_in_this_order(run: Any, clone: Path, page: str) -> None:
    pytest.importorskip("matplotlib")
    said: dict[str, str] = {}
    for arguments in commands(page):
        result = run(*arguments)
        line = shlex.join(arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        for option, value in pairwise(arguments):
            if option in WRITES:
                assert (clone / value).exists(), line
        said[line] = result.output
    listed = next(text for line, text in said.items() if line == "instances list")
    assert all(path.stem in listed for path in CASES.glob("*.toml"))
    assert load(clone / "my-case.toml").name
    if page == "README.md":
        return
    compared = next(text for line, text in said.items() if "--solver" in line)
    assert "disagree" not in compared
    assert compared.count("agree") >= 3


def test_python_runs(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib").use("svg")
    names: dict[str, Any] = {}
    exec(block("README.md", "python", "\n## From Python\n"), names)
    printed = capsys.readouterr().out
    assert "Optimal within the stated gap" in printed
    assert (clone / "calendar.svg").exists()
    assert (clone / "result.json").exists()


def test_the_case_of_the_page_solves(run: Any, clone: Path) -> None:
    (clone / "two-sites.toml").write_text(
        block("docs/case.md", "toml", "# Write a case"), encoding="utf-8"
    )
    assert "ok" in run("instances", "check", "two-sites.toml").output
    assert run("solve", "two-sites.toml").exit_code == 0
