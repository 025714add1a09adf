"""Text files of an input, parsed: what is huge, nested or ambiguous is refused quickly.

Everything here is read before anything is built from it. Sizes are looked at first: a parsed list
of a million entries would cost gigabytes, and the parser of TOML needs time that grows with the
square of the length of a dotted key.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from abscopt.instances.reading.problems import LONGEST_VALUE, refused
from abscopt.instances.sources import Raw

MAX_BYTES = 5_000_000
MOST_DIGITS = 18
"""Digits of a whole number: all of them fit into 64 bits."""
MOST_VALUES = 200_000
"""Entries of a document, tables and lists included; the largest case we know of has 3 000."""
MOST_IN_LIST = 20_000
"""Entries of one list or table of a document: a fraction a day to each of forty lesions, 8 000."""
MOST_IN_CASE = 2_100
"""The same of a case: dose levels, at most 2 001, are its longest list."""
MOST_DEEP = 12
"""Tables and lists within each other: sparing factors by day of a technique take eight."""
MOST_TEXT = 20_000
"""Characters of one text: every answer repeats the texts of its case."""
MOST_MARKS = 100_000
"""Keys, commas, points and brackets of a TOML file, which its parser handles at 10 us each."""
MOST_LINES = 300_000
"""Lines of a TOML file."""


def read_text(path: Path) -> str:
    """Text of an input file; refuses folders, huge and binary files."""
    label = str(path)
    if path.is_dir():
        raise refused(label, "path", "a folder", "must be a file")
    if path.exists() and not path.is_file():
        raise refused(label, "path", "no regular file", "must be a file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise refused(label, "file", "too long", f"must not exceed {MAX_BYTES} bytes")
    except OSError as error:
        raise refused(label, "path", error.strerror or "unreadable", "must be readable") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(label, f"byte {error.start}", "binary", "must be UTF-8 text") from None
    if "\0" in text:
        raise refused(label, f"byte {text.index(chr(0))}", "NUL", "must be UTF-8 text")
    return text


def parse_json(path: Path) -> Any:
    """Parsed JSON file; duplicate keys are errors."""
    label, text = str(path), read_text(path)

    def unique(pairs: list[tuple[str, Any]]) -> Raw:
        table = dict(pairs)
        if len(table) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise refused(label, twice[:LONGEST_VALUE], twice, "key given twice")
        return table

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS:
            raise refused(label, "file", digits, "number with too many digits")
        return int(digits)

    try:
        parsed = json.loads(text, object_pairs_hook=unique, parse_int=whole)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise refused(label, place, error.msg, "must be valid JSON") from None
    except RecursionError:
        rule = f"must be valid JSON, with {_DEPTH_RULE}"
        raise refused(label, "file", "nested too deep", rule) from None
    except ValueError as error:
        raise refused(label, "file", str(error), "must be valid JSON") from None
    check_size(parsed, label)
    return parsed


def parse_case(path: Path) -> Raw:
    """Parsed file of a case, TOML or JSON."""
    if path.suffix.lower() == ".json":
        raw = parse_json(path)
        if not isinstance(raw, dict):
            raise refused(str(path), "file", type(raw).__name__, "must be one JSON object")
        return raw
    return parse_toml(read_text(path), str(path))


def parse_toml(text: str, label: str) -> Raw:
    """Parsed TOML text; `label` names it in errors."""
    marks = sum(map(text.count, "=,[{."))
    if marks > MOST_MARKS or text.count("\n") > MOST_LINES:
        rule = f"at most {MOST_MARKS} keys and entries on {MOST_LINES} lines"
        raise refused(label, "file", "too many entries", rule)
    word = _LONG_WORD.search(text)
    if word is not None:
        rule = f"at most {MOST_TEXT} characters in one text or number"
        place = f"line {text.count(chr(10), 0, word.start()) + 1}"
        raise refused(label, place, word.group(), rule)
    dotted = _LONG_KEY.search(text)
    if dotted is not None:
        place = f"line {text.count(chr(10), 0, dotted.start()) + 1}"
        raise refused(label, place, dotted.group(), _DEPTH_RULE)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place, what = _where(str(error))
        rule = "must be valid TOML" + _slip(text, place)
        raise refused(label, place, what, rule) from None
    except RecursionError:
        raise refused(label, "file", "nested too deep", _DEPTH_RULE) from None
    except ValueError as error:
        raise refused(label, "file", str(error), "must be valid TOML") from None
    check_size(parsed, label)
    return parsed


_DEPTH_RULE = f"at most {MOST_DEEP} tables and lists within each other"
_LONG_KEY = re.compile(
    r"""(?:^|[\[{,])[ \t]*+(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){"""
    + str(MOST_DEEP)
    + r"}",
    re.MULTILINE,
)
"""A dotted key of too many parts, at the start of a line, of a table or of an entry."""
_LONG_WORD = re.compile(r"(?<![\w.+-])[\w.+-]{" + str(MOST_TEXT + 1) + r"}")
"""A number or key too long to parse: it would take a hundred times its size in memory."""


def _where(message: str) -> tuple[str, str]:
    """(`line 3 column 10`, what is wrong) from a message of the TOML parser."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|(end of document))\)", message)
    if found is None:
        return "file", message
    if found.group(4):
        return "end of file", found.group(1)
    return f"line {found.group(2)} column {found.group(3)}", found.group(1)


_SLIPS = (
    (r"=\s*[+-]?\d+,\d+\s*(#|$)", "decimals take a point: 8.5, not 8,5"),
    (r"=\s*[+-]?[\d.]+\s*[A-Za-z%]", "the unit belongs to the key; write the number alone"),
    (r"=\s*[A-Za-z_][\w .-]*(#|,|\]|\}|$)", "text needs quotes, and truth is true or false"),
    (r"^\s*[\w-]+(\s+[\w-]+)+\s*=", "a key has no spaces: use _"),
    (r"^\s*\w+\s*:\s*\S", "a key and its value are joined by ="),
    (r"^[^\"'#]*=\s*(#|$)", "the value is missing"),
)
"""What a line looks like after a slip that is common, and what to say."""


def _slip(text: str, place: str) -> str:
    """Hint for common slips on the line of an error; '' if it looks like none."""
    if not place.startswith("line "):
        return ""
    line = text.split("\n")[int(place.split()[1]) - 1][:400].rstrip("\r")
    for pattern, hint in _SLIPS:
        if re.search(pattern, line):
            return f"; {hint}"
    return ""


def check_size(document: object, label: str, most: int = MOST_IN_LIST) -> None:
    """Refuse a document that is nested too deep, or holds too many or too long values.

    Raises
    ------
    InputError
        With the place of the first value that breaks a rule.
    """
    left: list[tuple[str, object, int]] = [("", document, 0)]
    seen = 0
    while left:
        place, value, depth = left.pop()
        if isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
            raise refused(label, place or "file", "a whole number", _DIGITS_RULE)
        if isinstance(value, str) and len(value) > MOST_TEXT:
            rule = f"at most {MOST_TEXT} characters in one text"
            raise refused(label, _shortened(place) or "file", f"{len(value)} characters", rule)
        if not isinstance(value, dict | list | tuple):
            continue
        seen += len(value)
        if depth >= MOST_DEEP:
            raise refused(label, _shortened(place), "nested too deep", _DEPTH_RULE)
        if len(value) > most:
            rule = f"at most {most} entries in one list or table"
            raise refused(label, place or "file", f"{len(value)} entries", rule)
        if seen > MOST_VALUES:
            raise refused(label, "file", "too many entries", f"at most {MOST_VALUES} in all")
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, entry in reversed(entries):
            if isinstance(key, str) and len(key) > MOST_TEXT:
                raise refused(label, place or "file", key, f"at most {MOST_TEXT} characters")
            part = f"[{key}]" if not isinstance(value, dict) else f".{key}" if place else str(key)
            if isinstance(entry, dict | list | tuple | int | str):
                left.append((place + part, entry, depth + 1))


_DIGITS_RULE = f"at most {MOST_DIGITS} digits"


def _shortened(place: str) -> str:
    return place if len(place) <= LONGEST_VALUE else place[: LONGEST_VALUE - 3] + "..."
