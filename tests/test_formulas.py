"""An engine function of array algebra opens with the formula that it computes.

A function counts that is of 15 lines or more, without its docstring, and in which numpy computes in
three places or more: products, sums, exponentials, extremes and the like; to make, sort, stack or
index arrays is none. Its docstring, or that of the function or class around it, has to hold a
formula: a line with a relation such as `w_e = k_e (phi + y_e)`, or a sum or an extreme as `sum_s`.

    python tests/test_formulas.py

prints the functions without one, and how long modules and functions are.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("models", "optimizer/candidates", "optimizer/search", "optimizer/programme")
LEAST_LINES = 15
LEAST_OPERATIONS = 3
NAMES = """
abs add all any bincount ceil clip convolve cumprod cumsum diff dot einsum exp expm1 floor fmax fmin
hypot interp log log1p log2 logaddexp matmul max maximum mean median min minimum multiply nanmax
nanmin outer power prod reduceat round sign sqrt subtract sum tensordot trapezoid where
"""
COMPUTING = frozenset(NAMES.split())
FORMULA = re.compile(r"\S\s*(=|<=|>=|≤|≥|<|>|←)\s*\S|\b(sum|max|min|prod)_\w|Σ|Π|\bln\(")


class Function(NamedTuple):
    """A function, where it is, how much it computes, and what stands above it."""

    place: str
    lines: int
    operations: int
    above: str


def functions(path: Path) -> Iterator[Function]:
    """Functions of a module; those inside others count with these, too."""
    yield from _inside(ast.parse(path.read_text(encoding="utf-8")), path, "")


def _inside(parent: ast.AST, path: Path, above: str) -> Iterator[Function]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = f"{above}\n{ast.get_docstring(node) or ''}"
            if isinstance(node, ast.FunctionDef):
                place = f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}"
                yield Function(place, _lines(node), _operations(node), text)
            yield from _inside(node, path, text)


def _lines(function: ast.FunctionDef) -> int:
    """Lines from the signature to the end, without the docstring."""
    assert function.end_lineno is not None
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    length = function.end_lineno - function.lineno + 1
    if docstring is not None and docstring.end_lineno is not None:
        length -= docstring.end_lineno - docstring.lineno + 1
    return length


def _operations(function: ast.FunctionDef) -> int:
    """Places where numpy computes: `np.exp(x)`, `np.add.reduceat(x, i)`, `x.sum(axis=0)`, `x @ y`.

    Of methods of a name only those along an axis count.
    """
    count = 0
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            count += 1
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
            method = not isinstance(node.func.value, ast.Name) or any(
                keyword.arg == "axis" for keyword in node.keywords
            )
            count += node.func.attr in COMPUTING and (of_numpy or method)
    return count


@cache
def computing(folder: str) -> list[Function]:
    """Functions of array algebra of a room."""
    return [
        function
        for path in sorted((ROOT / folder).rglob("*.py"))
        for function in functions(path)
        if function.lines >= LEAST_LINES and function.operations >= LEAST_OPERATIONS
    ]


def has_formula(function: Function) -> bool:
    """Whether a line above the code has a relation."""
    return any(FORMULA.search(line) for line in function.above.splitlines())


def without_formula() -> list[str]:
    """Places of functions of array algebra without a formula."""
    return [
        function.place
        for folder in ENGINES
        for function in computing(folder)
        if not has_formula(function)
    ]


def share_of_formulas() -> float:
    """Lines of docstrings and comments with a formula, of all lines of the engines."""
    lines, formulas = 0, 0
    for path in sorted(p for folder in ENGINES for p in (ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines += len(text.splitlines())
        said = [line.partition("#")[2] for line in text.splitlines() if " # " in line]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                said += (ast.get_docstring(node) or "").splitlines()
        formulas += sum(bool(FORMULA.search(line)) for line in said)
    return formulas / lines


def test_a_line_in_fifty_of_the_engines_is_a_formula() -> None:
    assert share_of_formulas() >= 0.02


def test_functions_of_array_algebra_open_with_their_formula() -> None:
    assert sum(len(computing(folder)) for folder in ENGINES) > 50
    assert without_formula() == []


def test_the_rule_sees_what_it_is_for(tmp_path: Path) -> None:
    body = "\n".join(f"    y = np.exp(x) + x.sum(axis=0) * {i}" for i in range(LEAST_LINES))
    for docstring, right in (("Sum.", False), ("y = e^x + sum x", True)):
        path = ROOT / "models" / "nothing.py"
        tree = ast.parse(f'def f(x):\n    """{docstring}"""\n{body}\n    return y\n')
        (function,) = _inside(tree, path, "")
        assert (function.lines, function.operations) == (LEAST_LINES + 2, 2 * LEAST_LINES)
        assert has_formula(function) == right


def main() -> None:
    """Print what has no formula, and lengths of modules and functions that are shipped."""
    for place in without_formula():
        print(place)
    rooms = ("models", "instances", "optimizer")
    modules = [ROOT / "cli.py", *(p for room in rooms for p in (ROOT / room).rglob("*.py"))]
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in modules}
    longest = max(lengths, key=lambda p: lengths[p])
    of_functions = sorted(function.lines for p in modules for function in functions(p))
    print(
        f"{len(modules)} modules, median {statistics.median(lengths.values()):g} lines, "
        f"longest {longest.relative_to(ROOT).as_posix()} {lengths[longest]}; "
        f"90 of 100 functions have at most {of_functions[len(of_functions) * 9 // 10]} lines; "
        f"{sum(len(computing(folder)) for folder in ENGINES)} functions of array algebra, "
        f"{len(without_formula())} without a formula; of the engines' lines "
        f"{share_of_formulas():.1%} are formulas"
    )


if __name__ == "__main__":
    sys.exit(main())
