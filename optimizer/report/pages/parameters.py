"""Parameters of a case with their values, sources and status, for a reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from abscopt.optimizer.report.pages.origins import origins

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

ASIDE = {"name", "source", "status", "note", "doi", "use", "license"}
TABLES = ("lesions", "immune", "lymphocytes", "organs", "limits", "drugs", "regimens", "agents")
MOST_LISTED = 12
"""Entries of a list that are shown."""


@dataclass(frozen=True)
class Parameter:
    """One number or word of a case, in the table that states its source."""

    table: str
    key: str
    value: str
    source: str
    status: str

    @property
    def place(self) -> str:
        """Its key in the case."""
        return f"{self.table}.{self.key}"


Group = tuple[Parameter, ...]


def by_source(parameters: Sequence[Parameter]) -> list[Group]:
    """Parameters of each table, gathered by their source and status."""
    groups: dict[tuple[str, str, str], list[Parameter]] = {}
    for row in parameters:
        groups.setdefault((row.table, row.source, row.status), []).append(row)
    return [tuple(group) for group in groups.values()]


def parameters(case: Instance) -> list[Parameter]:
    """Everything that a case states or takes from the library, table by table."""
    shown: list[Parameter] = []
    for name in TABLES:
        value = getattr(case, name)
        if isinstance(value, BaseModel):
            tables = [(name, value)]
        elif isinstance(value, dict):
            tables = [(f"{name}.{key}", entry) for key, entry in value.items()]
        else:
            tables = [(f"{name}.{entry.name}", entry) for entry in value]
        for place, table in tables:
            origin = origins(case, name, table)
            shown += [
                Parameter(place, ".".join(path), value, *(source or origin[path[0].split("[")[0]]))
                for path, value, source in _of_table(table)
            ]
    return shown


Row = tuple[tuple[str, ...], str, tuple[str, str] | None]
"""Keys from a table to a value, the value, and the source and status that a table inside states."""


def _of_table(table: BaseModel) -> Iterator[Row]:
    """Numbers and words of one table and of those inside it."""
    for key, value in table:
        if key in ASIDE or value is None or value in ((), {}):
            continue
        inner = _tables(key, value)
        if inner is None:
            yield (key,), _shown(value), None
            continue
        for path, entry in inner:
            named = getattr(entry, "source", None), getattr(entry, "status", None)
            source = (str(named[0] or ""), str(named[1] or "")) if any(named) else None
            for below, shown, nearest in _of_table(entry):
                yield (*path, *below), shown, nearest or source


def _tables(key: str, value: Any) -> list[tuple[tuple[str, ...], BaseModel]] | None:
    """Tables inside a value, with their keys; None where it is a number, a word or a list."""
    if isinstance(value, BaseModel):
        return [((key,), value)]
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return [((f"{key}[{number}]",), entry) for number, entry in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(e, BaseModel) for e in value.values()):
        return [((key, name), entry) for name, entry in value.items()]
    return None


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
