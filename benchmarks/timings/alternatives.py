"""CPU seconds of `alternatives --count 10` against one solve of the same case.

    python benchmarks/timings/alternatives.py [--cases CASE ...] [--within X]

Each in a process of its own, started from nothing as a user would. Prints one JSON line per case.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from shared import machine

CASES = ("oligomet-4", "stage3-crt", "early-sabr", "dual-checkpoint")
COMMAND = (sys.executable, "-c", "from abscopt.cli import main; main()")


def cpu_of(*arguments: str) -> tuple[float, str]:
    """CPU seconds of a command of `abscopt`, and what it printed."""
    before = os.times()
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE")
    parser.add_argument("--within", default=None)
    options = parser.parse_args()
    print(json.dumps({"machine": machine()}), flush=True)
    within = [] if options.within is None else ["--within", options.within]
    for name in options.cases:
        alone, _ = cpu_of("solve", name, "--json")
        spent, text = cpu_of("alternatives", name, "--count", "10", "--json", *within)
        found = json.loads(text)
        row = {
            "case": name,
            "within": found["within"],
            "solve_cpu": round(alone, 2),
            "alternatives_cpu": round(spent, 2),
            "ratio": round(spent / alone, 2),
            "ending": found["ending"],
            "known": found["known"],
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    sys.exit(main())
