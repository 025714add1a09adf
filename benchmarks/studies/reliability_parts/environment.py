"""Part `environment`: strange surroundings change no answer and end in no traceback.

A seed is one surrounding: each runs `solve` of a small case in processes of its own, or several
solves in threads and in a pool of processes, and compares with what the case gives otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

from abscopt.instances import load
from abscopt.optimizer import solve
from reliability_parts.tally import Tally

CASES = ("toy-blockade", "toy-two-lesions", "toy-fractionation", "young-timing")
MAIN = ("-m", "abscopt.cli")
SOLVE = ("solve", "toy-two-lesions", "--json")
NOWHERE = "/proc"
"""A folder in which nobody, root included, can write."""
TIMES = 4
"""Solves of each case in threads and in processes."""


def answer(name: str) -> tuple[str, float | None, float | None, str]:
    """Status, objective, bound and schedule of a case."""
    instance = load(name)
    result = solve(instance)
    schedule = None if result.schedule is None else result.schedule.to_json(instance)
    return result.status, result.objective, result.bound, json.dumps(schedule)


@cache
def expected() -> dict[str, Any]:
    """What `solve --json` prints in plain surroundings, without times and digest."""
    return _told(_run(SOLVE).stdout)


def _told(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    del document["digest"], document["solver"]["seconds"]
    return document


def _run(
    args: tuple[str, ...], flags: tuple[str, ...] = (), **more: Any
) -> subprocess.CompletedProcess[str]:
    more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | more
    command = [sys.executable, *flags, *MAIN, *args]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120, **more)


def _same(flags: tuple[str, ...] = (), **more: Any) -> str | None:
    """What differs from the answer in plain surroundings."""
    done = _run(SOLVE, flags, **more)
    if done.returncode != 0 or "Traceback" in done.stderr:
        return f"exit code {done.returncode}: {' '.join(done.stderr.split())[-200:]}"
    return None if _told(done.stdout) == expected() else "another answer"


def _environment(**changes: str | None) -> dict[str, str]:
    found = {key: value for key, value in os.environ.items() if key not in changes}
    return found | {key: value for key, value in changes.items() if value is not None}


def closed_stdout() -> str | None:
    """The reader of a pipe is gone before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = _run(SOLVE, stdout=writing)
    finally:
        os.close(writing)
    fine = "Traceback" not in done.stderr and "internal error" not in done.stderr
    return None if fine and done.returncode != 0 else f"{done.returncode}: {done.stderr[-200:]}"


def full_disk() -> str | None:
    """Standard output that takes nothing."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = _run(SOLVE, stdout=full)
    fine = "Traceback" not in done.stderr and done.returncode != 0
    return None if fine else f"{done.returncode}: {done.stderr[-200:]}"


def no_home() -> str | None:
    return _same(env=_environment(HOME=None, XDG_CONFIG_HOME=None, USER=None, LOGNAME=None))


def plain_locale() -> str | None:
    return _same(env=_environment(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"))


def dumb_terminal() -> str | None:
    return _same(env=_environment(TERM="dumb", COLUMNS="1", NO_COLOR="1"))


def warnings_are_errors() -> str | None:
    return _same(("-W", "error"))


def without_asserts() -> str | None:
    return _same(("-O",))


def folder_that_cannot_be_written() -> str | None:
    return _same(cwd=NOWHERE)


def out_in_a_folder_that_cannot_be_written() -> str | None:
    done = _run((*SOLVE, "--out", f"{NOWHERE}/abscopt-results"))
    fine = done.returncode == 2 and "Traceback" not in done.stderr
    return None if fine else f"{done.returncode}: {done.stderr[-200:]}"


def other_hash_seeds() -> str | None:
    return next(filter(None, (_same(env=_environment(PYTHONHASHSEED=n)) for n in "17")), None)


def threads() -> str | None:
    """Solves in threads of one process."""
    names = CASES * TIMES
    right = {name: answer(name) for name in CASES}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, names))
    wrong = sorted({n for n, one in zip(names, found, strict=True) if one != right[n]})
    return f"other answers of {wrong}" if wrong else None


def processes() -> str | None:
    """Solves in a pool of spawned processes."""
    names = CASES * TIMES
    right = {name: answer(name) for name in CASES}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(answer, names))
    wrong = sorted({n for n, one in zip(names, found, strict=True) if one != right[n]})
    return f"other answers of {wrong}" if wrong else None


SURROUNDINGS: tuple[Callable[[], str | None], ...] = (
    closed_stdout, full_disk, no_home, plain_locale, dumb_terminal, warnings_are_errors,
    without_asserts, folder_that_cannot_be_written,
    out_in_a_folder_that_cannot_be_written, other_hash_seeds, threads, processes,
)  # fmt: skip


def examine(seed: int) -> Tally:
    """Run in one of the surroundings."""
    tally, surrounding = Tally(), SURROUNDINGS[seed % len(SURROUNDINGS)]
    tally.counts.update(["surroundings", surrounding.__name__])
    wrong = surrounding()
    if wrong is not None:
        tally.faults.append(f"seed {seed} {surrounding.__name__}: {wrong}")
    return tally
