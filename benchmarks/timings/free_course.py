"""Free courses: the search by days against the one survivor-flow MILP, and alone up to 40 days.

    python benchmarks/timings/free_course.py [--write] [--limit 60] [--last-limit 240]
        [--alone] [--pair] [--long]

Cases are made of `toy-free-20`: its first days, continued on weekdays beyond the 20th, with its
five start days of durvalumab or with one of them. `varying` gives esophagus and great vessels
sparing factors that change from day to day (seeded), around those of the case. `two lesions` are
the first days of `toy-free-pair` with one of its start days (`--pair`: these alone). `long` is 30
weekdays x 25 doses for two and for three free lesions of it under five limits, with sparing factors
that change by day; by our search alone (`--long`: these alone). Both methods ask for the same gap
(0.01 nat) and use one thread; every solve runs in a process of its own, and what either method
imports is loaded before its time begins. A solve that meets its limit (wall seconds; the last one
that of the longest course) is shown with the gap it reached and left out of the fit; ratios are of
CPU seconds. Every answer is judged by the pipeline itself. Prints the environment; --write stores
the table.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import statistics
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from growth import exponent
from shared import machine

from abscopt.instances.load import CASES, build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("free_course.json")
GAP = 0.01
START_DAY = 7
AGAINST = (6, 10, 16, 20)
ALONE = (6, 10, 15, 20, 30, 40)
PAIR = (4, 7, 10, 15)
SPREAD = 0.15
LONG_DAYS, LONG_LESIONS = 30, (2, 3)
LONG_DOSES = {"min_gy": 2, "max_gy": 14, "step_gy": 0.5}
THIRD = {
    "name": "third",
    "organ": "right lower lobe",
    "volume_cm3": 12,
    "effector_share": 0.1,
    "precursor_share": 0.1,
    "sparing": {"esophagus": {"max": 0.3}, "lungs": {"mean": 0.1}, "heart": {"mean": 0.08}},
}
"""The third lesion of the long case where it differs from the second; all assumed."""


def sized(days: int, *, varying: bool = False, plans: int = 1) -> Instance:
    """A case with so many weekdays and 1 or 5 plans."""
    raw = tomllib.loads((CASES / "toy-free-20.toml").read_text(encoding="utf-8"))
    allowed = [day for day in range(2 * days) if day % 7 < 5][:days]
    course = raw["lesions"][0]["course"]
    course["days"] = allowed
    if varying:
        random = np.random.default_rng(days)
        for organ in ("esophagus", "great_vessels"):
            point = raw["lesions"][0]["sparing"][organ]
            factors = point["max"] * (1.0 + random.uniform(-SPREAD, SPREAD, size=days))
            point["max"] = {"days": allowed, "values": [round(float(f), 3) for f in factors]}
    changed = raw | {"name": f"free-{days}-{'varying' if varying else 'constant'}-{plans}"}
    changed.pop("standard")
    if plans == 1:
        once = {"first_start_day": START_DAY, "last_start_day": START_DAY}
        changed["agents"] = [raw["agents"][0] | once]
    return build(changed)


def sized_pair(days: int) -> Instance:
    """Two free lesions on so many weekdays under one plan."""
    raw = tomllib.loads((CASES / "toy-free-pair.toml").read_text(encoding="utf-8"))
    for lesion in raw["lesions"][:2]:
        lesion["course"]["days"] = lesion["course"]["days"][:days]
    raw["agents"][0] |= {"first_start_day": START_DAY, "last_start_day": START_DAY}
    raw.pop("standard")
    return build(raw | {"name": f"free-pair-{days}"})


def long(lesions: int) -> Instance:
    """Two or three free lesions, 30 weekdays of 25 doses each, one plan, five limits.

    The sparing factors of the point maxima change from day to day (seeded).
    """
    raw = tomllib.loads((CASES / "toy-free-pair.toml").read_text(encoding="utf-8"))
    days = [day for day in range(2 * LONG_DAYS) if day % 7 < 5][:LONG_DAYS]
    random = np.random.default_rng(LONG_DAYS)
    first, second, occult = raw["lesions"]
    third = copy.deepcopy(second) | THIRD
    first["sparing"] |= {"cord": {"max": 0.5}, "heart": {"mean": 0.1}}
    second["sparing"] |= {"heart": {"mean": 0.05}}
    if lesions > 2:  # shares add up to 1
        occult |= {"effector_share": 0.3, "precursor_share": 0.35}
    free = [first, second, third][:lesions]
    for lesion in free:
        lesion["course"] = {"form": "free", "days": days, "doses_gy": LONG_DOSES}
        for point in lesion["sparing"].values():
            if "max" in point:
                factors = point["max"] * (1.0 + random.uniform(-SPREAD, SPREAD, size=LONG_DAYS))
                point["max"] = {"days": days, "values": [round(float(f), 3) for f in factors]}
    raw["lesions"] = [*free, occult]
    raw["organs"] |= {"cord": {"use": "cord"}, "heart": {"use": "heart"}}
    raw["limits"] += [{"use": "cord_max"}, {"use": "heart_mean"}]
    raw["agents"][0] |= {"first_start_day": START_DAY, "last_start_day": START_DAY}
    raw.pop("standard")
    return build(raw | {"name": f"free-long-{lesions}"})


def case(kind: str, days: int, plans: int) -> Instance:
    """One lesion (`constant`, `varying`), two (`pair`), or the long case (`long 2`, `long 3`)."""
    if kind == "pair":
        return sized_pair(days)
    if kind.startswith("long"):
        return long(int(kind[-1]))
    return sized(days, varying=kind == "varying", plans=plans)


def one(kind: str, days: int, plans: int, method: Any, limit: float) -> dict[str, Any]:
    """Solve one case in this process."""
    from abscopt.optimizer.programme import single  # noqa: F401

    instance = case(kind, days, plans)
    begin, used = time.perf_counter(), time.process_time()
    result = solve(instance, gap=GAP, time_limit=limit, method=method)
    return {
        "days": days,
        "plans": plans,
        "varying": kind == "varying",
        "method": method,
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - used,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "status": result.status,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
    }


def measured(repeats: int, *asked: Any) -> dict[str, Any]:
    """Median over repeats, each in a new process; one run where it met the limit."""
    runs: list[dict[str, Any]] = []
    while len(runs) < (repeats if all(run["status"] == "optimal" for run in runs) else 1):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            runs.append(pool.submit(one, *asked).result())
    row = dict(runs[0])
    for key in ("seconds", "cpu_seconds", "peak_mb"):
        row[key] = round(statistics.median(run[key] for run in runs), 2)
    return row


def against(options: argparse.Namespace, plans: int, lesions: int = 1) -> list[dict[str, Any]]:
    """Both methods on growing days, with what the MILP costs against ours."""
    rows, sizes, kind = [], *((AGAINST, "constant") if lesions == 1 else (PAIR, "pair"))
    for days in sizes:
        limit = options.last_limit if days == sizes[-1] else options.limit
        ours = measured(options.repeats, kind, days, plans, "auto", limit)
        theirs = measured(1, kind, days, plans, "single", limit)
        ratio = round(theirs["cpu_seconds"] / ours["cpu_seconds"], 1)
        proved = theirs["status"] == "optimal"
        rows.append({"days": days, "ours": ours, "milp": theirs, "cpu_ratio": ratio})
        print(
            f"{lesions} lesions {plans} plans {days:3d} days   ours"
            f" {ours['cpu_seconds']:8.2f} s gap {ours['gap']!s:.6}   MILP"
            f" {theirs['cpu_seconds']:8.2f} s gap {theirs['gap']!s:.6}   ratio"
            f" {'' if proved else '> '}{ratio}",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--last-limit", type=float, default=240.0, help="for 20 days")
    parser.add_argument("--alone", action="store_true", help="leave the MILP out")
    parser.add_argument("--pair", action="store_true", help="two lesions only")
    parser.add_argument("--long", action="store_true", help="30 days of 25 doses only")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {"machine": machine(), "versions": versions(), "gap": GAP} | vars(options)
    print(json.dumps(environment))
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    if not (options.alone or options.long):
        known = stored.get("against", {}) if options.pair else {}
        if not options.pair:
            known |= {"one plan": against(options, 1), "five plans": against(options, 5)}
        known["two lesions"] = against(options, 1, 2)
        stored["against"] = known | {"environment": environment}
    curves = {}
    for name in () if options.pair or options.long else ("constant", "varying"):
        rows = []
        for days in ALONE:
            rows.append(measured(options.repeats, name, days, 1, "auto", options.limit))
            print(rows[-1], flush=True)
        curves[name] = {"exponent": exponent(rows, "days"), "rows": rows}
        print(name, "exponent", curves[name]["exponent"], flush=True)
    if curves:
        stored["alone"] = {"environment": environment} | curves
    if not options.pair:
        rows = []
        for lesions in LONG_LESIONS:
            kind, limit = f"long {lesions}", options.limit
            row = measured(options.repeats, kind, LONG_DAYS, 1, "auto", limit)
            rows.append(row | {"lesions": lesions, "limit": limit})
            print(rows[-1], flush=True)
        stored["long"] = {"environment": environment, "rows": rows}
    if options.write:
        FILE.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
