"""Time and memory of the search against lesions, courses and plans, with fitted exponents.

    python benchmarks/timings/growth.py [--write] [--repeats 3] [--limit 120] [--curves CURVE ...]

Cases are made of `oligomet-4`: its lesions in turn (copies have their sparing factors at 70 % and
share effect and precursors equally), a finer or coarser grid of doses, more or fewer days on which
pembrolizumab may start. One size changes at a time. Every solve runs in a process of its own; wall
seconds are the median of the repeats, memory is the peak of the process. A solve that meets the
limit is shown with its gap and left out of the fit (least squares on logarithms). The largest
cases, ten million courses under 160 plans and twelve lesions, run once with a limit of their own.
Every answer is judged by the pipeline itself. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from shared import machine

from abscopt.instances.load import CASES, InputError, build
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.menus.courses import enumerate_menu
from abscopt.optimizer.candidates.systemic.plans import enumerate_plans
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("growth.json")
GAP = 0.05
COPY = 0.7
LONG = {
    "fractions": list(range(1, 11)),
    "interval_days": [1, 2, 3, 4, 5, 7, 10, 14],
    "last_start_day": 112,
}
TINY = {"fractions": [3, 5], "interval_days": [2], "last_start_day": 9}
SECOND = {
    "name": "ipilimumab",
    "regimens": ["ipilimumab-1mgkg-q6w-x2"],
    "first_start_day": 0,
    "last_start_day": 60,
    "start_step_days": 2,
}
CURVES: dict[str, list[dict[str, Any]]] = {
    "lesions": [{"lesions": n} for n in (1, 2, 3, 4, 5, 6, 8)],
    "courses": [
        *({"step_gy": step} for step in (2.0, 1.0, 0.5, 0.25, 0.125, 0.0625)),
        {"step_gy": 0.1, "long": True},
        {"step_gy": 0.05, "long": True},
    ],
    "plans": [
        *({"last_start_day": day} for day in (4, 10, 21, 42, 84, 150)),
        *({"last_start_day": day, "second": True} for day in (42, 158)),
    ],
    "largest": [
        {"lesions": 6, "step_gy": 0.045, "last_start_day": 158, "long": True},
        {"lesions": 12},
    ],
}


def sized(
    lesions: int = 3,
    step_gy: float = 0.5,
    last_start_day: int = 21,
    long: bool = False,
    second: bool = False,
    tiny: bool = False,
) -> Instance:
    """A case of the class of `oligomet-4` with so many sites besides hidden disease.

    `long` menus have 1 to 10 fractions, eight intervals and starts until day 112, `tiny` ones 3 or
    5 fractions every other day and starts until day 9; `second` is a second agent, ipilimumab,
    with 31 starts or none.
    """
    raw = tomllib.loads((CASES / "oligomet-4.toml").read_text(encoding="utf-8"))
    sites = [lesion for lesion in raw["lesions"] if "course" in lesion]
    hidden = next(lesion for lesion in raw["lesions"] if "course" not in lesion)
    chosen = []
    for i in range(lesions):
        again = i // len(sites)
        site = json.loads(json.dumps(sites[i % len(sites)]))
        site["name"] += f"-{again}" if again else ""
        site["effector_share"] = site["precursor_share"] = round(0.6 / lesions, 6)
        course = site["course"]
        course["doses_gy"]["step_gy"] = step_gy
        course |= LONG if long else TINY if tiny else {}
        for points in site["sparing"].values():
            for point in points:
                points[point] = round(points[point] * COPY**again, 6)
        chosen.append(site)
    agent = raw["agents"][0] | {"last_start_day": last_start_day}
    changed = raw | {
        "name": f"class-{lesions}-{step_gy:g}-{last_start_day}",
        "lesions": [*chosen, hidden],
        "agents": [agent, SECOND] if second else [agent],
        # Every day of the window is a start, so that its length alone sets the number of plans.
        "calendar": {"infusion_weekdays": list(range(7))},
    }
    changed.pop("standard")
    try:
        return build(changed)
    except InputError as error:  # limits of organs that no chosen site reaches
        idle = {problem.place for problem in error.problems}
        kept = [limit for i, limit in enumerate(raw["limits"]) if f"limits[{i}]" not in idle]
        return build(changed | {"limits": kept})


def one(sizes: dict[str, Any], limit: float) -> dict[str, Any]:
    """Solve one case in this process."""
    instance = sized(**sizes)
    courses = sum(len(enumerate_menu(instance, i)) for i in instance.irradiable)
    begin = time.perf_counter()
    result = solve(instance, gap=GAP, time_limit=limit)
    return {
        "lesions": len(instance.irradiable),
        "courses": courses,
        "plans": len(enumerate_plans(instance)),
        "seconds": time.perf_counter() - begin,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "status": result.status,
        "objective": result.objective,
        "gap": result.gap,
    }


def measured(sizes: dict[str, Any], repeats: int, limit: float) -> dict[str, Any]:
    """Median over repeats, each in a new process; one run where it met the limit."""
    runs: list[dict[str, Any]] = []
    while len(runs) < (repeats if all(run["status"] == "optimal" for run in runs) else 1):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            runs.append(pool.submit(one, sizes, limit).result())
    row = dict(runs[0])
    for key in ("seconds", "peak_mb"):
        row[key] = round(statistics.median(run[key] for run in runs), 2)
    return row


def exponent(rows: Sequence[dict[str, Any]], size: str) -> float | None:
    """Slope of ln seconds against ln size over the solves that were proved."""
    proved = [row for row in rows if row["status"] == "optimal"]
    if len(proved) < 3:
        return None
    sizes, seconds = (np.log([row[key] for row in proved]) for key in (size, "seconds"))
    return round(float(np.polyfit(sizes, seconds, 1)[0]), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--largest-limit", type=float, default=300.0)
    parser.add_argument("--curves", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    environment = {"machine": machine(), "versions": versions(), "gap": GAP} | vars(options)
    print(json.dumps(environment))
    curves: dict[str, Any] = {}
    for size in options.curves:
        rows = []
        for sizes in CURVES[size]:
            large = size == "largest"
            limit = options.largest_limit if large else options.limit
            rows.append(measured(sizes, 1 if large else options.repeats, limit))
            print(size, rows[-1], flush=True)
        slope = None if size == "largest" else exponent(rows, size)
        curves[size] = {"exponent": slope, "rows": rows}
        print(size, "exponent", curves[size]["exponent"], flush=True)
    if options.write:
        text = json.dumps(environment | {"curves": curves}, indent=2)
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
