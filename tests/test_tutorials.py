"""Tutorials: every cell runs from top to bottom, as a reader would run them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "docs" / "tutorials"
CELL = re.compile(r"^```\{code-cell\}\n((?::.*\n)*)(.*?)^```$", re.S | re.M)


def cells(page: Path) -> list[str]:
    """Code of the cells of a page, in order; options such as tags left out."""
    return [match.group(2) for match in CELL.finditer(page.read_text(encoding="utf-8"))]


def shell(command: str) -> None:
    """What `!command` does in a cell, with the `abscopt` of this Python."""
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": os.pathsep.join([scripts, os.environ["PATH"]])}
    done = subprocess.run(
        command, shell=True, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def as_python(cell: str) -> str:
    """The cell with its lines for the shell as calls of `shell`."""
    lines = (f"shell({line[1:]!r})" if line[:1] == "!" else line for line in cell.splitlines())
    return "\n".join(lines)


def test_every_page_has_cells_and_is_in_the_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in TUTORIALS.glob("*.md"):
        assert cells(page), page
        assert f"tutorials/{page.stem}\n" in index


@pytest.mark.parametrize("name", sorted(page.stem for page in TUTORIALS.glob("*.md")))
def test_cells_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("svg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABSCOPT_DOCS", str(ROOT / "docs"))
    names: dict[str, Any] = {"shell": shell}
    for number, cell in enumerate(cells(TUTORIALS / f"{name}.md"), 1):
        code = compile(ast.parse(as_python(cell)), f"{name}, cell {number}", "exec")
        exec(code, names)
    pytest.importorskip("matplotlib.pyplot").close("all")
