"""A change of a case: a key such as `lesions.liver.alpha_per_gy`, and what becomes of it.

As text: `KEY=VALUE` sets (VALUE as in TOML; a bare word is text), `KEY*=FACTOR` multiplies the
value in effect, `remove KEY` takes an entry out. Entries of lists of tables are addressed by their
name (`lesions.liver`) or place (`prior_doses[0]`), all of them by `*`. A name with a point in it
stands in quotes (`sparing.skin."d0.1cc"`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from abscopt.instances.changes.text import inline
from abscopt.instances.reading.problems import LONGEST_VALUE, InputError, refused
from abscopt.instances.reading.read import MOST_DEEP, parse_toml

Kind = Literal["set", "times", "remove"]

LONGEST = 4_000
"""Characters of one change: a list of a few hundred doses."""
_PART = re.compile(r'"([^"]*)"|\'([^\']*)\'|([^."\'\[\]\s=]+)')
_INDEX = re.compile(r"\[(\d{1,4})\]")
_BARE = re.compile(r"[A-Za-z_][\w.@+-]*")
_PLAIN = re.compile(r"[\w@+*-]+|\[\d+\]")
REMOVE = "remove "
FOLLOWS = "("
"""A text that begins so says what followed from a change; it is no change of its own."""


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes
    ----------
    path : names and keys from the outermost; `[3]` is an entry of a list by place, `*` each
    value : what is set, or the factor
    kind : `set`, `times` (multiply what is in effect) or `remove`
    """

    path: tuple[str, ...]
    value: Any = None
    kind: Kind = "set"

    @property
    def key(self) -> str:
        """The key as it is typed."""
        parts = (part if _PLAIN.fullmatch(part) else f'"{part}"' for part in self.path)
        return ".".join(parts).replace(".[", "[")

    def __str__(self) -> str:
        """The change as text, which `parsed` reads."""
        if self.kind == "remove":
            return f"{REMOVE}{self.key}"
        return f"{self.key}{'*=' if self.kind == 'times' else '='}{inline(self.value)}"


Changes = Mapping[str, Any] | Iterable[str | Change]
"""Keys with values (None removes), texts, or changes."""


def as_changes(changes: Changes, label: str = "change") -> tuple[Change, ...]:
    """Changes from any form; `label` names them in errors.

    Raises
    ------
    InputError
        If a text is no change; all that are not are named.
    """
    found: list[Change] = []
    wrong: list[Any] = []
    pairs = changes.items() if isinstance(changes, Mapping) else ((text, ...) for text in changes)
    for text, value in pairs:
        try:
            found.append(_as_change(text, value, label))
        except InputError as error:
            wrong += error.problems
    if wrong:
        raise InputError(wrong)
    return tuple(found)


def _as_change(text: str | Change, value: Any, label: str) -> Change:
    if isinstance(text, Change):
        return text
    if value is ...:
        return parsed(text, label)
    path = path_of(text, label)
    return Change(path, kind="remove") if value is None else Change(path, _plain(value, text))


def _plain(value: Any, key: str) -> Any:
    """A value as a case file has it: lists for tuples, nothing that JSON does not know."""
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        rule = "must be a finite number, text, truth, list or table"
        raise refused("change", key, value, rule) from None


def parsed(text: str, label: str = "--set") -> Change:
    """The change that a text states; raises InputError."""
    if len(text) > LONGEST:
        raise refused(label, "text", text, f"at most {LONGEST} characters")
    if text.startswith(REMOVE):
        return Change(path_of(text.removeprefix(REMOVE), label), kind="remove")
    key, equals, value = text.partition("=")
    if not equals:
        raise refused(label, "text", text, "must be KEY=VALUE, such as lesions.liver.weight=2")
    times = key.endswith("*") and not key.endswith(".*")
    path = path_of(key.removesuffix("*") if times else key, label)
    if not times:
        return Change(path, _value(value.strip(), key, label))
    factor = _value(value.strip(), key, label)
    number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not number or not math.isfinite(factor):
        raise refused(label, key, factor, "must be a finite number to multiply with")
    return Change(path, factor, "times")


def _value(text: str, key: str, label: str) -> Any:
    if not text:
        raise refused(label, key, "nothing", "a value must follow the =")
    if _BARE.fullmatch(text) and text not in ("true", "false", "inf", "nan"):
        return text
    value = parse_toml(f"value = {text}", f"{label} {key}"[:LONGEST_VALUE])
    if set(value) != {"value"}:
        raise refused(label, key, text, "must be one value, as in TOML")
    return json.loads(json.dumps(value["value"], default=str))


def path_of(key: str, label: str = "--set") -> tuple[str, ...]:
    """Parts of a key; raises InputError."""
    text, at, parts = key.strip(), 0, []
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            break
        parts.append(next(group for group in part.groups() if group is not None))
        at = part.end()
        while index := _INDEX.match(text, at):
            parts.append(index.group())
            at = index.end()
        if at == len(text):
            if len(parts) > MOST_DEEP:
                break
            return tuple(parts)
        if text[at] != ".":
            break
        at += 1
    rule = "must be names joined by points, such as lesions.liver.weight or prior_doses[0].dose_gy"
    raise refused(label, "key", key or "nothing", rule)
