"""Plain DVH tables: comma, semicolon (decimal comma) or tab between columns.

Shapes: one column of doses and one of volumes for each structure, named and with its unit in the
heading (or several columns of doses, each before its volumes); a column that is named after each
structure and empty, then its doses and volumes (TomoTherapy); or rows of structure, dose and
volume. Remarks begin with `#`; a first line `sep=;` is that of spreadsheets.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from abscopt.instances.dvh.files.header import (
    PERSONAL,
    Heading,
    heading,
    kind_of,
    prescribed_gy,
    units_of,
)
from abscopt.instances.dvh.files.tables import Kind, Table, dose_unit, number
from abscopt.instances.reading.problems import InputError, refused

REMARK = re.compile(r"\s*\"?#")
SEPARATOR = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
APPROVED = re.compile(r"\s*\(STANDARD\)\s*$")
"""What TomoTherapy's exports write after the name of each structure."""
COLUMN = re.compile(r"\S.*?[\])]|\S+")
"""A heading where blanks divide columns: up to the bracket of its unit."""


@dataclass(frozen=True)
class _Sheet:
    file: str
    remarks: list[str]
    headings: list[Heading]
    header_line: int
    rows: list[tuple[int, list[str]]]
    comma: bool

    def wrong(self, line: int, value: object, rule: str) -> InputError:
        return refused(self.file, f"line {line}", value, rule)

    def unit_remark(self, what: str) -> str:
        """Unit that a remark states: `# Dose unit: cGy`."""
        for remark in self.remarks:
            match = re.search(rf"{what}\s*units?\s*[:=]\s*(\S+)", remark, re.IGNORECASE)
            if match is not None:
                return match[1].strip('[]()",;')
        return ""

    def value(self, line: int, row: list[str], column: int) -> float:
        cell = row[column] if column < len(row) else ""
        value = number(cell, self.comma)
        if value is None:
            name = self.headings[column].name
            rule = f"must be a number (column {name})"
            if re.search(r"\d\s*(c?gy|cm3|cc|%)\s*$", cell, re.IGNORECASE):
                rule += "; the unit belongs to the heading"
            raise self.wrong(line, cell.strip() or "empty", rule)
        return value


def tables(text: str, file: str) -> tuple[list[Table], float | None]:
    """Tables of a file, one for each structure, and the prescribed dose in Gy if it is stated.

    Raises
    ------
    InputError
        With the place of what cannot be read.
    """
    sheet = _sheet(text, file)
    doses = [i for i, head in enumerate(sheet.headings) if head.is_dose]
    if not doses:
        rule = "no column of doses: its heading begins with Dose, with Gy, cGy or % as unit"
        raise sheet.wrong(sheet.header_line, "heading", rule)
    of_doses, unit = _dose_columns(sheet, doses)
    kind = kind_of([*sheet.remarks, *(head.name for head in sheet.headings)], file)
    names = [i for i, head in enumerate(sheet.headings) if head.is_structure]
    volumes = _volume_columns(sheet, [*doses, *names])
    build = _Builder(sheet, of_doses, unit, kind)
    if names:
        return build.long(names[0], volumes), prescribed_gy(sheet.remarks)
    return [build.wide(column) for column in volumes], prescribed_gy(sheet.remarks)


def _sheet(text: str, file: str) -> _Sheet:
    lines = [(i + 1, line) for i, line in enumerate(text.splitlines()) if line.strip(" \t;,")]
    stated = SEPARATOR.fullmatch(lines[0][1]) if lines else None
    lines = lines[1:] if stated else lines
    remarks = [line for _, line in lines if REMARK.match(line)]
    rest = [(i, line) for i, line in lines if not REMARK.match(line)]
    if not rest:
        raise refused(file, "file", "no table", "must hold a heading and rows of numbers")
    header_line, header = rest[0]
    delimiter = stated[1] if stated else next((d for d in "\t;," if d in header), None)
    if delimiter is None:
        cells = [COLUMN.findall(header.strip()), *(line.split() for _, line in rest[1:])]
    else:
        cells = [next(csv.reader([line], delimiter=delimiter)) for _, line in rest]
    if len(cells[0]) < 2:
        rule = "columns are divided by comma, semicolon or tab, and named in the first row"
        raise refused(file, f"line {header_line}", "heading", rule)
    headings = _by_threes(cells[0]) or [heading(cell) for cell in cells[0]]
    comma = delimiter != ","
    if number(cells[0][0], comma) is not None:
        rule = "the first row must name the columns and their units"
        raise refused(file, f"line {header_line}", "numbers", rule)
    rows = [(i, row) for (i, _), row in zip(rest[1:], cells[1:], strict=True)]
    for line, row in rows:
        if any(cell.strip() for cell in row[len(headings) :]):
            rule = f"at most {len(headings)} columns, as in the heading"
            raise refused(file, f"line {line}", f"{len(row)} columns", rule)
    return _Sheet(file, remarks, headings, header_line, rows, comma)


def _by_threes(cells: list[str]) -> list[Heading]:
    """Headings where each structure has three columns: its name, doses and volumes; else none."""
    read = [heading(cell) for cell in cells]
    threes = [range(i, i + 3) for i in range(0, len(cells), 3)]
    if len(cells) % 3 or not all(
        read[dose].is_dose and read[volume].is_volume and not (own.is_dose or own.is_structure)
        for name, dose, volume in threes
        for own in [read[name]]
    ):
        return []
    for name, _, volume in threes:
        read[volume] = Heading(APPROVED.sub("", cells[name]).strip(), read[volume].unit)
        read[name] = Heading("", "")
    return read


def _dose_columns(sheet: _Sheet, columns: list[int]) -> tuple[list[int], str]:
    """Columns of absolute doses, else of relative ones, and their unit.

    Where there are several, each is of the volumes that follow it.
    """
    units: dict[str, list[int]] = {}
    for column in columns:
        head = sheet.headings[column]
        unit = dose_unit(head.unit or sheet.unit_remark("dose"))
        if unit is None:
            rule = "doses need a unit: Gy, cGy or % in brackets"
            raise sheet.wrong(sheet.header_line, head.unit or head.name, rule)
        if unit in units and column == units[unit][-1] + 1:
            raise sheet.wrong(sheet.header_line, head.name, f"a second column of doses in {unit}")
        units.setdefault(unit, []).append(column)
    if {"Gy", "cGy"} <= set(units):
        raise sheet.wrong(sheet.header_line, "Gy and cGy", "mixed units: one unit of dose")
    stated = dose_unit(sheet.unit_remark("dose"))
    if stated is not None and stated not in units:
        value = f"{stated} and {', '.join(units)}"
        raise sheet.wrong(sheet.header_line, value, "mixed units: remark and heading differ")
    unit = next(unit for unit in ("Gy", "cGy", "%") if unit in units)
    return units[unit], unit


def _volume_columns(sheet: _Sheet, others: list[int]) -> list[int]:
    columns = [
        i
        for i, head in enumerate(sheet.headings)
        if i not in others and head.name and not (PERSONAL.match(head.name) and not head.unit)
    ]
    units = set()
    for column in columns:
        head = sheet.headings[column]
        unit, _ = units_of(head.unit or sheet.unit_remark("volume"))
        if unit is None:
            rule = "volumes need a unit: cm3, cc or % in brackets"
            raise sheet.wrong(sheet.header_line, head.unit or head.name, rule)
        units.add(unit)
    if len(units) > 1:
        raise sheet.wrong(sheet.header_line, "cm3 and %", "mixed units: one unit of volume")
    if not columns:
        rule = "no column of volumes: a structure's name with cm3, cc or % as unit"
        raise sheet.wrong(sheet.header_line, "heading", rule)
    return columns


@dataclass(frozen=True)
class _Builder:
    sheet: _Sheet
    doses: list[int]
    unit: str
    kind: Kind | None

    def table(self, name: str, column: int, rows: list[tuple[int, list[str]]]) -> Table:
        sheet = self.sheet
        unit, density = units_of(sheet.headings[column].unit or sheet.unit_remark("volume"))
        assert unit is not None
        dose = max((i for i in self.doses if i < column), default=self.doses[0])
        if len(self.doses) > 1 and dose > column:
            rule = "of several columns of doses each stands before its volumes"
            raise sheet.wrong(sheet.header_line, sheet.headings[column].name, rule)
        return Table(
            sheet.file,
            name,
            [line for line, _ in rows],
            [sheet.value(line, row, dose) for line, row in rows],
            [sheet.value(line, row, column) for line, row in rows],
            self.unit,
            unit,
            self.kind,
            density,
        )

    def wide(self, column: int) -> Table:
        """One column of volumes; its cells may be empty at the end of the table only."""
        head, rows = self.sheet.headings[column], list(self.sheet.rows)
        while rows and not "".join(rows[-1][1][column : column + 1]).strip():
            rows.pop()
        name = self._only_name() if head.is_volume else head.name
        return self.table(name, column, rows)

    def _only_name(self) -> str:
        """Name of the only structure of a file: of a remark, else of the file."""
        for remark in self.sheet.remarks:
            match = re.search(r"(?:structure|roi)[\s_]*(?:name)?\s*[:=]\s*([^,;]+)", remark, re.I)
            if match is not None:
                return match[1].strip(' "')
        return Path(self.sheet.file).stem

    def long(self, column: int, volumes: list[int]) -> list[Table]:
        """Rows of structure, dose and volume."""
        sheet = self.sheet
        named = [i for i in volumes if sheet.headings[i].is_volume]
        if len(named) != 1:
            rule = "rows of structures have one column named Volume"
            raise sheet.wrong(sheet.header_line, f"{len(named)} columns", rule)
        parts: list[Table] = []
        for name, rows in groupby(
            sheet.rows, key=lambda row: "".join(row[1][column : column + 1]).strip()
        ):
            block = list(rows)
            if not name:
                raise sheet.wrong(block[0][0], "empty", "the structure must be named")
            parts.append(self.table(name, named[0], block))
        return parts
