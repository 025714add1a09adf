"""A sweep: hand in the runs that a store lacks, and write each outcome as it comes."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.progress import Clock
from abscopt.optimizer.sweeps import workers
from abscopt.optimizer.sweeps.handed import Handed
from abscopt.optimizer.sweeps.runs import plan_of
from abscopt.optimizer.sweeps.study import Study, read_study
from abscopt.optimizer.sweeps.writer import open_store

if TYPE_CHECKING:
    from abscopt.optimizer.progress import Listener


@dataclass(frozen=True)
class Swept:
    """What a sweep did.

    Attributes
    ----------
    total : runs of the study
    before : those that the store held already
    now : how many were finished now, by status
    """

    store: Path
    total: int
    before: int
    now: Counter[str]

    @property
    def missing(self) -> int:
        """Runs that the store lacks."""
        return self.total - self.before - self.now.total()


@raises_interrupted
def sweep(
    study: Study | str | Path,
    store: str | Path | None = None,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    retry: bool = False,
    time_limit: float | None = None,
    listener: Listener | None = None,
) -> Swept:
    """Solve every run of a study that a store does not hold yet.

    Every finished run is on the disk before the next one is awaited. Killed and started again, a
    sweep solves what is missing and nothing twice. A first Ctrl-C or SIGTERM ends it cleanly.

    Parameters
    ----------
    study : a study, or its TOML file, from whose folder paths of cases begin
    store : file of SQLite; default: that of the study with the ending `.db`
    jobs : runs at a time on this machine; several need joblib (extra `sweeps`)
    cluster : address of a Dask scheduler, instead (extra `cluster`)
    retry : solve runs again that an error ended
    time_limit : seconds, after which no further run is awaited

    Raises
    ------
    InputError
        If the study is wrong, an extra is missing, or the store is in use, of another study, or
        cannot be written.
    """
    workers.refuse_without_extra(jobs, cluster)
    folder = Path(".")
    if isinstance(study, Study):
        stated, path = study, Path(store or f"{study.name}.db")
    else:
        stated, folder = read_study(study), Path(study).parent
        path = Path(store) if store is not None else Path(study).with_suffix(".db")
    plan = plan_of(stated, folder)
    clock = Clock(time_limit, listener)
    with clock.running("sweep"), open_store(path, plan) as writer:
        if retry:
            writer.forget_failures()
        done = writer.done()
        waiting = deque(run for run in plan.runs if run.number not in done)
        handed = Handed(plan, writer, clock, waiting)
        while handed.waiting and not clock.expired:
            with _workers(jobs, cluster, clock) as hands, suppress(BrokenExecutor):
                handed.hand_in(hands)
    return Swept(path, len(plan.runs), len(done), handed.count)


def _workers(
    jobs: int, cluster: str | None, clock: Clock
) -> AbstractContextManager[workers.Workers]:
    if cluster is not None:
        return workers.cluster(cluster)
    return workers.local(jobs, clock)
