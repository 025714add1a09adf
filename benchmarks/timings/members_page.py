"""`MEMBERS.md` from what `members.py` stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from markdown_tables import Figures, cell, environment_line, prose, rows

SIZES = 3
"""Numbers of members from which on a slope is told."""
RIVALS = {"programme": "one MILP", "evolution": "differential evolution"}


def page(table: Figures, lacking: list[Figures]) -> str:
    """Decisions, growth with members, rivals, what was not reached and what was not run."""
    return "\n".join(_lines(table, lacking)).rstrip() + "\n"


def exponents(decisions: list[Figures]) -> dict[tuple[str, str, str], tuple[list[int], float]]:
    """Sizes and slope of log CPU seconds in log members, by (case, risk, ensemble).

    Least squares over the decisions that reached their gap, from three sizes on.
    """
    groups: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
    for row in decisions:
        if row.get("status") == "optimal":
            key = row["case"], row["risk"], row["ensemble"]
            groups[key].append((row["members"], row["cpu"]))
    slopes = {}
    for key, points in groups.items():
        sizes, seconds = zip(*sorted(points), strict=True)
        if len(set(sizes)) >= SIZES:
            slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            slopes[key] = list(sizes), float(slope)
    return slopes


def _lines(table: Figures, lacking: list[Figures]) -> Iterator[str]:
    decisions = table["rows"]
    yield from ["# Deciding for many parameter sets", ""]
    yield from prose("""
        What a decision for the members of an ensemble costs, beside the solve of the case as it is
        stated (nominal) and two rivals. Written by `python benchmarks/timings/members.py --write`.
        """)
    yield from [environment_line(table), ""]
    yield from prose(f"""
        Each run is a process of its own and was run once; the gap asked for is {table["gap"]:g}
        nat. `alone` are the CPU seconds within it that went into solves of single parameter sets:
        the case as it is stated and, for regret, the optimum of every member. Fewer members of
        `plausible-100` than 100 are its first ones with equal weights. Other work that runs on
        the machine adds to all times: `load` are the processes that ran there in the last minute of
        a run, on average, its own included (a dash where it was not recorded).
        """)
    yield from rows(
        ["case", "risk", "ensemble", "members", "CPU s", "alone s", "× nominal", "status",
         "objective", "bound", "gap", "nodes", "peak MB", "load"],
        (_decision(row, table["nominal"]) for row in decisions),
    )  # fmt: skip
    nominal = [(name, found) for name, found in table["nominal"].items() if "cpu" in found]
    seconds = ", ".join(f"{name} {found['cpu']:.2f} s" for name, found in nominal)
    yield from [f"Nominal: {seconds} CPU.", ""]
    yield from _growth(decisions)
    yield from _rivals(decisions)
    yield from _unreached(decisions, lacking)


def _decision(row: Figures, nominal: Figures) -> list[str]:
    share = None
    if "cpu" in row and "cpu" in nominal[row["case"]]:
        share = row["cpu"] / nominal[row["case"]]["cpu"]
    return [
        row["case"], row["risk"], row["ensemble"], str(row["members"]),
        cell(row.get("cpu"), 1), cell(row.get("alone"), 1), cell(share, 1),
        row.get("status", "-"), cell(row.get("objective")), cell(row.get("bound")),
        cell(row.get("gap"), 3), cell(row.get("nodes")), cell(row.get("peak_mb"), 0),
        cell(row.get("load"), 1),
    ]  # fmt: skip


def _growth(decisions: list[Figures]) -> Iterator[str]:
    yield from ["## Growth with members", ""]
    slopes = exponents(decisions)
    for (case, risk, ensemble), (sizes, slope) in slopes.items():
        where = ", ".join(map(str, sizes))
        yield f"- {case}, {risk}, {ensemble}: CPU seconds grow as members^{slope:.2f} ({where})."
    if not slopes:
        yield f"No ensemble was decided at {SIZES} sizes."
    yield ""
    if slopes:
        yield from prose("Slopes of log CPU seconds in log members, least squares.")


def _rivals(decisions: list[Figures]) -> Iterator[str]:
    yield from ["## Rivals", ""]
    yield from prose("""
        Time is a multiple of the wall time of our decision. One MILP: the members as horizons of
        one mixed-integer programme in HiGHS (`--method single`); it begins with our nominal optimum
        and the standard regimen in hand, and building it is not interrupted, so that it may end
        late. Differential evolution (SciPy): our menu as numbers, every schedule judged in every
        member; tables of the menu are made before its clock starts, and it proves nothing.
        """)
    yield from rows(
        ["case", "risk", "members", "rival", "time", "CPU s", "objective", "ours", "bound",
         "our bound", "peak MB", "result"],
        (_rival(row, rival) for row in decisions for rival in row["rivals"]),
    )  # fmt: skip


def _rival(row: Figures, rival: Figures) -> list[str]:
    if "failure" in rival:
        result = rival["failure"]
    elif "schedules" in rival:
        result = f"{rival['schedules']} schedules judged"
    else:
        result = f"{rival['status']}, gap {cell(rival['gap'], 3)}, {cell(rival['nodes'])} nodes"
    return [
        row["case"], row["risk"], str(row["members"]), RIVALS[rival["rival"]],
        f"{rival['times']} ×", cell(rival.get("cpu"), 1), cell(rival.get("objective")),
        cell(row["objective"]), cell(rival.get("bound")), cell(row["bound"]),
        cell(rival.get("peak_mb"), 0), cell(" ".join(result.split())),
    ]  # fmt: skip


def _unreached(decisions: list[Figures], lacking: list[Figures]) -> Iterator[str]:
    """Our decisions that failed or ended at their limit of time, and those that were not run."""
    yield from ["## Not reached", ""]
    told = [_shortfall(row) for row in decisions if row.get("status") != "optimal"]
    told += [f"{_name(run)}: not run." for run in lacking]
    told += [
        f"{_name(row)}: {RIVALS[rival['rival']]} has no number."
        for row in decisions
        for rival in row["rivals"]
        if "failure" in rival
    ]
    yield from (f"- {sentence}" for sentence in told)
    if not told:
        yield "Every decision reached its gap and every rival has a number."


def _shortfall(row: Figures) -> str:
    if "failure" in row:
        return f"{_name(row)}: {' '.join(row['failure'].split())}"
    gap = cell(row["gap"], 3)
    return (
        f"{_name(row)}: {row['status']} at its limit of {row['limit']:g} s, with gap {gap} "
        f"(objective {cell(row['objective'])}, bound {cell(row['bound'])})."
    )


def _name(row: Figures) -> str:
    return f"{row['case']}, {row['risk']}, {row['members']} members of {row['ensemble']}"
