"""Column headings and remarks of DVH tables: names, units, kind, prescription."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from abscopt.instances.dvh.files.tables import GY, Kind, dose_unit, volume_unit
from abscopt.instances.reading.problems import refused

BRACKETED = re.compile(r"(?P<name>.*?)[\s_]*[\[(]\s*(?P<unit>[^\[\]()]+?)\s*[\])]\s*")
TRAILING = re.compile(
    r"(?P<name>.*?)(?:[\s_]+(?P<unit>c?gy|cm3|cm\^3|cm³|cc|ccm|ml|pct|percent)|\s*(?P<share>%))\s*",
    re.IGNORECASE,
)
DOSE = re.compile(
    r"((absolute|relative|bin|total)[\s_]*)?(dose|dosis)([\s_]*bins?)?|bin", re.IGNORECASE
)
VOLUME = re.compile(
    r"((cumulative|cum\.?|differential|absolute|relative|structure)[\s_]*)*vol(umen?|\.)?"
    r"|ratio of total structure volume|dvolume\s*/\s*ddose|dv\s*/\s*dd",
    re.IGNORECASE,
)
STRUCTURES = "structure|struktur|estructura|struttura|structuur"
"""The word in exports in English, French, German, Swedish, Spanish, Italian and Dutch."""
STRUCTURE = re.compile(rf"({STRUCTURES}|roi|organ)([\s_]*name)?", re.IGNORECASE)
CUMULATIVE = re.compile(r"\ba?[ck]umul", re.IGNORECASE)
DIFFERENTIAL = re.compile(r"\bdiff?[eé]ren[ctz]i|\bdv\w*\s*/\s*dd", re.IGNORECASE)
"""The same words in these languages, by how they begin."""
PERSONAL = re.compile(
    r"\s*\W?\s*(patient|plan|mrn|id|course|name|date|birth|physician)", re.IGNORECASE
)
"""Columns and remarks that are not of the dose; they are passed over and repeated nowhere."""

PRESCRIBED = re.compile(
    r"\b(?:rx|prescri\w+|total|verschrieben\w*|verordnete|voorgeschreven)(?:[\s_]*dos(?:e|is))?\s*(?:[\[(]\s*(?P<before>c?gy)\s*[\])])?\s*[:=]\s*"
    r"(?P<dose>\d+(?:[.,]\d+)?)\s*(?P<after>c?gy)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Heading:
    """One column: its name, and its unit as written ('' if there is none)."""

    name: str
    unit: str

    @property
    def is_dose(self) -> bool:
        """Whether it has doses."""
        return DOSE.fullmatch(self.name) is not None

    @property
    def is_volume(self) -> bool:
        """Whether it has volumes, of no structure that it names."""
        return VOLUME.fullmatch(self.name) is not None

    @property
    def is_structure(self) -> bool:
        """Whether it has names of structures."""
        return STRUCTURE.fullmatch(self.name) is not None and not self.unit


def heading(cell: str) -> Heading:
    """Name and unit of a heading: `Heart [cm3]`, `Dose (cGy)`, `dose_gy`, `Volume %`."""
    text = " ".join(cell.split())
    match = BRACKETED.fullmatch(text)
    if match is not None:
        return Heading(match["name"].strip(), match["unit"])
    match = TRAILING.fullmatch(text)
    if match is not None and match["name"].strip():
        return Heading(match["name"].strip(), match["unit"] or match["share"])
    return Heading(text, "")


def units_of(text: str) -> tuple[str | None, str | None]:
    """(volume unit, unit of dose that it is divided by) of `cm3`, `%` or `cm³ / cGy`."""
    over, _, below = text.partition("/")
    return volume_unit(over), (dose_unit(below) if below else None)


def kind_of(texts: Iterable[str], file: str) -> Kind | None:
    """What headings and remarks call a histogram; raises InputError if they say both."""
    words = " ".join(texts)
    is_cumulative = CUMULATIVE.search(words) is not None
    is_differential = DIFFERENTIAL.search(words) is not None
    if is_cumulative and is_differential:
        rule = "one kind of histogram for each file"
        raise refused(file, "header", "cumulative and differential", rule)
    if is_cumulative:
        return "cumulative"
    return "differential" if is_differential else None


def prescribed_gy(remarks: Iterable[str]) -> float | None:
    """Prescribed total dose in Gy that remarks state with its unit; None if none does, or two."""
    stated = set()
    for remark in remarks:
        for match in PRESCRIBED.finditer(remark):
            unit = match["after"] or match["before"]
            if unit:
                stated.add(float(match["dose"].replace(",", ".")) * GY[unit.lower()])
    return stated.pop() if len(stated) == 1 else None
