"""Plausible values from the JSON Schema of a case, for wrong ones that stand in the way.

They are never solved: they only let the rest of a wrong case be checked in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from abscopt.instances.sources import Raw


@dataclass(frozen=True)
class Node:
    """A place of the JSON Schema."""

    schema: Raw

    def keys(self) -> Iterator[str]:
        """Keys that a table here may have, of every kind that it may be."""
        for one in self.choices():
            yield from one.schema.get("properties", {})

    def kinds_with(self, key: str) -> list[str]:
        """Kinds of table here, by their `kind` or `form`, that have a key."""
        tables = [one.schema.get("properties", {}) for one in self.choices()]
        marks = (table.get("kind", table.get("form", {})) for table in tables if key in table)
        return [mark["const"] for mark in marks if "const" in mark]

    def choices(self) -> Iterator[Node]:
        """The kinds of value that this place may have."""
        schema = _resolved(self.schema)
        parts = schema.get("anyOf") or schema.get("oneOf")
        for part in parts or ():
            yield from Node(part).choices()
        if not parts:
            yield Node(schema)


@lru_cache(maxsize=1)
def _root() -> Raw:
    from abscopt.instances.schema import Instance

    return Instance.model_json_schema()


def _resolved(schema: Raw) -> Raw:
    while "$ref" in schema:
        schema = _root()["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def node_at(case: Raw, path: list[int | str]) -> Node | None:
    """Place of the schema for a place of a case; None if there is none.

    Where a table may be of several kinds, the case's own `kind` or `form` decides.
    """
    node, value = Node(_root()), case
    for part in path:
        node_of_value = _chosen(node, value)
        below = _below(node_of_value, part)
        if below is None:
            return None
        node, value = Node(below), _entry(value, part)
    return node


def _entry(value: Any, part: int | str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _chosen(node: Node, value: Any) -> Node:
    """The kind of a place that a value is of; the first that is a table or list as it is."""
    kinds = list(node.choices())
    form = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else ""
    alike = [kind for kind in kinds if kind.schema.get("type") == form] or kinds
    if isinstance(value, dict):
        for kind in alike:
            named = kind.schema.get("properties", {})
            for key in ("kind", "form"):
                if key in named and "const" in named[key] and named[key]["const"] == value.get(key):
                    return kind
    return alike[0]


def _below(node: Node, part: int | str) -> Raw | None:
    schema = node.schema
    if isinstance(part, int):
        items = schema.get("items", schema.get("prefixItems"))
        if isinstance(items, list):
            items = items[min(part, len(items) - 1)]
        return items if isinstance(items, dict) else None
    if part in schema.get("properties", {}):
        return dict(schema["properties"][part])
    other = _entries(schema)
    return other if isinstance(other, dict) else None


def _entries(schema: Raw) -> Any:
    """Schema of the entries of a table whose keys are names; None or a truth if it has none."""
    named = schema.get("patternProperties")
    return next(iter(named.values())) if named else schema.get("additionalProperties")


def sample(node: Node) -> Any:
    """A value that the schema takes in a place, the default where there is one."""
    if "default" in node.schema:
        return node.schema["default"]
    schema = next(iter(node.choices())).schema
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {
                key: sample(Node(entry))
                for key, entry in schema.get("properties", {}).items()
                if "default" not in entry and not _plain_map(entry)
            }
        case "array":
            parts = schema.get("prefixItems") or [schema["items"]] * schema.get("minItems", 0)
            return [sample(Node(part)) for part in parts]
        case "string":
            return "2026-01-05" if schema.get("format") == "date" else "unstated"
        case "boolean":
            return False
        case "null":
            return None
    return _number(schema)


def _plain_map(entry: Raw) -> bool:
    """Whether a field is a table of named entries, which may be empty."""
    return isinstance(_entries(entry), dict) and "properties" not in entry


def _number(schema: Raw) -> float | int:
    """A number inside the bounds of its place."""
    bounds: list[float] = []
    for inclusive, exclusive in (
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ):
        stated = [float(schema[key]) for key in (inclusive, exclusive) if key in schema]
        bounds.append(stated[0] if stated else max([0.0, *bounds]) + 2.0 * len(bounds))
    low, high = bounds
    if schema.get("type") == "integer":
        return int(min(max(1, low), high))
    return 1.0 if low < 1 < high else (low + high) / 2
