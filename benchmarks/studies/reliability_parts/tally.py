"""What a part of the campaign counts and finds, and a limit on the time of one item."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Counts by name, and every fault as one line that says how to see it again."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take over what another tally holds."""
        self.counts.update(other.counts)
        self.faults += other.faults

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"counts": dict(sorted(self.counts.items())), "faults": self.faults}


class HangError(BaseException):
    """Raised where one item takes too long; no `except Exception` holds it back."""


@contextmanager
def time_box(seconds: float) -> Iterator[None]:
    """Raise HangError after so many seconds (main thread of a process only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expired(signum: int, frame: object) -> None:
        raise HangError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def one_line(error: BaseException) -> str:
    """Kind and message of an exception on one line, clipped."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
