"""Documents read back: a schedule's own claims against the judge, leaf by leaf."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, TypeGuard

from abscopt.instances.load import InputError, Problem
from abscopt.instances.reading.problems import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abscopt.instances.checks.notes import Note
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.evaluation import Evaluation
    from abscopt.optimizer.schedule import Schedule


def evaluation_document(
    evaluation: Evaluation, schedule: Schedule, instance: Instance
) -> dict[str, Any]:
    """The sealed document that `evaluate --json` prints."""
    from abscopt.optimizer.audit import evaluation_notes
    from abscopt.optimizer.results.result import sealed

    document = _verdict_of(evaluation, schedule, instance)
    return sealed(document | {"notes": _plain(evaluation_notes(instance, evaluation))})


def _verdict_of(evaluation: Evaluation, schedule: Schedule, instance: Instance) -> dict[str, Any]:
    """A document of a schedule and what the judge says of it, without notes and seal."""
    from abscopt.optimizer.results.result import heading

    return {
        **heading("evaluation", instance),
        "schedule": schedule.to_json(instance),
        "evaluation": evaluation.to_json(),
    }


def _plain(notes: Iterable[Note]) -> list[dict[str, str]]:
    return [note.to_json() for note in notes]


def checked_schedule(
    raw: Any, instance: Instance, file: str, *, cross: bool = False, words: bool = True
) -> Schedule:
    """Schedule of a file; a document that makes claims must agree with the judge.

    Parameters
    ----------
    cross : whether it may come from another case: it must be as it was written, and what it claims
        holds for its own case only
    words : whether its notes are made again as well: some judge twenty schedules
    """
    from abscopt.optimizer.results.result import instance_digest
    from abscopt.optimizer.schedule import read_schedule

    plan = _schedule_table(raw, file)
    if "kind" not in raw:
        return read_schedule(plan, instance, file)
    if cross and raw.get("instance_digest") != instance_digest(instance):
        if problems := _seal_problems(raw, None, file):
            raise InputError(first_of(problems))
        return read_schedule(plan, instance, file)
    problems = _seal_problems(raw, instance, file)
    if any(problem.place == "instance_digest" for problem in problems):
        raise InputError(first_of(problems))
    schedule = read_schedule(plan, instance, file)
    problems += _claim_problems(raw, schedule, instance, file, words)
    if problems:
        raise InputError(first_of(problems))
    return schedule


def _schedule_table(raw: Any, file: str) -> Any:
    """The table of fractions and doses in a schedule file or in a document of ours."""
    if not isinstance(raw, dict):
        raise InputError([Problem(file, "file", type(raw).__name__, "must be one JSON object")])
    kind = raw.get("kind")
    if "kind" in raw and kind not in ("result", "evaluation"):
        rule = "must be 'result' or 'evaluation'; leave it out in a plain schedule"
        raise InputError([Problem(file, "kind", str(kind)[:80], rule)])
    if "kind" not in raw and "schedule" not in raw:
        if not {"fractions", "doses_of_drugs"} & set(raw):
            rule = "needs fractions, doses_of_drugs or schedule"
            raise InputError([Problem(file, "file", str(sorted(raw))[:80], rule)])
        return raw
    plan = raw.get("schedule")
    if not isinstance(plan, dict):
        rule = "there is no schedule to judge" if plan is None else "must be a table"
        raise InputError([Problem(file, "schedule", json.dumps(plan)[:80], rule)])
    extra = [Problem(file, key[:80], key[:80], "unknown key") for key in raw if key != "schedule"]
    if extra and "kind" not in raw:
        raise InputError(extra)
    return plan


def _seal_problems(raw: dict[str, Any], instance: Instance | None, file: str) -> list[Problem]:
    """Whether a document belongs to this case (if one is given) and is as it was written."""
    from abscopt.optimizer.results.result import check_document, check_seal

    if raw["kind"] == "evaluation" and "solver" in raw:
        return [Problem(file, "solver", "solver", "unknown key")]
    if raw["kind"] == "result" and not isinstance(raw.get("solver"), dict):
        return [Problem(file, "solver", str(raw.get("solver"))[:80], "must be a table")]
    try:
        if instance is None:
            check_seal(raw, file)
        else:
            check_document(raw, instance, file)
    except InputError as error:
        return error.problems
    return []


def _claim_problems(
    raw: dict[str, Any], schedule: Schedule, instance: Instance, file: str, words: bool
) -> list[Problem]:
    """Every claim of a document that the judge does not confirm; its notes only with `words`."""
    from abscopt.optimizer.audit import case_audit, evaluation_notes, notes_beside
    from abscopt.optimizer.evaluation import Judge
    from abscopt.optimizer.results.result import differences
    from abscopt.optimizer.schedule import standard_schedule

    judge = Judge(instance)
    evaluation = judge.evaluate(schedule)
    judged = _verdict_of(evaluation, schedule, instance)
    judged.pop("changes", None)  # words: the digest of the case says whether it is the same
    if raw["kind"] == "evaluation":
        if "notes" in raw and words:  # older documents have none
            judged["notes"] = _plain(evaluation_notes(instance, evaluation))
        unjudged = {"digest", "changes"} | (set() if words else {"notes"})
        claimed = {k: value for k, value in raw.items() if k not in unjudged}
        places = differences(claimed, judged, "")
        return [_disagreement(claimed, judged, place, file) for place in places]
    standard = standard_schedule(instance)
    judged |= {
        "kind": "result",
        "objective": evaluation.objective,
        "gap_unit": evaluation.unit,
        "standard": None if standard is None else judge.evaluate(standard).to_json(),
    }
    claimed = {key: raw.get(key) for key in judged}
    places = differences(claimed, judged, "")
    problems = [_disagreement(claimed, judged, place, file) for place in places]
    problems += _proof_problems(raw, evaluation, file)
    if not words:
        return problems
    proved = raw.get("status") == "optimal"
    notes = notes_beside(judge, case_audit(instance), schedule, evaluation, proved)
    return problems + _note_problems(raw, _plain(notes), file)


def check_notes(raw: dict[str, Any], instance: Instance, file: str) -> None:
    """Raise InputError if the notes of a result without schedule are not those of its case."""
    from abscopt.optimizer.audit import case_audit

    if problems := _note_problems(raw, _plain(case_audit(instance).notes), file):
        raise InputError(first_of(problems))


def _note_problems(raw: dict[str, Any], expected: list[dict[str, str]], file: str) -> list[Problem]:
    """Notes of a result that do not follow; results of before there were notes have none."""
    if "notes" not in raw:
        return []
    stated = raw["notes"]
    if not isinstance(stated, list) or len(stated) != len(expected):
        return [_disagreement(raw, {"notes": expected}, "notes", file)]
    return [
        _disagreement(raw, {"notes": expected}, f"notes[{i}]", file)
        for i, (note, right) in enumerate(zip(stated, expected, strict=True))
        if not _same_note(note, right)
    ]


DECIMAL = re.compile(r"([-+]?\d+\.\d+(?:e[-+]?\d+)?|[-+]?\d+e[-+]?\d+)")
LAST_DIGIT = 2e-3
"""Relative difference of numbers in sentences: they have four digits, and machines round the last
differently."""


def _same_note(note: Any, expected: dict[str, str]) -> bool:
    """Whether two notes say the same; numbers with a point may differ in the last digit."""
    if not isinstance(note, dict) or not isinstance(note.get("text"), str):
        return False
    if note | {"text": ""} != expected | {"text": ""}:
        return False
    (words, numbers), (expected_words, right) = (
        _parted(text) for text in (note["text"], expected["text"])
    )
    return words == expected_words and all(
        math.isclose(a, b, rel_tol=LAST_DIGIT, abs_tol=1e-9)
        for a, b in zip(numbers, right, strict=True)
    )


def _parted(text: str) -> tuple[list[str], list[float]]:
    """Words of a sentence, and the numbers with a point between them."""
    pieces = DECIMAL.split(text)
    return pieces[::2], [float(number) for number in pieces[1::2]]


def _proof_problems(raw: dict[str, Any], evaluation: Evaluation, file: str) -> list[Problem]:
    """Whether bound, gap and status of a result fit the judged objective."""
    bound, asked, gap = raw.get("bound"), raw.get("requested_gap"), raw.get("gap")
    if not _is_number(asked) or asked <= 0:
        return [Problem(file, "requested_gap", str(asked), "must be a positive number")]
    if bound is not None and not _is_number(bound):
        return [Problem(file, "bound", str(bound), "must be a number or null")]
    judged = None if bound is None else max(0.0, bound - evaluation.objective)
    problems = []
    if bound is not None and bound < evaluation.objective - 1e-6 * max(1.0, abs(bound)):
        rule = f"below the judge's objective {evaluation.objective!r}"
        problems.append(Problem(file, "bound", str(bound), rule))
    if (judged is None) != (gap is None) or (
        judged is not None
        and not (_is_number(gap) and math.isclose(gap, judged, rel_tol=1e-9, abs_tol=1e-9))
    ):
        rule = f"bound minus objective is {judged!r}"
        problems.append(Problem(file, "gap", str(gap), rule))
    proven = judged is not None and judged <= asked * (1 + 1e-9)
    if raw.get("status") != ("optimal" if proven else "feasible"):
        rule = f"a gap of {judged!r} with {asked!r} asked for does not have this status"
        problems.append(Problem(file, "status", str(raw.get("status")), rule))
    if not evaluation.admissible:
        broken = [*evaluation.broken_limits, *evaluation.obstacles]
        problems.append(Problem(file, "schedule", str(broken), "a result must break no limit"))
    return problems


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _disagreement(claimed: Any, judged: Any, place: str, file: str) -> Problem:
    value, expected = (json.dumps(_at(tree, place)) for tree in (claimed, judged))
    return Problem(file, place, _clipped(value), f"the judge finds {_clipped(expected)}")


def _at(tree: Any, place: str) -> Any:
    """Value at a place like `lesions[0].dose_gy` of a JSON tree; None if there is none."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        if key and isinstance(tree, dict):
            tree = tree.get(key)
        elif index and isinstance(tree, list) and int(index) < len(tree):
            tree = tree[int(index)]
        else:
            return None
    return tree


def _clipped(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
