"""The page that the campaign writes: environment, seeds, counts and faults of every part."""

from __future__ import annotations

from collections import Counter
from typing import Any

WHAT = {
    "optima": "Tiny random cases of all objectives and kinds of limit, every schedule judged: "
    "search, free search, the one programme (`single`), with presolve and without, against it.",
    "members": "Small random cases with three to twelve members, every schedule judged in all of "
    "them: the search over members by mean, tails, worst member and regret, and one programme.",
    "observations": "Decisions in two stages, against every first stage and continuation.",
    "schedules": "Feasible schedules of the bundled cases, random and climbing, against the "
    "proven bound of their case.",
    "inputs": "Mutated cases, schedules, results, evaluations, solutions and options, by the "
    "command line and the library.",
    "faults": "Faults at the boundary of the solver: limits, errors, wrong, perturbed and "
    "not-a-number answers.",
    "kills": "Killed at each write, sync and rename of a file: the old file or the new one.",
    "bombs": "Inputs meant to use up time or memory: refused, with time and memory measured.",
    "environment": "Closed stdout, a full disk, no home, other locale and hash seeds, `-W error`, "
    "`-O`, a folder that cannot be written to, threads and processes: the same answers.",
}
MOST_FAULTS = 40
HIDDEN = ("feasible of ", "refused: ")


def page(lines: list[dict[str, Any]], machine: dict[str, Any], versions: dict[str, str]) -> str:
    """Markdown of all parts that were run."""
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    text = [
        "# Reliability",
        "",
        "What was attacked, how often, and what was found. Written by "
        "`python benchmarks/studies/reliability.py --write`; any seed can be run again with "
        "`--parts PART --seed SEED --count 1`.",
        "",
        f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores; {named}.",
        "",
        "Sources are named by the digest of their files, the latest last; a fault stands with the "
        "version it was found in.",
        "",
        "| sources | part | seeds | items | faults | processor seconds | last block (UTC) |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = [
        (version, part, members)
        for version in dict.fromkeys(line["sources"] for line in lines)
        for part in WHAT
        if (members := [x for x in lines if (x["sources"], x["part"]) == (version, part)])
    ]
    text += [_row(version, part, members) for version, part, members in groups]
    for version, part, members in groups:
        text += _section(version, part, members)
    return "\n".join(text) + "\n"


MAIN = {
    "optima": "cases",
    "members": "cases",
    "observations": "decisions",
    "schedules": "feasible schedules",
    "inputs": "inputs",
    "faults": "solves with a fault",
    "kills": "kills",
    "bombs": "bombs",
    "environment": "surroundings",
}
"""The count of a part that says how much was done."""


def _counts(lines: list[dict[str, Any]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(line["counts"])
    return counts


def _row(version: str, part: str, lines: list[dict[str, Any]]) -> str:
    seeds = f"{min(line['first'] for line in lines)} to {max(line['last'] for line in lines) - 1}"
    missing = max(line["last"] for line in lines) - min(line["first"] for line in lines)
    missing -= sum(line["last"] - line["first"] for line in lines)
    seeds += f" without {missing}" if missing else ""
    items = f"{_counts(lines)[MAIN[part]]} {MAIN[part]}"
    faults = sum(len(line["faults"]) for line in lines)
    used = sum(line["processor_seconds"] for line in lines)
    ended = max(line["ended"] for line in lines)
    return f"| {version} | {part} | {seeds} | {items} | {faults} | {used:.0f} | {ended} |"


def _section(version: str, part: str, lines: list[dict[str, Any]]) -> list[str]:
    counts = _counts(lines)
    shown = {k: n for k, n in sorted(counts.items()) if n and not k.startswith(HIDDEN)}
    text = ["", f"## {part}, sources {version}", "", WHAT[part], ""]
    text.append("; ".join(f"{name} {number}" for name, number in shown.items()) + ".")
    faults = [fault for line in lines for fault in line["faults"]]
    if faults:
        text += ["", f"Faults ({len(faults)}):", ""]
        text += [f"* `{fault.replace('`', '')}`" for fault in faults[:MOST_FAULTS]]
    return text
