"""Cases as TOML text: plain data written so that it reads back to the same values."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

Raw = dict[str, Any]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        entries = (f"{_key(key)} = {inline(entry)}" for key, entry in value.items())
        return f"{{ {', '.join(entries)} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    return value.isoformat() if isinstance(value, datetime.date) else repr(value)


def toml(stated: Raw, in_effect: Raw | None = None) -> str:
    """Text of a case.

    Parameters
    ----------
    stated : what the text states; nothing in it may be None
    in_effect : the same with the values of what is not stated, which follow as comments
    """
    lines = list(_lines(stated, in_effect or {}, ""))
    return "\n".join(lines).strip("\n") + "\n"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else inline(name)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, dict) for x in value)


def _lines(table: Raw, in_effect: Raw, place: str) -> Iterator[str]:
    """Lines of a table: its values, those of the schema as comments, then the tables in it."""
    below = {key for key, value in table.items() if _opens(value)}
    for key, value in table.items():
        if key not in below:
            yield f"{_key(key)} = {inline(value)}"
    for key, value in in_effect.items():
        if key not in table and not isinstance(value, dict) and value not in ([], ()):
            yield f"# {_key(key)} = {inline(value)}"
    for key in (key for key in table if key in below):
        value, defaults = table[key], in_effect.get(key)
        name = f"{place}.{_key(key)}" if place else _key(key)
        if isinstance(value, dict):
            yield from ("", f"[{name}]")
            yield from _lines(value, defaults if isinstance(defaults, dict) else {}, name)
            continue
        for i, entry in enumerate(value):
            yield from ("", f"[[{name}]]")
            known = defaults[i] if isinstance(defaults, list) and i < len(defaults) else {}
            yield from _lines(entry, known if isinstance(known, dict) else {}, name)


def _opens(value: Any) -> bool:
    """Whether a value gets a heading of its own: tables that hold anything."""
    return (isinstance(value, dict) and bool(value)) or _is_tables(value)
