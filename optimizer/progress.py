"""Progress of a solve: bound, incumbent, gap and time, told to whoever listens."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from abscopt.optimizer.differences import excess
from abscopt.optimizer.process import interrupts


@dataclass(frozen=True)
class Progress:
    """One report; absent values are None; `nodes` are those looked at so far."""

    phase: str
    incumbent: float | None
    bound: float | None
    elapsed: float
    nodes: int | None = None

    @property
    def gap(self) -> float | None:
        """Bound minus incumbent."""
        return excess(self.bound, self.incumbent)


Listener = Callable[[Progress], None]

HEARTBEAT_SECONDS = 0.4
"""After so long without a report the last one is repeated: two make less than a second."""

TERMINAL_SECONDS = 0.1
"""A line on a terminal is redrawn this often: more cannot be read."""

QUIET_SECONDS = 0.6
"""Elsewhere at least so long lies between two lines: with a heartbeat less than a second."""

LONG_RUN = 60.0
LONG_RUN_SECONDS = 9.0
"""After a minute a log has a line about every ten seconds, not 86 400 a day."""


class ProgressLine:
    """Listener that keeps one line on a terminal, or prints lines elsewhere.

    On a terminal the line is at most a second old; elsewhere there is a line each second for the
    first minute, then about one every ten seconds.
    """

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
        if self._last is not None and 0 <= progress.elapsed - self._last < self._wait(progress):
            return
        self._last = progress.elapsed
        numbers = (progress.bound, progress.incumbent, progress.gap)
        bound, best, gap = ("-" if value is None else f"{value:.4f}" for value in numbers)
        any_number = any(value is not None for value in numbers)
        where = f"bound {bound}, best {best}, gap {gap}, " if any_number else ""
        line = f"{progress.phase}: {where}{progress.elapsed:.1f} s"
        if self._terminal:
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def _wait(self, progress: Progress) -> float:
        """Seconds from one line to the next."""
        if self._terminal:
            return TERMINAL_SECONDS
        return QUIET_SECONDS if progress.elapsed < LONG_RUN else LONG_RUN_SECONDS


class Stopped(Exception):
    """Out of time or interrupted."""


_running = threading.local()


def tick() -> None:
    """Raise `Stopped` where the clock that runs in this thread says so; call it in long loops.

    What is computed meanwhile must be complete or absent when it is raised. It is quiet outside
    of `Clock.running`, and while an answer is put together (`Clock.answering`).
    """
    clock: Clock | None = getattr(_running, "clock", None)
    if clock is not None and not clock.closing and clock.expired:
        raise Stopped


class Clock:
    """Deadline, interruption and reports of one solve.

    Attributes
    ----------
    interrupted : whether a signal has asked for the answer so far
    closing : whether an answer is being put together, whatever the time
    """

    def __init__(self, time_limit: float | None = None, listener: Listener | None = None):
        self._start = time.perf_counter()
        self._limit = time_limit
        self._listener = listener
        self._interrupted = self.closing = False
        self._until: float | None = None
        self._lock = threading.Lock()
        self._last: Progress | None = None
        self._failure: BaseException | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a signal has asked for the answer so far."""
        return self._interrupted or interrupts.asked()

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._interrupted = value

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
        if self._until is not None:
            return time.perf_counter() >= self._until
        return self.interrupted or (self._limit is not None and self.elapsed >= self._limit)

    def report(
        self, phase: str, incumbent: float | None, bound: float | None, nodes: int | None = None
    ) -> None:
        """Tell the listener where the solve stands; without nodes those told last hold.

        Raises
        ------
        Exception
            What the listener raised, here or when a thread repeated a report to it.
        """
        if self._listener is None:
            return
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if nodes is None and self._last is not None:
                nodes = self._last.nodes
            self._last = Progress(phase, incumbent, bound, self.elapsed, nodes)
            self._listener(self._last)

    @contextmanager
    def running(self, phase: str) -> Iterator[None]:
        """Obey signals, and repeat the last report where none comes for a while.

        A thread repeats it: the solve may be inside HiGHS or numpy for long. The listener is
        never called twice at once.

        Parameters
        ----------
        phase : what is told before the first report
        """
        outer: Clock | None = getattr(_running, "clock", None)
        done = threading.Event()
        beating = threading.Thread(target=self._beat, args=(phase, done), daemon=True)
        if self._listener is not None:
            beating.start()
        _running.clock = self
        try:
            with interrupts.interruptible(self):
                yield
        finally:
            _running.clock = outer
            done.set()
            if beating.ident is not None:
                beating.join()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Let nothing stop while an answer in hand is valued."""
        before, self.closing = self.closing, True
        try:
            yield
        finally:
            self.closing = before

    @contextmanager
    def extended(self, seconds: float) -> Iterator[None]:
        """Let an answer in hand be improved for so long, whatever the time; then leave the block.

        What is computed there must offer each improvement at once: it is left wherever the clock
        is looked at.
        """
        self._until = time.perf_counter() + seconds
        try:
            yield
        except Stopped:
            pass
        finally:
            self._until = None

    def _beat(self, phase: str, done: threading.Event) -> None:
        """Repeat the last report until it is done, or the listener fails."""
        assert self._listener is not None
        while not done.wait(HEARTBEAT_SECONDS / 4):
            with self._lock:
                last, now = self._last or Progress(phase, None, None, 0.0), self.elapsed
                if now - last.elapsed < HEARTBEAT_SECONDS or done.is_set():
                    continue
                self._last = replace(last, elapsed=now)
                try:
                    self._listener(self._last)
                except BaseException as error:  # raised again where the solve reports
                    self._failure = error
                    return
