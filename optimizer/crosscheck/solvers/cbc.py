"""CBC, a program of its own, fed by an MPS file."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.crosscheck.handover import writer
from abscopt.optimizer.crosscheck.handover.naming import Programme
from abscopt.optimizer.highs.solver import Ending, Matrix, Outcome, SolverError

PATIENCE = 30.0
PRINTED = 1e-3
NOISE = 1e-7


BUNDLED = {
    ("linux", "x86_64"): "linux/i64/cbc",
    ("linux", "aarch64"): "linux/arm64/cbc",
    ("darwin", "x86_64"): "osx/i64/cbc",
    ("darwin", "arm64"): "osx/i64/cbc",
    ("win32", "AMD64"): "win/i64/cbc.exe",
}
"""Executables in the wheel of PuLP 3, by platform."""


@cache
def cbc_path() -> str | None:
    """CBC on the path, or the executable that pulp brings; None without either."""
    path = shutil.which("cbc")
    pulp = find_spec("pulp")
    inside = BUNDLED.get((sys.platform, platform.machine()))
    if path is not None or pulp is None or pulp.origin is None or inside is None:
        return path
    bundled = Path(pulp.origin).parent / "solverdir" / "cbc" / inside
    return str(bundled) if bundled.is_file() else None


@cache
def cbc_version() -> str | None:
    """Version that CBC prints; None if it is not installed."""
    path = cbc_path()
    if path is None:
        return None
    command = [path, "-quit"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    match = re.search(r"Version:?\s+(\S+)", done.stdout)
    return match.group(1) if match else "unknown"


def solve_cbc(
    matrix: Matrix, *, absolute_gap: float, time_limit: float | None, threads: int, seed: int
) -> Outcome:
    """Maximize with CBC."""
    path = cbc_path()
    assert path is not None
    options = ["-allowableGap", repr(absolute_gap), "-ratioGap", "0"]
    options += ["-primalTolerance", "1e-9", "-integerTolerance", "1e-9"]
    options += ["-randomSeed", str(seed), "-randomCbcSeed", str(seed)]
    if threads > 1:
        options += ["-threads", str(threads)]
    if time_limit is not None:
        options += ["-timeMode", "elapsed", "-sec", f"{max(time_limit, 0.01):.2f}"]
    with tempfile.TemporaryDirectory(prefix="abscopt-") as folder:
        answer = Path(folder, "solution")
        model = _written(matrix, folder)
        log = _run([path, str(model), *options, "-solve", "-solution", str(answer)], time_limit)
        text = answer.read_text() if answer.exists() else ""
    headline, _, body = text.partition("\n")
    nodes = re.search(r"Enumerated nodes:\s+(\d+)", log)
    if "infeasible" in (headline or log).lower():
        return Outcome("infeasible", None, None, None, int(nodes.group(1)) if nodes else 0)
    if "unbounded" in headline.lower():
        return Outcome("unbounded", None, None, None, 0)
    ending: Ending = "optimal" if headline.startswith("Optimal") else "limit"
    if not headline.startswith(("Optimal", "Stopped")):
        raise SolverError(f"CBC: {headline or log.strip()[-200:]}")
    has_point = "no integer solution" not in headline
    x = _values(body, len(matrix.cost)) if has_point else None
    objective = None if x is None else float(matrix.cost @ x) + matrix.offset
    bound = None
    if ending == "optimal" and objective is not None:
        slack = absolute_gap if "within gap tolerance" in log else 0.0
        bound = objective + slack + NOISE * max(1.0, abs(objective))
    elif (lower := re.search(r"Lower bound:\s+(-?[\d.]+)", log)) is not None:
        bound = PRINTED - float(lower.group(1))
    return Outcome(ending, x, objective, bound, int(nodes.group(1)) if nodes else 0)


def _written(matrix: Matrix, folder: str) -> Path:
    """MPS file with numbered rows and columns."""
    rows = tuple(f"r{i}" for i in range(len(matrix.row_lower)))
    columns = tuple(f"c{j}" for j in range(len(matrix.cost)))
    path = Path(folder, "model.mps")
    path.write_text(writer.mps(Programme("programme", matrix, rows, columns)), encoding="ascii")
    return path


def _run(command: list[str], time_limit: float | None) -> str:
    """Output of a solver, which is stopped if it forgets its own time limit."""
    wait = None if time_limit is None else time_limit + PATIENCE
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=wait, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout + done.stderr


def _values(body: str, count: int) -> FloatArray:
    """Point of a CBC solution file: index, name, value, reduced cost; zeros are left out."""
    x = np.zeros(count)
    for name, value in re.findall(r"^\W*\d+\s+(c\d+)\s+(\S+)", body, re.MULTILINE):
        x[int(name[1:])] = float(value)
    return x
