"""SIGINT and SIGTERM: the first one asks for the answer so far, the second ends the process.

Ctrl-C sends SIGINT; batch systems send SIGTERM before they kill. Both mean the same here.

Python runs its handlers between bytecodes of the main thread, which may be inside HiGHS or numpy
for long. A program therefore lets a thread of its own read the signals (`signal.set_wakeup_fd`
writes each to a pipe at once): it notes the first and obeys the second wherever the main thread
is. Where a library call runs inside somebody's process nothing is ended: the first signal leads to
the answer so far, which `Interrupted` carries to the caller, so that a loop over cases ends too;
the second SIGINT raises `KeyboardInterrupt` as ever.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from types import FrameType
from typing import Any, ParamSpec, Protocol, TypeVar

from abscopt.optimizer.process.started import is_program

NUMBERS = (signal.SIGINT, signal.SIGTERM)
NOTHING_IN_HAND = 4
"""Exit code of a command that is stopped before it has anything to answer."""

P = ParamSpec("P")
T = TypeVar("T")

ECHO_SECONDS = 0.1
"""GNU `timeout` sends its signal to the process and again to its group; that is one request."""


class Interruptible(Protocol):
    """Work that stops with the answer so far once `interrupted` is set."""

    interrupted: bool


class Interrupted(KeyboardInterrupt):
    """A signal has ended a call: `answer` is what the call had found until then, as it returns it.

    Raised inside somebody's process only; a command prints the answer.
    """

    def __init__(self, answer: Any) -> None:
        super().__init__("stopped by a signal; `answer` holds what was found until then")
        self.answer = answer


class _Call:
    """A call from outside, and whether a signal has come since it began."""

    interrupted = False


class _Requests:
    """What signals have asked of this process.

    Attributes
    ----------
    answering : whether a solve has begun, so that a first signal leads to an answer
    asked : whether a signal has come since then
    """

    def __init__(self) -> None:
        self.answering = self.asked = False
        self._last = -float("inf")

    def note(self, number: int) -> None:
        """Take one signal: ask for the answer so far, or end the process."""
        now = time.monotonic()
        if now - self._last < ECHO_SECONDS:
            return
        self._last = now
        if self.answering and not self.asked:
            self.asked = True
            return
        if not self.answering:
            with suppress(OSError):
                os.write(2, b"abscopt: interrupted\n")
        _end_children()
        os._exit(128 + number if self.answering else NOTHING_IN_HAND)


_program: list[_Requests] = []
"""The requests of a program; empty inside somebody else's process."""
_calls: list[_Call] = []
"""The call of the main thread that came from outside; empty in a program."""


def asked() -> bool:
    """Whether a signal has asked this program, or the call from outside, for the answer so far."""
    if _program:
        return _program[-1].asked
    return bool(_calls) and _calls[-1].interrupted


def _quiet_start() -> None:
    """Let Ctrl-C end the program `abscopt` silently while it still imports what it needs."""
    if is_program() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)


_quiet_start()


@contextmanager
def program() -> Iterator[None]:
    """Obey signals as a program does, until the end of the block (in the main thread)."""
    if threading.current_thread() is not threading.main_thread() or _program:
        yield
        return
    requests = _Requests()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watcher = threading.Thread(target=_watch, args=(reading, requests), daemon=True)
    before_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _leave_it_to_the_watcher) for number in NUMBERS}
    _program.append(requests)
    watcher.start()
    try:
        yield
    finally:
        _program.pop()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        os.close(writing)  # the watcher reads the end and stops
        watcher.join()
        os.close(reading)


def _leave_it_to_the_watcher(number: int, frame: FrameType | None) -> None:
    """The pipe has the signal already."""


def _watch(reading: int, requests: _Requests) -> None:
    """Read signals from a pipe until it is closed."""
    while numbers := os.read(reading, 64):
        for number in numbers:
            if number in NUMBERS:
                requests.note(number)


def _end_children() -> None:
    """Kill the processes that this one has started: without it they would wait forever."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            child.kill()


@contextmanager
def interruptible(clock: Interruptible) -> Iterator[None]:
    """Let signals stop what runs by a clock, with the best answer so far.

    Inside somebody else's process SIGTERM is left alone where that process handles it itself, and
    nothing changes outside the main thread. Within a call from outside, signals ask the call.
    """
    if _program:
        _program[-1].answering = True
    if _program or _calls or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if not clock.interrupted:
            clock.interrupted = True
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    handled = [n for n in NUMBERS if n == signal.SIGINT or signal.getsignal(n) is signal.SIG_DFL]
    before = {number: signal.signal(number, stop) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raises_interrupted(function: Callable[P, T]) -> Callable[P, T]:
    """A function that raises `Interrupted` with its answer where a signal has come meanwhile.

    Of functions that call each other the outermost raises; those inside return what they have.
    """

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        if _program or _calls or threading.current_thread() is not threading.main_thread():
            return function(*arguments, **options)
        outside = _Call()
        with interruptible(outside):
            _calls.append(outside)
            try:
                answer = function(*arguments, **options)
            finally:
                _calls.pop()
        if outside.interrupted:
            raise Interrupted(answer)
        return answer

    return call


@contextmanager
def deaf_to_signals() -> Iterator[None]:
    """Processes that this thread starts meanwhile do not receive Ctrl-C of the terminal.

    They inherit what the thread blocks. Another thread of this process still receives its signals.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
