"""Solve every bundled case and keep the reference optima in `instances/reference.json`.

    python benchmarks/reference_optima.py [CASE ...] [--time-limit SECONDS]

An entry is replaced only by one that is not worse: a better objective, or the same objective
with a smaller gap; one for a changed case always is. Prints its environment and a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from abscopt.instances import load, names
from abscopt.optimizer import solve
from abscopt.optimizer.result import Result, instance_digest, versions

FILE = Path(__file__).parent.parent / "instances" / "reference.json"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = lines[0].split(":")[1].strip() if lines else model
    return {"system": platform.system(), "cpu": model, "cores": os.cpu_count()}


def entry(result: Result, digest: str) -> dict[str, Any]:
    """One reference optimum."""
    return {
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "unit": result.unit,
        "standard": None if result.standard is None else result.standard.objective,
        "seconds": round(result.solver.seconds, 2),
        "instance_digest": digest,
        "versions": versions(),
        "machine": machine(),
    }


def worse(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether an entry must not replace the old one of the same case."""
    if new["instance_digest"] != old["instance_digest"] or old["objective"] is None:
        return False
    if new["objective"] is None:
        return True
    if abs(new["objective"] - old["objective"]) > 1e-9:
        return bool(new["objective"] < old["objective"] and new["bound"] >= old["bound"])
    return bool(new["gap"] > old["gap"] + 1e-9)


def main() -> None:
    """Run the cases and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=names())
    parser.add_argument("--time-limit", type=float, default=600.0)
    arguments = parser.parse_args()
    print(json.dumps({"machine": machine(), "versions": versions()}))
    known: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in arguments.cases:
        instance = load(name)
        new = entry(solve(instance, time_limit=arguments.time_limit), instance_digest(instance))
        if name not in known or not worse(new, known[name]):
            known[name] = new
        print(
            f"{name:20s} {new['status']:10s} {new['objective']!s:>22s} bound {new['bound']!s:>22s}"
            f" {new['seconds']:8.2f} s   standard {new['standard']!s}",
            flush=True,
        )
    scratch = FILE.with_suffix(".tmp")
    scratch.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    scratch.replace(FILE)


if __name__ == "__main__":
    main()
