"""Sweeps killed by SIGKILL at every write of SQLite and of the lock, one after the other.

Each process goes on with the store that the one before left, and is killed one step later than
that one, until it has committed a run; then the next is killed at its first step again. So every
write of every transaction is the last thing that some process did, once in whole and once half
done. Writes are caught in SQLite itself: its VFS lets a program put in other system calls
(`sqlite3_vfs.xSetSystemCall`). Answers are solved once and for all before; what is tried is the
store.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sqlite3
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abscopt.optimizer.sweeps import execute, sweep, workers
from abscopt.optimizer.sweeps.execute import Outcome
from abscopt.optimizer.sweeps.runs import Plan, plan_of
from abscopt.optimizer.sweeps.study import Study

MOST_STEPS = 2000
"""A process that commits nothing in so many steps never will."""
TIMES = ("seconds", "cpu_seconds", "finished")
NAMES = (b"write", b"pwrite", b"pwrite64", b"ftruncate", b"unlink")
POINTERS = (
    "next", "name", "data", "open", "delete", "access", "full_pathname", "dl_open", "dl_error",
    "dl_sym", "dl_close", "randomness", "sleep", "current_time", "last_error", "current_time64",
    "set_system_call", "get_system_call", "next_system_call",
)  # fmt: skip


class Vfs(ctypes.Structure):
    """`sqlite3_vfs` of version 3."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_name", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in POINTERS),
    ]


SET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
GET = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


def vfs() -> Any:
    """SQLite's own door to the system; None where this Python hides it."""
    import _sqlite3

    try:
        library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
        found = library.sqlite3_vfs_find(None)
    except (AttributeError, OSError):
        return None
    return found if found and found.contents.version >= 3 else None


@dataclass
class Steps:
    """Counts steps, and kills this process at the n-th."""

    last: int
    done: int = 0
    held: list[Any] = field(default_factory=list)

    def step(self) -> None:
        """One moment at which the machine may stop."""
        if self.done == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1

    def catch_sqlite(self) -> None:
        """Put counted calls in place of those that SQLite writes with."""
        own = vfs()
        put, real = SET(own.contents.set_system_call), GET(own.contents.get_system_call)
        for name in NAMES:
            address = real(own, name)
            if address:
                call = self._counted(name, address)
                self.held.append(call)  # else Python frees what SQLite calls
                put(own, name, ctypes.cast(call, ctypes.c_void_p))

    def _counted(self, name: bytes, address: int) -> Any:
        size, number, place = ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p
        if name.endswith((b"write", b"write64")):
            offset = () if name == b"write" else (ctypes.c_int64,)
            kind = ctypes.CFUNCTYPE(size, number, place, ctypes.c_size_t, *offset)
            return kind(self._halved(kind(address)))
        arguments = (ctypes.c_char_p,) if name == b"unlink" else (number, ctypes.c_int64)
        kind = ctypes.CFUNCTYPE(number, *arguments)
        return kind(self.before(kind(address)))

    def _halved(self, write: Callable[..., int]) -> Callable[..., int]:
        """The same call in two halves, with a moment before each."""

        def written(file: int, data: int, length: int, *offset: int) -> int:
            self.step()
            half = length // 2
            done = write(file, data, half, *offset) if half else 0
            if done < half:
                return done
            self.step()
            return done + write(file, data + half, length - half, *(o + half for o in offset))

        return written

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, with a moment before it."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.step()
            return call(*args, **kwargs)

        return counted


def outcomes_of(plan: Plan) -> dict[int, Outcome]:
    """Every run, solved."""
    return {run.number: execute.execute(run, plan.cases[run.case_name]) for run in plan.runs}


def swept(store: Path, plan: Plan, outcomes: dict[int, Outcome], last: int, log: Path) -> int:
    """Sweep in a process that is killed at a step (never: -1); its status. `log` gets the runs."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    solved = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write = os.write

    def again(run: Any, case: object, listener: object = None) -> Outcome:
        write(solved, f"{run.number}\n".encode())
        return outcomes[run.number]

    workers.execute = again  # type: ignore[assignment]
    sweep.plan_of = lambda study, folder=".": plan
    steps = Steps(last)
    steps.catch_sqlite()
    for name in ("open", "write", "ftruncate", "unlink"):
        setattr(os, name, steps.before(getattr(os, name)))
    try:
        sweep.sweep(plan.study, store)
    except BaseException as error:
        write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def content(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, times left out; documents unpacked."""
    tables = {}
    connection = sqlite3.connect(store)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not connection.execute("PRAGMA foreign_key_check").fetchall()
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (name,) in names.fetchall():
        rows = connection.execute(f"SELECT * FROM {name}")
        columns = [column[0] for column in rows.description]
        kept = [i for i, column in enumerate(columns) if column not in TIMES]
        tables[name] = [tuple(_plain(row[i]) for i in kept) for row in rows]
    connection.close()
    return tables


def _plain(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    document = json.loads(zlib.decompress(value))
    del document["solver"]["seconds"]
    return document


def committed(store: Path) -> set[int]:
    """Runs whose results are in a store, of which a copy is read; none where there is no store."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (store, store.with_name(store.name + "-wal")):
            if file.exists():
                shutil.copy(file, folder)
        connection = sqlite3.connect(Path(folder, store.name))
        try:
            return {row[0] for row in connection.execute("SELECT run FROM results")}
        except sqlite3.OperationalError:
            return set()
        finally:
            connection.close()


def killed_throughout(study: Study, folder: Path, report: Callable[[str], None]) -> int:
    """Kill a sweep at every step, as described above; how often it was killed.

    Raises
    ------
    AssertionError
        If a committed run is lost or repeated, or the store differs from that of an undisturbed
        sweep.
    """
    plan = plan_of(study)
    outcomes = outcomes_of(plan)
    whole, store, log = folder / "whole.db", folder / "killed.db", folder / "log.txt"
    assert swept(whole, plan, outcomes, -1, log) == 0
    kills, last, before = 0, 0, set[int]()
    while True:
        log.unlink(missing_ok=True)
        status = swept(store, plan, outcomes, last, log)
        solved = [int(line) for line in log.read_text().split()] if log.exists() else []
        assert not before & set(solved), "a committed run was solved again"
        assert len(set(solved)) == len(solved)
        if not os.WIFSIGNALED(status):
            assert status == 0
            break
        kills += 1
        after = committed(store)
        assert before <= after, "a committed run is lost"
        assert after - before <= set(solved)
        last = 0 if after > before else last + 1
        assert last < MOST_STEPS
        if after > before:
            report(f"{len(after)} of {len(plan.runs)} runs after {kills} kills")
        before = after
    assert content(store) == content(whole)
    assert not store.with_name(store.name + ".lock").exists()
    return kills


def dies_at_the_second(run: Any, case: Any, listener: Any = None) -> Outcome:
    """The outcome of a run; the second one ends its process."""
    if run.number == 2:
        os._exit(1)
    return execute.execute(run, case)
