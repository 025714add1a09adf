"""What was measured: read from TOML, JSON or CSV, and checked against the case.

One observation is one number of one day, before the fraction of that day. In CSV a row has the keys
of `ObservationEntry` as columns; cells may be empty.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from abscopt.instances.history.events import Dated
from abscopt.instances.load import InputError, Problem, problems_of, read_text
from abscopt.instances.reading.problems import first_of
from abscopt.instances.reading.read import parse_case
from abscopt.instances.tables.calendar import date_of
from abscopt.instances.tables.fields import Name, Table
from abscopt.models.biomarkers import log_sd
from abscopt.optimizer.learning.measured.errors import ALC_SD, CTDNA_SD, NEUTROPHIL_SD, VOLUME_SD
from abscopt.optimizer.results.files import read_file
from abscopt.optimizer.results.text.csv_rows import csv_lines

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance

Kind = Literal["alc", "nlr", "volume", "ctdna"]

UNITS = {
    "alc": {"1e9/L": 1.0},
    "nlr": {"ratio": 1.0},
    "volume": {"cm3": 1.0},
    "ctdna": {"share": 1.0, "%": 0.01},
}
"""Units of each kind, with what a number in them is multiplied by."""
GREATEST = {"alc": 20.0, "nlr": 200.0, "volume": 5000.0, "ctdna": 1.0}
"""Above it a value is a slip of the unit: counts as in the schema, volumes likewise."""
SD = {
    "alc": ALC_SD.value,
    "nlr": NEUTROPHIL_SD.value,
    "volume": VOLUME_SD.value,
    "ctdna": CTDNA_SD.value,
}
"""Usual errors; that of NLR is of its neutrophils alone, lymphocytes err as in a count."""
MOST = 200
"""Observations of one patient: their errors make one dense matrix."""


class ObservationEntry(Dated):
    """An observation as written in a file."""

    kind: Kind = Field(description="alc, nlr, volume or ctdna")
    lesion: Name | None = Field(default=None, description="whose volume")
    value: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        default=None, description="what was measured"
    )
    below: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        default=None, description="limit of detection where no ctDNA was seen, in place of a value"
    )
    unit: str | None = Field(default=None, description="of the value; ctdna needs it")
    cv: Annotated[float, Field(gt=0, le=2)] | None = Field(
        default=None, description="coefficient of variation of the error; the usual one if absent"
    )


class ObservationFile(Table):
    """A file of observations."""

    observations: Annotated[tuple[ObservationEntry, ...], Field(min_length=1, max_length=MOST)] = (
        Field(description="what was measured")
    )


@dataclass(frozen=True)
class Observation:
    """One measurement.

    Attributes
    ----------
    day : from day 0; measured before the fraction of the day
    value : in 1e9/L, as a ratio, in cm3, or as a share; of what was not seen the limit of detection
    sd : standard deviation of the logarithm of its error
    seen : False where `value` is a limit of detection
    """

    kind: Kind
    day: int
    value: float
    sd: float
    lesion: str = ""
    seen: bool = True

    @property
    def name(self) -> str:
        """`volume of lung on day 60`."""
        of_lesion = f" of {self.lesion}" if self.lesion else ""
        return f"{WORDS[self.kind]}{of_lesion} on day {self.day}"

    @property
    def unit(self) -> str:
        """Of `value`."""
        return next(iter(UNITS[self.kind]))


WORDS = {"alc": "ALC", "nlr": "NLR", "volume": "volume", "ctdna": "ctDNA"}


def read_observations(file: str, instance: Instance) -> tuple[Observation, ...]:
    """Observations in a file, checked against a case; raises InputError."""
    return read_file(file, lambda path: _read(path, instance))


def observations_of(
    raw: Any, instance: Instance, label: str = "observations", lines: tuple[int, ...] = ()
) -> tuple[Observation, ...]:
    """Observations from plain data, in the order of their days; raises InputError.

    Parameters
    ----------
    raw : table with the list `observations`, or the list itself
    lines : of a CSV file, one per observation
    """
    table = {"observations": raw} if isinstance(raw, list | tuple) else raw
    try:
        entry = ObservationFile.model_validate_json(json.dumps(table, default=str))
    except ValidationError as error:
        problems = [_at_line(p, lines) for p in problems_of(error, label)]
        raise InputError(first_of(problems)) from None
    problems = [_at_line(p, lines) for p in _problems(entry, instance, label)]
    if problems:
        raise InputError(first_of(problems))
    observations = (_observation(row, instance) for row in entry.observations)
    return tuple(sorted(observations, key=lambda o: (o.day, o.kind, o.lesion)))


def _observation(row: ObservationEntry, instance: Instance) -> Observation:
    number = row.value if row.below is None else row.below
    assert number is not None  # `_problems`
    return Observation(
        row.kind,
        row.on(instance.calendar),
        number * UNITS[row.kind][row.unit or next(iter(UNITS[row.kind]))],
        SD[row.kind] if row.cv is None else log_sd(row.cv),
        row.lesion or "",
        row.below is None,
    )


def _problems(entry: ObservationFile, instance: Instance, label: str) -> Iterator[Problem]:
    measured: set[tuple[str, str, int]] = set()
    for i, row in enumerate(entry.observations):
        place = f"observations[{i}]"
        yield from _value_problems(row, place, label)
        yield from _lesion_problems(row, instance, place, label)
        yield from _day_problems(row, instance, place, label)
        key = (row.kind, row.lesion or "", row.on(instance.calendar))
        if key in measured:
            rule = f"{row.kind} is given twice on day {key[2]}: give the mean, with a smaller cv"
            yield Problem(label, f"{place}.kind", row.kind, rule)
        measured.add(key)


def _value_problems(row: ObservationEntry, place: str, label: str) -> Iterator[Problem]:
    """Whether a value, or a limit of detection, is a number of its kind."""
    if (row.value is None) == (row.below is None):
        value = "both" if row.value is not None else "neither"
        yield Problem(label, f"{place}.value", value, "give value, or below")
        return
    if row.below is not None and row.kind != "ctdna":
        rule = "only ctdna has a limit of detection"
        yield Problem(label, f"{place}.below", f"{row.below:g}", rule)
        return
    units = UNITS[row.kind]
    if row.unit is None and len(units) > 1:
        yield Problem(label, f"{place}.unit", "none", f"needs one of {list(units)}")
        return
    if row.unit is not None and row.unit not in units:
        yield Problem(label, f"{place}.unit", row.unit, f"must be one of {list(units)}")
        return
    number = row.value if row.below is None else row.below
    assert number is not None
    natural = number * units[row.unit or next(iter(units))]
    if natural > GREATEST[row.kind]:
        rule = f"at most {GREATEST[row.kind]:g} {next(iter(units))}"
        yield Problem(label, f"{place}.value", f"{number:g} {row.unit or ''}".strip(), rule)


def _lesion_problems(
    row: ObservationEntry, instance: Instance, place: str, label: str
) -> Iterator[Problem]:
    """Whether a volume is of a lesion that has one."""
    measurable = sorted(x.name for x in instance.lesions if x.volume_cm3 is not None)
    if row.kind == "ctdna" and not measurable:
        rule = "no lesion of the case states a volume_cm3 that sheds it"
        yield Problem(label, f"{place}.kind", row.kind, rule)
    if row.kind != "volume":
        if row.lesion is not None:
            rule = f"{row.kind} is of the patient, not of a lesion"
            yield Problem(label, f"{place}.lesion", row.lesion, rule)
    elif row.lesion is None:
        yield Problem(label, f"{place}.lesion", "none", f"needs one of {measurable}")
    elif row.lesion not in measurable:
        rule = f"must be a lesion that states volume_cm3: {measurable}"
        yield Problem(label, f"{place}.lesion", row.lesion, rule)


def _day_problems(
    row: ObservationEntry, instance: Instance, place: str, label: str
) -> Iterator[Problem]:
    """Whether the day is inside the case and fits its date."""
    day = row.on(instance.calendar)
    where, value = ("date", str(row.date)) if row.day is None else ("day", str(row.day))
    if not 0 <= day <= instance.days:
        rule = f"outside of the case: day 0 ({instance.calendar.start_date}) to {instance.days}"
        yield Problem(label, f"{place}.{where}", value, rule)
    elif row.date is not None and row.date != date_of(instance.calendar, day):
        rule = f"day {day} of this case is {date_of(instance.calendar, day)}"
        yield Problem(label, f"{place}.date", str(row.date), rule)


def _at_line(problem: Problem, lines: tuple[int, ...]) -> Problem:
    """A problem of a row of a CSV file, at its line."""
    head, _, column = problem.place.partition("].")
    index = head.removeprefix("observations[").removesuffix("]")
    if not lines or not index.isdigit() or int(index) >= len(lines):
        return problem
    return Problem(
        problem.file, f"line {lines[int(index)]} {column}".rstrip(), problem.value, problem.rule
    )


def _read(path: Path, instance: Instance) -> tuple[Observation, ...]:
    suffix, label = path.suffix.lower(), str(path)
    if suffix == ".csv":
        rows, lines = _csv_rows(read_text(path), label)
        return observations_of(rows, instance, label, lines)
    if suffix not in (".toml", ".json"):
        rule = "observations are TOML, JSON or CSV, by the end of the name"
        raise InputError([Problem(label, "path", path.name[:80], rule)])
    return observations_of(parse_case(path), instance, label)


def _csv_rows(text: str, label: str) -> tuple[list[dict[str, Any]], tuple[int, ...]]:
    """Rows as plain data, with their lines."""
    table: list[tuple[int, list[str]]] = []
    for row in csv_lines(text, label):
        table.append(row)
        if len(table) > MOST + 1:
            raise InputError([Problem(label, "file", "too long", f"at most {MOST} rows")])
    if not table:
        raise InputError([Problem(label, "file", "empty", "needs a line of columns")])
    header = [name.lower() for name in table[0][1]]
    problems = _header_problems(header, table, label)
    if problems:
        raise InputError(first_of(problems))
    rows, lines = [], []
    for line, cells in table[1:]:
        entry = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
        rows.append({name: _cell(name, cell, line, label) for name, cell in entry.items()})
        lines.append(line)
    return rows, tuple(lines)


def _header_problems(
    header: list[str], table: list[tuple[int, list[str]]], label: str
) -> list[Problem]:
    columns = list(ObservationEntry.model_fields)
    place = f"line {table[0][0]}"
    problems = [
        Problem(label, place, name[:80] or "a column without a name", f"must be one of {columns}")
        for name in header
        if name not in columns
    ]
    problems += [
        Problem(label, place, name, "column given twice")
        for name in sorted(set(header))
        if header.count(name) > 1
    ]
    problems += [
        Problem(label, f"line {line}", f"{len(cells)} cells", f"the header has {len(header)}")
        for line, cells in table[1:]
        if len(cells) != len(header)
    ]
    return problems


def _cell(name: str, cell: str, line: int, label: str) -> Any:
    """A cell as a number where its column has numbers."""
    if name not in ("day", "value", "below", "cv"):
        return cell
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in cell or (name == "day" and number != int(number)):
        rule = "must be a whole number" if name == "day" else "must be a number such as 2.5"
        raise InputError([Problem(label, f"line {line} {name}", cell[:80], rule)])
    return int(number) if name == "day" else number
