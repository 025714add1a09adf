"""The reference is alive: pages are up to date, keys are described, citations lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from abscopt.instances.schema import json_schema

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


@cache
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_reference", REFERENCE / "write.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables() -> dict[str, Any]:
    schema = json_schema()
    return {"Instance": schema, **schema["$defs"]}


@pytest.mark.parametrize("page", ["symbols.md", "programme.md"])
def test_generated_page_is_what_would_be_written(page: str) -> None:
    wanted = writer().PAGES[page]()
    assert (REFERENCE / page).read_text(encoding="utf-8") == wanted, (
        "run `python docs/reference/write.py`"
    )


@pytest.mark.parametrize("table", tables())
def test_every_key_is_described(table: str) -> None:
    bare = [k for k, e in tables()[table]["properties"].items() if not e.get("description")]
    assert bare == []
    assert tables()[table]["description"]


def test_symbols_belong_to_keys() -> None:
    known = {(table, key) for table, entry in tables().items() for key in entry["properties"]}
    stated = {(table, key) for table, keys in writer().SYMBOLS.items() for key in keys}
    assert stated <= known


def test_every_constraint_function_has_a_formula() -> None:
    found = list(writer().constraints())
    assert len(found) > 40
    assert [name for _, name, text, _ in found if not text] == []


PAGES = {"M": REFERENCE / "model.md", "P": REFERENCE / "proofs.md"}
GUIDES = [*PAGES.values(), ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]
ROOMS = ("models", "instances", "optimizer", "benchmarks", "docs", "tests")
CITED = re.compile(r"(?<![\w/])([MP]\d{1,2})(?= of docs/reference|[,);.: ]|$)")
NAMED = re.compile(r"`([\w/.]+\.py)::([\w.]+)`")
FILE = re.compile(r"`((?:\.?\w[\w.-]*/)+[\w.-]*)`")


def stated() -> dict[str, str]:
    """Number of each equation and proof -> its text."""
    found = {}
    for letter, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        heads = re.compile(rf"^(?:\*\*({letter}\d+)\*\*|### ({letter}\d+)) ", re.MULTILINE)
        matches = list(heads.finditer(text))
        ends = [match.start() for match in matches[1:]] + [len(text)]
        for match, end in zip(matches, ends, strict=True):
            number = match[1] or match[2]
            assert number not in found
            found[number] = text[match.start() : end]
    return found


@cache
def names_in(path: str) -> set[str]:
    """Functions, classes and methods of a module."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)
            }
    return found


def test_equations_and_proofs_are_numbered_without_gaps() -> None:
    for letter in PAGES:
        numbers = [int(number[1:]) for number in stated() if number[0] == letter]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 10


@pytest.mark.parametrize("number", stated())
def test_equation_or_proof_names_code_that_exists(number: str) -> None:
    named = NAMED.findall(stated()[number])
    assert named
    assert [(path, name) for path, name in named if name not in names_in(path)] == []
    roots = {path.partition("/")[0] for path, _ in named}
    assert roots & {"models", "instances", "optimizer"}
    if number[0] == "M":
        assert "; judge `optimizer/evaluation/" in stated()[number]
    else:
        assert "tests" in roots


def sources() -> list[Path]:
    code = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return [*code, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_cited_equations_and_proofs_exist() -> None:
    missing = []
    for path in sources():
        for line in path.read_text(encoding="utf-8").splitlines():
            if path in GUIDES or "docs/reference" in line or path.name == "symbols.md":
                missing += [(path.name, n) for n in CITED.findall(line) if n not in stated()]
    assert missing == []


@pytest.mark.parametrize("page", [page for page in GUIDES if page.exists()], ids=lambda p: p.name)
def test_files_and_functions_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [path for path in FILE.findall(text) if not (ROOT / path).exists()] == []
    named = NAMED.findall(text)
    assert [(path, name) for path, name in named if name not in names_in(path)] == []


def test_every_room_is_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = text.split("```text\n")[1].split("```")[0]
    rooms = {f"{path.parent.name}/" for room in ROOMS[:3] for path in _packages(ROOT / room)}
    assert {room for room in rooms if room not in tree} == set()


def _packages(room: Path) -> list[Path]:
    return list(room.rglob("__init__.py"))
