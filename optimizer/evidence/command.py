"""All findings at once, on two processes: what the command `evidence` does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from abscopt.instances.evidence import findings
from abscopt.instances.load import InputError, Problem, library
from abscopt.optimizer.evidence.requirements import Requirement, requirements
from abscopt.optimizer.evidence.score import Scored, scored, trials
from abscopt.optimizer.evidence.settings import scenario_constants
from abscopt.optimizer.evidence.simulators import simulators
from abscopt.optimizer.process.interrupts import NUMBERS, deaf_to_signals
from abscopt.optimizer.progress import Listener, Progress

if TYPE_CHECKING:
    from abscopt.optimizer.evidence.measures import Verdict

MOST_WORKERS = 8


def evidence(
    only: Sequence[str] = (), scenario: str = "default", listener: Listener | None = None
) -> tuple[list[Scored], list[Requirement]]:
    """Verdicts on the findings (all, or those named) and on the requirements.

    Parameters
    ----------
    only : ids of findings
    scenario : library scenario whose immune constants judge

    Raises
    ------
    InputError
        Unknown finding or scenario.
    """
    ids = [finding.id for finding in findings()]
    problems = [
        Problem("--only", "id", name, "no such finding (see `abscopt evidence --json`)")
        for name in only
        if name not in ids
    ]
    if scenario not in library("scenarios"):
        rule = f"no such scenario; known: {sorted(library('scenarios'))}"
        problems.append(Problem("--scenario", "name", scenario, rule))
    if problems:
        raise InputError(problems)
    begin = time.perf_counter()
    wanted = [name for name in ids if not only or name in only]
    immune = scenario_constants(scenario)
    results = scored(immune, only=wanted)
    verdicts: list[dict[str, Verdict]] = []
    workers = min(MOST_WORKERS, os.cpu_count() or 1, len(wanted))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent) as pool:
        with deaf_to_signals():
            tasks = pool.map(_simulated, wanted)
        for verdict in tasks:
            verdicts.append(verdict)
            if listener is not None:
                share = f"finding {len(verdicts)} of {len(wanted)}"
                listener(Progress(share, None, None, time.perf_counter() - begin))
    complete = [
        replace(scored, simulators=verdict)
        for scored, verdict in zip(results, verdicts, strict=True)
    ]
    return complete, requirements(immune)


def _follow_parent() -> None:
    """Leave signals to the process that started this one, and end when it is gone."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _simulated(name: str) -> dict[str, Verdict]:
    """Verdict of every published model on one finding."""
    trial = next(trial for finding, trial in trials() if finding.id == name)
    if isinstance(trial, str):
        return dict.fromkeys(simulators(), "outside_range")
    return {model: run(trial) for model, run in simulators().items()}
