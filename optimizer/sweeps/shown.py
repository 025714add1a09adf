"""A store as text, CSV, JSON and Parquet."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT
from abscopt.optimizer.results.text.plain import plain_table, plain_text

if TYPE_CHECKING:
    import pandas as pd

    from abscopt.optimizer.sweeps.read import Store

TableName = Literal["runs", "lesions", "limits"]
MOST_SHOWN = 60
"""Rows on a screen; files have them all."""


def frame_of(stores: list[Store], table: TableName) -> pd.DataFrame:
    """A table of several stores, one below the other; of more than one, each row says which."""
    import pandas as pd

    frames = []
    for store in stores:
        frame = {
            "runs": store.runs_frame,
            "lesions": store.lesions_frame,
            "limits": store.limits_frame,
        }[table]()
        if len(stores) > 1:
            frame.insert(0, "store", str(store.path))
        frames.append(frame)
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV, numbers with all their digits."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def document(stores: list[Store], table: TableName) -> dict[str, Any]:
    """What `results --json` prints."""
    frame = frame_of(stores, table)
    return {
        "format": FORMAT,
        "kind": "results",
        "notice": DISCLAIMER,
        "stores": [
            {"file": str(s.path), "study": s.stated, "versions": s.versions} for s in stores
        ],
        "table": table,
        "rows": json.loads(frame.to_json(orient="records", double_precision=15)),
    }


def write_parquet(frame: pd.DataFrame, file: str) -> None:
    """Write a table as Parquet.

    Raises
    ------
    InputError
        If pyarrow (extra `parquet`) is not installed, or the file cannot be written.
    """
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError:
        rule = "needs pyarrow: pip install 'abscopt[parquet]'; --csv needs nothing"
        raise InputError([Problem("abscopt", "--parquet", file, rule)]) from None
    from abscopt.optimizer.results.files import write_file

    write_file(file, frame.to_parquet(engine="pyarrow", index=False), "--parquet")


def report(stores: list[Store]) -> str:
    """Counts and the first rows of each store."""
    return plain_text(part for store in stores for part in _parts(store))


def _parts(store: Store) -> list[object]:
    frame = store.runs_frame()
    finished = frame["status"].notna()
    count = Counter(frame["status"][finished])
    statuses = ", ".join(f"{number} {status}" for status, number in sorted(count.items()))
    seconds = frame["seconds"].sum()
    parts: list[object] = [
        f"{store.path}: study {store.name}, {finished.sum()} of {len(frame)} runs finished"
        + (f": {statuses}" if statuses else ""),
        f"abscopt {store.versions.get('abscopt')}, {seconds:.1f} s of solving",
        "",
        _table(frame[finished].head(MOST_SHOWN)),
    ]
    if finished.sum() > MOST_SHOWN:
        parts.append(f"{finished.sum() - MOST_SHOWN} more: --csv - prints all")
    return [*parts, ""]


def _table(frame: pd.DataFrame) -> object:
    table = plain_table(
        "", ">run", "case", "changes", ">seed", "status", ">objective", ">bound", ">seconds"
    )
    for row in frame.to_dict("records"):
        changes = [row["variant"]] if row["variant"] else json.loads(row["changes"])
        message = f": {row['message']}" if row["message"] else ""
        numbers = (_number(row["objective"]), _number(row["bound"]), f"{row['seconds']:.2f}")
        table.add_row(
            str(row["run"]),
            row["case_name"],
            "; ".join(changes) or "-",
            str(row["seed"]),
            row["status"] + message,
            *numbers,
        )
    return table


def _number(value: float) -> str:
    return "-" if value != value or value is None else f"{value:.4f}"
