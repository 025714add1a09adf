"""Runs that are handed to workers: what waits, what comes back, what a dead worker had in hand."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.sweeps.execute import FAILED, REFUSED, Abandoned, Outcome, failure

if TYPE_CHECKING:
    from abscopt.optimizer.progress import Clock
    from abscopt.optimizer.sweeps.runs import Plan, Run
    from abscopt.optimizer.sweeps.workers import Workers
    from abscopt.optimizer.sweeps.writer import Writer

POLL_SECONDS = 0.1
"""A signal or the end of the time is noticed within so long."""
AHEAD = 2
"""Runs handed in per worker: one that is solved and one that waits for its end."""
END_OF_WORKER = "the process that solved it ended, twice: memory may have run out"


@dataclass
class Handed:
    """Runs that wait, and what has become of the others.

    Attributes
    ----------
    suspects : numbers of runs that were in hand when a worker died; each is tried once more, alone
    """

    plan: Plan
    writer: Writer
    clock: Clock
    waiting: deque[Run]
    count: Counter[str] = field(default_factory=Counter)
    suspects: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._wanted, self._begun = len(self.waiting), self.clock.elapsed

    def hand_in(self, hands: Workers) -> None:
        """Hand in what waits and write what comes back, until nothing waits or the clock stops.

        Raises
        ------
        BrokenExecutor
            If a worker died; the runs in hand wait again, or have failed.
        """
        pending: dict[Future[Outcome], Run] = {}
        self._report()
        try:
            while (self.waiting or pending) and not self.clock.expired:
                while self.waiting and self._room(pending, hands):
                    run = self.waiting[0]
                    pending[hands.submit(run, self.plan.cases[run.case_name])] = run
                    self.waiting.popleft()
                finished = wait(pending, POLL_SECONDS, FIRST_COMPLETED).done
                if hands.apart or not self.clock.expired:
                    self._take(finished, pending)
                    self._report()
        except BrokenExecutor:
            self._blame(list(pending.values()))
            raise
        if hands.apart:
            self._take({future for future in pending if future.done()}, pending)

    def _room(self, pending: dict[Future[Outcome], Run], hands: Workers) -> bool:
        """Whether the next run may be handed in now; a suspect is alone."""
        numbers = {run.number for run in (*pending.values(), self.waiting[0])}
        return not pending or (not numbers & self.suspects and len(pending) < AHEAD * hands.size)

    def _take(self, finished: set[Future[Outcome]], pending: dict[Future[Outcome], Run]) -> None:
        """Write what has come back; raises BrokenExecutor after the rest where a worker died."""
        broken: BrokenExecutor | None = None
        for future in finished:
            run = pending[future]
            try:
                outcome = future.result()
            except BrokenExecutor as error:
                broken = error
                continue
            except Abandoned:
                outcome = None
            except CancelledError:
                rule = "the cluster dropped a run; what is finished is kept: start the sweep again"
                raise InputError([Problem("--cluster", "run", str(run.number), rule)]) from None
            except Exception as error:  # the run could not be sent, or its worker was killed
                outcome = failure(run, FAILED, " ".join(f"{type(error).__name__}: {error}".split()))
            del pending[future]
            if outcome is not None:
                self._write(outcome)
        if broken is not None:
            raise broken

    def _write(self, outcome: Outcome) -> None:
        self.writer.append(outcome)
        self.count[outcome.row["status"]] += 1

    def _blame(self, runs: list[Run]) -> None:
        """Try the runs that were in hand again, each alone; one that was alone twice has failed."""
        for run in runs:
            if run.number in self.suspects:
                self._write(failure(run, FAILED, END_OF_WORKER))
            else:
                self.suspects.add(run.number)
                self.waiting.appendleft(run)

    def _report(self) -> None:
        """Tell the listener how many are done, and about how long the others will take."""
        done, total = self.count.total(), len(self.plan.runs)
        remaining = self._wanted - done
        words = [f"{total - remaining} of {total} runs"]
        if failures := self.count[FAILED] + self.count[REFUSED]:
            words.append(f"{failures} without answer")
        if done and remaining:
            seconds = (self.clock.elapsed - self._begun) / done * remaining
            words.append(f"about {duration(seconds)} left")
        self.clock.report(", ".join(words), None, None)


def duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
