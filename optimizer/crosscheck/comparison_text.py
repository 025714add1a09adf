"""A comparison as text: proofs, schedules, control of each lesion, and the reason of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abscopt.optimizer.crosscheck.comparison import (
    Compared,
    csv_text,
    document,
    rows,
    stated_changes,
    verdicts,
)
from abscopt.optimizer.results.result import DISCLAIMER
from abscopt.optimizer.results.text.plain import plain_table, plain_text

__all__ = ["csv_text", "document", "report"]

SHOWN = 3
"""So many events of each side are printed where two schedules differ."""
REFERENCE_WORDS = {
    "agree": "agrees with the known optimum",
    "above": "is above the bound of the known optimum: one of the two is wrong",
    "below": "excludes the known schedule: one of the two is wrong",
    "open": "is not proved; the known optimum is not contradicted",
    "other_case": "the case is not the one of the known optimum",
    "absent": "no optimum is known",
}


def report(compared: Sequence[Compared]) -> str:
    """The rows as a table for a person, and the reason of every verdict."""
    proof = plain_table(
        "Comparison", "Case", "Solver", "Status", ">Objective", ">Bound", ">Gap", "", ">Gain",
        "Verdict",
    )  # fmt: skip
    plans = plain_table(
        "Schedules", "Case", "Solver", ">Seconds", ">Nodes", "Doses (Gy, first day)",
        "Drug starts", "Binding limits",
    )  # fmt: skip
    for table, words in ((proof, ("Status", "Verdict")), (plans, ())):
        for column in table.columns:
            column.no_wrap = column.header in words
    for row in rows(compared):
        version = "" if row["source"] in ("file", "schedule") else f" {row['version'] or ''}"
        proof.add_row(
            row["case"],
            f"{row['solver']}{version}",
            row["status"],
            *(_number(row[key], 4) for key in ("objective", "bound", "gap")),
            row["gap_unit"],
            _number(row["gain_over_standard"], 4, "+") + ("!" if row["standard_breaks"] else ""),
            row["verdict"] or "",
        )
        plans.add_row(
            row["case"],
            row["solver"],
            _number(row["seconds"], 2),
            "-" if row["nodes"] is None else str(row["nodes"]),
            *(", ".join(row[key]) or "-" for key in ("doses", "drug_starts", "binding_limits")),
        )
    lines: list[object] = [proof, plans, *_control(compared)]
    for entry in verdicts(compared):
        line = f"{entry['case']}, {entry['solver']} against {entry['reference']}: "
        line += f"{entry['verdict']}: {entry['reason']}"
        lines += [line, *_difference_lines(entry)]
    assumed = {(row["case"], line): None for row in rows(compared) for line in row["assumes"]}
    lines += [f"{case}, one MILP: {line}" for case, line in assumed]
    for row in rows(compared):
        if row["status"] in ("not_installed", "breaks_limits"):
            lines.append(f"{row['case']}, {row['solver']}: {row['message']}")
    lines += [*_standards(compared), *_references(compared)]
    for name, texts in stated_changes(compared).get("changes", {}).items():
        lines += [f"{name} changed: {text}" for text in texts]
    return plain_text([*lines, "", DISCLAIMER])


def _difference_lines(entry: dict[str, Any]) -> list[str]:
    """How many fractions and doses differ between two schedules, and the first of each."""
    differences = entry["differences"]
    if not differences or not differences["count"]:
        return []
    lines = [f"  {differences['count']} fractions or doses differ:"]
    sides = (("solver", "only_here"), ("reference", "only_in_reference"))
    for who, key in sides:
        events = differences[key]
        lines += [f"    {entry[who]} only: {event}" for event in events[:SHOWN]]
        if len(events) > SHOWN:
            lines.append(f"    {entry[who]} only: and {len(events) - SHOWN} more")
    return lines


def _control(compared: Sequence[Compared]) -> list[object]:
    """Control at the last horizon, with what it is above the baseline's where there is one."""
    table = plain_table("Control of each lesion at the last horizon", "Case", "Solver", "Control")
    for row in rows(compared):
        if row["control"]:
            before = row["baseline_control"]
            words = (
                f"{lesion} {100 * value:.1f} %"
                + (f" ({100 * (value - before[lesion]):+.1f})" if lesion in before else "")
                for lesion, value in row["control"].items()
            )
            table.add_row(row["case"], row["solver"], ", ".join(words))
    return [table] if table.row_count else []


def _standards(compared: Sequence[Compared]) -> list[str]:
    """Standard regimens that are not allowed, and what each answer gains over the baseline."""
    lines = []
    for row in {row["case"]: row for row in rows(compared)}.values():
        if row["standard_breaks"]:
            breaks = ", ".join(row["standard_breaks"])
            lines.append(f"{row['case']} !: the standard regimen breaks {breaks}")
    for row in rows(compared):
        if row["gain_over_baseline"] is not None:
            gain = f"{row['gain_over_baseline']:+.4f} {row['gap_unit']}"
            lines.append(f"{row['case']}, {row['solver']}: {gain} over the baseline")
    return lines


def _references(compared: Sequence[Compared]) -> list[str]:
    """How each answer stands to the known optimum."""
    lines = []
    for row in rows(compared):
        if row["reference_verdict"] is not None:
            words = REFERENCE_WORDS[row["reference_verdict"]]
            known = _number(row["reference_objective"], 4)
            bound = _number(row["reference_bound"], 4)
            lines.append(f"{row['case']}, {row['solver']}: {words} ({known}, bound {bound})")
    return lines


def _number(value: float | None, digits: int, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.{digits}f}"
