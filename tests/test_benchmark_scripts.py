"""Every script of `benchmarks/` finds what it takes from the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(file.stem for file in FOLDER.glob("*.py"))
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] in ("abscopt", *sys.argv[1:]):
            raise  # else a library of an extra that is not installed
"""


def test_scripts_import() -> None:
    assert len(SCRIPTS) > 15
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *SCRIPTS], cwd=FOLDER, capture_output=True, text=True
    )
    if done.returncode:
        pytest.fail(done.stderr)
