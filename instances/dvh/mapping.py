"""The map: what a person says about structures, lesions and choices, and a template that asks.

`[structures]` gives each structure an organ, a lesion or `body`; everything else is written as in
a case and goes into it as it stands. Nothing is inferred from names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.changes.text import inline
from abscopt.instances.dvh.files.read import DvhFile
from abscopt.instances.dvh.points import asked, organs_of
from abscopt.instances.menus.prescriptions import RULE, Prescription, parsed
from abscopt.instances.reading.problems import (
    InputError,
    Problem,
    listing,
    nearest,
    refused,
)
from abscopt.instances.reading.read import parse_toml, read_text
from abscopt.instances.sources import Raw, library

BODY = "body"
"""What the whole body is mapped to: its integral dose."""


def prescription(text: object, file: str, place: str) -> Prescription:
    """`50/5` or `50 Gy in 5`; raises InputError."""
    entry = parsed(text)
    if entry is None:
        raise refused(file, place, text, RULE)
    return entry


@dataclass(frozen=True)
class Map:
    """What a person says.

    Attributes
    ----------
    label : file, for messages
    structures : structure -> organ, lesion or `body`; those left out are not in it
    lesions : tables of the map, by name
    rest : keys of the case, as they are
    absolute_max : whether `max` is the greatest dose of a structure
    left_out : limits that the case shall not have
    """

    label: str
    structures: dict[str, str]
    lesions: dict[str, Raw]
    rest: Raw
    absolute_max: bool
    left_out: frozenset[str] = frozenset()

    def mapped_to(self, name: str) -> list[str]:
        """Structures of an organ, a lesion or the body."""
        return [structure for structure, target in self.structures.items() if target == name]


def map_of(path: str) -> Map:
    """The map of a file; whether its names are known is `check_names`.

    Raises
    ------
    InputError
        With place and rule of what is wrong.
    """
    if not Path(path).exists():
        raise refused(path, "path", "no such file", "must be the map of the structures")
    raw = dict(parse_toml(read_text(Path(path)), path))
    structures = _texts(raw.pop("structures", {}), path)
    lesions = _lesions(raw.pop("lesions", None), path)
    point = raw.pop("max", "d0_035cm3")
    if point not in ("d0_035cm3", "absolute"):
        raise refused(path, "max", point, "must be 'd0_035cm3' or 'absolute'")
    left_out = _names(raw.pop("leave_out", []), path, "leave_out", "limits")
    return Map(path, structures, lesions, raw, point == "absolute", frozenset(left_out))


def _names(value: object, path: str, place: str, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise refused(path, place, value, f"must be a list of {what}")
    return value


def _texts(table: object, path: str) -> dict[str, str]:
    if not isinstance(table, dict):
        raise refused(path, "structures", table, "must be a table of structures")
    for structure, target in table.items():
        if not isinstance(target, str):
            rule = 'must be an organ, a lesion or "" in quotes'
            raise refused(path, f"structures.{structure}", target, rule)
    return {structure: target for structure, target in table.items() if target not in ("", "?")}


def _lesions(tables: object, path: str) -> dict[str, Raw]:
    if not isinstance(tables, list) or not all(isinstance(entry, dict) for entry in tables):
        raise refused(path, "lesions", tables or "missing", "must be one [[lesions]] or more")
    lesions: dict[str, Raw] = {}
    for i, entry in enumerate(tables):
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            raise refused(path, f"lesions[{i}].name", name or "missing", "must be a name")
        if name in lesions:
            raise refused(path, f"lesions[{i}].name", name, "a lesion twice")
        lesions[name] = dict(entry)
        _names(entry.get("no_dose", []), path, f"lesions.{name}.no_dose", "organs")
    return lesions


def check_names(answers: Map, files: Sequence[DvhFile], limit_set: str) -> None:
    """Raises InputError with every structure and organ of a map that is not known."""
    known = {structure for file in files for structure in file.structures}
    unusable = {name: why for file in files for name, why in file.unusable.items()}
    organs = {*library("tissues"), *organs_of(asked(limit_set)), *_stated_organs(answers.rest)}
    problems = []
    for structure, target in answers.structures.items():
        place = f"structures.{structure}"
        if structure in unusable and structure not in known:
            problems.append(Problem(answers.label, place, structure, unusable[structure]))
        elif structure not in known:
            like = nearest(structure, known) or f"; known: {listing(known)}"
            rule = f"no such structure in the files{like}"
            problems.append(Problem(answers.label, place, structure, rule))
        elif target != BODY and target not in organs and target not in answers.lesions:
            like = nearest(target, organs | {*answers.lesions}) or f"; known: {listing(organs)}"
            rule = f"no such organ or lesion{like}"
            problems.append(Problem(answers.label, place, target, rule))
    problems += _unreached(answers, organs)
    if problems:
        raise InputError(problems)


def _unreached(answers: Map, organs: set[str]) -> Iterable[Problem]:
    """`no_dose` of organs that are not known, and of lesions whose dose is no plan's."""
    for name, entry in answers.lesions.items():
        place = f"lesions.{name}.no_dose"
        for organ in entry.get("no_dose", []):
            if not answers.mapped_to(name):
                rule = "no structure is mapped to this lesion: state its doses under sparing"
                yield Problem(answers.label, place, organ, rule)
            elif organ not in organs:
                like = nearest(organ, organs) or f"; known: {listing(organs)}"
                yield Problem(answers.label, place, organ, f"no such organ{like}")


def _stated_organs(rest: Raw) -> Iterable[str]:
    organs = rest.get("organs", {})
    return organs if isinstance(organs, dict) else ()


def template(files: Sequence[DvhFile], limit_set: str, rx: str | None) -> str:
    """A map to fill in: every structure of the files, and what may stand beside it."""
    organs = sorted(organs_of(asked(limit_set)))
    others = sorted(set(library("tissues")) - set(organs))
    structures = dict.fromkeys(structure for file in files for structure in file.structures)
    plan = rx or "50/5"
    lines = [
        '# Map for `abscopt import`: replace each "?", then run the command again with --map.',
        '# A structure is an organ, the name of a lesion below, "body", or "" (not used).',
        f"# Organs that {limit_set} limits: {', '.join(organs)}",
        f"# Others of the library: {', '.join(others)}",
        "# Several structures may be one organ or lesion where they do not overlap.",
        'name = "my-plan"',
        'title = "My plan"',
        "",
        "[structures]",
        *(f'{inline(structure)} = "?"' for structure in structures),
        "",
        "# Targets of one plan are one lesion, whose volumes add, or lesions that share its days",
        "# and doses: [[lesions]] with the same files; rx of each where doses differ.",
        "[[lesions]]",
        'name = "target"',
        'organ = "lungs"               # where it is',
        'use = "visceral_metastasis"   # tumor of the library: '
        + ", ".join(name for name, entry in library("tumors").items() if "irradiable" not in entry),
        f'prescriptions = [{inline(plan)}]   # on the menu, such as "48/4", "54/3"',
        "interval_days = [1, 2]        # least days from a fraction to the next",
        "last_start_day = 14           # first day: 0",
        *_files_of_lesion(files),
        "",
        "# Anything else is as in a case (`abscopt instances new`): [[agents]] with",
        "# effector_share of the lesions, [calendar], [immune], horizon_days (above",
        "# [structures]), [[limits]], [[lesions]] without structures, [standard]. Above",
        '# [structures], too: leave_out = ["cord_max"], limits that the case shall not have.',
    ]
    return "\n".join(lines) + "\n"


def _files_of_lesion(files: Sequence[DvhFile]) -> list[str]:
    if len(files) < 2:
        return []
    names = ", ".join(inline(Path(file.label).name) for file in files)
    return [
        f"files = [{names}]   # its plan; one [[lesions]] for each plan",
        '# no_dose = ["cord"]         # organs without a structure that this plan gives no dose',
    ]
