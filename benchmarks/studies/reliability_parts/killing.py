"""Count the steps by which a process writes files in a folder, and kill it at one of them.

A step is the moment before or after a file is opened for writing, half or wholly written, synced,
renamed or removed. Python's own functions are wrapped, in a child process that is forked off.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRAPPED = ("replace", "rename", "unlink", "remove", "fsync")


class Steps:
    """Counts steps in one folder; at step `last` the process ends as by `kill -9`."""

    def __init__(self, folder: Path, last: int):
        self.folder = str(folder)
        self.last = last
        self.count = 0

    def step(self) -> None:
        """One more step."""
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def inside(self, name: Any) -> bool:
        """Whether a path, or the file of a descriptor, lies in the folder."""
        if isinstance(name, int):
            name = os.readlink(f"/proc/self/fd/{name}")
        return os.path.abspath(os.fspath(name)).startswith(self.folder)

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a step before and after it."""

        def stepping(name: Any, *args: Any, **more: Any) -> Any:
            if not self.inside(name):
                return function(name, *args, **more)
            self.step()
            found = function(name, *args, **more)
            self.step()
            return found

        return stepping

    def opened(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`open` whose files, if they are written, are written in two steps."""

        def opening(name: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
            if isinstance(name, int) or not self.inside(name) or not set(mode) & set("wax+"):
                return function(name, mode, *args, **more)
            self.step()
            file = function(name, mode, *args, **more)
            self.step()
            return _InSteps(file, self)

        return opening

    def install(self) -> None:
        """Wrap the functions in this process, for good."""
        for name in WRAPPED:
            setattr(os, name, self.wrapped(getattr(os, name)))
        io.open = self.opened(io.open)  # type: ignore[assignment]
        builtins.open = io.open


class _InSteps:
    """A file that is written half and half."""

    def __init__(self, file: Any, steps: Steps):
        self._file, self._steps = file, steps

    def write(self, text: Any) -> Any:
        middle = len(text) // 2
        self._file.write(text[:middle])
        self._file.flush()
        self._steps.step()
        self._file.write(text[middle:])
        self._file.flush()
        self._steps.step()
        return len(text)

    def __enter__(self) -> _InSteps:
        return self

    def __exit__(self, *args: Any) -> None:
        self._file.close()
        self._steps.step()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def run(main: Callable[[list[str]], Any], args: list[str], folder: Path, last: int = 0) -> int:
    """Run a command in a child that is killed at a step; 0 for no kill.

    Its clock stands still, so that equal runs write equal bytes. Returns the number of steps, or
    minus the signal that ended the child.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _child(main, args, Steps(folder, last))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status)
    return _read_count(folder)


def _count_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.steps")


def _read_count(folder: Path) -> int:
    return int(_count_file(folder).read_text(encoding="utf-8"))


def _child(main: Callable[[list[str]], Any], args: list[str], steps: Steps) -> None:
    """Never returns."""
    code = 70
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        time.perf_counter = lambda: 1.0
        time.monotonic = lambda: 1.0
        steps.install()
        main(args)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        counts = f"{steps.count}"
        with open(_count_file(Path(steps.folder)), "w", encoding="utf-8") as file:
            file.write(counts if code == 0 else "-1000")
        os._exit(code)
