"""What HiGHS writes while it solves a mixed-integer program, for whoever asks to hear it.

A solve may be many layers above the solver; the hearer is therefore a variable of the context (of
the thread), and nothing between has to hand it down. It is silent where nobody asks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

Hearer = Callable[[str], None]

_hearer: ContextVar[Hearer | None] = ContextVar("hearer", default=None)

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


@contextmanager
def heard_by(hearer: Hearer | None) -> Iterator[None]:
    """Let a function have each line that HiGHS writes in the block; None: nobody."""
    token = _hearer.set(hearer)
    try:
        yield
    finally:
        _hearer.reset(token)


def unheard(work: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """The same function, its solves unheard: trials of the solver are not part of a case."""

    @functools.wraps(work)
    def silently(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with heard_by(None):
            return work(*args, **kwargs)

    return silently


def pass_on(highs: Any) -> None:
    """Let a `Highs` that is about to run write to the hearer; nothing without one."""
    hearer = _hearer.get()
    if hearer is None:
        return

    def written(event: Any) -> None:
        for line in event.message.splitlines():
            hearer(line)

    highs.setOptionValue("log_to_console", False)
    highs.setOptionValue("output_flag", True)
    highs.cbLogging.subscribe(written)
