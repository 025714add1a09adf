"""CPU seconds of `pareto --count 20` against one solve of the same case, to the same gap.

    python benchmarks/timings/fronts.py [--write] [--cases CASE ...] [--against MEASURE ...]
        [--count N] [--seconds S] [--turns N]

Solve and front of a case in one new process, in which a first solve has loaded what is loaded once;
the least of some turns of both, each turn in a process of its own. Matrices are multiplied by one
thread: what a second one waits would count. *proved*: points whose gap is closed. Prints the
environment and one JSON line per front; --write stores them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from shared import machine

from abscopt.instances import load
from abscopt.optimizer import solve
from abscopt.optimizer.fronts.tradeoff import pareto
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("fronts.json")
CASES = ("oligomet-4", "stage3-crt", "pembro-rt", "early-sabr")
AGAINST = ("toxicity",)
SMALL = "toy-two-lesions"


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its CPU seconds."""
    before = time.process_time()
    answer = call()
    return answer, time.process_time() - before


def front(name: str, against: str, count: int, seconds: float) -> dict[str, Any]:
    """One solve and one front of a case; in this process."""
    solve(SMALL)
    case = load(name)
    one, solve_cpu = timed(lambda: solve(case))
    trade, front_cpu = timed(lambda: pareto(case, against, count=count, time_limit=seconds))
    points = [result for _, result in trade.points]
    return {
        "case": name,
        "against": against,
        "points": len(points),
        "proved": sum(result.status == "optimal" for result in points),
        "complete": trade.complete,
        "measures": [value for value, _ in trade.points],
        "objectives": [result.objective for result in points],
        "bounds": [result.bound for result in points],
        "nodes": [result.solver.nodes for result in points],
        "solve_nodes": one.solver.nodes,
        "hypervolume": list(trade.hypervolume),
        "gap": case.objective.gap,
        "solve_cpu": round(solve_cpu, 2),
        "front_cpu": round(front_cpu, 2),
        "ratio": round(front_cpu / solve_cpu, 1),
    }


def least(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """One front with the least CPU seconds of several turns, whose points are the same."""
    measured = ("solve_cpu", "front_cpu", "ratio")
    same = [{key: value for key, value in turn.items() if key not in measured} for turn in turns]
    assert all(turn == same[0] for turn in same)
    solve_cpu, front_cpu = (min(turn[key] for turn in turns) for key in measured[:2])
    return turns[0] | {
        "solve_cpu": solve_cpu,
        "front_cpu": front_cpu,
        "ratio": round(front_cpu / solve_cpu, 1),
        "turns": len(turns),
    }


def main() -> None:
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE")
    parser.add_argument("--against", nargs="+", default=list(AGAINST), metavar="MEASURE")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0, help="wall, for each point")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "versions": versions(), "fronts": []}
    print(json.dumps(found), flush=True)
    for name in options.cases:
        for against in options.against:
            turns = []
            for _ in range(options.turns):
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    asked = pool.submit(front, name, against, options.count, options.seconds)
                    turns.append(asked.result())
            found["fronts"].append(least(turns))
            print(json.dumps(found["fronts"][-1]), flush=True)
            if options.write:
                FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
