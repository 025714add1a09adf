"""What the library holds, for a person or a program: names, values, sources, status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem, library
from abscopt.instances.reading.problems import nearest_names
from abscopt.instances.sources import library_limits
from abscopt.optimizer.results.result import FORMAT
from abscopt.optimizer.results.text.plain import plain_table, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

Entries = dict[str, dict[str, Any]]

WORDS = {
    "sets": "published sets of limits on organs (`limit_set` of a case)",
    "limits": "limits of all sets (`use` of a limit), as SET.LIMIT",
    "tissues": "tissues at risk (`use` of an organ)",
    "tumors": "tumors (`use` of a lesion)",
    "drugs": "drugs",
    "regimens": "regimens of drugs (`regimens` of an agent)",
    "scenarios": "constants of the immune response (`use` of `immune`)",
    "ensembles": "parameter sets (`--ensemble`)",
    "trials": "arms of published trials (`evaluate --regimen`)",
}
"""Tables of the library and what they hold."""
ABOUT = ("title", "source", "doi", "status", "note")
LONG = 60
"""Characters of a title that a list shows."""


def entries(table: str) -> Entries:
    """All entries of one table by name."""
    if table == "sets":
        return {
            name: {key: value for key, value in entry.items() if key != "limits"}
            | {"limits": list(entry["limits"])}
            for name, entry in library("limits")["sets"].items()
        }
    if table == "limits":
        return {
            f"{name}.{limit}": entry
            for name in library("limits")["sets"]
            for limit, entry in library_limits(name).items()
        }
    return library(table)


def entry(table: str, name: str) -> dict[str, Any]:
    """One entry; an unknown name is answered with those nearest to it."""
    by_name = entries(table)
    if name in by_name:
        return by_name[name]
    similar = nearest_names(name, by_name)
    hint = f"did you mean {' or '.join(similar)}?" if similar else f"see `abscopt library {table}`"
    raise InputError([Problem("library", table, name[:80], f"is not in the library: {hint}")])


def tables_report() -> str:
    """Names of the tables and what they hold."""
    table = plain_table("Library", "Table", ">Entries", "What it holds")
    for name, words in WORDS.items():
        table.add_row(name, str(len(entries(name))), words)
    return plain_text([table])


def entries_report(table: str) -> str:
    """One line for each entry of a table."""
    shown = plain_table(f"Library: {WORDS[table]}", "Name", "Status", "Source")
    for name, values in entries(table).items():
        title = str(values.get("title") or values.get("source") or "")
        words = title if len(title) <= LONG else title[: LONG - 3] + "..."
        shown.add_row(name, str(values.get("status", "")), words)
    return plain_text([shown])


def entry_report(table: str, name: str) -> str:
    """Every value of an entry, what it is known from and how well."""
    values = entry(table, name)
    shown = plain_table(f"{table}.{name}", "Key", "Value")
    for key, text in _flat(values, ""):
        shown.add_row(key, text)
    about = [f"{key.capitalize():7s} {values[key]}" for key in ABOUT if values.get(key)]
    return plain_text([shown, *about])


def _flat(values: dict[str, Any], place: str) -> Iterable[tuple[str, str]]:
    """Keys and values as text, tables inside with their places."""
    for key, value in values.items():
        if not place and key in ABOUT:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{place}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, row in enumerate(value):
                yield from _flat(row, f"{place}{key}[{number}].")
        elif isinstance(value, list):
            yield f"{place}{key}", ", ".join(str(element) for element in value)
        else:
            yield f"{place}{key}", str(value)


def library_document(table: str | None, name: str | None) -> dict[str, Any]:
    """Plain data: the tables, the entries of one, or one entry."""
    document: dict[str, Any] = {"format": FORMAT, "kind": "library"}
    if table is None:
        return document | {"tables": {key: sorted(entries(key)) for key in WORDS}}
    if name is None:
        return document | {"table": table, "entries": entries(table)}
    return document | {"table": table, "name": name, "entry": entry(table, name)}
