"""Cases, result files and solvers in one comparison: rows, verdicts, document, CSV and text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.crosscheck import cells
from abscopt.optimizer.crosscheck.arguments import (
    case_of_result,
    files_and_cases,
    judged_schedule,
    read_result,
    results_and_schedules,
)
from abscopt.optimizer.crosscheck.beside import Beside, beside
from abscopt.optimizer.crosscheck.compare import (
    Finding,
    Verdict,
    find,
    find_by_search,
    refutation,
    schedule_difference,
    verdict,
)
from abscopt.optimizer.crosscheck.engines import ENGINES
from abscopt.optimizer.progress import Listener, Progress
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT, instance_digest
from abscopt.optimizer.results.text.csv_rows import csv_rows

if TYPE_CHECKING:
    from abscopt.instances.changes.change import Change
    from abscopt.instances.schema import Instance

REFERENCE = "highs"
STATUSES = ("optimal", "feasible", "infeasible", "unknown")
COLUMNS = (
    "case", "source", "solver", "version", "status", "objective", "bound", "gap", "gap_unit",
    "seconds", "nodes", "sites", "doses", "drug_starts", "binding_limits", "standard_objective",
    "gain_over_standard", "verdict", "differences", "message", "control", "standard_breaks",
    "baseline_objective", "gain_over_baseline", "baseline_control", "reference_objective",
    "reference_bound", "reference_verdict", "assumes",
)  # fmt: skip


@dataclass
class Compared:
    """One case with everything found for it; the first finding is the reference."""

    instance: Instance
    gap: float
    findings: list[Finding]
    beside: Beside

    @property
    def verdicts(self) -> list[Verdict | None]:
        """Verdict on each finding; None for the reference, unless it is wrong by itself."""
        reference, *findings = self.findings
        of_reference = verdict(reference, reference, self.gap)
        verdicts: list[Verdict | None] = [
            of_reference if of_reference.verdict == "disagree" else None
        ]
        for finding in findings:
            if finding.source == "schedule":
                verdicts.append(refutation(finding, reference))
                continue
            absent = "not_installed" in (finding.status, reference.status)
            verdicts.append(None if absent else verdict(finding, reference, self.gap))
        return verdicts


@dataclass(frozen=True)
class Options:
    """How every case is solved."""

    gap: float | None = None
    time_limit: float | None = None
    threads: int = 1
    seed: int = 0


def compare(
    arguments: Sequence[str],
    solvers: Sequence[str],
    options: Options,
    listener: Listener,
    *,
    cross: bool = False,
    changes: Sequence[Change] = (),
    baseline: str | None = None,
    by_reference: bool = False,
) -> list[Compared]:
    """Everything that the arguments name, solved, read or both; raises InputError.

    With solvers, each case also goes through HiGHS, the reference, and through each of them. A
    schedule that belongs to no case is judged on every case named; with `cross`, so are the
    schedules of results of other cases. `changes` are made in every case named. A baseline (file
    of a result or schedule) and, `by_reference`, the known optimum stand beside each case.
    """
    files, cases = files_and_cases(arguments, changes)
    compared: dict[str, Compared] = {}
    results, schedules = results_and_schedules(files, cases, cross)
    read = [(path, raw, case_of_result(raw, path, cases)) for path, raw in results]
    for instance in [*cases, *(instance for _, _, instance in read)]:
        gap = instance.objective.gap if options.gap is None else options.gap
        context = beside(instance, baseline, by_reference, cross)
        compared.setdefault(instance_digest(instance), Compared(instance, gap, [], context))
    named = {instance_digest(instance) for instance in cases}
    from_files: dict[str, list[Finding]] = {
        instance_digest(instance): [judged_schedule(path, instance, cross) for path in schedules]
        for instance in cases
    }
    for path, raw, instance in read:
        from_files.setdefault(instance_digest(instance), []).append(
            read_result(raw, instance, path)
        )
    tell = _Progress(listener)
    for digest, of_case in compared.items():
        if solvers:
            keys = [REFERENCE, *(key for key in ENGINES if key in solvers and key != REFERENCE)]
            of_case.findings += [_found(of_case, key, options, tell) for key in keys]
        if digest in named or solvers:
            listener_of_search = tell.of(f"{of_case.instance.name} abscopt")
            of_case.findings.append(
                find_by_search(of_case.instance, **vars(options), listener=listener_of_search)
            )
        of_case.findings += from_files.get(digest, [])
    return list(compared.values())


def _found(compared: Compared, key: str, options: Options, tell: _Progress) -> Finding:
    listener = tell.of(f"{compared.instance.name} {key}")
    return find(compared.instance, ENGINES[key], **vars(options), listener=listener)


class _Progress:
    """One clock over all solves; every report says case and solver."""

    def __init__(self, listener: Listener):
        self._listener = listener
        self._start = time.perf_counter()

    def of(self, label: str) -> Listener:
        """Listener for one solve."""

        def told(progress: Progress) -> None:
            elapsed = time.perf_counter() - self._start
            phase = f"{label}: {progress.phase}"
            self._listener(replace(progress, phase=phase, elapsed=elapsed))

        return told


def disagreement(compared: Sequence[Compared]) -> bool:
    """Whether any finding disagrees with its reference, or with the known optimum."""
    return any(
        judged is not None and judged.verdict == "disagree"
        for of_case in compared
        for judged in of_case.verdicts
    ) or any(row["reference_verdict"] in ("above", "below") for row in rows(compared))


def rows(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """One row of plain data per finding; lists where a cell has several entries."""
    table = []
    for of_case in compared:
        standard = of_case.beside.standard
        for finding, judged in zip(of_case.findings, of_case.verdicts, strict=True):
            value = finding.value
            differences = None if judged is None else _differences(of_case, finding)
            gain = None if value is None or standard is None else value - standard.objective
            table.append(
                {
                    "case": of_case.instance.name,
                    "source": finding.source,
                    "solver": finding.name,
                    "version": finding.version,
                    "status": finding.status,
                    "objective": value,
                    "bound": finding.bound,
                    "gap": finding.gap,
                    "gap_unit": of_case.instance.objective.unit,
                    "seconds": None if finding.seconds is None else round(finding.seconds, 3),
                    "nodes": finding.nodes,
                    "sites": cells.sites(finding.schedule, of_case.instance),
                    "doses": cells.doses(finding.schedule, of_case.instance),
                    "drug_starts": cells.drug_starts(finding.schedule),
                    "binding_limits": cells.binding(finding.evaluation),
                    "standard_objective": None if standard is None else standard.objective,
                    "gain_over_standard": gain,
                    "verdict": None if judged is None else judged.verdict,
                    "differences": None if differences is None else differences["count"],
                    "message": finding.message,
                    **of_case.beside.cells(finding),
                    "assumes": list(finding.assumes),
                }
            )
    return table


def verdicts(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """One entry per finding that was held against a reference."""
    entries = []
    for of_case in compared:
        reference = of_case.findings[0]
        for finding, judged in zip(of_case.findings, of_case.verdicts, strict=True):
            if judged is not None:
                entries.append(
                    {
                        "case": of_case.instance.name,
                        "solver": finding.solver,
                        "reference": reference.solver,
                        "verdict": judged.verdict,
                        "reason": judged.reason,
                        "differences": _differences(of_case, finding),
                    }
                )
    return entries


def _differences(compared: Compared, finding: Finding) -> dict[str, Any] | None:
    """What only one of a finding and its reference has; None where either has no schedule."""
    theirs = compared.findings[0].schedule
    if finding.schedule is None or theirs is None:
        return None
    return schedule_difference(finding.schedule, theirs)


def document(compared: Sequence[Compared]) -> dict[str, Any]:
    """What `compare --json` prints."""
    return {
        "format": FORMAT,
        "kind": "comparison",
        "notice": DISCLAIMER,
        "gaps": {of_case.instance.name: of_case.gap for of_case in compared},
        **stated_changes(compared),
        "rows": rows(compared),
        "verdicts": verdicts(compared),
    }


def stated_changes(compared: Sequence[Compared]) -> dict[str, Any]:
    """What was changed in which case; empty where nothing was."""
    stated = {x.instance.name: list(x.instance.changes) for x in compared if x.instance.changes}
    return {"changes": stated} if stated else {}


def csv_text(compared: Sequence[Compared]) -> str:
    """The rows as CSV; control of each lesion as `name probability`."""
    listed = rows(compared)
    for row in listed:
        for key in ("control", "baseline_control"):
            row[key] = [f"{lesion} {value!r}" for lesion, value in row[key].items()]
    return csv_rows(COLUMNS, listed)
