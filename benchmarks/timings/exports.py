"""Every bundled case as a programme for other solvers: written, how far refined, or refused.

    python benchmarks/timings/exports.py [--write] [--cases CASE ...] [--seconds S] [--cpu S]

`abscopt export CASE --format mps` in a process of its own, with a time limit (wall) and a limit on
its CPU seconds, which ends it. Prints the environment and one JSON line per case; --write stores
them after each case. The table is written by `exports_page.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import names
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("exports.json")


def exported(name: str, seconds: float, cpu: int) -> dict[str, Any]:
    """One export in a process of its own."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "case.mps")
        asked = ["export", name, "--format", "mps", "--out", str(out), "--json"]
        command = [sys.executable, "-m", "abscopt.cli", *asked, "--time-limit", f"{seconds:g}"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = subprocess.run(
            command, capture_output=True, text=True, preexec_fn=limited, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = out.stat().st_size if out.exists() else None
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    row: dict[str, Any] = {"case": name, "exit": ended.returncode, "cpu": round(used, 1)}
    row |= {"bytes": size}
    if ended.returncode == 0 and ended.stdout.startswith("{"):
        told = json.loads(ended.stdout)
        keys = ("columns", "rows", "rounds", "objective", "bound", "gap_unit", "assumes")
        row |= {key: told[key] for key in keys}
        return row | {"pairs": [step["pairs"] for step in told["reductions"]]}
    words = [line for line in ended.stderr.splitlines() if "bound" not in line]
    return row | {"words": " ".join(words)[-600:], "traceback": "Traceback" in ended.stderr}


def main() -> None:
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(names()), metavar="CASE")
    parser.add_argument("--seconds", type=float, default=20.0, help="wall, for each case")
    parser.add_argument("--cpu", type=int, default=60, help="CPU seconds, for each case")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    table: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "seconds": options.seconds,
        "cpu": options.cpu,
        "exports": [],
    }
    print(json.dumps(table), flush=True)
    for name in options.cases:
        table["exports"].append(exported(name, options.seconds, options.cpu))
        print(json.dumps(table["exports"][-1]), flush=True)
        if options.write:
            FILE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
