"""Modules and rooms import one way: no circle, so that there is an order without an arrow back up.

    python tests/test_circles.py

prints the circles of modules and of rooms: of what is imported when a module is loaded; with what
functions import when they are called; with what only types need.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("models", "instances", "optimizer")
Arrows = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every shipped module by its name within the package; a room by that of its `__init__`."""
    paths = [ROOT / "cli.py", *(p for room in SHIPPED for p in (ROOT / room).rglob("*.py"))]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


def arrows(*, called: bool = False, typed: bool = False) -> Arrows:
    """What each module imports when it is loaded; when functions are called; for types."""
    known = modules()
    return {
        name: {
            target
            for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), called, typed)
            for target in _targets(node, known)
            if target != name
        }
        for name, path in known.items()
    }


def _nodes(parent: ast.AST, called: bool, typed: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef) and not called:
            continue
        of_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if of_types and not typed:
            continue
        yield node
        yield from _nodes(node, called, typed)


def _targets(node: ast.AST, known: Iterable[str]) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("abscopt."):
        module = (node.module or "").removeprefix("abscopt.")
        for alias in node.names:
            whole = f"{module}.{alias.name}"
            yield whole if whole in known else module


def rooms(between: Arrows) -> Arrows:
    """Arrows between rooms: folders of `optimizer`, its loose modules, `instances`, `models`."""
    result: Arrows = {_room(name): set() for name in between}
    for name, targets in between.items():
        result[_room(name)] |= {_room(target) for target in targets} - {_room(name)}
    return result


def _room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "optimizer" else parts[0]


def circles(between: Arrows) -> list[list[str]]:
    """Strongly connected components of more than one module: each of them leads to each."""
    reach = {name: _reached(name, between) for name in between}
    by_first: dict[str, list[str]] = {}
    for name in between:
        if name in reach[name]:
            circle = sorted(other for other in reach[name] if name in reach[other])
            by_first[circle[0]] = circle
    return sorted(by_first.values())


def _reached(start: str, between: Arrows) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = between.get(waiting.pop(), set()) - reached
        reached |= fresh
        waiting.extend(fresh)
    return reached


def test_no_circle_of_modules_or_of_rooms_when_they_are_loaded() -> None:
    loaded = arrows()
    assert sum(map(len, loaded.values())) > 1000
    assert circles(loaded) == []
    assert circles(rooms(loaded)) == []


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def main() -> None:
    """Print all circles."""
    for words, how in (
        ("when loaded", {}),
        ("when functions are called, too", {"called": True}),
        ("for types, too", {"called": True, "typed": True}),
    ):
        between = arrows(**how)
        for what, those in (("modules", circles(between)), ("rooms", circles(rooms(between)))):
            print(f"{words}: {len(those)} circles of {what}", *map(" ".join, those), sep="\n    ")


if __name__ == "__main__":
    sys.exit(main())
