"""Problems of an input: what they say, and how messages of the schema become such lines."""

from __future__ import annotations

import difflib
import heapq
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

MOST_SHOWN = 100
"""Problems listed of one input; more are counted, so that a broken file is refused quickly."""
LONGEST_VALUE = 80
"""Characters of a value in a message: one line on a screen."""
MOST_LIMITS = 500
"""Limits of a case, one for each of their points; the largest bundled case has 13."""
MOST_COMPARED = 12
"""Names that are compared letter by letter with a wrong one: each takes up to 0.2 ms."""
MOST_NAMES = 60
"""Known names listed in one message; tissues, 23, are the longest list of the library."""


def printable(text: str) -> str:
    """Text on one line: characters that a terminal would obey or hide are written as escapes."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: where it is, what it says, which rule it breaks."""

    file: str
    place: str
    value: str
    rule: str

    def __str__(self) -> str:
        """One line: file, place, value, rule; what cannot be printed is escaped."""
        return printable(f"{self.file}: {self.place}: {self.value}: {self.rule}")


class InputError(Exception):
    """Wrong input; `problems` has one entry per problem, `str()` one line per problem."""

    def __init__(self, problems: list[Problem]):
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def refused(file: str, place: str, value: object, rule: str) -> InputError:
    """An error of one problem."""
    return InputError([Problem(file, place, short(value), rule)])


def short(value: object) -> str:
    """A value on one line of at most `LONGEST_VALUE` characters; tabs and line breaks are shown."""
    text = printable(value[: 10 * LONGEST_VALUE]) if isinstance(value, str) else _start(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _start(value: object) -> str:
    """`repr` of a value; of a long list or table only the beginning, which is all that is shown."""
    if isinstance(value, list | tuple) and len(value) > LONGEST_VALUE:
        value = value[:LONGEST_VALUE]
    elif isinstance(value, dict) and len(value) > LONGEST_VALUE:
        value = dict(list(value.items())[:LONGEST_VALUE])
    try:
        return repr(value)
    except (RecursionError, ValueError):  # nested too deep; an integer of thousands of digits
        return type(value).__name__


def first_of(problems: Iterable[Problem]) -> list[Problem]:
    """The first `MOST_SHOWN` problems and whether there are more.

    How many more is said of a list; to find all that an iterator has may take long.
    """
    first = list(itertools.islice(problems, MOST_SHOWN + 1))
    if len(first) <= MOST_SHOWN:
        return first
    more = f"{len(problems) - MOST_SHOWN} " if isinstance(problems, list) else ""
    return [*first[:-1], Problem(first[0].file, "file", f"{more}more problems", "not listed")]


def nearest_names(name: object, known: Iterable[str]) -> list[str]:
    """At most two of the known names that are most like a wrong one."""
    if not isinstance(name, str):
        return []
    folded = {other.casefold().replace("_", "-"): other for other in known}
    wanted = name[:LONGEST_VALUE].casefold().replace("_", "-")
    letters = set(wanted)
    likely = heapq.nlargest(MOST_COMPARED, folded, key=lambda one: _alike(letters, wanted, one))
    return [folded[one] for one in difflib.get_close_matches(wanted, likely, n=2, cutoff=0.6)]


def _alike(letters: set[str], wanted: str, other: str) -> float:
    """Share of letters that two names have in common, less their difference in length."""
    common = 2 * len(letters.intersection(other)) / (len(letters) + len(set(other)) or 1)
    return common - abs(len(wanted) - len(other)) / (len(wanted) + len(other) or 1)


def listing(known: Iterable[str]) -> str:
    """Known names in order; of many only the first, and how many more there are."""
    names = sorted(known)
    more = len(names) - MOST_NAMES
    return f"{names[:MOST_NAMES]} and {more} more" if more > 0 else f"{names}"


def nearest(name: object, known: Iterable[str]) -> str:
    """`; did you mean 'X'?` for the known names most like a wrong one; '' if none is like it."""
    return suggested(nearest_names(name, known))


def suggested(names: list[str]) -> str:
    """`; did you mean 'X'?`; '' without names."""
    return f"; did you mean {' or '.join(map(repr, names))}?" if names else ""


def problems_of(error: ValidationError, label: str) -> Iterator[Problem]:
    """One `Problem` per message of a pydantic error."""
    for item in error.errors(include_url=False):
        place = place_of_item(item)
        if item["type"] == CROSS_CHECKS:
            for where, value, rule in item["ctx"]["problems"]:
                yield Problem(label, where, short(value), rule)
        elif not follows(item):
            yield Problem(label, place or "file", *value_and_rule(item))


CROSS_CHECKS = "cross_checks"
"""Type of the error that carries the problems of `consistency` in its context."""


def follows(item: Any) -> bool:
    """Whether a message only follows from others: a list counts its faulty entries as absent."""
    given = item["input"]
    if item["type"] == "too_short" and isinstance(given, list | dict):
        return len(given) >= int(item["ctx"]["min_length"])
    return False


RULES = {
    "string_pattern_mismatch": "must begin with a letter or a digit and hold only letters (a-z, "
    "A-Z), digits and the characters . _ + @ - (no spaces)",
    "extra_forbidden": "unknown key",
    "finite_number": "must be a finite number",
    "date_from_datetime_parsing": "must be a date such as 2026-01-05",
    "date_parsing": "must be a date such as 2026-01-05",
}
"""Sentences for types of messages that pydantic words for programmers."""


def value_and_rule(item: Any) -> tuple[str, str]:
    """What is wrong and the rule it breaks, from one message of pydantic."""
    message = item["msg"].removeprefix("Value error, ")
    given, kind = item["input"], item["type"]
    if kind == "value_error" and isinstance(given, dict):
        given = given.get("name", "the table")
    value = "missing" if kind == "missing" else short(given)
    rule = RULES.get(kind, message[:1].lower() + message[1:])
    if kind == "extra_forbidden":
        value = str(item["loc"][-1])
    elif kind == "union_tag_invalid":
        value, expected = item["ctx"]["tag"], item["ctx"]["expected_tags"]
        rule = f"must be one of {expected}{nearest(value, re.findall(QUOTED, expected))}"
    elif kind == "union_tag_not_found":
        value, rule = "missing", "field required"
    return short(value), rule + _hint(kind, given)


def _hint(kind: str, given: object) -> str:
    """What usually lies behind a value of the wrong type."""
    if kind not in ("float_type", "int_type", "float_parsing", "int_parsing"):
        return ""
    if isinstance(given, bool) or not isinstance(given, str):
        return ""
    text = given.strip().replace(",", ".", 1)
    number, _, unit = text.partition(" ")
    try:
        float(number)
    except ValueError:
        return ""
    if unit:
        return f"; write {number}: the unit belongs to the key"
    return f"; write {number}, without quotes"


QUOTED = "'([^']*)'"


def place_of_item(item: Any) -> str:
    """Place of a message: of the key that says the kind of a table where that is wrong."""
    place = place_of(item["loc"])
    if not item["type"].startswith("union_tag"):
        return place
    return f"{place}.{item['ctx']['discriminator'].strip(chr(39))}"


def place_of(location: tuple[int | str, ...]) -> str:
    """`lesions[0].volume_cm3`; the tags that pydantic adds for unions are left out."""
    place = ""
    for part in untagged(location):
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if place else part
    return place


def untagged(location: tuple[int | str, ...]) -> list[int | str]:
    """Location without the tags that pydantic adds for unions."""
    kept: list[int | str] = []
    for i, part in enumerate(location):
        before = location[i - 1] if i else None
        tag = before == "course" or (
            isinstance(before, int) and i > 1 and location[i - 2] == "limits"
        )
        choice = part in ("number", "table", "levels", "grid")
        if isinstance(part, int) or not (choice or (tag and part in _UNION_TAGS)):
            kept.append(part)
    return kept


_UNION_TAGS = {
    "bed",
    "mean",
    "mean_eqd2",
    "dose_by_fractions",
    "dose_volume",
    "ntcp",
    "alc",
    "edric",
    "drug",
    "logistics",
    "uniform",
    "phases",
    "free",
}
