"""Seconds of a second solve of a slightly changed case: from nothing, and with what the first left.

    python benchmarks/timings/warm.py [--write] [--repeats 3] [--cases CASE ...]

Each bundled case is solved, then changed: a cap 5 % lower, the same cap 5 % higher, a dose that the
organ has received before (re-planning), and more effect per effector (a scenario). The changed case
is solved from nothing and with the memory of the first solve, both to the case's own gap; one new
process per change. Then the caps of one limit as a frontier of nine points: all of it with one
memory, against nine solves from nothing. CPU and wall seconds are medians of the repeats, the ratio
is of CPU seconds. *agree*: neither judged objective exceeds the other's bound. Prints the
environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import Memory, frontier, solve
from abscopt.optimizer.fronts.pareto import with_cap
from abscopt.optimizer.results.result import Result, versions

FILE = Path(__file__).with_name("warm.json")
CASES = ("oligomet-4", "pembro-rt", "sequencing", "stage3-crt", "dual-checkpoint", "resistance",
         "early-sabr")  # fmt: skip
FRONTIERS = ("pembro-rt", "dual-checkpoint", "resistance", "early-sabr")
LIMIT, ORGAN = "lungs_mean", "lungs"
STEPS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
PRIOR = {
    "organ": ORGAN, "point": "mean", "fractions": 5, "dose_gy": 0.1, "second_moment_gy2": 0.05,
    "source": "assumed",
}  # fmt: skip
CHANGES = ("cap -5 %", "cap +5 %", "prior dose", "effect +10 %")


@dataclass(frozen=True)
class Timed:
    """What a call gave, and its CPU and wall seconds."""

    answer: Any
    cpu: float
    wall: float


def timed(call: Callable[[], Any]) -> Timed:
    """Run a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = call()
    return Timed(answer, time.process_time() - cpu, time.perf_counter() - wall)


def cap_of(instance: Instance) -> float:
    """Cap of the limit that changes."""
    return next(float(limit.cap_gy) for limit in instance.limits if limit.name == LIMIT)


def changed(instance: Instance, change: str) -> Instance:
    """The case with one of the changes."""
    if change.startswith("cap"):
        return with_cap(instance, LIMIT, cap_of(instance) * (0.95 if "-" in change else 1.05))
    raw = instance.model_dump(mode="json")
    if change == "prior dose":
        raw["prior_doses"].append(PRIOR)
    else:
        raw["immune"]["effect_per_effector"] *= 1.1
    return Instance.model_validate_json(json.dumps(raw))


def agree(one: Result, other: Result) -> bool:
    """Whether neither objective exceeds the other's bound."""
    pairs = ((one.objective, other.bound), (other.objective, one.bound))
    return all(None not in pair and pair[0] <= pair[1] + 1e-9 for pair in pairs)


def second(name: str, change: str) -> dict[str, Any]:
    """First solve, then the changed case from nothing and with memory; in this process."""
    instance, memory = load(name), Memory()
    other = changed(instance, change)
    first = timed(lambda: solve(instance, memory=memory))
    cold = timed(lambda: solve(other))
    warm = timed(lambda: solve(other, memory=memory))
    found = {"case": name, "change": change}
    for label, one in (("first", first), ("cold", cold), ("warm", warm)):
        found |= {
            f"{label}_cpu": one.cpu,
            f"{label}_seconds": one.wall,
            f"{label}_objective": one.answer.objective,
            f"{label}_bound": one.answer.bound,
            f"{label}_nodes": one.answer.solver.nodes,
            f"{label}_status": one.answer.status,
        }
    return found | {"agree": agree(cold.answer, warm.answer)}


def curve(name: str) -> dict[str, Any]:
    """A frontier with one memory, and its points from nothing; in this process."""
    instance = load(name)
    caps = [round(cap_of(instance) * step, 6) for step in STEPS]
    warm = timed(lambda: frontier(instance, LIMIT, caps))
    cold = timed(lambda: [solve(with_cap(instance, LIMIT, cap)) for cap in caps])
    points = [point.result for point in warm.answer.points]
    pairs = list(zip(points, cold.answer, strict=True))
    return {
        "case": name,
        "points": len(caps),
        "warm_cpu": warm.cpu,
        "warm_seconds": warm.wall,
        "cold_cpu": cold.cpu,
        "cold_seconds": cold.wall,
        "proved": sum(point.status == "optimal" for point in points),
        "agree": all(agree(one, other) for one, other in pairs),
    }


def medians(call: Callable[..., dict[str, Any]], arguments: Sequence[str], repeats: int) -> Any:
    """Medians of the seconds over repeats, each in a new process; the ratio of CPU seconds."""
    runs = []
    for _ in range(repeats):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            runs.append(pool.submit(call, *arguments).result())
    row = dict(runs[0])
    for key in row:
        if key.endswith(("_cpu", "_seconds")):
            row[key] = round(statistics.median(run[key] for run in runs), 3)
    row["agree"] = all(run["agree"] for run in runs)
    return row | {"ratio": round(row["cold_cpu"] / row["warm_cpu"], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {
        "machine": machine(), "versions": versions(), "repeats": options.repeats, "limit": LIMIT,
        "second": [], "frontiers": [],
    }  # fmt: skip
    print(json.dumps(found), flush=True)
    for name in options.cases:
        for change in CHANGES:
            found["second"].append(medians(second, (name, change), options.repeats))
            print(json.dumps(found["second"][-1]), flush=True)
    for name in (name for name in FRONTIERS if name in options.cases):
        found["frontiers"].append(medians(curve, (name,), options.repeats))
        print(json.dumps(found["frontiers"][-1]), flush=True)
    if options.write:
        FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
