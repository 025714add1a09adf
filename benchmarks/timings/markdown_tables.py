"""Markdown of stored figures: cells, tables, paragraphs; parts without a table of their own."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Figures = dict[str, Any]
ENVIRONMENT = ("machine", "versions", "environment")


def environment_line(found: Figures) -> str:
    """Machine and versions in one line; of the first environment inside, if the parts have own."""
    nested = (
        one["environment"]
        for one in found.values()
        if isinstance(one, dict) and "environment" in one
    )
    where_from = found if "machine" in found else next(nested, found)
    machine, versions = where_from.get("machine"), where_from.get("versions", {})
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    where = (
        f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores"
        if machine
        else "machine not stated"
    )
    return f"{where}; {packages}."


def cell(value: Any, digits: int = 4) -> str:
    """A value as a table shows it; a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value).replace("|", "/")


def rows(header: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table and an empty line."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in body:
        yield "| " + " | ".join(row) + " |"
    yield ""


def prose(text: str) -> list[str]:
    """One paragraph and an empty line."""
    return [" ".join(textwrap.dedent(text).split()), ""]


def plain(found: Figures) -> Iterator[str]:
    """Any other part: its lists as tables, its other figures as one line."""
    tables = {key: value for key, value in _lists(found, "") if value}
    settings = [
        f"{key} {cell(value)}"
        for key, value in found.items()
        if key not in ENVIRONMENT and not isinstance(value, dict | list)
    ]
    if settings:
        yield from ["; ".join(settings) + ".", ""]
    for name, body in tables.items():
        flat = [_flat(row) for row in body]
        header = list(dict.fromkeys(key for row in flat for key in row))
        if len(tables) > 1 or name != "cases":
            yield from [f"{name}:", ""]
        yield from rows(header, ([cell(row.get(key)) for key in header] for row in flat))


def _lists(found: Any, path: str) -> Iterator[tuple[str, list[Figures]]]:
    """All lists of objects with the path to each."""
    if isinstance(found, list):
        if found and all(isinstance(row, dict) for row in found):
            yield path, found
    elif isinstance(found, dict):
        for key, value in found.items():
            if key not in ENVIRONMENT:
                yield from _lists(value, f"{path} {key}".strip())


def _flat(row: Figures, path: str = "") -> Figures:
    """Nested objects as columns; lists as JSON."""
    result: Figures = {}
    for key, value in row.items():
        name = f"{path} {key}".strip()
        if isinstance(value, dict):
            result |= _flat(value, name)
        else:
            result[name] = json.dumps(value) if isinstance(value, list) else value
    return result
