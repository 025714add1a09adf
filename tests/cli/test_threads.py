"""A command multiplies matrices in one thread unless told otherwise, and collects seldom."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from abscopt.optimizer.process.started import COLLECT_AFTER

CODE = """
import os, sys
sys.argv[0] = {program!r}
import abscopt.optimizer.process.started
assert "numpy" not in sys.modules
import gc
print(os.environ.get("OPENBLAS_NUM_THREADS"), gc.get_threshold()[0])
"""


@pytest.mark.parametrize(
    ("program", "stated", "used"),
    [
        ("/usr/bin/abscopt", None, "1"),
        ("/usr/bin/abscopt", "2", "2"),
        ("/home/someone/plan.py", None, "None"),
    ],
)
def test_who_decides_on_threads(program: str, stated: str | None, used: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    environment |= {} if stated is None else {"OPENBLAS_NUM_THREADS": stated}
    code = CODE.format(program=program)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    threads, collected_after = done.stdout.split()
    assert threads == used
    usual = gc.get_threshold()[0]
    assert int(collected_after) == (usual if program.endswith(".py") else COLLECT_AFTER)
