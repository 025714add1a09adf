"""What `abscopt import dvh` does and says: a case, or a map to fill in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abscopt.instances.dvh.case import imported
from abscopt.instances.dvh.files.read import DvhFile, read
from abscopt.instances.dvh.files.tables import Kind
from abscopt.instances.dvh.mapping import Map, check_names, map_of, prescription, template
from abscopt.instances.dvh.points import NO_SET, asked, organs_of
from abscopt.instances.load import build
from abscopt.instances.reading.problems import nearest, refused
from abscopt.instances.sources import library


@dataclass(frozen=True)
class Answer:
    """Text of a case (`complete`) or of a map to fill in, and what is said beside it."""

    text: str
    complete: bool
    remarks: list[str]


def answer(
    files: Sequence[str],
    limit_set: str,
    map_file: str | None,
    rx: str | None,
    kind: Kind | None = None,
    measures: Sequence[str] = (),
) -> Answer:
    """The case of DVH files and a map; without a map, a map to fill in.

    Raises
    ------
    InputError
        With file, place, value and rule of each problem.
    """
    check_set(limit_set, rx)
    read_files = [read(file, kind) for file in files]
    _check_once(read_files)
    if map_file is None:
        return asking(read_files, limit_set, rx)
    return completed(read_files, map_of(map_file), limit_set, rx, measures)


def check_set(limit_set: str, rx: str | None) -> None:
    """Raises InputError for a limit set that is not known and a prescription that is none."""
    sets = library("limits")["sets"]
    if limit_set not in (*sets, NO_SET):
        like = nearest(limit_set, sets) or f"; known: {sorted(sets)}, and none"
        raise refused("--set", "limit set", limit_set, f"no such limit set{like}")
    if rx is not None:
        prescription(rx, "--rx", "prescription")


def asking(files: Sequence[DvhFile], limit_set: str, rx: str | None) -> Answer:
    """A map to fill in."""
    organs = ", ".join(sorted(organs_of(asked(limit_set))))
    remark = (
        f"which structures are {organs}, and which are the target? Nothing is inferred from "
        'names: save this map, replace each "?", and give it with --map'
    )
    return Answer(template(files, limit_set, rx), False, [remark])


def completed(
    files: Sequence[DvhFile],
    answers: Map,
    limit_set: str,
    rx: str | None,
    measures: Sequence[str] = (),
) -> Answer:
    """The case of histograms and a map."""
    check_names(answers, files, limit_set)
    case = imported(files, answers, limit_set, rx, measures)
    build(case.raw, answers.label, folder=Path(answers.label).parent)
    remarks = list(case.measures)
    if case.lacking:
        remarks.append(f"not in the case, {len(case.lacking)} limits of {limit_set}:")
        remarks += [f"  {line}" for line in case.lacking]
    if case.unused:
        remarks.append(f"structures not used: {', '.join(case.unused)}")
    return Answer(case.text, True, remarks)


def _check_once(files: Sequence[DvhFile]) -> None:
    seen: dict[str, str] = {}
    names: set[str] = set()
    for file in files:
        if file.sha256 in seen:
            raise refused(file.label, "file", file.label, f"the same as {seen[file.sha256]}")
        if Path(file.label).name in names:
            rule = "two files of one name: `files` of the map could not tell them apart"
            raise refused(file.label, "file", Path(file.label).name, rule)
        seen[file.sha256] = file.label
        names.add(Path(file.label).name)
