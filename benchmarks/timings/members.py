"""What deciding for many parameter sets at once costs, beside the nominal solve and two rivals.

    python benchmarks/timings/members.py [--limit 360] [--write] [--anew]

Each run is a process of its own, so that CPU seconds and peak memory are its own, with matrices in
one thread as in commands; the gap is that of `--gap`. `plausible-20` is that ensemble; other
numbers of plausible members are the first ones of `plausible-100`, with equal weights; 200 members
are draws of `radiobiology`, whose members share the constants of effectors. `alone` are the CPU
seconds of the solves of single parameter sets within a decision: the case as it is stated and, for
regret, the optimum of every member.

Rivals, for the wall time that our search took (or a multiple): the members as horizons of one
mixed-integer programme, solved by HiGHS (`--method single` for an ensemble), and differential
evolution (SciPy) over our menu (`rival_menu.py`) with the judge of every member; what breaks a
limit is worth nothing there. A run that is refused or fails has that sentence as its result.

With --write every result is stored as soon as it is known and `MEMBERS.md` is written from them;
what is stored is not run again unless --anew.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from members_page import page
from rival_menu import Menu, Tables
from scipy.optimize import differential_evolution
from shared import machine

from abscopt.instances import load
from abscopt.instances.load import InputError, library
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.as_rows import schedule_of_row
from abscopt.optimizer.ensemble import decide as deciding
from abscopt.optimizer.ensemble.decide import Asked, Panel, decide
from abscopt.optimizer.ensemble.drawn import ensemble_of
from abscopt.optimizer.ensemble.members import Ensemble
from abscopt.optimizer.progress import Clock, Stopped
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("members.json")
PAGE = Path(__file__).with_name("MEMBERS.md")
EQUAL = (("evolution", 1), ("programme", 1))
"""Rivals and the multiple of our wall time that each is given."""


@dataclass(frozen=True)
class Run:
    """One decision of ours and the rivals that it is held against."""

    case: str
    risk: str
    ensemble: str
    members: int
    rivals: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> dict[str, Any]:
        """What tells its row from others."""
        return {"case": self.case, "risk": self.risk, "ensemble": self.ensemble,
                "members": self.members}  # fmt: skip


RUNS = (
    Run("toy-blockade", "mean", "plausible-100", 5, (*EQUAL, ("programme", 20))),
    Run("central-sbrt", "mean", "plausible-100", 5, (*EQUAL, ("programme", 20))),
    Run("oligomet-4", "mean", "plausible-20", 20, EQUAL),
    Run("oligomet-4", "cvar:0.2", "plausible-20", 20),
    Run("oligomet-4", "worst", "plausible-20", 20),
    Run("oligomet-4", "regret", "plausible-20", 20),
    Run("oligomet-4", "mean", "plausible-100", 5),
    Run("oligomet-4", "mean", "plausible-100", 10),
    Run("oligomet-4", "mean", "plausible-100", 20),
    Run("oligomet-4", "mean", "plausible-100", 50),
    Run("oligomet-4", "cvar:0.2", "radiobiology", 200),
)


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
        "load": os.getloadavg()[0],
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

    clock, begin = Clock(seconds), time.process_time()

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
    return {
        "cpu": time.process_time() - begin,
        "objective": best if math.isfinite(best) else None,
        "schedules": len(found),
    }


def main() -> None:
    """Print a line for every run; with --write store it and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gap", type=float, default=0.05)
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds of one decision")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--anew", action="store_true", help="run stored rows again")
    parser.add_argument("--page", action="store_true", help="write the page of stored rows only")
    parser.add_argument("--run", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(_one(options)))
        return
    table = _begun(options)
    print(json.dumps({key: table[key] for key in ("machine", "versions")}))
    for line in () if options.page else measured(table, options):
        print(line, flush=True)
        if options.write:
            FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if options.write or options.page:
        PAGE.write_text(page(table, lacking(table)), encoding="utf-8")


def measured(table: dict[str, Any], options: argparse.Namespace) -> Iterator[str]:
    """Runs what the table lacks, and tells of each result once the table has it."""
    rows = {_key(row): row for row in table["rows"]}
    for run in RUNS:
        if run.case not in table["nominal"]:
            table["nominal"][run.case] = _process(options, "nominal", run.case)
            yield f"{run.case} nominal {table['nominal'][run.case]}"
        asked = (run.case, run.risk, run.ensemble, str(run.members))
        if asked not in rows:
            answer = _process(options, "decided", *asked, str(options.limit))
            row = rows[asked] = run.key | {"limit": options.limit, "rivals": []} | answer
            table["rows"].append(row)
            yield f"{' '.join(asked)} {answer}"
        row = rows[asked]
        for rival, times in run.rivals if "wall" in row else ():
            if any((one["rival"], one["times"]) == (rival, times) for one in row["rivals"]):
                continue
            answer = _process(options, rival, *asked, f"{times * row['wall']:.2f}")
            row["rivals"].append({"rival": rival, "times": times} | answer)
            yield f"{' '.join(asked)} {rival} x {times} {answer}"


def lacking(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Keys of the runs without a row."""
    known = {_key(row) for row in table["rows"]}
    return [run.key for run in RUNS if _key(run.key) not in known]


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return row["case"], row["risk"], row["ensemble"], str(row["members"])


def _begun(options: argparse.Namespace) -> dict[str, Any]:
    """The table that is stored for this gap, or an empty one."""
    if FILE.exists() and not options.anew:
        stored: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
        if stored["gap"] == options.gap:
            return stored
    environment = {"machine": machine(), "versions": versions()}
    return {**environment, "gap": options.gap, "nominal": {}, "rows": []}


def _one(options: argparse.Namespace) -> dict[str, Any]:
    what, case_name, *arguments = options.run
    if what == "nominal":
        return nominal(case_name, options.gap)
    risk, name, size, limit = *arguments[:2], int(arguments[2]), float(arguments[3])
    if what == "evolution":
        return evolved(case_name, risk, name, size, limit)
    method = "single" if what == "programme" else "auto"
    try:
        return decided(case_name, risk, name, size, options.gap, limit, method)
    except InputError as error:
        return {"failure": str(error)}


def _process(options: argparse.Namespace, *run: str) -> dict[str, Any]:
    """The result of a run in a process of its own; where there is none, why."""
    command = [sys.executable, __file__, "--gap", str(options.gap), "--run", *run]
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # as commands of abscopt set it
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:]
        return {"failure": " ".join([f"exit code {done.returncode}", *said])}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
