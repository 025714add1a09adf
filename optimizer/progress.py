"""Progress of a solve: bound, incumbent, gap and time, told to whoever listens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report; absent values are None."""

    phase: str
    incumbent: float | None
    bound: float | None
    elapsed: float

    @property
    def gap(self) -> float | None:
        """Bound minus incumbent."""
        if self.incumbent is None or self.bound is None:
            return None
        return max(0.0, self.bound - self.incumbent)


Listener = Callable[[Progress], None]


QUIET_SECONDS = 5.0


class ProgressLine:
    """Listener that keeps one line on a terminal, or prints one every few seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last: float | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._last is not None:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, progress: Progress) -> None:
        """Show one report; absent values are shown as '-'."""
        wait = 0.1 if self._terminal else QUIET_SECONDS
        if self._last is not None and progress.elapsed - self._last < wait:
            return
        self._last = progress.elapsed
        numbers = (progress.bound, progress.incumbent, progress.gap)
        bound, best, gap = ("-" if value is None else f"{value:.4f}" for value in numbers)
        known = any(value is not None for value in numbers)
        where = f"bound {bound}, best {best}, gap {gap}, " if known else ""
        line = f"{progress.phase}: {where}{progress.elapsed:.1f} s"
        if self._terminal:
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


class Clock:
    """Deadline, interruption and reports of one solve."""

    def __init__(self, time_limit: float | None = None, listener: Listener | None = None):
        self._start = time.perf_counter()
        self._limit = time_limit
        self._listener = listener
        self.interrupted = False

    @property
    def elapsed(self) -> float:
        """Seconds since the solve began."""
        return time.perf_counter() - self._start

    @property
    def remaining(self) -> float | None:
        """Seconds left; None without a limit."""
        return None if self._limit is None else max(0.0, self._limit - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether to stop: out of time, or interrupted."""
        return self.interrupted or (self._limit is not None and self.elapsed >= self._limit)

    def report(self, phase: str, incumbent: float | None, bound: float | None) -> None:
        """Tell the listener where the solve stands."""
        if self._listener is not None:
            self._listener(Progress(phase, incumbent, bound, self.elapsed))
