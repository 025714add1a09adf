"""Run a command again and again, each time killed one step later; print what it left.

    python killed_at.py FOLDER COMMAND...

A step is a write, a sync, a rename, a link or a removal inside the folder. Before each run the
folder is emptied and holds what `old` holds. Prints one JSON object per run: whether it was killed,
and the files of the folder.
"""

import builtins
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas  # noqa: F401, imported once before the forks

from abscopt.cli import main
from abscopt.instances.load import load
from abscopt.optimizer import pipeline
from abscopt.optimizer.crosscheck import compare
from abscopt.optimizer.crosscheck.handover import exchange

MOST_STEPS = 100
EVERY = 5
"""A run after a killed one is tried for every fifth."""


def solved_before(name: str) -> None:
    """Solve a case once and for all: the runs only differ in what they write."""
    result = pipeline.solve(load(name))
    pipeline.solve = compare.solve = lambda *_, **__: result


class Steps:
    """Counts steps, and kills this process before or after the n-th."""

    def __init__(self, folder: str, last: int):
        self.folder, self.last, self.done = folder, last, 0

    def step(self) -> None:
        """One moment at which the machine may stop."""
        if self.done == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1

    def around(self, what: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, with a moment before and one after it."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            inside = any(self.folder in str(a) for a in args) or what is REAL["fsync"]
            if not inside:
                return what(*args, **kwargs)
            self.step()
            answer = what(*args, **kwargs)
            self.step()
            return answer

        return counted


REAL = {name: getattr(os, name) for name in ("fsync", "replace", "link", "unlink")}


class HalfWritten(io.TextIOWrapper):
    """Text file that writes in two halves, with a moment between them."""

    steps: Steps

    def write(self, text: str) -> int:
        """Write both halves to the disk."""
        half = len(text) // 2
        for part in (text[:half], text[half:]):
            super().write(part)
            self.flush()
            self.steps.step()
        return len(text)


def run(folder: str, command: list[str], last: int) -> None:
    """The command, killed at a step."""
    steps = Steps(folder, last)
    for name, what in REAL.items():
        setattr(os, name, steps.around(what))
    whole = io.open

    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if folder not in str(file) or ("w" not in mode and "x" not in mode):
            return whole(file, mode, *args, **kwargs)
        written = HalfWritten(whole(file, mode[0] + "b"), encoding="utf-8", newline="\n")
        written.steps = steps
        return written

    io.open = builtins.open = opened
    sys.stdout = sys.stderr = whole(os.devnull, "w")
    try:
        main(command)
    except SystemExit as end:
        os._exit(int(end.code or 0) and 9)
    os._exit(0)


def files(folder: str) -> dict[str, str]:
    """Name and content of every file."""
    return {p.name: p.read_text() for p in sorted(Path(folder).iterdir()) if p.is_file()}


def begin(folder: str) -> None:
    """The folder as the old run left it."""
    shutil.rmtree(folder)
    shutil.copytree(Path(folder).parent / "old", folder)


if __name__ == "__main__":
    numpy.seterr(all="warn")
    where, arguments = sys.argv[1], sys.argv[2:]
    if arguments[0] in ("solve", "compare"):
        solved_before(arguments[1])
    elif arguments[0] == "export":
        programme = exchange.export_programme(load(arguments[1]))
        exchange.export_programme = lambda *_, **__: programme
    for n in range(MOST_STEPS):
        begin(where)
        child = os.fork()
        if not child:
            run(where, arguments, n)
        status = os.waitpid(child, 0)[1]
        killed = os.WIFSIGNALED(status)
        left = files(where)
        found = {"killed": killed, "left": left}
        if n % EVERY == 0 or not killed:
            again = os.fork()
            if not again:
                run(where, arguments, -1)
            found |= {"end": os.waitpid(again, 0)[1], "after": files(where)}
        print(json.dumps(found))
        if not killed:
            break
