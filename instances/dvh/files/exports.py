"""Text exports of planning systems, by the shapes that public readers of them describe.

Eclipse (ARIA): `Structure: NAME` blocks with a heading such as `Dose [cGy]  Relative dose [%]
Ratio of Total Structure Volume [%]`, words in the language of the installation. RayStation:
`#RoiName:` blocks of dose and % of the volume after `#Dose unit:` (later `#Unit:`). Monaco: one
line `Patient ID: ... | Plan Name: ... | Dose Units: ... | Volume Units: ...`, then rows of
structure, dose and volume. Oncentra MasterPlan: `ROI: NAME` blocks of bin, dose and volume, with
kind and units in the lines before the first. Shapes as in DVHmetrics and RadOnc (R; see
`docs/dvh.md`); that of Eclipse in other languages than English is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from abscopt.instances.dvh.files.header import STRUCTURES, kind_of, prescribed_gy, units_of
from abscopt.instances.dvh.files.tables import Kind, Table, dose_unit, number
from abscopt.instances.reading.problems import InputError, refused

Found = tuple[list[Table], float | None]
Lines = list[tuple[int, str]]

ECLIPSE_BLOCK = re.compile(rf"(?:{STRUCTURES})\s*:\s*(.*\S)\s*", re.IGNORECASE)
ECLIPSE_HEADING = re.compile(r"[^:\[\]]*\[[^\[\]]+\][^:]*\[[^\[\]]+\]\s*")
ECLIPSE_COLUMN = re.compile(r"\s*([^\[\]]+?)\s*\[([^\[\]]+)\]")
ECLIPSE_VOLUME = re.compile(r"Volumen?\s*\[([^\]]+)\]\s*:\s*(\S+)")
ECLIPSE_LEVEL = re.compile(r"%\s+\S+\s+(?:dose|dosis)\s*\(%\)\s*:\s*([\d.,]+)", re.IGNORECASE)
ECLIPSE_KIND = ("type", "typ ", "typ:", "tipo")
RAYSTATION_BLOCK = re.compile(r"#RoiName\s*:\s*(.*\S)\s*", re.IGNORECASE)
RAYSTATION_UNIT = re.compile(r"#(?:Dose\s*)?unit\s*:\s*(\S+)", re.IGNORECASE)
RAYSTATION_VOLUME = re.compile(r"#Roi\s?Volume\s*:\s*([\d.,]+)", re.IGNORECASE)
RAYSTATION_OUTSIDE = re.compile(r"#Roi volume fraction outside grid\s*:\s*([\d.,]+)", re.IGNORECASE)
MONACO = re.compile(r"Patient ID\s*:.*\|\s*Dose Units\s*:", re.IGNORECASE)
MONACO_ROW = re.compile(r"\s*(\S.*?)\s+(\S*\d\S*)\s+(\S*\d\S*)\s*")

ONCENTRA_BLOCK = re.compile(r"ROI\s*:\s*(.*\S)\s*")
ONCENTRA_UNIT = re.compile(r"Absolute (dose|volume) - .*\[([^\]]+)\]\s*", re.IGNORECASE)
ONCENTRA_HEADING = re.compile(r"\s*bin\s+dose\s+volume\s*", re.IGNORECASE)

MOST_OUTSIDE_PERCENT = 1.0
"""Part of a structure outside the dose grid, whose dose nothing says: rounding only."""


@dataclass
class _Block:
    """Rows of one structure while they are read."""

    name: str
    begin: int
    lines: list[int] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)

    def add(self, file: str, line: int, text: str, columns: int | None = None) -> None:
        cells = text.replace(";", " ").split() if "," not in text else _cells(text)
        values = [number(cell, True) for cell in cells]
        if None in values or (columns is not None and len(values) != columns):
            bad = next((c for c, v in zip(cells, values, strict=True) if v is None), None)
            value = bad if bad is not None else f"{len(cells)} numbers"
            rule = "must be a number" if bad is not None else f"must be {columns} numbers"
            raise refused(file, f"line {line}, structure {self.name}", value, rule)
        self.lines.append(line)
        self.rows.append([value for value in values if value is not None])

    def column(self, index: int) -> list[float]:
        return [row[index] for row in self.rows]


def _cells(text: str) -> list[str]:
    """Cells of a row with commas: between columns (`1.5, 100`), or in numbers (`1,5  100`)."""
    spaced = text.split()
    return (
        spaced if len(spaced) > 1 and not text.rstrip().count(", ") else re.split(r"\s*,\s*", text)
    )


def _filled(text: str) -> Lines:
    return [(i + 1, line) for i, line in enumerate(text.splitlines()) if line.strip()]


def is_eclipse(text: str) -> bool:
    """Whether a text has blocks of structures as Eclipse writes them."""
    return re.search(rf"^(?:{STRUCTURES})\s*:", text, re.MULTILINE | re.IGNORECASE) is not None


def is_raystation(text: str) -> bool:
    """Whether a text has blocks of structures as RayStation writes them."""
    return re.search(r"^#RoiName\s*:", text, re.MULTILINE | re.IGNORECASE) is not None


def is_oncentra(text: str) -> bool:
    """Whether a text has blocks of structures as Oncentra MasterPlan writes them."""
    return re.search(r"^ROI\s*:", text, re.MULTILINE) is not None


def is_monaco(text: str) -> bool:
    """Whether a text begins as Monaco's exports do."""
    return MONACO.match(text) is not None


def eclipse(text: str, file: str) -> Found:
    """Structures of an Eclipse export and the prescribed dose of its only plan."""
    lines = _filled(text)
    first = next(k for k, (_, line) in enumerate(lines) if ECLIPSE_BLOCK.fullmatch(line))
    head = [line for _, line in lines[:first]]
    kind = kind_of([line for line in head if line.lower().startswith(ECLIPSE_KIND)], file)
    levels = {m[1] for line in head if (m := ECLIPSE_LEVEL.match(line))}
    level = number(levels.pop(), True) if len(levels) == 1 else None
    starts = [k for k in range(first, len(lines)) if ECLIPSE_BLOCK.fullmatch(lines[k][1])]
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        table = _eclipse_block(lines[start:end], file, kind, level)
        if table is not None:
            found.append(table)
    return found, prescribed_gy(head)


def _eclipse_block(lines: Lines, file: str, kind: Kind | None, level: float | None) -> Table | None:
    match = ECLIPSE_BLOCK.fullmatch(lines[0][1])
    assert match is not None
    block, stated, columns = _Block(match[1], lines[0][0]), None, None
    for line, text in lines[1:]:
        if columns is not None:
            block.add(file, line, text, len(columns))
        elif ECLIPSE_HEADING.fullmatch(text):
            columns = ECLIPSE_COLUMN.findall(text)
        elif volume := ECLIPSE_VOLUME.match(text):
            stated = number(volume[2], True)
    if columns is None or not block.rows:
        return None  # a structure without dose has no table
    units = [(name.lower(), unit) for name, unit in columns]
    dose, unit = _eclipse_dose(units, file, block)
    volume_at = next((i for i, (name, _) in enumerate(units) if "volum" in name), None)
    volume_unit, density = (None, None) if volume_at is None else units_of(units[volume_at][1])
    if volume_at is None or volume_unit is None:
        raise _no_unit(file, block, "volume", "cm3 or %")
    factor = 100.0 / level if unit == "%" and level else 1.0  # 100 % is the level of the dose
    doses = [factor * value for value in block.column(dose)]
    volumes = block.column(volume_at)
    return Table(
        file, block.name, block.lines, doses, volumes, unit, volume_unit,
        "differential" if density else kind, density, stated,
    )  # fmt: skip


def _eclipse_dose(columns: list[tuple[str, str]], file: str, block: _Block) -> tuple[int, str]:
    """Column of absolute doses, else of relative ones, and its unit."""
    units = {
        unit: i
        for i, (name, written) in enumerate(columns)
        if "volum" not in name and (unit := dose_unit(written)) is not None
    }
    for unit in ("Gy", "cGy", "%"):
        if unit in units:
            return units[unit], unit
    raise _no_unit(file, block, "dose", "Gy, cGy or %")


def _no_unit(file: str, block: _Block, what: str, units: str) -> InputError:
    place = f"line {block.begin}, structure {block.name}"
    return refused(file, place, "missing", f"the {what} needs a unit: {units}")


def oncentra(text: str, file: str) -> Found:
    """Structures of an Oncentra MasterPlan export."""
    lines = _filled(text)
    starts = [k for k, (_, line) in enumerate(lines) if ONCENTRA_BLOCK.fullmatch(line)]
    head = [line for _, line in lines[: starts[0]]]
    kind = kind_of([line for line in head if "mode" in line.lower()], file)
    units = {m[1].lower(): m[2] for line in head if (m := ONCENTRA_UNIT.fullmatch(line))}
    dose, (volume, _) = dose_unit(units.get("dose", "")), units_of(units.get("volume", ""))
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        match = ONCENTRA_BLOCK.fullmatch(lines[start][1])
        assert match is not None
        block, begun = _Block(match[1], lines[start][0]), False
        if dose is None or volume is None:
            raise _no_unit(file, block, *(("dose", "Gy") if dose is None else ("volume", "ccm")))
        for line, row in lines[start + 1 : end]:
            if begun and not row.lower().startswith("dose:"):
                block.add(file, line, row, 3)
            begun = begun or ONCENTRA_HEADING.fullmatch(row) is not None
        if block.rows:
            columns = block.column(1), block.column(2)
            found.append(Table(file, block.name, block.lines, *columns, dose, volume, kind))
    return found, None


def raystation(text: str, file: str) -> Found:
    """Structures of a RayStation export: cumulative, in % of the volume."""
    found: list[Table] = []
    remarks: list[str] = []
    block: _Block | None = None
    unit: str | None = None
    stated: float | None = None
    unusable: str | None = None

    def close() -> None:
        if block is not None and block.rows:
            if unit is None:
                raise _no_unit(file, block, "dose", "Gy or cGy")
            columns = block.column(0), block.column(1)
            found.append(
                Table(
                    file, block.name, block.lines, *columns, unit, "%", None, None, stated, unusable
                )
            )

    for line, row in _filled(text):
        if match := RAYSTATION_BLOCK.fullmatch(row):
            close()
            block, unit, stated, unusable = _Block(match[1], line), None, None, None
        elif match := RAYSTATION_UNIT.match(row):
            unit = dose_unit(match[1])
        elif match := RAYSTATION_VOLUME.match(row):
            stated = number(match[1], True)
        elif (match := RAYSTATION_OUTSIDE.match(row)) and block is not None:
            outside = number(match[1], True)
            if outside is None or outside > MOST_OUTSIDE_PERCENT:
                unusable = f"{match[1]} % of the structure lie outside the dose grid"
        elif row.startswith("#"):
            remarks.append(row)
        elif block is not None:
            block.add(file, line, row, 2)
    close()
    return found, prescribed_gy(remarks)


def monaco(text: str, file: str) -> Found:
    """Structures of a Monaco export: rows of structure, dose and volume under one line of units."""
    lines = _filled(text)
    head = _fields(lines[0][1].split("|"))
    dose = dose_unit(head.get("dose units", ""))
    volume, _ = units_of(head.get("volume units", ""))
    if dose is None or volume is None:
        value = head.get("dose units", "") if dose is None else head.get("volume units", "")
        rule = "Dose Units must be Gy, cGy or %, Volume Units cm3 or %"
        raise refused(file, f"line {lines[0][0]}", value or "missing", rule)
    rows = [k for k in range(1, len(lines)) if _monaco_row(lines[k][1])]
    if not rows:
        raise refused(file, "file", "no rows", "must hold rows of structure, dose and volume")
    blocks: dict[str, _Block] = {}
    last = rows[-1] + 1
    if last < len(lines) - 1:  # only the date of the export may follow the rows
        last = len(lines) - 1
    for line, row in lines[rows[0] : last]:
        match = MONACO_ROW.fullmatch(row)
        if match is None:
            rule = "must be a structure, a dose and a volume"
            raise refused(file, f"line {line}", "a row", rule)
        block = blocks.setdefault(match[1], _Block(match[1], line))
        block.add(file, line, f"{match[2]} {match[3]}", 2)
    return [
        Table(file, b.name, b.lines, b.column(0), b.column(1), dose, volume)
        for b in blocks.values()
    ], None


def _fields(parts: Iterable[str]) -> dict[str, str]:
    pairs = (part.partition(":") for part in parts)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _monaco_row(row: str) -> bool:
    match = MONACO_ROW.fullmatch(row)
    return match is not None and all(number(match[i], True) is not None for i in (2, 3))
