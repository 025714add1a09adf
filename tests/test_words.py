"""Local names say what they hold: in each room of the optimizer vague ones may only become fewer.

A name such as `own` or `found` tells a reader nothing of what it holds. A function's local names
are its parameters and what it assigns; each counts once per function.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORDS = """
own one two three found told left given kept part parts rest here there whole most least late near
good new known other others some many few each every around gone left_out thing things
"""
VAGUE = frozenset(WORDS.split())
NEW_ROOM = 2.0
"""Percent of vague names that a room without a lower allowance may have."""
ALLOWED = {"optimizer/search/uniform": 0.5, "optimizer/search/uniform/bounds": 0.5}
"""Percent where a room has fewer; lower a number when it has improved, never raise one."""


def rooms() -> list[str]:
    """Folders of the optimizer that hold modules."""
    return sorted(
        {path.parent.relative_to(ROOT).as_posix() for path in modules(ROOT / "optimizer")}
    )


def modules(folder: Path) -> Iterator[Path]:
    """All modules below a folder."""
    return (path for path in folder.rglob("*.py") if path.name != "__init__.py")


def locals_of(function: ast.FunctionDef) -> set[str]:
    """Parameters and assigned names of a function, without those of functions inside it."""
    parameters = function.args
    names = {a.arg for a in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs)}
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        stack += ast.iter_child_nodes(node)
    return names - {"self", "cls"}


def vague_share(folder: Path) -> float:
    """Percent of vague names among the local names of a folder's own modules."""
    names = vague = 0
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                local = locals_of(node)
                names += len(local)
                vague += len(local & VAGUE)
    return 100.0 * vague / names if names else 0.0


@pytest.mark.parametrize("room", rooms())
def test_vague_local_names_may_only_become_fewer(room: str) -> None:
    share, allowed = vague_share(ROOT / room), ALLOWED.get(room, NEW_ROOM)
    assert share <= allowed, f"{room}: {share:.1f} % of local names are vague, {allowed} % may be"


def test_allowances_are_of_rooms_that_exist() -> None:
    assert set(ALLOWED) <= set(rooms())
    assert all(math.isfinite(share) and 0 <= share <= 12 for share in ALLOWED.values())


def test_names_are_counted_once_per_function() -> None:
    code = "def f(own, x):\n    own = [one for one in x]\n    def g(found):\n        pass\n"
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert locals_of(function) == {"own", "x", "one"}
    assert locals_of(function) & VAGUE == {"own", "one"}
