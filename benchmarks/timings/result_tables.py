"""The tables of `RESULTS.md`: from the stored figures of a part to lines of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from markdown_tables import Figures, cell, prose, rows

SOLVED = ("status", "seconds", "objective", "bound", "gap")


def solved(row: Figures) -> list[str]:
    """How a solve ended, after how many seconds, and with what."""
    digits = {"seconds": 1}
    return [cell(row.get(key), digits.get(key, 4)) for key in SOLVED]


def exact(found: Figures) -> Iterator[str]:
    """Our search, and every MILP solver on the one programme."""
    yield from prose(
        f"""
        `exact.py`: our search against the same choice as one MILP, gap
        {found.get("gap")} nat, stopped at {cell(found.get("limit"), 0)} s; logs in
        `logs/`. *level*: the reductions before the MILP; *given*: our answer in hand and
        as its start; *ratio*: its seconds over ours; more than that where it was stopped.
        `dominance` drops courses that another replaces; `bounds` also pairs of plan and course by
        one Lagrangian bound of ours for each set of plans, from a schedule of our local search;
        `released` by all bounds of our search. `class-tiny` fits Gurobi's licence: there Gurobi
        solves every round of the one MILP in place of HiGHS.
        """
    )

    def against() -> Iterator[list[str]]:
        for case in found.get("compared", []):
            for threads, row in case["ours"].items():
                yield [case["case"], "ours", "-", "-", threads, *solved(row), "-"]
            for row in case["single"]:
                settings = (row.get("level"), row.get("our_answer_given"), row.get("threads"))
                ratio = ("> " if row.get("status") == "limit" else "") + cell(row.get("ratio"), 1)
                method = "one MILP in " + ("Gurobi" if "solver" in row else "HiGHS")
                yield [case["case"], method, *map(cell, settings), *solved(row), ratio]

    yield from rows(("case", "method", "level", "given", "threads", *SOLVED, "ratio"), against())
    yield from prose(
        """
        The first programme of the one MILP, written to a file and solved by each solver at its
        defaults; *ratio*: our building, handing over and judging of it besides HiGHS, in all, over
        HiGHS alone.
        """
    )

    def alone() -> Iterator[list[str]]:
        for one in found.get("programmes", []):
            where = [one["case"], cell(one.get("level"))]
            for threads, row in one["layers"].items():
                yield [*where, "HiGHS through our layers", threads, *solved(row), "-"]
            for row in one["alone"]:
                who = [cell(row.get("solver")), cell(row.get("threads"))]
                yield [*where, *who, *solved(row), cell(row.get("ratio"), 3)]

    yield from rows(("case", "level", "solver", "threads", *SOLVED, "ratio"), alone())


def free_course(found: Figures) -> Iterator[str]:
    """Free courses: the search by days against the survivor-flow MILP, and alone."""
    settings = (found.get("against") or found.get("alone") or {}).get("environment", {})
    yield from prose(
        f"""
        `free_course.py`: free courses with immune release, gap {settings.get("gap")}
        nat; `varying`: sparing factors that change by day. *ratio*: CPU seconds of the
        survivor-flow MILP over ours; at least that where the MILP was stopped.
        """
    )

    def against() -> Iterator[list[str]]:
        for case, part in found.get("against", {}).items():
            for row in part if case != "environment" else []:
                ratio = ("" if row["milp"]["status"] == "optimal" else "> ") + cell(
                    row["cpu_ratio"], 1
                )
                for who in ("ours", "milp"):
                    cpu = cell(row[who].get("cpu_seconds"), 1)
                    last = ratio if who == "milp" else "-"
                    yield [case, cell(row["days"]), who, *solved(row[who]), cpu, last]

    if "against" in found:
        header = ("case", "days", "method", *SOLVED, "CPU seconds", "ratio")
        yield from rows(header, against())
    for sparing in ("constant", "varying"):
        curve = found.get("alone", {}).get(sparing)
        if curve:
            yield from [f"Ours alone, {sparing}: exponent {cell(curve['exponent'], 3)}.", ""]
            yield from rows(
                ("days", *SOLVED, "peak MB"),
                (
                    [cell(row["days"]), *solved(row), cell(row.get("peak_mb"), 0)]
                    for row in curve["rows"]
                ),
            )
    if "long" in found:
        yield from prose(
            """
            Ours alone: 30 weekdays x 25 doses for each lesion, five limits, sparing factors that
            change by day. `feasible` was stopped at its limit.
            """
        )
        yield from rows(
            ("lesions", "limit", *SOLVED, "peak MB"),
            (
                [cell(row["lesions"]), cell(row["limit"], 0), *solved(row), cell(row["peak_mb"], 0)]
                for row in found["long"]["rows"]
            ),
        )


def rivals(found: Figures) -> Iterator[str]:
    """Our search against metaheuristics and enumeration."""
    yield from prose(
        f"""
        `rivals.py`: each rival has our menu, our tables for value and feasibility (made
        before its clock starts), the coding that serves it best, and as much wall time as our
        search took for its proof; {found["seeds"]} seeds, {found["processes"]} at a time. Free
        courses (coding `days`) are valued by the judge, one schedule at a time. `best
        found` is our best schedule before the second stage, which gives up to the gap away for
        lower loads. *at least ours*: seeds that reach the objective of our answer or better;
        *above*: seeds that beat it by more than our gap. Rivals prove nothing.
        """
    )
    header = (
        "case", "seconds", "objective", "best found", "bound", "rival", "coding", "best", "median",
        "at least ours", "above", "found nothing", "evaluations",
    )  # fmt: skip
    yield from rows(
        header,
        (
            [
                row["case"],
                f"{row['seconds']:.1f}",
                *(cell(row[key]) for key in ("objective", "best_found", "bound")),
                name,
                rival["coding"],
                *(cell(rival[key]) for key in ("best", "median")),
                *(
                    cell(rival[key])
                    for key in ("at_least_ours", "above", "found_nothing", "evaluations")
                ),
            ]
            for row in found["cases"]
            for name, rival in row["rivals"].items()
        ),
    )


def minlp(found: Figures) -> Iterator[str]:
    """Our search against SCIP on the nonlinear program."""
    yield from prose(
        f"""
        `minlp.py`: the same choice as a nonlinear program in SCIP (exponentials,
        products, saturation as they stand; our tables as coefficients), for as long as we took and
        for {found["limit"]:.0f} s, building not counted. Settings:
        {"; ".join(f"{name} {value}" for name, value in found["settings"].items())}. Objectives are
        judged; SCIP's bound is its claim. Sizes: courses per lesion x plans; variables
        (binaries), constraints.
        """
    )

    def body() -> Iterator[list[str]]:
        for row in found["cases"]:
            size = row["size"]
            menu = f"{'+'.join(str(n) for n in row['courses'])} x {row['plans']}"
            stated = f"{size['variables']} ({size['binaries']}), {size['constraints']}"
            runs = {"ours": row["ours"], "SCIP, equal time": row["equal"], "SCIP": row["long"]}
            for who, one in runs.items():
                objective, bound = one["objective"], one["bound"]
                gap = None if None in (objective, bound) else max(0.0, bound - objective)
                yield [
                    row["case"], menu, stated, who, f"{one['seconds']:.2f}", one["status"],
                    cell(objective), cell(bound), cell(gap), cell(one.get("nodes")),
                ]  # fmt: skip

    header = (
        "case", "menu", "program", "solver", "seconds", "status", "objective", "bound", "gap",
        "nodes",
    )  # fmt: skip
    yield from rows(header, body())


def adaptive(found: Figures) -> Iterator[str]:
    """Ours, adaptfx and equal doses on the patients of Perez Haas et al. 2023."""
    theirs = ", ".join(f"{name} {number}" for name, number in found["adaptfx_versions"].items())
    yield from prose(
        f"""
        `adaptive.py`: tumor BED10 in Gy of five fractions with organ BED3 at most 90 Gy
        (adaptfx in its own environment: {theirs}). adaptfx is a policy that does not know the
        coming days; we are given the whole sequence, so ours is an upper bound of every policy
        (within 0.01 Gy for the dose grid) and the difference is what knowing the future is worth.
        `tumor_old` is the algorithm of the paper, `tumor` a newer one of the package; priors come
        from the other seven patients. *6 Gy*: the paper's reference, equal dose to the organ;
        *known*: told the mean and spread of the days to come; *SLSQP*: adaptfx's way in hindsight,
        local, off the grid. Seconds: ours, and of `tumor_old`.
        """
    )
    names = list(found["cases"][0]["adaptfx"])
    header = [
        "case", "ours", "bound", "published bound", "equal doses", "6 Gy", "published 6 Gy", *names,
        "seconds", "adaptfx seconds",
    ]  # fmt: skip
    yield from rows(
        header,
        (
            [
                row["case"],
                cell(row["ours"]["tumor_bed_gy"], 2),
                cell(row["ours"]["bound_gy"], 2),
                cell(row["published_bound_gy"], 1),
                cell(row["equal doses"]["tumor_bed_gy"], 2),
                cell(row["6 Gy to the organ every day"]["tumor_bed_gy"], 2),
                cell(row["published_reference_gy"], 1),
                *(cell(row["adaptfx"][name]["tumor_bed_gy"], 2) for name in names),
                cell(row["ours"]["seconds"], 1),
                cell(row["adaptfx"][names[0]]["seconds"], 1),
            ]
            for row in found["cases"]
        ),
    )


def growth(found: Figures) -> Iterator[str]:
    """Time and memory against size."""
    yield from prose(
        f"""
        `growth.py`: one size changed at a time, gap {found["gap"]} nat, medians of
        {found["repeats"]} runs, each in a new process; stopped at {found["limit"]:.0f} s. The
        exponent is the slope of ln seconds over ln size of the solves that were proved.
        """
    )
    for size, curve in found["curves"].items():
        yield from [f"Against {size}: exponent {cell(curve['exponent'], 3)}.", ""]
        keys = list(curve["rows"][0])
        yield from rows(
            [key.replace("_", " ") for key in keys],
            ([_measure(key, row.get(key)) for key in keys] for row in curve["rows"]),
        )


def _measure(key: str, value: Any) -> str:
    digits = {"seconds": 1, "peak_mb": 0}.get(key, 4)
    return cell(float(value), digits) if isinstance(value, float) else cell(value)


def floor(found: Figures) -> Iterator[str]:
    """What no search on these tables can undercut."""
    yield from prose(
        f"""
        `floor.py`: seconds of the whole solve, within it in HiGHS (masters of the column
        generation), to make the tables of all plans alone, and to sum or copy an array of the
        coefficients' size once at memory bandwidth. Medians of {found["repeats"]} runs.
        """
    )
    header = (
        "case", "status", "solve", "in LPs", "LPs", "tables", "coefficients, MB", "sum", "copy",
        "solve / sum",
    )  # fmt: skip
    yield from rows(
        header,
        (
            [
                row["case"], row["status"], cell(row["seconds"], 2), cell(row["lp_seconds"], 2),
                cell(row["lps"]), cell(row["table_seconds"], 2), cell(row["coefficient_mb"], 1),
                cell(row["sum_seconds"], 5), cell(row["copy_seconds"], 5),
                cell(row["seconds"] / row["sum_seconds"], 0),
            ]
            for row in found["cases"]
        ),
    )  # fmt: skip


def start_up(found: Figures) -> Iterator[str]:
    """Seconds to the first schedule on every case."""
    slowest = max(found["cases"], key=lambda row: float(row["first_seconds"]))
    light = "; ".join(
        f"`abscopt {name}` {one['seconds']:.2f} s, of Pyomo and pandas it imports {one['imports']}"
        for name, one in found["light"].items()
    )
    yield from prose(
        f"""
        `start_up.py`: every bundled case in a new process, interpreter and imports
        included: seconds until the search has its first feasible schedule, and of the whole command
        `abscopt solve CASE --time-limit 1` with its judged objective beside the standard regimen's
        (`not feasible` where that breaks a limit). {light}. Slowest first schedule:
        {slowest["case"]}, {slowest["first_seconds"]:.1f} s.
        """
    )
    header = (
        "case", "first schedule", "CPU", "its objective", "command", "status", "fractions",
        "infusions", "objective", "standard", "not below standard",
    )  # fmt: skip

    def body() -> Iterator[list[str]]:
        for row in found["cases"]:
            standard, value = row["standard"], row["objective"]
            fit = standard is not None and row["standard_feasible"]
            yield [
                row["case"], cell(row["first_seconds"], 2), cell(row["first_cpu_seconds"], 2),
                cell(row["first_objective"]), cell(row["command_seconds"], 2), row["status"],
                cell(row["fractions"]), cell(row["infusions"]), cell(value),
                cell(standard) if fit or standard is None else "not feasible",
                cell(value is not None and value >= standard - 1e-9) if fit else "-",
            ]  # fmt: skip

    yield from rows(header, body())


def warm(found: Figures) -> Iterator[str]:
    """A second solve of a changed case, from nothing and with what the first left."""
    yield from prose(
        f"""
        `warm.py`: a case is solved, then changed (cap of `{found["limit"]}` 5 % lower
        or higher, an earlier dose to the organ, 10 % more effect per effector) and solved from
        nothing (*cold*) and with the memory of the first solve (*warm*), to the case's own gap.
        Medians of {found["repeats"]} processes; *ratio*: cold over warm CPU seconds; *agree*:
        neither judged objective exceeds the other's bound.
        """
    )
    header = (
        "case", "change", "first CPU s", "cold CPU s", "warm CPU s", "ratio", "cold s", "warm s",
        "cold nodes", "warm nodes", "cold objective", "warm objective", "agree",
    )  # fmt: skip
    yield from rows(
        header,
        (
            [
                row["case"],
                row["change"],
                *(cell(row[key], 2) for key in ("first_cpu", "cold_cpu", "warm_cpu")),
                cell(row["ratio"], 1),
                *(cell(row[key], 2) for key in ("cold_seconds", "warm_seconds")),
                *(cell(row[key]) for key in ("cold_nodes", "warm_nodes")),
                *(cell(row[key]) for key in ("cold_objective", "warm_objective", "agree")),
            ]
            for row in found["second"]
        ),
    )
    yield from prose("The caps of that limit from 60 % to 100 % as a frontier, all points.")
    yield from rows(
        ("case", "points", "proved", "cold CPU s", "warm CPU s", "ratio", "agree"),
        (
            [
                row["case"],
                *(cell(row[key]) for key in ("points", "proved")),
                *(cell(row[key], 2) for key in ("cold_cpu", "warm_cpu")),
                cell(row["ratio"], 1),
                cell(row["agree"]),
            ]
            for row in found["frontiers"]
        ),
    )


TABLES: dict[str, tuple[str, Callable[[Figures], Iterator[str]]]] = {
    "exact": ("Exact solvers", exact),
    "free_course": ("Free courses", free_course),
    "rivals": ("At equal time", rivals),
    "minlp": ("A global solver on the nonlinear program", minlp),
    "adaptive": ("Adaptive fractionation", adaptive),
    "growth": ("Growth", growth),
    "warm": ("The second solve", warm),
    "floor": ("The floor", floor),
    "start_up": ("The first schedule", start_up),
}
