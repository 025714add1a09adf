"""What `compare` is called with, sorted out and read: cases, results, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem, load, names
from abscopt.optimizer.crosscheck.compare import Finding
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.reading.changed import restated
from abscopt.optimizer.results.reading.recheck import check_notes, checked_schedule
from abscopt.optimizer.results.reading.schedule_files import (
    Document,
    read_document,
    schedule_of_file,
)
from abscopt.optimizer.results.result import check_document, instance_digest

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.instances.schema import Instance


def results_and_schedules(
    files: list[tuple[str, Document]], cases: list[Instance], cross: bool
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Results with a case of their own, and files whose schedule is judged on the cases named."""
    digests = {instance_digest(instance) for instance in cases}
    results, schedules = [], []
    for path, document in files:
        raw = document.raw
        alone = "kind" not in raw
        if alone or (cross and cases and raw.get("instance_digest") not in digests):
            schedules.append(path)
        else:
            results.append((path, raw))
        if alone and not cases:
            rule = "is a schedule of no case; name the cases it is to be judged on"
            raise InputError([Problem(path, "file", "no case", rule)])
    return results, schedules


def judged_schedule(file: str, instance: Instance, cross: bool) -> Finding:
    """Finding of a schedule that makes no claim about this case."""
    schedule = schedule_of_file(file, instance, cross=cross)
    evaluation = Judge(instance).evaluate(schedule)
    broken = [*evaluation.obstacles, *evaluation.broken_limits]
    return Finding(
        source="schedule",
        solver=f"file {file}",
        name=f"{file} (schedule)",
        version=None,
        status="feasible" if evaluation.admissible else "breaks_limits",
        schedule=schedule,
        evaluation=evaluation,
        message=f"breaks {', '.join(broken)}" if broken else "",
    )


def files_and_cases(
    arguments: Sequence[str], changes: Sequence[Change]
) -> tuple[list[tuple[str, Document]], list[Instance]]:
    """Results and schedules, and cases, among the arguments."""
    files, cases, wrong = [], [], []
    for argument in arguments:
        try:
            raw = _document(argument)
            if raw is None:
                cases.append(load(argument, changes))
            else:
                files.append((argument, raw))
        except InputError as error:
            wrong += error.problems
        except OSError as error:
            reason = error.strerror or "unreadable"
            wrong.append(Problem(argument[:80], "path", reason, "must be readable"))
    if wrong:
        raise InputError(wrong)
    return files, cases


def _document(argument: str) -> Document | None:
    """A result or schedule in a file; None for a case."""
    path = Path(argument)
    if argument in names() or path.suffix.lower() not in (".json", ".csv") or not path.exists():
        return None
    document = read_document(path)
    raw = document.raw
    if not isinstance(raw, dict):
        return None
    if "kind" not in raw:
        return document if {"fractions", "doses_of_drugs", "schedule"} & set(raw) else None
    if raw["kind"] != "result":
        rule = "must be 'result' (what `solve --json` writes)"
        raise InputError([Problem(argument, "kind", str(raw["kind"])[:80], rule)])
    return document


def case_of_result(raw: dict[str, Any], file: str, cases: list[Instance]) -> Instance:
    """The case a result names: one given in the same call, else the bundled one."""
    name = raw.get("instance")
    same = [instance for instance in cases if instance.name == name]
    for instance in same:
        if instance_digest(instance) == raw.get("instance_digest"):
            return instance
    if same:
        return same[0]
    if name not in names():
        rule = "no bundled case of this name; give its case file in the same call"
        raise InputError([Problem(file, "instance", str(name)[:80], rule)])
    bundled = load(str(name))
    return restated(raw, bundled.name, bundled) or bundled


def read_result(raw: dict[str, Any], instance: Instance, file: str) -> Finding:
    """Finding of a result file, checked against its case and judged again."""
    schedule, evaluation = None, None
    if raw.get("schedule") is None and raw.get("status") in ("infeasible", "unknown"):
        check_document(raw, instance, file)
        check_notes(raw, instance, file)
    else:
        schedule = checked_schedule(raw, instance, file)
        evaluation = Judge(instance).evaluate(schedule)
    solver = raw["solver"]
    return Finding(
        source="file",
        solver=f"file {file}",
        name=f"{file} ({solver.get('name')})",
        version=str(solver.get("version")),
        status=raw["status"],
        schedule=schedule,
        evaluation=evaluation,
        bound=raw.get("bound"),
        claimed_bound=raw.get("bound"),
        seconds=solver.get("seconds"),
        nodes=solver.get("nodes"),
    )
