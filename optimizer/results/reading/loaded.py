"""Results read back from their files: checked against the case, judged again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abscopt.instances.checks.notes import Note
from abscopt.instances.load import InputError, Problem, names
from abscopt.optimizer.candidates.reduction import Step
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.files import load_case, read_file
from abscopt.optimizer.results.reading.changed import restated
from abscopt.optimizer.results.reading.recheck import check_notes, checked_schedule
from abscopt.optimizer.results.reading.schedule_files import read_document
from abscopt.optimizer.results.result import Certificate, Result, SolverRun, check_document
from abscopt.optimizer.schedule import standard_schedule

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule


@dataclass(frozen=True)
class Document:
    """A result's document that agrees with its case; `schedule` is None where it has none."""

    raw: dict[str, Any]
    case: Instance
    schedule: Schedule | None


def checked_document(file: str, case_name: str | None = None) -> Document:
    """The document of a result file.

    Parameters
    ----------
    case_name : name or file of its case; else the bundled case that it names

    Raises
    ------
    InputError
        If the file is no result, was edited, or does not belong to the case.
    """
    raw = read_file(file, read_document).raw
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or kind != "result":
        rule = "must be a result (what `solve --json` and `solve --out` write)"
        raise InputError([Problem(file, "kind", str(kind)[:80], rule)])
    name = case_name or str(raw.get("instance"))
    if case_name is None and name not in names():
        rule = "no bundled case of this name: name its case, too"
        raise InputError([Problem(file, "instance", name[:80], rule)])
    case = load_case(name)
    case = restated(raw, name, case) or case
    if raw.get("schedule") is None and raw.get("status") in ("infeasible", "unknown"):
        check_document(raw, case, file)
        check_notes(raw, case, file)
        return Document(raw, case, None)
    return Document(raw, case, checked_schedule(raw, case, file))


def result_of_file(file: str, case_name: str | None = None) -> Result:
    """A result as `solve` gave it, from the file; raises InputError."""
    document = checked_document(file, case_name)
    raw, case, judge = document.raw, document.case, Judge(document.case)
    certificate = dict(raw["certificate"])
    certificate["reductions"] = tuple(Step(**step) for step in certificate["reductions"])
    certificate["doubts"] = tuple(certificate["doubts"])
    standard = standard_schedule(case)
    return Result(
        instance=raw["instance"],
        status=raw["status"],
        objective=raw["objective"],
        bound=raw["bound"],
        unit=raw["gap_unit"],
        requested_gap=raw["requested_gap"],
        certificate=Certificate(**certificate),
        schedule=document.schedule,
        evaluation=None if document.schedule is None else judge.evaluate(document.schedule),
        standard=None if standard is None else judge.evaluate(standard),
        solver=SolverRun(**raw["solver"] | {"seconds": _whole_milliseconds(raw)}),
        seed=raw["seed"],
        notes=tuple(_note(note) for note in raw["notes"]),
        case=case,
    )


def _whole_milliseconds(raw: dict[str, Any]) -> float:
    """The time of a document without the digits that check it."""
    return math.floor(1000.0 * float(raw["solver"]["seconds"]) + 1e-6) / 1000.0


def _note(raw: dict[str, str]) -> Note:
    """A note; one that is a remark though its kind is a warning says that it is meant."""
    plain = Note(raw["kind"], raw["place"], raw["text"])
    meant = raw["level"] == "note" and plain.level == "warning"
    return Note(plain.kind, plain.place, plain.text, meant)
