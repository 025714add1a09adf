"""Values in effect in a case, by key: what a key with `*` names, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

NAMES = ("name", "lesion", "agent")


def values_at(instance: Instance, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """(path without `*`, value) of everything that a path names and the case has.

    Defaults of the schema and values of the library count; what is absent (None) does not.
    """
    return list(_below(instance.model_dump(mode="json"), path, ()))


def _below(
    value: Any, path: tuple[str, ...], done: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not path:
        if value is not None:
            yield done, value
        return
    if isinstance(value, list):
        for i, entry in enumerate(value):
            name = _name(entry) or f"[{i}]"
            if path[0] in ("*", name, f"[{i}]") or name.startswith(f"{path[0]}@"):
                yield from _below(entry, path[1:], (*done, name))
    elif isinstance(value, dict) and path[0] == "*":
        for key, entry in value.items():
            yield from _below(entry, path[1:], (*done, key))
    elif isinstance(value, dict):
        for count in range(len(path), 0, -1):  # `d0.1cc`, typed without quotes
            key = ".".join(path[:count])
            if key in value:
                yield from _below(value[key], path[count:], (*done, key))
                return


def _name(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    return next((str(entry[key]) for key in NAMES if isinstance(entry.get(key), str)), None)
