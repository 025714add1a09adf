"""Our search against one big MILP: HiGHS, SCIP, CBC, GLPK and Gurobi on the identical programme.

    python benchmarks/timings/exact.py [--write] [--limit 300] [CASE ...] [--programmes CASE ...]

`class` is the class of `oligomet-4`: four irradiable lesions, more than 20 000 courses each on the
menu, 160 plans. `class-small` is a member on which the one MILP can be tried without our bounds:
doses in steps of 2 Gy, 11 plans. `class-tiny` (fewer than 70 courses each, 6 plans) fits Gurobi's
licence for small programmes; there `--method single` is run with Gurobi, too. Per case and number
of threads: our search (`--method auto`), and `--method single` under each set of reductions, once
with its own first schedule and once with our answer in hand (which sharpens the bounds that drop
pairs) and given to HiGHS as its start. Every answer is judged again; a solve that meets the limit
is shown with its gap.

Reductions: `dominance` (timings of one shape that another stands in for), `bounds` (pairs of plan
and course that a Lagrangian bound of whole plans rules out, one vector of multipliers for each set
of plans), `released` (with several, in cells of systemic effect that are halved until their bounds
are sharp: what `abscopt solve --method single` does).

The first programme of `single` is also written as MPS, scaled as HiGHS gets it, and solved from the
file by every solver at its defaults (only gap, time and threads are set). `layers` is our building,
handing over and judging of that programme besides HiGHS: its total over HiGHS alone must be at most
1.3 where HiGHS needs 10 s. Seconds are wall seconds, each solve in a process of its own. Prints the
environment; --write stores the table, and the log of every rival under `logs/`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from growth import sized
from rows_of_answers import GAP, Row, isolated, judged, without_folders
from shared import machine
from solver_files import RIVALS

from abscopt.instances import load
from abscopt.instances.load import InputError
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.as_rows import closest_row, schedule_of_row
from abscopt.optimizer.candidates.columns import columns_of
from abscopt.optimizer.candidates.reduction import Kept, offered, restricted, undominated
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.crosscheck.engines import ENGINES
from abscopt.optimizer.crosscheck.handover.naming import Programme
from abscopt.optimizer.crosscheck.handover.writer import mps
from abscopt.optimizer.crosscheck.solvers.answers import SizeLicence
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.highs.solver import Matrix, Outcome, SolverError, solve_matrix
from abscopt.optimizer.programme.arrays.matrix import chosen, matrix_of
from abscopt.optimizer.programme.build import build
from abscopt.optimizer.programme.cuts import schedule_of
from abscopt.optimizer.programme.data import data_of
from abscopt.optimizer.programme.refining import first, refined_at
from abscopt.optimizer.programme.single import solve_single
from abscopt.optimizer.programme.solving import OBJECTIVE_SCALE
from abscopt.optimizer.programme.start import choice_of
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.search.uniform.fixing import InHand, first_in_hand, fixed, reduced

FILE = Path(__file__).with_name("exact.json")
LOGS = Path(__file__).with_name("logs")
SMALL_CLASS = "class-small"
TINY_CLASS = "class-tiny"
CASES = (
    "co-targets", "early-sabr", "dual-checkpoint", "pembro-rt", TINY_CLASS, SMALL_CLASS, "class",
)  # fmt: skip
LEVELS = ("dominance", "bounds", "released")
THREADS = (1, 2)


def case_of(name: str) -> Instance:
    """A bundled case, or one of the class of `oligomet-4`."""
    if name == "class":
        return sized(4, 0.5, 158)
    if name == SMALL_CLASS:
        return sized(4, 2.0, 9)
    if name == TINY_CLASS:
        return sized(4, 4.0, 4, tiny=True)
    return load(name)


def ours(name: str, threads: int, limit: float) -> Row:
    """Our search; `best` is its schedule as a plan and courses, before the second stage."""
    instance = case_of(name)
    begin = time.perf_counter()
    result = solve(instance, gap=GAP, time_limit=limit, threads=threads)
    seconds = time.perf_counter() - begin
    row = judged(instance, result.schedule, result.bound) | {"seconds": seconds}
    if result.schedule is not None:
        plan, courses = closest_row(Candidates(instance), result.schedule)
        row["best"] = [plan, courses.tolist(), row["objective"]]
    return row


def left(
    candidates: Candidates, level: str, known: InHand | None, clock: Clock
) -> tuple[Kept, InHand | None]:
    """Pairs left by a set of reductions, and a schedule in hand."""
    if level == "released":
        return reduced(candidates, GAP / 2, 0, clock, known)
    kept = undominated(candidates, offered(candidates))
    if level == "dominance":
        return kept, known
    in_hand = first_in_hand(candidates, kept, GAP / 2, 0, clock, known)
    if in_hand is None:
        return kept, None
    return fixed(candidates, kept, in_hand, GAP / 2, clock, math.inf), in_hand


@dataclass(frozen=True)
class Another:
    """Another solver in place of HiGHS in every round of `--method single`."""

    solver: str

    def __call__(
        self, matrix: Matrix, *, data: Any, model: Any, position: Any, **options: Any
    ) -> Outcome:
        return ENGINES[self.solver].solve(matrix, **options)


def single(
    name: str,
    level: str,
    best: list[Any] | None,
    threads: int,
    limit: float,
    engine: Another | None = None,
) -> Row:
    """One MILP in HiGHS, with our answer in hand and as its start, or without either."""
    instance, clock = case_of(name), Clock(limit)
    begin = time.perf_counter()
    candidates = Candidates(instance)
    known = None if best is None else InHand.of(best[0], np.array(best[1]), best[2])
    kept, in_hand = left(candidates, level, known, clock)
    spent = time.perf_counter() - begin
    start = None
    if in_hand is not None:
        start = schedule_of_row(candidates, in_hand.plan, np.array(in_hand.row))
    steps = [[step.name, step.pairs] for step in kept.steps]
    row: Row = {"reductions": steps, "plans_left": len(kept.plans), "reducing": round(spent, 2)}
    try:
        answer = solve_single(
            candidates, Judge(instance), GAP / 2, 0, threads, clock,
            engine, kept=kept, start=start, begin=known is not None,
        )  # fmt: skip
    except InputError as error:
        return row | {"status": f"refused: {error.problems[0].value}"}
    except SizeLicence as error:
        return row | {"status": f"refused: {error}"}
    return (
        row
        | judged(instance, answer.schedule, answer.bound)
        | {
            "seconds": time.perf_counter() - begin,
            "in_highs": [round(s, 2) for s in answer.solver_seconds],
            "rounds": answer.rounds,
            "nodes": answer.nodes,
            "courses": answer.columns,
        }
    )


def first_round(name: str, level: str, folder: str, threads: int, limit: float) -> Row:
    """Our layers on the first programme, which is written as MPS; the judge's word on its answer.

    No start is given, so that HiGHS does the same here and from the file.
    """
    instance, clock = case_of(name), Clock()
    candidates, judge = Candidates(instance), Judge(instance)
    kept, in_hand = left(candidates, level, None, clock)
    start = (
        None
        if in_hand is None
        else schedule_of_row(candidates, in_hand.plan, np.array(in_hand.row))
    )
    import_module("scipy.stats")  # with Pyomo's first programme: once in a process, not each time
    marks = [time.perf_counter()]
    small, fewer = restricted(candidates, kept)
    columns = columns_of(small, kept=fewer)
    refinement = first(small, columns, fewer)
    if start is not None:
        data = data_of(small, columns, refinement, fewer)
        refinement = refined_at(small, judge, data, choice_of(small, columns, start), start)
    data = data_of(small, columns, refinement, fewer)
    model = build(data)
    matrix, position = matrix_of(model)
    scaled = replace(
        matrix, cost=matrix.cost * OBJECTIVE_SCALE, offset=matrix.offset * OBJECTIVE_SCALE
    )
    marks.append(time.perf_counter())
    outcome = solve_matrix(
        scaled,
        absolute_gap=GAP / 8 * OBJECTIVE_SCALE,
        time_limit=limit,
        threads=threads,
        log=str(Path(folder, f"{name}-{level}-highs-{threads}-through-our-layers.log")),
    )
    marks.append(time.perf_counter())
    value = None
    if outcome.x is not None:
        picked, pair = chosen(model, position, outcome.x)
        verdict = judge.evaluate(schedule_of(small, columns, picked, refinement.bands[pair][0]))
        value = verdict.objective if verdict.admissible else None
    marks.append(time.perf_counter())
    names = (f"r{i}" for i in range(len(matrix.row_lower)))
    programme = Programme(
        name, scaled, tuple(names), tuple(f"c{j}" for j in range(len(matrix.cost)))
    )
    Path(folder, "programme.mps").write_text(mps(programme), encoding="ascii")
    build_s, solve_s, judge_s = (b - a for a, b in itertools.pairwise(marks))
    return {
        "status": outcome.ending,
        "objective": None if outcome.objective is None else outcome.objective / OBJECTIVE_SCALE,
        "bound": None if outcome.bound is None else outcome.bound / OBJECTIVE_SCALE,
        "judged": value,
        "seconds": build_s + solve_s + judge_s,
        "layers": round(build_s + judge_s, 2),
        "rows": len(matrix.row_lower),
        "columns": len(matrix.cost),
        "nonzeros": len(matrix.value),
        "plans": data.plans,
        "pairs": fewer.count,
    }


def from_file(rival: str, folder: str, log: str, threads: int, limit: float) -> Row:
    """A solver alone on the MPS file, at its defaults."""
    path, gap = str(Path(folder, "programme.mps")), GAP / 8 * OBJECTIVE_SCALE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ending, seconds, objective, bound = RIVALS[rival](path, log, threads, limit, gap)
        except SolverError as error:
            return {"status": str(error)}
    return {
        "status": ending,
        "objective": None if objective is None else -objective / OBJECTIVE_SCALE,
        "bound": None if bound is None else -bound / OBJECTIVE_SCALE,
        "seconds": seconds,
    }


def available() -> list[str]:
    """Rivals that are installed."""
    return [name for name in RIVALS if ENGINES[name].version is not None]


@contextmanager
def log_folder(write: bool) -> Iterator[Path]:
    """Where logs go: kept with --write."""
    if write:
        LOGS.mkdir(exist_ok=True)
        yield LOGS
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def median(run: Callable[[], Row], repeats: int) -> Row:
    """The first of several runs with the median of their seconds; one where it met the limit."""
    rows = [run()]
    while len(rows) < repeats and rows[0].get("status") == "optimal":
        rows.append(run())
    row = dict(rows[0])
    if "seconds" in row:
        row["seconds"] = round(statistics.median(one["seconds"] for one in rows), 2)
    return row


def shown(name: str, what: str, row: Row) -> None:
    keys = ("status", "seconds", "objective", "bound", "gap", "ratio", "plans_left", "rounds")
    parts = [f"{key} {row[key]:.6g}" if isinstance(row[key], float) else f"{key} {row[key]}"
             for key in keys if row.get(key) is not None]  # fmt: skip
    print(f"{name:16} {what:44} {', '.join(parts)}", flush=True)


def compared(name: str, options: argparse.Namespace) -> Row:
    """Our search and the one MILP on one case."""
    table: Row = {"case": name, "ours": {}, "single": []}
    for threads in options.threads:
        mine = median(lambda: isolated(ours, name, threads, options.limit), options.repeats)  # noqa: B023
        table["ours"][str(threads)] = {k: v for k, v in mine.items() if k != "best"}
        shown(name, f"ours, {threads} threads", mine)
        others = ["gurobi"] if name == TINY_CLASS and "gurobi" in available() else []
        for level, given, other in itertools.product(options.levels, (False, True), ["", *others]):
            best = mine.get("best") if given else None
            if given and (best is None or level == "dominance" or other):
                continue
            engine = Another(other) if other else None
            row = median(
                lambda: isolated(single, name, level, best, threads, options.limit, engine),  # noqa: B023
                options.repeats,
            )
            if mine.get("seconds") and row.get("seconds"):
                row["ratio"] = round(row["seconds"] / mine["seconds"], 2)
            row |= {"threads": threads, "level": level, "our_answer_given": given}
            row |= {"solver": other} if other else {}
            table["single"].append(row)
            which = f"single, {level}" + (f" in {other}" if other else "")
            shown(name, f"{which}, {'our answer given' if given else 'alone'}, {threads}", row)
    return table


def on_the_same_programme(name: str, level: str, logs: Path, options: argparse.Namespace) -> Row:
    """Every solver on the first programme of one case."""
    table: Row = {"case": name, "level": level, "layers": {}, "alone": []}
    with tempfile.TemporaryDirectory() as folder:
        for threads in options.threads:
            mine = isolated(first_round, name, level, folder, threads, options.limit)
            for log in Path(folder).glob("*.log"):
                (logs / log.name).write_text(log.read_text(encoding="utf-8"), encoding="utf-8")
                log.unlink()
            table["layers"][str(threads)] = mine
            shown(name, f"first programme, our layers, {threads} threads", mine)
            for rival in available():
                if threads > 1 and rival in ("glpk", "scip"):  # one thread each
                    continue
                log = str(logs / f"{name}-{level}-{rival}-{threads}.log")
                row = isolated(from_file, rival, folder, log, threads, options.limit)
                row |= {"solver": rival, "threads": threads}
                if rival == "highs" and row.get("seconds") and mine.get("seconds"):
                    row["ratio"] = round(mine["seconds"] / row["seconds"], 3)
                table["alone"].append(row)
                shown(name, f"first programme, {rival} alone, {threads} threads", row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--limit", type=float, default=300.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="+", default=list(THREADS))
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--skip-compare", action="store_true", help="the first programmes only")
    parser.add_argument(
        "--programmes", nargs="*", metavar="CASE", help="cases of these; all of them"
    )
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    solvers = {name: ENGINES[name].version for name in available()}
    environment = {"machine": machine(), "versions": versions() | solvers, "gap": GAP}
    environment |= {key: value for key, value in vars(options).items() if key != "write"}
    print(json.dumps(environment))
    if find_spec("gurobipy") is None:
        print("gurobipy is not installed: pip install gurobipy", file=sys.stderr)
    found: dict[str, Any] = {"compared": [], "programmes": []}
    with log_folder(options.write) as logs:
        for name in options.cases:
            if not options.skip_compare:
                found["compared"].append(compared(name, options))
            if options.programmes is None or name in options.programmes:
                for level in options.levels:
                    if name == "class" and level != "released":
                        continue  # millions of pairs: no file for every solver
                    if name == "pembro-rt" and level == "dominance":
                        continue
                    found["programmes"].append(on_the_same_programme(name, level, logs, options))
    if options.write:
        for log in LOGS.rglob("*.log"):
            log.write_text(without_folders(log.read_text(encoding="utf-8")), encoding="utf-8")
        FILE.write_text(json.dumps(environment | found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
