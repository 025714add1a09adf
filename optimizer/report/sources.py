"""Files of other commands that pictures are made of: robustness, frontiers, logs of solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from abscopt.instances.load import InputError, Problem, parse_json
from abscopt.optimizer.ensemble.study.identified import Verdict
from abscopt.optimizer.fronts.tradeoff import MEASURES
from abscopt.optimizer.report.pictures import STUDIES
from abscopt.optimizer.results.checked import (
    Kinds,
    is_anything,
    is_list,
    is_number,
    is_number_or_none,
    is_text,
    wrong_keys,
)
from abscopt.optimizer.results.files import read_file
from abscopt.optimizer.results.reading.log_read import read_log

Row = dict[str, Any]

ROWS: dict[str, tuple[str, Kinds]] = {
    "spread": (
        "control",
        {
            "lesion": is_text,
            "of": lambda of: of in ("schedule", "standard"),
            **dict.fromkeys(("quantile_10", "quantile_50", "quantile_90"), is_number),
        },
    ),
    "identification": (
        "decisions",
        {
            "decision": is_text,
            "chosen": is_anything,
            "share": is_number,
            "schedule": is_anything,
            "cost_of_chosen": is_number_or_none,
            "verdict": lambda verdict: verdict in get_args(Verdict),
        },
    ),
    "frontier": (
        "rows",
        {
            "measure": is_number,
            "objective": is_number_or_none,
            "bound": is_number_or_none,
            "status": is_text,
            "gap_unit": is_text,
        },
    ),
}
"""Rows of a document that a kind draws, and the keys that each must have."""
OF_ENSEMBLE: Kinds = {"ensemble": is_text, "members": is_list}
BESIDE: dict[str, Kinds] = {
    "spread": OF_ENSEMBLE,
    "identification": {**OF_ENSEMBLE, "unit": is_text, "matters_above": is_number},
    "frontier": {},
}
"""Keys of the document beside its rows."""


@dataclass(frozen=True)
class Study:
    """A document of `robustness --json` or `pareto --json`, with the rows that are drawn."""

    document: dict[str, Any]

    def rows(self, key: str) -> list[Row]:
        """Rows of the document."""
        listed: list[Row] = self.document[key]
        return listed

    @property
    def case(self) -> str:
        """Name of the case."""
        return str(self.document["instance"])

    @property
    def ensemble(self) -> str:
        """Name of the ensemble."""
        return str(self.document["ensemble"])

    @property
    def members(self) -> int:
        """Number of its members."""
        return len(self.document["members"])


@dataclass(frozen=True)
class Log:
    """Incumbent and bound of a solve over time."""

    case: str
    unit: str
    steps: list[Row]


def source_of(file: str, kind: str) -> Study | Log:
    """What a file holds for a kind of picture.

    Raises
    ------
    InputError
        If it is no document of the command that the kind belongs to, or has nothing to draw.
    """
    if kind == "progress":
        read = read_log(file)
        steps = read.frame_rows()
        if not any(step["incumbent"] is not None or step["bound"] is not None for step in steps):
            rule = "has neither a schedule nor a bound to draw"
            raise InputError([Problem(file, "events", f"{len(steps)} reports", rule)])
        return Log(str(read.stated["instance"]), str(read.stated.get("unit", "")), steps)
    document = read_file(file, parse_json)
    _check(file, kind, document)
    return Study(document)


def _check(file: str, kind: str, document: object) -> None:
    key, needed = ROWS[kind]
    command, wanted = STUDIES[kind]
    if not isinstance(document, dict) or document.get("kind") != wanted:
        stated = document.get("kind") if isinstance(document, dict) else None
        rule = f"must be a document of `{command}`"
        raise InputError([Problem(file, "kind", str(stated)[:80], rule)])
    against = document.get("against")
    known = (*MEASURES, "robustness")
    if kind == "frontier" and against not in known:
        rule = f"must be one of {', '.join(known)}"
        raise InputError([Problem(file, "against", str(against)[:80], rule)])
    beside: Kinds = {"instance": is_text, **BESIDE[kind]}
    if kind == "frontier" and against == "robustness":
        beside = {**beside, "ensemble": is_text, "members": is_number}
    wrong = wrong_keys(document, beside)
    if wrong:
        value = str(document.get(wrong[0], "missing"))[:80]
        raise InputError([Problem(file, wrong[0], value, f"must be what `{command}` wrote")])
    rows = document.get(key)
    if not isinstance(rows, list) or any(wrong_keys(row, needed) for row in rows):
        rule = f"must have rows with {', '.join(sorted(needed))}"
        raise InputError([Problem(file, key, "incomplete", rule)])
    drawn = [row for row in rows or [] if kind != "frontier" or row["objective"] is not None]
    if not drawn:
        raise InputError([Problem(file, key, "no rows", "has nothing to draw")])
