"""Whether documents hold what their readers need: files may have been written by other hands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

Kinds = Mapping[str, Callable[[object], bool]]
"""Keys that a table must have, and what each of them must be."""


def is_text(value: object) -> bool:
    """Text of any length."""
    return isinstance(value, str)


def is_number(value: object) -> bool:
    """A finite number: no truth value, no whole number beyond the range of others."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_number_or_none(value: object) -> bool:
    """A finite number, or nothing."""
    return value is None or is_number(value)


def is_list(value: object) -> bool:
    """A list of anything."""
    return isinstance(value, list)


def is_anything(value: object) -> bool:
    """Whatever is there."""
    return True


def wrong_keys(table: object, kinds: Kinds) -> list[str]:
    """Keys that a table lacks, or whose values are not what they must be; all of no table."""
    if not isinstance(table, dict):
        return list(kinds)
    return [key for key, fits in kinds.items() if key not in table or not fits(table[key])]
