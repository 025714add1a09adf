"""Every script of `benchmarks/` finds what it takes from the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] in ("abscopt", *sys.argv[1:]):
            raise  # else a library of an extra that is not installed
"""


@pytest.mark.parametrize("room", ["timings", "studies"])
def test_scripts_import(room: str) -> None:
    scripts = sorted(file.stem for file in (BENCHMARKS / room).glob("*.py"))
    assert len(scripts) > 10
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *scripts],
        cwd=BENCHMARKS / room,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(done.stderr)
