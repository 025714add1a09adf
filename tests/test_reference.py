"""The reference is alive: pages are up to date, keys are described, citations lead somewhere."""

from __future__ import annotations

import importlib.util
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
