"""Schedules read from files: JSON documents and schedules, and the CSV that `solve --out` writes.

A row of the CSV is one fraction or one dose of a drug. Its columns, in any order:

    kind                `radiation` or `drug`
    what                the lesion, or the drug
    amount, unit        Gy per fraction, or mg
    day, date           either is enough; where both stand they must agree
    fraction_of_day     1, 2 or 3 for several fractions on one day (may be left out)
    technique           of a lesion that offers several (may be left out)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem, parse_json, read_text
from abscopt.instances.reading.problems import MOST_SHOWN, first_of
from abscopt.instances.reading.read import MOST_LINES
from abscopt.optimizer.results.files import read_file
from abscopt.optimizer.results.reading.recheck import checked_schedule
from abscopt.optimizer.results.text.csv_rows import csv_lines

if TYPE_CHECKING:
    from pathlib import Path

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

NEEDED = ("kind", "what", "amount")
COLUMNS = (*NEEDED, "unit", "day", "date", "fraction_of_day", "technique")
UNITS = {"radiation": "Gy", "drug": "mg"}
MOST_ROWS = 20_000
"""Rows of one kind that a schedule may have; the JSON form has the same limit."""


@dataclass(frozen=True)
class Document:
    """What a file holds as plain data, and where its rows stand if it is a CSV.

    Attributes
    ----------
    raw : as parsed JSON; a CSV gives a schedule with `fractions` and `doses_of_drugs`
    lines : place in `raw` such as `fractions[0]` -> line of the CSV file
    """

    raw: Any
    lines: Mapping[str, int] = field(default_factory=dict)

    @contextmanager
    def located(self) -> Iterator[None]:
        """Problems raised inside name the lines of the CSV file."""
        try:
            yield
        except InputError as error:
            raise InputError([self._at_line(problem) for problem in error.problems]) from None

    def _at_line(self, problem: Problem) -> Problem:
        match = re.match(r"(\w+\[\d+\])\.?(.*)$", problem.place)
        if match is None or match[1] not in self.lines:
            return problem
        column = {"lesion": "what", "agent": "what", "dose_gy": "amount", "dose_mg": "amount"}
        named = column.get(match[2], match[2])
        place = f"line {self.lines[match[1]]} {named}".rstrip()
        return Problem(problem.file, place, problem.value, problem.rule)


def read_document(path: Path) -> Document:
    """Content of a JSON or CSV file; raises InputError.

    A file is a CSV if its name says so, or if it does not begin as JSON does.
    """
    if path.suffix.lower() == ".json":
        return Document(parse_json(path))
    text = read_text(path)
    if path.suffix.lower() != ".csv" and text.lstrip()[:1] in ("{", "["):
        return Document(parse_json(path))
    return _csv_schedule(text, str(path))


def schedule_of_file(file: str, instance: Instance, *, cross: bool = False) -> Schedule:
    """Schedule in a file, for a case.

    Parameters
    ----------
    cross : the file may be the answer to another case; its claims about that case are not used

    Raises
    ------
    InputError
        If the file cannot be read, names what the case does not have, or claims what is not so.
    """
    document = read_file(file, read_document)
    with document.located():
        return checked_schedule(document.raw, instance, file, cross=cross)


def _csv_schedule(text: str, file: str) -> Document:
    """Plain data of a schedule in CSV (comma, semicolon or tab), one problem per wrong cell."""
    rows = _rows(text, file)
    tables: dict[str, list[dict[str, Any]]] = {"fractions": [], "doses_of_drugs": []}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for line, row in rows:
        entry, wrong = _entry(row, line, file)
        problems += wrong
        key = "doses_of_drugs" if row["kind"] == "drug" else "fractions"
        lines[f"{key}[{len(tables[key])}]"] = line
        tables[key].append(entry)
        if len(problems) > MOST_SHOWN:
            break
    if problems:
        raise InputError(first_of(problems))
    return Document(tables, lines)


def _rows(text: str, file: str) -> list[tuple[int, dict[str, str]]]:
    """(line, column -> stripped text) of every row that is not blank."""
    if text.count("\n") > MOST_LINES:
        rule = f"at most {MOST_LINES} lines"
        raise InputError([Problem(file, "file", "too long", rule)])
    table: list[tuple[int, list[str]]] = []
    for row in csv_lines(text, file):
        table.append(row)
        if len(table) > 2 * MOST_ROWS + 1:
            rule = f"a schedule has at most {2 * MOST_ROWS} rows"
            raise InputError([Problem(file, f"line {row[0]}", "too long", rule)])
    if not table:
        rule = f"needs a line of columns: {', '.join(COLUMNS)}"
        raise InputError([Problem(file, "file", "empty", rule)])
    line, header = table[0][0], [name.lower() for name in table[0][1]]
    problems = first_of(_header_problems(header, line, file))
    if problems:
        raise InputError(problems)
    if len(table) == 1:
        rule = 'holds no fraction and no dose; give an empty schedule as JSON: {"fractions": []}'
        raise InputError([Problem(file, "file", "no rows", rule)])
    wide = [
        Problem(file, f"line {at}", f"{len(cells)} cells", f"the header has {len(header)}")
        for at, cells in table[1:]
        if len(cells) != len(header)
    ]
    if wide:
        raise InputError(first_of(wide))
    return [(at, dict(zip(header, cells, strict=True))) for at, cells in table[1:]]


def _header_problems(header: list[str], line: int, file: str) -> Iterator[Problem]:
    place = f"line {line}"
    understood = set(header) & set(COLUMNS)
    if not understood:
        value = ", ".join(header)[:80]
        rule = f"is neither JSON nor a CSV with the columns {', '.join(COLUMNS)}"
        yield Problem(file, place, value, rule)
        return
    for name in header:
        if name not in COLUMNS:
            similar = get_close_matches(name, COLUMNS, 1)
            rule = "unknown column" + (f"; did you mean {similar[0]}?" if similar else "")
            yield Problem(file, place, name[:80] or "a column without a name", rule)
    for name in sorted(understood):
        if header.count(name) > 1:
            yield Problem(file, place, name, "column given twice")
    for name in NEEDED:
        if name not in understood:
            yield Problem(file, place, name, "this column is missing")
    if not {"day", "date"} & understood:
        yield Problem(file, place, "day, date", "one of these columns is needed")


def _entry(row: dict[str, str], line: int, file: str) -> tuple[dict[str, Any], list[Problem]]:
    """One row in the form of a schedule file, and what is wrong with its cells."""
    problems: list[Problem] = []

    def wrong(column: str, rule: str) -> None:
        problems.append(Problem(file, f"line {line} {column}", row[column][:80] or "empty", rule))

    kind = row["kind"]
    if kind not in UNITS:
        wrong("kind", "must be radiation or drug")
        return {}, problems
    if row.get("unit", UNITS[kind]) != UNITS[kind]:
        wrong("unit", f"must be {UNITS[kind]} for {kind}")
    who, dose = ("lesion", "dose_gy") if kind == "radiation" else ("agent", "dose_mg")
    entry: dict[str, Any] = {who: row["what"]}
    amount = _number(row["amount"])
    if amount is None:
        wrong("amount", "must be a number such as 2.5")
    entry[dose] = amount
    for column, rule in (("day", "counted from day 0"), ("fraction_of_day", "1, 2 or 3")):
        if row.get(column):
            value = _number(row[column])
            if value is None or value != int(value):
                wrong(column, f"must be a whole number, {rule}")
            else:
                entry[column] = int(value)
    for column in ("date", "technique"):
        if row.get(column):
            entry[column] = row[column]
    if not (row.get("day") or row.get("date")):
        wrong("day" if "day" in row else "date", "needs a day (counted from day 0) or a date")
    if kind == "drug":
        for column in ("fraction_of_day", "technique"):
            if entry.pop(column, None) is not None:
                wrong(column, "must be empty for a drug")
    return entry, problems


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
