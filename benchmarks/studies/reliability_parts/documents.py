"""Documents to begin with, and how they are written: cases, schedules, results, solutions."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from click.testing import CliRunner
from edge_limits import limited_edge_case
from random_instances import random_case

from abscopt.cli import main
from abscopt.instances import InputError, names
from abscopt.instances.load import CASES, build

Rng = np.random.Generator

SOLVED = ("toy-blockade", "toy-fractionation", "toy-two-lesions")
"""Bundled cases whose schedules and results are mutated."""
EDGES = 60
"""Tiny random cases that are mutated; few, since making one takes longer than refusing it."""


@cache
def edge(seed: int) -> dict[str, Any]:
    """A tiny random case that is accepted."""
    for further in range(seed, seed + 50):
        raw = random_case(further) if further % 4 == 3 else limited_edge_case(further)
        try:
            build(raw)
        except InputError:
            continue
        return raw
    raise RuntimeError("no acceptable case among fifty")


@cache
def bundled(name: str) -> dict[str, Any]:
    """A bundled case as its file states it."""
    path = next(p for p in CASES.rglob("*.toml") if name in (p.stem, f"{p.parent.name}-{p.stem}"))
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def template() -> dict[str, Any]:
    """What `instances new` writes."""
    return tomllib.loads((CASES.parent / "template.toml").read_text(encoding="utf-8"))


def case(rng: Rng) -> tuple[dict[str, Any], bool]:
    """A case to mutate, and whether it is tiny enough to be solved each time."""
    kind = rng.random()
    if kind < 0.7:
        return edge(int(rng.integers(EDGES))), True
    if kind < 0.8:
        return template(), False
    return bundled(str(names()[int(rng.integers(len(names())))])), False


@cache
def result(name: str) -> dict[str, Any]:
    """What `solve --json` prints."""
    return _printed("solve", name, "--json")


@cache
def evaluation(name: str) -> dict[str, Any]:
    """What `evaluate --json` prints of the case's solution."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "schedule.json"
        file.write_text(json.dumps(schedule(name)), encoding="utf-8")
        return _printed("evaluate", name, str(file), "--json")


def schedule(name: str) -> dict[str, Any]:
    """A plain schedule."""
    found: dict[str, Any] = result(name)["schedule"]
    return found


def _printed(*args: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, list(args))
    assert done.exit_code == 0, (args, done.output)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@cache
def solution(name: str) -> str:
    """A solution file of the exported programme, as HiGHS writes it."""
    import highspy

    with TemporaryDirectory() as folder:
        programme, found = str(Path(folder) / "p.mps"), Path(folder) / "p.sol"
        done = CliRunner().invoke(main, ["export", name, "--format", "mps", "--out", programme])
        assert done.exit_code == 0, done.output
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.readModel(programme)
        highs.run()
        highs.writeSolution(str(found), 0)
        return found.read_text(encoding="utf-8")


def as_json(document: Any) -> str:
    """JSON text; NaN and infinities as Python writes and reads them."""
    return json.dumps(document, ensure_ascii=False, default=str)


def as_toml(document: Any) -> str | None:
    """TOML text with one inline value per line; None for what TOML cannot say."""
    if not isinstance(document, dict):
        return None
    lines = [(json.dumps(str(key)), _inline(value)) for key, value in document.items()]
    if any(value is None for _, value in lines):
        return None
    return "".join(f"{key} = {value}\n" for key, value in lines)


def _inline(value: Any) -> str | None:
    if isinstance(value, dict):
        parts = [(json.dumps(str(key)), _inline(entry)) for key, entry in value.items()]
        if any(text is None for _, text in parts):
            return None
        return "{" + ", ".join(f"{key} = {text}" for key, text in parts) + "}"
    if isinstance(value, list | tuple):
        texts = [_inline(entry) for entry in value]
        if any(text is None for text in texts):
            return None
        return "[" + ", ".join(text for text in texts if text is not None) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}.get(
            json.dumps(value), repr(value)
        )
    if isinstance(value, int):
        return str(value)
    return None if value is None else json.dumps(str(value))
