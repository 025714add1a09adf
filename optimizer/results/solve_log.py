"""The log of a solve: one JSON object a line, written while it runs, so that a killed one is whole.

`begin` says what is solved, `progress` each new incumbent, bound, phase or number of nodes,
`solver` a line that HiGHS writes, `end` what came out. Seconds count from `begin`.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.highs.solver_text import heard_by
from abscopt.optimizer.results.result import FORMAT, instance_digest, stated_changes, versions

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.progress import Listener, Progress
    from abscopt.optimizer.results.result import Result

KIND = "solve_log"


class SolveLog:
    """A listener of `solve` that writes a file; use it in a `with` block around the solve.

    Parameters
    ----------
    file : written anew, line by line
    case : what is solved
    listener : is told as well
    options : of `solve`, to be stated

    Raises
    ------
    InputError
        On entering, if the file cannot be written.
    """

    def __init__(
        self, file: str | Path, case: Instance, listener: Listener | None = None, **options: Any
    ):
        self._path, self._case, self._next, self._options = Path(file), case, listener, options
        self._lock, self._last = threading.Lock(), dict[str, Any]()

    def __enter__(self) -> Self:
        self._exits = ExitStack()
        try:
            self._file = self._exits.enter_context(
                self._path.open("w", encoding="utf-8", newline="\n")
            )
            self._begun = time.perf_counter()
            self._begin()
        except (OSError, ValueError) as error:
            self._exits.close()
            reason = getattr(error, "strerror", None) or "not a file name"
            wrong = Problem(str(self._path)[:80], "--log", reason, "must be writable")
            raise InputError([wrong]) from None
        self._exits.enter_context(heard_by(self._heard))
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def __call__(self, progress: Progress) -> None:
        """Write what has changed since the last report."""
        now = {
            "phase": progress.phase,
            "incumbent": progress.incumbent,
            "bound": progress.bound,
            "nodes": progress.nodes,
        }
        if now != self._last:
            self._last = now
            self._write("progress", now)
        if self._next is not None:
            self._next(progress)

    def end(self, result: Result) -> None:
        """Write what came out."""
        outcome = {
            "status": result.status,
            "objective": result.objective,
            "bound": result.bound,
            "gap": result.gap,
            "nodes": result.solver.nodes,
        }
        self._write("end", outcome)

    def _begin(self) -> None:
        stated = {
            "format": FORMAT,
            "instance": self._case.name,
            "instance_digest": instance_digest(self._case),
            **stated_changes(self._case),
            "unit": self._case.objective.unit,
            "options": self._options,
            "versions": versions(),
        }
        self._write(KIND, stated)

    def _heard(self, text: str) -> None:
        self._write("solver", {"text": text})

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        with self._lock:
            seconds = round(time.perf_counter() - self._begun, 6)
            line = json.dumps({"kind": kind, "seconds": seconds, **content}, allow_nan=False)
            self._file.write(f"{line}\n")
            self._file.flush()
