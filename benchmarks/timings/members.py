"""What deciding for many parameter sets at once costs, beside the nominal solve and two rivals.

    python benchmarks/timings/members.py [--case oligomet-4] [--write]

Each run is a process of its own, so that CPU seconds and peak memory are its own; the gap is that
of `--gap`. `plausible-20` is that ensemble; other numbers of plausible members are the first ones
of `plausible-100`, with equal weights; 200 members are draws of `radiobiology`, whose members share
the constants of effectors. `alone` are the CPU seconds of the solves of single parameter sets
within a decision: the case as it is stated and, for regret, the optimum of every member.

Rivals, for the wall time that our search took: the members as horizons of one mixed-integer
programme, solved by HiGHS (`--method single` for an ensemble), and differential evolution (SciPy)
over our menu (`rival_menu.py`) with the judge of every member; what breaks a limit is worth nothing
there. `exponent` is the slope of log CPU seconds in log members, least squares.

Rows are stored one by one with --write, those of the file are not run again unless --anew.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rival_menu import Menu, Tables
from scipy.optimize import differential_evolution
from shared import machine

from abscopt.instances import load
from abscopt.instances.load import library
from abscopt.optimizer import solve
from abscopt.optimizer.as_rows import schedule_of_row
from abscopt.optimizer.ensemble import decide as deciding
from abscopt.optimizer.ensemble.decide import Asked, Panel, decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.progress import Clock, Stopped

FILE = Path(__file__).with_name("members.json")
RUNS = (
    ("mean", "plausible-20", 20), ("mean", "plausible-100", 50), ("cvar:0.2", "plausible-20", 20),
    ("mean", "plausible-100", 10), ("mean", "plausible-100", 5), ("mean", "plausible-100", 20),
    ("worst", "plausible-20", 20), ("regret", "plausible-20", 20),
    ("cvar:0.2", "radiobiology", 200),
)  # fmt: skip
RIVALLED = ("mean", "plausible-20", 20)


def nominal(case_name: str, gap: float) -> dict[str, Any]:
    """The case as it is stated, alone."""
    begin = time.process_time()
    result = solve(load(case_name), gap=gap)
    return {"cpu": time.process_time() - begin, "objective": result.objective}


def members_of(case_name: str, name: str, size: int) -> Ensemble:
    """Members of an ensemble of the library: drawn, or the first ones with equal weights."""
    case = load(case_name)
    if library("ensembles")[name].get("members") is None:
        return ensemble_of(case, name, size=size)
    whole = ensemble_of(case, name)
    few = tuple(replace(member, weight=1.0 / size) for member in whole.members[:size])
    return replace(whole, members=few)


def decided(case_name: str, risk: str, name: str, size: int, gap: float, limit: float,
            method: str = "auto") -> dict[str, Any]:  # fmt: skip
    """One decision for members."""
    ensemble = members_of(case_name, name, size)
    alone = 0.0

    def timed(*given: Any, **options: Any) -> Any:
        nonlocal alone
        begin = time.process_time()
        try:
            return solve(*given, **options)
        finally:
            alone += time.process_time() - begin

    vars(deciding)["solve"] = timed
    begin, wall = time.process_time(), time.perf_counter()
    further = {} if method == "auto" else {"method": method}
    result = decide(ensemble, risk, gap=gap, time_limit=limit, **further)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cpu": time.process_time() - begin,
        "alone": alone,
        "wall": time.perf_counter() - wall,
        "peak_mb": peak,
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "nodes": result.nodes,
    }


def evolved(case_name: str, risk: str, name: str, size: int, seconds: float) -> dict[str, Any]:
    """Differential evolution at equal time: the measure of the best schedule it found."""
    case = load(case_name)
    ensemble = members_of(case_name, name, size)
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
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds of one decision")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--anew", action="store_true", help="run stored rows again")
    parser.add_argument("--run", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(_one(options)))
        return
    table = _begun(options)
    print(json.dumps(table["machine"]))
    table["nominal"] = table["nominal"] or _process(options, "nominal")
    for risk, name, size in RUNS:
        if any((row["risk"], row["ensemble"], row["members"]) == (risk, name, size)
               for row in table["rows"]):  # fmt: skip
            continue
        row = _process(options, "decided", risk, name, str(size))
        row |= {"risk": risk, "ensemble": name, "members": size}
        row["times_nominal"] = row["cpu"] / table["nominal"]["cpu"]
        if (risk, name, size) == RIVALLED:
            seconds = f"{row['wall']:.1f}"
            row["evolved"] = _process(options, "evolved", risk, name, str(size), seconds)
            row["programme"] = _process(options, "programme", risk, name, str(size), seconds)
        table["rows"].append(row)
        print(_line(row), flush=True)
        if options.write:
            FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    means = [(r["members"], r["cpu"]) for r in table["rows"] if r["ensemble"] == "plausible-100"]
    if len(means) > 1:
        table["exponent"] = float(np.polyfit(*np.log(np.array(means).T), 1)[0])
        print(f"exponent in members {table['exponent']:.2f}")
    print(f"nominal {table['nominal']['cpu']:.1f} s CPU")
    if options.write:
        FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _begun(options: argparse.Namespace) -> dict[str, Any]:
    """The table that is stored for this case and gap, or an empty one."""
    empty = {"machine": machine(), "case": options.case, "gap": options.gap, "nominal": None,
             "rows": []}  # fmt: skip
    if options.anew or not FILE.exists():
        return empty
    stored: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return stored if all(stored[key] == empty[key] for key in ("case", "gap")) else empty


def _one(options: argparse.Namespace) -> dict[str, Any]:
    what, *arguments = options.run
    if what == "nominal":
        return nominal(options.case, options.gap)
    risk, name, size = arguments[0], arguments[1], int(arguments[2])
    if what == "evolved":
        return evolved(options.case, risk, name, size, float(arguments[3]))
    if what == "programme":
        limit = float(arguments[3])
        return decided(options.case, risk, name, size, options.gap, limit, "single")
    return decided(options.case, risk, name, size, options.gap, options.limit)


def _process(options: argparse.Namespace, *run: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", options.case, "--gap", str(options.gap)]
    command += ["--limit", str(options.limit), "--run", *run]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _line(row: dict[str, Any]) -> str:
    gap = "-" if row["gap"] is None else f"{row['gap']:.3f}"
    line = (
        f"{row['risk']:9s} {row['members']:4d} of {row['ensemble']:13s}  {row['cpu']:7.1f} s CPU "
        f"({row['times_nominal']:.1f} x nominal; {row['alone']:.1f} s alone)  gap {gap}  "
        f"{row['nodes']} nodes  {row['peak_mb']:.0f} MB  {row['status']}"
    )
    if "evolved" in row:
        line += f"  evolution {row['evolved']['objective']:.4f} against {row['objective']:.4f}"
        line += f"  programme {row['programme']['objective']} <= {row['programme']['bound']}"
    return line


if __name__ == "__main__":
    main()
