"""Logs of solves read back: how incumbent and bound moved, and when a gap was reached."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem, read_text
from abscopt.optimizer.results.checked import (
    Kinds,
    is_number,
    is_number_or_none,
    is_text,
    wrong_keys,
)
from abscopt.optimizer.results.files import read_file
from abscopt.optimizer.results.result import FORMAT
from abscopt.optimizer.results.solve_log import KIND
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ReadLog:
    """The log of one solve.

    Attributes
    ----------
    stated : what was solved, with which options
    events : progress and lines of the solver, in the order of time
    outcome : status, objective, bound, gap, nodes; None where the solve did not come to its end
    """

    file: str
    stated: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    outcome: dict[str, Any] | None

    def frame(self) -> pd.DataFrame:
        """One row per report: seconds, phase, nodes, best incumbent and bound so far, gap."""
        import pandas as pd

        columns = ["seconds", "phase", "nodes", "incumbent", "bound", "gap"]
        return pd.DataFrame(self.frame_rows(), columns=columns)

    def frame_rows(self) -> list[dict[str, Any]]:
        """The rows of `frame`."""
        return list(self._steps())

    @property
    def solver_text(self) -> str:
        """What the solver wrote."""
        return "\n".join(event["text"] for event in self.events if event["kind"] == "solver")

    @property
    def seconds(self) -> float:
        """When the last line was written."""
        times = [event["seconds"] for event in self.events]
        return float(max([*times, (self.outcome or {"seconds": 0.0})["seconds"]]))

    @property
    def first_schedule(self) -> float | None:
        """Seconds until a schedule was in hand; None if there was none."""
        return next((s["seconds"] for s in self._steps() if s["incumbent"] is not None), None)

    def time_to_gap(self, gap: float) -> float | None:
        """Seconds until bound minus incumbent was at most a gap; None if it never was.

        A bound counts as far as it held to the end: one that was withdrawn later proved nothing.
        """
        reached = (s["seconds"] for s in self._steps() if s["gap"] is not None and s["gap"] <= gap)
        return next(reached, None)

    def _steps(self) -> Iterator[dict[str, Any]]:
        """Reports with the best of what was reported so far; the outcome is the last."""
        best, bound, floor = -math.inf, math.inf, -math.inf
        if self.outcome is not None:
            floor = math.inf if self.outcome["bound"] is None else self.outcome["bound"]
        reports = [event for event in self.events if event["kind"] == "progress"]
        if self.outcome is not None:
            objective = self.outcome["objective"]
            reports.append({**self.outcome, "phase": "end", "incumbent": objective})
        for report in reports:
            if report["incumbent"] is not None:
                best = max(best, report["incumbent"])
            if report["bound"] is not None:
                bound = min(bound, max(report["bound"], floor))
            known = math.isfinite(best) and math.isfinite(bound)
            yield {
                "seconds": report["seconds"],
                "phase": report["phase"],
                "nodes": report["nodes"],
                "incumbent": best if math.isfinite(best) else None,
                "bound": bound if math.isfinite(bound) else None,
                "gap": max(0.0, bound - best) if known else None,
            }


def read_log(file: str | Path) -> ReadLog:
    """The log in a file that `solve --log` wrote, also of a solve that was killed.

    Raises
    ------
    InputError
        If it is no such file; a last line that is not complete is left out.
    """
    label = str(file)
    lines = read_file(label, read_text).splitlines()
    events: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError:
            if number == len(lines) and events:
                break
            raise _wrong(label, f"line {number}", line) from None
        if wrong_keys(event, {"kind": is_text, "seconds": is_number}):
            raise _wrong(label, f"line {number}", line)
        if wrong_keys(event, EVENTS.get(event["kind"], {})):
            raise _wrong(label, f"line {number}", line)
        events.append(event)
    if not events or events[0].get("kind") != KIND or events[0].get("format") != FORMAT:
        raise _wrong(label, "line 1", lines[0] if lines else "nothing")
    ends = [event for event in events if event["kind"] == "end"]
    between = tuple(event for event in events[1:] if event["kind"] in ("progress", "solver"))
    return ReadLog(label, events[0], between, ends[-1] if ends else None)


_SEEN: Kinds = {"bound": is_number_or_none, "nodes": is_number_or_none}
EVENTS: dict[str, Kinds] = {
    KIND: {"instance": is_text},
    "progress": {"phase": is_text, "incumbent": is_number_or_none, **_SEEN},
    "solver": {"text": is_text},
    "end": {"status": is_text, "objective": is_number_or_none, **_SEEN},
}
"""Keys that each sort of line must have."""


def _wrong(file: str, place: str, value: str) -> InputError:
    rule = "must be a log that `abscopt solve --log` wrote"
    return InputError([Problem(file, place, value[:80], rule)])


@dataclass(frozen=True)
class Timings:
    """Logs side by side, with the gaps that are asked about."""

    logs: tuple[ReadLog, ...]
    gaps: tuple[float, ...]


def timings(files: Sequence[str], gaps: Sequence[float]) -> Timings:
    """Logs in files; raises InputError."""
    return Timings(tuple(read_log(file) for file in files), tuple(gaps))


def rows(asked: Timings) -> list[dict[str, Any]]:
    """One row per log: outcome, and seconds to the first schedule and to each gap."""
    return [
        {
            "file": log.file,
            "instance": log.stated["instance"],
            "status": (log.outcome or {"status": "not ended"})["status"],
            "objective": (log.outcome or {"objective": None})["objective"],
            "seconds": log.seconds,
            "first_schedule": log.first_schedule,
            **{f"gap_{gap:g}": log.time_to_gap(gap) for gap in asked.gaps},
        }
        for log in asked.logs
    ]


def document(asked: Timings) -> dict[str, Any]:
    """What `log --json` prints."""
    return {"format": FORMAT, "kind": "timings", "gaps": list(asked.gaps), "rows": rows(asked)}


def csv_text(asked: Timings) -> str:
    """The rows as CSV."""
    listed = rows(asked)
    return csv_rows(list(listed[0]), listed)


def report(asked: Timings) -> str:
    """The rows as a table."""
    headings = [f">to gap {gap:g}" for gap in asked.gaps]
    table = plain_table(
        "Seconds", "log", "case", "status", ">objective", ">end", ">first schedule", *headings
    )
    for column in table.columns[:3]:
        column.no_wrap = True
    for row in rows(asked):
        file, case, status, objective, *times = row.values()
        value = "-" if objective is None else f"{objective:.4f}"
        shown = ("-" if time is None else f"{time:.2f}" for time in times)
        table.add_row(Path(file).name, case, status, value, *shown)
    return plain_text([table])
