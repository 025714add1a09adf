"""The writing side of a store: made whole, then one transaction for each finished run.

SQLite in WAL mode with `synchronous = FULL`: a run whose transaction was committed is on the disk,
one whose was not is absent, whenever process or machine stop.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.results.result import versions
from abscopt.optimizer.sweeps.execute import FAILED
from abscopt.optimizer.sweeps.layout import APPLICATION_ID, FORMAT, TABLES, inserted
from abscopt.optimizer.sweeps.lock import only_writer

if TYPE_CHECKING:
    from abscopt.optimizer.sweeps.execute import Outcome
    from abscopt.optimizer.sweeps.runs import Plan, Run

BUSY_SECONDS = 30.0
"""How long a write waits for a reader that checks the file for its end."""


class Writer:
    """A store that is open for one sweep."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def done(self) -> dict[int, str]:
        """Status of every finished run."""
        return dict(self._connection.execute("SELECT run, status FROM results"))

    def forget_failures(self) -> None:
        """Take out the rows of runs that an error ended, so that they are tried again."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM results WHERE status = ?", (FAILED,))

    def append(self, outcome: Outcome) -> None:
        """Write a finished run; it is on the disk when this returns."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with transaction(self._connection):
            self._insert("results", outcome.row | {"finished": now})
            for table, rows in (("lesions", outcome.lesions), ("limits", outcome.limits)):
                for row in rows:
                    self._insert(table, row)
            if outcome.document is not None:
                packed = zlib.compress(outcome.document.encode(), 6)
                self._insert("documents", {"run": outcome.row["run"], "document": packed})

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        self._connection.execute(inserted(table, list(row)), row)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of a block, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def open_store(path: Path, plan: Plan) -> Iterator[Writer]:
    """The store of a plan, made if there is none; nobody else writes to it meanwhile.

    Raises
    ------
    InputError
        If the file is no store, that of another study or of other versions, or in use, or if it
        cannot be written.
    """
    try:
        with only_writer(path):
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                _prepare(connection, path, plan)
                yield Writer(connection)
            finally:
                connection.close()
    except sqlite3.Error as error:
        raise InputError([Problem(str(path), "store", str(error), "must be writable")]) from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InputError([Problem(str(path), "store", reason, "must be writable")]) from None


def _prepare(connection: sqlite3.Connection, path: Path, plan: Plan) -> None:
    if not is_store(connection):
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            rule = "is no store of sweeps: give another --store"
            raise InputError([Problem(str(path), "store", "another database", rule)])
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if not is_store(connection):
        _create(connection, plan)
    _refuse_another(connection, path, plan)


def is_store(connection: sqlite3.Connection) -> bool:
    """Whether the file says that it is a store."""
    number: int = connection.execute("PRAGMA application_id").fetchone()[0]
    return number == APPLICATION_ID


def _create(connection: sqlite3.Connection, plan: Plan) -> None:
    """Tables, study and runs in one transaction: a store is whole or absent."""
    study = {
        "name": plan.study.name,
        "stated": json.dumps(plan.study.model_dump(mode="json")),
        "digest": plan.digest,
        "versions": json.dumps(versions()),
    }
    with transaction(connection):
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(inserted("study", list(study)), study)
        for run in plan.runs:
            row, settings = _rows(run)
            connection.execute(inserted("runs", list(row)), row)
            for setting in settings:
                connection.execute(inserted("settings", list(setting)), setting)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def _rows(run: Run) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A run as rows of `runs` and `settings`."""
    row = {
        "run": run.number,
        "case_name": run.case_name,
        "variant": run.variant,
        "changes": json.dumps(run.changes),
        "wanted_gap": run.gap,
        "time_limit": run.time_limit,
        "threads": run.threads,
        "solver": run.solver,
        "method": run.method,
        "seed": run.seed,
    }
    settings = [
        {
            "run": run.number,
            "key": key,
            "value": json.dumps(value),
            "number": value if isinstance(value, int | float) else None,
        }
        for key, value in run.settings.items()
    ]
    return row, settings


def _refuse_another(connection: sqlite3.Connection, path: Path, plan: Plan) -> None:
    """Raise InputError unless the store is of this study and these versions."""
    name, digest, stated = connection.execute("SELECT name, digest, versions FROM study").fetchone()
    begun, now = json.loads(stated), versions()
    if digest != plan.digest:
        rule = "holds other runs, or cases that were changed since: give another --store"
        raise InputError([Problem(str(path), "store", name, rule)])
    if begun != now:
        differing = [key for key in now if begun.get(key) != now[key]]
        was = ", ".join(f"{key} {begun.get(key)}" for key in differing)
        rule = f"was begun with these, now {', '.join(f'{k} {now[k]}' for k in differing)}: "
        raise InputError([Problem(str(path), "versions", was, rule + "give another --store")])
