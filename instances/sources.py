"""Files that come with the package: bundled cases and the cited library."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
LIBRARY = Path(__file__).parent / "library"

Raw = dict[str, Any]


def bundled() -> dict[str, Path]:
    """Files of the bundled cases by name; `cases/A/b.toml` is variant `A-b` of case `A`."""
    found = {path.stem: path for path in CASES.glob("*.toml")}
    return found | {f"{path.parent.name}-{path.stem}": path for path in CASES.glob("*/*.toml")}


def names() -> list[str]:
    """Names of the bundled cases, in alphabetical order (numbers in numerical order)."""

    def order(name: str) -> tuple[str, int]:
        stem, _, tail = name.rpartition("-")
        return (stem, int(tail)) if tail.isdigit() and stem == "mr-linac" else (name, 0)

    return sorted(bundled(), key=order)


@lru_cache(maxsize=16)
def library(table: str) -> Raw:
    """One library file (`tumors`, `tissues`, `limits`, `drugs`, `regimens`, `scenarios`,
    `ensembles`)."""
    return tomllib.loads((LIBRARY / f"{table}.toml").read_text(encoding="utf-8"))


def library_limits(limit_set: str) -> Raw:
    """Limits of a library set, with those a composite takes from other sets filled in."""
    sets = library("limits")["sets"]
    found: Raw = {}
    for name, entry in sets[limit_set]["limits"].items():
        if "from" in entry:
            other, _, key = entry["from"].rpartition(".")
            entry = library_limits(other)[key] | {k: v for k, v in entry.items() if k != "from"}
        found[name] = entry
    return found
