"""Parameters of a case with their values, sources and status, for a reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

ASIDE = {"name", "source", "status", "note", "doi", "use", "license"}
TABLES = ("lesions", "immune", "lymphocytes", "organs", "limits", "drugs", "regimens", "agents")
MOST_LISTED = 12
"""Entries of a list that are shown."""


@dataclass(frozen=True)
class Parameter:
    """One number or word of a case."""

    place: str
    value: str
    source: str
    status: str


def parameters(case: Instance) -> list[Parameter]:
    """Everything that a case states or takes from the library, table by table."""
    shown: list[Parameter] = []
    for table in TABLES:
        value = getattr(case, table)
        if isinstance(value, BaseModel):
            shown += _of_table(table, value)
        elif isinstance(value, dict):
            for name, entry in value.items():
                shown += _of_table(f"{table}.{name}", entry)
        else:
            for entry in value:
                shown += _of_table(f"{table}.{entry.name}", entry)
    return shown


def _of_table(place: str, table: BaseModel) -> Iterator[Parameter]:
    """Numbers and words of one table; tables inside it follow with their own places."""
    source = str(getattr(table, "source", None) or "")
    status = str(getattr(table, "status", None) or "")
    for key, value in table:
        if key in ASIDE or value is None or value in ((), {}):
            continue
        if isinstance(value, BaseModel):
            yield from _of_table(f"{place}.{key}", value)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for number, entry in enumerate(value):
                yield from _of_table(f"{place}.{key}[{number}]", entry)
        elif isinstance(value, dict) and all(isinstance(e, BaseModel) for e in value.values()):
            for name, entry in value.items():
                yield from _of_table(f"{place}.{key}.{name}", entry)
        else:
            yield Parameter(f"{place}.{key}", _shown(value), source, status)


def _shown(value: Any) -> str:
    """A value in few words."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(entry)}" for key, entry in value.items())
    if isinstance(value, tuple):
        shown = ", ".join(_shown(entry) for entry in value[:MOST_LISTED])
        return shown + (f" and {len(value) - MOST_LISTED} more" if len(value) > MOST_LISTED else "")
    return str(value)
