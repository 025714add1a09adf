"""Seconds until the first schedule is in hand, on every bundled case, and of the light commands.

    python benchmarks/timings/start_up.py [--write] [--repeats 1] [--cases CASE ...]

Per case, each in a new process, wall seconds from its start (interpreter and imports included):
until the search reports its first feasible schedule; and of the whole command `abscopt solve CASE
--time-limit 1 --json`, whose schedule has been judged, with its objective beside the standard
regimen's. Medians over the repeats. Then `abscopt --help` and `abscopt instances list`: medians of
seven, and whether they import Pyomo or pandas. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import load, names
from abscopt.optimizer import solve
from abscopt.optimizer.progress import Progress
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("start_up.json")
LIGHT = {"--help": ["--help"], "instances list": ["instances", "list"]}
LIGHT_REPEATS = 7
HEAVY = ("pyomo", "pandas")
WITHIN = 3.0


def first(name: str) -> None:
    """Solve until there is a schedule, say its worth, and leave (the child process)."""

    def told(progress: Progress) -> None:
        if progress.incumbent is not None:
            print(json.dumps(progress.incumbent), flush=True)
            os._exit(0)

    result = solve(load(name), listener=told)
    print(json.dumps(result.objective), flush=True)


def command() -> list[str]:
    """The installed command, or the module where there is none."""
    script = Path(sys.executable).with_name("abscopt")
    return [str(script)] if script.exists() else [sys.executable, "-m", "abscopt.cli"]


@dataclass(frozen=True)
class Run:
    """One process: wall and CPU seconds, and what it printed."""

    seconds: float
    cpu_seconds: float
    output: str


def timed(arguments: list[str]) -> Run:
    """Run a new process to its end."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    begin, before = time.perf_counter(), spent()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode not in (0, 4):
        raise SystemExit(f"{arguments}: {done.stderr.strip()}")
    return Run(seconds, spent() - before, done.stdout)


def median(runs: list[Run], what: str) -> float:
    """Median seconds of some runs."""
    return round(float(statistics.median(getattr(run, what) for run in runs)), 2)


def started(name: str, repeats: int) -> dict[str, Any]:
    """One case."""
    firsts = [timed([sys.executable, __file__, "--first", name]) for _ in range(repeats)]
    limited = [timed([*command(), "solve", name, "--time-limit", "1", "--json"])
               for _ in range(repeats)]  # fmt: skip
    document = json.loads(limited[0].output)
    standard = document["standard"]
    schedule = document["schedule"] or {"fractions": [], "doses_of_drugs": []}
    return {
        "case": name,
        "first_seconds": median(firsts, "seconds"),
        "first_cpu_seconds": median(firsts, "cpu_seconds"),
        "first_objective": json.loads(firsts[0].output),
        "command_seconds": median(limited, "seconds"),
        "status": document["status"],
        "objective": document["objective"],
        "fractions": len(schedule["fractions"]),
        "infusions": len(schedule["doses_of_drugs"]),
        "standard": None if standard is None else standard.get("objective"),
        "standard_feasible": None if standard is None else standard.get("feasible"),
    }


def light() -> dict[str, Any]:
    """The commands that need no solver."""
    found = {}
    for label, arguments in LIGHT.items():
        seconds = [timed([*command(), *arguments]).seconds for _ in range(LIGHT_REPEATS)]
        look = (
            "import sys\nfrom abscopt.cli import main\n"
            f"main({arguments!r}, standalone_mode=False)\n"
            f"print([name for name in {HEAVY!r} if name in sys.modules])"
        )
        imported = timed([sys.executable, "-c", look]).output.splitlines()[-1]
        found[label] = {"seconds": round(statistics.median(seconds), 3), "imports": imported}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=None, metavar="CASE")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--first", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first is not None:
        first(options.first)
        return
    environment = {
        "machine": machine(),
        "versions": versions(),
        "repeats": options.repeats,
        "light": light(),
    }
    print(json.dumps(environment), flush=True)
    rows = []
    for name in options.cases or names():
        rows.append(started(name, options.repeats))
        late = "  LATE" if rows[-1]["first_seconds"] > WITHIN else ""
        print(json.dumps(rows[-1]) + late, flush=True)
    if options.write:
        text = json.dumps(environment | {"cases": rows}, indent=2)
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
