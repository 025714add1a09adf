"""Our search against what a researcher would otherwise run, at equal wall time.

    python benchmarks/timings/rivals.py [--write] [--seeds 10] [--processes 2] [--cases CASE ...]

Differential evolution (SciPy, whole populations at once), CMA-ES (`cma`), the tree-structured
Parzen estimator of Optuna and plain enumeration (random order, in blocks) are given our menu of
doses and days, our exact tables for value and feasibility (which they would have to write
themselves; made before their clock starts; for free courses the judge), and as much wall time as
our search took for its proof, tables included. How a schedule is coded and what one that breaks a
limit is worth: `rival_menu.py`, and `rival_judge.py` for free courses. Each rival has the coding
that served it best in a trial on five of the cases (`--coding` gives all the same one). Without
`--cases` every bundled case is run. `--processes` runs are made at a time, one to a core; our own
solve has the machine to itself. Every best schedule is judged again. Only our search says how good
its answer is; the rivals' columns show the best and the median over the seeds.

Needs `pip install 'abscopt[bench]'`. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import cma
import numpy as np
import optuna
from rival_judge import JudgedMenu
from rival_menu import Box, Coding, Menu, OutOfTime, Tables
from scipy.optimize import differential_evolution
from shared import machine

from abscopt.instances import load
from abscopt.instances.load import CASES
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.results.result import versions

FILE = Path(__file__).with_name("rivals.json")
BLOCK = 256


def evolution(menu: Box, seed: int) -> None:
    """Differential evolution, best1bin, whole populations at once, restarted when it converges."""
    for again in range(1000):
        differential_evolution(
            lambda codes: -menu.worth(np.atleast_2d(codes.T)),
            [(0.0, 1.0)] * menu.size,
            maxiter=100_000,
            popsize=15,
            vectorized=True,
            updating="deferred",
            polish=False,
            rng=seed + 1000 * again,
        )


def cma_es(menu: Box, seed: int) -> None:
    """CMA-ES with a wide start, restarted with twice the population."""
    rng = np.random.default_rng(seed)
    for again in range(1000):
        options = {
            "bounds": [0.0, 1.0], "seed": seed + 1 + 1000 * again, "verbose": -9,
            "popsize": 24 * 2 ** min(again, 6),
        }  # fmt: skip
        search = cma.CMAEvolutionStrategy(rng.random(menu.size), 0.3, options)
        while not search.stop():
            asked = search.ask()
            search.tell(asked, (-menu.worth(np.array(asked))).tolist())


def parzen(menu: Box, seed: int) -> None:
    """Optuna's tree-structured Parzen estimator, multivariate, else with its own defaults."""
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        code = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(menu.size)]
        return float(menu.worth(np.array([code]))[0])

    study.optimize(objective, n_trials=None)


def enumeration(menu: Box, seed: int) -> None:
    """Schedules in random order."""
    rng = np.random.default_rng(seed)
    while True:
        menu.worth(rng.random((BLOCK, menu.size)))


RIVALS: dict[str, tuple[Callable[[Box, int], None], Coding]] = {
    "differential evolution": (evolution, "axes"),
    "CMA-ES": (cma_es, "axes"),
    "Optuna TPE": (parzen, "axes"),
    "enumeration": (enumeration, "ladder"),
}

_boxes: dict[str, Box] = {}
"""Of the case of this process, by coding."""


def _prepare(name: str) -> None:
    """What rivals are given of a case, in this process, before any clock starts."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore")
    instance = load(name)
    if Candidates(instance).free:
        judged = JudgedMenu(instance)
        _boxes.update(dict.fromkeys(get_args(Coding), judged))
    else:
        tables = Tables(instance)
        _boxes.update({coding: Menu(tables, coding) for coding in get_args(Coding)})


def one(
    name: str, rival: str, coding: Coding, seed: int, seconds: float
) -> tuple[float | None, int]:
    """Judged objective and evaluations of one run of one rival."""
    box = _boxes[coding]
    assert box.price > 0  # sampled now, before the clock starts
    box.start(seconds)
    with contextlib.suppress(OutOfTime):
        RIVALS[rival][0](box, seed)
    if box.answer is None:
        return None, box.evaluations
    verdict = Judge(load(name)).evaluate(box.answer)
    assert verdict.admissible and math.isclose(verdict.objective, box.best, rel_tol=1e-7)
    return verdict.objective, box.evaluations


def against(name: str, seeds: int, processes: int, coding: Coding | None) -> dict[str, Any]:
    """One case: our answer, then every rival with as much time, for every seed."""
    instance = load(name)
    result = solve(instance)
    assert result.objective is not None and result.gap is not None
    seconds, free = result.solver.seconds, bool(Candidates(instance).free)
    row: dict[str, Any] = {
        "case": name,
        "objective": result.objective,
        "best_found": result.certificate.best_objective,
        "bound": result.bound,
        "gap": result.gap,
        "seconds": round(seconds, 2),
        "rivals": {},
    }
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_prepare, initargs=(name,)) as pool:
        for rival, (_, own) in RIVALS.items():
            runs = [
                pool.submit(one, name, rival, coding or own, seed, seconds) for seed in range(seeds)
            ]
            row["rivals"][rival] = summary([run.result() for run in runs], result)
            row["rivals"][rival]["coding"] = "days" if free else coding or own
            print(f"{name:14} {rival:24} {row['rivals'][rival]}", flush=True)
    print(f"{name:14} {'ours':24} {row['objective']:.4f} <= {row['bound']:.4f}, {seconds:.2f} s")
    return row


def summary(runs: list[tuple[float | None, int]], result: Any) -> dict[str, Any]:
    """Best and median over the seeds, and how often a rival did better than we claim."""
    reached = [value for value, _ in runs if value is not None]
    return {
        "best": max(reached, default=None),
        "median": statistics.median(reached) if reached else None,
        "at_least_ours": sum(value >= result.objective - 1e-9 for value in reached),
        "above": sum(value > result.objective + result.gap for value in reached),
        "found_nothing": len(runs) - len(reached),
        "evaluations": int(statistics.median(count for _, count in runs)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = sorted(path.stem for path in CASES.glob("*.toml"))
    parser.add_argument("--cases", nargs="+", default=every, metavar="CASE")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--coding", choices=get_args(Coding), help="one coding for all rivals")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    environment = {
        "machine": machine(),
        "versions": versions()
        | {package: version(package) for package in ("scipy", "cma", "optuna")},
        "seeds": options.seeds,
        "processes": options.processes,
    }
    print(json.dumps(environment))
    rows = [
        against(name, options.seeds, options.processes, options.coding) for name in options.cases
    ]
    if options.write:
        FILE.write_text(
            json.dumps(environment | {"cases": rows}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
