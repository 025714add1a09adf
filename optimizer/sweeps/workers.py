"""Who works runs off: a thread of this process, processes of this machine (joblib), or a cluster
(Dask). All three are executors of `concurrent.futures`, and the sweep treats them alike.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.process.interrupts import deaf_to_signals
from abscopt.optimizer.sweeps.execute import Abandoned, Outcome, execute

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.progress import Clock, Progress
    from abscopt.optimizer.sweeps.runs import Run

CONNECT_SECONDS = 10.0
"""How long a cluster may take to answer: a scheduler in the same network needs less than one."""

Submit = Callable[["Run", "Instance"], "Future[Outcome]"]


@dataclass(frozen=True)
class Workers:
    """Where runs are handed in.

    Attributes
    ----------
    submit : hands a run in
    size : runs that are solved at a time
    apart : whether runs go on where a signal asks this process to stop, so that whatever comes
        back is complete
    """

    submit: Submit
    size: int
    apart: bool = True


def refuse_without_extra(jobs: int, cluster: str | None) -> None:
    """Raise InputError where joblib or Dask is needed and not installed."""
    if cluster is not None and find_spec("distributed") is None:
        rule = "needs dask: pip install 'abscopt[cluster]'"
        raise InputError([Problem("abscopt", "--cluster", cluster, rule)])
    if cluster is None:
        refuse_without_joblib("--jobs", jobs)


def refuse_without_joblib(option: str, jobs: int) -> None:
    """Raise InputError where an option asks for several processes without joblib."""
    if jobs > 1 and find_spec("joblib") is None:
        rule = "needs joblib: pip install 'abscopt[sweeps]'"
        raise InputError([Problem("abscopt", option, str(jobs), rule)])


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Processes of this machine; at the end they are killed, whatever they do."""
    from joblib.externals.loky import ProcessPoolExecutor

    executor: Executor = ProcessPoolExecutor(max_workers=jobs, initializer=_ignore_sigterm)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]


@contextmanager
def local(jobs: int, clock: Clock) -> Iterator[Workers]:
    """`jobs` runs at a time on this machine: one in this process, several in their own."""
    if jobs == 1:
        with _in_process(clock) as workers:
            yield workers
        return
    with processes(jobs) as executor:

        def submit(run: Run, case: Instance) -> Future[Outcome]:
            with deaf_to_signals():  # Ctrl-C is for this process: it ends them
                return executor.submit(execute, run, case)

        yield Workers(submit, jobs)


def _ignore_sigterm() -> None:
    """Batch systems signal every process of a job; a worker is ended by the sweep."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextmanager
def _in_process(clock: Clock) -> Iterator[Workers]:
    """A thread, so that the main one hears signals; a late run ends at its next report."""

    def listener(progress: Progress) -> None:
        if clock.expired:
            raise Abandoned

    executor = ThreadPoolExecutor(max_workers=1)
    try:
        yield Workers(
            lambda run, case: executor.submit(execute, run, case, listener), 1, apart=False
        )
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def cluster(address: str) -> Iterator[Workers]:
    """The workers of a Dask cluster.

    Raises
    ------
    InputError
        If nobody answers, there is no worker, or one has another release.
    """
    from distributed import Client

    def refused(value: str, rule: str) -> InputError:
        return InputError([Problem("--cluster", "address", value, rule)])

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise refused(
            address, f"no Dask scheduler answers there ({type(error).__name__})"
        ) from None
    with _silent("distributed.client"), client:
        here, there = release(), client.run(release)
        if not there:
            raise refused(address, "the cluster has no worker")
        for worker, other in there.items():
            if other != here:
                raise refused(worker, f"has abscopt {other}, here is {here}")
        executor: Executor = client.get_executor(pure=False)
        try:
            yield Workers(
                lambda run, case: executor.submit(execute, run, case),
                sum(client.nthreads().values()),
            )
        finally:
            executor.shutdown(wait=False)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """No tracebacks of a library's own on stderr: what is lost is said by the sweep."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def release() -> str:
    """Version of this package where it is called."""
    from importlib.metadata import version

    return version("abscopt")
