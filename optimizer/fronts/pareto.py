"""What a limit costs: the best objective for several caps, each point judged and proved.

The widest cap is solved first: its bound holds for all tighter ones, and its schedule, tables and
tree of the proof serve the next (`memory`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from abscopt.instances.load import InputError, Problem, problems_of
from abscopt.instances.schema import Instance
from abscopt.optimizer.crosscheck import cells
from abscopt.optimizer.memory import Memory
from abscopt.optimizer.pipeline import solve
from abscopt.optimizer.process.interrupts import raises_interrupted
from abscopt.optimizer.results.result import DISCLAIMER, heading, versions
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines

if TYPE_CHECKING:
    import pandas as pd

    from abscopt.optimizer.results.result import Result

FLOORS = ("floor_1e9_per_l", "floor")
MOST_POINTS = 1000
COLUMNS = (
    "cap", "status", "objective", "bound", "gap", "gap_unit", "use", "sites", "doses",
    "drug_starts", "binding_limits",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """The answer at one cap."""

    cap: float
    result: Result


@dataclass(frozen=True)
class Frontier:
    """The answers at several caps of one limit of a case, in the order in which these are given."""

    instance: Instance
    limit: str
    points: tuple[Point, ...]

    def frame(self) -> pd.DataFrame:
        """One row per point, columns `COLUMNS`; cells of several entries are lists."""
        import pandas as pd

        return pd.DataFrame(rows(self), columns=list(COLUMNS))


@raises_interrupted
def frontier(instance: Instance, limit: str, caps: Sequence[float], **options: Any) -> Frontier:
    """Solve a case for several caps of one limit.

    Parameters
    ----------
    limit : name of a limit of the case
    caps : in the limit's own unit; a floor where it has no cap (`alc`); multiples of its doses
        where it is a table (`dose_by_fractions`)
    options : those of `solve`, for each point

    Raises
    ------
    InputError
        If the case has no such limit, or a cap is not one that the limit may have.
    """
    cases = {cap: with_cap(instance, limit, cap) for cap in caps}
    falls = _side(instance, limit) in FLOORS
    memory, points = Memory(), {}
    for cap in sorted(cases, reverse=not falls):
        points[cap] = Point(cap, solve(cases[cap], memory=memory, **options))
    return Frontier(instance, limit, tuple(points[cap] for cap in caps))


def with_cap(instance: Instance, limit: str, cap: float) -> Instance:
    """The case with another cap of one limit; raises InputError."""
    side, raw = _side(instance, limit), instance.model_dump(mode="json")
    value: float | int = int(cap) if float(cap).is_integer() else float(cap)
    for entry in raw["limits"]:
        if entry["name"] == limit:
            table = side == "limits_gy"
            entry[side] = [dose * cap for dose in entry[side]] if table else value
    try:
        return Instance.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise InputError(list(problems_of(error, f"{limit} {cap:g}"))) from None


def _side(instance: Instance, name: str) -> str:
    """Key of what a limit allows."""
    limits = {limit.name: limit for limit in instance.limits}
    if name not in limits:
        raise InputError(
            [Problem(instance.name, "limits", name, f"unknown; known {sorted(limits)}")]
        )
    side = limits[name].side
    if side is None:
        rule = "has neither cap nor floor nor table: nothing to vary"
        raise InputError([Problem(instance.name, "limits", name, rule)])
    return side


def parse_caps(text: str, label: str) -> tuple[float, ...]:
    """Caps from `a,b,c`, or from `low:high:n` n evenly spaced ones; raises InputError."""
    try:
        if ":" in text:
            low, high, number = text.split(":")
            ends, count = (float(low), float(high)), int(number)
            if not 2 <= count <= MOST_POINTS:
                raise ValueError
            step = (ends[1] - ends[0]) / (count - 1)
            caps = [round(ends[0] + i * step, 12) for i in range(count)]
        else:
            caps = [float(number) for number in text.split(",")]
    except ValueError:
        caps = []
    if not caps or len(caps) > MOST_POINTS or not all(0 < cap < math.inf for cap in caps):
        rule = f"must be positive numbers a,b,... or low:high:n with n from 2 to {MOST_POINTS}"
        raise InputError([Problem(label, "caps", text[:80], rule)])
    return tuple(dict.fromkeys(caps))


def rows(curve: Frontier) -> list[dict[str, Any]]:
    """One row of plain data per point; the time taken is not in it."""
    table = []
    for point in curve.points:
        result, verdict = point.result, point.result.evaluation
        uses = {} if verdict is None else {use.name: use.use for use in verdict.limits}
        table.append(
            {
                "cap": point.cap,
                **cells.proof(result),
                "use": uses.get(curve.limit),
                **cells.answer(result, curve.instance),
            }
        )
    return table


def document(curve: Frontier) -> dict[str, Any]:
    """What `frontier --json` prints."""
    return {
        **heading("frontier", curve.instance),
        "limit": curve.limit,
        "rows": rows(curve),
        "seconds": [round(point.result.solver.seconds, 3) for point in curve.points],
        "versions": versions(),
    }


def csv_text(curve: Frontier) -> str:
    """The rows as CSV."""
    return csv_rows(COLUMNS, rows(curve))


def report(curve: Frontier) -> str:
    """The rows as a table for a person."""
    title = f"{curve.instance.name}: caps of {curve.limit}"
    table = plain_table(
        title, ">Cap", "Status", ">Objective", ">Bound", ">Gap", "", ">Use %",
        "Doses (Gy, first day)", "Drug starts",
    )  # fmt: skip
    for row in rows(curve):
        use = "-" if row["use"] is None else f"{100 * row['use']:.1f}"
        table.add_row(f"{row['cap']:g}", *cells.proof_text(row), use, *cells.answer_text(row))
    return plain_text([*change_lines(curve.instance), table, "", DISCLAIMER])
