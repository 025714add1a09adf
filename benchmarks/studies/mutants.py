"""Small faults that are put into a module, one at a time.

Each mutant changes one place: an operator (+ and -, * and /, ** and *), a comparison (< and <=,
> and >=, == and !=), `and` and `or`, a sign, a `not`, a number (plus 1), or one of minimum and
maximum, any and all. Operators are those of DeMillo, Lipton and Sayward 1978 (Hints on test data
selection), as far as they make sense in array code.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = "(module)"
"""Unit of what stands outside every function."""
SWAPS: dict[type[ast.AST], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.Lt: "<=",
    ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.And: "or",
    ast.Or: "and",
}  # fmt: skip
NAMES = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "any": "all",
         "all": "any"}  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """A function, a method, or a statement outside: its lines, and a digest of what it does."""

    name: str
    first: int
    last: int
    digest: str


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 40 else f"{words[:36]} ..."


@dataclass(frozen=True)
class Mutant:
    """One change of a module: the text from `begin` to `end` (bytes) becomes `new`."""

    module: str
    unit: str
    key: str
    """Place within the unit and digest of it: the same as long as the unit does the same."""
    line: int
    text: str
    """The source line."""
    begin: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.change} in {self.text}"

    @property
    def change(self) -> str:
        return f"{_short(self.old)} -> {_short(self.new)}"

    def of(self, source: bytes) -> bytes:
        """The module with the change."""
        return source[: self.begin] + self.new.encode() + source[self.end :]


class _Places:
    """Offsets in bytes of the nodes of a module."""

    def __init__(self, source: bytes):
        self.source, self.starts = source, [0]
        for line in source.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def operator(self, left: ast.expr, right: ast.expr) -> tuple[int, int]:
        """Between two operands, without brackets and spaces."""
        begin, end = self.span(left)[1], self.span(right)[0]
        text = self.source[begin:end]
        inner = text.strip(b" ()\n\t")
        begin += text.index(inner)
        return begin, begin + len(inner)


def _digest(node: ast.stmt) -> str:
    """Of what a statement does: without comments, layout and docstring."""
    body = getattr(node, "body", None)
    text = "".join(ast.dump(part) for part in body[1:]) if _documented(body) else ast.dump(node)
    return hashlib.sha1(text.encode()).hexdigest()[:10]


def _documented(body: list[ast.stmt] | None) -> bool:
    first = body[0] if body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def units_of(source: bytes) -> list[Unit]:
    """Functions, methods and statements outside them, in order of place."""
    units: list[Unit] = []

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
                continue
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            name = f"{prefix}{node.name}" if function else OUTSIDE  # type: ignore[attr-defined]
            units.append(Unit(name, node.lineno, node.end_lineno or node.lineno, _digest(node)))

    visit(ast.parse(source).body, "")
    return units


def unit_at(units: list[Unit], line: int) -> Unit:
    """The unit that a line belongs to."""
    return next(
        (unit for unit in units if unit.first <= line <= unit.last), Unit(OUTSIDE, line, line, "")
    )


def _annotations(tree: ast.Module) -> set[int]:
    """Nodes within annotations, which no test can notice."""
    nodes: set[int] = set()
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(part, ast.AST):
                nodes |= {id(inner) for inner in ast.walk(part)}
    return nodes


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module, in order of place."""
    source = (ROOT / module).read_bytes()
    lines, units = source.decode().split("\n"), units_of(source)
    places, tree = _Places(source), ast.parse(source)
    left_out = _annotations(tree)
    changes = sorted(
        (begin, end, new)
        for node in ast.walk(tree)
        if id(node) not in left_out
        for (begin, end), new in _changes(node, places)
    )
    number: Counter[str] = Counter()
    mutants = []
    for begin, end, new in changes:
        line = source[:begin].count(b"\n") + 1
        unit = unit_at(units, line)
        number[unit.digest] += 1
        key = f"{unit.digest}.{number[unit.digest]}"
        old, text = source[begin:end].decode(), lines[line - 1].strip()
        mutant = Mutant(module, unit.name, key, line, text, begin, end, old, new)
        if _compiles(mutant.of(source)):
            mutants.append(mutant)
    return mutants


def _compiles(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _changes(node: ast.AST, places: _Places) -> Iterator[tuple[tuple[int, int], str]]:
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        yield places.operator(node.left, node.right), SWAPS[type(node.op)]
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield places.operator(node.left, node.comparators[0]), SWAPS[type(node.ops[0])]
    elif isinstance(node, ast.BoolOp):
        yield places.operator(*node.values[:2]), SWAPS[type(node.op)]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        begin, end = places.span(node.operand)
        yield places.span(node), places.source[begin:end].decode()
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield places.span(node), repr(node.value + 1)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        begin, end = places.span(node)
        yield (end - len(node.attr), end), NAMES[node.attr]
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield places.span(node), NAMES[node.id]
