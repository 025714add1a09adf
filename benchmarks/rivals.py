"""Our search against what a researcher would otherwise run, at equal wall time.

    python benchmarks/rivals.py [--write] [--seeds 10] [CASE ...]

Differential evolution (SciPy, whole populations at once), CMA-ES (`cma`), the tree-structured
Parzen estimator of Optuna and plain enumeration (random order, in blocks) are given our menu of
doses and days, our exact tables for value and feasibility (which they would have to write
themselves), and as much wall time as our search took for its proof. A schedule that breaks a limit
is worth `INFEASIBLE` less the sum of its excess loads. Every best schedule is judged again. Only
our search says how good its answer is; the rivals' columns show the best and the median over the
seeds.

Needs `pip install 'abscopt[bench]'`. Prints the environment; --write stores the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cma
import numpy as np
import optuna
from numpy.typing import NDArray
from reference_optima import machine
from scipy.optimize import differential_evolution

from abscopt.instances import load
from abscopt.instances.schema import Instance
from abscopt.optimizer import solve
from abscopt.optimizer.candidates.table import CAP, Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.pipeline import _schedule
from abscopt.optimizer.result import versions

FILE = Path(__file__).with_name("rivals.json")
CASES = ("early-sabr", "pembro-rt", "stage3-crt", "oligomet-4")
INFEASIBLE = -1000.0
BLOCK = 256

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class OutOfTime(Exception):
    """The budget is spent."""


@dataclass
class Menu:
    """A case as a box of numbers in [0, 1]: a plan and, per lesion, a course.

    A course is coded by its rank in (treated, fractions, dose, interval, start); the plan by its
    place in the case's list. So near codes are near schedules.
    """

    instance: Instance
    deadline: float = math.inf
    evaluations: int = 0
    best: float = -math.inf
    best_at: tuple[int, IntArray] | None = None
    found_after: float = 0.0
    began: float = 0.0
    _tabulated: dict[int, Tabulated] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.candidates = Candidates(self.instance)
        self.orders = []
        for table in self.candidates.lesions:
            menu = table.menu
            first = menu.patterns.first[menu.pattern]
            last = menu.patterns.last[menu.pattern]
            keys = (first, last - first, menu.dose, menu.fractions, menu.pattern > 0)
            self.orders.append(np.lexsort(keys))

    @property
    def size(self) -> int:
        """Numbers in a code."""
        return 1 + len(self.orders)

    def start(self, seconds: float) -> None:
        """Begin anew with a budget of wall time."""
        self.evaluations, self.best, self.best_at, self.found_after = 0, -math.inf, None, 0.0
        self.began = time.perf_counter()
        self.deadline = self.began + seconds

    def worth(self, codes: FloatArray) -> FloatArray:
        """(n,) value of codes (n, size); raises OutOfTime."""
        if time.perf_counter() > self.deadline:
            raise OutOfTime
        plans = np.minimum(
            (codes[:, 0] * len(self.candidates.plans)).astype(int), len(self.candidates.plans) - 1
        )
        rows = np.stack(
            [
                order[np.minimum((codes[:, 1 + s] * len(order)).astype(int), len(order) - 1)]
                for s, order in enumerate(self.orders)
            ],
            axis=1,
        )
        found = np.empty(len(codes))
        for plan in np.unique(plans):
            own = np.flatnonzero(plans == plan)
            found[own] = self._of_plan(int(plan), rows[own])
        self.evaluations += len(codes)
        top = int(found.argmax())
        if found[top] > self.best and found[top] > INFEASIBLE / 2:
            self.best, self.best_at = float(found[top]), (int(plans[top]), rows[top].copy())
            self.found_after = time.perf_counter() - self.began
        return found

    def _of_plan(self, plan: int, rows: IntArray) -> FloatArray:
        if plan not in self._tabulated:
            self._tabulated[plan] = Tabulated(self.candidates, plan)
        tabulated = self._tabulated[plan]
        good = tabulated.feasible(rows)
        value = np.empty(len(rows))
        value[good] = tabulated.value(rows[good])
        loads = tabulated.organ_loads(rows[~good])
        excess = np.minimum(np.maximum(0.0, loads - CAP), 10.0).sum(axis=1)
        value[~good] = INFEASIBLE - excess
        return value


def evolution(menu: Menu, seed: int) -> None:
    """Differential evolution, best1bin, whole populations at once, restarted when it converges."""
    for again in range(1000):
        differential_evolution(
            lambda codes: -menu.worth(np.atleast_2d(codes.T)),
            [(0.0, 1.0)] * menu.size,
            maxiter=100_000,
            popsize=30,
            vectorized=True,
            updating="deferred",
            polish=False,
            rng=seed + 1000 * again,
        )


def cma_es(menu: Menu, seed: int) -> None:
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


def parzen(menu: Menu, seed: int) -> None:
    """Optuna's tree-structured Parzen estimator with its own defaults."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))

    def objective(trial: optuna.Trial) -> float:
        code = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(menu.size)]
        return float(menu.worth(np.array([code]))[0])

    study.optimize(objective, n_trials=None)


def enumeration(menu: Menu, seed: int) -> None:
    """Schedules in random order."""
    rng = np.random.default_rng(seed)
    while True:
        menu.worth(rng.random((BLOCK, menu.size)))


RIVALS: dict[str, Callable[[Menu, int], None]] = {
    "differential evolution": evolution,
    "CMA-ES": cma_es,
    "Optuna TPE": parzen,
    "enumeration": enumeration,
}


def against(name: str, seeds: int) -> dict[str, Any]:
    """One case: our answer, then every rival with as much time, for every seed."""
    instance = load(name)
    result = solve(instance)
    menu, judge = Menu(instance), Judge(instance)
    row: dict[str, Any] = {
        "case": name,
        "objective": result.objective,
        "best_found": result.certificate.best_objective,
        "bound": result.bound,
        "gap": result.gap,
        "seconds": round(result.solver.seconds, 2),
        "rivals": {},
    }
    for rival, run in RIVALS.items():
        values: list[float | None] = []
        counts = []
        for seed in range(seeds):
            menu.start(result.solver.seconds)
            with contextlib.suppress(OutOfTime):
                run(menu, seed)
            counts.append(menu.evaluations)
            if menu.best_at is None:
                values.append(None)
                continue
            plan, codes = menu.best_at
            verdict = judge.evaluate(_schedule(menu.candidates, plan, codes))
            assert verdict.feasible and math.isclose(verdict.objective, menu.best, rel_tol=1e-7)
            values.append(verdict.objective)
        reached = [value for value in values if value is not None]
        row["rivals"][rival] = {
            "best": max(reached, default=None),
            "median": statistics.median(reached) if reached else None,
            "above": sum(value > result.objective + result.gap for value in reached),
            "found_nothing": seeds - len(reached),
            "evaluations": int(statistics.median(counts)),
        }
        print(f"{name:14} {rival:24} {row['rivals'][rival]}", flush=True)
    print(f"{name:14} {'ours':24} {row['objective']:.4f} <= {row['bound']:.4f}, {row['seconds']} s")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore")
    environment = {
        "machine": machine(),
        "versions": versions()
        | {package: version(package) for package in ("scipy", "cma", "optuna")},
        "seeds": options.seeds,
    }
    print(json.dumps(environment))
    rows = [against(name, options.seeds) for name in options.cases]
    if options.write:
        FILE.write_text(
            json.dumps(environment | {"cases": rows}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
