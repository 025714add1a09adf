"""The reading side of a store: tables as frames, and documents of single runs."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.sweeps.layout import APPLICATION_ID, FORMAT

if TYPE_CHECKING:
    import pandas as pd

BUSY_SECONDS = 30.0
TRUTHS = ("standard_keeps_limits", "conceded", "kept")
"""Columns of 0 and 1."""


@dataclass(frozen=True)
class Store:
    """A store of a sweep, which may still be running; every method reads the file anew.

    Attributes
    ----------
    name : of the study
    versions : that determine the answers
    stated : the study as plain data
    """

    path: Path
    name: str
    versions: dict[str, str]
    stated: dict[str, Any]

    def runs_frame(self) -> pd.DataFrame:
        """One row per run, finished or not: what was asked, settings by key, what came of it."""
        frame = self._table("overview", "run")
        settings = self._table("settings", "run, key")
        order = list(dict.fromkeys([*self.stated["grid"], *_sampled(self.stated)]))
        for place, key in enumerate(order):
            of_key = settings[settings["key"] == key].set_index("run")["value"].map(json.loads)
            frame.insert(3 + place, key, frame["run"].map(of_key))
        return frame

    def lesions_frame(self) -> pd.DataFrame:
        """One row per run with an answer and lesion."""
        return self._table("lesions", "run")

    def limits_frame(self) -> pd.DataFrame:
        """One row per run with an answer and limit."""
        return self._table("limits", "run")

    def document(self, run: int) -> dict[str, Any]:
        """What `solve --json` printed of a run.

        Raises
        ------
        InputError
            If the run is not finished, or failed.
        """
        with reading(self.path) as connection:
            packed = connection.execute(
                "SELECT document FROM documents WHERE run = ?", (run,)
            ).fetchone()
            if packed is None:
                rule = "no such run, or it is not finished or has no answer"
                raise InputError([Problem(str(self.path), "run", str(run), rule)])
            document: dict[str, Any] = json.loads(zlib.decompress(packed[0]))
            return document

    def _table(self, name: str, order: str) -> pd.DataFrame:
        import pandas as pd

        with reading(self.path) as connection:
            try:
                frame = pd.read_sql_query(f"SELECT * FROM {name} ORDER BY {order}", connection)
            except pd.errors.DatabaseError as error:
                raise sqlite3.DatabaseError(str(error.__cause__ or error)) from None
        for column in set(TRUTHS) & set(frame.columns):
            frame[column] = frame[column].astype("boolean")
        return frame


def _sampled(stated: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = (stated["sample"] or {"keys": {}})["keys"]
    return keys


def read_store(file: str | Path) -> Store:
    """The store in a file, which is not changed.

    Raises
    ------
    InputError
        If there is no such file, or it is no store.
    """
    path = Path(file)
    with reading(path) as connection:
        row = connection.execute("SELECT name, versions, stated FROM study").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("no study in it")
        return Store(path, row[0], json.loads(row[1]), json.loads(row[2]))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A store, opened for reading only; raises InputError, also where bytes of it are damaged."""

    def wrong(value: str, rule: str) -> InputError:
        return InputError([Problem(str(path), "store", value, rule)])

    if not path.is_file():
        raise wrong(str(path), "no such file")
    try:
        with closing(_opened(path)) as connection:
            number = connection.execute("PRAGMA application_id").fetchone()[0]
            if number != APPLICATION_ID:
                raise wrong("another file", "is no store of `abscopt sweep`")
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            if layout != FORMAT:
                raise wrong(f"layout {layout}", f"this release reads layout {FORMAT}")
            yield connection
    except InputError:
        raise
    except (sqlite3.Error, zlib.error, ValueError) as error:
        raise wrong(str(error)[:80], "must be a readable store of `abscopt sweep`") from None


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing of its own, where the folder may be written or not."""
    file = f"file:{quote(str(path.resolve()))}"
    connection = sqlite3.connect(f"{file}?mode=rw", timeout=BUSY_SECONDS, uri=True)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # nowhere to put the files beside it
        connection.close()
        return sqlite3.connect(f"{file}?immutable=1", timeout=BUSY_SECONDS, uri=True)
    return connection
