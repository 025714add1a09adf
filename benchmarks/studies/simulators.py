"""Schedules per second and core of the simulators.

    python benchmarks/studies/simulators.py

Prints the environment and, for each simulator, the median of five runs in CPU seconds.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from reference_optima import machine

from abscopt.models.simulators import cho, kosinsky

DAYS = 180
REPEATS = 5


def rate(schedules: int, run: Callable[[], object]) -> float:
    """Schedules per CPU second, the median of the repeats."""
    run()
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        run()
        seconds.append(time.process_time() - begin)
    return schedules / statistics.median(seconds)


def main() -> None:
    versions = {"python": platform.python_version()} | {
        package: version(package) for package in ("numpy", "scipy")
    }
    print(machine() | versions)
    rng = np.random.default_rng(0)
    doses = np.where(rng.random((2000, DAYS)) < 0.05, 8.0, 0.0)
    drug = rng.uniform(0.0, 4.0, (2000, DAYS))
    fast = rate(2000, lambda: cho.simulate(cho.FIGURES_4_5, doses, drug, drug, tumor_cm3=0.1))
    print(f"cho       {fast:9.0f} schedules/s/core, {DAYS} days, batches of 2000")

    fractions = np.zeros((20, 60))
    fractions[np.arange(20), np.arange(20) + 5] = 8.0
    antibody = np.zeros(60)
    antibody[7:26:7] = kosinsky.antibody_nmol(10.0)
    parameters = kosinsky.Parameters()
    slow = rate(20, lambda: kosinsky.simulate(parameters, fractions, antibody, tolerance=1e-6))
    print(f"kosinsky  {slow:9.0f} schedules/s/core, 60 days, batches of 20, tolerance 1e-6")


if __name__ == "__main__":
    main()
