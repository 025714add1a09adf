"""Stores held against each other: releases, machines, solvers, run by run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.sweeps.contests.profile import Profile, profile
from abscopt.optimizer.sweeps.read import Store, read_store

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["seconds", "cpu_seconds", "nodes"]
Verdict = Literal["agree", "within_gap", "disagree", "limit", "other_case", "absent"]

MAGIC = b"SQLite format 3\0"
ASKED = ["case_name", "changes", "wanted_gap", "seed"]
"""What two runs share that are held against each other."""
HOW = ["solver", "method", "threads", "time_limit"]
"""How a run was solved: where a store has several, each is a contestant of its own."""
SOLVED = ("optimal", "infeasible")
SAME = 1e-6
"""Relative difference of judged objectives that rounding explains."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Contest:
    """Runs of several contestants.

    Attributes
    ----------
    contestants : names in the order of the stores; the first one is the reference
    problems : one entry per problem: the row of each contestant that has it
    """

    contestants: tuple[str, ...]
    problems: tuple[dict[str, Row], ...]
    stores: tuple[Store, ...]

    def profile(self, measure: Measure) -> Profile:
        """Of the problems that every contestant has finished."""
        complete = (p for p in self.problems if len(p) == len(self.contestants))
        return profile(
            [{name: _cost(p[name], measure) for name in self.contestants} for p in complete]
        )


def _cost(row: Row, measure: Measure) -> float:
    return float(row[measure]) if row["status"] in SOLVED else math.inf


def is_store(file: str) -> bool:
    """Whether a file looks like a store (it may be another database)."""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def contest_of(files: Sequence[str]) -> Contest:
    """The stores in files, side by side.

    Raises
    ------
    InputError
        If a file is no store, one is named twice, or there is only one contestant.
    """
    if len({Path(file).resolve() for file in files}) < len(files):
        raise InputError([Problem(files[0], "stores", "named twice", "each store once")])
    stores = tuple(read_store(file) for file in files)
    rows = [row for store in stores for row in _rows(store, _label(store, stores))]
    contestants = tuple(dict.fromkeys(row["contestant"] for row in rows))
    if len(contestants) < 2:
        rule = "two are needed: another store, or one with several solvers or methods"
        raise InputError([Problem(files[0], "contestants", str(len(contestants)), rule)])
    problems: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        key = tuple(row[column] for column in ASKED)
        problems.setdefault(key, {})[row["contestant"]] = row
    return Contest(contestants, tuple(problems.values()), stores)


def _label(store: Store, stores: Sequence[Store]) -> str:
    if len(stores) == 1:
        return ""
    stems = [other.path.stem for other in stores]
    return store.path.stem if stems.count(store.path.stem) == 1 else str(store.path)


def _rows(store: Store, label: str) -> list[Row]:
    """Finished runs of a store as plain data, each with its contestant."""
    frame = store.runs_frame()
    finished: pd.DataFrame = frame[frame["status"].notna()]
    differing = [column for column in HOW if finished[column].nunique(dropna=False) > 1]
    rows: list[Row] = json.loads(finished.to_json(orient="records", double_precision=15))
    for row in rows:
        words = [label, *(_how(row, column) for column in differing)]
        row["contestant"] = " ".join(filter(None, words))
    return rows


def _how(row: Row, column: str) -> str:
    if column in ("solver", "method"):
        return str(row[column])
    return f"{column} {row[column] if row[column] is not None else 'none'}"


def verdict(answer: Row, reference: Row) -> Verdict:
    """Whether two answers to one problem can both be right, and how close they are."""
    digests = {answer["instance_digest"], reference["instance_digest"]} - {None}
    if len(digests) > 1:
        return "other_case"
    statuses = {answer["status"], reference["status"]}
    if statuses == {"refused"}:
        return "agree"
    if statuses & {"refused", "failed"}:
        return "absent"
    if _refutes(answer, reference) or _refutes(reference, answer):
        return "disagree"
    if not statuses <= set(SOLVED):
        return "limit"
    if answer["objective"] is None:
        return "agree"
    apart = abs(answer["objective"] - reference["objective"])
    small = SAME * max(1.0, abs(reference["objective"]))
    if apart <= small:
        return "agree"
    gap = max(answer["requested_gap"], reference["requested_gap"])
    return "within_gap" if apart <= gap * (1 + SAME) + small else "disagree"


def _refutes(solved: Row, proved: Row) -> bool:
    """Whether a judged schedule shows that a proof is wrong."""
    if solved["objective"] is None:
        return False
    if proved["status"] == "infeasible":
        return True
    bound = proved["bound"]
    return bound is not None and solved["objective"] > bound + SAME * max(1.0, abs(bound))


def rows_of(contest: Contest) -> list[Row]:
    """One row per problem and contestant; the verdict is on the first contestant that has it."""
    table = []
    for problem in contest.problems:
        reference = next(iter(problem.values()))
        best = min(_cost(row, "seconds") for row in problem.values())
        for row in problem.values():
            cost = _cost(row, "seconds")
            table.append(
                {
                    "case": row["case_name"],
                    "changes": json.loads(row["changes"]),
                    "wanted_gap": row["wanted_gap"],
                    "seed": row["seed"],
                    "contestant": row["contestant"],
                    "status": row["status"],
                    "objective": row["objective"],
                    "bound": row["bound"],
                    "gap": row["gap"],
                    "unit": row["unit"],
                    "seconds": row["seconds"],
                    "nodes": row["nodes"],
                    "host": row["host"],
                    "seconds_ratio": cost / best if math.isfinite(cost) else None,
                    "verdict": None if row is reference else verdict(row, reference),
                    "message": row["message"],
                }
            )
    return table


def disagreement(contest: Contest) -> bool:
    """Whether two answers cannot both be right."""
    return any(row["verdict"] == "disagree" for row in rows_of(contest))
