"""Whether `abscopt solve --time-limit S` ends in time, with a schedule and a true bound.

    python benchmarks/timings/clock.py [--time-limit 5] [--cases CASE ...] [--methods auto single]
        [--kinds bundled largest fuzz] [--write]
    python benchmarks/timings/clock.py --find 150

Whole processes, one at a time, on a machine that does nothing else: `bundled` are all cases of
`abscopt instances list`, `largest` members of the class of `oligomet-4` near the limits of size
(`growth.sized`), `fuzz` the random cases that take longest. Of each the wall and processor seconds,
the greatest memory, status, gap and where the judged objective lies against the bound; where the
reference optima or the standard regimen know a schedule, one must be found, and no bound may lie
below the reference optimum. Prints the environment and a table by overrun; --write keeps it in
CLOCK.md. --find solves that many seeds of each random stream and prints those that take longest,
from which `HARDEST` was taken. Exit code 1 if anything ends later than the limit and 1.5 s, without
a schedule that is known, or with a bound that is not true.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import growth
from shared import REFERENCE, machine

# isort: split
from reliability_parts.bombs import Usage, measured  # a folder that `shared` finds

# isort: split
from edge_limits import limited_edge_case  # the parts of the campaign find the tests
from random_instances import random_case
from widened_instances import widened_case

from abscopt.instances import InputError, load, names
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.schedule import standard_schedule

PAGE = Path(__file__).with_name("CLOCK.md")
LATE = 1.5
"""Seconds beyond the limit, which counts from the start of the command, that are no fault."""
TOLERANCE = 1e-6
"""A bound may lie below a judged objective by what rows of a programme may be broken by."""

STREAMS: dict[str, Callable[[int], dict[str, Any]]] = {
    "edge": limited_edge_case,
    "random": random_case,
    "widened": widened_case,
}
HARDEST: tuple[tuple[str, int], ...] = (
    ("edge", 4),
    ("widened", 66),
    ("widened", 133),
    ("random", 113),
    ("random", 118),
    ("edge", 115),
    ("random", 94),
    ("random", 0),
    ("edge", 121),
    ("widened", 101),
)
"""Stream and seed of the ten that took longest of the first 150 of each stream (`--find`)."""

LARGEST: dict[str, dict[str, Any]] = {
    "long-menus": {"lesions": 6, "step_gy": 0.55, "last_start_day": 158, "long": True},
    "longest-menus": {"lesions": 6, "step_gy": 0.045, "last_start_day": 158, "long": True},
    "twelve-lesions": {"lesions": 12},
    "two-agents": {"last_start_day": 158, "second": True},
}
METHODS = ("auto", "single")


@dataclass(frozen=True)
class Run:
    """How one process ended; `known` is a feasible objective, `best` the reference optimum."""

    case: str
    method: str
    limit: float
    wall: float
    processor: float
    megabytes: float
    code: int
    status: str
    objective: float | None
    bound: float | None
    known: float | None = None
    best: float | None = None

    @property
    def over(self) -> float:
        """Wall seconds beyond the limit."""
        return self.wall - self.limit

    @property
    def faults(self) -> list[str]:
        """What is wrong with it."""
        found = []
        if self.over > LATE:
            found.append(f"{self.over:.1f} s over")
        if self.code not in (0, 2, 3, 4):
            found.append(f"exit code {self.code}")
        if self.code == 4 and self.known is not None:
            found.append("no schedule, though one is known")
        if self.code == 3 and self.known is not None:
            found.append("says infeasible, though a schedule is known")
        if self.bound is not None:
            for name, value in (("objective", self.objective), ("reference", self.best)):
                if value is not None and self.bound < value - TOLERANCE * max(1.0, abs(value)):
                    found.append(f"bound {self.bound:.6g} below the {name} {value:.6g}")
        return found


def run(
    case: str, argument: str, method: str, limit: float, known: float | None, best: float | None
) -> Run:
    """Solve one case in a process of its own."""
    with TemporaryDirectory() as folder:
        begin = time.perf_counter()
        command = ["solve", argument, "--json", "--time-limit", f"{limit:g}", "--method", method]
        used = measured(command, Path(folder))
        wall = time.perf_counter() - begin
    return ended(case, method, limit, wall, used, known, best)


def ended(
    case: str,
    method: str,
    limit: float,
    wall: float,
    used: Usage,
    known: float | None,
    best: float | None,
) -> Run:
    """What a process printed and used, as one line of the table."""
    found: dict[str, Any] = {}
    if used.code in (0, 3, 4):
        found = json.loads(used.stdout)
    refused = "too large" if method == "single" and used.code == 2 else "failed"
    return Run(
        case, method, limit, wall, used.seconds, used.megabytes, used.code,
        found.get("status", refused), found.get("objective"), found.get("bound"), known, best,
    )  # fmt: skip


def known_of(instance: Instance) -> float | None:
    """Objective of the standard regimen, if it keeps every limit."""
    standard = standard_schedule(instance)
    if standard is None:
        return None
    verdict = Judge(instance).evaluate(standard)
    return verdict.objective if verdict.admissible else None


def cases(kinds: list[str], folder: Path) -> Iterator[tuple[str, str, float | None, float | None]]:
    """(name, argument of `solve`, objective known, reference optimum) of every case."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    if "bundled" in kinds:
        for name in names():
            best = reference[name]["objective"] if name in reference else None
            yield name, name, best if best is not None else known_of(load(name)), best
    if "largest" in kinds:
        for name, sizes in LARGEST.items():
            yield name, _written(folder, name, growth.sized(**sizes)), None, None
    if "fuzz" in kinds:
        for stream, seed in HARDEST:
            instance = build(STREAMS[stream](seed))
            name = f"{stream}-{seed}"
            yield name, _written(folder, name, instance), known_of(instance), None


def _written(folder: Path, name: str, instance: Instance) -> str:
    """A case as a file."""
    file = folder / f"{name}.json"
    raw = instance.model_dump(mode="json", exclude_none=True)
    file.write_text(json.dumps(raw), encoding="utf-8")
    return str(file)


def hardest(count: int, limit: float) -> list[tuple[float, str, int]]:
    """(processor seconds, stream, seed) of cases that take longest, the longest first."""
    found = []
    for stream, case in STREAMS.items():
        for seed in range(count):
            try:
                instance = build(case(seed))
                begin = time.process_time()
                solve(instance, time_limit=limit)
            except InputError:
                continue
            found.append((time.process_time() - begin, stream, seed))
    return sorted(found, reverse=True)


def row(one: Run) -> str:
    """One line of the table."""
    gap = "-"
    if one.objective is not None and one.bound is not None:
        gap = f"{one.bound - one.objective:.4g}"
    cells = (
        one.case, one.method, f"{one.over:+.2f}", f"{one.wall:.2f}", f"{one.processor:.2f}",
        f"{one.megabytes:.0f}", one.status, gap, "; ".join(one.faults) or "-",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| case | method | over s | wall s | processor s | MB | status | gap | faults |",
    "|---|---|---|---|---|---|---|---|---|",
)


def page(runs: list[Run], limit: float) -> str:
    """Markdown of all runs, the latest end first."""
    named = ", ".join(f"{name} {number}" for name, number in versions().items())
    here = machine()
    late = sum(bool(one.faults) for one in runs)
    lines = [
        "# Clock",
        "",
        f"How far `abscopt solve --time-limit {limit:g}` goes beyond its limit, processes one "
        "at a time. Written by `python benchmarks/timings/clock.py --write`.",
        "",
        f"{here['system']}, {here['cpu']}, {here['cores']} cores; {named}; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "",
        f"{len(runs)} runs, {late} with a fault (more than {LATE:g} s over, no schedule where one "
        "is known, or a bound that is not true).",
        "",
        *HEAD,
        *(row(one) for one in sorted(runs, key=lambda one: -one.over)),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the cases, print and perhaps keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ("bundled", "largest", "fuzz")
    parser.add_argument("--time-limit", type=float, default=5.0, metavar="S")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--find", type=int, metavar="N", help="look for the hardest of N seeds")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    print(json.dumps({"machine": machine(), "versions": versions()}))
    if options.find is not None:
        for seconds, stream, seed in hardest(options.find, options.time_limit)[:20]:
            print(f"{seconds:7.2f} s  {stream} {seed}")
        return 0
    runs: list[Run] = []
    with TemporaryDirectory() as folder:
        for name, argument, known, best in cases(options.kinds, Path(folder)):
            if options.cases is not None and name not in options.cases:
                continue
            for method in options.methods:
                runs.append(run(name, argument, method, options.time_limit, known, best))
                print(row(runs[-1]), flush=True)
    text = page(runs, options.time_limit)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return int(any(one.faults for one in runs))


if __name__ == "__main__":
    sys.exit(main())
