"""What deciding for many parameter sets at once costs, beside the nominal solve and a rival.

    python benchmarks/timings/members.py [--case oligomet-4] [--write]

Each run is a process of its own, so that CPU seconds and peak memory are its own. The gap is that
of `--gap`; members are draws of a library ensemble with one seed. The rival is differential
evolution (SciPy) over our menu (`rival_menu.py`) with the judge of every member, for the wall time
that our search took; what breaks a limit is worth nothing.
`exponent` is the slope of log CPU seconds in log members, least squares.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rival_menu import Menu, Tables
from scipy.optimize import differential_evolution
from shared import machine

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.as_rows import schedule_of_row
from abscopt.optimizer.ensemble.decide import Asked, Panel, decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.progress import Clock, Stopped

FILE = Path(__file__).with_name("members.json")
RUNS = (("mean", 5), ("mean", 10), ("mean", 20), ("mean", 50), ("cvar:0.2", 20), ("worst", 20),
        ("regret", 20), ("cvar:0.2", 200))  # fmt: skip
ENSEMBLE = "radiobiology"


def nominal(case_name: str, gap: float) -> dict[str, Any]:
    """The case as it is stated, alone."""
    begin = time.process_time()
    result = solve(load(case_name), gap=gap)
    return {"cpu": time.process_time() - begin, "objective": result.objective}


def decided(case_name: str, risk: str, size: int, gap: float, limit: float) -> dict[str, Any]:
    """One decision for members."""
    ensemble = ensemble_of(load(case_name), ENSEMBLE, size=size)
    begin, wall = time.process_time(), time.perf_counter()
    result = decide(ensemble, risk, gap=gap, time_limit=limit)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cpu": time.process_time() - begin,
        "wall": time.perf_counter() - wall,
        "peak_mb": peak,
        "status": result.status,
        "objective": result.objective,
        "gap": result.gap,
        "nodes": result.nodes,
    }


def rival(case_name: str, risk: str, size: int, seconds: float) -> dict[str, Any]:
    """Differential evolution at equal time: the measure of the best schedule it found."""
    case = load(case_name)
    ensemble = ensemble_of(case, ENSEMBLE, size=size)
    panel = Panel(ensemble, Asked.of(risk), 0.0)
    best = -math.inf
    menu = Menu(Tables(case), "axes")
    found: dict[Any, float] = {}

    def judged(schedule: Any) -> float:
        if schedule not in found:
            verdict = panel.judged(schedule)
            found[schedule] = verdict.risk if panel.accepts(verdict) else -math.inf
        return found[schedule]

    clock = Clock(seconds)

    def worth(code: Any) -> float:
        nonlocal best
        if clock.expired:
            raise Stopped
        plans, rows = menu.decode(np.atleast_2d(code))
        value = judged(schedule_of_row(menu.tables.candidates, int(plans[0]), rows[0]))
        best = max(best, value)
        return -value if math.isfinite(value) else 1e3

    try:
        for again in range(1000):
            differential_evolution(
                worth, [(0.0, 1.0)] * menu.size, maxiter=10_000, polish=False, rng=again
            )
    except Stopped:
        pass
    return {"objective": best, "schedules": len(found)}


def main() -> None:
    """Print the table; with --write store it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="oligomet-4")
    parser.add_argument("--gap", type=float, default=0.05)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds of one decision")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--run", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(_one(options)))
        return
    alone = _process(options, "nominal")
    rows = []
    for risk, size in RUNS:
        row = _process(options, "decided", risk, str(size))
        row |= {"risk": risk, "members": size, "times_nominal": row["cpu"] / alone["cpu"]}
        if size == 20 and risk == "mean":
            row["rival"] = _process(options, "rival", risk, str(size), f"{row['wall']:.1f}")
        rows.append(row)
        print(_line(row), flush=True)
    means = [(row["members"], row["cpu"]) for row in rows if row["risk"] == "mean"]
    exponent = float(np.polyfit(*np.log(np.array(means).T), 1)[0])
    table = {
        "machine": machine(), "case": options.case, "gap": options.gap, "ensemble": ENSEMBLE,
        "nominal": alone, "rows": rows, "exponent": exponent,
    }  # fmt: skip
    print(f"nominal {alone['cpu']:.1f} s CPU; exponent in members {exponent:.2f}")
    if options.write:
        FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _one(options: argparse.Namespace) -> dict[str, Any]:
    what, *arguments = options.run
    if what == "nominal":
        return nominal(options.case, options.gap)
    risk, size = arguments[0], int(arguments[1])
    if what == "rival":
        return rival(options.case, risk, size, float(arguments[2]))
    return decided(options.case, risk, size, options.gap, options.limit)


def _process(options: argparse.Namespace, *run: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", options.case, "--gap", str(options.gap)]
    command += ["--limit", str(options.limit), "--run", *run]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _line(row: dict[str, Any]) -> str:
    gap = "-" if row["gap"] is None else f"{row['gap']:.3f}"
    return (
        f"{row['risk']:9s} {row['members']:4d} members  {row['cpu']:7.1f} s CPU "
        f"({row['times_nominal']:.1f} x nominal)  gap {gap}  {row['nodes']} nodes  "
        f"{row['peak_mb']:.0f} MB  {row['status']}"
        + (f"  rival {row['rival']['objective']:.4f} against {row['objective']:.4f}"
           if "rival" in row else "")
    )  # fmt: skip


if __name__ == "__main__":
    main()
