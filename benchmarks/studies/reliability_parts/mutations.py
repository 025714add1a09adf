"""Structure-aware mutations of documents: trees of tables, lists, texts and numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Rng = np.random.Generator
Path = tuple[str | int, ...]

TEXTS = (
    "", " ", "\t", "a\tb", "a\nb", "line\r\nline", "a: b: c", "\u202eabc", "é", "e\u0301", "日本",
    "\U0001f9ec", "\x7f", "\x1b[31m", "\u2028", "../../etc/passwd", "None", "nan", "default",
    "x" * 81, "x" * 5000, "%s{0}$HOME", "'", '"', "\\", "1", "1e3", "2026-02-30", "lesion",
    "\ud800", "a\0b",
)  # fmt: skip
"""Texts that break line formats, encodings, look-ups or lengths."""
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 3, 7, 100, 10_000, 2**31, 2**53 + 1, 2**63, 10**17, 10**19, 10**40, -(10**9), -0.0,
    0.5, 1e-3, 1e-6, 1e-9, 1e-12, 1e-300, 5e-324, 1e3, 1e5, 1e6, 1e9, 1e15, 1e30, 1e300, 1.7e308,
    math.nan, math.inf, -math.inf, 1 + 1e-12, 0.1 + 0.2,
)  # fmt: skip
"""Numbers at the edge of ranges, types and of what floats hold."""
FACTORS = (0.1, 10.0, 1e-3, 1e3, 1e-6, 1e6, -1.0, 1 + 1e-9, 0.5, 2.0)
GENTLE = (0.0, 0.01, 0.1, 0.5, 0.9, 1 + 1e-9, 1.001, 1.1, 2.0, 3.0, 10.0, 100.0)
DEPTHS = (3, 11, 12, 30, 60, 120)
"""Levels of nesting, about where parsers, checks and Python itself give up."""
LENGTHS = (10, 100, 3000, 30_000)
RARE = 0.02
"""Share of mutations that make a document very deep or very long: these take time to refuse."""


def mutated(rng: Rng, document: Any, donor: Any) -> Any:
    """The document with one to four mutations; `donor` supplies foreign parts."""
    changed = {"root": copy.deepcopy(document)}
    for _ in range(min(4, int(rng.geometric(0.6)))):
        paths = list(_paths(changed["root"], ("root",)))
        path = paths[int(rng.integers(len(paths)))]
        operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
        if rng.random() < RARE:
            operation = _deep if rng.random() < 0.5 else _long
        operation(rng, changed, path, donor)
    return changed["root"]


def nudged(rng: Rng, document: Any, donor: Any) -> Any:
    """The document with one to three numbers changed: most of these stay acceptable."""
    changed = {"root": copy.deepcopy(document)}
    for _ in range(min(3, int(rng.geometric(0.6)))):
        paths = [p for p in _paths(changed["root"], ("root",)) if _is_number(changed, p)]
        if not paths:
            break
        path = _pick(rng, paths)
        owner, key = _owner(changed, path), path[-1]
        value = owner[key]
        scaled = value * _pick(rng, GENTLE)
        same = [
            p for p in _paths(donor, ("root",)) if p[-1] == key and _is_number({"root": donor}, p)
        ]
        if same and rng.random() < 0.3:
            other = _pick(rng, same)
            scaled = _owner({"root": donor}, other)[key]
        owner[key] = round(scaled) if type(value) is int else float(scaled)
    return changed["root"]


def _is_number(tree: Any, path: Path) -> bool:
    value = _owner(tree, path)[path[-1]]
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _paths(tree: Any, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _paths(value, (*path, key))
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            yield from _paths(value, (*path, place))


def _owner(tree: Any, path: Path) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _pick(rng: Rng, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _delete(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    if len(path) > 1:
        del _owner(tree, path)[path[-1]]


def _duplicate(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    owner = _owner(tree, path)
    if isinstance(owner, list):
        owner.insert(int(rng.integers(len(owner) + 1)), copy.deepcopy(owner[path[-1]]))
    elif len(path) > 1:
        owner[f"{path[-1]}{_pick(rng, ('_gy', '2', ' ', 'é', chr(9)))}"] = copy.deepcopy(
            owner[path[-1]]
        )


def _retype(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    value = _owner(tree, path)[path[-1]]
    options = [
        None,
        True,
        False,
        [],
        {},
        [value],
        {"name": value},
        str(value)[:200],
        1,
        1.5,
        "text",
    ]
    if isinstance(value, float) and math.isfinite(value):
        options += [int(value), str(value)] * 3
    if type(value) is int and abs(value) < 2**53:
        options += [float(value), value + 0.5, str(value)] * 2
    _owner(tree, path)[path[-1]] = _pick(rng, options)


def _number(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    """Another number in the place of a number, elsewhere in the document if this is none."""
    path = _one_of(
        rng, tree, path, lambda v: isinstance(v, int | float) and not isinstance(v, bool)
    )
    value = _owner(tree, path)[path[-1]]
    number = isinstance(value, int | float) and abs(value) < 1e100
    if number and rng.random() < 0.4:
        scaled = value * _pick(rng, FACTORS)
        whole = type(value) is int and math.isfinite(scaled)
        _owner(tree, path)[path[-1]] = int(scaled) if whole else scaled
    else:
        _owner(tree, path)[path[-1]] = _pick(rng, NUMBERS)


def _text(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    path = _one_of(rng, tree, path, lambda v: isinstance(v, str))
    value = _owner(tree, path)[path[-1]]
    text = _pick(rng, TEXTS)
    if isinstance(value, str) and rng.random() < 0.4:
        place = int(rng.integers(len(value) + 1))
        text = value[:place] + text + value[place:]
    _owner(tree, path)[path[-1]] = text


def _key(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    """Another name for a key."""
    owner = _owner(tree, path)
    if isinstance(owner, dict) and len(path) > 1:
        name = _pick(rng, (*TEXTS, f"{path[-1]}s", str(path[-1])[:-1], str(path[-1]).upper()))
        owner[name] = owner.pop(path[-1])


def _swap(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    """Put a copy of one part of the document in the place of another."""
    paths = list(_paths(tree["root"], ("root",)))
    other = _pick(rng, paths)
    _owner(tree, path)[path[-1]] = copy.deepcopy(_owner(tree, other)[other[-1]])


def _foreign(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    """Put a part of another document there, under the same key where it has one."""
    paths = list(_paths(donor, ("root",)))
    same = [other for other in paths if other[-1] == path[-1]] or paths
    other = _pick(rng, same)
    _owner(tree, path)[path[-1]] = copy.deepcopy(_owner({"root": donor}, other)[other[-1]])


def _deep(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    value = _owner(tree, path)[path[-1]]
    as_list = rng.random() < 0.5
    for _ in range(_pick(rng, DEPTHS)):
        value = [value] if as_list else {"name": value}
    _owner(tree, path)[path[-1]] = value


def _long(rng: Rng, tree: Any, path: Path, donor: Any) -> None:
    value = _owner(tree, path)[path[-1]]
    count = _pick(rng, LENGTHS)
    if isinstance(value, list) and value:
        count = max(1, min(count, 100_000 // max(1, len(str(value)) // len(value))))
        _owner(tree, path)[path[-1]] = value[:1] * count
    elif isinstance(value, str):
        _owner(tree, path)[path[-1]] = (value or "x") * count
    else:
        _owner(tree, path)[path[-1]] = [1] * count


def _one_of(rng: Rng, tree: Any, path: Path, wanted: Callable[[Any], bool]) -> Path:
    """The path itself or, where what it holds is not wanted, one that leads to what is."""
    if wanted(_owner(tree, path)[path[-1]]):
        return path
    paths = [p for p in _paths(tree["root"], ("root",)) if wanted(_owner(tree, p)[p[-1]])]
    return _pick(rng, paths) if paths else path


OPERATIONS = (
    _delete, _delete, _duplicate, _retype, _retype, _number, _number, _number, _number, _number,
    _text, _text, _key, _swap, _foreign, _foreign,
)  # fmt: skip
