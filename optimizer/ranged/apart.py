"""Axes of a study in processes of their own, as many at a time as are asked for (joblib).

Each process solves the case as it stands once, as the caller did, so that what its axes begin with
is the same. A signal ends all of them, and the swings that are complete are handed back.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.process import interrupts
from abscopt.optimizer.process.interrupts import deaf_to_signals
from abscopt.optimizer.sweeps.workers import processes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ranged.axes import Axis
    from abscopt.optimizer.ranged.sensitivity import Study, Swing

ASKED_SECONDS = 0.2
"""Between two looks at whether a signal has come: soon to a person, nothing to a processor."""

_studies: list[Study] = []
"""The study that this process works on: processes of a pool have one."""


def swings_of_processes(
    study: Study, axes: Sequence[Axis], halvings: int, threads: int
) -> list[Swing]:
    """The swings of some axes in their order; those complete so far where a signal has come."""
    options = {key: value for key, value in study.options.items() if key != "listener"}
    futures: list[Future[Swing]] = []
    running: set[Future[Swing]] = set()
    with processes(min(threads, len(axes))) as executor:
        while (running or len(futures) < len(axes)) and not interrupts.asked():
            while len(running) < threads and len(futures) < len(axes):
                with deaf_to_signals():  # Ctrl-C is for this process: it ends them
                    axis = axes[len(futures)]
                    futures.append(executor.submit(_swing, study.case, axis, halvings, options))
                running.add(futures[-1])
            running = wait(running, timeout=ASKED_SECONDS, return_when=FIRST_COMPLETED).not_done
        return [future.result() for future in futures if future not in running]


def _swing(case: Instance, axis: Axis, halvings: int, options: dict[str, Any]) -> Swing:
    """One axis in a process of its own."""
    from abscopt.optimizer.memory import Memory
    from abscopt.optimizer.pipeline import solve
    from abscopt.optimizer.ranged.sensitivity import Study

    if not _studies:
        memory = Memory()
        _studies.append(Study(case, solve(case, memory=memory, **options), memory, options))
    return _studies[0].swing(axis, halvings)
