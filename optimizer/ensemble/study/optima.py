"""Members solved one by one by one clock: each member's own optimum and its bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.progress import Clock, Listener, Progress, Stopped

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.models.arrays import FloatArray
    from abscopt.optimizer.ensemble.study.pool import Pool
    from abscopt.optimizer.results.result import Result
    from abscopt.optimizer.schedule import Schedule

OPTIMA_SHARE = 0.6
"""Part of the time for the members' own optima; what is left goes to decisions that are fixed."""
STOPPED = "stopped before the gap closed"
"""What a certificate says of a solve that was asked to stop."""


@dataclass
class Solves:
    """How cases are solved, one after the other, until time or a signal ends it.

    Attributes
    ----------
    clock : of all solves together
    gap : absolute, of each solve; a case's own if None
    stopped : whether a solve was cut short by a signal or by the time
    """

    clock: Clock
    gap: float | None
    seed: int = 0
    threads: int = 1
    listener: Listener | None = None
    stopped: bool = False
    solved: int = field(default=0)

    def tick(self) -> None:
        """Raise Stopped where no more is to be done."""
        if self.stopped or self.clock.expired:
            self.stopped = True
            raise Stopped("stopped before the members were solved")

    def solve(
        self, case: Instance, label: str, share: float | None, start: Schedule | None
    ) -> Result:
        """Answer to one case.

        Parameters
        ----------
        share : seconds for this solve; None without a limit
        """
        self.tick()
        result = solve(
            case,
            gap=self.gap,
            time_limit=share,
            seed=self.seed,
            threads=self.threads,
            listener=self._labelled(label),
            start=start,
        )
        self.solved += 1
        limited = share is not None and result.solver.seconds >= 0.95 * share
        if STOPPED in result.certificate.claim and not limited:
            self.stopped = True  # by a signal: the next solve would not know of it
        return result

    def _labelled(self, label: str) -> Listener | None:
        if self.listener is None:
            return None
        listener, clock = self.listener, self.clock

        def labelled(progress: Progress) -> None:
            phase = f"{label}: {progress.phase}"
            listener(replace(progress, phase=phase, elapsed=clock.elapsed))

        return labelled


@dataclass(frozen=True)
class Optima:
    """What was proved of each member.

    Attributes
    ----------
    schedules : the member's own optimum; None where none was found
    statuses : as of `solve`; `not solved` where the time did not suffice
    bounds : (members,) no schedule of the member is better; infinite where nothing is proved
    """

    schedules: tuple[Schedule | None, ...]
    statuses: tuple[str, ...]
    bounds: FloatArray

    @property
    def complete(self) -> bool:
        """Whether every member was solved as far as was asked."""
        return all(status in ("optimal", "infeasible") for status in self.statuses)


def optima(pool: Pool, solves: Solves, seconds: float | None) -> Optima:
    """Solve every member, and judge each answer in all of them.

    Parameters
    ----------
    seconds : for all members together; None without a limit
    """
    members = pool.ensemble.members
    schedules: list[Schedule | None] = [None] * len(members)
    statuses = ["not solved"] * len(members)
    bounds = np.full(len(members), math.inf)
    until = None if seconds is None else solves.clock.elapsed + seconds
    try:
        for i, member in enumerate(members):
            label = f"member {i + 1} of {len(members)}"
            share = _share(until, solves.clock, len(members) - i)
            result = solves.solve(member.instance, label, share, pool.best_in(i))
            statuses[i] = result.status
            if result.bound is not None:
                bounds[i] = result.bound
            if result.status == "infeasible":
                bounds[i] = -math.inf
            if result.schedule is not None:
                schedules[i] = result.schedule
                pool.add(result.schedule)
    except Stopped:
        pass
    return Optima(tuple(schedules), tuple(statuses), bounds)


def _share(until: float | None, clock: Clock, solves_left: int) -> float | None:
    """Seconds for the next of so many solves; None without a limit."""
    if until is None:
        return None
    return max(0.05, (until - clock.elapsed) / solves_left)
