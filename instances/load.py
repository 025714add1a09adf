"""Instances from files and from the bundled set: read, complete from the library, check.

Any problem raises `InputError`, which lists file, place, value and rule of each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from abscopt.instances.reading.fill import completed
from abscopt.instances.reading.problems import (
    InputError,
    Problem,
    first_of,
    printable,
    problems_of,
    refused,
)
from abscopt.instances.reading.read import (
    MAX_BYTES,
    MOST_IN_CASE,
    check_size,
    parse_case,
    parse_json,
    read_text,
)
from abscopt.instances.sources import (
    CASES,
    LIBRARY,
    Raw,
    bundled,
    library,
    library_limits,
    names,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

__all__ = [
    "CASES",
    "LIBRARY",
    "MAX_BYTES",
    "InputError",
    "Problem",
    "build",
    "library",
    "library_limits",
    "load",
    "locate",
    "names",
    "parse_json",
    "printable",
    "problems_of",
    "read_text",
    "titles",
]


def titles() -> dict[str, str]:
    """Title of every bundled case, read without the checking machinery."""
    files = bundled()
    return {name: str(parse_case(files[name])["title"]) for name in names()}


def locate(name_or_path: str | Path) -> Path:
    """Path of a bundled case or of a file; raises InputError if there is none."""
    case = bundled().get(str(name_or_path))
    if case is not None:
        return case
    path = Path(name_or_path)
    try:
        found = path.exists()
    except (OSError, ValueError):
        found = False
    if not found:
        rule = "no such file, and no bundled case of this name (see `abscopt instances list`)"
        raise refused(str(name_or_path), "path", str(name_or_path), rule)
    return path


def load(name_or_path: str | Path) -> Instance:
    """Read, complete and check a bundled case or an instance file (TOML or JSON)."""
    path = locate(name_or_path)
    return build(parse_case(path), str(name_or_path))


def build(raw: Raw, label: str = "instance") -> Instance:
    """Complete a parsed case from the library and check it; `label` names it in errors."""
    from pydantic import ValidationError

    from abscopt.instances.reading.partial import all_problems
    from abscopt.instances.schema import Instance

    if not isinstance(raw, dict):
        raise refused(label, "file", type(raw).__name__, "must be one table")
    check_size(raw, label, MOST_IN_CASE)
    case, lookups = completed(raw, label)
    try:
        text = json.dumps(case, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise refused(label, "file", type(error).__name__, "must be plain TOML or JSON") from None
    if not lookups.problems:
        try:
            return Instance.model_validate_json(text)
        except ValidationError:
            pass
    raise InputError(first_of(all_problems(json.loads(text), lookups)))
