"""The floor under our search: reading all coefficients once, and the linear programs alone.

    python benchmarks/timings/floor.py [--write] [--repeats 3] [--cases CASE ...]

For each case: seconds of the whole solve; seconds in HiGHS within it (the masters of the column
generation, timed by wrapping `ColumnMaster.duals`) and their number; seconds to make the tables of
all plans; the size of the coefficient arrays (effect, loss, log burden, loads of all plans, as the
tables hold them, equal ones once) and the seconds to sum so many bytes, and to copy them, once at
memory bandwidth (NumPy on 0.8 GB, best of five).
Medians over the repeats. Anything that looks at every coefficient takes at least the time of the
sum. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shared import machine

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.highs.solver import ColumnMaster
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("floor.json")
CASES = ("early-sabr", "pembro-rt", "stage3-crt", "oligomet-4")
STREAMED_BYTES = 800_000_000
TRIES = 5


class Stopwatch:
    """Seconds and calls inside `ColumnMaster.duals` while it is in use."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0
        self._inner = ColumnMaster.duals

    def __enter__(self) -> Stopwatch:
        def timed(master: ColumnMaster) -> NDArray[np.float64]:
            begin = time.perf_counter()
            try:
                return self._inner(master)
            finally:
                self.seconds += time.perf_counter() - begin
                self.calls += 1

        setattr(ColumnMaster, "duals", timed)  # noqa: B010
        return self

    def __exit__(self, *_: object) -> None:
        setattr(ColumnMaster, "duals", self._inner)  # noqa: B010


def coefficient_bytes(instance: Instance) -> int:
    """Bytes of the coefficients of all courses or kinds of course; what plans share counts once."""
    candidates = Candidates(instance)
    shared: dict[tuple[str, int, int], int] = {}
    total = 0
    for plan in range(len(candidates.plans)):
        group = int(candidates.plan_effects.group[plan])
        loads = enumerate(candidates.loads(plan))
        shared |= {("loads", group, s): load.nbytes for s, load in loads}
        for s, effects in enumerate(candidates.effects(plan)):
            total += effects.effect.nbytes + effects.loss.nbytes
            shared["local", group, s] = effects.local.nbytes
    return total + sum(shared.values())


def bandwidth() -> tuple[float, float]:
    """Seconds to sum, and to copy, one byte of an array too large for any cache."""
    held = np.ones(STREAMED_BYTES // 8)
    target = np.empty_like(held)

    def best(action: Callable[[], object]) -> float:
        seconds = []
        for _ in range(TRIES):
            begin = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - begin)
        return min(seconds) / held.nbytes

    return best(held.sum), best(lambda: np.copyto(target, held))


def measured(name: str, repeats: int, per_byte: tuple[float, float]) -> dict[str, Any]:
    """One case."""
    instance = load(name)
    totals, programs, calls, status = [], [], [], []
    for _ in range(repeats):
        with Stopwatch() as watch:
            result = solve(instance)
        totals.append(result.solver.seconds)
        programs.append(watch.seconds)
        calls.append(watch.calls)
        status.append(result.status)
    begin = time.perf_counter()
    size = coefficient_bytes(instance)
    tables = time.perf_counter() - begin
    return {
        "case": name,
        "status": status[0],
        "seconds": round(statistics.median(totals), 3),
        "lp_seconds": round(statistics.median(programs), 3),
        "lps": int(statistics.median(calls)),
        "table_seconds": round(tables, 3),
        "coefficient_mb": round(size / 1e6, 2),
        "sum_seconds": round(size * per_byte[0], 5),
        "copy_seconds": round(size * per_byte[1], 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    summed, copied = bandwidth()
    environment = {
        "machine": machine(),
        "versions": versions(),
        "repeats": options.repeats,
        "gb_per_second": {"sum": round(1e-9 / summed, 2), "copy": round(1e-9 / copied, 2)},
    }
    print(json.dumps(environment))
    rows = []
    for name in options.cases:
        rows.append(measured(name, options.repeats, (summed, copied)))
        print(rows[-1], flush=True)
    if options.write:
        text = json.dumps(environment | {"cases": rows}, indent=2)
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
