"""When the program began, for time limits; one thread for its matrices, few collections.

The interpreter and its first imports are over before anything here runs. They are computation, so
that the processor time used so far is how long ago they began; what may have waited in the same
process before, such as a shell that became this program, does not count.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

_BEGUN = time.perf_counter() - time.process_time()

PROGRAMS = ("abscopt", "abscopt.exe", "cli.py")
"""How the program may have been started: as installed, or as a module."""

ANSWER_SECONDS = 0.5
"""Kept for what follows a search that is stopped: its bound, checks of the answer, notes, report.

Measured at 0.3 to 0.6 s on the bundled cases.
"""
LEAST_SHARE = 0.5
"""Part of a limit that the solve has at any rate: start and report alone take half a second."""
COLLECT_AFTER = 20_000
"""[objects] Made before Python looks for cycles among the newest: every 700 it does so some hundred
times while modules load, a tenth of what a start costs, and finds next to nothing."""


def is_program() -> bool:
    """Whether this process is the program `abscopt`, not somebody else's that calls it."""
    return Path(sys.argv[0] if sys.argv else "").name in PROGRAMS


def use_one_blas_thread() -> None:
    """Let the libraries behind numpy multiply matrices in one thread; call it before numpy loads.

    Most products here are of some thousand numbers: a second thread costs more than it does (on
    two cores a tenth to a fifth of the processor time of `solve`, for the same bytes). What the
    user has set stays, and somebody else's process is left alone.
    """
    if is_program():
        for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")


def collect_seldom() -> None:
    """Let Python look for unused cycles seldom, in a program of its own."""
    if is_program():
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


use_one_blas_thread()
collect_seldom()


def elapsed() -> float:
    """Seconds since the program began; none inside somebody else's process."""
    return time.perf_counter() - _BEGUN if is_program() else 0.0


def time_left(limit: float | None) -> float | None:
    """Seconds for a solve that begins now, so that the program ends within the limit.

    max(limit - elapsed - ANSWER_SECONDS, LEAST_SHARE * limit)
    """
    if limit is None:
        return None
    return max(limit - elapsed() - ANSWER_SECONDS, LEAST_SHARE * limit)
