"""How many small faults in the model and in the judge the tests notice.

    python benchmarks/studies/mutations.py [MODULE ...] [--sample N] [--seed 0] [--workers 2]
        [--write]

Each mutant changes one place of a module: an operator (+ and -, * and /, ** and *), a comparison
(< and <=, > and >=, == and !=), `and` and `or`, a sign, a `not`, a number, or one of minimum and
maximum, any and all. The tests of the module run against a copy of the repository that holds it,
those named after the module first; a mutant is noticed when they fail or exceed their time. Prints
the share that was noticed and every mutant that was not. Without modules: all of `models` (but for
the simulators) and of `optimizer/evaluation`, some hours. --sample draws so many mutants of each
module; --write keeps the table in mutations.json.

Operators are those of DeMillo, Lipton and Sayward 1978 (Hints on test data selection), as far as
they make sense in array code. A mutant that changes no result (an equivalent one) counts as not
noticed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("mutations.json")
LEFT_OUT = (".git", "__pycache__", ".venv", ".*_cache", "logs", "results", "*.egg-info")
SECONDS = 180.0
"""Most time of the tests of one mutant: three times those of the judge on a slow machine."""
JUDGE = ("tests/optimizer/test_judge.py", "tests/optimizer/test_demands.py",
         "tests/optimizer/test_closed_forms.py")  # fmt: skip
FURTHER = ("tests/models", *JUDGE)
"""Run where the tests that are named after a module notice nothing."""

SWAPS: dict[type[ast.AST], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.Lt: "<=",
    ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.And: "or",
    ast.Or: "and",
}  # fmt: skip
NAMES = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "any": "all",
         "all": "any"}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of a module: the text from `begin` to `end` (bytes) becomes `new`."""

    module: str
    line: int
    begin: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.old!r} -> {self.new!r}"

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


def _annotations(tree: ast.Module) -> set[int]:
    """Nodes within annotations, which no test can notice."""
    found: set[int] = set()
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(part, ast.AST):
                found |= {id(inner) for inner in ast.walk(part)}
    return found


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module, in order of place."""
    source = (ROOT / module).read_bytes()
    places, tree = _Places(source), ast.parse(source)
    left_out = _annotations(tree)
    found = []
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        for (begin, end), new in _changes(node, places):
            line = source[:begin].count(b"\n") + 1
            found.append(Mutant(module, line, begin, end, source[begin:end].decode(), new))
    found.sort(key=lambda one: (one.begin, one.new))
    return [one for one in found if _compiles(one.of(source))]


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
        begin, end = places.span(node)
        yield (begin, places.span(node.operand)[0]), " "
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield places.span(node), repr(node.value + 1)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        begin, end = places.span(node)
        yield (end - len(node.attr), end), NAMES[node.attr]
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield places.span(node), NAMES[node.id]


def tests_of(module: str) -> tuple[str, ...]:
    """Tests that are named after a module, or those of the judge."""
    if module.startswith("optimizer/evaluation/"):
        return JUDGE
    named = f"tests/models/test_{Path(module).stem}.py"
    return (named,) if (ROOT / named).exists() else ("tests/models",)


def noticed(copy: Path, mutant: Mutant) -> bool:
    """Whether the tests fail in a copy of the repository that holds a mutant."""
    target = copy / "abscopt" / mutant.module
    source = target.read_bytes()
    target.write_bytes(mutant.of(source))
    try:
        first = tests_of(mutant.module)
        return not _pass(copy, first) or not _pass(copy, FURTHER)
    finally:
        target.write_bytes(source)


def _pass(copy: Path, tests: tuple[str, ...]) -> bool:
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=copy / "abscopt", env=environment, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def all_modules() -> list[str]:
    """Modules of the model and of the judge."""
    paths = [*(ROOT / "models").glob("*.py"), *(ROOT / "optimizer" / "evaluation").glob("*.py")]
    return sorted(p.relative_to(ROOT).as_posix() for p in paths if p.name != "__init__.py")


def survivors_of(mutants: list[Mutant], workers: int) -> list[Mutant]:
    """Mutants that no test notices."""
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(workers):
            copy = Path(folder) / str(number)
            ignored = shutil.ignore_patterns(*LEFT_OUT)
            shutil.copytree(ROOT, copy / "abscopt", ignore=ignored)
            copies.put(copy)

        def survives(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                found = not noticed(copy, mutant)
            finally:
                copies.put(copy)
            print("." if not found else f"\nnot noticed  {mutant}", end="", flush=True)
            return found

        copy = copies.get()
        for tests in sorted({tests_of(mutant.module) for mutant in mutants}):
            assert _pass(copy, tests), f"{tests} fail without any mutant"
        copies.put(copy)
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(survives, mutants))
    print()
    return [mutant for mutant, alive in zip(mutants, found, strict=True) if alive]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", default=all_modules())
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    total = missed = 0
    for module in asked.modules:
        mutants = mutants_of(module)
        if asked.sample is not None and asked.sample < len(mutants):
            mutants = random.Random(asked.seed).sample(mutants, asked.sample)
        survivors = survivors_of(mutants, asked.workers)
        total, missed = total + len(mutants), missed + len(survivors)
        print(f"{module}: {len(mutants) - len(survivors)} of {len(mutants)} noticed")
        table[module] = {"mutants": len(mutants), "not_noticed": [str(one) for one in survivors]}
    if total:
        print(f"score {100 * (total - missed) / total:.1f} % of {total} mutants")
    if asked.write:
        FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
