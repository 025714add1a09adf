"""Scripts of `benchmarks` as modules: they import each other by their bare names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
STUDIES, TIMINGS = BENCHMARKS / "studies", BENCHMARKS / "timings"


def on_path() -> None:
    """Scripts are found from now on, behind everything else."""
    for folder in map(str, (STUDIES, TIMINGS)):
        if folder not in sys.path:
            sys.path.append(folder)


def script(name: str) -> ModuleType:
    """A script of either folder, `waiting` or `reliability_parts.optima`; loaded once."""
    on_path()
    return importlib.import_module(name)
